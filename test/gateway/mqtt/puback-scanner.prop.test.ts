import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PubackScanner } from '../../../gateway/mqtt/puback-scanner.ts';

interface Packet {
  readonly bytes: readonly number[];
  /** What is to happen to it. */
  readonly ack?: readonly [number, number];
  readonly dropped?: true;
}

function packet(first: number, body: readonly number[]): number[] {
  const length: number[] = [];
  let rest = body.length;
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return [first, ...length, ...body];
}

const MAX_ID = 60_000;
const MAX_INCOMING = 300;
const id16 = (id: number): number[] => [id >>> 8, id & 0xff];
const ourId = fc.integer({ min: 1, max: MAX_ID });
const theirId = fc.integer({ min: MAX_ID + 1, max: 65_535 });
const tail = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 200 });

const anyPacket: fc.Arbitrary<Packet> = fc.oneof(
  ourId.map((id): Packet => ({ bytes: packet(0x40, id16(id)), ack: [id, 0] })),
  fc
    .tuple(ourId, fc.constantFrom(0, 0x10, 0x87), tail)
    .map(([id, code, more]): Packet => ({ bytes: packet(0x40, [...id16(id), code, ...more]), ack: [id, code] })),
  fc.tuple(theirId, tail).map(([id, more]): Packet => ({ bytes: packet(0x40, [...id16(id), ...more]) })),
  fc.constant({ bytes: packet(0xd0, []) }),
  fc.constant({ bytes: packet(0x40, [1]) }),
  fc
    .tuple(fc.constantFrom(0x20, 0x30, 0x32, 0x50, 0x90, 0xb0, 0xe0), tail)
    .map(([type, body]): Packet => ({ bytes: packet(type, body) })),
  fc.integer({ min: MAX_INCOMING + 1, max: 20_000 }).map(
    (size): Packet => ({
      bytes: packet(
        0x30,
        Array.from({ length: size }, () => 0x40),
      ),
      dropped: true,
    }),
  ),
);

function scan(
  bytes: Uint8Array,
  cuts: readonly number[],
): { acks: [number, number][]; passed: number[]; oversize: number } {
  const acks: [number, number][] = [];
  const passed: number[] = [];
  const scanner = new PubackScanner({
    maxId: MAX_ID,
    maxIncomingBytes: MAX_INCOMING,
    onPuback: (id, code) => acks.push([id, code]),
    pass: (chunk) => passed.push(...chunk),
  });
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    if (cut <= from) continue;
    scanner.push(bytes.subarray(from, cut));
    from = cut;
  }
  return { acks, passed, oversize: scanner.oversize };
}

describe('PubackScanner', () => {
  it('takes our PUBACKs and passes all else on, however the bytes are cut', () => {
    const stream = fc.array(anyPacket, { maxLength: 12 });
    fc.assert(
      fc.property(stream, fc.infiniteStream(fc.integer({ min: 1, max: 40 })), fc.boolean(), (packets, steps, whole) => {
        const bytes = Uint8Array.from(packets.flatMap((one) => one.bytes));
        const cuts: number[] = [];
        if (!whole) for (let at = 0; at < bytes.length; at += steps.next().value!) cuts.push(at);
        const result = scan(bytes, cuts);
        expect(result.acks).toEqual(packets.flatMap(({ ack }) => (ack === undefined ? [] : [[...ack]])));
        expect(result.passed).toEqual(
          packets.flatMap((one) => (one.ack === undefined && one.dropped === undefined ? one.bytes : [])),
        );
        expect(result.oversize).toBe(packets.filter((one) => one.dropped).length);
      }),
      { numRuns: 500 },
    );
  });

  it('cut into single bytes gives the same', () => {
    const bytes = Uint8Array.from([
      ...packet(0x40, [0, 1]),
      ...packet(0x40, [0, 2, 0x87, 0]),
      ...packet(0xd0, []),
      0x40,
    ]);
    const result = scan(bytes, Array.from(bytes.keys()));
    expect(result).toEqual({
      acks: [
        [1, 0],
        [2, 0x87],
      ],
      passed: [0xd0, 0],
      oversize: 0,
    });
  });

  it('leaves a malformed length to MQTT.js', () => {
    const bytes = Uint8Array.of(0x40, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x40, 2, 0, 1);
    expect(scan(bytes, [])).toEqual({ acks: [], passed: [...bytes], oversize: 0 });
  });

  it('never throws and never passes more than it got', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.nat(400)), (bytes, cuts) => {
        expect(
          scan(
            bytes,
            cuts.toSorted((a, b) => a - b),
          ).passed.length,
        ).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});
