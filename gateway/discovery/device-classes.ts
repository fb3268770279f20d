/**
 * What Home Assistant allows: which units a device class may have, and which state classes. From Home Assistant's own
 * tables (DEVICE_CLASS_UNITS and DEVICE_CLASS_STATE_CLASSES in components/sensor/const.py, BinarySensorDeviceClass in
 * components/binary_sensor). An entity that breaks them is refused there, so a channel whose unit does not fit its class
 * gets no class.
 */
import type { ChannelClass } from '../../protocol/index.ts';

/** `total`: total or total_increasing; `any`: all of them; `none`: no state class at all. */
type StateClasses = 'measurement' | 'total' | 'any' | 'none';

export interface SensorClass {
  /** Home Assistant's name of it. */
  readonly name: string;
  /** The units that it may have; '' stands for none. */
  readonly units: readonly string[];
  readonly states: StateClasses;
}

/** The micro sign (U+00B5) and the Greek mu (U+03BC): Home Assistant has had both. */
const MICRO = ['\u00b5', '\u03bc'] as const;
const ug = MICRO.map((micro) => `${micro}g/m³`);
const ENERGY = ['J', 'kJ', 'MJ', 'GJ', 'mWh', 'Wh', 'kWh', 'MWh', 'GWh', 'TWh', 'cal', 'kcal', 'Mcal', 'Gcal'];
const PRESSURE = ['mPa', 'Pa', 'hPa', 'kPa', 'bar', 'cbar', 'mbar', 'mmHg', 'inHg', 'inH₂O', 'psi'];
const LENGTH = ['mm', 'cm', 'm', 'km', 'in', 'ft', 'yd', 'mi', 'nmi'];
const VOLUME = ['mL', 'L', 'm³', 'ft³', 'CCF', 'gal', 'fl. oz.'];
const FLOW_DEPTH = ['mm/d', 'mm/h', 'in/d', 'in/h'];
const SPEED = ['ft/s', 'km/h', 'kn', 'm/s', 'mph', 'Beaufort'];

/** Channel classes that Home Assistant knows as classes of sensors (and, those with numbers, of number entities). */
export const SENSOR_CLASSES: Readonly<Partial<Record<ChannelClass, SensorClass>>> = {
  temperature: sensor('temperature', ['°C', '°F', 'K']),
  humidity: sensor('humidity', ['%']),
  pressure: sensor('pressure', PRESSURE),
  co2: sensor('carbon_dioxide', ['ppm']),
  pm1: sensor('pm1', ug),
  pm25: sensor('pm25', ug),
  pm4: sensor('pm4', ug),
  pm10: sensor('pm10', ug),
  voltage: sensor('voltage', [...MICRO.map((micro) => `${micro}V`), 'mV', 'V', 'kV', 'MV']),
  current: sensor('current', ['mA', 'A']),
  power: sensor('power', ['mW', 'W', 'kW', 'MW', 'GW', 'TW']),
  energy: sensor('energy', ENERGY, 'total'),
  frequency: sensor('frequency', ['Hz', 'kHz', 'MHz', 'GHz']),
  power_factor: sensor('power_factor', ['', '%']),
  moisture: sensor('moisture', ['%']),
  illuminance: sensor('illuminance', ['lx']),
  battery: sensor('battery', ['%']),
  distance: sensor('distance', LENGTH, 'any'),
  duration: sensor('duration', ['d', 'h', 'min', 's', 'ms', ...MICRO.map((micro) => `${micro}s`)], 'any'),
  signal_strength: sensor('signal_strength', ['dB', 'dBm']),
  weight: sensor('weight', ['kg', 'g', 'mg', ...MICRO.map((micro) => `${micro}g`), 'oz', 'lb', 'st'], 'any'),
  speed: sensor('speed', [...SPEED, ...FLOW_DEPTH]),
  gas: sensor('gas', ['m³', 'ft³', 'CCF', 'L'], 'total'),
  water: sensor('water', ['L', 'm³', 'gal', 'ft³', 'CCF'], 'total'),
  voc: sensor('volatile_organic_compounds', ug),
  volatile_organic_compounds_parts: sensor('volatile_organic_compounds_parts', ['ppb', 'ppm']),
  sound_pressure: sensor('sound_pressure', ['dB', 'dBA']),
  apparent_power: sensor('apparent_power', ['mVA', 'VA', 'kVA']),
  reactive_power: sensor('reactive_power', ['mvar', 'var', 'kvar']),
  reactive_energy: sensor('reactive_energy', ['varh', 'kvarh'], 'total'),
  energy_storage: sensor('energy_storage', ENERGY),
  volume_storage: sensor('volume_storage', VOLUME),
  volume_flow_rate: sensor('volume_flow_rate', ['m³/h', 'm³/min', 'm³/s', 'ft³/min', 'L/h', 'L/min', 'L/s', 'mL/s']),
  atmospheric_pressure: sensor('atmospheric_pressure', PRESSURE),
  wind_speed: sensor('wind_speed', SPEED),
  wind_direction: sensor('wind_direction', ['°'], 'none'),
  precipitation: sensor('precipitation', ['mm', 'cm', 'in'], 'any'),
  precipitation_intensity: sensor('precipitation_intensity', FLOW_DEPTH),
  irradiance: sensor('irradiance', ['W/m²', 'BTU/(h⋅ft²)']),
  ph: sensor('ph', ['']),
  conductivity: sensor('conductivity', ['S/cm', 'mS/cm', ...MICRO.map((micro) => `${micro}S/cm`)]),
  aqi: sensor('aqi', ['']),
  carbon_monoxide: sensor('carbon_monoxide', ['ppm']),
  nitrogen_dioxide: sensor('nitrogen_dioxide', ug),
  ozone: sensor('ozone', ug),
  timestamp: sensor('timestamp', [''], 'none'),
};

/** Channel classes of yes-or-no channels, by Home Assistant's name. */
export const BINARY_CLASSES: Readonly<Partial<Record<ChannelClass, string>>> = {
  door: 'door',
  window: 'window',
  motion: 'motion',
  problem: 'problem',
  running: 'running',
  plug: 'plug',
  smoke: 'smoke',
  connectivity: 'connectivity',
  battery: 'battery',
  battery_charging: 'battery_charging',
  tamper: 'tamper',
  moisture: 'moisture',
  gas: 'gas',
  carbon_monoxide: 'carbon_monoxide',
  power: 'power',
};

/** Channel classes of switches, by Home Assistant's name. */
export const SWITCH_CLASSES: Readonly<Partial<Record<ChannelClass, string>>> = {
  switch: 'switch',
  outlet: 'outlet',
  plug: 'outlet',
};

/** The class for a channel of this class and unit, or undefined when they do not go together there. */
export function sensorClass(channelClass: ChannelClass, unit: string): SensorClass | undefined {
  const found = SENSOR_CLASSES[channelClass];
  return found?.units.includes(unit) === true ? found : undefined;
}

/** The state class of numbers: how Home Assistant's statistics take them. */
export function stateClass(found: SensorClass | undefined, totalIncreasing: boolean): string | undefined {
  switch (found?.states ?? 'any') {
    case 'measurement':
      return 'measurement';
    case 'total':
      return totalIncreasing ? 'total_increasing' : 'total';
    case 'any':
      return totalIncreasing ? 'total_increasing' : 'measurement';
    case 'none':
      return undefined;
  }
}

function sensor(name: string, units: readonly string[], states: StateClasses = 'measurement'): SensorClass {
  return { name, units, states };
}
