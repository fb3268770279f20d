/**
 * The JSON of readings (pure, hot path).
 *
 * ```
 *   state    {"temperature":21.3,"humidity":null,"humidity_quality":"fault","ts":1767225600000,"id":"a1b2c3d4e5f60718-4-17"}
 *             └── latest value of every channel, in order of channel numbers ─┘ └ newest sample └ <device>-<boot>-<seq>
 *   history  {"temperature":21.2,"ts":1767225590000,"id":"a1b2c3d4e5f60718-4-17-0"}
 *             └── the sample's own values, in the order sent ─┘
 * ```
 *
 * The plain id belongs to the newest sample of a record; the older ones before it have `-0`, `-1`, … appended. So
 * whoever has seen the plain id has been sent all of the record.
 *
 * Every fragment ends in a comma, as `ts` always follows. Template strings, as these measured faster than JSON.stringify.
 */
import type { RawValue, Sample, Value, ValueType } from '../../protocol/index.ts';
import type { Device, DeviceChannel } from '../devices/device.ts';
import type { JournalRecord } from '../journal/journal.ts';
import { bigintText, doubleText, floatText, integerText } from './number-text.ts';
import { aliasOf } from './topics.ts';

/** A channel and what it last said. */
interface Slot {
  readonly number: number;
  readonly alias: string;
  readonly scale: number;
  /** `"temperature":` */
  readonly key: string;
  /** `"temperature":21.3,` or '' before the first value. */
  fragment: string;
  /** Unix ms: see `apply`. */
  time: number;
}

/** The latest values of one device and how they are written. */
export class DevicePayload {
  readonly #device: Device;
  readonly #idPrefix: string;
  /** The last text of `state`. */
  latest: string | undefined;
  #version = -1;
  /** In order of channel numbers. */
  #slots: Slot[] = [];
  #byNumber: (Slot | undefined)[] = [];

  constructor(device: Device) {
    this.#device = device;
    this.#idPrefix = `"id":"${device.id}-`;
  }

  /**
   * Takes the values of a sample as the channels' latest, except where something newer is known already.
   * @param time Unix ms that orders it among the others: the sample's own time, but not later than its reception
   */
  apply(sample: Sample, time: number): void {
    if (this.#version !== this.#device.channelsVersion) this.#rebuild();
    for (const value of sample.values) {
      const slot = this.#byNumber[value.channel] ?? this.#undeclared(value.channel);
      if (time < slot.time) continue;
      slot.fragment = fragment(slot, value);
      slot.time = time;
    }
  }

  /** All channels' latest values, under the time and the id of `record`'s newest sample. */
  state(record: JournalRecord, time: number): string {
    if (this.#version !== this.#device.channelsVersion) this.#rebuild();
    let json = '{';
    for (const slot of this.#slots) json += slot.fragment;
    this.latest = `${json}"ts":${time},${this.#idPrefix}${record.boot}-${record.seq}"}`;
    return this.latest;
  }

  /** One sample's own values. `index` is its place in the record, or undefined for the newest one. */
  history(record: JournalRecord, sample: Sample, index: number | undefined): string {
    if (this.#version !== this.#device.channelsVersion) this.#rebuild();
    let json = '{';
    const { values } = sample;
    for (let at = 0; at < values.length; at++) {
      const value = values[at]!;
      // A key must come once: of a channel named twice, the last value counts.
      if (isRepeated(values, at)) continue;
      json += fragment(this.#byNumber[value.channel] ?? this.#undeclared(value.channel), value);
    }
    const suffix = index === undefined ? '' : `-${index}`;
    return `${json}"ts":${sample.time},${this.#idPrefix}${record.boot}-${record.seq}${suffix}"}`;
  }

  /** Forgets that it has seen anything newer than `time`, so that what is sent again shows its own values again. */
  rewind(time: number): void {
    for (const slot of this.#slots) slot.time = Math.min(slot.time, time);
  }

  /** The channels have changed: new keys; a value stays as it is where neither its name nor its scale changed. */
  #rebuild(): void {
    const before = this.#byNumber;
    this.#version = this.#device.channelsVersion;
    this.#slots = [];
    this.#byNumber = [];
    for (const channel of this.#device.channels.values()) {
      const slot = createSlot(channel);
      const old = before[channel.number];
      if (old !== undefined && old.alias === slot.alias && old.scale === slot.scale) {
        slot.fragment = old.fragment;
        slot.time = old.time;
      }
      this.#add(slot);
    }
  }

  /** A value on a channel that the device has not declared is shown as `ch<number>` rather than lost. */
  #undeclared(number: number): Slot {
    const taken = new Set(this.#slots.map((slot) => slot.alias));
    const slot = createSlot({ number, alias: aliasOf(`ch${number}`, taken, `channel_${number}`), scale: 0 });
    this.#add(slot);
    return slot;
  }

  #add(slot: Slot): void {
    this.#byNumber[slot.number] = slot;
    this.#slots.push(slot);
    this.#slots.sort((a, b) => a.number - b.number);
  }
}

function createSlot(channel: Pick<DeviceChannel, 'number' | 'alias' | 'scale'>): Slot {
  const { number, alias, scale } = channel;
  return { number, alias, scale, key: `"${alias}":`, fragment: '', time: Number.NEGATIVE_INFINITY };
}

function isRepeated(values: readonly Value[], at: number): boolean {
  const { channel } = values[at]!;
  for (let later = at + 1; later < values.length; later++) if (values[later]!.channel === channel) return true;
  return false;
}

function fragment(slot: Slot, value: Value): string {
  if (value.quality === 'fault') return faulty(slot);
  const text = jsonText(value.type, value.value, slot.scale);
  if (text === undefined) return faulty(slot);
  if (value.quality === 'good') return `${slot.key}${text},`;
  return `${slot.key}${text},"${slot.alias}_quality":"${value.quality}",`;
}

/** The sensor has said that its value is worthless, or it has sent NaN or an infinity, for which JSON has no number. */
function faulty(slot: Slot): string {
  return `${slot.key}null,"${slot.alias}_quality":"fault",`;
}

/** raw × 10^scale as JSON; undefined for a number that JSON does not have. */
export function jsonText(type: ValueType, value: RawValue, scale: number): string | undefined {
  if (typeof value === 'number') {
    if (type === 'f32') return Number.isFinite(value) ? floatText(value, scale) : undefined;
    if (type === 'f64') return Number.isFinite(value) ? doubleText(value, scale) : undefined;
    return integerText(value, scale);
  }
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (typeof value === 'bigint') return bigintText(value, scale);
  if (typeof value === 'string') return JSON.stringify(value);
  return `"${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}"`;
}
