/**
 * Journal → outbox → accepted, in two lanes.
 *
 * ```
 *   journal   accepted │ pending when the connection began │ what came after
 *                      └─→ backlog lane ─→ history         └─→ live lane ─→ state
 *   record    samples oldest … newest
 *                └ history ┘   └ state, or history too when the record is late
 * ```
 *
 * At each connection the broker's watermark says what it still has; all else that the journal holds is pending. Few
 * records are sent in the live lane, in order with what comes after them. Many go through the backlog lane: at most
 * half of what may be in flight, at a bounded rate, beside the live readings. Only the newest record of a device goes
 * to its state topic from there. So the order of a device's readings holds for each of its topics.
 *
 * A record is accepted when the broker has accepted all its messages, or when it is a dead letter that is durable.
 *
 * A record of the live lane is late when a newer one of its device is in the journal and it has waited for more than
 * 10 s, or when its newest sample is older than what was published of its device before: live graphs then do not jump
 * back. How long it has waited is measured on the monotonic clock, so no step of the wall clock makes a record late.
 */
import type { Device, Transport } from '../devices/device.ts';
import type { Journal, JournalRecord } from '../journal/journal.ts';
import { LATE, Lane, TRANSPORT_BITS } from './lane.ts';
import { acceptedOf, type AcceptedSet, countOf, type LsnRange, pendingOf } from './lsn-ranges.ts';
import { type EncodedTopic, encodeTopic, type Outbox, type Qos, REASON_REFUSED } from './outbox.ts';
import { DevicePayload } from './payload.ts';
import { type Fate, SetAside } from './set-aside.ts';
import type { Topics } from './topics.ts';
import { WaitingSince } from './waiting-since.ts';

/** Waiting for longer than this makes a record late once there is a newer one. */
const LATE_MS = 10_000;
/** Messages sent in one call at the most; the rest follows in the next turn of the event loop. */
const MAX_PER_CALL = 2_000;
/** Fewer pending records than this are sent in the live lane: they take less than a second. */
const SMALL_BACKLOG = 1_000;
/**
 * A window of fewer messages is not shared out, the lanes only take turns: each answer must let one more message go,
 * as a broker with Nagle's algorithm holds the other answers back until it hears from us.
 */
const SMALL_WINDOW = 64;
/** The backlog's rate is kept in steps of this. */
const RATE_STEP_MS = 10;
/** Ranges that the watermark tells of beyond what is accepted without a gap. */
const MAX_BEYOND = 32;

const TRANSPORTS = ['other', 'tcp', 'udp', 'unix', 'serial'] as const;
const TRANSPORT_CODES: Readonly<Record<Transport, number>> = { tcp: 1, udp: 2, unix: 3, serial: 4 };

/** What the broker remembers of this journal: 'forgotten' when it has no watermark of it, 'unknown' when it cannot say. */
export type BrokerMemory = AcceptedSet | 'forgotten' | 'unknown';

export interface Refusal {
  readonly record: JournalRecord;
  /** The worst reason code of its messages. */
  readonly reasonCode: number;
  /** All samples as they would be sent to the history topic. */
  readonly messages: readonly { readonly topic: string; readonly payload: string }[];
}

export interface PublisherOptions {
  readonly journal: Journal;
  readonly outbox: Outbox;
  readonly topics: Topics;
  /** Default 1. With 0 a record is accepted when the operating system has taken its bytes. */
  readonly qos?: Qos;
  /** Messages of the backlog a second at the most, default 5,000. */
  readonly replayRate?: number;
  /** Whether the broker is to keep a device's state; default: it is not. Asked once a device. */
  readonly retainState?: (device: Device) => boolean;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** The broker will never take it: keeps it durably elsewhere, or rejects and is asked again. */
  readonly bury: (refusal: Refusal) => Promise<void>;
}

export interface PublisherStats {
  /** Records of which the last message, the one with the plain id, was accepted by the broker. */
  published: number;
  /** Of these by the transport of the device when they were sent. */
  readonly publishedBy: Record<Transport | 'other', number>;
  /** Messages refused, and of these by reason code, e.g. `0x87`. */
  refused: number;
  readonly refusedBy: Record<string, number>;
  /** Records given up to the dead letters. */
  deadLettered: number;
  /** Records that were in flight when a connection was lost. */
  resent: number;
  /** Records that the broker had accepted and, as its watermark said, has forgotten. */
  replayed: number;
  /** Records of the live lane sent as history as a whole. */
  late: number;
  /** Messages sent to a history topic. */
  history: number;
  /** Records that were pending and are not in the journal any more: let go for space, or damaged. */
  missing: number;
}

/** What the publisher knows of a device. */
interface Stream {
  readonly payload: DevicePayload;
  state: EncodedTopic;
  history: EncodedTopic;
  readonly retain: boolean;
  /** Unix ms up to which its readings were published. */
  newestAt: number;
  /** `receivedAt` of its latest record: when that goes back, the gateway's clock was set. */
  receivedAt: number;
  /** The connection of which the two above are. */
  connection: number;
}

export class Publisher {
  readonly stats: PublisherStats = {
    published: 0,
    publishedBy: { tcp: 0, udp: 0, unix: 0, serial: 0, other: 0 },
    refused: 0,
    refusedBy: {},
    deadLettered: 0,
    resent: 0,
    replayed: 0,
    late: 0,
    history: 0,
    missing: 0,
  };
  readonly #options: PublisherOptions;
  readonly #journal: Journal;
  readonly #outbox: Outbox;
  readonly #qos: Qos;
  readonly #replayRate: number;
  readonly #waiting: WaitingSince;
  /** Goes with the device when the registry forgets it. */
  readonly #streams = new WeakMap<Device, Stream>();
  readonly #live = new Lane();
  /** The broker cannot have seen anything above: neither we nor an earlier run has sent it. */
  #highest = 0;
  readonly #backlog = new Lane();
  /** What the backlog lane has after its present range. */
  #ranges: LsnRange[] = [];
  /** The last record of the backlog: higher ones are in the live lane. */
  #backlogTop = 0;
  #aside: SetAside;
  /** Counts connections; 0 before the first. */
  #connection = 0;
  #sending = false;
  /** In the live lane, what is in here was in flight when the last connection was lost: late ones stay late. */
  #resend: LsnRange = { from: 1, to: 0 };
  #liveFirst = true;
  #budget = 0;
  /** Messages that the backlog may send now, and since when. */
  #allowance = 0;
  #allowanceAt = 0;
  #rateTimer: NodeJS.Timeout | undefined;
  #continuation: NodeJS.Immediate | undefined;
  /** A lane has stopped for a reason of its own: an answer lets it go on. */
  #held = false;

  constructor(options: PublisherOptions) {
    const { journal, outbox, qos = 1, replayRate = 5_000, now } = options;
    this.#options = options;
    this.#journal = journal;
    this.#outbox = outbox;
    this.#qos = qos;
    this.#replayRate = replayRate;
    this.#waiting = new WaitingSince(LATE_MS);
    this.#backlog.restart(1, 0);
    this.#aside = new SetAside({
      journal,
      now,
      send: (lsn, record, first) => this.#sendAgain(lsn, record, first),
      bury: (record, reasonCode) => options.bury({ record, reasonCode, messages: this.#messagesOf(record) }),
      onDecided: (_lsn, record, fate) => this.#decided(record, fate),
    });
    outbox.onAck = (lsn, reasonCode) => this.#acknowledged(lsn, reasonCode);
    outbox.onReset = () => this.#reset();
    outbox.onRoom = () => this.pump();
    journal.onLoaded = () => this.pump();
  }

  /** The journal is open. What it opened with has waited for longer than anybody knows. */
  open(): void {
    const { durable, accepted } = this.#journal;
    this.#waiting.startWith(durable);
    this.#live.restart(accepted + 1, Number.POSITIVE_INFINITY);
    this.#highest = durable;
  }

  /**
   * The broker can be reached, and has said what it remembers. Call it before the outbox has room, once for each
   * connection.
   */
  begin(memory: BrokerMemory): void {
    const journal = this.#journal;
    const { durable, oldest } = journal;
    const before = journal.accepted;
    const pending = pendingOf(this.#acceptedBy(memory), oldest, durable);
    const [first] = pending;
    journal.setAccepted(first === undefined ? durable : first.from - 1);
    for (const { from, to } of pending) {
      this.stats.replayed += Math.max(0, Math.min(to, before) - from + 1);
    }

    this.#connection++;
    this.#sending = true;
    this.#held = false;
    if (first !== undefined && pending.length === 1 && countOf(pending) < SMALL_BACKLOG) {
      this.#backlog.restart(1, 0);
      this.#ranges = [];
      this.#backlogTop = 0;
      this.#live.restart(first.from, Number.POSITIVE_INFINITY);
    } else {
      this.#backlog.restart(1, 0);
      this.#ranges = pending;
      this.#backlogTop = pending.at(-1)?.to ?? 0;
      this.#nextRange();
      this.#live.restart(durable + 1, Number.POSITIVE_INFINITY);
    }
    this.#allowance = 0;
    this.#allowanceAt = this.#options.now();
  }

  /** What the broker has accepted of what is durable. */
  get accepted(): AcceptedSet {
    return acceptedOf(this.#pending(), MAX_BEYOND);
  }

  /** Records that wait in the backlog lane. */
  get backlog(): number {
    const { active, done, end } = this.#backlog;
    return (active ? end - done + 1 : 0) + countOf(this.#ranges);
  }

  /** Refused records whose fate is not decided yet. */
  get setAside(): number {
    return this.#aside.size;
  }

  /** Times that a record was sent again after a passing refusal. */
  get retried(): number {
    return this.#aside.retried;
  }

  /** Sends what is durable, as far as there is room. Call it when the journal's `durable` has moved. */
  pump(): void {
    this.#waiting.seen(this.#journal.durable, this.#options.now());
    if (!this.#sending) return;
    this.#budget = MAX_PER_CALL;
    if (this.#aside.size > 0) this.#aside.serve();
    if (!this.#backlog.active) {
      this.#runLive();
    } else {
      // In turn, so that neither starves when there is room for only one message.
      const liveFirst = this.#liveFirst;
      if (liveFirst) this.#runLive();
      this.#runBacklog();
      if (!liveFirst) this.#runLive();
    }
    this.#outbox.flush();
    if (this.#budget <= 0) this.#continueSoon();
  }

  close(): void {
    clearImmediate(this.#continuation);
    clearTimeout(this.#rateTimer);
    this.#aside.close();
    this.#sending = false;
    this.#outbox.onAck = undefined;
    this.#outbox.onReset = undefined;
    this.#outbox.onRoom = undefined;
    this.#journal.onLoaded = undefined;
  }

  // --- sending -----------------------------------------------------------------------------------------------------

  #runLive(): void {
    const lane = this.#live;
    let room = this.#roomFor(lane);
    while (lane.next <= this.#journal.durable && room > 0 && this.#budget > 0) {
      const record = this.#recordOf(lane);
      if (record === undefined) break;
      if (record === 'missing') continue;
      const sent = this.#sendLive(record, Math.min(room, this.#budget));
      this.#liveFirst = false;
      this.#budget -= sent;
      room -= sent;
      if (room <= 0) room = this.#roomFor(lane);
    }
  }

  #runBacklog(): void {
    const lane = this.#backlog;
    this.#refill();
    let room = this.#roomFor(lane);
    while (lane.active && room > 0 && this.#budget > 0) {
      if (lane.next > lane.end) {
        // The next range begins when this one is answered: then what is in flight is always one row.
        this.#held = true;
        break;
      }
      if (this.#allowance < 1) {
        this.#rateTimer ??= setTimeout(() => {
          this.#rateTimer = undefined;
          this.pump();
        }, RATE_STEP_MS);
        break;
      }
      const record = this.#recordOf(lane);
      if (record === undefined) break;
      if (record === 'missing') continue;
      const sent = this.#sendBacklog(record, Math.min(room, this.#budget, Math.floor(this.#allowance)));
      this.#liveFirst = true;
      this.#allowance -= sent;
      this.#budget -= sent;
      room -= sent;
      if (room <= 0) room = this.#roomFor(lane);
    }
  }

  /** The lane's next record; 'missing' when that was left out, undefined when the lane has to wait. */
  #recordOf(lane: Lane): JournalRecord | 'missing' | undefined {
    if (!lane.hasSlot || this.#aside.full) {
      this.#held = true;
      return undefined;
    }
    const record = this.#journal.get(lane.next);
    if (record === 'loading') return undefined;
    if (record !== undefined) return record;
    this.stats.missing++;
    this.#budget--;
    lane.skip();
    this.#laneMoved(lane);
    return 'missing';
  }

  #roomFor(lane: Lane): number {
    const room = this.#outbox.room(this.#qos);
    if (!this.#backlog.active) return room;
    const capacity = this.#outbox.capacity(this.#qos);
    if (capacity < SMALL_WINDOW) return room;
    const half = capacity >> 1;
    if (lane.inFlight >= half) this.#held = true;
    return Math.min(room, half - lane.inFlight);
  }

  /** Sends up to `max` samples of the live lane's next record and returns how many. */
  #sendLive(record: JournalRecord, max: number): number {
    const lane = this.#live;
    const lsn = lane.next;
    const { samples, device } = record;
    const stream = this.#streamOf(device);
    const last = samples.length - 1;
    if (lane.sample === 0) this.#beginLive(record, stream);

    const first = lane.sample;
    const end = Math.min(samples.length, first + max);
    for (let index = first; index < end; index++) {
      const sample = samples[index]!;
      // A device whose clock runs ahead must not make its later readings look old.
      stream.payload.apply(sample, Math.min(sample.time, record.receivedAt));
      if (index < last || (lane.flags(lsn) & LATE) !== 0) {
        this.#sendHistory(stream, record, index, lsn);
      } else {
        this.#outbox.send(stream.state, stream.payload.state(record, sample.time), this.#qos, lsn, stream.retain);
      }
    }
    lane.sent(end - first, end === samples.length);
    return end - first;
  }

  /** Decides, before its first message, where the record goes. */
  #beginLive(record: JournalRecord, stream: Stream): void {
    const lane = this.#live;
    const lsn = lane.next;
    const { samples, receivedAt, device } = record;
    // A new connection, or the gateway's clock was set back: what was known of times before means nothing now.
    if (stream.connection !== this.#connection || receivedAt < stream.receivedAt) {
      stream.connection = this.#connection;
      stream.newestAt = Number.NEGATIVE_INFINITY;
      stream.payload.rewind(Number.NEGATIVE_INFINITY);
    }
    stream.receivedAt = receivedAt;
    const newest = Math.min(samples.at(-1)!.time, receivedAt);
    const transport = device.transport === undefined ? 0 : TRANSPORT_CODES[device.transport];
    let late = lsn >= this.#resend.from && lsn <= this.#resend.to && (lane.flags(lsn) & LATE) !== 0;
    if (!late && (newest < stream.newestAt || (lsn < device.newestLsn && lsn <= this.#waiting.tooLong))) {
      late = true;
      this.stats.late++;
    }
    lane.begin(samples.length, transport | (late ? LATE : 0));
    stream.newestAt = Math.max(stream.newestAt, newest);
  }

  /** Its values do not touch those of the state: the live lane may have said newer ones. */
  #sendBacklog(record: JournalRecord, max: number): number {
    const lane = this.#backlog;
    const lsn = lane.next;
    const { samples, device } = record;
    const stream = this.#streamOf(device);
    if (lane.sample === 0) {
      lane.begin(samples.length, device.transport === undefined ? 0 : TRANSPORT_CODES[device.transport]);
    }
    const first = lane.sample;
    const end = Math.min(samples.length, first + max);
    for (let index = first; index < end; index++) this.#sendOld(stream, record, index, lsn);
    lane.sent(end - first, end === samples.length);
    return end - first;
  }

  /** A record that was refused before. */
  #sendAgain(lsn: number, record: JournalRecord, first: number): number {
    if (!this.#sending) return 0;
    const end = Math.min(record.samples.length, first + this.#outbox.room(this.#qos));
    const stream = this.#streamOf(record.device);
    for (let index = first; index < end; index++) this.#sendOld(stream, record, index, lsn);
    this.#outbox.flush();
    return end - first;
  }

  /** To history; the newest that its device has ever said still is its state. */
  #sendOld(stream: Stream, record: JournalRecord, index: number, lsn: number): void {
    const { samples, device, receivedAt } = record;
    if (index < samples.length - 1 || lsn < device.newestLsn) {
      this.#sendHistory(stream, record, index, lsn);
      return;
    }
    const sample = samples[index]!;
    stream.payload.rewind(Number.NEGATIVE_INFINITY);
    stream.payload.apply(sample, Math.min(sample.time, receivedAt));
    this.#outbox.send(stream.state, stream.payload.state(record, sample.time), this.#qos, lsn, stream.retain);
  }

  #sendHistory(stream: Stream, record: JournalRecord, index: number, lsn: number): void {
    const { samples } = record;
    const json = stream.payload.history(record, samples[index]!, index < samples.length - 1 ? index : undefined);
    this.#outbox.send(stream.history, json, this.#qos, lsn, false);
    this.stats.history++;
  }

  #messagesOf(record: JournalRecord): { topic: string; payload: string }[] {
    const { payload, history } = this.#streamOf(record.device);
    const last = record.samples.length - 1;
    return record.samples.map((sample, index) => ({
      topic: history.name,
      payload: payload.history(record, sample, index < last ? index : undefined),
    }));
  }

  // --- answers -----------------------------------------------------------------------------------------------------

  #acknowledged(lsn: number, reasonCode: number): void {
    if (reasonCode >= REASON_REFUSED) this.#countRefusal(reasonCode);
    if (this.#held) this.#continueSoon();
    if (this.#aside.size > 0 && this.#aside.answered(lsn, reasonCode)) return;
    const lane = lsn <= this.#backlogTop ? this.#backlog : this.#live;
    if (!lane.answered(lsn, reasonCode)) return;
    const reason = lane.reason(lsn);
    if (reason < REASON_REFUSED) {
      this.stats.published++;
      this.stats.publishedBy[TRANSPORTS[lane.flags(lsn) & TRANSPORT_BITS]!]++;
    } else {
      this.#aside.add(lsn, reason);
    }
    if (lsn === lane.done) this.#laneMoved(lane);
  }

  #laneMoved(lane: Lane): void {
    lane.advance();
    if (lane === this.#backlog && !lane.active) this.#nextRange();
    this.#noteAccepted();
  }

  #noteAccepted(): void {
    const { active, done } = this.#backlog;
    const first = Math.min(active ? done : this.#live.done, this.#aside.lowest);
    this.#journal.setAccepted(first - 1);
  }

  /** A record that was set aside is decided. */
  #decided(record: JournalRecord | undefined, fate: Fate): void {
    if (fate === 'accepted') {
      this.stats.published++;
      this.stats.publishedBy[record?.device.transport ?? 'other']++;
    } else if (fate === 'buried') {
      this.stats.deadLettered++;
    } else {
      this.stats.missing++;
    }
    // While there is no connection, the next one says what is accepted.
    if (this.#sending) this.#noteAccepted();
    if (this.#held) this.#continueSoon();
  }

  #countRefusal(reasonCode: number): void {
    this.stats.refused++;
    const name = `0x${reasonCode.toString(16)}`;
    this.stats.refusedBy[name] = (this.stats.refusedBy[name] ?? 0) + 1;
  }

  // --- connections -------------------------------------------------------------------------------------------------

  /** What was sent and not answered is pending again. */
  #reset(): void {
    if (!this.#sending) return;
    this.#sending = false;
    clearTimeout(this.#rateTimer);
    this.#rateTimer = undefined;
    const live = this.#live;
    this.stats.resent += live.unanswered + this.#backlog.unanswered;
    this.#resend = { from: live.done, to: live.next - (live.sample > 0 ? 0 : 1) };
    this.#highest = Math.max(this.#highest, this.#resend.to);
    const pending = this.#pending();
    this.#aside.reset();
    live.restart(live.done, live.end);
    this.#backlog.restart(1, 0);
    this.#ranges = pendingOf(acceptedOf(pending, Number.POSITIVE_INFINITY), 1, live.done - 1);
  }

  /**
   * An lsn that nobody has sent yet cannot be accepted, whatever the watermark says: a power cut has taken records of a
   * journal that was not synced, and their numbers are given anew.
   */
  #acceptedBy(memory: BrokerMemory): AcceptedSet {
    if (memory === 'unknown') return this.accepted;
    if (memory === 'forgotten') return { lsn: 0, beyond: [] };
    const beyond = memory.beyond.filter(({ to }) => to <= this.#highest);
    return { lsn: Math.min(memory.lsn, this.#highest), beyond };
  }

  /** Ascending; the last one is open to what is still to come. */
  #pending(): LsnRange[] {
    const { active, done, end } = this.#backlog;
    const ranges: LsnRange[] = this.#aside.lsns.map((lsn) => ({ from: lsn, to: lsn }));
    if (active) ranges.push({ from: done, to: end });
    ranges.push(...this.#ranges, { from: this.#live.done, to: Number.POSITIVE_INFINITY });
    return ranges.toSorted((a, b) => a.from - b.from);
  }

  #nextRange(): void {
    const range = this.#ranges.shift();
    if (range !== undefined) this.#backlog.restart(range.from, range.to);
  }

  #refill(): void {
    const now = this.#options.now();
    const earned = ((now - this.#allowanceAt) * this.#replayRate) / 1_000;
    this.#allowanceAt = now;
    this.#allowance = Math.min(this.#allowance + earned, Math.max(1, (this.#replayRate * 5 * RATE_STEP_MS) / 1_000));
  }

  /** The last state of a device that was published, as it was; undefined when there was none in this run. */
  latestState(device: Device): string | undefined {
    return this.#streams.get(device)?.payload.latest;
  }

  /** The device has another alias: what is sent from now on goes to its new topics. */
  renamed(device: Device): void {
    const stream = this.#streams.get(device);
    if (stream !== undefined) Object.assign(stream, this.#topicsOf(device));
  }

  #topicsOf({ alias }: Device): Pick<Stream, 'state' | 'history'> {
    const { topics } = this.#options;
    return { state: encodeTopic(topics.state(alias)), history: encodeTopic(topics.history(alias)) };
  }

  #streamOf(device: Device): Stream {
    return this.#streams.get(device) ?? this.#createStream(device);
  }

  #createStream(device: Device): Stream {
    const { retainState } = this.#options;
    const stream: Stream = {
      payload: new DevicePayload(device),
      ...this.#topicsOf(device),
      retain: retainState?.(device) ?? false,
      newestAt: Number.NEGATIVE_INFINITY,
      receivedAt: Number.NEGATIVE_INFINITY,
      connection: 0,
    };
    this.#streams.set(device, stream);
    return stream;
  }

  #continueSoon(): void {
    if (this.#continuation !== undefined) return;
    this.#held = false;
    this.#continuation = setImmediate(() => {
      this.#continuation = undefined;
      this.pump();
    });
  }
}
