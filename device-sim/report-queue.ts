/**
 * REPORTs of a sleeping node that wait for their ACK: one outstanding at a time, repeated with backoff, forever. When the
 * queue is full, the oldest goes; the gateway takes the hole for what it is, since a REPORT's seq need only rise.
 */
import type { MessageOf, Sample } from '../protocol/index.ts';
import { Backoff } from './backoff.ts';
import type { Random } from './random.ts';
import type { Timing } from './timing.ts';

interface Report {
  readonly seq: number;
  readonly samples: Sample[];
  sent: boolean;
}

export interface DueReport {
  readonly message: MessageOf<'REPORT'>;
  readonly seq: number;
  /** Not the first time. */
  readonly again: boolean;
}

export class ReportQueue {
  readonly #max: number;
  readonly #backoff: Backoff;
  readonly #waiting: Report[] = [];
  #following = 1;
  #sendAt = 0;
  #dropped = 0;

  constructor(maxReports: number, timing: Timing, random: Random) {
    this.#max = maxReports;
    this.#backoff = new Backoff(random, timing.reportMs, timing.maxReportMs);
  }

  /** Reports not acknowledged. */
  get pending(): number {
    return this.#waiting.length;
  }

  /** Reports dropped because the queue was full. */
  get dropped(): number {
    return this.#dropped;
  }

  /** How often the oldest was sent in vain, this way. */
  get tries(): number {
    return this.#backoff.tries;
  }

  /** When `next` will have something; Infinity when nothing waits. */
  get nextAt(): number {
    return this.#waiting.length === 0 ? Number.POSITIVE_INFINITY : this.#sendAt;
  }

  push(samples: Sample[]): void {
    if (this.#waiting.length === this.#max) {
      this.#waiting.shift();
      this.#dropped += 1;
      this.#begin();
    }
    this.#waiting.push({ seq: this.#following, samples, sent: false });
    this.#following += 1;
  }

  /**
   * The report to send now, if one is due. A repetition has the same seq and samples, and the uptime of its own sending:
   * the gateway tells the samples' times from it.
   */
  next(device: bigint, boot: number, uptime: number, nowMs: number): DueReport | undefined {
    const oldest = this.#waiting[0];
    if (oldest === undefined || nowMs < this.#sendAt) return undefined;
    const again = oldest.sent;
    oldest.sent = true;
    this.#sendAt = nowMs + this.#backoff.next();
    const { seq, samples } = oldest;
    return { message: { type: 'REPORT', device, boot, uptime, samples }, seq, again };
  }

  /** An ACK for this seq alone has come; true when it was the one waited for. */
  onAck(seq: number): boolean {
    if (this.#waiting[0]?.seq !== seq) return false;
    this.#waiting.shift();
    this.#begin();
    return true;
  }

  /** The way to the gateway is another one now: what was tried over the old one does not count. */
  restart(): void {
    this.#begin();
  }

  /** Nothing before then. */
  onBusy(untilMs: number): void {
    this.#sendAt = Math.max(this.#sendAt, untilMs);
  }

  /** A new oldest: its first transmission is due at once. */
  #begin(): void {
    this.#backoff.reset();
    this.#sendAt = 0;
  }
}
