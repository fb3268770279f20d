/**
 * All link sessions of the gateway: takes a frame from any carrier, finds whose it is, and gives it to the right place.
 *
 * ```
 *   frame ─┬─ plain ──→ decode ─┬─ HELLO  ─→ key needed? ─→ new session, WELCOME
 *          │                    ├─ REPORT ─→ key needed? ─→ device (no session)
 *          │                    └─ others ─→ session by sid ─┬─ reliable ─→ device link ─→ journal
 *          └─ sealed ─┬─ sid ─→ session ─→ open ─────────────┴─ PING, SCHEMA, BYE, …
 *                     └─ no sid ─→ handshakes
 * ```
 */
import {
  type BodyFailure,
  decodeBody,
  decodeFrame,
  type FrameFailure,
  isSealed,
  LINK_VERSION,
  type LinkErrorCode,
  type LinkFrame,
  MAX_FRAME_BEFORE_SESSION,
  messageByNumber,
  type MessageOf,
  SEALED_OVERHEAD,
  type SecureChannel,
  sealedSid,
  type Value,
} from '../../../protocol/index.ts';
import type { Device } from '../../devices/device.ts';
import type { GatewayError } from '../../errors.ts';
import { type Carrier, sendError } from './carrier.ts';
import type { CommandDone } from './command-queue.ts';
import { DeviceClock } from './device-clock.ts';
import { DeviceLink } from './device-link.ts';
import { Handshakes } from './handshakes.ts';
import { count, type LinkContext, type LinkCounters, type SessionEnd } from './link-context.ts';
import { BUSY_RETRY_S, LinkSession } from './link-session.ts';
import { PausedCarriers } from './paused-carriers.ts';
import { Presence } from './presence.ts';
import { drop, refuse } from './refusal.ts';
import { type Seal, type SessionPlan, welcomeTo } from './session-plan.ts';
import { SessionMessages } from './session-messages.ts';

/** Where a frame came from: a stream is its own carrier, a datagram has one once it is needed. */
export interface Origin {
  /** Whether the frame came over this carrier. */
  matches(carrier: Carrier): boolean;
  carrier(): Carrier;
  /** Whether devices without a key are let in there. */
  readonly plain: boolean;
}

export class LinkTable {
  readonly #context: LinkContext;
  readonly #links = new Map<string, DeviceLink>();
  readonly #sessions = new Map<number, LinkSession>();
  /** Whose ACK goes out at the end of this turn. */
  #ackDue: DeviceLink[] = [];
  /** Who has delivered frames that are not durable yet. */
  readonly #waiting = new Set<DeviceLink>();
  readonly #paused: PausedCarriers;
  readonly #presence: Presence;
  readonly #messages: SessionMessages;
  readonly #handshakes: Handshakes;
  #closed = false;

  // One function for all sessions and links: an idle device costs no closures.
  readonly #onSessionEnd = (session: LinkSession, why: SessionEnd, error: GatewayError | undefined): void =>
    this.#sessionEnded(session, why, error);
  readonly #onAckDue = (link: DeviceLink): void => void this.#ackDue.push(link);

  constructor(context: LinkContext) {
    this.#context = context;
    this.#paused = new PausedCarriers(context.journal);
    this.#presence = new Presence(context, (device) => this.#links.get(device.id)?.session !== undefined);
    this.#messages = new SessionMessages(context);
    this.#handshakes = new Handshakes(context, {
      newSid: () => this.#newSid(),
      link: (id) => this.#linkOf(id),
      report: (...args) => this.#takeReport(...args),
    });
  }

  get sessions(): Iterable<LinkSession> {
    return this.#sessions.values();
  }

  /** The device of the session that a frame says it belongs to. */
  deviceOf(frame: Uint8Array): Device | undefined {
    const sid = sealedSid(frame);
    if (sid !== 0) return this.#sessions.get(sid)?.link.device;
    // Who has no session yet says in the message who it is.
    const decoded = decodeFrame(frame);
    const body = decoded.ok ? decodeBody(decoded.frame) : undefined;
    const message = body?.ok === true ? body.message : undefined;
    if (message?.type !== 'REPORT' && message?.type !== 'HELLO') return undefined;
    return this.#links.get(idOf(message.device))?.device;
  }

  /** The link state of a device that was heard in this run. */
  link(device: Device): DeviceLink | undefined {
    return this.#links.get(device.id);
  }

  /** Sends a value to a device; `done` is called once, with the device's answer or the reason why there is none. */
  command(deviceId: string, value: Value, ttlS: number, done: CommandDone): void {
    const link = this.#links.get(deviceId);
    if (link === undefined) done('expired', 'the device has not been here since the gateway was started');
    else if (link.session !== undefined && !link.takesCommands) done('refused', 'the device takes no commands');
    else link.commands.send(value, ttlS, done);
  }

  /** The device is not known any longer. */
  forget(device: Device): void {
    const link = this.#links.get(device.id);
    if (link === undefined) return;
    link.forget('the device is not known any longer');
    this.#handshakes.clear(device.id);
    this.#links.delete(device.id);
    this.#waiting.delete(link);
    this.#presence.forget(device);
  }

  /** One frame, checksum not yet verified, without COBS. The view must not change during the call. */
  receive(bytes: Uint8Array, origin: Origin, counters: LinkCounters): void {
    if (this.#closed) return;
    counters.frames++;
    if (isSealed(bytes)) {
      this.#sealedFrame(bytes, origin, counters);
      return;
    }
    const decoded = decodeFrame(bytes);
    if (!decoded.ok) {
      this.#rejectFrame(bytes, decoded, origin, counters);
      return;
    }
    const frame = decoded.frame;
    if (frame.down) {
      count(counters.rejected, 'wrong-direction');
    } else if (frame.sid !== 0) {
      const session = this.#sessions.get(frame.sid);
      if (session === undefined || !origin.matches(session.carrier)) {
        this.#unknownSession(frame.sid, origin, counters);
      } else if (session.channel === undefined) {
        this.#presence.seen(session.link.device);
        this.#messages.receive(session, frame, bytes.length, counters);
      } else {
        // Forged, perhaps: anybody can say BYE without a seal.
        const device = session.link.device.id;
        drop(this.#context, counters, { reason: 'key-required', device, carrier: session.carrier });
      }
    } else if (bytes.length > MAX_FRAME_BEFORE_SESSION) {
      this.#refuse(origin, frame, 'too_large', counters);
    } else {
      this.#sessionlessFrame(frame, origin, counters);
    }
  }

  /** The last step of a turn: ACKs for all that this turn brought, one for each device. */
  sendAcks(): void {
    this.#paused.resume();
    if (this.#ackDue.length === 0) return;
    const due = this.#ackDue;
    this.#ackDue = [];
    for (const link of due) {
      link.sendAck();
      if (link.waiting) this.#waiting.add(link);
      else {
        this.#waiting.delete(link);
        link.session?.settled();
      }
    }
  }

  /** The journal has made more durable. */
  onDurable(): void {
    for (const link of this.#waiting) link.acknowledge();
  }

  /** The journal has room again. */
  onRoom(): void {
    for (const link of this.#waiting) link.onRoom();
    this.#paused.resume();
  }

  /** Whether a stream has to stop reading. Asked before each frame, so that none is refused that TCP can hold back. */
  mustWait(carrier: Carrier): boolean {
    return this.#paused.mustWait(carrier);
  }

  /** A carrier that has ended waits for nothing any more. */
  stopsWaiting(carrier: Carrier): void {
    this.#paused.forget(carrier);
  }

  /** Ends every session of a carrier that is gone. */
  carrierGone(carrier: Carrier, sessions: readonly LinkSession[], why: SessionEnd, error?: GatewayError): void {
    this.stopsWaiting(carrier);
    for (const session of sessions.slice()) session.end(why, error);
  }

  /** Says goodbye in these sessions, and ends them: the devices may begin new ones. */
  dismiss(sessions: Iterable<LinkSession>): void {
    for (const session of Array.from(sessions)) {
      session.send({ type: 'BYE', reason: 'restarting' });
      session.end('shutdown');
    }
  }

  /** How a device gets in has changed: it has to show anew who it is. */
  revoke(deviceId: string): void {
    this.#handshakes.clear(deviceId);
    const session = this.#links.get(deviceId)?.session;
    if (session !== undefined) this.dismiss([session]);
  }

  /** Says goodbye to everybody; what still comes is not looked at. */
  close(): void {
    this.#closed = true;
    this.dismiss(this.#sessions.values());
    for (const link of this.#links.values()) link.forget('the gateway stops');
    this.#handshakes.clear();
    this.#presence.close();
  }

  // --- sealed frames -----------------------------------------------------------------------------------------------

  #sealedFrame(bytes: Uint8Array, origin: Origin, counters: LinkCounters): void {
    const sid = sealedSid(bytes);
    if (sid === 0) {
      this.#handshakes.receive(bytes, origin.carrier(), counters);
      return;
    }
    const session = this.#sessions.get(sid);
    const pending = this.#handshakes.pending(sid);
    if (session !== undefined && origin.matches(session.carrier)) {
      const frame = session.channel && this.#open(bytes, session.channel, session, counters);
      if (session.channel === undefined) count(counters.rejected, 'wrong-level');
      if (frame !== undefined) this.#opened(session, frame, bytes.length, counters);
    } else if (pending !== undefined && origin.matches(pending.carrier)) {
      const frame = this.#open(bytes, pending.channel, pending, counters);
      if (frame === undefined) return;
      this.#handshakes.confirm(pending);
      const confirmed = this.#begin(pending, pending, counters);
      this.#stands(confirmed);
      this.#opened(confirmed, frame, bytes.length, counters);
    } else if (!looksSealed(bytes)) {
      count(counters.rejected, 'unsupported-security');
    } else {
      this.#unknownSession(sid, origin, counters);
    }
  }

  #opened(session: LinkSession, frame: LinkFrame, size: number, counters: LinkCounters): void {
    this.#presence.seen(session.link.device);
    this.#messages.receive(session, frame, size, counters);
  }

  /** What was in a sealed frame. What cannot be opened changes nothing and is not answered. */
  #open(
    bytes: Uint8Array,
    channel: SecureChannel,
    { link, carrier }: { readonly link: DeviceLink; readonly carrier: Carrier },
    counters: LinkCounters,
  ): LinkFrame | undefined {
    const opened = channel.open(bytes);
    if (opened.ok) return opened.frame;
    const { code } = opened;
    if (code === 'bad-tag' || code === 'replayed') {
      drop(this.#context, counters, { reason: code, device: link.device.id, carrier });
    } else count(counters.rejected, code);
    return undefined;
  }

  // --- without a session -------------------------------------------------------------------------------------------

  #sessionlessFrame(frame: LinkFrame, origin: Origin, counters: LinkCounters): void {
    const decoded = decodeBody(frame);
    if (!decoded.ok) {
      this.#malformed(decoded, frame, origin, counters);
      return;
    }
    const message = decoded.message;
    switch (message.type) {
      case 'HELLO':
        this.#hello(message, origin, counters);
        return;
      case 'REPORT':
        if (this.#mayBePlain(message.device, origin, counters)) {
          this.#takeReport(message, frame, frame.bytes.length, origin.carrier(), counters);
        }
        return;
      case 'ERROR':
        // An answer to it would be answered in turn.
        count(counters.rejected, 'wrong-place');
        return;
      default:
        this.#unknownSession(frame.sid, origin, counters);
    }
  }

  #hello(hello: MessageOf<'HELLO'>, origin: Origin, counters: LinkCounters): void {
    const carrier = origin.carrier();
    if (hello.minVersion > LINK_VERSION || hello.maxVersion < LINK_VERSION) {
      count(counters.rejected, 'unsupported-version');
      sendError(carrier, 0, 'unsupported_version', 0, `version ${LINK_VERSION} only`);
      carrier.release();
      return;
    }
    if (!this.#mayBePlain(hello.device, origin, counters)) return;
    const waitS = this.#context.admitHandshake(carrier);
    if (waitS > 0) {
      count(counters.rejected, 'handshake-rate');
      sendError(carrier, 0, 'rate_limited', waitS, '');
      carrier.release();
      return;
    }
    const link = this.#linkOf(idOf(hello.device));
    if (link === undefined) {
      count(counters.rejected, 'too-many-devices');
      sendError(carrier, 0, 'busy', 60, 'too many devices');
      return;
    }
    const heardAt = this.#context.now();
    const old = link.session;
    if (old !== undefined && isRepetition(hello, old, carrier)) {
      link.clock = DeviceClock.heard(link.clock, hello.uptime, heardAt);
      old.send(welcomeTo({ link, carrier, hello, boot: link.boot, heardAt }, this.#context));
      return;
    }
    const boot = hello.boot === 0 ? link.newBoot() : hello.boot;
    const plan = { sid: this.#newSid(), link, carrier, hello, boot, heardAt };
    const session = this.#begin(plan, undefined, counters);
    session.send(welcomeTo(plan, this.#context));
    this.#stands(session);
  }

  /** Whether a HELLO or REPORT without a key is taken. */
  #mayBePlain(deviceId: bigint, origin: Origin, counters: LinkCounters): boolean {
    const device = idOf(deviceId);
    const known = this.#context.credentials.get(device);
    if (known?.key === undefined && (origin.plain || known?.plain === true)) return true;
    const reason = known?.key === undefined ? 'no-key' : 'key-required';
    refuse(this.#context, counters, { reason, device, carrier: origin.carrier() });
    return false;
  }

  /** A new session of the device takes the place of the one that it had. */
  #begin(plan: SessionPlan, seal: Seal | undefined, counters: LinkCounters): LinkSession {
    const { link, carrier, hello } = plan;
    const clock = DeviceClock.heard(link.clock, hello.uptime, plan.heardAt);
    const old = link.session;
    link.schemaCrc = hello.schemaCrc;
    link.takesCommands = hello.capabilities.commands;
    link.begin(plan.boot, hello.firstSeq, counters);
    // Frames of an earlier boot that were let go just now were dated by its own clock.
    link.clock = clock;
    const session = new LinkSession(this.#context, plan, seal, this.#onSessionEnd);
    link.session = session;
    this.#sessions.set(session.sid, session);
    carrier.attach(session);
    // Not before the new one stands: a connection closes with its last session.
    if (old !== undefined) this.#replace(old, carrier);
    link.device.transport = carrier.transport;
    this.#presence.seen(link.device);
    return session;
  }

  /** The device knows of its session. */
  #stands({ ended, link, carrier }: LinkSession): void {
    if (ended) return;
    this.#presence.online(link.device, carrier.id);
    link.resumeCommands();
  }

  #replace(old: LinkSession, carrier: Carrier): void {
    // On the same connection the device has started anew and knows nothing of the old session.
    if (!old.carrier.same(carrier)) old.send({ type: 'ERROR', code: 'replaced', retryAfter: 0, text: '' });
    old.end('replaced');
  }

  /** `size`: of the frame as it came. `seal` makes the frame of the answer to a sealed one. */
  #takeReport(
    message: MessageOf<'REPORT'>,
    frame: LinkFrame,
    size: number,
    carrier: Carrier,
    counters: LinkCounters,
    seal?: (ack: MessageOf<'ACK'>) => Uint8Array | undefined,
  ): void {
    const id = idOf(message.device);
    // Each new id costs a device: whoever makes them up is held to the rate of handshakes, where a sealed one was asked.
    const waitS = seal !== undefined || this.#links.has(id) ? 0 : this.#context.admitHandshake(carrier);
    if (waitS > 0) {
      count(counters.rejected, 'handshake-rate');
      sendError(carrier, 0, 'rate_limited', waitS, '');
      return;
    }
    const link = this.#linkOf(id);
    if (link === undefined) {
      count(counters.rejected, 'too-many-devices');
      sendError(carrier, 0, 'busy', 60, '');
      return;
    }
    if (!link.admits(carrier, size)) {
      counters.limited++;
      sendError(carrier, 0, 'rate_limited', link.waitS, '');
      return;
    }
    // A sealed one that is not new may be a recording: it gets its ACK once more, and shows nothing of the device.
    const isAlive = seal === undefined || link.isNewReport(message.boot, frame.seq);
    // A clock of its own: a copy that comes late, or from an earlier boot, must not disturb that of the session.
    link.reportClock = DeviceClock.heard(link.reportClock, message.uptime, this.#context.now());
    if (isAlive) this.#presence.seen(link.device);
    if (!link.report(message, frame.seq, carrier, counters, seal)) {
      sendError(carrier, 0, 'busy', BUSY_RETRY_S, '');
      return;
    }
    if (!isAlive) return;
    this.#presence.online(link.device, carrier.id);
    this.#presence.expectReport(link.device);
  }

  // --- what is not accepted ----------------------------------------------------------------------------------------

  #rejectFrame(bytes: Uint8Array, failure: FrameFailure, origin: Origin, counters: LinkCounters): void {
    count(counters.rejected, failure.code);
    if (failure.code === 'bad-crc') origin.carrier().quality?.badChecksum();
    const isDown = ((bytes[0] ?? 0) & 4) !== 0;
    // Not to one that looks like a gateway itself: two of different versions could go on answering each other.
    if (failure.code === 'bad-version' && !isDown) sendError(origin.carrier(), 0, 'unsupported_version', 0, '');
    const id = origin.carrier().id;
    this.#context.log.debug(
      `frame ${failure.code}`,
      { carrier: id, offset: failure.offset },
      `a frame was not accepted: ${failure.code}`,
    );
  }

  #malformed(failure: BodyFailure, frame: LinkFrame, origin: Origin, counters: LinkCounters): void {
    count(counters.rejected, failure.code);
    const isUnknown = failure.code === 'unknown-message';
    if (isUnknown && !frame.critical) return;
    sendError(origin.carrier(), 0, isUnknown ? 'unsupported_type' : 'malformed', 0, '');
  }

  /** The answer is hardly longer than the shortest frame: nobody gains by using us to flood a third party. */
  #refuse(origin: Origin, frame: LinkFrame, code: LinkErrorCode, counters: LinkCounters): void {
    count(counters.rejected, code.replaceAll('_', '-'));
    sendError(origin.carrier(), frame.sid, code, 0, '');
  }

  /** Told to anybody: whether there is such a session is no secret, and a device with a key takes it for a hint only. */
  #unknownSession(sid: number, origin: Origin, counters: LinkCounters): void {
    const carrier = origin.carrier();
    drop(this.#context, counters, { reason: 'unknown-session', device: undefined, carrier });
    sendError(carrier, sid, 'unknown_session', 0, '');
  }

  // --- helpers -----------------------------------------------------------------------------------------------------

  #linkOf(id: string): DeviceLink | undefined {
    const known = this.#links.get(id);
    if (known !== undefined) return known;
    const device = this.#context.registry.obtain(id);
    if (device === undefined) {
      this.#context.watch.bite('devices', 'link protocol', 'a new device was refused');
      return undefined;
    }
    const link = new DeviceLink(this.#context, device, this.#onAckDue);
    this.#links.set(id, link);
    return link;
  }

  #newSid(): number {
    for (;;) {
      const sid = this.#context.randomU32();
      if (sid !== 0 && !this.#sessions.has(sid) && this.#handshakes.pending(sid) === undefined) return sid;
    }
  }

  #sessionEnded(session: LinkSession, why: SessionEnd, error: GatewayError | undefined): void {
    this.#sessions.delete(session.sid);
    const { link, carrier } = session;
    if (link.session === session) link.session = undefined;
    carrier.detach(session, error);
    if (link.session !== undefined || why === 'replaced') return;
    // A node that says BYE and goes on with REPORTs is not gone.
    if (why === 'sleeping') this.#presence.expectReport(link.device);
    else this.#presence.offline(link.device, why);
  }
}

function idOf(device: bigint): string {
  return device.toString(16).padStart(16, '0');
}

/** Whether bytes that nobody can check are worth an answer: not noise that happens to have the right two bits. */
function looksSealed(bytes: Uint8Array): boolean {
  const [vf = 0, type = 0] = bytes;
  const isUp = vf >> 5 === LINK_VERSION && (vf & 4) === 0;
  return isUp && bytes.length >= SEALED_OVERHEAD && messageByNumber(type) !== undefined;
}

/** The same HELLO once more, because our WELCOME was lost or slow. */
function isRepetition(hello: MessageOf<'HELLO'>, session: LinkSession, carrier: Carrier): boolean {
  const sameBoot = hello.boot === 0 || hello.boot === session.link.boot;
  const sameSchema = hello.schemaCrc === session.link.schemaCrc;
  return !session.used && session.carrier.same(carrier) && sameBoot && sameSchema;
}
