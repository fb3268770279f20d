import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  cobsDecoder,
  cobsEncode,
  cobsEncoder,
  delimitedDecoder,
  delimitedEncoder,
  encodeCobsInto,
  fixedDecoder,
  fixedEncoder,
  gapDecoder,
  gapEncoder,
  hdlcDecoder,
  hdlcEncoder,
  lengthDecoder,
  lengthEncoder,
  maxCobsLength,
  slipDecoder,
  slipEncoder,
  typeLengthDecoder,
  typeLengthEncoder,
  untilCloseDecoder,
  untilCloseEncoder,
  xor8,
} from '../../../protocol/index.ts';
import type { FrameDecoder, FrameEncoder } from '../../../protocol/index.ts';
import { bytesOf, concat, cut, framesOf, hexOf, normalized, run } from './support.ts';
import type { Seen } from './support.ts';

interface Vector {
  readonly name: string;
  readonly strategy: keyof typeof STRATEGIES;
  readonly options: Readonly<Record<string, unknown>>;
  readonly hex: string;
  readonly value: Seen[];
  /** The frames alone, encoded in order, give exactly `hex`. */
  readonly encode?: true;
}

/* The options come from JSON and are checked by what the vectors expect. */
type Make<T> = (options: never) => T;

const STRATEGIES = {
  cobs: [cobsDecoder, cobsEncoder],
  slip: [slipDecoder, slipEncoder],
  hdlc: [hdlcDecoder, hdlcEncoder],
  delimited: [delimitedDecoder, delimitedEncoder],
  length: [lengthDecoder, lengthEncoder],
  'type-length': [typeLengthDecoder, typeLengthEncoder],
  fixed: [fixedDecoder, fixedEncoder],
  gap: [gapDecoder, gapEncoder],
  'until-close': [untilCloseDecoder, untilCloseEncoder],
} as const satisfies Record<string, readonly [Make<FrameDecoder>, Make<FrameEncoder>]>;

function optionsOf(vector: Vector): never {
  const options = { ...vector.options };
  for (const key of ['sync', 'trailer', 'delimiter']) {
    if (typeof options[key] === 'string') options[key] = bytesOf(options[key]);
  }
  if (options['verify'] === 'xor8') {
    options['verify'] = (frame: Uint8Array) => xor8(frame, 0, frame.length - 1) === frame.at(-1);
  }
  return options as never;
}

const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/framing.json', import.meta.url), 'utf8'),
) as readonly Vector[];

describe('framing vectors', () => {
  for (const vector of vectors) {
    const [decoder, encoder] = STRATEGIES[vector.strategy];
    const options = optionsOf(vector);
    const wire = bytesOf(vector.hex);

    describe(vector.name, () => {
      it('decodes in one chunk', () => {
        expect(normalized(run(decoder(options), [wire, 'end']))).toEqual(vector.value);
      });
      it('decodes one byte at a time', () => {
        expect(normalized(run(decoder(options), [...cut(wire, [1]), 'end']))).toEqual(vector.value);
      });
      it('decodes a chunk inside a larger buffer of junk', () => {
        const junk = new Uint8Array(wire.length + 20).fill(0xa5);
        junk.set(wire, 7);
        const chunk = junk.subarray(7, 7 + wire.length);
        expect(normalized(run(decoder(options), [chunk, 'end']))).toEqual(vector.value);
        expect(junk[6]).toBe(0xa5);
        expect(hexOf(chunk)).toBe(vector.hex);
      });
      it('survives the round trip', () => {
        const frames = framesOf(run(decoder(options), [wire, 'end']));
        const again = concat(frames.map((frame) => encoder(options)(bytesOf(frame))));
        expect(framesOf(run(decoder(options), [again, 'end']))).toEqual(frames);
      });
      if (vector.encode === true) {
        it('encodes', () => {
          const contents = vector.value.map((item) => ('frame' in item ? item.frame : ''));
          const encode = encoder(options);
          expect(hexOf(concat(contents.map((content) => encode(bytesOf(content)))))).toBe(vector.hex);
        });
      }
      if (vector.strategy === 'cobs' && vector.encode === true) {
        it('encodes into a buffer full of junk, and not one byte further', () => {
          const content = bytesOf((vector.value[0] as { frame: string }).frame);
          const target = new Uint8Array(maxCobsLength(content.length) + 6).fill(0xa5);
          const end = encodeCobsInto(content, target, 3);
          expect(hexOf(target.subarray(3, end))).toBe(vector.hex.slice(0, -2));
          expect(hexOf(cobsEncode(content))).toBe(vector.hex.slice(0, -2));
          expect([...target.subarray(0, 3), ...target.subarray(end)].every((byte) => byte === 0xa5)).toBe(true);
        });
      }
    });
  }
});
