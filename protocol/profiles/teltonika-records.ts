/**
 * The records inside a Teltonika packet.
 *
 * ```
 *   record    Unix ms u64 | priority u8 | longitude i32 | latitude i32 | altitude i16 | heading u16 | satellites u8
 *             | speed u16 | elements
 *   elements  event | [generation u8, codec 16] | how many in all
 *             | n, n × (id, u8) | n, n × (id, u16) | n, n × (id, u32) | n, n × (id, u64) | [n, n × (id, length u16, bytes)]
 *             └ numbers and ids: u8 in codec 8; u16 in 8E, which alone has the last group; in 16 ids u16, numbers u8
 * ```
 */
import { ByteReader, ByteWriter } from '../bytes.ts';
import type { Sample } from '../link/readings.ts';
import type { RawValue, ValueType } from '../link/value.ts';
import type { FieldValues, ProfileChannel } from '../profile/profile.ts';
import { channel, value } from './codec.ts';
import type { Annotations } from './codec.ts';
import {
  ALTITUDE,
  CHANNELS,
  EVENT,
  HEADING,
  IO_ELEMENTS,
  LATITUDE,
  LONGITUDE,
  PRIORITY,
  SATELLITES,
  SPEED,
} from './teltonika-channels.ts';
import { CODEC_16, CODEC_8, CODEC_8E } from './teltonika-frames.ts';

const PRIORITIES = ['low', 'high', 'panic'] as const;
const MAX_MS = 8.64e15;
const SIZES = [1, 2, 4, 8] as const;
const TYPE_OF_SIZE = { 1: 'u8', 2: 'u16', 4: 'u32', 8: 'u64' } as const;
const BY_ID = new Map(IO_ELEMENTS.map((element) => [element.id, element.channel]));

/** Gives elements that are in no list a channel: in the order in which they come, as long as numbers last. */
export class UnknownElements {
  private readonly known = new Map<number, ProfileChannel>();

  channelOf(id: number, type: ValueType): ProfileChannel | undefined {
    const known = this.known.get(id);
    if (known !== undefined) return known;
    const number = CHANNELS.length + this.known.size;
    if (number > 255) return undefined;
    const made = channel(number, `io_${id}`, type, { title: `I/O element ${id}`, diagnostic: true });
    this.known.set(id, made);
    return made;
  }
}

export interface Records {
  readonly samples: Sample[];
  readonly newChannels: ProfileChannel[];
  /** Where it stopped making sense; undefined when it does. */
  readonly badAt: number | undefined;
}

/** Reads `frame[from..to)`: codec, number, records, number. With `notes` every byte read is named. */
export function readRecords(
  frame: Uint8Array,
  from: number,
  to: number,
  unknown: UnknownElements,
  notes?: Annotations,
): Records {
  const r = new ByteReader(frame, from, to);
  const samples: Sample[] = [];
  const newChannels: ProfileChannel[] = [];
  const codec = r.u8();
  const count = r.u8();
  notes?.add(1, 'codec', codec.toString(16));
  notes?.add(1, 'records', String(count));
  for (let i = 0; i < count && r.ok; i++) {
    const start = r.offset;
    const sample = readRecord(r, codec, unknown, newChannels, notes);
    if (sample === undefined) return { samples: [], newChannels: [], badAt: start };
    samples.push(sample);
  }
  const repeated = r.u8();
  notes?.add(1, 'records again', String(repeated));
  if (r.ok && repeated === count && r.remaining === 0) return { samples, newChannels, badAt: undefined };
  return { samples: [], newChannels: [], badAt: r.error?.offset ?? to - 1 };
}

function readRecord(
  r: ByteReader,
  codec: number,
  unknown: UnknownElements,
  newChannels: ProfileChannel[],
  notes: Annotations | undefined,
): Sample | undefined {
  const time = Number(r.u64());
  const priority = r.u8();
  const longitude = r.i32();
  const latitude = r.i32();
  const altitude = r.i16();
  const heading = r.u16();
  const satellites = r.u8();
  const speed = r.u16();
  const event = codec === CODEC_8 ? r.u8() : r.u16();
  if (!r.ok || time > MAX_MS) return undefined;
  // Without a fix the tracker repeats the last place it knew.
  const quality = satellites === 0 ? 'stale' : 'good';
  const sample: Sample = {
    timeKind: 'unix',
    time,
    values: [
      value(LATITUDE, latitude, quality),
      value(LONGITUDE, longitude, quality),
      value(ALTITUDE, altitude, quality),
      value(HEADING, heading, quality),
      value(SATELLITES, satellites),
      value(SPEED, speed, quality),
      value(PRIORITY, PRIORITIES[priority] ?? String(priority)),
      value(EVENT, event),
    ],
  };
  if (notes !== undefined) {
    notes.add(8, 'time', new Date(time).toISOString());
    notes.add(1, 'priority', PRIORITIES[priority] ?? String(priority));
    notes.add(4, 'longitude', `${longitude / 1e7} °`);
    notes.add(4, 'latitude', `${latitude / 1e7} °`);
    notes.add(2, 'altitude', `${altitude} m`);
    notes.add(2, 'heading', `${heading} °`);
    notes.add(1, 'satellites', String(satellites));
    notes.add(2, 'speed', `${speed} km/h`);
    notes.add(codec === CODEC_8 ? 1 : 2, 'event', String(event));
  }
  return readElements(r, codec, sample, unknown, newChannels, notes) ? sample : undefined;
}

function readElements(
  r: ByteReader,
  codec: number,
  sample: Sample,
  unknown: UnknownElements,
  newChannels: ProfileChannel[],
  notes: Annotations | undefined,
): boolean {
  const wideNumbers = codec === CODEC_8E;
  const wideIds = codec !== CODEC_8;
  const readNumber = (what: string): number => {
    const number = wideNumbers ? r.u16() : r.u8();
    notes?.add(wideNumbers ? 2 : 1, what, String(number));
    return number;
  };
  const add = (id: number, raw: RawValue, type: ValueType): void => {
    const known = BY_ID.get(id);
    const channel = known ?? unknown.channelOf(id, type);
    if (channel === undefined) {
      notes?.add(sizeOf(type, raw), `io_${id}`);
      return;
    }
    if (known === undefined) newChannels.push(channel);
    const fitted = fit(channel.type, raw, type);
    sample.values.push({ channel: channel.number, type: fitted.type, quality: 'good', value: fitted.raw });
    notes?.add(sizeOf(type, raw), channel.alias, shown(fitted.raw, channel));
  };

  if (codec === CODEC_16) {
    const generation = r.u8();
    notes?.add(1, 'generation', String(generation));
  }
  const total = readNumber('elements');
  let seen = 0;
  for (const size of SIZES) {
    const count = readNumber(`elements of ${size} byte${size > 1 ? 's' : ''}`);
    for (let i = 0; i < count && r.ok; i++) {
      const id = wideIds ? r.u16() : r.u8();
      notes?.add(wideIds ? 2 : 1, 'id', String(id));
      const raw = size === 8 ? r.u64() : size === 4 ? r.u32() : size === 2 ? r.u16() : r.u8();
      if (r.ok) add(id, raw, TYPE_OF_SIZE[size]);
      seen++;
    }
  }
  if (codec === CODEC_8E) {
    const count = readNumber('elements of any length');
    for (let i = 0; i < count && r.ok; i++) {
      const id = r.u16();
      const length = r.u16();
      notes?.add(4, 'id, length', `${id}, ${length}`);
      const raw = r.bytes(length);
      // A channel's value has at most 255 bytes; what is longer is not for a sensor's topic.
      if (r.ok && length <= 255) add(id, new Uint8Array(raw), 'bytes');
      else notes?.add(length, `io_${id}`);
      seen++;
    }
  }
  return r.ok && seen === total;
}

/** The raw value as the type of its channel, where the bytes on the wire are as many; as what came otherwise. */
function fit(wanted: ValueType, raw: RawValue, type: ValueType): { readonly type: ValueType; readonly raw: RawValue } {
  if (typeof raw !== 'number') return { type, raw };
  if (wanted === 'bool' && raw <= 1) return { type: 'bool', raw: raw === 1 };
  if (wanted === 'i8' && type === 'u8') return { type: 'i8', raw: (raw << 24) >> 24 };
  if (wanted === 'i16' && type === 'u16') return { type: 'i16', raw: (raw << 16) >> 16 };
  if (wanted === 'i32' && type === 'u32') return { type: 'i32', raw: raw | 0 };
  return { type, raw };
}

function shown(raw: RawValue, channel: ProfileChannel): string {
  if (raw instanceof Uint8Array) return `${raw.length} bytes`;
  const number = typeof raw === 'number' ? Number((raw * 10 ** channel.scale).toFixed(-channel.scale)) : String(raw);
  return channel.unit === '' ? String(number) : `${number} ${channel.unit}`;
}

function sizeOf(type: ValueType, raw?: RawValue): number {
  if (raw instanceof Uint8Array) return raw.length;
  if (type === 'bool' || type === 'u8' || type === 'i8') return 1;
  if (type === 'u16' || type === 'i16') return 2;
  return type === 'u64' || type === 'i64' ? 8 : 4;
}

/** One record in codec 8E, of values in shown units; `time_ms` dates it. RangeError for what does not fit. */
export function encodeRecords(values: FieldValues): Uint8Array {
  const w = new ByteWriter();
  w.u8(CODEC_8E);
  w.u8(1);
  w.u64(BigInt(Math.trunc(Number(values['time_ms'] ?? 0))));
  const priority = PRIORITIES.indexOf(String(values['priority'] ?? 'low') as (typeof PRIORITIES)[number]);
  if (priority < 0) throw new RangeError(`no such priority: ${String(values['priority'])}`);
  w.u8(priority);
  w.i32(rawOf(LONGITUDE, values));
  w.i32(rawOf(LATITUDE, values));
  w.i16(rawOf(ALTITUDE, values));
  w.u16(rawOf(HEADING, values));
  w.u8(values['satellites'] === undefined ? 8 : rawOf(SATELLITES, values));
  w.u16(rawOf(SPEED, values));
  w.u16(rawOf(EVENT, values));
  const given = IO_ELEMENTS.filter((element) => values[element.channel.alias] !== undefined);
  w.u16(given.length);
  for (const size of SIZES) {
    const group = given.filter((element) => sizeOf(element.channel.type) === size);
    w.u16(group.length);
    for (const { id, channel } of group) {
      w.u16(id);
      writeElement(w, channel, values);
    }
  }
  w.u16(0);
  w.u8(1);
  return w.finish();
}

function writeElement(w: ByteWriter, channel: ProfileChannel, values: FieldValues): void {
  if (channel.type === 'u64') {
    w.u64(BigInt(values[channel.alias] as bigint | number | string));
    return;
  }
  const raw = rawOf(channel, values);
  if (channel.type === 'bool' || channel.type === 'u8') w.u8(raw);
  else if (channel.type === 'i8') w.i8(raw);
  else if (channel.type === 'u16') w.u16(raw);
  else if (channel.type === 'i16') w.i16(raw);
  else if (channel.type === 'u32') w.u32(raw);
  else w.i32(raw);
}

function rawOf(channel: ProfileChannel, values: FieldValues): number {
  return Math.round(Number(values[channel.alias] ?? 0) / 10 ** channel.scale);
}
