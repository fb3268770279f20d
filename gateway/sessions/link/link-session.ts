/** One session of one device: its number, its carrier, and the watch over its silence. */
import { encodeMessage, type Message, type Value } from '../../../protocol/index.ts';
import { GatewayError } from '../../errors.ts';
import type { Timer } from '../../timers.ts';
import type { Carrier } from './carrier.ts';
import type { DeviceLink } from './device-link.ts';
import type { LinkContext, SessionEnd } from './link-context.ts';

/** After this many keepalives of silence we ask; after the second figure the peer is taken for dead. */
const PING_AFTER_KEEPALIVES = 1.25;
const DEAD_AFTER_KEEPALIVES = 2.5;

/** What a device is told to wait when the journal is full, seconds. */
export const BUSY_RETRY_S = 2;

export class LinkSession {
  readonly sid: number;
  readonly link: DeviceLink;
  readonly carrier: Carrier;
  /** Set once the device has sent anything after its HELLO: from then on a HELLO means a new session. */
  used = false;
  /** Round trip of the last PING of ours, milliseconds. */
  roundTripMs: number | undefined;
  readonly #context: LinkContext;
  readonly #onEnd: (session: LinkSession, why: SessionEnd, error: GatewayError | undefined) => void;
  /** The largest frame that the device takes. */
  readonly #maxFrame: number;
  readonly #silence: Timer;
  #heardAt: number;
  #seq = 0;
  #ended = false;
  #leaving: SessionEnd | undefined;
  #busyUntil = 0;
  #ping: { token: number; sentAt: number } | undefined;

  constructor(
    context: LinkContext,
    sid: number,
    link: DeviceLink,
    carrier: Carrier,
    maxFrame: number,
    onEnd: (session: LinkSession, why: SessionEnd, error: GatewayError | undefined) => void,
  ) {
    this.#context = context;
    this.sid = sid;
    this.link = link;
    this.carrier = carrier;
    this.#maxFrame = maxFrame;
    this.#onEnd = onEnd;
    this.#heardAt = context.now();
    this.#silence = context.timers.schedule(this.#heardAt + PING_AFTER_KEEPALIVES * this.#keepaliveMs, () =>
      this.#checkSilence(),
    );
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** A frame of this session has come. Cheap: the deadline looks at the time when it is due. */
  heard(nowMs: number): void {
    this.#heardAt = nowMs;
    this.used = true;
  }

  /** Sends a message down; false when it could not be sent (too large for the device, no room, ended). */
  send(message: Message): boolean {
    if (this.#ended) return false;
    this.#seq = (this.#seq + 1) >>> 0;
    const frame = encodeMessage(message, { sid: this.sid, seq: this.#seq, down: true });
    return frame.length <= this.#maxFrame && this.carrier.send(frame);
  }

  /** The way onward is full: the device shall keep what it has and wait. At most once in that time. */
  sendBusy(): void {
    const now = this.#context.now();
    if (now < this.#busyUntil) return;
    this.#busyUntil = now + BUSY_RETRY_S * 1_000;
    this.send({ type: 'ERROR', code: 'busy', retryAfter: BUSY_RETRY_S, text: '' });
  }

  sendCommand(id: number, ttl: number, value: Value): boolean {
    return this.send({ type: 'COMMAND', id, ttl: Math.min(ttl, 0xffff), value });
  }

  /** The answer to our PING. */
  pong(token: number): void {
    if (this.#ping?.token !== token) return;
    this.roundTripMs = this.#context.now() - this.#ping.sentAt;
    this.#ping = undefined;
  }

  /** The device has said BYE: the session ends when its last frames are acknowledged. */
  leave(why: SessionEnd): void {
    if (this.link.ackDue || this.link.waiting) this.#leaving = why;
    else this.end(why);
  }

  /** Everything that has come is acknowledged. */
  settled(): void {
    if (this.#leaving !== undefined) this.end(this.#leaving);
  }

  /** Ends the session, once; the carrier learns of it through the table. */
  end(why: SessionEnd, error?: GatewayError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#context.timers.cancel(this.#silence);
    // A device that says BYE and closes the connection has said why.
    this.#onEnd(this, why === 'closed' ? (this.#leaving ?? why) : why, error);
  }

  get #keepaliveMs(): number {
    return this.#context.limits.keepaliveS * 1_000;
  }

  #checkSilence(): void {
    const now = this.#context.now();
    // Nothing was heard because nobody listened.
    if (this.carrier.paused) this.#heardAt = now;
    const askAt = this.#heardAt + PING_AFTER_KEEPALIVES * this.#keepaliveMs;
    const deadAt = this.#heardAt + DEAD_AFTER_KEEPALIVES * this.#keepaliveMs;
    if (now >= deadAt) {
      const seconds = Math.round((now - this.#heardAt) / 1_000);
      this.end('silent', new GatewayError('PEER_SILENT', this.carrier.id, `nothing was heard for ${seconds} s`));
    } else if (now >= askAt) {
      this.#ping = { token: this.#context.randomU32(), sentAt: now };
      this.send({ type: 'PING', token: this.#ping.token });
      if (!this.#ended) this.#context.timers.reschedule(this.#silence, deadAt);
    } else {
      this.#context.timers.reschedule(this.#silence, askAt);
    }
  }
}
