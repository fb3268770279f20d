/**
 * All link sessions of the gateway: takes a frame from any carrier, finds whose it is, and gives it to the right place.
 *
 * ```
 *   frame ─→ decode ─┬─ HELLO  ─→ new session, WELCOME
 *                    ├─ REPORT ─→ device (no session)
 *                    └─ others ─→ session by sid ─┬─ reliable ─→ device link ─→ journal
 *                                                 └─ PING, SCHEMA, BYE, …
 * ```
 */
import {
  type BodyFailure,
  decodeBody,
  decodeFrame,
  encodeMessage,
  type FrameFailure,
  LINK_VERSION,
  type LinkErrorCode,
  type LinkFrame,
  MAX_DATAGRAM_BYTES,
  MAX_FRAME_BEFORE_SESSION,
  MAX_FRAME_BYTES,
  type MessageOf,
  type Value,
} from '../../../protocol/index.ts';
import type { Device } from '../../devices/device.ts';
import type { GatewayError } from '../../errors.ts';
import type { Carrier } from './carrier.ts';
import type { CommandDone } from './command-queue.ts';
import { DeviceClock } from './device-clock.ts';
import { DeviceLink } from './device-link.ts';
import { count, type LinkContext, type LinkCounters, type SessionEnd } from './link-context.ts';
import { BUSY_RETRY_S, LinkSession } from './link-session.ts';
import { PausedCarriers } from './paused-carriers.ts';
import { Presence } from './presence.ts';
import { SessionMessages } from './session-messages.ts';

/** Where a frame came from: a stream is its own carrier, a datagram has one once it is needed. */
export interface Origin {
  /** Whether the frame came over this carrier. */
  matches(carrier: Carrier): boolean;
  carrier(): Carrier;
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
  }

  get sessions(): Iterable<LinkSession> {
    return this.#sessions.values();
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
    this.#links.delete(device.id);
    this.#waiting.delete(link);
    this.#presence.forget(device);
  }

  /** One frame, checksum not yet verified, without COBS. The view must not change during the call. */
  receive(bytes: Uint8Array, origin: Origin, counters: LinkCounters): void {
    if (this.#closed) return;
    counters.frames++;
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
      if (session !== undefined && origin.matches(session.carrier)) {
        this.#presence.seen(session.link.device);
        this.#messages.receive(session, frame, counters);
      } else this.#refuse(origin, frame, 'unknown_session', counters);
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

  /** Says goodbye to everybody; what still comes is not looked at. */
  close(): void {
    this.#closed = true;
    for (const session of this.#sessions.values()) {
      session.send({ type: 'BYE', reason: 'restarting' });
      session.end('shutdown');
    }
    for (const link of this.#links.values()) link.forget('the gateway stops');
    this.#presence.close();
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
        this.#hello(message, origin.carrier(), counters);
        return;
      case 'REPORT':
        this.#report(message, frame.seq, origin.carrier(), counters);
        return;
      case 'ERROR':
        // An answer to it would be answered in turn.
        count(counters.rejected, 'wrong-place');
        return;
      default:
        this.#refuse(origin, frame, 'unknown_session', counters);
    }
  }

  #hello(hello: MessageOf<'HELLO'>, carrier: Carrier, counters: LinkCounters): void {
    if (hello.minVersion > LINK_VERSION || hello.maxVersion < LINK_VERSION) {
      count(counters.rejected, 'unsupported-version');
      sendError(carrier, 0, 'unsupported_version', 0, `version ${LINK_VERSION} only`);
      carrier.release();
      return;
    }
    const waitS = this.#context.admitHandshake(carrier);
    if (waitS > 0) {
      count(counters.rejected, 'handshake-rate');
      sendError(carrier, 0, 'rate_limited', waitS, '');
      carrier.release();
      return;
    }
    const link = this.#linkOf(hello.device);
    if (link === undefined) {
      count(counters.rejected, 'too-many-devices');
      sendError(carrier, 0, 'busy', 60, 'too many devices');
      return;
    }
    const clock = DeviceClock.heard(link.clock, hello.uptime, this.#context.now());
    const old = link.session;
    if (old !== undefined && isRepetition(hello, old, carrier)) {
      link.clock = clock;
      this.#welcome(old);
      return;
    }
    link.schemaCrc = hello.schemaCrc;
    link.takesCommands = hello.capabilities.commands;
    link.begin(hello.boot === 0 ? link.newBoot() : hello.boot, hello.firstSeq, counters);
    // Frames of an earlier boot that were let go just now were dated by its own clock.
    link.clock = clock;
    const { maxFrame } = hello;
    const session = new LinkSession(this.#context, this.#newSid(), link, carrier, maxFrame, this.#onSessionEnd);
    link.session = session;
    this.#sessions.set(session.sid, session);
    carrier.attach(session);
    // Not before the new one stands: a connection closes with its last session.
    if (old !== undefined) this.#replace(old, carrier);
    link.device.transport = carrier.transport;
    this.#presence.seen(link.device);
    this.#welcome(session);
    if (session.ended) return;
    this.#presence.online(link.device, carrier.id);
    link.resumeCommands();
  }

  #replace(old: LinkSession, carrier: Carrier): void {
    // On the same connection the device has started anew and knows nothing of the old session.
    if (!old.carrier.same(carrier)) old.send({ type: 'ERROR', code: 'replaced', retryAfter: 0, text: '' });
    old.end('replaced');
  }

  #welcome(session: LinkSession): void {
    const { limits } = this.#context;
    session.send({
      type: 'WELCOME',
      boot: session.link.boot,
      unixMs: this.#context.wallNow(),
      flags: { schemaWanted: session.link.schemaWanted },
      keepalive: limits.keepaliveS,
      window: limits.window,
      maxFrame: session.carrier.transport === 'udp' ? MAX_DATAGRAM_BYTES : MAX_FRAME_BYTES,
    });
  }

  #report(message: MessageOf<'REPORT'>, seq: number, carrier: Carrier, counters: LinkCounters): void {
    const link = this.#linkOf(message.device);
    if (link === undefined) {
      count(counters.rejected, 'too-many-devices');
      sendError(carrier, 0, 'busy', 60, '');
      return;
    }
    // A clock of its own: a copy that comes late, or from an earlier boot, must not disturb that of the session.
    link.reportClock = DeviceClock.heard(link.reportClock, message.uptime, this.#context.now());
    this.#presence.seen(link.device);
    if (!link.report(message, seq, carrier, counters)) {
      sendError(carrier, 0, 'busy', BUSY_RETRY_S, '');
      return;
    }
    this.#presence.online(link.device, carrier.id);
    this.#presence.expectReport(link.device);
  }

  // --- what is not accepted ----------------------------------------------------------------------------------------

  #rejectFrame(bytes: Uint8Array, failure: FrameFailure, origin: Origin, counters: LinkCounters): void {
    count(counters.rejected, failure.code);
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

  // --- helpers -----------------------------------------------------------------------------------------------------

  #linkOf(deviceId: bigint): DeviceLink | undefined {
    const id = deviceId.toString(16).padStart(16, '0');
    const known = this.#links.get(id);
    if (known !== undefined) return known;
    const device = this.#context.registry.obtain(id);
    if (device === undefined) return undefined;
    const link = new DeviceLink(this.#context, device, this.#onAckDue);
    this.#links.set(id, link);
    return link;
  }

  #newSid(): number {
    for (;;) {
      const sid = this.#context.randomU32();
      if (sid !== 0 && !this.#sessions.has(sid)) return sid;
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

/** The same HELLO once more, because our WELCOME was lost or slow. */
function isRepetition(hello: MessageOf<'HELLO'>, session: LinkSession, carrier: Carrier): boolean {
  const sameBoot = hello.boot === 0 || hello.boot === session.link.boot;
  const sameSchema = hello.schemaCrc === session.link.schemaCrc;
  return !session.used && session.carrier.same(carrier) && sameBoot && sameSchema;
}

function sendError(carrier: Carrier, sid: number, code: LinkErrorCode, retryAfter: number, text: string): void {
  carrier.send(encodeMessage({ type: 'ERROR', code, retryAfter, text }, { sid, seq: 0, down: true }));
}
