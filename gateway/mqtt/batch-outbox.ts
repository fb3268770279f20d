/**
 * The outbox that encodes PUBLISH packets itself, a whole batch in one write to the socket that it shares with MQTT.js.
 *
 * ```
 *   send send send ─→ batch (64 KiB) ─ flush ─→ socket          in flight: packet id → token, since when
 *                                                   └→ PUBACK ─→ onAck(token)
 * ```
 *
 * It has packet ids 1–MAX_WINDOW to itself; MQTT.js is kept above them.
 */
import type { Writable } from 'node:stream';
import { type EncodedTopic, type Outbox, type Qos, REASON_PACKET_TOO_LARGE } from './outbox.ts';
import { maxPacketBytes, writePublish } from './publish-packet.ts';

/** Packet ids 1–MAX_WINDOW belong to the outbox. */
export const MAX_WINDOW = 60_000;

const BATCH_BYTES = 64 * 1024;
/** Bytes encoded or given to the socket that the operating system has not taken yet; beyond this there is no room. */
const MAX_BYTES_AHEAD = 512 * 1024;
/** Messages that may be sent at once with QoS 0; after that the operating system is to take them first. */
const QOS_0_WINDOW = 4_096;
const MAX_SPARE_BATCHES = 8;
/** Up to this many in flight, room is given back at once: see `settle`. */
const SMALL_WINDOW = 64;
const FREE = -1;

/** What the broker said in its CONNACK. */
export interface BrokerLimits {
  readonly mqtt5: boolean;
  /** QoS 1 messages that may be in flight on the data plane. */
  readonly window: number;
  /** Bytes of a whole packet. */
  readonly maxPacketBytes: number;
  readonly maxQos: Qos;
  readonly retainAvailable: boolean;
}

export interface BatchOutboxOptions {
  /** QoS 1 messages in flight at the most, default 1,000; the broker may allow less. */
  readonly window?: number;
  /** An unacknowledged QoS 1 message is given this long, default 20,000. */
  readonly ackTimeoutMs?: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

interface Batch {
  readonly bytes: Buffer;
  length: number;
  /** Tokens of its QoS 0 messages: accepted once it is written. */
  readonly tokens: number[];
}

export class BatchOutbox implements Outbox {
  onAck: ((token: number, reasonCode: number) => void) | undefined;
  onReset: (() => void) | undefined;
  onRoom: (() => void) | undefined;
  /** A message has waited too long for its PUBACK: the owner drops the connection. */
  onTimeout: (() => void) | undefined;
  /** Called for each PUBACK for nothing that is in flight. */
  onUnknownAck: (() => void) | undefined;
  /** PUBACKs for nothing that is in flight. */
  unknownAcks = 0;

  readonly window: number;
  readonly #ackTimeoutMs: number;
  readonly #now: () => number;
  /** By packet id: the token, and when it was sent (FREE: the id is not in use). */
  readonly #tokens: Float64Array;
  readonly #sentAt: Float64Array;
  #lastId = 0;
  #inFlight = 0;

  #socket: Writable | undefined;
  #limits: BrokerLimits | undefined;
  #batch: Batch | undefined;
  #batchStarted = 0;
  #spare: Batch[] = [];
  #bytesAhead = 0;
  #qos0Ahead = 0;
  #starved = true;
  #tooLarge: number[] = [];
  #deadline: NodeJS.Timeout | undefined;
  #refillSoon: NodeJS.Timeout | undefined;

  constructor(options: BatchOutboxOptions) {
    const { window = 1_000, ackTimeoutMs = 20_000, now } = options;
    if (!Number.isInteger(window) || window < 1 || window > MAX_WINDOW) {
      throw new RangeError(`window must be 1 to ${MAX_WINDOW}`);
    }
    this.window = window;
    this.#ackTimeoutMs = ackTimeoutMs;
    this.#now = now;
    this.#tokens = new Float64Array(window + 1);
    this.#sentAt = new Float64Array(window + 1).fill(FREE);
  }

  /** QoS 1 messages that wait for their PUBACK. */
  get inFlight(): number {
    return this.#inFlight;
  }

  room(qos: Qos): number {
    const room = this.#room(qos);
    if (room === 0) this.#starved = true;
    return room;
  }

  capacity(qos: Qos): number {
    const limits = this.#limits;
    if (limits === undefined) return 0;
    return qos === 1 && limits.maxQos === 1 ? limits.window : QOS_0_WINDOW;
  }

  send(topic: EncodedTopic, payload: string, qos: Qos, token: number, retain: boolean): void {
    const limits = this.#limits;
    if (limits === undefined) throw new TypeError('send without room');
    const needed = maxPacketBytes(topic, payload);
    const batch = this.#batchFor(needed);
    const acknowledged = qos === 1 && limits.maxQos === 1;
    const id = acknowledged ? this.#freeId() : 0;
    const end = writePublish(
      batch.bytes,
      batch.length,
      topic,
      payload,
      id,
      retain && limits.retainAvailable,
      limits.mqtt5,
    );
    if (end - batch.length > limits.maxPacketBytes) {
      // It would cost us the connection. The packet is left out of the batch, and its id was not used yet.
      this.#tooLarge.push(token);
      return;
    }
    this.#bytesAhead += end - batch.length;
    batch.length = end;
    if (acknowledged) {
      this.#lastId = id;
      this.#tokens[id] = token;
      this.#sentAt[id] = this.#batchStarted;
      this.#inFlight++;
    } else {
      batch.tokens.push(token);
      this.#qos0Ahead++;
    }
  }

  flush(): void {
    this.#writeBatch();
    if (this.#tooLarge.length === 0) return;
    const tokens = this.#tooLarge;
    this.#tooLarge = [];
    for (const token of tokens) this.onAck?.(token, REASON_PACKET_TOO_LARGE);
  }

  // --- for the connection that owns the socket -------------------------------------------------------------------

  /** The broker has accepted the connection. */
  attach(socket: Writable, limits: BrokerLimits): void {
    this.#socket = socket;
    this.#limits = { ...limits, window: Math.min(this.window, limits.window) };
    this.#deadline = setInterval(() => this.#checkDeadline(), Math.min(1_000, this.#ackTimeoutMs / 4));
    this.#deadline.unref();
    this.#starved = false;
    this.onRoom?.();
  }

  /** The connection is gone, and with it everything in flight. */
  detach(): void {
    if (this.#socket === undefined) return;
    clearInterval(this.#deadline);
    clearTimeout(this.#refillSoon);
    this.#refillSoon = undefined;
    this.#socket = undefined;
    this.#limits = undefined;
    this.#batch = undefined;
    // Buffers that the old socket may still hold are left to the garbage collector.
    this.#spare = [];
    this.#bytesAhead = 0;
    this.#qos0Ahead = 0;
    this.#inFlight = 0;
    this.#lastId = 0;
    this.#sentAt.fill(FREE);
    this.#tooLarge = [];
    this.onReset?.();
  }

  /** A PUBACK with an id of 1–MAX_WINDOW has come. */
  puback(id: number, reasonCode: number): void {
    if (id > this.window || this.#sentAt[id] === FREE) {
      this.unknownAcks++;
      this.onUnknownAck?.();
      return;
    }
    this.#sentAt[id] = FREE;
    this.#inFlight--;
    this.onAck?.(this.#tokens[id]!, reasonCode);
  }

  /**
   * After a chunk from the broker: tells the publisher when there is room again. A large window is refilled when half of
   * it is free: some brokers acknowledge each message by itself, and each answer to that would be a write of one
   * message. But not later than in a millisecond, as the broker's Nagle algorithm may hold the rest of its PUBACKs back
   * until it hears from us. Small windows cannot wait: they would be empty before the answer is there.
   */
  settle(): void {
    const limits = this.#limits;
    if (!this.#starved || limits === undefined) return;
    const room = this.#room(limits.maxQos);
    if (room === 0) return;
    if (limits.window < SMALL_WINDOW || this.#inFlight === 0 || room >= limits.window >> 1) this.#refill();
    else this.#refillSoon ??= setTimeout(() => this.#refill(), 1);
  }

  // ---------------------------------------------------------------------------------------------------------------

  #refill(): void {
    clearTimeout(this.#refillSoon);
    this.#refillSoon = undefined;
    this.#starved = false;
    this.onRoom?.();
  }

  #room(qos: Qos): number {
    const limits = this.#limits;
    if (limits === undefined || this.#bytesAhead >= MAX_BYTES_AHEAD) return 0;
    if (qos === 1 && limits.maxQos === 1) return limits.window - this.#inFlight;
    return Math.max(0, QOS_0_WINDOW - this.#qos0Ahead);
  }

  /** PUBACKs come in order (MQTT-4.6.0-2), so the next id is nearly always free. */
  #freeId(): number {
    if (this.#inFlight >= this.window) throw new TypeError('send without room');
    let id = this.#lastId;
    do {
      id = id >= this.window ? 1 : id + 1;
    } while (this.#sentAt[id] !== FREE);
    return id;
  }

  #batchFor(needed: number): Batch {
    let batch = this.#batch;
    if (batch !== undefined && batch.length + needed > batch.bytes.length) {
      this.#writeBatch();
      batch = undefined;
    }
    if (batch === undefined) {
      batch = needed > BATCH_BYTES ? newBatch(needed) : (this.#spare.pop() ?? newBatch(BATCH_BYTES));
      this.#batch = batch;
      this.#batchStarted = this.#now();
    }
    return batch;
  }

  #writeBatch(): void {
    const batch = this.#batch;
    const socket = this.#socket;
    if (batch === undefined || batch.length === 0 || socket === undefined) return;
    this.#batch = undefined;
    socket.write(batch.bytes.subarray(0, batch.length), (error) => {
      if (error === null || error === undefined) this.#written(batch, socket);
    });
  }

  #written(batch: Batch, socket: Writable): void {
    if (socket !== this.#socket) return;
    this.#bytesAhead -= batch.length;
    this.#qos0Ahead -= batch.tokens.length;
    for (const token of batch.tokens) this.onAck?.(token, 0);
    batch.tokens.length = 0;
    batch.length = 0;
    if (batch.bytes.length === BATCH_BYTES && this.#spare.length < MAX_SPARE_BATCHES) this.#spare.push(batch);
    this.settle();
  }

  #checkDeadline(): void {
    if (this.#inFlight === 0) return;
    const limit = this.#now() - this.#ackTimeoutMs;
    if (this.#sentAt.some((sentAt) => sentAt !== FREE && sentAt < limit)) this.onTimeout?.();
  }
}

function newBatch(bytes: number): Batch {
  return { bytes: Buffer.allocUnsafeSlow(bytes), length: 0, tokens: [] };
}
