/**
 * The skeleton of every bring-up service on a stream: reading within the budget, output as backpressure, deadlines
 * and the orderly end are the same for all; a service says only what bytes mean to it.
 *
 * ```
 *   open ──finish()──→ finishing ──last byte taken──→ lingering ──FIN, or 2 s──→ ended
 *    │ reads only while      sends what is left,        has sent FIN; reads and
 *    │ nothing is unsent     reads nothing              drops until the peer's FIN
 *    └──────── reset, or silent for 5 minutes ─────────────────────────────────→ ended
 * ```
 */
import { GatewayError } from '../../errors.ts';
import { ERROR, READ, WRITE } from '../../sources/source.ts';
import type { StreamChannel } from '../../sources/source.ts';
import type { Timer } from '../../timers.ts';
import type { Session, SessionHost } from '../session.ts';

/** A stream on which nothing moves for this long, in either direction, is closed. */
export const IDLE_MS = 300_000;
/** How long a stream that has had its last byte waits for the peer's FIN. */
export const LINGER_MS = 2_000;

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
  #state: 'open' | 'finishing' | 'lingering' | 'ended' = 'open';
  #peerEnded = false;
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

  /** Nothing more will be sent: half-close after the last byte, then wait for the peer to close its direction too. */
  finish(): void {
    if (this.#state !== 'open') return;
    this.setDeadline(undefined);
    this.#state = 'finishing';
    this.#flush();
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
    if ((ready & READ) !== 0 && this.#unsent.length === 0 && !this.#peerEnded) this.#read();
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
    if (bytes.length > 0) {
      this.bytesIn += bytes.length;
      if (this.#state === 'open') this.#service.onBytes(bytes, this);
      return;
    }
    this.#peerEnded = true;
    if (this.#state === 'open') this.#service.onEnd(this);
  }

  /** Writes what is unsent; after the last byte of a stream that finishes comes our FIN. */
  #flush(): void {
    if (this.#unsent.length > 0) {
      const taken = this.#channel.write(this.#unsent);
      if (taken > 0) this.#lastMove = this.#host.now();
      this.bytesOut += taken;
      this.#unsent = taken === this.#unsent.length ? NOTHING : this.#unsent.subarray(taken);
    }
    if (this.#unsent.length === 0 && this.#state === 'finishing') {
      this.#state = 'lingering';
      this.#channel.endWrite();
      // Closing right away could answer bytes of the peer that are still unread, or under way, with RST; and a RST makes
      // its system throw away what it has not read yet: the very line that we have just sent (RFC 1122, 4.2.2.13).
      this.setDeadline(LINGER_MS);
    }
  }

  /** After each piece of work: over, or which interest is left? */
  #settle(): void {
    if (this.#state === 'lingering' && this.#peerEnded) this.#end('close');
    else if (this.#state !== 'ended') this.#updateInterest();
  }

  #updateInterest(): void {
    // Dropping READ while output waits is the backpressure: the peer's own send() blocks until it has read.
    const interest = this.#unsent.length > 0 ? WRITE : this.#peerEnded ? 0 : READ;
    if (interest === this.#interest) return;
    this.#interest = interest;
    this.#host.setInterest(interest);
  }

  #onDeadlineTimer(): void {
    if (this.#state === 'lingering') {
      this.#end('close');
      return;
    }
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
