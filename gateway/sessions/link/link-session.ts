/** One session of one device: its number, its carrier, and the watch over its silence. */
import { encodeMessage, type Message, type SecureChannel, type Value } from '../../../protocol/index.ts';
import { GatewayError } from '../../errors.ts';
import type { Timer } from '../../timers.ts';
import type { Carrier } from './carrier.ts';
import type { DeviceLink } from './device-link.ts';
import type { LinkContext, SessionEnd } from './link-context.ts';
import type { Seal, SessionPlan } from './session-plan.ts';

/** After this many keepalives of silence we ask; after the second figure the peer is taken for dead. */
const PING_AFTER_KEEPALIVES = 1.25;
const DEAD_AFTER_KEEPALIVES = 2.5;

/** What a device is told to wait when the journal is full, seconds. */
export const BUSY_RETRY_S = 2;

export class LinkSession {
  readonly sid: number;
  readonly link: DeviceLink;
  readonly carrier: Carrier;
  /** What seals its frames; undefined for a plain session. One or the other for as long as it stands. */
  readonly channel: SecureChannel | undefined;
  /** By which the handshake that led to it is known again; undefined for a plain session. */
  readonly mark: string | undefined;
  /** Set once the device has sent anything after its HELLO: from then on a HELLO means a new session. */
  used = false;
  /** Round trip of the last PING of ours, milliseconds. */
  roundTripMs: number | undefined;
  readonly #context: LinkContext;
  readonly #onEnd: (session: LinkSession, why: SessionEnd, error: GatewayError | undefined) => void;
  /** The largest frame that the device takes. */
  readonly #maxFrame: number;
  /** As its WELCOME said, whatever the limits say later. */
  readonly #keepaliveS: number;
  readonly #silence: Timer;
  #heardAt: number;
  #seq = 0;
  #ended = false;
  #leaving: SessionEnd | undefined;
  /** The device was told to wait until then. */
  #toldUntil = 0;
  #ping: { token: number; sentAt: number } | undefined;

  constructor(
    context: LinkContext,
    { sid, link, carrier, hello }: SessionPlan,
    seal: Seal | undefined,
    onEnd: (session: LinkSession, why: SessionEnd, error: GatewayError | undefined) => void,
  ) {
    this.#context = context;
    this.sid = sid;
    this.link = link;
    this.carrier = carrier;
    this.channel = seal?.channel;
    this.mark = seal?.mark;
    this.#maxFrame = hello.maxFrame;
    this.#keepaliveS = context.limits.keepaliveS;
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
    return this.#send(message) === 'sent';
  }

  #send(message: Message): 'sent' | 'too-large' | 'unsent' {
    if (this.#ended) return 'unsent';
    if (this.channel?.spent === true) {
      this.#retire(this.channel);
      return 'unsent';
    }
    const frame = this.#frameOf(message);
    if (frame.length > this.#maxFrame) return 'too-large';
    return this.carrier.send(frame) ? 'sent' : 'unsent';
  }

  /** The device makes a new session, with new keys. */
  #retire(channel: SecureChannel): void {
    this.carrier.send(channel.sealMessage({ type: 'BYE', reason: 'restarting' }));
    this.end('channel-spent');
  }

  #frameOf(message: Message): Uint8Array {
    const { channel, sid } = this;
    if (channel !== undefined) return channel.sealMessage(message);
    this.#seq = (this.#seq + 1) >>> 0;
    return encodeMessage(message, { sid, seq: this.#seq, down: true });
  }

  /** The way onward is full: the device shall keep what it has and wait. At most once in that time. */
  sendBusy(): void {
    this.#tellToWait('busy', BUSY_RETRY_S);
  }

  /** Too many frames. At most once in that time. */
  sendRateLimited(retryAfter: number): void {
    this.#tellToWait('rate_limited', retryAfter);
  }

  sendCommand(id: number, ttl: number, value: Value): 'sent' | 'too-large' | 'unsent' {
    return this.#send({ type: 'COMMAND', id, ttl: Math.min(ttl, 0xffff), value });
  }

  #tellToWait(code: 'busy' | 'rate_limited', retryAfter: number): void {
    const now = this.#context.now();
    if (now < this.#toldUntil) return;
    this.#toldUntil = now + retryAfter * 1_000;
    this.send({ type: 'ERROR', code, retryAfter, text: '' });
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
    return this.#keepaliveS * 1_000;
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
