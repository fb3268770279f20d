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
  printable,
  type Sample,
  type Value,
} from '../../../protocol/index.ts';
import type { Device } from '../../devices/device.ts';
import type { RegisteredDevice } from '../../devices/registry.ts';
import type { GatewayError } from '../../errors.ts';
import type { Timer } from '../../timers.ts';
import type { Carrier } from './carrier.ts';
import type { CommandDone } from './command-queue.ts';
import { DeviceClock } from './device-clock.ts';
import { DeviceLink, type ReliableMessage } from './device-link.ts';
import { count, type LinkContext, type LinkCounters, type SessionEnd } from './link-context.ts';
import { BUSY_RETRY_S, LinkSession } from './link-session.ts';

/** A node that sends REPORTs only counts as offline after this long without one. */
const REPORT_OVERDUE_MS = 3_600_000;

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
  readonly #overdue = new Map<string, Timer>();
  /** Whose ACK goes out at the end of this turn. */
  #ackDue: DeviceLink[] = [];
  /** Who has delivered frames that are not durable yet. */
  readonly #waiting = new Set<DeviceLink>();
  /** Carriers that are not read until the journal has room. */
  readonly #paused = new Set<Carrier>();

  // One function for all sessions and links: an idle device costs no closures.
  readonly #onSessionEnd = (session: LinkSession, why: SessionEnd, error: GatewayError | undefined): void =>
    this.#sessionEnded(session, why, error);
  readonly #onAckDue = (link: DeviceLink): void => void this.#ackDue.push(link);

  constructor(context: LinkContext) {
    this.#context = context;
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
    else link.commands.send(value, ttlS, done);
  }

  /** The device is not known any longer. */
  forget(device: Device): void {
    const link = this.#links.get(device.id);
    if (link === undefined) return;
    link.forget();
    this.#links.delete(device.id);
    this.#waiting.delete(link);
  }

  /** One frame, checksum not yet verified, without COBS. The view must not change during the call. */
  receive(bytes: Uint8Array, origin: Origin, counters: LinkCounters): void {
    counters.frames++;
    const decoded = decodeFrame(bytes);
    if (!decoded.ok) {
      this.#rejectFrame(decoded, origin, counters);
      return;
    }
    const frame = decoded.frame;
    if (frame.down) {
      count(counters.rejected, 'wrong-direction');
    } else if (frame.sid !== 0) {
      const session = this.#sessions.get(frame.sid);
      if (session !== undefined && origin.matches(session.carrier)) this.#sessionFrame(session, frame, counters);
      else this.#refuse(origin, frame, 'unknown_session', counters);
    } else if (bytes.length > MAX_FRAME_BEFORE_SESSION) {
      this.#refuse(origin, frame, 'too_large', counters);
    } else {
      this.#sessionlessFrame(frame, origin, counters);
    }
  }

  /** The last step of a turn: ACKs for all that this turn brought, one for each device. */
  sendAcks(): void {
    if (this.#ackDue.length === 0) return;
    const due = this.#ackDue;
    this.#ackDue = [];
    for (const link of due) {
      link.sendAck();
      if (link.waiting) this.#waiting.add(link);
      else this.#waiting.delete(link);
    }
  }

  /** The journal has made more durable. */
  onDurable(): void {
    for (const link of this.#waiting) link.acknowledge();
  }

  /**
   * Whether a stream has to stop reading because the way onward is full; it is told by `pause(false)` when it may go
   * on. Asked before each frame, so that none is refused that TCP can hold back.
   */
  isFull(carrier: Carrier): boolean {
    if (!this.#context.journal.full) return false;
    this.#paused.add(carrier);
    return true;
  }

  /** The journal has room again. */
  onRoom(): void {
    for (const carrier of this.#paused) carrier.pause(false);
    this.#paused.clear();
  }

  /** Ends every session of a carrier that is gone. */
  carrierGone(carrier: Carrier, sessions: readonly LinkSession[], why: SessionEnd, error?: GatewayError): void {
    this.#paused.delete(carrier);
    for (const session of sessions.slice()) session.end(why, error);
  }

  /** Says goodbye to everybody. */
  close(): void {
    for (const session of this.#sessions.values()) {
      session.send({ type: 'BYE', reason: 'restarting' });
      session.end('shutdown');
    }
    for (const link of this.#links.values()) link.forget();
    for (const timer of this.#overdue.values()) this.#context.timers.cancel(timer);
  }

  // --- without a session -------------------------------------------------------------------------------------------

  #sessionlessFrame(frame: LinkFrame, origin: Origin, counters: LinkCounters): void {
    const decoded = decodeBody(frame);
    if (!decoded.ok) {
      this.#malformed(decoded, origin, counters);
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
      default:
        this.#refuse(origin, frame, 'unknown_session', counters);
    }
  }

  #hello(hello: MessageOf<'HELLO'>, carrier: Carrier, counters: LinkCounters): void {
    if (hello.minVersion > LINK_VERSION || hello.maxVersion < LINK_VERSION) {
      count(counters.rejected, 'unsupported-version');
      sendError(carrier, 0, 'unsupported_version', 0, `this gateway speaks version ${LINK_VERSION}`);
      carrier.release();
      return;
    }
    const link = this.#linkOf(hello.device);
    if (link === undefined) {
      count(counters.rejected, 'too-many-devices');
      sendError(carrier, 0, 'busy', 60, 'too many devices');
      return;
    }
    const old = link.session;
    if (old !== undefined && isRepetition(hello, old, carrier)) {
      this.#welcome(old);
      return;
    }
    if (old !== undefined) {
      // On the same carrier the device has started anew and knows nothing of the old session.
      if (old.carrier !== carrier) sendError(old.carrier, old.sid, 'replaced', 0, '');
      old.end('replaced');
    }
    link.schemaCrc = hello.schemaCrc;
    link.clock = DeviceClock.heard(link.clock, hello.uptime, this.#context.now());
    link.begin(hello.boot === 0 ? this.#newBoot(link) : hello.boot, hello.firstSeq, counters);
    const { maxFrame } = hello;
    const session = new LinkSession(this.#context, this.#newSid(), link, carrier, maxFrame, this.#onSessionEnd);
    link.session = session;
    this.#sessions.set(session.sid, session);
    carrier.attach(session);
    link.device.transport = carrier.transport;
    this.#seen(link.device);
    this.#welcome(session);
    this.#setOnline(link.device, carrier.id);
    link.resumeCommands();
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
    link.clock = DeviceClock.heard(link.clock, message.uptime, this.#context.now());
    this.#mapTimes(message.samples, link);
    this.#seen(link.device);
    if (!link.report(message, seq, carrier, counters)) {
      sendError(carrier, 0, 'busy', BUSY_RETRY_S, '');
      return;
    }
    this.#setOnline(link.device, carrier.id);
    this.#armOverdue(link);
  }

  // --- in a session ------------------------------------------------------------------------------------------------

  #sessionFrame(session: LinkSession, frame: LinkFrame, counters: LinkCounters): void {
    session.heard(this.#context.now());
    this.#seen(session.link.device);
    const decoded = decodeBody(frame);
    if (!decoded.ok) {
      this.#bodyRejected(session, decoded, frame, counters);
      return;
    }
    const message = decoded.message;
    switch (message.type) {
      case 'READINGS':
        if (session.link.schemaWanted) {
          // Their names are still to come; the device sends them again after its schema.
          count(counters.rejected, 'schema-missing');
          session.link.acknowledge();
          return;
        }
        this.#mapTimes(message.samples, session.link);
        this.#offer(session, frame.seq, message, counters);
        return;
      case 'RESULT':
      case 'GAP':
        this.#offer(session, frame.seq, message, counters);
        return;
      case 'LOG':
        if (frame.ackWanted) this.#offer(session, frame.seq, message, counters);
        else
          this.#context.listener.deviceLog(
            session.link.device,
            message.level === 'unknown' ? 'info' : message.level,
            message.text,
          );
        return;
      case 'SCHEMA':
        this.#schema(session, message, counters);
        return;
      case 'PING':
        session.send({ type: 'PONG', token: message.token, time: this.#context.wallNow() });
        return;
      case 'PONG':
        session.pong(message.token);
        return;
      case 'BYE':
        session.end('bye');
        return;
      case 'ERROR':
        this.#deviceError(session, message);
        return;
      default:
        // A HELLO or REPORT with a session number, or one of our own messages sent back to us.
        count(counters.rejected, 'wrong-place');
    }
  }

  #offer(session: LinkSession, seq: number, message: ReliableMessage, counters: LinkCounters): void {
    if (!session.link.offer(seq, message, counters)) session.sendBusy();
  }

  #schema(session: LinkSession, part: MessageOf<'SCHEMA'>, counters: LinkCounters): void {
    const problem = session.link.schemaPart(part);
    if (problem === undefined) return;
    count(counters.rejected, 'bad-schema');
    const { id } = session.link.device;
    this.#context.log.warn(
      `bad-schema ${id}`,
      { device: id, problem },
      `the schema of ${id} cannot be used: ${problem}`,
    );
    this.#protocolError(session, 'bad_schema', problem);
  }

  #deviceError(session: LinkSession, message: MessageOf<'ERROR'>): void {
    const { id } = session.link.device;
    const text = printable(message.text, 128);
    this.#context.log.warn(
      `device-error ${id}`,
      { device: id, code: message.code, text },
      `${id} reports an error: ${message.code}`,
    );
    if (message.code !== 'busy' && message.code !== 'rate_limited') session.end('device-error');
  }

  // --- what is not accepted ----------------------------------------------------------------------------------------

  #rejectFrame(failure: FrameFailure, origin: Origin, counters: LinkCounters): void {
    count(counters.rejected, failure.code);
    if (failure.code === 'bad-version') {
      sendError(origin.carrier(), 0, 'unsupported_version', 0, '');
    }
    const id = origin.carrier().id;
    this.#context.log.debug(
      `frame ${failure.code}`,
      { carrier: id, offset: failure.offset },
      `a frame was not accepted: ${failure.code}`,
    );
  }

  #malformed(failure: BodyFailure, origin: Origin, counters: LinkCounters): void {
    count(counters.rejected, failure.code);
    sendError(origin.carrier(), 0, failure.code === 'unknown-message' ? 'unsupported_type' : 'malformed', 0, '');
  }

  #bodyRejected(session: LinkSession, failure: BodyFailure, frame: LinkFrame, counters: LinkCounters): void {
    count(counters.rejected, failure.code);
    if (failure.code === 'unknown-message') {
      if (frame.critical) this.#protocolError(session, 'unsupported_type', `type ${frame.type}`);
      return;
    }
    const { id } = session.link.device;
    const where = `type ${frame.type}, ${failure.field} at byte ${failure.offset}: ${failure.code}`;
    this.#context.log.warn(
      `malformed ${id}`,
      { device: id, where },
      `${id} sent a message that cannot be read: ${where}`,
    );
    this.#protocolError(session, 'malformed', where);
  }

  #protocolError(session: LinkSession, code: LinkErrorCode, text: string): void {
    session.send({ type: 'ERROR', code, retryAfter: 0, text });
    session.end('protocol-error');
  }

  /** The answer is never longer than what it answers: nobody can use us to flood a third party. */
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

  /** For a device without a clock or random numbers: higher than any boot of it that we know, also after our restart. */
  #newBoot(link: DeviceLink): number {
    return Math.max(link.boot + 1, Math.floor(this.#context.wallNow() / 1_000)) >>> 0;
  }

  #seen(device: RegisteredDevice): void {
    device.lastSeen = this.#context.wallNow();
  }

  #setOnline(device: RegisteredDevice, peer: string): void {
    if (device.online) return;
    device.online = true;
    this.#context.listener.online(device, peer);
  }

  #setOffline(device: RegisteredDevice, why: SessionEnd | 'report-overdue'): void {
    if (!device.online) return;
    device.online = false;
    this.#context.listener.offline(device, why);
  }

  #sessionEnded(session: LinkSession, why: SessionEnd, error: GatewayError | undefined): void {
    this.#sessions.delete(session.sid);
    const { link, carrier } = session;
    // What this turn brought is still acknowledged before the connection goes.
    if (link.session === session && link.ackDue) link.sendAck();
    if (link.session === session) link.session = undefined;
    carrier.detach(session, error);
    if (link.session !== undefined || why === 'replaced') return;
    // A node that says BYE and goes on with REPORTs is not gone.
    if (why === 'bye' && carrier.transport === 'udp') this.#armOverdue(link);
    else this.#setOffline(link.device, why);
  }

  #armOverdue(link: DeviceLink): void {
    const { timers } = this.#context;
    const at = this.#context.now() + REPORT_OVERDUE_MS;
    const timer = this.#overdue.get(link.device.id);
    if (timer !== undefined) {
      timers.reschedule(timer, at);
      return;
    }
    const { id } = link.device;
    this.#overdue.set(
      id,
      timers.schedule(at, () => {
        this.#overdue.delete(id);
        if (link.session === undefined) this.#setOffline(link.device, 'report-overdue');
      }),
    );
  }

  /** Turns every sample's time into Unix milliseconds; oldest first. The wall clock comes last, one for all of them. */
  #mapTimes(samples: Sample[], link: DeviceLink): void {
    const wall = this.#context.wallNow();
    const now = this.#context.now();
    const { clock } = link;
    if (clock !== undefined) {
      for (const { timeKind, time } of samples) if (timeKind === 'uptime') clock.notAhead(clock.ageMs(time, now), now);
    }
    let sorted = true;
    for (let i = 0; i < samples.length; i++) {
      const sample = samples[i] as Sample;
      if (sample.timeKind === 'now') sample.time = wall;
      else if (sample.timeKind === 'uptime') {
        // Not before 1970, where a gateway without a clock may well believe to be.
        sample.time = Math.max(0, Math.round(wall - Math.max(0, clock?.ageMs(sample.time, now) ?? 0)));
      }
      sample.timeKind = 'unix';
      if (i > 0 && sample.time < (samples[i - 1] as Sample).time) sorted = false;
    }
    if (!sorted) samples.sort((a, b) => a.time - b.time);
  }
}

/** The same HELLO once more, because our WELCOME was lost or slow. */
function isRepetition(hello: MessageOf<'HELLO'>, session: LinkSession, carrier: Carrier): boolean {
  const sameBoot = hello.boot === 0 || hello.boot === session.link.boot;
  return !session.used && session.carrier.same(carrier) && sameBoot;
}

function sendError(carrier: Carrier, sid: number, code: LinkErrorCode, retryAfter: number, text: string): void {
  carrier.send(encodeMessage({ type: 'ERROR', code, retryAfter, text }, { sid, seq: 0, down: true }));
}
