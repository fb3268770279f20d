/**
 * When to ask whether the gateway is still there, and when to believe that it is not.
 *
 * ```
 *   nothing outstanding:   … silence for a keepalive ─→ PING ─→ no answer ─→ PING ─→ no answer ─→ dead
 *   something outstanding: retransmissions are the question; dead when nothing came for 2.5 keepalives
 *   probe:                 PING at once ─→ no answer ─→ PING ─→ no answer ─→ dead, outstanding or not
 * ```
 */

/** How many keepalives without a sign of life mean that the other side is gone; the gateway's own measure. */
const DEAD_AFTER = 2.5;
const MAX_PINGS = 2;
const MAX_ANSWER_MS = 5_000;
/** From one probe to the next: whoever can make us ask must not make us ask all the time. */
const PROBE_SPACING_MS = 10_000;

export class Keepalive {
  #keepaliveMs = 0;
  #sentAt = 0;
  #receivedAt = 0;
  #pings = 0;
  /** When the next step of a probe is due; Infinity without one. */
  #probeAt = Number.POSITIVE_INFINITY;
  #answerMs = 0;
  #probeAgainAt = 0;

  /** A session begins with this keepalive. */
  begin(keepaliveMs: number, nowMs: number): void {
    this.#keepaliveMs = keepaliveMs;
    this.#sentAt = nowMs;
    this.#receivedAt = nowMs;
    this.#pings = 0;
    this.#probeAt = Number.POSITIVE_INFINITY;
    this.#probeAgainAt = 0;
  }

  /**
   * Asks at once whether the gateway still is there, and gives it `answerMs` for each of two answers. A probe that runs
   * goes on, and the next one has to wait a while.
   */
  probe(nowMs: number, answerMs: number = this.#patienceMs): void {
    if (this.#probeAt !== Number.POSITIVE_INFINITY || nowMs < this.#probeAgainAt) return;
    this.#probeAt = nowMs;
    this.#probeAgainAt = nowMs + PROBE_SPACING_MS;
    this.#answerMs = answerMs;
    this.#pings = 0;
  }

  sent(nowMs: number): void {
    this.#sentAt = nowMs;
  }

  received(nowMs: number): void {
    this.#receivedAt = Math.max(this.#receivedAt, nowMs);
    this.#pings = 0;
    this.#probeAt = Number.POSITIVE_INFINITY;
  }

  /** The gateway asked for silence: it counts as heard until then. */
  pause(untilMs: number): void {
    this.received(untilMs);
  }

  /** When `check` will have something to say. */
  dueAt(outstanding: boolean): number {
    return Math.min(this.#probeAt, this.#askAt(outstanding));
  }

  /** What is due: a PING (which counts as asked), to give the session up, or nothing. */
  check(nowMs: number, outstanding: boolean): 'ping' | 'dead' | undefined {
    if (nowMs < this.dueAt(outstanding)) return undefined;
    const probing = this.#probeAt !== Number.POSITIVE_INFINITY;
    if ((outstanding && !probing) || this.#pings === MAX_PINGS) return 'dead';
    if (probing) this.#probeAt = nowMs + this.#answerMs;
    this.#pings += 1;
    return 'ping';
  }

  #askAt(outstanding: boolean): number {
    if (outstanding) return this.#receivedAt + DEAD_AFTER * this.#keepaliveMs;
    return this.#sentAt + (this.#pings === 0 ? this.#keepaliveMs : this.#patienceMs);
  }

  /** How long the answer to a PING may take. */
  get #patienceMs(): number {
    return Math.min(MAX_ANSWER_MS, this.#keepaliveMs / 2);
  }
}
