import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CODEC_NAMES, profileCodec } from '../../../protocol/index.ts';
import type { FrameDecoder } from '../../../protocol/index.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

interface Seen {
  readonly frames: string[];
  bytes: number;
}

function drain(decoder: FrameDecoder, seen: Seen): void {
  for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
    if (item.kind === 'frame') seen.frames.push(hex(item.bytes));
    seen.bytes += item.wireLength;
  }
}

describe.each(CODEC_NAMES)('%s', (name) => {
  const profile = profileCodec(name)!;
  const position = name === 'gt06' ? 'position' : 'data';
  const good = [
    profile.open().encode('login', {}),
    profile.open().encode(position, { latitude: 12.5, longitude: -3.25, speed: 40, ignition: true }),
    profile.open().encode('response', { response: 'fine' }),
  ];
  /** Good frames, torn ones, flipped ones and noise, one behind the other. */
  const traffic = fc
    .array(
      fc.oneof(
        fc.constantFrom(...good),
        fc
          .tuple(fc.constantFrom(...good), fc.nat(40))
          .map(([frame, cut]) => frame.subarray(0, Math.max(1, frame.length - cut))),
        fc.tuple(fc.constantFrom(...good), fc.nat()).map(([frame, bit]) => {
          const flipped = frame.slice();
          flipped[(bit >> 3) % frame.length]! ^= 1 << (bit & 7);
          return flipped;
        }),
        fc.uint8Array({ maxLength: 40 }),
      ),
      { maxLength: 8 },
    )
    .map((parts) => Uint8Array.from(parts.flatMap((part) => Array.from(part))));

  it('accounts for every byte, and finds the same frames however the bytes are cut', () => {
    fc.assert(
      fc.property(traffic, fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (bytes, cuts) => {
        const whole: Seen = { frames: [], bytes: 0 };
        const decoder = profile.open().createDecoder();
        decoder.push(bytes.slice());
        drain(decoder, whole);
        expect(whole.bytes + decoder.buffered).toBe(bytes.length);
        const pieces: Seen = { frames: [], bytes: 0 };
        const slow = profile.open().createDecoder();
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = cuts[i % cuts.length]!;
          slow.push(bytes.slice(at, at + size));
          drain(slow, pieces);
          at += size;
        }
        expect(pieces.frames).toEqual(whole.frames);
        slow.end();
        drain(slow, pieces);
        expect(pieces.bytes).toBe(bytes.length);
        expect(slow.buffered).toBe(0);
      }),
    );
  });

  it('reads and explains any bytes without throwing, and names every byte', () => {
    fc.assert(
      fc.property(fc.oneof(traffic, fc.uint8Array({ maxLength: 80 })), (bytes) => {
        const instance = profile.open();
        instance.decode(bytes);
        instance.failedChecksum(bytes);
        instance.answer(bytes, {});
        const { parts } = instance.explain(bytes);
        let at = 0;
        for (const { from, to } of parts) {
          expect(from).toBe(at);
          at = to;
        }
        expect(at).toBe(bytes.length);
      }),
    );
  });

  it('takes no frame with a flipped bit', () => {
    for (const frame of good) {
      for (let bit = 0; bit < frame.length * 8; bit++) {
        const flipped = frame.slice();
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        const decoder = profile.open().createDecoder();
        decoder.push(flipped);
        const seen: Seen = { frames: [], bytes: 0 };
        drain(decoder, seen);
        // A login has no checksum of its own; a digit of it is as good as another. A wrong length is forgiven where the CRC is right.
        if (name === 'teltonika' && frame === good[0]) continue;
        expect(seen.frames.filter((text) => text !== hex(frame))).toEqual([]);
      }
    }
  });
});
