import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ByteReader,
  ByteWriter,
  crc32,
  cobsDecoder,
  cobsEncoder,
  datagramDecoder,
  datagramEncoder,
  delimitedDecoder,
  delimitedEncoder,
  fixedDecoder,
  fixedEncoder,
  gapDecoder,
  gapEncoder,
  hdlcDecoder,
  hdlcEncoder,
  lengthDecoder,
  lengthEncoder,
  slipDecoder,
  slipEncoder,
  typeLengthDecoder,
  typeLengthEncoder,
  untilCloseDecoder,
  untilCloseEncoder,
} from '../../../protocol/index.ts';
import type { DelimitedOptions, FrameDecoder, FrameEncoder, Item, LengthOptions } from '../../../protocol/index.ts';
import { concat, cut, framesOf, hexOf, normalized, run } from './support.ts';
import type { Event } from './support.ts';

interface Strategy {
  readonly name: string;
  readonly decoder: () => FrameDecoder;
  readonly encoder: FrameEncoder;
  readonly content: fc.Arbitrary<Uint8Array>;
  /** Bytes that mean something to this framing, so that garbage gets close to frames. */
  readonly alphabet: readonly number[];
  /** The most bytes of one frame on the wire. */
  readonly maxWire: number;
  /** What ends a frame besides its bytes. */
  readonly ends?: 'expire' | 'end' | 'push';
  /** It finds the next good frame behind garbage without a silence, given enough more frames. */
  readonly resyncs?: boolean;
}

const MAX = 300;
const text = (value: string): Uint8Array => Uint8Array.from(value, (char) => char.charCodeAt(0));
const some = (maxLength = MAX, minLength = 1): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    fc.uint8Array({ minLength, maxLength }),
    fc.uint8Array({ minLength, maxLength: Math.min(maxLength, 12) }),
    fc
      .array(fc.constantFrom(0, 1, 0x5c, 0x0a, 0x7e, 0x7d, 0xc0, 0xdb, 0x10, 0x03), { minLength, maxLength })
      .map((list) => Uint8Array.from(list)),
    // Runs without a zero reach over a whole COBS block.
    fc.integer({ min: minLength, max: maxLength }).map((length) => new Uint8Array(length).fill(0x41)),
  );

/** A frame of sync, total length, body and a CRC wide enough that garbage does not pass by chance. */
function checkedFrame(body: Uint8Array): Uint8Array {
  const writer = new ByteWriter(64);
  writer.u16(0xaa55);
  writer.u8(body.length + 7);
  writer.bytes(body);
  writer.u32(crc32(writer.finish()));
  return writer.finish();
}

const verify = (frame: Uint8Array): boolean =>
  frame.length >= 7 && crc32(frame, 0, frame.length - 4) === new ByteReader(frame, frame.length - 4).u32();

function length(
  name: string,
  options: LengthOptions,
  content: fc.Arbitrary<Uint8Array>,
  alphabet: number[],
  resyncs = false,
): Strategy {
  return {
    name,
    decoder: () => lengthDecoder(options),
    encoder: lengthEncoder(options),
    content,
    alphabet,
    maxWire: options.maxBytes,
    resyncs,
  };
}

function delimited(
  name: string,
  options: DelimitedOptions,
  content: fc.Arbitrary<Uint8Array>,
  alphabet: number[],
): Strategy {
  return {
    name,
    decoder: () => delimitedDecoder(options),
    encoder: delimitedEncoder(options),
    content,
    alphabet,
    maxWire: options.maxBytes + options.delimiter.length,
  };
}

const typeLengths = { lengths: { 1: 1, 2: 4, 9: 30, 200: 255 }, maxBytes: 100 };
const typed = fc
  .constantFrom([1, 1], [2, 4], [9, 30])
  .chain(([type, size]) =>
    fc.uint8Array({ minLength: size - 1, maxLength: size - 1 }).map((rest) => Uint8Array.from([type, ...rest])),
  );
const printable = fc
  .array(fc.integer({ min: 0x20, max: 0x7e }), { minLength: 1, maxLength: 60 })
  .map((list) => Uint8Array.from(list));
const fixedSync = { bytes: 6, sync: Uint8Array.of(0xaa, 0x55) };
const checked = { bytes: 10, sync: Uint8Array.of(0xaa), verify };

const STRATEGIES: readonly Strategy[] = [
  {
    name: 'cobs',
    decoder: () => cobsDecoder({ maxBytes: MAX }),
    encoder: cobsEncoder({ maxBytes: MAX }),
    content: some(),
    alphabet: [0, 1, 2, 3, 0xff],
    maxWire: MAX + 3,
  },
  {
    name: 'slip',
    decoder: () => slipDecoder({ maxBytes: MAX }),
    encoder: slipEncoder({ maxBytes: MAX }),
    content: some(),
    alphabet: [0xc0, 0xdb, 0xdc, 0xdd, 1],
    maxWire: 2 * MAX + 2,
  },
  {
    name: 'hdlc',
    decoder: () => hdlcDecoder({ maxBytes: MAX }),
    encoder: hdlcEncoder({ maxBytes: MAX }),
    content: some(),
    alphabet: [0x7e, 0x7d, 0x5e, 0x5d, 1],
    maxWire: 2 * MAX + 2,
  },
  delimited('delimited by CR LF', { delimiter: text('\r\n'), maxBytes: 80 }, printable, [0x0d, 0x0a, 0x61]),
  delimited(
    'delimited by aab',
    { delimiter: text('aab'), maxBytes: 80 },
    fc.array(fc.constantFrom(0x61, 0x63), { minLength: 1, maxLength: 9 }).map((list) => Uint8Array.from(list)),
    [0x61, 0x62],
  ),
  delimited(
    'delimited with escape',
    { delimiter: text('\n;'), escape: 0x5c, maxBytes: 2 * MAX },
    some(),
    [0x0a, 0x3b, 0x5c, 0x61],
  ),
  delimited(
    'delimited by DLE ETX',
    { delimiter: Uint8Array.of(0x10, 3), escape: 0x10, maxBytes: 2 * MAX },
    some(),
    [0x10, 3, 0x61],
  ),
  delimited(
    'delimited, delimiter and escape included',
    { delimiter: text('\n'), escape: 0x5c, include: true, maxBytes: 2 * MAX },
    some().map((content) => Uint8Array.from([...content, 0x0a])),
    [0x0a, 0x5c, 0x61],
  ),
  length(
    'length u16',
    { sync: text('BM'), field: { at: 3, type: 'u16' }, plus: 5, maxBytes: 310, content: 'body' },
    some(305),
    [0x42, 0x4d, 0, 1, 2],
  ),
  length(
    'length u24 little-endian, trailer',
    { field: { at: 0, type: 'u24', little: true }, trailer: text('#'), plus: 4, maxBytes: 310, content: 'body' },
    some(300, 0),
    [0, 1, 3, 0x23],
  ),
  length(
    'length u32, counts all',
    { sync: Uint8Array.of(1), field: { at: 1, type: 'u32' }, maxBytes: 305, content: 'body' },
    some(300, 0),
    [0, 1, 5, 7],
  ),
  length(
    'netstring',
    {
      field: { at: 0, type: 'ascii', maxDigits: 3, terminator: 0x3a },
      trailer: text(','),
      plus: 1,
      maxBytes: 310,
      content: 'body',
    },
    some(300, 0),
    [...text('0123:,')],
  ),
  length(
    'length in digits',
    { sync: text('$'), field: { at: 1, type: 'ascii', digits: 2 }, plus: 3, maxBytes: 90, content: 'body' },
    some(87, 0),
    [...text('$0123')],
  ),
  length(
    'length u8, checksum',
    { sync: Uint8Array.of(0xaa, 0x55), field: { at: 2, type: 'u8' }, maxBytes: 64, verify },
    fc.uint8Array({ maxLength: 57 }).map(checkedFrame),
    [0xaa, 0x55, 7, 8, 20],
    true,
  ),
  length(
    'length u8, checksum, no sync',
    { field: { at: 2, type: 'u8' }, maxBytes: 64, verify },
    fc.uint8Array({ maxLength: 57 }).map(checkedFrame),
    [0xaa, 0x55, 7, 8, 20],
    true,
  ),
  {
    name: 'type-length',
    decoder: () => typeLengthDecoder(typeLengths),
    encoder: typeLengthEncoder(typeLengths),
    content: typed,
    alphabet: [1, 2, 9, 200, 7],
    maxWire: 30,
  },
  {
    name: 'fixed',
    decoder: () => fixedDecoder({ bytes: 7 }),
    encoder: fixedEncoder({ bytes: 7 }),
    content: fc.uint8Array({ minLength: 7, maxLength: 7 }),
    alphabet: [1, 2],
    maxWire: 7,
  },
  {
    name: 'fixed with sync',
    decoder: () => fixedDecoder(fixedSync),
    encoder: fixedEncoder(fixedSync),
    content: fc.uint8Array({ minLength: 4, maxLength: 4 }).map((rest) => Uint8Array.from([0xaa, 0x55, ...rest])),
    alphabet: [0xaa, 0x55, 1],
    maxWire: 6,
  },
  {
    name: 'fixed with sync and checksum',
    decoder: () => fixedDecoder(checked),
    encoder: fixedEncoder(checked),
    content: fc.uint8Array({ minLength: 3, maxLength: 3 }).map(checkedFrame),
    alphabet: [0xaa, 0x55, 10],
    maxWire: 10,
    resyncs: true,
  },
  {
    name: 'gap',
    decoder: () => gapDecoder({ maxBytes: MAX }),
    encoder: gapEncoder({ maxBytes: MAX }),
    content: some(),
    alphabet: [1, 2],
    maxWire: MAX,
    ends: 'expire',
  },
  {
    name: 'until-close',
    decoder: () => untilCloseDecoder({ maxBytes: MAX }),
    encoder: untilCloseEncoder({ maxBytes: MAX }),
    content: some(),
    alphabet: [1, 2],
    maxWire: MAX,
    ends: 'end',
  },
  {
    name: 'datagram',
    decoder: () => datagramDecoder({ maxBytes: MAX }),
    encoder: datagramEncoder({ maxBytes: MAX }),
    content: some(),
    alphabet: [1, 2],
    maxWire: MAX,
    ends: 'push',
  },
];

const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });

describe.each(STRATEGIES)('$name', (strategy) => {
  const { decoder, encoder, content, alphabet, maxWire, ends } = strategy;
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.array(fc.constantFrom(...alphabet), { maxLength: 60 }).map((list) => Uint8Array.from(list)),
    fc.integer({ min: maxWire, max: 3 * maxWire }).map((size) => new Uint8Array(size).fill(alphabet.at(-1)!)),
  );
  /** A line with good frames, cut and damaged ones, garbage and silences on it. */
  const line: fc.Arbitrary<(Uint8Array | 'expire')[]> = fc.array(
    fc.oneof(
      { weight: 3, arbitrary: content.map(encoder) },
      { weight: 2, arbitrary: garbage },
      {
        weight: 2,
        arbitrary: fc
          .tuple(content.map(encoder), fc.nat(), fc.integer({ min: 1, max: 255 }))
          .map(([wire, at, flip]) => {
            const damaged = wire.slice();
            damaged[at % damaged.length]! ^= flip;
            return damaged;
          }),
      },
      {
        weight: 1,
        arbitrary: fc.tuple(content.map(encoder), fc.nat()).map(([wire, at]) => wire.slice(0, at % (wire.length + 1))),
      },
      { weight: 1, arbitrary: fc.constant('expire' as const) },
    ),
    { maxLength: 10 },
  );

  it('gives back what was encoded, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(content, { minLength: 1, maxLength: ends === 'end' ? 1 : 6 }),
        lengths,
        (contents, sizes) => {
          const wires = contents.map(encoder);
          const events: Event[] =
            ends === 'push'
              ? wires
              : ends === 'expire'
                ? wires.flatMap((wire): Event[] => [...cut(wire, sizes), 'expire'])
                : cut(concat(wires), sizes);
          const items = run(decoder(), [...events, 'end']);
          expect(framesOf(items)).toEqual(contents.map(hexOf));
          expect(items.every((item) => item.kind === 'frame')).toBe(true);
          expect(items.map((item) => item.wireLength)).toEqual(wires.map((wire) => wire.length));
        },
      ),
    );
  });

  if (ends !== 'push')
    it('gives the same items however the bytes are cut', () => {
      fc.assert(
        fc.property(line, lengths, (events, sizes) => {
          const joined: Event[] = [];
          for (const event of events) {
            const last = joined.at(-1);
            if (event !== 'expire' && last instanceof Uint8Array) joined[joined.length - 1] = concat([last, event]);
            else joined.push(event);
          }
          const pieces = joined.flatMap((event): Event[] => (typeof event === 'string' ? [event] : cut(event, sizes)));
          const bytewise = joined.flatMap((event): Event[] => (typeof event === 'string' ? [event] : cut(event, [1])));
          const whole = normalized(run(decoder(), [...joined, 'end']));
          expect(normalized(run(decoder(), [...pieces, 'end']))).toEqual(whole);
          expect(normalized(run(decoder(), [...bytewise, 'end']))).toEqual(whole);
        }),
        { numRuns: 300 },
      );
    });

  it('accounts for every byte, throws on none, and keeps none after the end', () => {
    fc.assert(
      fc.property(line, (events) => {
        const machine = decoder();
        // `run` itself checks bytes and counts.
        run(machine, [...events, 'end']);
        expect(machine.buffered).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('gives the same items however seldom they are pulled', () => {
    fc.assert(
      fc.property(line, fc.array(fc.nat(3), { minLength: 1, maxLength: 6 }), (events, pulls) => {
        const pulled = normalized(run(decoder(), [...events, 'end']));
        const late = decoder();
        const items: Item[] = [];
        const pull = (most: number): void => {
          for (let i = 0; i < most; i++) {
            const item = late.next();
            if (item === undefined) return;
            items.push({ ...item, bytes: item.bytes.slice() });
          }
        };
        events.forEach((event, i) => {
          if (typeof event === 'string') late.expire();
          else late.push(event);
          pull(pulls[i % pulls.length]!);
        });
        late.end();
        pull(Number.POSITIVE_INFINITY);
        expect(normalized(items)).toEqual(pulled);
      }),
      { numRuns: 300 },
    );
  });

  if (ends !== 'end')
    it('takes a good frame after garbage and a silence', () => {
      fc.assert(
        fc.property(line, content, (events, good) => {
          const items = run(decoder(), [
            ...events,
            'expire',
            encoder(good),
            ...(ends === 'expire' ? ['expire' as const] : []),
          ]);
          expect(items.at(-1)).toMatchObject({ kind: 'frame' });
          expect(framesOf(items).at(-1)).toBe(hexOf(good));
        }),
        { numRuns: 300 },
      );
    });

  if (strategy.resyncs === true)
    it('finds the next good frames behind garbage without a silence', () => {
      fc.assert(
        fc.property(garbage, lengths, content, (noise, sizes, good) => {
          // What a false start may swallow is no longer than one frame: enough good ones behind it, and all are found.
          const wire = encoder(good);
          const count = Math.ceil(maxWire / wire.length) + 1;
          const events = cut(concat([noise, ...Array.from({ length: count }, () => wire)]), sizes);
          expect(framesOf(run(decoder(), events)).filter((frame) => frame === hexOf(good)).length).toBeGreaterThan(0);
          expect(framesOf(run(decoder(), [...events, 'expire']))).toEqual(
            Array.from({ length: count }, () => hexOf(good)),
          );
        }),
      );
    });

  it('holds no more than a frame, whatever comes', () => {
    fc.assert(
      fc.property(garbage, fc.integer({ min: 1, max: 2 * maxWire }), (noise, size) => {
        const machine = decoder();
        const long = concat(Array.from({ length: 20 }, () => (noise.length === 0 ? Uint8Array.of(1) : noise)));
        for (const chunk of cut(long, [size])) {
          machine.push(chunk);
          while (machine.next() !== undefined);
          expect(machine.buffered).toBeLessThanOrEqual(maxWire);
        }
      }),
    );
  });
});
