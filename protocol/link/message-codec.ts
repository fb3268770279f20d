/**
 * Messages to bytes and back, by their declarations. Only samples and values have a codec by hand.
 *
 * ```
 *   LinkFrame ─ header against the declaration ─→ fields in order ─→ { type: 'ACK', seq, map, flags }
 * ```
 */
import { ByteReader, ByteWriter } from '../bytes.ts';
import { HEADER_BYTES, CRC_BYTES, MAX_DATAGRAM_BYTES, sealFrame, writeHeader } from './frame.ts';
import type { LinkFrame } from './frame.ts';
import { messageByName, messageByNumber } from './messages.ts';
import type { FieldDeclaration, MESSAGES, MessageDeclaration, MessageName } from './messages.ts';
import {
  readFailure,
  readMs,
  readSamples,
  readValue,
  writeMs,
  writeSamples,
  writeStr8,
  writeValue,
} from './readings.ts';
import type { Sample, SampleErrorCode } from './readings.ts';
import type { Value } from './value.ts';

type FieldValue<F> = F extends { type: 'u64' }
  ? bigint
  : F extends { type: 'u8' | 'u16' | 'u32' | 'ms' }
    ? number
    : F extends { type: 'str8' }
      ? string
      : F extends { type: 'flags8' | 'flags16'; bits: readonly { name: infer Bit extends string }[] }
        ? { readonly [B in Bit]: boolean }
        : F extends { type: 'code8'; codes: readonly { name: infer Code }[] }
          ? Code | 'unknown'
          : F extends { type: 'value' }
            ? Value
            : F extends { type: 'samples' }
              ? Sample[]
              : Uint8Array;

type MessageFor<D extends { name: string; fields: readonly { name: string }[] }> = { readonly type: D['name'] } & {
  readonly [F in D['fields'][number] as F['name']]: FieldValue<F>;
};

/** The message of one type: `type` and its declared fields. */
export type MessageOf<Name extends MessageName> = Name extends MessageName
  ? MessageFor<Extract<(typeof MESSAGES)[number], { name: Name }>>
  : never;

/** Any message; `type` tells which. A code that is not assigned reads as `unknown`, and cannot be written. */
export type Message = MessageOf<MessageName>;

export type ResultStatus = MessageOf<'RESULT'>['status'];
export type LogLevel = MessageOf<'LOG'>['level'];
export type ByeReason = MessageOf<'BYE'>['reason'];
export type LinkErrorCode = MessageOf<'ERROR'>['code'];

/** What the header of a message needs beyond the message. Direction and ack wanted follow from the type where they can. */
export interface MessageHeader {
  readonly sid: number;
  readonly seq: number;
  /** For types that go both ways: true from the gateway. */
  readonly down?: boolean;
  /** For LOG: true to have it acknowledged. */
  readonly ackWanted?: boolean;
  readonly critical?: boolean;
}

/** Why a good frame is no good message. */
export type BodyErrorCode =
  | SampleErrorCode
  /** The type number is not assigned. */
  | 'unknown-message'
  /** Downward where the type only goes up, or the other way round. */
  | 'wrong-direction'
  /** The ack-wanted bit missing where it must be, or set where it must not. */
  | 'wrong-ack'
  /** A sid where there must be none, or none where there must be one. */
  | 'bad-sid'
  /** HELLO with another seq than 0, or a reliable frame with 0. */
  | 'bad-seq'
  /** A field with a value that its declaration excludes. */
  | 'out-of-range';

/** `offset` is an index into the frame's `bytes`; `field` names the field, of the header or of the body. */
export interface BodyFailure {
  readonly ok: false;
  readonly code: BodyErrorCode;
  readonly offset: number;
  readonly field: string;
}

export type DecodedBody = { readonly ok: true; readonly message: Message } | BodyFailure;

const reader = new ByteReader(new Uint8Array(0));
const writer = new ByteWriter(new Uint8Array(MAX_DATAGRAM_BYTES));

/** Reads the message in a frame. Never throws. The message owns all it holds: the frame's bytes may change afterwards. */
export function decodeBody(frame: LinkFrame): DecodedBody {
  const declaration = messageByNumber(frame.type);
  if (declaration === undefined) return { ok: false, code: 'unknown-message', offset: 1, field: 'type' };
  const misfit = checkHeader(frame, declaration);
  if (misfit !== undefined) return misfit;
  const r = reader.reset(frame.bytes, frame.bodyStart, frame.bodyEnd);
  if (declaration.name === 'READINGS') {
    // The same as below, without the detour through the declaration.
    const samples = readSamples(r);
    if (!samples.ok) return { ok: false, code: samples.code, offset: samples.offset, field: 'samples' };
    return { ok: true, message: { type: 'READINGS', samples: samples.value } };
  }
  const message: Record<string, unknown> = { type: declaration.name };
  for (const field of declaration.fields) {
    const start = r.offset;
    const value = readField(r, field);
    if (isFailure(value)) return { ...value, field: field.name };
    if (!r.ok) return { ...readFailure(r), field: field.name };
    if (!inRange(field, value)) return { ok: false, code: 'out-of-range', offset: start, field: field.name };
    message[field.name] = value;
  }
  return checkTogether(message as unknown as Message, frame) ?? { ok: true, message: message as unknown as Message };
}

/** Whether the header is one that this type may have. */
export function checkHeader(frame: LinkFrame, declaration: MessageDeclaration): BodyFailure | undefined {
  if (declaration.direction !== 'both' && frame.down !== (declaration.direction === 'down')) {
    return { ok: false, code: 'wrong-direction', offset: 0, field: 'vf' };
  }
  if (declaration.reliable !== 'optional' && frame.ackWanted !== (declaration.reliable === 'always')) {
    return { ok: false, code: 'wrong-ack', offset: 0, field: 'vf' };
  }
  if (declaration.sid !== 'either' && (frame.sid === 0) !== (declaration.sid === 'zero')) {
    return { ok: false, code: 'bad-sid', offset: 2, field: 'sid' };
  }
  if (frame.ackWanted ? frame.seq === 0 : declaration.name === 'HELLO' && frame.seq !== 0) {
    return { ok: false, code: 'bad-seq', offset: 6, field: 'seq' };
  }
  return undefined;
}

/** What one field alone cannot tell. */
function checkTogether(message: Message, { seq, bodyStart }: LinkFrame): BodyFailure | undefined {
  switch (message.type) {
    case 'HELLO':
      if (message.minVersion <= message.maxVersion) return undefined;
      return { ok: false, code: 'out-of-range', offset: bodyStart + 1, field: 'maxVersion' };
    case 'SCHEMA':
      if (message.part < message.parts) return undefined;
      return { ok: false, code: 'out-of-range', offset: bodyStart + 4, field: 'part' };
    case 'GAP':
      if (message.first <= seq) return undefined;
      return { ok: false, code: 'out-of-range', offset: bodyStart, field: 'first' };
    default:
      return undefined;
  }
}

/** Whether a number is one that the field's declaration allows; values that are no numbers always are. */
export function inRange(field: FieldDeclaration, value: unknown): boolean {
  if (typeof value !== 'number') return true;
  return value >= (field.min ?? 0) && value <= (field.max ?? Infinity);
}

/** Writes the whole frame of a message. RangeError for a value that its field does not take, or a frame too long. */
export function encodeMessage(message: Message, header: MessageHeader): Uint8Array {
  const declaration = messageByName(message.type);
  const w = writer.reset();
  w.fill(0, HEADER_BYTES);
  writeBody(w, declaration, message);
  w.fill(0, CRC_BYTES);
  const frame = w.finish().slice();
  writeHeader(frame, headerOf(declaration, header));
  return sealFrame(frame);
}

/** Writes the body of a message alone, as `SendWindow.push` and `encodeFrame` take it. */
export function encodeBody(message: Message): Uint8Array {
  const w = writer.reset();
  writeBody(w, messageByName(message.type), message);
  return w.finish().slice();
}

/** The header of a message as `writeHeader` takes it: what its type fixes is filled in. */
export function headerOf(declaration: MessageDeclaration, header: MessageHeader): MessageHeader & { type: number } {
  const down = declaration.direction === 'both' ? header.down === true : declaration.direction === 'down';
  const ackWanted = declaration.reliable === 'optional' ? header.ackWanted === true : declaration.reliable === 'always';
  const { sid, seq, critical = false } = header;
  return { type: declaration.number, sid, seq, down, ackWanted, critical };
}

function isFailure(value: unknown): value is { ok: false; code: SampleErrorCode; offset: number } {
  return typeof value === 'object' && value !== null && 'ok' in value && value.ok === false;
}

/** The field's value, or a failure of its own kind; reads past the end are left to `r.ok`. */
function readField(r: ByteReader, field: FieldDeclaration): unknown {
  switch (field.type) {
    case 'u8':
      return r.u8();
    case 'u16':
      return r.u16();
    case 'u32':
      return r.u32();
    case 'u64':
      return r.u64();
    case 'ms': {
      const offset = r.offset;
      const ms = readMs(r);
      return ms < 0 ? { ok: false, code: 'bad-time', offset } : ms;
    }
    case 'str8':
      return r.text(r.u8());
    case 'flags8':
      return flagNames(field, r.u8());
    case 'flags16':
      return flagNames(field, r.u16());
    case 'code8':
      return codeName(field, r.u8());
    case 'value': {
      const value = readValue(r);
      return value.ok ? value.value : value;
    }
    case 'samples': {
      const samples = readSamples(r);
      return samples.ok ? samples.value : samples;
    }
    case 'rest':
      return r.rest().slice();
    default:
      throw new RangeError(`no such field type: ${String(field.type)}`);
  }
}

function flagNames(field: FieldDeclaration, flags: number): Record<string, boolean> {
  const names: Record<string, boolean> = {};
  for (const { bit, name } of field.bits ?? []) names[name] = ((flags >> bit) & 1) === 1;
  return names;
}

function codeName(field: FieldDeclaration, code: number): string {
  for (const entry of field.codes ?? []) if (entry.code === code) return entry.name;
  return 'unknown';
}

function writeBody(w: ByteWriter, declaration: MessageDeclaration, message: Message): void {
  const values = message as unknown as Readonly<Record<string, unknown>>;
  for (const field of declaration.fields) {
    const value = values[field.name];
    if (!inRange(field, value)) throw new RangeError(`${String(value)} is no ${declaration.name}.${field.name}`);
    writeField(w, field, value);
  }
}

function writeField(w: ByteWriter, field: FieldDeclaration, value: unknown): void {
  switch (field.type) {
    case 'u8':
    case 'u16':
    case 'u32':
      return w[field.type](value as number);
    case 'u64':
      return w.u64(value as bigint);
    case 'ms':
      return writeMs(w, value as number);
    case 'str8':
      return writeStr8(w, value as string);
    case 'flags8':
      return w.u8(flagBits(field, value as Record<string, boolean>));
    case 'flags16':
      return w.u16(flagBits(field, value as Record<string, boolean>));
    case 'code8': {
      const entry = field.codes?.find(({ name }) => name === value);
      if (entry === undefined) throw new RangeError(`${String(value)} is no ${field.name}`);
      return w.u8(entry.code);
    }
    case 'value':
      return writeValue(w, value as Value);
    case 'samples':
      return writeSamples(w, value as Sample[]);
    case 'rest':
      return w.bytes(value as Uint8Array);
    default:
      throw new RangeError(`no such field type: ${String(field.type)}`);
  }
}

function flagBits(field: FieldDeclaration, flags: Readonly<Record<string, boolean>>): number {
  let bits = 0;
  for (const { bit, name } of field.bits ?? []) if (flags[name] === true) bits |= 1 << bit;
  return bits;
}
