/** What a Teltonika tracker measures: the channels of a record, and what the numbers of its I/O elements mean. */
import type { ProfileChannel } from '../profile/profile.ts';
import type { ValueType } from '../link/value.ts';
import { channel } from './codec.ts';
import type { ChannelTraits } from './codec.ts';

/** Every record has these. */
export const LATITUDE: ProfileChannel = channel(0, 'latitude', 'i32', { scale: -7, unit: '°', range: [-90, 90] });
export const LONGITUDE: ProfileChannel = channel(1, 'longitude', 'i32', { scale: -7, unit: '°', range: [-180, 180] });
export const ALTITUDE: ProfileChannel = channel(2, 'altitude', 'i16', {
  unit: 'm',
  class: 'distance',
  range: [-100, 5000],
});
export const HEADING: ProfileChannel = channel(3, 'heading', 'u16', { unit: '°', range: [0, 360] });
export const SATELLITES: ProfileChannel = channel(4, 'satellites', 'u8', { range: [0, 40] });
export const SPEED: ProfileChannel = channel(5, 'speed', 'u16', { unit: 'km/h', class: 'speed', range: [0, 300] });
export const PRIORITY: ProfileChannel = channel(6, 'priority', 'string', {
  diagnostic: true,
  options: ['low', 'high', 'panic'],
});
export const EVENT: ProfileChannel = channel(7, 'event', 'u16', {
  title: 'I/O element that caused the record',
  diagnostic: true,
});
/** Codec 12: what a command was answered. */
export const RESPONSE: ProfileChannel = channel(8, 'response', 'string', { diagnostic: true, command: 'command' });

export interface IoElement {
  readonly id: number;
  readonly channel: ProfileChannel;
}

type Row = readonly [id: number, alias: string, type: ValueType, traits?: ChannelTraits];

const VOLT: ChannelTraits = { scale: -3, unit: 'V', class: 'voltage' };
const MILLI_G: ChannelTraits = { unit: 'mG', diagnostic: true };
const HUNDREDTH_CELSIUS: ChannelTraits = { scale: -2, unit: '°C', class: 'temperature' };
const TENTH_CELSIUS: ChannelTraits = { scale: -1, unit: '°C', class: 'temperature' };
const PERCENT_BATTERY: ChannelTraits = { unit: '%', class: 'battery', diagnostic: true };

/** The I/O elements that the FMB, FMC and FMM families share, by their AVL id. */
const ROWS: readonly Row[] = [
  [239, 'ignition', 'bool'],
  [240, 'movement', 'bool', { class: 'motion' }],
  [21, 'gsm_signal', 'u8', { title: 'GSM signal (0 to 5)', diagnostic: true, range: [0, 5] }],
  [69, 'gnss_status', 'u8', { title: 'GNSS status', diagnostic: true }],
  [80, 'data_mode', 'u8', { diagnostic: true }],
  [200, 'sleep_mode', 'u8', { diagnostic: true }],
  [66, 'external_voltage', 'u16', { ...VOLT, range: [0, 60] }],
  [67, 'battery_voltage', 'u16', { ...VOLT, range: [0, 10] }],
  [68, 'battery_current', 'u16', { scale: -3, unit: 'A', class: 'current', diagnostic: true }],
  [113, 'battery', 'u8', { unit: '%', class: 'battery', range: [0, 100] }],
  [24, 'gnss_speed', 'u16', { title: 'Speed by GNSS', unit: 'km/h', class: 'speed', diagnostic: true }],
  [181, 'pdop', 'u16', { title: 'Position dilution', scale: -1, diagnostic: true }],
  [182, 'hdop', 'u16', { title: 'Horizontal dilution', scale: -1, diagnostic: true }],
  [16, 'odometer', 'u32', { unit: 'm', class: 'distance', totalIncreasing: true }],
  [199, 'trip_odometer', 'u32', { unit: 'm', class: 'distance' }],
  [1, 'input_1', 'bool', { title: 'Digital input 1' }],
  [2, 'input_2', 'bool', { title: 'Digital input 2' }],
  [3, 'input_3', 'bool', { title: 'Digital input 3' }],
  [4, 'input_4', 'bool', { title: 'Digital input 4' }],
  [179, 'output_1', 'bool', { title: 'Digital output 1' }],
  [180, 'output_2', 'bool', { title: 'Digital output 2' }],
  [9, 'analog_1', 'u16', { ...VOLT, title: 'Analog input 1' }],
  [6, 'analog_2', 'u16', { ...VOLT, title: 'Analog input 2' }],
  [17, 'axis_x', 'i16', MILLI_G],
  [18, 'axis_y', 'i16', MILLI_G],
  [19, 'axis_z', 'i16', MILLI_G],
  [241, 'gsm_operator', 'u32', { title: 'GSM operator (MCC and MNC)', diagnostic: true }],
  [205, 'gsm_cell', 'u16', { title: 'GSM cell', diagnostic: true }],
  [206, 'gsm_area', 'u16', { title: 'GSM area code', diagnostic: true }],
  [11, 'iccid_1', 'u64', { title: 'ICCID, first half', diagnostic: true }],
  [14, 'iccid_2', 'u64', { title: 'ICCID, second half', diagnostic: true }],
  [12, 'fuel_used', 'u32', { scale: -3, unit: 'L', totalIncreasing: true }],
  [13, 'fuel_rate', 'u16', { scale: -2, unit: 'L/100km' }],
  [15, 'eco_score', 'u16', { scale: -2, diagnostic: true }],
  [30, 'fault_codes', 'u8', { diagnostic: true }],
  [31, 'engine_load', 'u8', { unit: '%' }],
  [32, 'coolant_temperature', 'i8', { unit: '°C', class: 'temperature' }],
  [36, 'engine_speed', 'u16', { unit: 'rpm' }],
  [37, 'vehicle_speed', 'u8', { unit: 'km/h', class: 'speed' }],
  [48, 'fuel_level', 'u8', { unit: '%' }],
  [72, 'probe_1', 'i32', TENTH_CELSIUS],
  [73, 'probe_2', 'i32', TENTH_CELSIUS],
  [74, 'probe_3', 'i32', TENTH_CELSIUS],
  [75, 'probe_4', 'i32', TENTH_CELSIUS],
  [78, 'ibutton', 'u64', { title: 'iButton', diagnostic: true }],
  [25, 'ble_temperature_1', 'i16', HUNDREDTH_CELSIUS],
  [26, 'ble_temperature_2', 'i16', HUNDREDTH_CELSIUS],
  [27, 'ble_temperature_3', 'i16', HUNDREDTH_CELSIUS],
  [28, 'ble_temperature_4', 'i16', HUNDREDTH_CELSIUS],
  [86, 'ble_humidity_1', 'u16', { scale: -1, unit: '%', class: 'humidity' }],
  [104, 'ble_humidity_2', 'u16', { scale: -1, unit: '%', class: 'humidity' }],
  [106, 'ble_humidity_3', 'u16', { scale: -1, unit: '%', class: 'humidity' }],
  [108, 'ble_humidity_4', 'u16', { scale: -1, unit: '%', class: 'humidity' }],
  [29, 'ble_battery_1', 'u8', PERCENT_BATTERY],
  [20, 'ble_battery_2', 'u8', PERCENT_BATTERY],
  [22, 'ble_battery_3', 'u8', PERCENT_BATTERY],
  [23, 'ble_battery_4', 'u8', PERCENT_BATTERY],
  [10800, 'eye_temperature_1', 'i16', HUNDREDTH_CELSIUS],
  [10801, 'eye_temperature_2', 'i16', HUNDREDTH_CELSIUS],
  [10802, 'eye_temperature_3', 'i16', HUNDREDTH_CELSIUS],
  [10803, 'eye_temperature_4', 'i16', HUNDREDTH_CELSIUS],
  [10804, 'eye_humidity_1', 'u8', { unit: '%', class: 'humidity' }],
  [10805, 'eye_humidity_2', 'u8', { unit: '%', class: 'humidity' }],
  [10806, 'eye_humidity_3', 'u8', { unit: '%', class: 'humidity' }],
  [10807, 'eye_humidity_4', 'u8', { unit: '%', class: 'humidity' }],
  [246, 'towing', 'bool', { class: 'problem' }],
  [249, 'jamming', 'u8', { diagnostic: true }],
  [250, 'trip', 'u8', { diagnostic: true }],
  [251, 'idling', 'bool'],
  [252, 'unplugged', 'bool', { class: 'problem' }],
  [255, 'overspeeding', 'u8', { unit: 'km/h' }],
];

/** In the order of the list, behind the channels of every record. */
export const IO_ELEMENTS: readonly IoElement[] = ROWS.map(([id, alias, type, traits], i) => ({
  id,
  channel: channel(RESPONSE.number + 1 + i, alias, type, traits),
}));

export const CHANNELS: readonly ProfileChannel[] = [
  LATITUDE,
  LONGITUDE,
  ALTITUDE,
  HEADING,
  SATELLITES,
  SPEED,
  PRIORITY,
  EVENT,
  RESPONSE,
  ...IO_ELEMENTS.map((element) => element.channel),
];
