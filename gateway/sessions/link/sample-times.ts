/** The times of samples: from what the device says to Unix milliseconds. */
import type { Sample } from '../../../protocol/index.ts';
import type { DeviceClock } from './device-clock.ts';

/** No device of this protocol has measured anything before; a clock that says so was never set. */
const EARLIEST_MS = Date.UTC(2020, 0, 1);
/** More than a wrong time zone. */
const MAX_AHEAD_MS = 86_400_000;

/**
 * Turns every sample's time into Unix milliseconds, in place, oldest first. `nowMs` is the monotonic clock; the wall
 * clock (`wallMs`) comes last, one for all of them. A Unix time that cannot be is replaced by that of the arrival;
 * returns how many were.
 */
export function mapTimes(samples: Sample[], clock: DeviceClock | undefined, nowMs: number, wallMs: number): number {
  if (clock !== undefined) {
    for (const { timeKind, time } of samples) {
      if (timeKind === 'uptime') clock.notAhead(clock.ageMs(time, nowMs), nowMs);
    }
  }
  let sorted = true;
  let impossible = 0;
  for (let i = 0; i < samples.length; i++) {
    const sample = samples[i] as Sample;
    if (sample.timeKind === 'now') sample.time = wallMs;
    else if (sample.timeKind === 'uptime') {
      // Not before 1970, where a gateway without a clock may well believe to be.
      sample.time = Math.max(0, Math.round(wallMs - Math.max(0, clock?.ageMs(sample.time, nowMs) ?? 0)));
    } else if (isImpossible(sample.time, wallMs)) {
      sample.time = wallMs;
      impossible++;
    }
    sample.timeKind = 'unix';
    if (i > 0 && sample.time < (samples[i - 1] as Sample).time) sorted = false;
  }
  if (!sorted) samples.sort((a, b) => a.time - b.time);
  return impossible;
}

/** A gateway whose own clock was never set is no judge. */
function isImpossible(time: number, wallMs: number): boolean {
  return wallMs >= EARLIEST_MS && (time < EARLIEST_MS || time > wallMs + MAX_AHEAD_MS);
}
