import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { captureOf } from '../../../gateway/lab/capture.ts';
import { fitHolds } from '../../../gateway/lab/checksum-search.ts';
import { propose } from '../../../gateway/lab/proposal.ts';
import { starterProfile } from '../../../gateway/lab/starter.ts';
import { SHAPES, stream } from './shapes.ts';

const FACTS = { source: 'a test', baud: undefined, parity: 'none', rhythmMs: undefined } as const;

test('never throws, never claims more than there is, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 120 }), { maxLength: 12 }), (pieces) => {
      const capture = captureOf(
        pieces.map((bytes) => ({ bytes, atMs: undefined })),
        'lines',
      );
      for (const proposal of propose(capture)) {
        expect(proposal.share).toBeLessThanOrEqual(1);
        expect(proposal.different).toBeLessThanOrEqual(proposal.frames.length);
        const bytes = proposal.frames.reduce((sum, { length }) => sum + length, 0);
        if (proposal.framing.escape === undefined) expect(bytes).toBeLessThanOrEqual(capture.size);
        for (const { columns, group } of proposal.layouts) {
          for (const { at, size } of columns)
            for (const frame of group.frames) expect(at + size).toBeLessThanOrEqual(frame.length);
        }
        starterProfile(proposal, FACTS);
      }
    }),
    { numRuns: 150 },
  );
});

test('devices of all shapes, with any values: the frames and a checksum that fits all of them', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 1_000_000 }),
      fc.nat({ max: SHAPES.length - 1 }),
      fc.boolean(),
      (seed, which, asStream) => {
        const shape = SHAPES[which]!(seed);
        const pieces = asStream ? [stream(shape)] : shape.frames;
        const capture = captureOf(
          pieces.map((bytes) => ({ bytes, atMs: undefined })),
          'lines',
        );
        const [best] = propose(capture);
        expect(best?.checksum, shape.name).toBeDefined();
        for (const frame of best!.frames) expect(fitHolds(best!.checksum!, frame)).toBe(true);
        expect({ shape: shape.name, frames: best!.frames.length }).toEqual({
          shape: shape.name,
          frames: shape.frames.length,
        });
      },
    ),
    { numRuns: 80 },
  );
}, 60_000);
