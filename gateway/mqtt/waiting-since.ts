/**
 * Which log numbers have waited too long, without a time for each: what was durable when is noted about ten times in
 * the span that counts.
 */
interface Mark {
  readonly lsn: number;
  /** When it had been seen at the latest, monotonic milliseconds. */
  readonly at: number;
}

export class WaitingSince {
  readonly #spanMs: number;
  readonly #marks: Mark[] = [];
  #lsn = 0;
  #at = Number.NEGATIVE_INFINITY;
  #tooLong = 0;

  constructor(spanMs: number) {
    this.#spanMs = spanMs;
  }

  /** Everything up to this lsn has waited for longer than the span, give or take a tenth. */
  get tooLong(): number {
    return this.#tooLong;
  }

  /** What was there before the first `seen` is old. */
  startWith(lsn: number): void {
    this.#tooLong = Math.max(this.#tooLong, lsn);
  }

  /** `lsn` is the highest at this time; cheap when it is called often. */
  seen(lsn: number, now: number): void {
    const old = now - this.#spanMs;
    if (this.#at <= old && this.#lsn > this.#tooLong) this.#tooLong = this.#lsn;
    if (this.#marks.length > 0 && this.#marks[0]!.at <= old) this.#expire(old);
    if (lsn === this.#lsn) return;
    const last = this.#marks.at(-1)?.at ?? Number.NEGATIVE_INFINITY;
    if (this.#lsn > 0 && this.#at - last >= this.#spanMs / 10) this.#marks.push({ lsn: this.#lsn, at: this.#at });
    this.#lsn = lsn;
    this.#at = now;
  }

  #expire(old: number): void {
    while (this.#marks.length > 0 && this.#marks[0]!.at <= old) {
      this.#tooLong = Math.max(this.#tooLong, this.#marks.shift()!.lsn);
    }
  }
}
