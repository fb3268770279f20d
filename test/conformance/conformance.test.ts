import { describe, expect, it } from 'vitest';
import { checkDevice } from './check.ts';
import { table } from './table.ts';
import { readRecordedFrames } from './vectors.ts';

// The project ships no recorded frames: RECORDED_FRAMES names a folder that has them. Without one there is nothing to test.
const folder = process.env['RECORDED_FRAMES'];
const recorded = folder === undefined || folder === '' ? [] : readRecordedFrames(folder);

describe('the shipped profiles against recorded frames', () => {
  it.each(recorded.map((device) => [device.file, device] as const))('%s', (_, device) => {
    const result = checkDevice(device);
    expect(result.wrong).toEqual([]);
    // Not covered is said, never silent.
    if (result.profile === undefined) expect(result.remarks).not.toEqual([]);
    expect(table([result])).toContain(device.device);
  });

  it('covers what the folder holds', () => {
    const covered = recorded.map(checkDevice).filter(({ profile }) => profile !== undefined);
    expect(covered.length).toBeGreaterThanOrEqual(recorded.length - 2);
  });
});
