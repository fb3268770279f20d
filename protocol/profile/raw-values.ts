/** What raw values mean everywhere: nothing, or true. */
import type { Codec, GivenValue, RawNumber } from './codec.ts';

/** What counts as true: true, a number other than 0, "on", "true", "1". */
export function truthOf(value: GivenValue): boolean {
  if (typeof value === 'string') return value === 'on' || value === 'true' || value === '1' || value === 'ON';
  return value !== false && value !== 0 && value !== 0n;
}

/** Whether a raw number means that there is no reading; NaN always does. */
export function noneTest(none: readonly number[]): (raw: number) => boolean {
  const [first, ...more] = none;
  if (first === undefined) return (raw) => raw !== raw;
  if (more.length === 0) return (raw) => raw === first || raw !== raw;
  return (raw) => none.includes(raw) || raw !== raw;
}

export function noneWriter(raw: RawNumber, none: readonly number[]): Codec['writeNone'] {
  const [first] = none;
  return first === undefined ? undefined : (data, from, to) => raw.write(data, from, to, first);
}
