/** Numbers, sizes and times for people. */
import type { ChannelState, ShownValue } from '../api-types.ts';

/** A value with its unit; `–` for nothing yet. */
export function valueText(channel: Pick<ChannelState, 'unit' | 'precision'>, value: ShownValue | undefined): string {
  if (value === undefined) return '–';
  if (value === null) return 'fault';
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'string') return value === '' ? '(empty)' : value;
  const { precision, unit } = channel;
  const text = precision === undefined ? plain(value) : value.toFixed(Math.min(20, precision));
  return unit === '' ? text : `${text} ${unit}`;
}

/** The same for places with little room: not every digit. */
export function shortText(channel: Pick<ChannelState, 'unit' | 'precision'>, value: ShownValue | undefined): string {
  if (typeof value !== 'number' || channel.precision !== undefined || Number.isInteger(value)) {
    return valueText(channel, value);
  }
  const digits = Math.abs(value) >= 10_000 ? value.toFixed(0) : String(Number(value.toPrecision(5)));
  return channel.unit === '' ? digits : `${digits} ${channel.unit}`;
}

function plain(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(7)));
}

export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function countText(count: number): string {
  return count.toLocaleString('en').replaceAll(',', '\u202f');
}

/** `just now`, `12 s ago`, `3 min ago`, `5 h ago`, `2 d ago`. */
export function agoText(thenMs: number | undefined, nowMs: number): string {
  if (thenMs === undefined) return 'never';
  const seconds = Math.max(0, (nowMs - thenMs) / 1_000);
  return seconds < 2 ? 'just now' : `${durationText(seconds)} ago`;
}

export function durationText(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** `14:03:07` */
export function timeText(unixMs: number): string {
  return clockText(unixMs).slice(0, 8);
}

/** `14:03:07.250` */
export function clockText(unixMs: number): string {
  const time = new Date(unixMs);
  const ms = String(time.getMilliseconds()).padStart(3, '0');
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${ms}`;
}

/** `3 frames, bad-checksum 2` of a map of counts; empty text when there are none. */
export function countsText(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => `${reason} ${countText(count)}`)
    .join(', ');
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
