/**
 * Journal → outbox → release.
 *
 * ```
 *   journal   head …… released …… #next …… durable
 *                └─ in flight ─┘    └─→ sent in lsn order while the outbox has room
 *   record    samples oldest … newest
 *                └ history ┘   └ state, or history too when the record is late
 * ```
 *
 * A record is released when the broker has accepted all its messages. When the connection is lost, the publisher goes
 * back to the journal's head and sends what was not released again, with the same ids and to the same kind of topic.
 *
 * A record is late when a newer one of its device is in the journal and it has waited for more than 10 s, or when its
 * newest sample is older than what was published of its device before: live graphs then do not jump back.
 */
import type { Device, Transport } from '../devices/device.ts';
import type { Journal, JournalRecord } from '../journal/journal.ts';
import { type EncodedTopic, encodeTopic, type Outbox, type Qos, REASON_REFUSED } from './outbox.ts';
import { DevicePayload } from './payload.ts';
import type { Topics } from './topics.ts';

/** Waiting for longer than this makes a record late once there is a newer one. */
const LATE_MS = 10_000;
/** Messages sent in one call at the most; the rest follows in the next turn of the event loop. */
const MAX_PER_CALL = 2_000;

export interface PublisherOptions {
  readonly journal: Journal;
  readonly outbox: Outbox;
  readonly topics: Topics;
  /** Default 1. With 0 a record is released when the operating system has taken its bytes. */
  readonly qos?: Qos;
  /** Whether the broker is to keep a device's state; default: it is not. Asked once a device. */
  readonly retainState?: (device: Device) => boolean;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** The broker will never take it: it is counted and given up. */
  onRefused?: (record: JournalRecord, reasonCode: number) => void;
}

export interface PublisherStats {
  /** Records of which the last message, the one with the plain id, was accepted by the broker. */
  published: number;
  /** Of these by the transport of the device when they were released. */
  readonly publishedBy: Record<Transport | 'other', number>;
  /** Messages refused. */
  refused: number;
  /** Records sent again after a lost connection. */
  resent: number;
  /** Records sent as history as a whole. */
  late: number;
  /** Messages sent to a history topic. */
  history: number;
}

/** What the publisher knows of a device. */
interface Stream {
  readonly payload: DevicePayload;
  readonly state: EncodedTopic;
  readonly history: EncodedTopic;
  readonly retain: boolean;
  /** Unix ms up to which its readings were published. */
  newestAt: number;
  /** `receivedAt` of its latest record: when that goes back, the gateway's clock was set. */
  receivedAt: number;
}

export class Publisher {
  readonly stats: PublisherStats = {
    published: 0,
    publishedBy: { tcp: 0, udp: 0, unix: 0, serial: 0, other: 0 },
    refused: 0,
    resent: 0,
    late: 0,
    history: 0,
  };
  readonly #options: PublisherOptions;
  readonly #journal: Journal;
  readonly #outbox: Outbox;
  readonly #qos: Qos;
  /** Goes with the device when the registry forgets it. */
  readonly #streams = new WeakMap<Device, Stream>();
  /** The record to be sent next, and how many of its samples were sent already. */
  #next = 1;
  #sample = 0;
  /** Everything below was sent at least once. */
  #fresh = 1;
  /** Messages still to be accepted, of records with more than one. */
  readonly #parts = new Map<number, number>();
  /** Records in flight that were sent as history: they stay that when they are sent again. */
  readonly #late = new Set<number>();
  #continuation: NodeJS.Immediate | undefined;

  constructor(options: PublisherOptions) {
    const { journal, outbox, qos = 1 } = options;
    this.#options = options;
    this.#journal = journal;
    this.#outbox = outbox;
    this.#qos = qos;
    this.#next = journal.head;
    this.#fresh = journal.head;
    outbox.onAck = (lsn, reasonCode) => this.#acknowledged(lsn, reasonCode);
    outbox.onReset = () => this.#rewind();
    outbox.onRoom = () => this.pump();
  }

  /** Sends what is durable, as far as there is room. Call it when the journal's `durable` has moved. */
  pump(): void {
    const journal = this.#journal;
    let budget = MAX_PER_CALL;
    let room = this.#outbox.room(this.#qos);
    while (this.#next <= journal.durable && room > 0 && budget > 0) {
      const record = journal.get(this.#next);
      if (record === undefined) {
        this.#advance();
        continue;
      }
      const sent = this.#send(record, Math.min(room, budget));
      budget -= sent;
      room -= sent;
      if (room <= 0) room = this.#outbox.room(this.#qos);
    }
    this.#outbox.flush();
    if (budget <= 0 && this.#next <= journal.durable) this.#continueSoon();
  }

  close(): void {
    clearImmediate(this.#continuation);
    this.#outbox.onAck = undefined;
    this.#outbox.onReset = undefined;
    this.#outbox.onRoom = undefined;
  }

  // ---------------------------------------------------------------------------------------------------------------

  /** Sends up to `max` samples of the record and returns how many. */
  #send(record: JournalRecord, max: number): number {
    const lsn = this.#next;
    const { samples, device } = record;
    const stream = this.#streams.get(device) ?? this.#createStream(device);
    const last = samples.length - 1;
    if (this.#sample === 0) this.#begin(record, stream);

    const first = this.#sample;
    const end = Math.min(samples.length, first + max);
    for (let index = first; index < end; index++) {
      const sample = samples[index]!;
      // A device whose clock runs ahead must not make its later readings look old.
      stream.payload.apply(sample, Math.min(sample.time, record.receivedAt));
      if (index < last || (this.#late.size > 0 && this.#late.has(lsn))) {
        const json = stream.payload.history(record, sample, index < last ? index : undefined);
        this.#outbox.send(stream.history, json, this.#qos, lsn, false);
        this.stats.history++;
      } else {
        this.#outbox.send(stream.state, stream.payload.state(record, sample.time), this.#qos, lsn, stream.retain);
      }
    }
    if (end === samples.length) this.#advance();
    else this.#sample = end;
    return end - first;
  }

  /** Decides, before its first message, where the record goes. */
  #begin(record: JournalRecord, stream: Stream): void {
    const lsn = this.#next;
    const { samples, receivedAt } = record;
    if (samples.length > 1) this.#parts.set(lsn, samples.length);
    // The gateway's clock was set back: what was known of times before means nothing now.
    if (receivedAt < stream.receivedAt) {
      stream.newestAt = Number.NEGATIVE_INFINITY;
      stream.payload.rewind(Number.NEGATIVE_INFINITY);
    }
    stream.receivedAt = receivedAt;
    const newest = Math.min(samples.at(-1)!.time, receivedAt);
    if (lsn < this.#fresh) {
      this.stats.resent++;
    } else {
      this.#fresh = lsn + 1;
    }
    const waited = lsn < record.device.newestLsn && this.#options.now() - receivedAt > LATE_MS;
    if ((waited || newest < stream.newestAt) && !this.#late.has(lsn)) {
      this.#late.add(lsn);
      this.stats.late++;
    }
    stream.newestAt = Math.max(stream.newestAt, newest);
  }

  #advance(): void {
    this.#next++;
    this.#sample = 0;
  }

  #acknowledged(lsn: number, reasonCode: number): void {
    const refused = reasonCode >= REASON_REFUSED;
    if (refused || this.#parts.size > 0) {
      const record = this.#journal.get(lsn);
      if (record === undefined) return;
      if (refused) {
        this.stats.refused++;
        this.#options.onRefused?.(record, reasonCode);
      }
      const parts = this.#parts.get(lsn);
      if (parts !== undefined && parts > 1) {
        this.#parts.set(lsn, parts - 1);
        return;
      }
      this.#parts.delete(lsn);
      if (refused) {
        this.#release(lsn);
        return;
      }
    }
    const transport = this.#journal.get(lsn)?.device.transport ?? 'other';
    this.stats.published++;
    this.stats.publishedBy[transport]++;
    this.#release(lsn);
  }

  #release(lsn: number): void {
    if (this.#late.size > 0) this.#late.delete(lsn);
    this.#journal.release(lsn);
  }

  /** Back to the oldest record that was not accepted; its device shows its values again as they were then. */
  #rewind(): void {
    const { head } = this.#journal;
    for (let lsn = head; lsn < this.#fresh; lsn++) {
      const record = this.#journal.get(lsn);
      const stream = record === undefined ? undefined : this.#streams.get(record.device);
      if (record === undefined || stream === undefined || this.#late.has(lsn)) continue;
      const newest = record.samples.at(-1)!.time;
      stream.newestAt = Math.min(stream.newestAt, newest, record.receivedAt);
      stream.receivedAt = Math.min(stream.receivedAt, record.receivedAt);
      stream.payload.rewind(Math.min(record.samples[0]!.time, record.receivedAt));
    }
    this.#parts.clear();
    this.#next = head;
    this.#sample = 0;
  }

  #createStream(device: Device): Stream {
    const { topics, retainState } = this.#options;
    const stream: Stream = {
      payload: new DevicePayload(device),
      state: encodeTopic(topics.state(device.alias)),
      history: encodeTopic(topics.history(device.alias)),
      retain: retainState?.(device) ?? false,
      newestAt: Number.NEGATIVE_INFINITY,
      receivedAt: Number.NEGATIVE_INFINITY,
    };
    this.#streams.set(device, stream);
    return stream;
  }

  #continueSoon(): void {
    if (this.#continuation !== undefined) return;
    this.#continuation = setImmediate(() => {
      this.#continuation = undefined;
      this.pump();
    });
  }
}
