/**
 * When to ask whether the gateway is still there, and when to believe that it is not.
 *
 * ```
 *   nothing outstanding:   … silence for a keepalive ─→ PING ─→ no answer ─→ PING ─→ no answer ─→ dead
 *   something outstanding: retransmissions are the question; dead when nothing came for 2.5 keepalives
 * ```
 */

/** How many keepalives without a sign of life mean that the other side is gone; the gateway's own measure. */
const DEAD_AFTER = 2.5;
const MAX_PINGS = 2;
const MAX_ANSWER_MS = 5_000;

export class Keepalive {
  #keepaliveMs = 0;
  #sentAt = 0;
  #receivedAt = 0;
  #pings = 0;

  /** A session begins with this keepalive. */
  begin(keepaliveMs: number, nowMs: number): void {
    this.#keepaliveMs = keepaliveMs;
    this.#sentAt = nowMs;
    this.#receivedAt = nowMs;
    this.#pings = 0;
  }

  sent(nowMs: number): void {
    this.#sentAt = nowMs;
  }

  received(nowMs: number): void {
    this.#receivedAt = Math.max(this.#receivedAt, nowMs);
    this.#pings = 0;
  }

  /** The gateway asked for silence: it counts as heard until then. */
  pause(untilMs: number): void {
    this.received(untilMs);
  }

  /** When `check` will have something to say. */
  dueAt(outstanding: boolean): number {
    if (outstanding) return this.#receivedAt + DEAD_AFTER * this.#keepaliveMs;
    return this.#sentAt + (this.#pings === 0 ? this.#keepaliveMs : Math.min(MAX_ANSWER_MS, this.#keepaliveMs / 2));
  }

  /** What is due: a PING (which counts as asked), to give the session up, or nothing. */
  check(nowMs: number, outstanding: boolean): 'ping' | 'dead' | undefined {
    if (nowMs < this.dueAt(outstanding)) return undefined;
    if (outstanding || this.#pings === MAX_PINGS) return 'dead';
    this.#pings += 1;
    return 'ping';
  }
}
