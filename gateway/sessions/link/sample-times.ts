/** The times of samples: from what the device says to Unix milliseconds. */
import type { Sample } from '../../../protocol/index.ts';
import type { DeviceClock } from './device-clock.ts';

/**
 * Turns every sample's time into Unix milliseconds, in place, oldest first. `nowMs` is the monotonic clock; the wall
 * clock (`wallMs`) comes last, one for all of them.
 */
export function mapTimes(samples: Sample[], clock: DeviceClock | undefined, nowMs: number, wallMs: number): void {
  if (clock !== undefined) {
    for (const { timeKind, time } of samples) {
      if (timeKind === 'uptime') clock.notAhead(clock.ageMs(time, nowMs), nowMs);
    }
  }
  let sorted = true;
  for (let i = 0; i < samples.length; i++) {
    const sample = samples[i] as Sample;
    if (sample.timeKind === 'now') sample.time = wallMs;
    else if (sample.timeKind === 'uptime') {
      // Not before 1970, where a gateway without a clock may well believe to be.
      sample.time = Math.max(0, Math.round(wallMs - Math.max(0, clock?.ageMs(sample.time, nowMs) ?? 0)));
    }
    sample.timeKind = 'unix';
    if (i > 0 && sample.time < (samples[i - 1] as Sample).time) sorted = false;
  }
  if (!sorted) samples.sort((a, b) => a.time - b.time);
}
