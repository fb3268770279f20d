/**
 * One value of one channel: its type and quality travel with it.
 *
 * ```
 *   channel u8 | tq u8 | bytes as the type says
 *                └ quality in bits 7–6, type code in bits 5–0
 * ```
 */

import { utf8Length } from '../utf8.ts';

/** The value types: code in bits 5–0 of `tq`, size in bytes (0: a length byte precedes the content). */
export const VALUE_TYPES = [
  { code: 0, name: 'bool', size: 1, note: '0 or 1; any other byte is an error.' },
  { code: 1, name: 'u8', size: 1, note: 'Unsigned integer.' },
  { code: 2, name: 'i8', size: 1, note: 'Signed integer, two’s complement.' },
  { code: 3, name: 'u16', size: 2, note: 'Unsigned integer.' },
  { code: 4, name: 'i16', size: 2, note: 'Signed integer.' },
  { code: 5, name: 'u32', size: 4, note: 'Unsigned integer.' },
  { code: 6, name: 'i32', size: 4, note: 'Signed integer.' },
  { code: 7, name: 'u64', size: 8, note: 'Unsigned integer; every bit is kept.' },
  { code: 8, name: 'i64', size: 8, note: 'Signed integer; every bit is kept.' },
  { code: 9, name: 'f32', size: 4, note: 'IEEE 754 single; NaN and infinities are legal.' },
  { code: 10, name: 'f64', size: 8, note: 'IEEE 754 double; NaN and infinities are legal.' },
  { code: 11, name: 'string', size: 0, note: 'u8 length, then that many bytes of UTF-8.' },
  { code: 12, name: 'bytes', size: 0, note: 'u8 length, then that many bytes.' },
] as const;

export type ValueType = (typeof VALUE_TYPES)[number]['name'];

/** The qualities, by their code in bits 7–6 of `tq`. */
export const QUALITIES = [
  { code: 0, name: 'good', note: 'Measured as it should be.' },
  { code: 1, name: 'stale', note: 'The last value known; the sensor has not answered since.' },
  { code: 2, name: 'fault', note: 'The sensor reports a fault; the value means nothing.' },
  { code: 3, name: 'out_of_range', note: 'Beyond what the sensor can measure; the value is the nearest it can say.' },
] as const;

export type Quality = (typeof QUALITIES)[number]['name'];

/** What a channel measures. Unknown codes are treated as `none`. */
export const CHANNEL_CLASSES = [
  { code: 0, name: 'none' },
  { code: 1, name: 'temperature' },
  { code: 2, name: 'humidity' },
  { code: 3, name: 'pressure' },
  { code: 4, name: 'co2' },
  { code: 5, name: 'pm1' },
  { code: 6, name: 'pm25' },
  { code: 7, name: 'pm10' },
  { code: 8, name: 'voltage' },
  { code: 9, name: 'current' },
  { code: 10, name: 'power' },
  { code: 11, name: 'energy' },
  { code: 12, name: 'frequency' },
  { code: 13, name: 'power_factor' },
  { code: 14, name: 'moisture' },
  { code: 15, name: 'illuminance' },
  { code: 16, name: 'battery' },
  { code: 17, name: 'door' },
  { code: 18, name: 'motion' },
  { code: 19, name: 'switch' },
  { code: 20, name: 'distance' },
  { code: 21, name: 'duration' },
  { code: 22, name: 'signal_strength' },
  { code: 23, name: 'weight' },
  { code: 24, name: 'speed' },
  { code: 25, name: 'gas' },
  { code: 26, name: 'water' },
  { code: 27, name: 'voc' },
  { code: 28, name: 'sound_pressure' },
  { code: 29, name: 'problem' },
  { code: 30, name: 'apparent_power' },
  { code: 31, name: 'reactive_power' },
  { code: 32, name: 'reactive_energy' },
  { code: 33, name: 'energy_storage' },
  { code: 34, name: 'volume_storage' },
  { code: 35, name: 'volume_flow_rate' },
  { code: 36, name: 'atmospheric_pressure' },
  { code: 37, name: 'wind_speed' },
  { code: 38, name: 'wind_direction' },
  { code: 39, name: 'precipitation' },
  { code: 40, name: 'precipitation_intensity' },
  { code: 41, name: 'irradiance' },
  { code: 42, name: 'ph' },
  { code: 43, name: 'conductivity' },
  { code: 44, name: 'aqi' },
  { code: 45, name: 'carbon_monoxide' },
  { code: 46, name: 'nitrogen_dioxide' },
  { code: 47, name: 'ozone' },
  { code: 48, name: 'pm4' },
  { code: 49, name: 'timestamp' },
  { code: 50, name: 'window' },
  { code: 51, name: 'running' },
  { code: 52, name: 'plug' },
  { code: 53, name: 'smoke' },
  { code: 54, name: 'connectivity' },
  { code: 55, name: 'battery_charging' },
  { code: 56, name: 'tamper' },
  { code: 57, name: 'outlet' },
  { code: 58, name: 'valve' },
  { code: 59, name: 'volatile_organic_compounds_parts' },
] as const;

export type ChannelClass = (typeof CHANNEL_CLASSES)[number]['name'];

/** boolean for bool; bigint for u64 and i64, always; string; Uint8Array for bytes; number for the rest. */
export type RawValue = boolean | number | bigint | string | Uint8Array;

/** One value as the device sent it: not yet scaled. */
export interface Value {
  /** 0–255. */
  channel: number;
  type: ValueType;
  quality: Quality;
  value: RawValue;
}

/** The name of a value type code, or undefined when the code is not assigned. */
export function valueTypeName(code: number): ValueType | undefined {
  return VALUE_TYPES[code]?.name;
}

/** The code of a value type. */
export function valueTypeCode(name: ValueType): number {
  return typeCodes.get(name) ?? unknownName('value type', name);
}

/** The code of a quality. */
export function qualityCode(name: Quality): number {
  return qualityCodes.get(name) ?? unknownName('quality', name);
}

/** The name of a channel class; codes that are not assigned are `none`. */
export function channelClassName(code: number): ChannelClass {
  return CHANNEL_CLASSES[code]?.name ?? 'none';
}

/** The code of a channel class. */
export function channelClassCode(name: ChannelClass): number {
  return classCodes.get(name) ?? unknownName('channel class', name);
}

/** Whether `value` can be sent as this type; f32 rounds, but takes no finite number that only an infinity could stand for. */
export function fitsType(type: ValueType, value: unknown): value is RawValue {
  switch (type) {
    case 'bool':
      return typeof value === 'boolean';
    case 'u8':
      return isInteger(value, 0, 0xff);
    case 'i8':
      return isInteger(value, -0x80, 0x7f);
    case 'u16':
      return isInteger(value, 0, 0xffff);
    case 'i16':
      return isInteger(value, -0x8000, 0x7fff);
    case 'u32':
      return isInteger(value, 0, 0xffff_ffff);
    case 'i32':
      return isInteger(value, -0x8000_0000, 0x7fff_ffff);
    case 'u64':
      return typeof value === 'bigint' && BigInt.asUintN(64, value) === value;
    case 'i64':
      return typeof value === 'bigint' && BigInt.asIntN(64, value) === value;
    case 'f32':
      return typeof value === 'number' && (Number.isFinite(Math.fround(value)) || !Number.isFinite(value));
    case 'f64':
      return typeof value === 'number';
    case 'string':
      return typeof value === 'string' && !HALF_PAIR.test(value) && utf8Length(value) <= 255;
    case 'bytes':
      return value instanceof Uint8Array && value.length <= 255;
    default:
      return unknownName('value type', type);
  }
}

// What UTF-8 cannot say.
const HALF_PAIR = /\p{Surrogate}/u;
const typeCodes = new Map<string, number>(VALUE_TYPES.map(({ name, code }) => [name, code]));
const qualityCodes = new Map<string, number>(QUALITIES.map(({ name, code }) => [name, code]));
const classCodes = new Map<string, number>(CHANNEL_CLASSES.map(({ name, code }) => [name, code]));

function isInteger(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}

function unknownName(what: string, name: string): never {
  throw new RangeError(`no such ${what}: ${name}`);
}
