/** The link protocol on a stream: a TCP or Unix-domain connection, or a serial line. Frames travel as COBS and 00. */
import { encodeStreamFrame, type Item, linkStreamDecoder, sealedSid } from '../../../protocol/index.ts';
import type { Transport } from '../../devices/device.ts';
import { GatewayError } from '../../errors.ts';
import { ERROR, READ, type StreamChannel } from '../../sources/source.ts';
import { DeviceRate } from '../../limits/device-rate.ts';
import type { LimitWatch } from '../../limits/limit-watch.ts';
import { hostOf } from '../../sources/address.ts';
import { linkMeaning, skipMeaning } from '../../tap/meanings.ts';
import type { Timer } from '../../timers.ts';
import { type Doubt, Doubts } from '../doubt.ts';
import { LineQuality } from '../line-quality.ts';
import type { Session, SessionHost, Stranger } from '../session.ts';
import type { Carrier } from './carrier.ts';
import { count, type LinkCounters, type LinkLimits } from './link-context.ts';
import type { LinkSession } from './link-session.ts';
import type { LinkTable, Origin } from './link-table.ts';
import { OtherProtocol } from './other-protocol.ts';

/** Frames and skips handled in one turn; a peer that sends nothing but tiny ones does not hold up the others. */
const MAX_ITEMS_PER_TURN = 256;
/** A short pause is not worth telling; after this long the device is told to wait. */
const BUSY_AFTER_MS = 1_000;

export class LinkStream implements Session, Stranger, Carrier, Origin {
  readonly transport: Transport;
  readonly plain: boolean;
  readonly #channel: StreamChannel;
  readonly #host: SessionHost;
  readonly #table: LinkTable;
  readonly #limits: LinkLimits;
  readonly #counters: LinkCounters;
  readonly #watch: LimitWatch;
  readonly #decoder = linkStreamDecoder();
  readonly #sessions: LinkSession[] = [];
  readonly quality = new LineQuality();
  readonly #doubts = new Doubts();
  /** Until the first session stands. */
  #other: OtherProtocol | undefined;
  #handshake: Timer | undefined;
  #throttle: Timer | undefined;
  /** Runs while nothing is read, because a rate is used up. */
  #pace: Timer | undefined;
  /** What comes here and is on no device's account. */
  #strangersRate: DeviceRate | undefined;
  /** The frame at hand is on a device's account. */
  #onAccount = false;
  #frameTimer: Timer | undefined;
  /** When the frame that is being received began, or undefined. */
  #partialSince: number | undefined;
  #paused = false;
  /** The decoder may hold items that this turn had no budget for. */
  #undone = false;
  #peerEnded = false;
  /** Answers due beyond those of the sessions. */
  #holds = 0;
  #finished = false;

  constructor(
    channel: StreamChannel,
    transport: Transport,
    host: SessionHost,
    table: LinkTable,
    limits: LinkLimits,
    counters: LinkCounters,
    watch: LimitWatch,
    plain: boolean,
  ) {
    this.#channel = channel;
    this.transport = transport;
    this.#host = host;
    this.#table = table;
    this.#limits = limits;
    this.#counters = counters;
    this.#watch = watch;
    this.plain = plain;
    if (this.#isLine) return;
    this.#other = new OtherProtocol();
    this.#awaitHandshake();
  }

  get id(): string {
    return this.#channel.id;
  }

  get doubt(): Doubt | undefined {
    return this.#sessions.length > 0 ? undefined : this.#doubts.doubt(this.#channel.bytesRead);
  }

  refused(reason: string): void {
    this.#doubts.refused(reason);
  }

  get address(): string {
    return hostOf(this.#channel.peer);
  }

  /** A serial line is always there: it has no handshake deadline and does not close with a session. */
  get #isLine(): boolean {
    return this.transport === 'serial';
  }

  // --- Session -----------------------------------------------------------------------------------------------------

  onReady(ready: number): void {
    if ((ready & READ) !== 0) this.#read();
    // What had arrived before the error was good, so it is read first.
    if ((ready & ERROR) !== 0) this.#dead(this.#channel.error);
  }

  close(): void {
    this.#table.dismiss(this.#sessions);
    this.#shutDown();
  }

  evict(error: GatewayError): void {
    this.#dead(error);
  }

  // --- Carrier and Origin ------------------------------------------------------------------------------------------

  same(other: Carrier): boolean {
    return other === this;
  }

  matches(carrier: Carrier): boolean {
    return carrier === this;
  }

  carrier(): Carrier {
    return this;
  }

  send(frame: Uint8Array): boolean {
    if (this.#finished) return false;
    if (this.#host.tap.active) this.#host.tap.sent(frame, this.#deviceOf(frame), linkMeaning);
    const bytes = encodeStreamFrame(frame);
    if (this.#channel.write(bytes) === bytes.length) return true;
    if (this.#channel.error === undefined) {
      this.#watch.count('output_bytes');
      this.#dead(new GatewayError('OUTPUT_OVERFLOW', this.id));
    }
    return false;
  }

  get paused(): boolean {
    return this.#paused || this.#pace !== undefined;
  }

  hold(): void {
    this.#holds++;
    this.#doubts.understood();
  }

  letGo(): void {
    this.#holds--;
    this.acknowledged();
  }

  acknowledged(): void {
    if (this.#peerEnded && !this.#undone && !this.#finished) this.#endOfInput();
  }

  /** TCP alone holds back the peer at first; BUSY follows when that lasts, and a deadline when it lasts too long. */
  pause(paused: boolean): void {
    if (paused === this.#paused || this.#finished) return;
    this.#paused = paused;
    const { timers } = this.#host;
    if (paused) {
      const since = this.#host.now();
      this.#throttle = timers.schedule(since + BUSY_AFTER_MS, () => this.#stillPaused(since));
    } else if (this.#throttle !== undefined) {
      timers.cancel(this.#throttle);
      this.#throttle = undefined;
    }
    this.#updateInterest();
  }

  readonly paces = true;

  pace(waitMs: number): void {
    this.#onAccount = true;
    if (waitMs <= 0 || this.#finished) return;
    const { timers } = this.#host;
    const at = this.#host.now() + waitMs;
    if (this.#pace === undefined) this.#pace = timers.schedule(at, () => this.#goOn());
    else if (at > this.#pace.at) timers.reschedule(this.#pace, at);
    this.#updateInterest();
  }

  #goOn(): void {
    this.#pace = undefined;
    this.#updateInterest();
  }

  #stillPaused(since: number): void {
    // Unread, a dead peer is not noticed: so being throttled has a deadline of its own. A serial line has none, as
    // opening it again would reset many boards.
    if (!this.#isLine && this.#host.now() >= since + this.#limits.throttleMs) {
      this.#watch.count('throttle_s');
      this.#dead(new GatewayError('BACKPRESSURE_TIMEOUT', this.id));
      return;
    }
    for (const session of this.#sessions) session.sendBusy();
    if (this.#isLine) return;
    this.#throttle = this.#host.timers.schedule(since + this.#limits.throttleMs, () => this.#stillPaused(since));
  }

  attach(session: LinkSession): void {
    if (this.#handshake !== undefined) this.#host.timers.cancel(this.#handshake);
    this.#handshake = undefined;
    this.#other = undefined;
    this.#host.setStranger(undefined);
    this.#sessions.push(session);
    if (this.#sessions.length <= this.#limits.sessionsPerConnection) return;
    this.#watch.bite('sessions_per_connection', this.transport, 'the oldest session of a connection was ended', {
      channel: this.id,
    });
    this.#sessions[0]?.end('evicted');
  }

  detach(session: LinkSession, error?: GatewayError): void {
    const index = this.#sessions.indexOf(session);
    if (index !== -1) this.#sessions.splice(index, 1);
    if (this.#sessions.length === 0 && !this.#isLine) this.#shutDown(error);
  }

  release(): void {
    if (!this.#isLine && this.#sessions.length === 0) this.#shutDown();
  }

  // --- reading -----------------------------------------------------------------------------------------------------

  #read(): void {
    if (!this.#undone && !this.#peerEnded) {
      const bytes = this.#channel.read(this.#host.budgetBytes);
      if (bytes === undefined) return;
      if (bytes.length === 0) {
        this.#peerEnded = true;
        this.#decoder.end();
      } else {
        const other = this.#other?.look(bytes);
        if (other !== undefined) {
          this.#refuseOther(other);
          return;
        }
        if (this.#sessions.length === 0) this.#doubts.seen(bytes);
        this.#decoder.push(bytes);
      }
    }
    this.#takeItems();
    if (this.#finished) return;
    if (this.#peerEnded && !this.#undone) this.#endOfInput();
    else this.#updateInterest();
  }

  /** A page in a browser may have sent it here, and what it sends next may be made to look like a device's. */
  #refuseOther(protocol: 'HTTP' | 'TLS'): void {
    count(this.#counters.rejected, 'other-protocol');
    const detail = `the peer speaks ${protocol}, perhaps a browser, and this listener takes the link protocol only`;
    this.#dead(new GatewayError('OTHER_PROTOCOL', this.id, detail));
  }

  #takeItems(): void {
    this.#undone = false;
    for (let n = 0; n < MAX_ITEMS_PER_TURN; n++) {
      // Without a session there is nothing to hold back: HELLO is answered whatever happens, and REPORT by BUSY.
      if (this.#sessions.length > 0 && this.#table.mustWait(this)) {
        this.pause(true);
        break;
      }
      if (this.#pace !== undefined) break;
      const item = this.#decoder.next();
      if (item === undefined) {
        this.#watchPartialFrame();
        return;
      }
      this.#takeItem(item);
      if (this.#finished) return;
    }
    this.#undone = true;
  }

  #takeItem(item: Item): void {
    this.#partialSince = undefined;
    this.#onAccount = false;
    if (item.kind === 'frame') this.#table.receive(item.bytes, this, this.#counters);
    else count(this.#counters.skippedBytes, item.reason, item.wireLength);
    this.quality.take(item);
    if (this.#sessions.length === 0) this.#doubts.take(item);
    if (this.#host.tap.active) this.#tapItem(item);
    if (!this.#onAccount && !this.#finished) this.#chargeStranger(item);
  }

  #tapItem(item: Item): void {
    const meaning = item.kind === 'frame' ? linkMeaning : () => skipMeaning(item.reason);
    this.#host.tap.received(item, this.#deviceOf(item.bytes), meaning);
  }

  /** The alias of the device whose session a frame belongs to; of the only one, where it belongs to none. */
  #deviceOf(frame: Uint8Array): string | undefined {
    const session = this.#sessions.find(({ sid }) => sid === sealedSid(frame)) ?? onlyOf(this.#sessions);
    return session?.link.device.alias;
  }

  /** Noise, and frames that are no device's, have the rate of one device: nobody keeps the gateway busy with them. */
  #chargeStranger(item: Item): void {
    const now = this.#host.now();
    this.#strangersRate ??= new DeviceRate(this.#limits, now);
    this.#strangersRate.charge(item.kind === 'frame' ? item.bytes.length : item.wireLength, now);
    const waitMs = this.#strangersRate.waitMs(now);
    if (waitMs === 0) return;
    this.#watch.bite(this.#strangersRate.scarce, this.transport, 'a connection is read slowly', { channel: this.id });
    this.pace(waitMs);
  }

  /** The peer has sent FIN and may still listen: it gets its ACKs, then the connection closes. */
  #endOfInput(): void {
    if (this.#holds > 0 || this.#sessions.some(({ link }) => link.ackDue || link.waiting)) {
      // `acknowledged` comes back here. Without interest until then: the end of a stream stays ready and would spin.
      this.#host.setInterest(0);
      this.#host.setMore(false);
      return;
    }
    if (this.#sessions.length > 0) this.#table.carrierGone(this, this.#sessions, 'closed');
    if (this.#isLine) this.#dead(this.#channel.error);
    else this.#shutDown();
  }

  #updateInterest(): void {
    this.#host.setInterest(this.paused ? 0 : READ);
    this.#host.setMore(this.#undone && !this.paused);
  }

  /** A claimed frame that never gets complete must not stall the line. */
  #watchPartialFrame(): void {
    if (this.#decoder.buffered === 0) {
      this.#partialSince = undefined;
      return;
    }
    this.#partialSince ??= this.#host.now();
    this.#frameTimer ??= this.#host.timers.schedule(this.#partialSince + this.#limits.frameMs, () => {
      this.#frameTimer = undefined;
      if (this.#partialSince === undefined || this.#finished) return;
      // The rest may have come, and it was not the peer who did not read it.
      if (this.paused) this.#partialSince = this.#host.now();
      if (this.#host.now() >= this.#partialSince + this.#limits.frameMs) {
        this.#watch.bite('frame_s', this.transport, 'a frame was not complete in time', { channel: this.id });
        this.#decoder.expire();
        this.#takeItems();
        if (!this.#finished) this.#updateInterest();
      } else this.#watchPartialFrame();
    });
  }

  // --- ending ------------------------------------------------------------------------------------------------------

  #awaitHandshake(): void {
    this.#host.setStranger(this);
    const { timers } = this.#host;
    this.#handshake = timers.schedule(this.#host.now() + this.#limits.handshakeMs, () => this.#handshakeOver());
  }

  #handshakeOver(): void {
    this.#handshake = undefined;
    // The ACK of a REPORT is still to come.
    if (this.#holds > 0) {
      this.#awaitHandshake();
      return;
    }
    this.#watch.count('handshake_s');
    const seconds = this.#limits.handshakeMs / 1_000;
    this.#shutDown(new GatewayError('HANDSHAKE_TIMEOUT', this.id, `no session within ${seconds} s`));
  }

  #shutDown(error?: GatewayError): void {
    if (this.#finished) return;
    this.#channel.close();
    this.#finish(error);
  }

  #dead(error: GatewayError | undefined): void {
    if (this.#finished) return;
    this.#channel.abort();
    this.#finish(error);
    const why =
      error?.code === 'OUTPUT_OVERFLOW'
        ? 'output-overflow'
        : error?.code === 'BACKPRESSURE_TIMEOUT'
          ? 'throttled'
          : 'connection-lost';
    this.#table.carrierGone(this, this.#sessions, why, error);
  }

  #finish(error?: GatewayError): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#table.stopsWaiting(this);
    this.#cancelTimers();
    this.#host.finished(error);
  }

  #cancelTimers(): void {
    for (const timer of [this.#handshake, this.#throttle, this.#frameTimer, this.#pace]) {
      if (timer !== undefined) this.#host.timers.cancel(timer);
    }
    this.#handshake = this.#throttle = this.#frameTimer = this.#pace = undefined;
  }
}

function onlyOf<T>(list: readonly T[]): T | undefined {
  return list.length === 1 ? list[0] : undefined;
}
