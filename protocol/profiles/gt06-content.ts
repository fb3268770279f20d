/**
 * The contents of GT06 packets that carry readings.
 *
 * ```
 *   position   year month day hour minute second | satellites in the low half | latitude u32 | longitude u32 | speed u8
 *              | course u16 |   then network cell, ignition …, which differ from type to type
 *              └ 15 input  14 ignition known  13 differential  12 fix  11 west  10 north  9–0 course in degrees
 *   status     terminal u8 | voltage 0–6 u8 (type 13) or in 0.01 V u16 (type 23) | GSM 0–4 u8 | alarm u8 | language u8
 *              └ 7 fuel cut  6 tracking  5–3 alarm  2 charging  1 ignition  0 armed
 * ```
 *
 * Coordinates count 1/30,000 of a minute: degrees = raw / 1,800,000.
 */
import { ByteWriter } from '../bytes.ts';
import type { Value } from '../link/value.ts';
import type { FieldValues, ProfileChannel } from '../profile/profile.ts';
import { channel, hexText, value } from './codec.ts';
import type { Annotations } from './codec.ts';

const LATITUDE = channel(0, 'latitude', 'i32', { scale: -7, unit: '°', range: [-90, 90] });
const LONGITUDE = channel(1, 'longitude', 'i32', { scale: -7, unit: '°', range: [-180, 180] });
const SPEED = channel(2, 'speed', 'u8', { unit: 'km/h', class: 'speed', range: [0, 250] });
const HEADING = channel(3, 'heading', 'u16', { unit: '°', range: [0, 359] });
const SATELLITES = channel(4, 'satellites', 'u8', { range: [0, 15] });
const FIX = channel(5, 'fix', 'bool', { title: 'Position is valid' });
const IGNITION = channel(6, 'ignition', 'bool');
const ARMED = channel(7, 'armed', 'bool', { diagnostic: true });
const CHARGING = channel(8, 'charging', 'bool', { diagnostic: true });
const FUEL_CUT = channel(9, 'fuel_cut', 'bool', { title: 'Fuel and ignition cut off' });
const BATTERY_LEVEL = channel(10, 'battery_level', 'u8', {
  title: 'Battery (0 to 6)',
  diagnostic: true,
  range: [0, 6],
});
const BATTERY_VOLTAGE = channel(11, 'battery_voltage', 'u16', {
  scale: -2,
  unit: 'V',
  class: 'voltage',
  diagnostic: true,
});
const GSM_SIGNAL = channel(12, 'gsm_signal', 'u8', { title: 'GSM signal (0 to 4)', diagnostic: true, range: [0, 4] });
const ALARM = channel(13, 'alarm', 'string', {
  options: [
    'none',
    'sos',
    'power_cut',
    'vibration',
    'fence_in',
    'fence_out',
    'overspeed',
    'displaced',
    'low_battery',
    'other',
  ],
});
const EXTERNAL_VOLTAGE = channel(14, 'external_voltage', 'u16', { scale: -2, unit: 'V', class: 'voltage' });
const TEMPERATURE = channel(15, 'temperature', 'i32', { scale: -1, unit: '°C', class: 'temperature' });
const HUMIDITY = channel(16, 'humidity', 'i32', { scale: -1, unit: '%', class: 'humidity' });
const ODOMETER = channel(17, 'odometer', 'u32', { unit: 'm', class: 'distance', totalIncreasing: true });
const ICCID = channel(18, 'iccid', 'string', { title: 'ICCID', diagnostic: true });
/** What a command was answered. */
export const RESPONSE: ProfileChannel = channel(19, 'response', 'string', { diagnostic: true, command: 'command' });

export const CHANNELS: readonly ProfileChannel[] = [
  LATITUDE,
  LONGITUDE,
  SPEED,
  HEADING,
  SATELLITES,
  FIX,
  IGNITION,
  ARMED,
  CHARGING,
  FUEL_CUT,
  BATTERY_LEVEL,
  BATTERY_VOLTAGE,
  GSM_SIGNAL,
  ALARM,
  EXTERNAL_VOLTAGE,
  TEMPERATURE,
  HUMIDITY,
  ODOMETER,
  ICCID,
  RESPONSE,
];

/** The first moment that a packet can say: 2000-01-01. */
const EPOCH = 946_684_800_000;

/** What `writeContent` puts in a packet, by its message. */
export const ENCODED: Readonly<Record<'position' | 'alarm' | 'heartbeat' | 'information', readonly ProfileChannel[]>> =
  {
    position: [LATITUDE, LONGITUDE, SPEED, HEADING, SATELLITES, FIX, IGNITION, ODOMETER],
    alarm: [
      LATITUDE,
      LONGITUDE,
      SPEED,
      HEADING,
      SATELLITES,
      FIX,
      IGNITION,
      ARMED,
      CHARGING,
      FUEL_CUT,
      BATTERY_LEVEL,
      GSM_SIGNAL,
      ALARM,
    ],
    heartbeat: [IGNITION, ARMED, CHARGING, FUEL_CUT, BATTERY_LEVEL, GSM_SIGNAL, ALARM],
    information: [EXTERNAL_VOLTAGE],
  };

const ALARMS: Readonly<Record<number, string>> = {
  0x00: 'none',
  0x01: 'sos',
  0x02: 'power_cut',
  0x03: 'vibration',
  0x04: 'fence_in',
  0x05: 'fence_out',
  0x06: 'overspeed',
  0x09: 'displaced',
  0x0e: 'low_battery',
};

const POSITION_BYTES = 18;
/** Where ignition, upload mode, real time and odometer lie behind a position, by the protocol number. */
const AFTER_CELL: Readonly<Record<number, { readonly at: number; readonly odometer: number | undefined }>> = {
  0x22: { at: POSITION_BYTES + 8, odometer: POSITION_BYTES + 11 },
  0xa0: { at: POSITION_BYTES + 15, odometer: POSITION_BYTES + 18 },
};
/** Where terminal, voltage, GSM and alarm lie in an alarm: behind the position, a length and the cell. */
const ALARM_STATUS = POSITION_BYTES + 9;

export interface Content {
  readonly message: string;
  /** Unix milliseconds; undefined: the packet has no time, or none that exists. */
  readonly time: number | undefined;
  readonly values: Value[];
}

/** The readings in the content `frame[from..to)` of a packet; undefined: nothing that is known, or too short. */
export function readContent(
  protocol: number,
  frame: Uint8Array,
  from: number,
  to: number,
  notes?: Annotations,
): Content | undefined {
  switch (protocol) {
    case 0x10:
    case 0x12:
    case 0x22:
    case 0xa0:
      return readPosition('position', protocol, frame, from, to, notes);
    case 0x16:
    case 0x26:
    case 0x27:
      return readPosition('alarm', protocol, frame, from, to, notes);
    case 0x13:
    case 0x23:
      return readStatus(protocol, frame, from, to, notes);
    case 0x94:
      return readInformation(frame, from, to, notes);
    default:
      return undefined;
  }
}

function readPosition(
  message: string,
  protocol: number,
  frame: Uint8Array,
  from: number,
  to: number,
  notes: Annotations | undefined,
): Content | undefined {
  if (to - from < POSITION_BYTES) return undefined;
  const [year, month, day, hour, minute, second] = frame.subarray(from, from + 6);
  const time = timeOf(2000 + year!, month!, day!, hour!, minute!, second!);
  const satellites = frame[from + 6]! & 0x0f;
  const course = u16(frame, from + 16);
  const fix = (course & 0x1000) !== 0;
  const quality = fix ? 'good' : 'stale';
  const latitude = degrees(u32(frame, from + 7)) * ((course & 0x0400) !== 0 ? 1 : -1);
  const longitude = degrees(u32(frame, from + 11)) * ((course & 0x0800) !== 0 ? -1 : 1);
  const values = [
    value(LATITUDE, latitude, quality),
    value(LONGITUDE, longitude, quality),
    value(SPEED, frame[from + 15]!, quality),
    value(HEADING, course & 0x03ff, quality),
    value(SATELLITES, satellites),
    value(FIX, fix),
  ];
  if ((course & 0x4000) !== 0 && protocol === 0x12) values.push(value(IGNITION, (course & 0x8000) !== 0));
  if (notes !== undefined) {
    notes.add(6, 'time', time === undefined ? 'no such time' : new Date(time).toISOString());
    notes.add(1, 'satellites', String(satellites));
    notes.add(4, 'latitude', `${latitude / 1e7} °`);
    notes.add(4, 'longitude', `${longitude / 1e7} °`);
    notes.add(1, 'speed', `${frame[from + 15]} km/h`);
    notes.add(2, 'course', `${course & 0x03ff} °`, `${fix ? 'valid' : 'not valid'}, signs of the coordinates`);
  }
  const after = AFTER_CELL[protocol];
  if (after !== undefined && from + after.at < to) {
    values.push(value(IGNITION, frame[from + after.at] === 1));
    notes?.add(after.at - POSITION_BYTES, 'network cell');
    notes?.add(1, 'ignition', String(frame[from + after.at] === 1));
    if (after.odometer !== undefined && from + after.odometer + 4 <= to) {
      values.push(value(ODOMETER, u32(frame, from + after.odometer)));
      notes?.add(2, 'upload mode, real time');
      notes?.add(4, 'odometer', `${u32(frame, from + after.odometer)} m`);
    }
  }
  const status = from + ALARM_STATUS;
  if (message === 'alarm' && status + 4 <= to) {
    pushTerminal(values, frame[status]!);
    values.push(value(BATTERY_LEVEL, frame[status + 1]!));
    values.push(value(GSM_SIGNAL, frame[status + 2]!));
    values.push(value(ALARM, ALARMS[frame[status + 3]!] ?? 'other'));
    notes?.add(ALARM_STATUS - POSITION_BYTES, 'network cell');
    notes?.add(1, 'terminal', `0x${hexText(frame, status, status + 1)}`);
    notes?.add(1, 'battery level', String(frame[status + 1]));
    notes?.add(1, 'GSM signal', String(frame[status + 2]));
    notes?.add(1, 'alarm', ALARMS[frame[status + 3]!] ?? 'other');
  }
  return { message, time, values };
}

function readStatus(
  protocol: number,
  frame: Uint8Array,
  from: number,
  to: number,
  notes: Annotations | undefined,
): Content | undefined {
  const wide = protocol === 0x23;
  const signal = from + (wide ? 3 : 2);
  if (signal >= to) return undefined;
  const values: Value[] = [];
  pushTerminal(values, frame[from]!);
  values.push(wide ? value(BATTERY_VOLTAGE, u16(frame, from + 1)) : value(BATTERY_LEVEL, frame[from + 1]!));
  values.push(value(GSM_SIGNAL, frame[signal]!));
  if (!wide && signal + 1 < to) values.push(value(ALARM, ALARMS[frame[signal + 1]!] ?? 'other'));
  notes?.add(1, 'terminal', `0x${hexText(frame, from, from + 1)}`, 'ignition, charging, armed …');
  notes?.add(
    wide ? 2 : 1,
    wide ? 'battery voltage' : 'battery level',
    wide ? `${u16(frame, from + 1) / 100} V` : String(frame[from + 1]),
  );
  notes?.add(1, 'GSM signal', String(frame[signal]));
  if (!wide && signal + 1 < to) notes?.add(1, 'alarm', ALARMS[frame[signal + 1]!] ?? 'other');
  return { message: 'heartbeat', time: undefined, values };
}

/** Protocol 94: one byte says which information follows. */
function readInformation(
  frame: Uint8Array,
  from: number,
  to: number,
  notes: Annotations | undefined,
): Content | undefined {
  const kind = frame[from];
  const at = from + 1;
  const values: Value[] = [];
  notes?.add(1, 'information', `0x${hexText(frame, from, Math.min(at, to))}`);
  if ((kind === 0x00 || kind === 0x0b) && at + 2 <= to) {
    values.push(value(EXTERNAL_VOLTAGE, u16(frame, at)));
    notes?.add(2, 'external voltage', `${u16(frame, at) / 100} V`);
  } else if (kind === 0x0a && at + 26 <= to) {
    values.push(value(ICCID, hexText(frame, at + 16, at + 26)));
    notes?.add(8, 'imei', hexText(frame, at, at + 8));
    notes?.add(8, 'imsi', hexText(frame, at + 8, at + 16));
    notes?.add(10, 'iccid', hexText(frame, at + 16, at + 26));
  } else if (kind === 0x1e && at + 8 <= to) {
    values.push(value(TEMPERATURE, u32(frame, at) | 0), value(HUMIDITY, u32(frame, at + 4) | 0));
    notes?.add(4, 'temperature', `${(u32(frame, at) | 0) / 10} °C`);
    notes?.add(4, 'humidity', `${(u32(frame, at + 4) | 0) / 10} %`);
  } else {
    return undefined;
  }
  return { message: 'information', time: undefined, values };
}

function pushTerminal(values: Value[], terminal: number): void {
  values.push(
    value(FUEL_CUT, (terminal & 0x80) !== 0),
    value(CHARGING, (terminal & 0x04) !== 0),
    value(IGNITION, (terminal & 0x02) !== 0),
    value(ARMED, (terminal & 0x01) !== 0),
  );
}

/** Tenths of a millionth of a degree. */
function degrees(raw: number): number {
  return Math.min(Math.round((raw * 100) / 18), 0x7fff_ffff);
}

/** Unix milliseconds, or undefined for a date that does not exist. */
function timeOf(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): number | undefined {
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59) return undefined;
  const time = Date.UTC(year, month - 1, day, hour, minute, second);
  return new Date(time).getUTCDate() === day ? time : undefined;
}

function u16(frame: Uint8Array, at: number): number {
  return (frame[at]! << 8) | frame[at + 1]!;
}

function u32(frame: Uint8Array, at: number): number {
  return ((frame[at]! << 24) | (frame[at + 1]! << 16) | (frame[at + 2]! << 8) | frame[at + 3]!) >>> 0;
}

/** The content of a packet of this message, of values in shown units. RangeError for what does not fit. */
export function writeContent(
  message: 'position' | 'alarm' | 'heartbeat' | 'information',
  values: FieldValues,
): Uint8Array {
  const w = new ByteWriter();
  if (message === 'heartbeat') {
    w.u8(terminalOf(values));
    w.u8(rawOf(BATTERY_LEVEL, values));
    w.u8(rawOf(GSM_SIGNAL, values));
    w.u8(alarmOf(values));
    w.u8(0x02);
    return w.finish();
  }
  if (message === 'information') {
    w.u8(0x00);
    w.u16(rawOf(EXTERNAL_VOLTAGE, values));
    return w.finish();
  }
  const date = new Date(Math.trunc(Number(values['time_ms'] ?? EPOCH)));
  const year = date.getUTCFullYear() - 2000;
  for (const part of [
    year,
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
  ]) {
    w.u8(part);
  }
  const latitude = Number(values['latitude'] ?? 0);
  const longitude = Number(values['longitude'] ?? 0);
  w.u8(0xc0 | (rawOf(SATELLITES, values) & 0x0f));
  w.u32(Math.round(Math.abs(latitude) * 1_800_000));
  w.u32(Math.round(Math.abs(longitude) * 1_800_000));
  w.u8(rawOf(SPEED, values));
  const heading = rawOf(HEADING, values);
  if (heading < 0 || heading > 0x3ff) throw new RangeError(`${heading} is no heading`);
  // A fix unless told otherwise: a position that is given is meant.
  const fix = values['fix'] === undefined || values['fix'] === true ? 0x1000 : 0;
  w.u16(heading | fix | (latitude < 0 ? 0 : 0x0400) | (longitude < 0 ? 0x0800 : 0));
  if (message === 'position') {
    w.fill(0, 8);
    w.u8(values['ignition'] === true ? 1 : 0);
    w.fill(0, 2);
    w.u32(rawOf(ODOMETER, values));
  } else {
    w.fill(0, 9);
    w.u8(terminalOf(values));
    w.u8(rawOf(BATTERY_LEVEL, values));
    w.u8(rawOf(GSM_SIGNAL, values));
    w.u8(alarmOf(values));
    w.u8(0x02);
  }
  return w.finish();
}

function terminalOf(values: FieldValues): number {
  const bit = (name: string, mask: number): number => (values[name] === true ? mask : 0);
  return bit('fuel_cut', 0x80) | bit('charging', 0x04) | bit('ignition', 0x02) | bit('armed', 0x01);
}

function alarmOf(values: FieldValues): number {
  const name = String(values['alarm'] ?? 'none');
  const found = Object.entries(ALARMS).find(([, text]) => text === name);
  // `other` is every code without a name.
  if (found === undefined) return 0x7f;
  return Number(found[0]);
}

function rawOf(channel: ProfileChannel, values: FieldValues): number {
  return Math.round(Number(values[channel.alias] ?? 0) / 10 ** channel.scale);
}
