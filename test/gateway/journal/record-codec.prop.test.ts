import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  findRecord,
  idHalves,
  idOf,
  KIND,
  kindAt,
  lsnAt,
  MAX_RECORD_BYTES,
  readDevice,
  readHeader,
  readMark,
  readRecord,
  RecordBuffer,
  recordAt,
  saltRecords,
  segmentSalt,
  storedSchema,
  schemaBytes,
} from '../../../gateway/journal/record-codec.ts';
import type { Sample, Schema } from '../../../protocol/index.ts';

const ID = (n: number): string => n.toString(16).padStart(16, '0');
const u32 = fc.nat(0xffff_ffff);
const u53 = fc.nat(Number.MAX_SAFE_INTEGER);
const id = fc.bigInt(0n, 2n ** 64n - 1n).map((bits) => bits.toString(16).padStart(16, '0'));
const values = fc.array(
  fc
    .oneof(
      fc.record({ type: fc.constant('u32' as const), value: u32 }),
      fc.record({ type: fc.constant('i64' as const), value: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) }),
      fc.record({ type: fc.constant('f64' as const), value: fc.double() }),
      fc.record({ type: fc.constant('bytes' as const), value: fc.uint8Array({ maxLength: 255 }) }),
      fc.record({
        type: fc.constant('string' as const),
        value: fc
          .string({ maxLength: 60, unit: 'grapheme' })
          .filter((text) => new TextEncoder().encode(text).length < 256),
      }),
    )
    .chain((typed) =>
      fc
        .record({ channel: fc.nat(255), quality: fc.constantFrom('good' as const, 'fault' as const) })
        .map((more) => ({ ...more, ...typed })),
    ),
  { minLength: 1, maxLength: 20 },
);
const samples = fc.array(fc.record({ timeKind: fc.constant('unix' as const), time: u53, values }), {
  minLength: 1,
  maxLength: 8,
}) as fc.Arbitrary<Sample[]>;

describe('the record codec', () => {
  it('gives back every record, and no record under another salt', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(u53, id, u32, u32, u53, samples), { minLength: 1, maxLength: 10 }),
        u32,
        u32,
        (all, salt, other) => {
          const buffer = new RecordBuffer(32);
          for (const [lsn, id, boot, seq, receivedAt, samples] of all) {
            buffer.record(lsn, idHalves(id), { boot, seq, receivedAt, samples });
          }
          const bytes = buffer.bytes.slice();
          saltRecords(bytes, salt);
          let at = 0;
          for (const [lsn, , boot, seq, receivedAt, samples] of all) {
            const length = recordAt(bytes, at, bytes.length, salt);
            expect(length).toBeGreaterThan(0);
            expect([kindAt(bytes, at), lsnAt(bytes, at)]).toEqual([KIND.record, lsn]);
            expect(readRecord(bytes, at)).toEqual({ boot, seq, receivedAt, samples });
            if (other !== salt) expect(recordAt(bytes, at, bytes.length, other)).toBe(0);
            at += length;
          }
          expect(at).toBe(bytes.length);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('gives back the schema of a device with a channel for every number', () => {
    const channels = Array.from({ length: 256 }, (_, number) => ({
      number,
      type: 'f64' as const,
      class: 'none' as const,
      scale: 0,
      writable: false,
      totalIncreasing: false,
      diagnostic: false,
      name: `${'c'.repeat(60)}${number}`,
      unit: 'x'.repeat(16),
    }));
    const schema: Schema = { name: 'n', model: 'm', firmware: 'f', channels };
    expect(storedSchema(schemaBytes(schema))).toEqual(schema);
    expect(storedSchema(schemaBytes({ ...schema, channels: [] }))).toEqual({ ...schema, channels: [] });
  });

  it('gives back header, mark and device', () => {
    const schema: Schema = {
      name: 'n',
      model: 'm',
      firmware: '1',
      channels: [
        {
          number: 3,
          type: 'i16',
          class: 'temperature',
          scale: -2,
          writable: true,
          totalIncreasing: false,
          diagnostic: true,
          name: 'Außen',
          unit: '°C',
        },
      ],
    };
    fc.assert(
      fc.property(id, u32, u53, u32, u53, u53, u32, (id, number, firstLsn, boot, nextSeq, newestLsn, schemaCrc) => {
        const buffer = new RecordBuffer(16);
        buffer.header({ journalId: id, number, firstLsn });
        const device = { ...idHalves(id), boot, nextSeq, newestLsn, schemaCrc, schema: schemaBytes(schema) };
        buffer.device(firstLsn, device);
        const mark = { start: boot, groupBytes: number, accepted: newestLsn };
        buffer.mark(firstLsn, mark);
        const salt = segmentSalt(id, number);
        saltRecords(buffer.bytes, salt);
        const { bytes } = buffer;
        expect(readHeader(bytes)).toEqual({ journalId: id, number, firstLsn });
        const second = recordAt(bytes, 0, bytes.length, salt);
        expect(readDevice(bytes, second)).toEqual(device);
        expect(storedSchema(readDevice(bytes, second)!.schema)).toEqual(schema);
        expect(readMark(bytes, second + recordAt(bytes, second, bytes.length, salt))).toEqual(mark);
        expect(idOf(device.high, device.low)).toBe(id);
      }),
    );
  });

  it('takes any bytes without throwing, whatever they are taken for', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), u32, (bytes, salt) => {
        for (let at = 0; at <= bytes.length; at++)
          expect(recordAt(bytes, at, bytes.length, salt)).toBeLessThanOrEqual(bytes.length);
        findRecord(bytes, 0, bytes.length, salt);
        readHeader(bytes);
      }),
    );
    // Behind a right checksum, too, anything may stand.
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
        const buffer = new RecordBuffer(16);
        buffer.device(1, { ...idHalves(ID(0)), boot: 0, nextSeq: 0, newestLsn: 0, schemaCrc: 0, schema: body });
        storedSchema(readDevice(buffer.bytes, 0)!.schema);
        readRecord(buffer.bytes, 0);
        readMark(buffer.bytes, 0);
      }),
    );
  });

  it('finds the next record behind damage, and only whole ones', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), u32, samples, (junk, salt, samples) => {
        const buffer = new RecordBuffer();
        buffer.record(7, idHalves(ID(1)), { boot: 1, seq: 1, receivedAt: 0, samples });
        saltRecords(buffer.bytes, salt);
        const bytes = new Uint8Array([...junk, ...buffer.bytes]);
        expect(findRecord(bytes, 0, bytes.length, salt)).toBe(junk.length);
        expect(findRecord(bytes, 0, bytes.length - 1, salt)).toBe(-1);
        expect(findRecord(bytes, 0, bytes.length, salt, KIND.mark)).toBe(-1);
      }),
    );
    expect(MAX_RECORD_BYTES).toBeLessThan(65_536);
  });

  it('writes nothing of a record that cannot be said', () => {
    const buffer = new RecordBuffer();
    buffer.mark(1, { start: 0, groupBytes: 0, accepted: 0 });
    const before = buffer.length;
    const content = { boot: 1, seq: 1, receivedAt: 0, samples: [] };
    expect(() => buffer.record(1, idHalves(ID(1)), content)).toThrow(RangeError);
    expect(buffer.length).toBe(before);
  });
});
