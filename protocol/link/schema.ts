/**
 * A device's declaration of itself and its channels, sent in the contents of SCHEMA's parts.
 *
 * ```
 *   content   name str8 | model str8 | firmware str8 | n u8 | n × channel      (the texts are empty but in part 0)
 *   channel   number u8 | type u8 | class u8 | scale i8 | flags u8 | name str8 | unit str8
 *                                              │          └ bit 0 writable, 1 total increasing, 2 diagnostic
 *                                              └ value = raw × 10^scale
 *   str8      length u8 | UTF-8
 * ```
 */
import { ByteReader, ByteWriter } from '../bytes.ts';
import { crc32 } from '../checksum.ts';
import { utf8Length } from '../utf8.ts';
import { writeStr8 } from './readings.ts';
import { channelClassCode, channelClassName, valueTypeCode, valueTypeName } from './value.ts';
import type { ChannelClass, ValueType } from './value.ts';

export const MAX_SCHEMA_PARTS = 16;
/** All parts' contents together. */
export const MAX_SCHEMA_BYTES = 4096;
export const MAX_CHANNELS = 64;
/** What a schema at rest may have: every channel number. Devices that are described by a profile have more than 64. */
export const MAX_STORED_CHANNELS = 256;
/** A part counts its channels in one byte. */
const MAX_PART_CHANNELS = 255;
/** UTF-8 bytes of the device's and a channel's name, model and firmware. */
export const MAX_NAME_BYTES = 64;
/** UTF-8 bytes of a unit. */
export const MAX_UNIT_BYTES = 16;

export interface ChannelDeclaration {
  /** 0–255, unique within the device. */
  readonly number: number;
  /** The type that its values usually have; every value names its own. */
  readonly type: ValueType;
  readonly class: ChannelClass;
  /** −128 … 127: the value is raw × 10^scale. */
  readonly scale: number;
  /** Takes COMMAND. */
  readonly writable: boolean;
  /** A meter: only grows, until it starts over at 0. */
  readonly totalIncreasing: boolean;
  /** About the device rather than its surroundings. */
  readonly diagnostic: boolean;
  /** 1 to 64 bytes. */
  readonly name: string;
  /** At most 16 bytes, may be empty. */
  readonly unit: string;
}

export interface Schema {
  /** At most 64 bytes each, may be empty. */
  readonly name: string;
  readonly model: string;
  readonly firmware: string;
  /** At most 64 on the wire. */
  readonly channels: readonly ChannelDeclaration[];
}

/** Why parts make no schema. */
export type SchemaErrorCode =
  /** The parts together are longer than 4,096 bytes. */
  | 'schema-too-large'
  /** A field goes past the end of its part. */
  | 'short-read'
  /** Text that is not UTF-8. */
  | 'bad-utf8'
  /** Bytes behind the last channel of a part. */
  | 'trailing-bytes'
  /** The contents are complete and do not have the CRC that names them. */
  | 'bad-schema-crc'
  /** A name, model or firmware in a part other than the first. */
  | 'misplaced-name'
  | 'too-many-channels'
  | 'duplicate-channel'
  | 'unknown-value-type'
  /** A channel without a name. */
  | 'empty-name'
  /** A name, model or firmware of more than 64 bytes, or a unit of more than 16. */
  | 'long-name';

/** Splits a schema into the contents of SCHEMA parts. RangeError for a schema that breaks a limit above. */
export function encodeSchemaParts(schema: Schema, maxContentBytes: number): Uint8Array[] {
  const parts = encodeParts(schema, maxContentBytes, MAX_CHANNELS);
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  if (parts.length > MAX_SCHEMA_PARTS) throw new RangeError(`a schema of ${parts.length} parts`);
  if (total > MAX_SCHEMA_BYTES) throw new RangeError(`a schema of ${total} bytes`);
  return parts;
}

/** A schema as it is kept at rest: parts one behind the other, and up to 256 channels. RangeError beyond. */
export function encodeStoredSchema(schema: Schema): Uint8Array {
  return joined(encodeParts(schema, MAX_STORED_BYTES, MAX_STORED_CHANNELS));
}

/** 256 channels with the longest names. */
const MAX_STORED_BYTES = 32_768;

function encodeParts(schema: Schema, maxContentBytes: number, maxChannels: number): Uint8Array[] {
  checkSchema(schema, maxChannels);
  const parts: Uint8Array[] = [];
  const channels = schema.channels.map(encodeChannel);
  let next = 0;
  do {
    const w = new ByteWriter(maxContentBytes);
    for (const text of [schema.name, schema.model, schema.firmware]) writeStr8(w, parts.length === 0 ? text : '');
    let bytes = w.offset + 1;
    let end = next;
    const last = Math.min(channels.length, next + MAX_PART_CHANNELS);
    while (end < last && bytes + channels[end]!.length <= maxContentBytes) bytes += channels[end++]!.length;
    if (end === next && next < channels.length && parts.length > 0) throw new RangeError('a channel fits no part');
    w.u8(end - next);
    for (const channel of channels.slice(next, end)) w.bytes(channel);
    next = end;
    parts.push(w.finish());
  } while (next < channels.length);
  return parts;
}

/** The CRC that names a schema: over the contents in order, and 1 where it would be 0, which means "none". */
export function schemaCrc(parts: readonly Uint8Array[]): number {
  return crc32(joined(parts)) || 1;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** What of a SCHEMA message matters here. */
export interface SchemaPart {
  readonly crc: number;
  readonly part: number;
  readonly parts: number;
  readonly content: Uint8Array;
}

/**
 * Puts parts together, in whatever order and however often they come. Holds at most 4,096 bytes. A part of another
 * schema (other CRC or number of parts) begins anew; so does any part after an error.
 */
export class SchemaAssembler {
  private crc = 0;
  private contents: (Uint8Array | undefined)[] = [];
  private bytes = 0;
  private readonly maxBytes: number;
  private done: Schema | undefined = undefined;

  /** `maxBytes`: what all parts may have together; more than the default is no schema. */
  constructor(maxBytes: number = MAX_SCHEMA_BYTES) {
    this.maxBytes = Math.min(maxBytes, MAX_SCHEMA_BYTES);
  }

  /** The schema, once `add` has said `complete`, and until a part of another one comes. */
  get schema(): Schema | undefined {
    return this.done;
  }

  /** Takes the part (and keeps its content). Programmer's mistake: a part number that `decodeBody` would not let pass. */
  add({ crc, part, parts, content }: SchemaPart): 'more' | 'complete' | SchemaErrorCode {
    if (!(part >= 0 && part < parts && parts <= MAX_SCHEMA_PARTS)) throw new RangeError(`part ${part} of ${parts}`);
    if (crc !== this.crc || parts !== this.contents.length) this.begin(crc, parts);
    if (this.done !== undefined) return 'complete';
    if (this.contents[part] === undefined) {
      if (this.bytes + content.length > this.maxBytes) return this.fail('schema-too-large');
      this.contents[part] = content;
      this.bytes += content.length;
    }
    const contents: Uint8Array[] = [];
    for (const content of this.contents) if (content !== undefined) contents.push(content);
    if (contents.length < parts) return 'more';
    if (schemaCrc(contents) !== crc) return this.fail('bad-schema-crc');
    const schema = decodeSchema(contents);
    if (typeof schema === 'string') return this.fail(schema);
    this.done = schema;
    // Only their number is still needed, to know a repeated part.
    this.contents = Array.from({ length: parts }, () => undefined);
    return 'complete';
  }

  private begin(crc: number, parts: number): void {
    this.crc = crc;
    this.contents = Array.from({ length: parts }, () => undefined);
    this.bytes = 0;
    this.done = undefined;
  }

  private fail(code: SchemaErrorCode): SchemaErrorCode {
    this.begin(0, 0);
    return code;
  }
}

/** Reads the contents of all parts, in order. */
export function decodeSchema(contents: readonly Uint8Array[]): Schema | SchemaErrorCode {
  const parts = new PartReader(MAX_CHANNELS);
  for (const content of contents) {
    const r = new ByteReader(content);
    const problem = parts.read(r);
    if (problem !== undefined) return problem;
    r.expectEnd();
    const failure = failureOf(r);
    if (failure !== undefined) return failure;
  }
  return parts.schema;
}

/** Reads what `encodeStoredSchema` has written. */
export function decodeStoredSchema(bytes: Uint8Array): Schema | SchemaErrorCode {
  const parts = new PartReader(MAX_STORED_CHANNELS);
  const r = new ByteReader(bytes);
  do {
    const problem = parts.read(r);
    if (problem !== undefined) return problem;
  } while (r.remaining > 0);
  return parts.schema;
}

/** Puts a schema together from its parts. */
class PartReader {
  private readonly texts = ['', '', ''];
  private readonly channels: ChannelDeclaration[] = [];
  private readonly numbers = new Set<number>();
  private readonly maxChannels: number;
  private parts = 0;

  constructor(maxChannels: number) {
    this.maxChannels = maxChannels;
  }

  get schema(): Schema {
    const [name = '', model = '', firmware = ''] = this.texts;
    return { name, model, firmware, channels: this.channels };
  }

  /** Reads one part, and not beyond it. */
  read(r: ByteReader): SchemaErrorCode | undefined {
    for (let i = 0; i < this.texts.length; i++) {
      const length = r.u8();
      const text = r.text(length);
      if (length > 0 && this.parts > 0) return 'misplaced-name';
      if (length > MAX_NAME_BYTES) return failureOf(r) ?? 'long-name';
      this.texts[i] += text;
    }
    this.parts++;
    const count = r.u8();
    for (let i = 0; i < count; i++) {
      const channel = readChannel(r);
      if (typeof channel === 'string') return channel;
      if (this.channels.length === this.maxChannels) return 'too-many-channels';
      if (this.numbers.has(channel.number)) return 'duplicate-channel';
      this.numbers.add(channel.number);
      this.channels.push(channel);
    }
    return failureOf(r);
  }
}

function readChannel(r: ByteReader): ChannelDeclaration | SchemaErrorCode {
  const number = r.u8();
  const type = valueTypeName(r.u8());
  const channelClass = channelClassName(r.u8());
  const scale = r.i8();
  const flags = r.u8();
  const nameLength = r.u8();
  const name = r.text(nameLength);
  const unitLength = r.u8();
  const unit = r.text(unitLength);
  // First what cannot be read at all: the zeros read past the end are no findings.
  const failure = failureOf(r);
  if (failure !== undefined) return failure;
  if (type === undefined) return 'unknown-value-type';
  if (nameLength === 0) return 'empty-name';
  if (nameLength > MAX_NAME_BYTES || unitLength > MAX_UNIT_BYTES) return 'long-name';
  return {
    number,
    type,
    class: channelClass,
    scale,
    writable: (flags & 1) !== 0,
    totalIncreasing: (flags & 2) !== 0,
    diagnostic: (flags & 4) !== 0,
    name,
    unit,
  };
}

function failureOf(r: ByteReader): 'short-read' | 'bad-utf8' | 'trailing-bytes' | undefined {
  return r.error?.code;
}

function encodeChannel(channel: ChannelDeclaration): Uint8Array {
  const w = new ByteWriter();
  w.u8(channel.number);
  w.u8(valueTypeCode(channel.type));
  w.u8(channelClassCode(channel.class));
  w.i8(channel.scale);
  w.u8((channel.writable ? 1 : 0) | (channel.totalIncreasing ? 2 : 0) | (channel.diagnostic ? 4 : 0));
  writeStr8(w, channel.name);
  writeStr8(w, channel.unit);
  return w.finish();
}

function checkSchema(schema: Schema, maxChannels: number): void {
  const { name, model, firmware, channels } = schema;
  for (const text of [name, model, firmware]) checkText(text, 0, MAX_NAME_BYTES);
  if (channels.length > maxChannels) throw new RangeError(`${channels.length} channels`);
  if (new Set(channels.map(({ number }) => number)).size < channels.length) throw new RangeError('duplicate channel');
  for (const channel of channels) {
    checkText(channel.name, 1, MAX_NAME_BYTES);
    checkText(channel.unit, 0, MAX_UNIT_BYTES);
  }
}

function checkText(text: string, min: number, max: number): void {
  const length = utf8Length(text);
  if (length < min || length > max) throw new RangeError(`a text of ${length} bytes, where ${min} to ${max} may be`);
}
