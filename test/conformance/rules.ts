/**
 * What of ours stands for what of the recorded frames: profile for file, channel for stated field, and why where a statement
 * is not taken at its word. Data only; `check.ts` judges.
 */

/** Where a stated value is found in what we decode, and in which of the two it is told. */
export type FieldRule =
  /** The channel of this alias, told alike. `{n}` stands for the elements of a list. */
  | string
  /** The stated number times this is what we show (mV against V). */
  | { readonly alias: string; readonly times: number }
  /** The stated number or text is one of these for us. */
  | { readonly alias: string; readonly names: Readonly<Record<string, string>> }
  /** The stated number is a mask: these channels are its bits, or the flags of a channel are. */
  | { readonly bits: readonly string[] }
  | { readonly flags: string }
  /** Not a channel: what `explain` says under this name. */
  | { readonly explained: string }
  /** A part of the time of the sample. */
  | { readonly time: 'year' | 'month' | 'day' | 'hour' | 'minute' | 'second' }
  /** The identity of the device. */
  | { readonly device: true }
  /** Tells the message apart: this is its name. */
  | { readonly message: Readonly<Record<string, string>> }
  /** The Modbus exception. */
  | { readonly exception: true }
  /** Records of a tracker, or data points by number. */
  | { readonly records: true }
  | { readonly points: string }
  /** Names a request, which is compared by its bytes. */
  | { readonly request: true }
  /** Not taken at its word, and why. */
  | { readonly reason: string };

export interface VectorRule {
  readonly fields?: Readonly<Record<string, FieldRule>>;
  /** Parameters of the profile, for this vector. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** What the device has said before: the numbers of cells and sensors, say. */
  readonly after?: readonly string[];
  /** Another profile that reads it: a Modbus answer with the registers that were asked for. */
  readonly registers?: Readonly<Record<string, unknown>>;
  /** The reason why this is no frame of ours, or none to be decoded. */
  readonly reason?: string;
  /** What it must be the answer to that we give: bytes of another vector, or values of a message. */
  readonly repliesTo?:
    | { readonly vector: string }
    | { readonly message: string; readonly values: Readonly<Record<string, string | number>> };
  /** Other counts of a stream than it states, and why. */
  readonly stream?: {
    readonly frames: number;
    readonly skipped: number;
    readonly left: number;
    readonly reason: string;
  };
  /** A stated `expect` that does not hold for us, and why. */
  readonly accepted?: string;
}

export interface DeviceRule {
  /** Undefined: no profile, and `reason` says why. */
  readonly profile: string | undefined;
  readonly reason?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly fields?: Readonly<Record<string, FieldRule>>;
  readonly vectors?: Readonly<Record<string, VectorRule>>;
}

const DP_REASON = 'which data points a product has, and so which commands, the shipped profile cannot know';

export const RULES: Readonly<Record<string, DeviceRule>> = {
  benewake_tfmini: { profile: 'tfmini', fields: { distance_raw: 'distance' } },
  cse7766: { profile: 'cse7766' },
  daly_bms_a5: {
    profile: 'daly_bms',
    fields: {
      temp_1: 'temperature_1',
      temp_2: 'temperature_2',
      max_cell_no: 'max_cell_number',
      min_cell_no: 'min_cell_number',
    },
    vectors: {
      // Two sensors, which the same capture says in its status.
      'daly_bms_a5-11': { after: ['daly_bms_a5-05'] },
      'daly_bms_a5-05': {
        fields: {
          cycles: {
            reason:
              'the data sheet has the cycles in data bytes 5 and 6; the source reads 6 and 7, and other captures of the folder show stale bytes in 7',
          },
        },
      },
    },
  },
  dlt645_2007: {
    profile: 'dlt645',
    fields: {
      address: { explained: 'meter' },
      di: {
        message: {
          '00010000': 'import_energy',
          '02010100': 'voltage_l1',
          '02020100': 'current_l1',
          '02040000': 'reactive_power',
          '02060000': 'power_factor',
        },
      },
    },
    vectors: {
      'dlt645_2007-01': { fields: { value: 'import_energy' } },
      'dlt645_2007-03': { fields: { value: 'current_l1' } },
      'dlt645_2007-05': { fields: { value: 'reactive_power' } },
      'dlt645_2007-07': { fields: { value: 'power_factor' } },
      'dlt645_2007-08': { parameters: { address: '000000000161' }, fields: { di: { request: true } } },
      // 33 22 as they stand on the wire, the low byte first: 223.3 V
      'dlt645_2007-11': { fields: { raw_hex: { alias: 'voltage_l1', names: { '3322': '223.3' } } } },
      'dlt645_2007-12': { parameters: { address: '100023669245' } },
    },
  },
  dsmr_p1: {
    profile: 'dsmr_p1',
    fields: {
      '1-0:1.8.1': 'import_energy_1',
      '1-0:1.8.2': 'import_energy_2',
      '1-0:2.8.1': 'export_energy_1',
      '1-0:1.7.0': 'import_power',
      '0-0:96.7.21': 'power_failures',
      '1-0:32.7.0': 'voltage_l1',
    },
  },
  eastron_sdm: {
    profile: 'sdm120',
    fields: { value: 'voltage' },
    vectors: {
      'eastron_sdm-01': { registers: { voltage: { at: 0, table: 'input', type: 'f32' } } },
      'eastron_sdm-02': { registers: { voltage: { at: 0, table: 'input', type: 'f32' } } },
      'eastron_sdm-04': { registers: { voltage: { at: 0x2000, table: 'input', type: 'f32' } } },
    },
  },
  gt06_tracker: {
    profile: 'gt06',
    fields: {
      type: { explained: 'protocol' },
      year: { time: 'year' },
      month: { time: 'month' },
      day: { time: 'day' },
      hour: { time: 'hour' },
      minute: { time: 'minute' },
      second: { time: 'second' },
      valid: { bits: ['fix'] },
      lat: 'latitude',
      lon: 'longitude',
    },
    vectors: {
      'gt06_tracker-06': { accepted: 'its length is wrong and its CRC right: taken up to 0d 0a' },
    },
  },
  jbd_bms: {
    profile: 'jbd_bms',
    fields: {
      prod_year: { explained: 'made_year' },
      prod_month: { explained: 'made_month' },
      prod_day: { explained: 'made_day' },
      balance: 'balancing_cells',
      errors: { flags: 'errors' },
      sw_version: 'software_version',
      op_status: { bits: ['charging', 'discharging'] },
      ntc_count: 'sensor_count',
      temps: 'temperature_{n}',
      cells: 'cell_{n}',
      read_register: { request: true },
    },
  },
  jk_bms_uart: {
    profile: 'jk_bms',
    fields: {
      mos_temp: 'mosfet_temperature',
      temp_1: 'temperature_1',
      temp_2: 'temperature_2',
      modes: { flags: 'modes' },
      cells: 'cell_{n}',
      function: { request: true },
    },
  },
  meshtastic_stream: {
    profile: undefined,
    reason: 'the frames carry Protocol Buffers of a radio network with many nodes; only their length could be said',
  },
  modbus_rtu_generic: {
    profile: 'modbus_rtu',
    fields: { registers: 'r{n}' },
    vectors: {
      'modbus_rtu_generic-01': { registers: { r1: { at: 0x6c } } },
      'modbus_rtu_generic-02': { registers: { r1: { at: 0x6c } } },
      'modbus_rtu_generic-05': { registers: { r1: { at: 30_071 } } },
      'modbus_rtu_generic-06': { registers: { r1: { at: 30_071 } } },
    },
  },
  modbus_tcp_huawei: {
    profile: 'modbus_tcp',
    parameters: { address: 0 },
    fields: { registers: 'r{n}', transaction: { request: true } },
    vectors: {
      'modbus_tcp_huawei-01': { registers: block(32_000, 20) },
      'modbus_tcp_huawei-02': { registers: block(37_100, 38) },
      'modbus_tcp_huawei-05': { registers: block(32_064, 52) },
    },
  },
  mysensors_ascii: {
    profile: undefined,
    reason:
      'a gateway of a radio network: what a value means is said by a list of types per node and child, which come and go',
  },
  nmea0183: {
    profile: 'nmea0183',
    fields: {
      lat: 'latitude',
      lon: 'longitude',
      quality: { alias: 'fix', names: { 1: 'gps' } },
      numSV: 'satellites',
      HDOP: 'hdop',
      alt: 'altitude',
      sep: 'geoid',
      PDOP: 'pdop',
      VDOP: 'vdop',
    },
  },
  novafitness_sds011: { profile: 'sds011', fields: { pm25: 'pm2_5', command: { request: true } } },
  plantower_pms5003: {
    profile: 'pms5003',
    fields: {
      raw01: 'pm1_0_cf1',
      raw25: 'pm2_5_cf1',
      raw10: 'pm10_cf1',
      pm01: 'pm1_0',
      pm25: 'pm2_5',
      n0_3: 'particles_0_3',
      n0_5: 'particles_0_5',
      n1_0: 'particles_1_0',
      n2_5: 'particles_2_5',
      n5_0: 'particles_5_0',
      n10_0: 'particles_10',
      command: { request: true },
    },
  },
  pzem004t_v3: {
    profile: 'pzem004t',
    fields: { pf: 'power_factor', read_input_registers: { request: true } },
    vectors: {
      'pzem004t_v3-01': { parameters: { address: 0xf8 } },
      'pzem004t_v3-02': { parameters: { address: 0xf8 } },
    },
  },
  senseair_s8: {
    profile: 'senseair_s8',
    fields: { exception_code: { exception: true } },
    vectors: {
      'senseair_s8-01': { registers: { co2: { at: 3, table: 'input' } }, parameters: { address: 0xfe } },
      'senseair_s8-03': {
        registers: { meter_status: { at: 0, table: 'input' } },
        parameters: { address: 0xfe },
        fields: { co2: 'meter_status' },
      },
      'senseair_s8-06': { registers: { co2: { at: 3, table: 'input' } }, parameters: { address: 0xfe } },
    },
  },
  sensirion_sps30: {
    profile: 'sps30',
    fields: {
      pm01: 'pm1_0',
      pm25: 'pm2_5',
      pm04: 'pm4_0',
      n0_5: 'particles_0_5',
      n1_0: 'particles_1_0',
      n2_5: 'particles_2_5',
      n4_0: 'particles_4_0',
      n10_0: 'particles_10',
      diam: 'typical_size',
      state: { alias: 'state', names: { 0: 'ok', 67: 'not_allowed_now' } },
      command: { request: true },
    },
  },
  teltonika_codec8: {
    profile: 'teltonika',
    fields: {
      records: { records: true },
      eye_temp1_raw_x100: { alias: 'eye_temperature_1', times: 0.01 },
      imei: { device: true },
      command: { request: true },
      text: 'response',
    },
    vectors: {
      'teltonika_codec8-18': { repliesTo: { message: 'datagram', values: { packet: 0xcafe, avl_packet: 5 } } },
      'teltonika_codec8-19': {
        stream: {
          frames: 1,
          skipped: 1,
          left: 0,
          reason:
            'the source’s framer knows neither login nor keepalive; ours frames the one and skips the other as fill',
        },
      },
    },
  },
  tuya_mcu: {
    profile: 'tuya_mcu',
    fields: { dps: { points: 'dp_' } },
    vectors: {
      'tuya_mcu-05': { reason: DP_REASON },
      'tuya_mcu-10': { repliesTo: { vector: 'tuya_mcu-09' } },
    },
  },
  ublox_ubx: {
    profile: 'ublox_ubx',
    fields: {
      year: { explained: 'year' },
      month: { explained: 'month' },
      day: { explained: 'day' },
      hour: { explained: 'hour' },
      min: { explained: 'minute' },
      second: { explained: 'second' },
      fixType: { alias: 'fix', names: { 3: '3d' } },
      numSV: 'satellites',
      lon: 'longitude',
      lat: 'latitude',
      height: { alias: 'height', times: 0.001 },
      hMSL: { alias: 'altitude', times: 0.001 },
      velN: { alias: 'velocity_north', times: 0.001 },
      gSpeed: { alias: 'speed', times: 0.001 },
      pDOP: 'pdop',
      cls: { explained: 'acknowledged_class' },
      msg: { explained: 'acknowledged_id' },
      CFG_UART1_BAUDRATE: 'uart1_baud',
    },
    vectors: {
      'ublox_ubx-05': {
        reason: 'a request for the settings of a port: the profile has no use for them and does not send it',
      },
    },
  },
  victron_vedirect: {
    profile: 'victron_vedirect',
    fields: {
      PID: 'product_id',
      V: { alias: 'voltage', times: 0.001 },
      I: { alias: 'current', times: 0.001 },
      P: 'power',
      CE: { alias: 'consumed', times: 0.001 },
      SOC: { alias: 'soc', times: 0.1 },
      TTG: 'time_to_go',
      Alarm: { alias: 'alarm', names: { OFF: 'off', ON: 'on' } },
      BMV: 'model',
      FW: 'firmware',
      VPV: { alias: 'panel_voltage', times: 0.001 },
      PPV: 'panel_power',
      CS: { alias: 'state', names: { 3: 'bulk' } },
      H19: { alias: 'yield_total', times: 0.01 },
    },
  },
  winsen_mhz19b: { profile: 'mhz19', fields: { CO2: 'co2', command: { request: true } } },
};

/** Holding registers r1 … from `at` on. */
function block(at: number, count: number): Record<string, unknown> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`r${i + 1}`, { at: at + i }]));
}
