/**
 * Which units and state classes Home Assistant allows, by the name of the device class: facts from its
 * DEVICE_CLASS_UNITS and DEVICE_CLASS_STATE_CLASSES (components/sensor/const.py) and its units (const.py). Written down
 * apart from the gateway's own table, so that one checks the other.
 */
const ug = ['µg/m³', 'μg/m³'];
const energy = ['J', 'kJ', 'MJ', 'GJ', 'mWh', 'Wh', 'kWh', 'MWh', 'GWh', 'TWh', 'cal', 'kcal', 'Mcal', 'Gcal'];
const pressure = ['mPa', 'Pa', 'hPa', 'kPa', 'bar', 'cbar', 'mbar', 'mmHg', 'inHg', 'inH₂O', 'psi'];
const volume = ['ft³', 'CCF', 'MCF', 'm³', 'L', 'mL', 'gal', 'fl. oz.'];
const speed = ['ft/s', 'in/s', 'm/min', 'm/s', 'km/h', 'kn', 'mm/s', 'mph', 'Beaufort'];
const volumetricFlux = ['in/d', 'in/h', 'mm/d', 'mm/h'];
const information = ['bit', 'kbit', 'B', 'kB', 'MB', 'GB', 'KiB', 'MiB', 'GiB'];
const duration = ['d', 'h', 'min', 's', 'ms', 'μs', 'µs'];

/** '' stands for no unit. */
export const UNITS: Readonly<Record<string, readonly string[]>> = {
  apparent_power: ['mVA', 'VA', 'kVA'],
  aqi: [''],
  atmospheric_pressure: pressure,
  battery: ['%'],
  carbon_dioxide: ['ppm'],
  carbon_monoxide: ['ppm', 'mg/m³', ...ug],
  conductivity: ['S/cm', 'mS/cm', 'µS/cm', 'μS/cm'],
  current: ['A', 'mA'],
  data_size: information,
  distance: ['km', 'm', 'cm', 'mm', 'mi', 'nmi', 'yd', 'ft', 'in'],
  duration,
  energy,
  energy_storage: energy,
  frequency: ['mHz', 'Hz', 'kHz', 'MHz', 'GHz'],
  gas: ['CCF', 'MCF', 'ft³', 'm³', 'L'],
  humidity: ['%'],
  illuminance: ['lx'],
  irradiance: ['W/m²', 'BTU/(h⋅ft²)'],
  moisture: ['%'],
  nitrogen_dioxide: ['ppb', 'ppm', ...ug],
  ozone: ['ppb', 'ppm', ...ug],
  ph: [''],
  pm1: ug,
  pm10: ug,
  pm25: ug,
  pm4: ug,
  power: ['mW', 'W', 'kW', 'MW', 'GW', 'TW'],
  power_factor: ['%', ''],
  precipitation: ['in', 'cm', 'mm'],
  precipitation_intensity: volumetricFlux,
  pressure,
  reactive_energy: ['varh', 'kvarh'],
  reactive_power: ['mvar', 'var', 'kvar'],
  signal_strength: ['dB', 'dBm'],
  sound_pressure: ['dB', 'dBA'],
  speed: [...speed, ...volumetricFlux],
  temperature: ['°C', '°F', 'K'],
  timestamp: [''],
  volatile_organic_compounds: ['mg/m³', ...ug],
  volatile_organic_compounds_parts: ['ppb', 'ppm'],
  voltage: ['μV', 'µV', 'mV', 'V', 'kV', 'MV'],
  volume_flow_rate: ['m³/h', 'm³/min', 'm³/s', 'ft³/min', 'L/h', 'L/min', 'L/s', 'gal/d', 'gal/h', 'gal/min', 'mL/s'],
  volume_storage: volume,
  water: ['CCF', 'MCF', 'ft³', 'm³', 'gal', 'L'],
  weight: ['kg', 'g', 'mg', 'µg', 'μg', 'oz', 'lb', 'st'],
  wind_direction: ['°'],
  wind_speed: speed,
};

const TOTALS = ['total', 'total_increasing'];
const ALL = ['measurement', ...TOTALS];

/** Where nothing stands, only `measurement` is allowed. */
const STATES: Readonly<Record<string, readonly string[]>> = {
  data_size: ALL,
  distance: ALL,
  duration: ALL,
  energy: TOTALS,
  enum: [],
  gas: TOTALS,
  precipitation: ALL,
  reactive_energy: TOTALS,
  timestamp: [],
  water: TOTALS,
  weight: ALL,
  wind_direction: [],
};

export function stateClassesOf(deviceClass: string | undefined): readonly string[] {
  return deviceClass === undefined ? ALL : (STATES[deviceClass] ?? ['measurement']);
}

/** BinarySensorDeviceClass of components/binary_sensor, SwitchDeviceClass of components/switch. */
export const BINARY = [
  'battery',
  'battery_charging',
  'carbon_monoxide',
  'cold',
  'connectivity',
  'door',
  'garage_door',
  'gas',
  'heat',
  'light',
  'lock',
  'moisture',
  'motion',
  'moving',
  'occupancy',
  'opening',
  'plug',
  'power',
  'presence',
  'problem',
  'running',
  'safety',
  'smoke',
  'sound',
  'tamper',
  'update',
  'vibration',
  'window',
];
export const SWITCH = ['outlet', 'switch'];
