/**
 * Sealed frames without a session. A HELLO whose seal is right may still be a recording: so it is answered and changes
 * nothing, until the first sealed frame of the new session proves that its sender has the key now.
 *
 * ```
 *   HELLO  ─→ key? ─→ seal? ─→ admitted? ─→ WELCOME, pending ── first sealed frame ─→ session, replaces the old one
 *                                              └─ handshake_s without one, or newer ones ─→ forgotten
 *   REPORT ─→ key? ─→ seal? ─→ boot? admitted? ─→ device ─→ ACK, sealed by the same handshake
 * ```
 */
import {
  decodeBody,
  LINK_VERSION,
  type LinkFrame,
  type Message,
  type MessageOf,
  type OpenedHandshake,
  readHandshake,
  TAG_BYTES,
} from '../../../protocol/index.ts';
import { addressKey } from '../../limits/address-key.ts';
import { KeyedBuckets } from '../../limits/keyed-buckets.ts';
import { BURST_S, TokenBucket } from '../../limits/token-bucket.ts';
import type { Timer } from '../../timers.ts';
import { type Carrier, sendError } from './carrier.ts';
import type { DeviceLink } from './device-link.ts';
import { count, type LinkContext, type LinkCounters } from './link-context.ts';
import { drop, refuse } from './refusal.ts';
import { type Seal, type SessionPlan, welcomeTo } from './session-plan.ts';

/**
 * Sessions of one device that wait for their first frame. More than one, so that somebody who sends recorded HELLOs does
 * not push out the genuine one between its WELCOME and its first frame.
 */
const MAX_PENDING = 4;
/**
 * Checking a seal costs an eighth of a whole handshake, so eight times as many may fail as are admitted. Who fails more
 * often is not checked any more for a while: a flood of forged HELLOs must not take the time of the sessions.
 */
const FAILURES_FOR_A_HANDSHAKE = 8;

/** What a verified HELLO or REPORT leads to. */
export interface HandshakeHost {
  /** A number that no session has. */
  newSid(): number;
  link(deviceId: string): DeviceLink | undefined;
  report(
    message: MessageOf<'REPORT'>,
    frame: LinkFrame,
    size: number,
    carrier: Carrier,
    counters: LinkCounters,
    seal: (answer: Message) => Uint8Array | undefined,
  ): void;
}

/** A session that stands as soon as a frame of its channel comes. */
export interface Pending extends SessionPlan, Seal {
  readonly welcome: Uint8Array;
  readonly deadline: Timer;
}

export class Handshakes {
  readonly #context: LinkContext;
  readonly #host: HandshakeHost;
  readonly #bySid = new Map<number, Pending>();
  /** The oldest first. */
  readonly #byDevice = new Map<string, Pending[]>();
  readonly #failures: TokenBucket;
  readonly #failuresByAddress: KeyedBuckets;

  constructor(context: LinkContext, host: HandshakeHost) {
    this.#context = context;
    this.#host = host;
    const { limits } = context;
    const now = (): number => context.now();
    const inAll = (): number => FAILURES_FOR_A_HANDSHAKE * limits.handshakesPerS;
    const byAddress = (): number => FAILURES_FOR_A_HANDSHAKE * limits.handshakesPerAddressPerS;
    this.#failures = new TokenBucket(() => inAll() * BURST_S, inAll, now);
    this.#failuresByAddress = new KeyedBuckets(() => byAddress() * BURST_S, byAddress, now);
  }

  /** The session of this number that waits for its first frame. */
  pending(sid: number): Pending | undefined {
    return this.#bySid.get(sid);
  }

  /** A sealed frame with sid 0. */
  receive(bytes: Uint8Array, carrier: Carrier, counters: LinkCounters): void {
    const received = readHandshake(bytes);
    if (!received.ok) {
      count(counters.rejected, received.code);
      if (received.code === 'bad-version') sendError(carrier, 0, 'unsupported_version', 0, '');
      return;
    }
    const device = received.device.toString(16).padStart(16, '0');
    const key = this.#context.credentials.get(device)?.key;
    if (key === undefined) {
      refuse(this.#context, counters, { reason: 'unknown-key', device, carrier });
      return;
    }
    const failures = this.#failuresByAddress.of(addressKey(carrier.address));
    const ofAddress = failures.waitMs() > 0;
    if (ofAddress || this.#failures.waitMs() > 0) {
      count(counters.rejected, 'handshake-rate');
      const limit = ofAddress ? 'handshakes_per_address_per_s' : 'handshakes_per_s';
      const what = `one from ${carrier.address} was not looked at: too many were made with a wrong key`;
      this.#context.watch.bite(limit, 'handshakes', what, { address: carrier.address });
      return;
    }
    const opened = received.open(key);
    if (!opened.ok) {
      failures.charge(1);
      this.#failures.charge(1);
      if (opened.code === 'bad-tag') refuse(this.#context, counters, { reason: 'wrong-key', device, carrier });
      else count(counters.rejected, opened.code);
      return;
    }
    const decoded = decodeBody(opened.frame);
    if (!decoded.ok) {
      // From one who has the key: so its own mistake.
      count(counters.rejected, decoded.code);
      sendError(carrier, 0, 'malformed', 0, '');
      return;
    }
    const { message } = decoded;
    if (message.type === 'HELLO') this.#hello(message, opened, device, markOf(bytes), carrier, counters);
    else if (message.type === 'REPORT') this.#report(message, opened, device, bytes.length, carrier, counters);
  }

  /** It becomes a session: what the device had asked for before is over. */
  confirm(pending: Pending): void {
    const all = this.#byDevice.get(pending.link.device.id) ?? [];
    for (const older of all.slice(0, all.indexOf(pending) + 1)) this.#remove(older);
  }

  #remove(pending: Pending): void {
    this.#context.timers.cancel(pending.deadline);
    this.#bySid.delete(pending.sid);
    const { id } = pending.link.device;
    const others = (this.#byDevice.get(id) ?? []).filter((other) => other !== pending);
    if (others.length === 0) this.#byDevice.delete(id);
    else this.#byDevice.set(id, others);
  }

  /** Forgets what waits for this device, or for all. */
  clear(device?: string): void {
    for (const pending of this.#bySid.values()) {
      if (device === undefined || pending.link.device.id === device) this.#remove(pending);
    }
  }

  #hello(
    hello: MessageOf<'HELLO'>,
    opened: OpenedHandshake,
    device: string,
    mark: string,
    carrier: Carrier,
    counters: LinkCounters,
  ): void {
    if (hello.minVersion > LINK_VERSION || hello.maxVersion < LINK_VERSION) {
      count(counters.rejected, 'unsupported-version');
      sendError(carrier, 0, 'unsupported_version', 0, `version ${LINK_VERSION} only`);
      carrier.release();
      return;
    }
    const link = this.#host.link(device);
    if (link === undefined) {
      count(counters.rejected, 'too-many-devices');
      sendError(carrier, 0, 'busy', 60, 'too many devices');
      return;
    }
    if (link.session?.mark === mark) {
      drop(this.#context, counters, { reason: 'replayed', device, carrier });
      return;
    }
    const same = this.#byDevice.get(device)?.find((pending) => pending.mark === mark);
    if (same?.carrier.same(carrier) === true) {
      // Our WELCOME was lost or slow.
      carrier.send(same.welcome);
      return;
    }
    const waitS = this.#context.admitHandshake(carrier);
    if (waitS > 0) {
      count(counters.rejected, 'handshake-rate');
      sendError(carrier, 0, 'rate_limited', waitS, '');
      carrier.release();
      return;
    }
    // The same bytes from elsewhere: one of the two is a copy, and who sends the next frame was it not.
    if (same !== undefined) this.#remove(same);
    this.#await(hello, opened, link, mark, carrier, counters);
  }

  #await(
    hello: MessageOf<'HELLO'>,
    opened: OpenedHandshake,
    link: DeviceLink,
    mark: string,
    carrier: Carrier,
    counters: LinkCounters,
  ): void {
    const { limits, timers } = this.#context;
    const heardAt = this.#context.now();
    const plan: SessionPlan = {
      sid: this.#host.newSid(),
      link,
      carrier,
      hello,
      boot: hello.boot === 0 ? link.newBoot() : hello.boot,
      heardAt,
    };
    const answer = opened.answer(welcomeTo(plan, this.#context), plan.sid);
    if (!answer.ok || answer.channel === undefined) {
      count(counters.rejected, answer.ok ? 'bad-content' : answer.code);
      return;
    }
    const deadline = timers.schedule(heardAt + limits.handshakeMs, () => this.#remove(pending));
    const pending: Pending = { ...plan, channel: answer.channel, mark, welcome: answer.frame, deadline };
    const others = this.#byDevice.get(link.device.id) ?? [];
    if (others.length >= MAX_PENDING) this.#remove(others[0]!);
    this.#bySid.set(plan.sid, pending);
    this.#byDevice.set(link.device.id, [...(this.#byDevice.get(link.device.id) ?? []), pending]);
    carrier.send(answer.frame);
  }

  #report(
    message: MessageOf<'REPORT'>,
    opened: OpenedHandshake,
    device: string,
    size: number,
    carrier: Carrier,
    counters: LinkCounters,
  ): void {
    const link = this.#host.link(device);
    if (link !== undefined && message.boot < link.newestBoot) {
      // The gateway forgets old boots: what it took from one of them it could take for new.
      refuse(this.#context, counters, { reason: 'old-boot', device, carrier });
      return;
    }
    const waitS = this.#context.admitHandshake(carrier);
    if (waitS > 0) {
      count(counters.rejected, 'handshake-rate');
      sendError(carrier, 0, 'rate_limited', waitS, '');
      return;
    }
    this.#host.report(message, opened.frame, size, carrier, counters, (ack) => {
      const answer = opened.answer(ack, 0);
      return answer.ok ? answer.frame : undefined;
    });
  }
}

/** The tag depends on every byte before it. */
function markOf(frame: Uint8Array): string {
  return Buffer.from(frame.buffer, frame.byteOffset + frame.length - TAG_BYTES, TAG_BYTES).toString('latin1');
}
