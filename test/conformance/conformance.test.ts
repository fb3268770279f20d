import { describe, expect, it } from 'vitest';
import { checkDevice } from './check.ts';
import { shippedProfiles } from './profile-source.ts';
import { RULES } from './rules.ts';
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
  });

  it('says of every device in the folder whether it is covered', () => {
    const text = table(recorded.map(checkDevice));
    for (const { device } of recorded) expect(text).toContain(`| ${device} |`);
  });

  it('names no profile that is not shipped', () => {
    const names = Object.values(RULES).flatMap(({ profile }) => profile ?? []);
    expect(names.filter((name) => !shippedProfiles().includes(name))).toEqual([]);
  });
});
