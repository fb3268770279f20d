/**
 * Walks the body of a frame and names every byte range of it: fields by their declarations, samples, values, channels.
 * It only describes; whether the body is good is `decodeBody`'s to say.
 */
import { ByteReader } from '../bytes.ts';
import { printable } from '../text.ts';
import type { FieldDeclaration, MessageDeclaration } from './messages.ts';
import { CHANNEL_CLASSES, QUALITIES, VALUE_TYPES } from './value.ts';

/** A named run of bytes; offsets count from the start of the frame. */
export interface BodyRange {
  readonly offset: number;
  readonly length: number;
  readonly name: string;
  readonly value: string;
  readonly meaning: string;
}

/** Where the walk could not go on, and why, in words. */
export interface BodyStop {
  readonly offset: number;
  readonly text: string;
}

interface Walk {
  readonly r: ByteReader;
  readonly ranges: BodyRange[];
  stop: BodyStop | undefined;
}

/** The ranges of `frame[bodyStart..bodyEnd)`. */
export function walkBody(
  frame: Uint8Array,
  bodyStart: number,
  bodyEnd: number,
  declaration: MessageDeclaration,
): { ranges: BodyRange[]; stop: BodyStop | undefined } {
  const walk: Walk = { r: new ByteReader(frame, bodyStart, bodyEnd), ranges: [], stop: undefined };
  for (const field of declaration.fields) {
    if (walk.stop !== undefined) break;
    if (field.type === 'samples') walkSamples(walk);
    else if (field.type === 'value') walkValue(walk, 'value');
    else if (field.type === 'rest') walkSchema(walk);
    else walkField(walk, field);
  }
  const last = walk.ranges.at(-1);
  const end = last === undefined ? bodyStart : last.offset + last.length;
  if (end < bodyEnd) {
    const known = walk.stop === undefined;
    walk.ranges.push({
      offset: end,
      length: bodyEnd - end,
      name: known ? 'extra' : 'unread',
      value: hex(frame.subarray(end, bodyEnd)),
      meaning: known ? 'Fields of a later version; ignored.' : 'Cannot be read because of what is before.',
    });
  }
  return { ranges: walk.ranges, stop: walk.stop };
}

/** Bytes in lowercase hex, cut when many. */
export function hex(bytes: Uint8Array): string {
  const shown = Array.from(bytes.subarray(0, 32), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return bytes.length > 32 ? `${shown} … (${bytes.length} bytes)` : shown;
}

/** Milliseconds since 1970 as a date, where a date can be made of them. */
export function dateText(ms: number): string {
  return ms <= 8_640_000_000_000_000 ? new Date(ms).toISOString() : 'beyond the calendar';
}

/** Reads one thing and names its bytes; false when the body ended or the text in it was no UTF-8. */
function take(walk: Walk, name: string, read: (r: ByteReader) => { value: string; meaning: string }): boolean {
  const { r } = walk;
  const offset = r.offset;
  const { value, meaning } = read(r);
  const { error } = r;
  if (error === undefined) {
    walk.ranges.push({ offset, length: r.offset - offset, name, value, meaning });
    return true;
  }
  if (error.code === 'short-read') {
    const short = error.needed - error.available;
    walk.stop = { offset: error.offset, text: `body ends ${count(short, 'byte')} short in ${name}` };
  } else {
    walk.stop = { offset: error.offset, text: `${name} is not UTF-8 at offset ${error.offset}` };
  }
  return false;
}

/** The last range turned out to be impossible. */
function refuse(walk: Walk, text: string): void {
  const last = walk.ranges.at(-1);
  walk.stop = { offset: last?.offset ?? walk.r.offset, text: `${text} at offset ${last?.offset}` };
}

function walkField(walk: Walk, field: FieldDeclaration): void {
  let number: number | undefined;
  const unit = field.unit === undefined ? '' : ` ${field.unit}`;
  const good = take(walk, field.name, (r) => {
    switch (field.type) {
      case 'u8':
      case 'u16':
      case 'u32':
        number = r[field.type]();
        return { value: `${number}${unit}`, meaning: field.note };
      case 'u64': {
        const value = r.u64();
        return { value: `0x${value.toString(16).padStart(16, '0')}`, meaning: field.note };
      }
      case 'ms': {
        const value = r.u64();
        number = Number(value);
        const date = field.name === 'unixMs' ? ` (${dateText(number)})` : '';
        return { value: `${value}${unit}${date}`, meaning: field.note };
      }
      case 'str8':
        return { value: quoted(r.text(r.u8())), meaning: field.note };
      case 'flags8':
        return flagsText(field, r.u8(), 2);
      case 'flags16':
        return flagsText(field, r.u16(), 4);
      default: {
        const code = r.u8();
        const known = field.codes?.find((entry) => entry.code === code);
        return { value: `${code} ${known?.name ?? 'unknown'}`, meaning: known?.note ?? 'Not assigned.' };
      }
    }
  });
  if (!good || number === undefined) return;
  const max = field.type === 'ms' ? Number.MAX_SAFE_INTEGER : (field.max ?? Infinity);
  if (number < (field.min ?? 0) || number > max) refuse(walk, `${field.name} is ${number}, which is out of range,`);
}

function flagsText(field: FieldDeclaration, flags: number, digits: number): { value: string; meaning: string } {
  const set = (field.bits ?? []).filter(({ bit }) => ((flags >> bit) & 1) === 1);
  const known = set.reduce((bits, { bit }) => bits | (1 << bit), 0);
  const names = set.map(({ name }) => name);
  if (flags !== known) names.push('others, ignored');
  const text = names.length > 0 ? names.join(', ') : 'none';
  return { value: `0x${flags.toString(16).padStart(digits, '0')} (${text})`, meaning: field.note };
}

const TIME_NAMES = ['now', 'uptime', 'Unix', 'reserved'] as const;

function walkSamples(walk: Walk): void {
  const { r } = walk;
  if (r.remaining === 0) walk.stop = { offset: r.offset, text: 'no samples' };
  for (let index = 0; r.remaining > 0 && walk.stop === undefined; index++) walkSample(walk, `samples[${index}]`);
}

function walkSample(walk: Walk, name: string): void {
  let kind = 0;
  let values = 0;
  take(walk, `${name}.head`, (r) => {
    const head = r.u8();
    kind = head >> 6;
    values = head & 0x3f;
    return { value: `${TIME_NAMES[kind]}, ${count(values, 'value')}`, meaning: 'Time kind and number of values.' };
  });
  if (kind === 3) return refuse(walk, 'reserved time kind 3');
  if (values === 0) return refuse(walk, 'a sample without values');
  if (kind === 1) {
    take(walk, `${name}.time`, (r) => ({ value: `${r.u32()} ms`, meaning: 'The device’s uptime at the measurement.' }));
  } else if (kind === 2) {
    let ms = 0;
    take(walk, `${name}.time`, (r) => {
      ms = Number(r.u64());
      return { value: `${ms} ms (${dateText(ms)})`, meaning: 'Time of the measurement since 1970 (UTC).' };
    });
    if (walk.stop === undefined && ms > Number.MAX_SAFE_INTEGER) return refuse(walk, 'a time beyond 2^53 − 1 ms');
  }
  for (let i = 0; i < values && walk.stop === undefined; i++) walkValue(walk, `${name}.values[${i}]`);
}

function walkValue(walk: Walk, name: string): void {
  let tq = 0;
  const headed =
    take(walk, `${name}.channel`, (r) => ({ value: `${r.u8()}`, meaning: 'Number of the channel.' })) &&
    take(walk, `${name}.tq`, (r) => {
      tq = r.u8();
      const type = VALUE_TYPES[tq & 0x3f]?.name ?? `unknown type 0x${(tq & 0x3f).toString(16).padStart(2, '0')}`;
      return { value: `${type}, ${QUALITIES[tq >> 6]?.name}`, meaning: 'Type and quality of the value.' };
    });
  if (!headed) return;
  const type = VALUE_TYPES[tq & 0x3f]?.name;
  if (type === undefined) return refuse(walk, `value type 0x${(tq & 0x3f).toString(16).padStart(2, '0')} unknown`);
  let bool = 0;
  const read = take(walk, `${name}.value`, (r) => {
    const meaning = `Content, ${type}.`;
    if (type === 'bool') {
      bool = r.u8();
      return { value: bool === 0 ? 'false' : bool === 1 ? 'true' : `${bool}`, meaning };
    }
    if (type === 'string') return { value: quoted(r.text(r.u8())), meaning };
    if (type === 'bytes') return { value: hex(r.bytes(r.u8())), meaning };
    const value = r[type]();
    return { value: Object.is(value, -0) ? '-0' : `${value}`, meaning };
  });
  if (read && bool > 1) refuse(walk, `bool is ${bool}, neither 0 nor 1,`);
}

/** The content of a SCHEMA part. What is wrong with it is told, though the frame as such is good. */
function walkSchema(walk: Walk): void {
  for (const name of ['name', 'model', 'firmware']) {
    if (!take(walk, name, (r) => ({ value: quoted(r.text(r.u8())), meaning: 'Of the device; empty but in part 0.' }))) {
      return;
    }
  }
  let channels = 0;
  take(walk, 'n', (r) => {
    channels = r.u8();
    return { value: `${channels}`, meaning: 'Number of channels in this part.' };
  });
  for (let i = 0; i < channels && walk.stop === undefined; i++) walkChannel(walk, `channels[${i}]`);
}

function walkChannel(walk: Walk, name: string): void {
  const { r } = walk;
  const byte = (field: string, meaning: string, text: (value: number) => string): boolean =>
    take(walk, `${name}.${field}`, () => ({ value: text(r.u8()), meaning }));
  const good =
    byte('number', 'Number of the channel.', String) &&
    byte('type', 'Type that its values usually have.', (code) => `${code} ${VALUE_TYPES[code]?.name ?? 'unknown'}`) &&
    byte('class', 'What it measures.', (code) => `${code} ${CHANNEL_CLASSES[code]?.name ?? 'unknown, so none'}`) &&
    byte('scale', 'The value is raw × 10^scale.', (code) => `${(code << 24) >> 24}`) &&
    byte('flags', 'What kind of channel it is.', channelFlags);
  if (!good) return;
  if (!take(walk, `${name}.name`, () => ({ value: quoted(r.text(r.u8())), meaning: 'Its name.' }))) return;
  take(walk, `${name}.unit`, () => ({ value: quoted(r.text(r.u8())), meaning: 'Its unit.' }));
}

function channelFlags(flags: number): string {
  const names = ['writable', 'totalIncreasing', 'diagnostic'].filter((_, bit) => ((flags >> bit) & 1) === 1);
  if (flags > 7) names.push('others, ignored');
  return `0x${flags.toString(16).padStart(2, '0')} (${names.length > 0 ? names.join(', ') : 'none'})`;
}

function quoted(text: string): string {
  return `"${printable(text, 255)}"`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
