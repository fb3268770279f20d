/**
 * The skeleton of every bring-up service on a stream: reading within the budget, output as backpressure, deadlines
 * and the orderly end are the same for all; a service says only what bytes mean to it.
 *
 * ```
 *   open ──finish()──→ finishing ──last byte taken──→ ended
 *    │ reads only while      sends what is left,     │ the channel is closed: FIN behind the last byte, and what
 *    │ nothing is unsent     reads nothing           │ the peer still sends is dropped
 *    └──────── reset, or silent for 5 minutes ───────┘
 * ```
 */
import { GatewayError } from '../../errors.ts';
import { ERROR, READ, WRITE } from '../../sources/source.ts';
import type { StreamChannel } from '../../sources/source.ts';
import type { Timer } from '../../timers.ts';
import type { Session, SessionHost } from '../session.ts';

/** A stream on which nothing moves for this long, in either direction, is closed. */
export const IDLE_MS = 300_000;

const NOTHING = new Uint8Array(0);

/** A service's session, with what it has counted for the gateway's statistics. */
export interface ServiceSession extends Session {
  /** Bytes received from the peer, those that were dropped included. */
  readonly bytesIn: number;
  /** Bytes that the channel took for the peer. */
  readonly bytesOut: number;
}

/** What a service does with one stream. The calls come from `ServiceStream`, which is also how it answers. */
export interface StreamService {
  /** The stream is new: the place for a service that speaks first. */
  onStart?(stream: ServiceStream): void;
  /** At most a budget of bytes, never empty, and never while an earlier answer is still unsent. */
  onBytes(bytes: Uint8Array, stream: ServiceStream): void;
  /** The peer has sent FIN and may still listen: say what is left to say, then `finish`. */
  onEnd(stream: ServiceStream): void;
  /** The time of `setDeadline` has come. */
  onDeadline?(stream: ServiceStream): void;
}

export interface ServiceStreamOptions {
  /** Instead of `IDLE_MS`; `Infinity` for a serial line, which is not freed for anybody by closing it. */
  readonly idleMs?: number;
}

/** Runs one service on one stream. The constructor sets interest and timers; it never calls `host.finished`. */
export class ServiceStream implements ServiceSession {
  bytesIn = 0;
  bytesOut = 0;
  readonly #channel: StreamChannel;
  readonly #host: SessionHost;
  readonly #service: StreamService;
  readonly #idleMs: number;
  #state: 'open' | 'finishing' | 'ended' = 'open';
  /** What the channel had no room for. Nothing is read meanwhile, so it never outgrows the answer to one read. */
  #unsent: Uint8Array = NOTHING;
  #interest = 0;
  #lastMove: number;
  #idleTimer: Timer | undefined;
  #deadlineTimer: Timer | undefined;

  constructor(service: StreamService, channel: StreamChannel, host: SessionHost, options: ServiceStreamOptions = {}) {
    this.#service = service;
    this.#channel = channel;
    this.#host = host;
    this.#idleMs = options.idleMs ?? IDLE_MS;
    this.#lastMove = host.now();
    if (this.#idleMs !== Infinity) {
      this.#idleTimer = host.timers.schedule(this.#lastMove + this.#idleMs, () => this.#onIdleTimer());
    }
    service.onStart?.(this);
    this.#updateInterest();
  }

  get peer(): string {
    return this.#channel.peer;
  }

  /** Answers. What the channel does not take now is kept and sent when there is room; the caller gives the bytes away. */
  send(bytes: Uint8Array): void {
    if (this.#unsent.length > 0) throw new RangeError('a service answers one read at a time');
    this.#unsent = bytes;
    this.#flush();
  }

  /**
   * Nothing more will be sent: the channel is closed behind the last byte. It goes on to read and drop until the peer
   * has closed too; or bytes still under way would be answered with RST, and a RST makes the peer's system throw away
   * what the peer has not read yet: the very line that we have just sent (RFC 1122, 4.2.2.13).
   */
  finish(): void {
    if (this.#state !== 'open') return;
    this.setDeadline(undefined);
    this.#state = 'finishing';
  }

  /** Calls the service's `onDeadline` in `afterMs`; undefined cancels. There is one deadline a stream. */
  setDeadline(afterMs: number | undefined): void {
    const timers = this.#host.timers;
    const timer = this.#deadlineTimer;
    if (afterMs === undefined) {
      if (timer !== undefined) timers.cancel(timer);
      return;
    }
    const dueAt = this.#host.now() + afterMs;
    if (timer === undefined) this.#deadlineTimer = timers.schedule(dueAt, () => this.#onDeadlineTimer());
    else timers.reschedule(timer, dueAt);
  }

  onReady(ready: number): void {
    if (this.#state === 'ended') return;
    if ((ready & ERROR) !== 0 && this.#channel.error !== undefined) {
      this.#end('abort', this.#channel.error);
      return;
    }
    if ((ready & WRITE) !== 0) this.#flush();
    if ((ready & READ) !== 0 && this.#unsent.length === 0 && this.#state === 'open') this.#read();
    this.#settle();
  }

  close(): void {
    if (this.#state === 'ended') return;
    this.#flush();
    this.#end('close');
  }

  #read(): void {
    const bytes = this.#channel.read(this.#host.budgetBytes);
    if (bytes === undefined) return;
    this.#lastMove = this.#host.now();
    this.bytesIn += bytes.length;
    if (bytes.length > 0) this.#service.onBytes(bytes, this);
    else this.#service.onEnd(this);
  }

  #flush(): void {
    if (this.#unsent.length === 0) return;
    const taken = this.#channel.write(this.#unsent);
    this.#lastMove = this.#host.now();
    this.bytesOut += taken;
    this.#unsent = taken === this.#unsent.length ? NOTHING : this.#unsent.subarray(taken);
  }

  /** After each piece of work: over, or which interest is left? */
  #settle(): void {
    if (this.#state === 'finishing' && this.#unsent.length === 0) this.#end('close');
    else if (this.#state !== 'ended') this.#updateInterest();
  }

  #updateInterest(): void {
    // Dropping READ while output waits is the backpressure: the peer's own send() blocks until it has read.
    const interest = this.#unsent.length > 0 || this.#state === 'finishing' ? WRITE : READ;
    if (interest === this.#interest) return;
    this.#interest = interest;
    this.#host.setInterest(interest);
  }

  #onDeadlineTimer(): void {
    this.#service.onDeadline?.(this);
    this.#settle();
  }

  /** Armed once and moved on only when it fires: a busy stream costs no timer work by the byte. */
  #onIdleTimer(): void {
    const dueAt = this.#lastMove + this.#idleMs;
    if (this.#host.now() < dueAt) {
      if (this.#idleTimer !== undefined) this.#host.timers.reschedule(this.#idleTimer, dueAt);
      return;
    }
    const stuck = this.#unsent.length > 0;
    const detail = `nothing was ${stuck ? 'taken' : 'received'} for ${this.#idleMs / 1000} s`;
    // A peer that does not read would not take a FIN behind the waiting bytes either.
    this.#end(stuck ? 'abort' : 'close', new GatewayError('PEER_SILENT', this.#channel.id, detail));
  }

  #end(how: 'close' | 'abort', error?: GatewayError): void {
    this.#state = 'ended';
    this.#unsent = NOTHING;
    this.setDeadline(undefined);
    if (this.#idleTimer !== undefined) this.#host.timers.cancel(this.#idleTimer);
    if (how === 'close') this.#channel.close();
    else this.#channel.abort();
    this.#host.finished(error);
  }
}
