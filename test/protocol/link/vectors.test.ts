import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  decodeBody,
  decodeFrame,
  encodeMessage,
  encodeSchemaParts,
  encodeStreamFrame,
  explain,
  linkStreamDecoder,
  MESSAGES,
  SchemaAssembler,
  schemaCrc,
  VALUE_TYPES,
} from '../../../protocol/index.ts';
import type { Message } from '../../../protocol/index.ts';

interface Vectors {
  frames: {
    name: string;
    hex: string;
    cobs: string;
    header: { down: boolean; ackWanted: boolean; critical: boolean; sid: number; seq: number };
    message: { type: string };
    decodeOnly?: true;
  }[];
  bad: { name: string; hex: string; error: { code: string; offset: number; field?: string } }[];
  schemas: { name: string; parts: string[]; crc: number; schema?: unknown; error?: { code: string } }[];
}

const vectors = JSON.parse(readFileSync(new URL('../../vectors/link.json', import.meta.url), 'utf8')) as Vectors;
const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** A message as the vectors write it: big integers and odd numbers as strings, bytes as hex. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return hexOf(value);
  if (Object.is(value, -0)) return '-0';
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

describe('good frames', () => {
  it.each(vectors.frames)('$name', ({ hex, cobs, header, message, decodeOnly }) => {
    const bytes = bytesOf(hex);
    const decoded = decodeFrame(bytes);
    if (!decoded.ok) throw new Error(decoded.code);
    expect(decoded.frame).toMatchObject({ ...header, version: 1, security: 0 });
    const body = decodeBody(decoded.frame);
    if (!body.ok) throw new Error(`${body.code} at ${body.offset}`);
    expect(plain(body.message)).toEqual(message);
    if (decodeOnly !== true) expect(hexOf(encodeMessage(body.message, header))).toBe(hex);
    expect(hexOf(encodeStreamFrame(bytes))).toBe(cobs);
    const stream = linkStreamDecoder();
    stream.push(bytesOf(cobs));
    const item = stream.next();
    expect(item?.kind === 'frame' && hexOf(item.bytes)).toBe(hex);
    for (const [form, wire] of [
      ['frame', hex],
      ['cobs', cobs],
    ] as const) {
      const explanation = explain(bytesOf(wire));
      expect(explanation).toMatchObject({ form, ok: true, frames: [{ name: message.type }] });
      expect(plain(explanation.frames[0]?.message)).toEqual(message);
    }
  });

  it('are there for every message and every value type', () => {
    const messages = new Set(vectors.frames.map(({ message }) => message.type));
    expect([...messages].toSorted()).toEqual(MESSAGES.map(({ name }) => name as string).toSorted());
    const text = JSON.stringify(vectors.frames);
    for (const { name } of VALUE_TYPES) expect(text).toContain(`"type":"${name}"`);
  });

  it('keep what they were decoded to when their bytes are overwritten', () => {
    for (const { hex, message } of vectors.frames) {
      const bytes = bytesOf(hex);
      const decoded = decodeFrame(bytes);
      const body = decoded.ok ? decodeBody(decoded.frame) : undefined;
      bytes.fill(0xaa);
      expect(body?.ok && plain(body.message)).toEqual(message);
    }
  });
});

describe('bad frames', () => {
  it.each(vectors.bad)('$name', ({ hex, error }) => {
    const decoded = decodeFrame(bytesOf(hex));
    const failure = decoded.ok ? decodeBody(decoded.frame) : decoded;
    expect(failure).toMatchObject({ ok: false, ...error });
    const { frames } = explain(bytesOf(hex), 'frame');
    expect(frames[0]).toMatchObject({ ok: false, problem: { code: error.code, offset: error.offset } });
  });
});

describe('schemas', () => {
  it.each(vectors.schemas)('$name', ({ parts, crc, schema, error }) => {
    const contents = parts.map(bytesOf);
    expect(schemaCrc(contents)).toBe(crc);
    const assembler = new SchemaAssembler();
    const results = contents.map((content, part) => assembler.add({ crc, part, parts: parts.length, content }));
    expect(results.at(-1)).toBe(error?.code ?? 'complete');
    expect(assembler.schema).toEqual(schema);
  });
});

function number(value: number | bigint, type: 'u8' | 'i64' | 'f32'): Message {
  const values = [{ channel: 1, type, quality: 'good' as const, value }];
  return { type: 'READINGS', samples: [{ timeKind: 'now', time: 0, values }] };
}

describe('encodeMessage', () => {
  it('leaves no byte of an earlier message behind', () => {
    const value = { channel: 255, type: 'bytes', quality: 'good', value: new Uint8Array(255).fill(0xff) } as const;
    const junk: Message = { type: 'READINGS', samples: [{ timeKind: 'now', time: 0, values: [value, value, value] }] };
    for (const { hex, header, decodeOnly } of vectors.frames) {
      const decoded = decodeFrame(bytesOf(hex));
      const body = decoded.ok ? decodeBody(decoded.frame) : undefined;
      if (!body?.ok) throw new Error('bad vector');
      if (decodeOnly === true) continue;
      encodeMessage(junk, { sid: 0xffff_ffff, seq: 0xffff_ffff, critical: true });
      expect(hexOf(encodeMessage(body.message, header))).toBe(hex);
    }
  });

  it('refuses what a field does not take', () => {
    const header = { sid: 1, seq: 1 };
    expect(() => encodeMessage({ type: 'ACK', seq: -1, map: 0, flags: { schemaWanted: false } }, header)).toThrow(
      RangeError,
    );
    expect(() => encodeMessage({ type: 'GAP', first: 0, lost: 0 }, header)).toThrow(RangeError);
    expect(() => encodeMessage({ type: 'BYE', reason: 'unknown' }, header)).toThrow(RangeError);
    expect(() => encodeMessage({ type: 'LOG', level: 'info', text: 'x'.repeat(256) }, header)).toThrow(RangeError);
    expect(() => encodeMessage({ type: 'READINGS', samples: [] }, header)).toThrow(RangeError);
    expect(() => encodeMessage(number(256, 'u8'), header)).toThrow(RangeError);
    expect(() => encodeMessage(number(1, 'i64'), header)).toThrow(RangeError);
    expect(() => encodeMessage(number(1n, 'u8'), header)).toThrow(RangeError);
    expect(() => encodeMessage(number(1e300, 'f32'), header)).toThrow(RangeError);
    const content = new Uint8Array(1200);
    expect(() => encodeMessage({ type: 'SCHEMA', crc: 1, part: 0, parts: 1, content }, header)).toThrow(RangeError);
    expect(() => encodeMessage({ type: 'GAP', first: 1, lost: 1 }, { sid: 2 ** 32, seq: 1 })).toThrow(RangeError);
  });

  it('splits a schema so that every part fits', () => {
    const channels = Array.from({ length: 64 }, (_, number) => ({
      number,
      type: 'f32' as const,
      class: 'temperature' as const,
      scale: 0,
      writable: false,
      totalIncreasing: false,
      diagnostic: number % 2 === 0,
      name: `channel number ${number}`,
      unit: '°C',
    }));
    const schema = { name: 'Big', model: '', firmware: '', channels };
    const parts = encodeSchemaParts(schema, 200);
    expect(parts.length).toBeGreaterThan(1);
    expect(Math.max(...parts.map((part) => part.length))).toBeLessThanOrEqual(200);
    expect(() => encodeSchemaParts(schema, 100)).toThrow(RangeError);
    expect(() => encodeSchemaParts(schema, 20)).toThrow(RangeError);
    expect(() => encodeSchemaParts({ ...schema, channels: [...channels, ...channels] }, 1000)).toThrow(RangeError);
    // In any order, doubled, after parts of another schema.
    const assembler = new SchemaAssembler();
    const crc = schemaCrc(parts);
    expect(assembler.add({ crc: 9, part: 1, parts: 3, content: parts[0]! })).toBe('more');
    const order = parts.map((_, part) => part).toReversed();
    for (const part of [...order.slice(0, -1), 1]) {
      expect(assembler.add({ crc, part, parts: parts.length, content: parts[part]! })).toBe('more');
    }
    expect(assembler.add({ crc, part: 0, parts: parts.length, content: parts[0]! })).toBe('complete');
    expect(assembler.schema).toEqual(schema);
    expect(assembler.add({ crc, part: 1, parts: parts.length, content: parts[1]! })).toBe('complete');
    expect(assembler.add({ crc: crc ^ 1, part: 0, parts: 1, content: parts[0]! })).toBe('bad-schema-crc');
    expect(assembler.schema).toBeUndefined();
  });

  it('holds no more than 4,096 bytes of a schema', () => {
    const assembler = new SchemaAssembler();
    const content = new Uint8Array(1000);
    for (let part = 0; part < 4; part++) expect(assembler.add({ crc: 5, part, parts: 16, content })).toBe('more');
    expect(assembler.add({ crc: 5, part: 4, parts: 16, content })).toBe('schema-too-large');
  });
});
