import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CHANNEL_CLASSES,
  decodeBody,
  decodeFrame,
  encodeFrame,
  encodeMessage,
  encodeSchemaParts,
  encodeStreamFrame,
  explain,
  fitsType,
  HEADER_BYTES,
  MESSAGES,
  QUALITIES,
  SchemaAssembler,
  schemaCrc,
  VALUE_TYPES,
} from '../../../protocol/index.ts';
import type { FieldDeclaration, Message, MessageDeclaration, Value } from '../../../protocol/index.ts';

const u8 = fc.integer({ min: 0, max: 0xff });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const ms = fc.maxSafeNat();
const text = (max: number): fc.Arbitrary<string> =>
  fc.string({ unit: 'binary', maxLength: max }).filter((text) => Buffer.byteLength(text) <= max);

const content = {
  bool: fc.boolean(),
  u8,
  i8: fc.integer({ min: -128, max: 127 }),
  u16: fc.integer({ min: 0, max: 0xffff }),
  i16: fc.integer({ min: -0x8000, max: 0x7fff }),
  u32,
  i32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  u64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  i64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  f32: fc.float(),
  f64: fc.double(),
  string: text(40),
  bytes: fc.uint8Array({ maxLength: 40 }),
};
const value: fc.Arbitrary<Value> = fc.constantFrom(...VALUE_TYPES.map(({ name }) => name)).chain((type) =>
  fc.record({
    channel: u8,
    type: fc.constant(type),
    quality: fc.constantFrom(...QUALITIES.map(({ name }) => name)),
    value: content[type] as fc.Arbitrary<Value['value']>,
  }),
);
const values = fc.array(value, { minLength: 1, maxLength: 8 });
const sample = fc.oneof(
  fc.record({ timeKind: fc.constant('now'), time: fc.constant(0), values }),
  fc.record({ timeKind: fc.constant('uptime'), time: u32, values }),
  fc.record({ timeKind: fc.constant('unix'), time: ms, values }),
);

function fieldArbitrary(field: FieldDeclaration): fc.Arbitrary<unknown> {
  const within = (max: number): fc.Arbitrary<number> =>
    fc.integer({ min: field.min ?? 0, max: Math.min(max, field.max ?? Infinity) });
  switch (field.type) {
    case 'u8':
      return within(0xff);
    case 'u16':
      return within(0xffff);
    case 'u32':
      return within(0xffff_ffff);
    case 'u64':
      return content.u64;
    case 'ms':
      return ms;
    case 'str8':
      return text(100);
    case 'flags8':
    case 'flags16':
      return fc.record(Object.fromEntries((field.bits ?? []).map(({ name }) => [name, fc.boolean()])));
    case 'code8':
      return fc.constantFrom(...(field.codes ?? []).map(({ name }) => name));
    case 'value':
      return value;
    case 'samples':
      return fc.array(sample, { minLength: 1, maxLength: 2 });
    default:
      return fc.uint8Array({ maxLength: 300 });
  }
}

/** Any message with a header that fits it. */
const any = fc.constantFrom<MessageDeclaration>(...MESSAGES).chain((declaration) =>
  fc
    .record({
      message: fc
        .record(Object.fromEntries(declaration.fields.map((field) => [field.name, fieldArbitrary(field)])))
        .map((fields) => ({ type: declaration.name, ...fields }) as unknown as Message),
      header: fc.record({
        sid: declaration.sid === 'zero' ? fc.constant(0) : fc.integer({ min: 1, max: 0xffff_ffff }),
        seq: declaration.name === 'HELLO' ? fc.constant(0) : fc.integer({ min: 1, max: 0xffff_ffff }),
        down: fc.boolean(),
        ackWanted: fc.boolean(),
        critical: fc.boolean(),
      }),
    })
    .filter(({ message, header }) => {
      if (message.type === 'HELLO') return message.minVersion <= message.maxVersion;
      if (message.type === 'SCHEMA') return message.part < message.parts;
      return message.type !== 'GAP' || message.first <= header.seq;
    }),
);

/** Frames that are nearly good: a right header and CRC around anything. */
const nearly = fc
  .record({
    type: fc.integer({ min: 0, max: 0x10 }),
    sid: fc.constantFrom(0, 7),
    seq: fc.constantFrom(0, 1, 0xffff_ffff),
    down: fc.boolean(),
    ackWanted: fc.boolean(),
    critical: fc.boolean(),
    body: fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc
        .array(fc.constantFrom(0, 1, 2, 3, 4, 0x0b, 0x0c, 0x41, 0x81, 0xff), { maxLength: 60 })
        .map((body) => Uint8Array.from(body)),
    ),
  })
  .map(({ body, ...header }) => encodeFrame(header, body));

describe('messages', () => {
  it('come back as they were sent', () => {
    fc.assert(
      fc.property(any, ({ message, header }) => {
        const decoded = decodeFrame(encodeMessage(message, header));
        if (!decoded.ok) throw new Error(decoded.code);
        expect(decoded.frame).toMatchObject({ sid: header.sid, seq: header.seq, critical: header.critical });
        expect(decodeBody(decoded.frame)).toEqual({ ok: true, message });
      }),
      { numRuns: 1_000 },
    );
  });

  it('never come from a frame with flipped bits', () => {
    // CRC-32 finds every burst of up to 32 bits.
    fc.assert(
      fc.property(any, fc.nat(), fc.integer({ min: 1, max: 0xffff_ffff }), ({ message, header }, place, burst) => {
        const frame = encodeMessage(message, header);
        const view = new DataView(frame.buffer);
        const at = place % (frame.length - 3);
        view.setUint32(at, view.getUint32(at) ^ burst);
        expect(decodeFrame(frame).ok).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });

  it('are never thrown about: any bytes give a message or a failure inside the frame', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), nearly), (bytes) => {
        const decoded = decodeFrame(bytes);
        const result = decoded.ok ? decodeBody(decoded.frame) : decoded;
        if (result.ok) return;
        expect(result.offset).toBeGreaterThanOrEqual(0);
        expect(result.offset).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 2_000 },
    );
  });

  it('that decode can be encoded again, with unknown codes the only exception', () => {
    fc.assert(
      fc.property(nearly, (bytes) => {
        const decoded = decodeFrame(bytes);
        const body = decoded.ok ? decodeBody(decoded.frame) : undefined;
        if (!decoded.ok || !body?.ok || Object.values(body.message).includes('unknown')) return;
        const again = decodeFrame(encodeMessage(body.message, decoded.frame));
        expect(again.ok && decodeBody(again.frame)).toEqual(body);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('explain', () => {
  it('names every byte once, says what decoding says, and shows nothing unprintable', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          nearly,
          any.map(({ message, header }) => encodeMessage(message, header)),
        ),
        (bytes) => {
          for (const { frames } of [explain(bytes, 'frame'), explain(encodeStreamFrame(bytes), 'cobs')]) {
            const [frame] = frames;
            if (frame === undefined) throw new Error('no frame');
            let at = 0;
            for (const { offset, length, value, name } of frame.ranges) {
              expect(offset).toBe(at);
              at += length;
              expect(`${name} ${value}`).not.toMatch(/[\p{Cc}\p{Cf}]/u);
            }
            expect(at).toBe(bytes.length);
            const decoded = decodeFrame(bytes);
            const result = decoded.ok ? decodeBody(decoded.frame) : decoded;
            if (!result.ok) expect(frame.problem).toMatchObject({ code: result.code, offset: result.offset });
            else if (frame.problem === undefined) expect(frame.message).toEqual(result.message);
            else expect(result.message.type).toBe('SCHEMA');
          }
        },
      ),
      { numRuns: 1_500 },
    );
  });

  it('finds the same reason and place as decoding when it stops inside a body', () => {
    fc.assert(
      fc.property(nearly, (bytes) => {
        const decoded = decodeFrame(bytes);
        const body = decoded.ok ? decodeBody(decoded.frame) : undefined;
        const [frame] = explain(bytes, 'frame').frames;
        if (body === undefined || body.ok || body.offset < HEADER_BYTES || body.code === 'out-of-range') return;
        const last = frame?.ranges.findLast(({ name, offset }) => offset < bytes.length - 4 && name !== 'unread');
        const end = last === undefined ? 0 : last.offset + last.length;
        expect(body.offset).toBeGreaterThanOrEqual(last?.offset ?? 0);
        if (body.code === 'short-read') expect(body.offset - end).toBeLessThanOrEqual(1);
        expect(frame?.problem?.text).not.toContain('out of range');
      }),
      { numRuns: 1_500 },
    );
  });

  it('never throws on any bytes, whatever they are taken for', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.constantFrom('auto', 'frame', 'cobs'), (bytes, form) => {
        const { frames, ok } = explain(bytes, form);
        expect(frames.length).toBeGreaterThan(0);
        expect(ok).toBe(frames.every((frame) => frame.problem === undefined));
      }),
    );
  });
});

describe('schemas', () => {
  const channel = fc.record({
    type: fc.constantFrom(...VALUE_TYPES.map(({ name }) => name)),
    class: fc.constantFrom(...CHANNEL_CLASSES.map(({ name }) => name)),
    scale: content.i8,
    writable: fc.boolean(),
    totalIncreasing: fc.boolean(),
    diagnostic: fc.boolean(),
    name: text(16).filter((name) => name !== ''),
    unit: text(8),
  });
  it('come back from their parts, in any order', () => {
    fc.assert(
      fc.property(
        fc.record({
          name: text(16),
          model: text(16),
          firmware: text(16),
          channels: fc.array(channel, { maxLength: 64 }),
        }),
        fc.integer({ min: 256, max: 1000 }),
        fc.infiniteStream(fc.nat(15)),
        ({ channels, ...names }, maxContentBytes, order) => {
          const schema = { ...names, channels: channels.map((channel, number) => ({ number, ...channel })) };
          const parts = encodeSchemaParts(schema, maxContentBytes);
          const crc = schemaCrc(parts);
          const assembler = new SchemaAssembler();
          const missing = parts.map((_, part) => part);
          let result = '';
          while (missing.length > 0) {
            const [part = 0] = missing.splice(order.next().value! % missing.length, 1);
            result = assembler.add({ crc, part, parts: parts.length, content: parts[part]! });
          }
          expect(result).toBe('complete');
          expect(assembler.schema).toEqual(schema);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('fitsType', () => {
  it('says yes exactly to what can be encoded', () => {
    const anything = fc.oneof(
      value,
      fc.record({ value: fc.anything(), type: fc.constantFrom(...VALUE_TYPES.map(({ name }) => name)) }),
    );
    fc.assert(
      fc.property(anything, ({ type, value }) => {
        let encoded = true;
        const samples = [
          {
            timeKind: 'now' as const,
            time: 0,
            values: [{ channel: 1, type, quality: 'good' as const, value: value as never }],
          },
        ];
        try {
          encodeMessage({ type: 'READINGS', samples }, { sid: 1, seq: 1 });
        } catch {
          encoded = false;
        }
        expect(fitsType(type, value)).toBe(encoded);
      }),
      { numRuns: 1_000 },
    );
  });
});
