import { describe, expect, test } from 'vitest';
import { Random } from '../../../device-sim/random.ts';
import { captureOf, joined, piecesBySilence } from '../../../gateway/lab/capture.ts';
import { fitHolds } from '../../../gateway/lab/checksum-search.ts';
import { propose, type Proposal } from '../../../gateway/lab/proposal.ts';
import { escaped, fixedWithTail, modbus, type Shape, stream, textLines, withLength } from './shapes.ts';

function ofPieces(pieces: readonly Uint8Array[]): Proposal {
  const [best] = propose(
    captureOf(
      pieces.map((bytes) => ({ bytes, atMs: undefined })),
      'lines',
    ),
  );
  expect(best).toBeDefined();
  return best as Proposal;
}

/** Frame by frame, and as one stream that says nothing of where frames begin. */
const WAYS: readonly [string, (shape: Shape) => Proposal][] = [
  ['in pieces', ({ frames }) => ofPieces(frames)],
  ['as a stream', (shape) => ofPieces([stream(shape)])],
];

describe.each(WAYS)('%s', (_, look) => {
  test('a sync, a length field with what it counts, a sum of 16 bits', () => {
    const { framing, checksum, frames, share, bits, grouping } = look(withLength(1));
    expect(framing.sync).toEqual({ at: 0, bytes: Uint8Array.of(0xaa, 0x55) });
    expect(framing.length).toEqual({ kind: 'field', field: { at: 2, type: 'u8', times: 1, plus: 3 } });
    expect(checksum).toMatchObject({
      from: 0,
      to: -2,
      at: -2,
      order: 'big',
      constant: 0,
      algorithm: { name: 'sum16' },
    });
    expect({ frames: frames.length, share }).toEqual({ frames: 40, share: 1 });
    expect(bits).toBeGreaterThan(100);
    expect(grouping.by).toEqual({ kind: 'byte', at: 3 });
    expect(grouping.groups.map(({ value }) => value)).toEqual([1, 2]);
  });

  test('one length, XOR behind the sync, a tail; a counter and a little-endian measurement', () => {
    const { framing, checksum, tail, layouts } = look(fixedWithTail(2));
    expect(framing.sync?.bytes[0]).toBe(0xc5);
    expect(framing.length).toEqual({ kind: 'fixed', bytes: 8 });
    expect(checksum).toMatchObject({ from: 1, to: -2, at: -2, algorithm: { name: 'xor8' } });
    expect(tail).toEqual(Uint8Array.of(0xd6));
    const columns = layouts[0]?.columns ?? [];
    expect(columns.find(({ at }) => at === 4)).toMatchObject({ kind: 'counter', note: '+1 a frame' });
    expect(columns.find(({ at }) => at === 2)).toMatchObject({ kind: 'measurement', type: 'u16', order: 'little' });
  });

  test('Modbus answers', () => {
    const { checksum, frames } = look(modbus(3));
    expect(checksum).toMatchObject({ from: 0, to: -2, at: -2, order: 'little', algorithm: { name: 'CRC-16/MODBUS' } });
    expect(frames.length).toBe(30);
  });

  test.each(['hdlc', 'slip', 'cobs'] as const)('%s, and the checksum inside', (name) => {
    const { framing, checksum, frames } = look(escaped(4, name));
    expect(framing.escape).toBe(name);
    expect(checksum).toMatchObject({ to: -1, at: -1, algorithm: { name: 'sum8', complement: 'ones' } });
    expect(frames.length).toBe(30);
  });

  test('lines of text with a checksum in hex digits, by their first words', () => {
    const { framing, checksum, text, tail } = look(textLines(5));
    expect(framing.sync?.bytes).toEqual(Uint8Array.of(0x24));
    expect(tail).toEqual(Uint8Array.of(0x0d, 0x0a));
    expect(checksum).toMatchObject({ from: 1, to: -5, at: -4, encoding: 'hex', algorithm: { name: 'xor8' } });
    expect(text?.separator).toBe(',');
    expect(text?.kinds.map(({ head }) => head).toSorted()).toEqual(['WIDIR', 'WISPD']);
    const [speed] = text?.kinds.find(({ head }) => head === 'WISPD')?.columns ?? [];
    expect(speed).toMatchObject({ index: 1, kind: 'number' });
  });
});

test('noise between frames costs neither the framing nor the checksum', () => {
  const shape = withLength(6, 120);
  const { framing, checksum, frames, share } = ofPieces([stream(shape, new Random(6), 20)]);
  expect(framing.length).toMatchObject({ field: { at: 2, plus: 3 } });
  expect(checksum?.algorithm.name).toBe('sum16');
  expect(frames.length).toBe(120);
  expect(share).toBeLessThan(1);
});

test('broken frames among good ones are not taken for evidence against the checksum', () => {
  const random = new Random(7);
  const { frames } = withLength(7, 100);
  const damaged = frames.map((frame) =>
    random.chance(0.08) ? frame.map((byte, at) => (at === 5 ? byte ^ 0x11 : byte)) : frame,
  );
  const { checksum, frames: good } = ofPieces([Buffer.concat(damaged)]);
  expect(checksum?.algorithm.name).toBe('sum16');
  for (const frame of good) expect(fitHolds(checksum!, frame)).toBe(true);
});

test('dice have no structure worth believing', () => {
  const random = new Random(8);
  for (let round = 0; round < 5; round++) {
    const pieces = Array.from({ length: 12 }, () => Uint8Array.from({ length: 20 }, () => random.int(256)));
    const [best] = propose(
      captureOf(
        pieces.map((bytes) => ({ bytes, atMs: undefined })),
        'lines',
      ),
    );
    expect(best?.checksum).toBeUndefined();
    for (const proposal of propose(
      joined(
        captureOf(
          pieces.map((bytes) => ({ bytes, atMs: undefined })),
          'lines',
        ),
      ),
    )) {
      expect(proposal.bits).toBeLessThan(20);
    }
  }
});

test('frames that are all the same prove nothing, and that is said', () => {
  const [frame] = withLength(9).frames;
  const { different, checksum } = ofPieces(Array.from({ length: 20 }, () => frame!));
  expect(different).toBe(1);
  expect(checksum?.bits ?? 0).toBeLessThan(12);
});

test('one frame of 16 bits of checksum: likely, not proven', () => {
  const { checksum, frames } = ofPieces([modbus(10).frames[0]!]);
  expect(frames.length).toBe(1);
  expect(checksum?.algorithm.name).toBe('CRC-16/MODBUS');
  expect(checksum?.bits).toBeLessThan(12);
});

test('constant bytes behind the sync and at the end belong to the frame, high bytes that rest do not', () => {
  const pieces = Array.from({ length: 20 }, (_, i) =>
    Uint8Array.of(0xaa, 0x5f, 0x03, 0x07, (i * 37) & 0xff, 0x02, (i * 101) & 0xff, 0x55, 0xcc),
  );
  const { framing, tail, checksum } = ofPieces(pieces);
  expect(checksum).toBeUndefined();
  expect(framing.sync).toEqual({ at: 0, bytes: Uint8Array.of(0xaa, 0x5f, 0x03) });
  expect(tail).toEqual(Uint8Array.of(0x55, 0xcc));
});

test('silence parts what came from a live port', () => {
  const chunks = [0, 4, 100, 103, 250].map((atMs, index) => ({ atMs, bytes: Uint8Array.of(index) }));
  const pieces = piecesBySilence(chunks, 25);
  expect(pieces.map(({ bytes, atMs }) => [atMs, ...bytes])).toEqual([
    [0, 0, 1],
    [100, 2, 3],
    [250, 4],
  ]);
});

test('a megabyte is looked at in bounded time and nothing beyond it', () => {
  const random = new Random(11);
  const bytes = Uint8Array.from({ length: 1_500_000 }, () => random.int(256));
  const capture = captureOf([{ bytes, atMs: undefined }], 'none');
  expect(capture).toMatchObject({ cut: true, size: 1_048_576 });
  propose(capture);
}, 60_000);

test.each([
  new Uint8Array(0),
  Uint8Array.of(0),
  Uint8Array.of(1, 2),
  new Uint8Array(500),
  new Uint8Array(3000).fill(0x7e),
])('degenerate input never throws', (bytes) => {
  propose(captureOf([{ bytes, atMs: undefined }], 'none'));
});
