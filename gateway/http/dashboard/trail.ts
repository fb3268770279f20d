/** The last minutes of a number: at most so many points, and the longer they reach back the further they are apart. */

const MAX_POINTS = 90;
const FIRST_STEP_MS = 1_000;
const MAX_STEP_MS = 10_000;

export class Trail {
  /** Unix milliseconds, rising, and the values. */
  t: number[] = [];
  v: number[] = [];
  #stepMs = FIRST_STEP_MS;

  /** Whether it has become longer; else the newest point has moved. */
  add(ms: number, value: number): boolean {
    const last = this.t.length - 1;
    if (last >= 0 && ms < (this.t[last] as number) + this.#stepMs) {
      this.v[last] = value;
      return false;
    }
    this.t.push(ms);
    this.v.push(value);
    if (this.t.length > MAX_POINTS) this.#thin();
    return true;
  }

  /** What was before the first point. */
  before(t: readonly number[], v: readonly number[]): void {
    const first = this.t[0] ?? Number.POSITIVE_INFINITY;
    const count = t.filter((ms) => ms < first).length;
    this.t = [...t.slice(0, count), ...this.t];
    this.v = [...v.slice(0, count), ...this.v];
    this.#thin();
  }

  clear(): void {
    this.t = [];
    this.v = [];
  }

  #thin(): void {
    while (this.t.length > MAX_POINTS && this.#stepMs < MAX_STEP_MS) {
      this.#stepMs = Math.min(MAX_STEP_MS, this.#stepMs * 2);
      const keep = this.t.map((ms, at) => this.#slot(ms) !== this.#slot(this.t[at + 1] ?? Number.NaN));
      this.t = this.t.filter((_, at) => keep[at]);
      this.v = this.v.filter((_, at) => keep[at]);
    }
    const over = Math.max(0, this.t.length - MAX_POINTS);
    this.t.splice(0, over);
    this.v.splice(0, over);
  }

  #slot(ms: number): number {
    return Math.floor(ms / this.#stepMs);
  }
}
