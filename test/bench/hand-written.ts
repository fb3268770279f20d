/**
 * What somebody writes who knows one device: a PMS5003 and the basic message of a JBD BMS by hand, to be compared with
 * the compiled profiles. They give the very same values.
 */
import type { Quality, Value, ValueType } from '../../protocol/index.ts';

/** Cuts a stream into frames: sync, length, checksum, tail. One chunk holds whole frames here. */
export interface HandWritten {
  readonly frames: (chunk: Uint8Array, each: (frame: Uint8Array) => void) => void;
  readonly decode: (frame: Uint8Array) => Value[];
}

function value(channel: number, type: ValueType, value: Value['value'], quality: Quality = 'good'): Value {
  return { channel, type, quality, value };
}

function mass(channel: number, raw: number): Value {
  return value(channel, 'u16', raw, raw > 1_000 ? 'out_of_range' : 'good');
}

function u16(data: Uint8Array, at: number): number {
  return (data[at]! << 8) | data[at + 1]!;
}

export const PMS5003: HandWritten = {
  frames: (chunk, each) => {
    let at = 0;
    while (at + 4 <= chunk.length) {
      if (chunk[at] !== 0x42 || chunk[at + 1] !== 0x4d) {
        at++;
        continue;
      }
      const total = u16(chunk, at + 2) + 4;
      if (total > 40 || at + total > chunk.length) {
        at++;
        continue;
      }
      let sum = 0;
      for (let i = at; i < at + total - 2; i++) sum += chunk[i]!;
      if ((sum & 0xffff) !== u16(chunk, at + total - 2)) {
        at++;
        continue;
      }
      each(chunk.subarray(at, at + total));
      at += total;
    }
  },
  decode: (d) => {
    if (u16(d, 2) !== 28) return [];
    return [
      mass(0, u16(d, 4)),
      mass(1, u16(d, 6)),
      mass(2, u16(d, 8)),
      mass(3, u16(d, 10)),
      mass(4, u16(d, 12)),
      mass(5, u16(d, 14)),
      value(6, 'u16', u16(d, 16)),
      value(7, 'u16', u16(d, 18)),
      value(8, 'u16', u16(d, 20)),
      value(9, 'u16', u16(d, 22)),
      value(10, 'u16', u16(d, 24)),
      value(11, 'u16', u16(d, 26)),
      value(12, 'u8', d[28]!),
      value(13, 'u8', d[29]!),
    ];
  },
};

/** `channels`: the numbers of the profile by alias, so that a channel more in the file does not matter here. */
export function jbd(channels: ReadonlyMap<string, number>, flags: readonly string[]): HandWritten {
  const n = (alias: string): number => channels.get(alias)!;
  const [voltage, current, remaining, nominal, cycles] = [
    n('voltage'),
    n('current'),
    n('remaining'),
    n('nominal'),
    n('cycles'),
  ];
  const [errors, soc, charging, discharging] = [n('errors'), n('soc'), n('charging'), n('discharging')];
  const [cellCount, sensorCount, temperature] = [n('cell_count'), n('sensor_count'), n('temperature_1')];
  const [power, made, balancing, version] = [n('power'), n('made'), n('balancing_cells'), n('software_version')];
  return {
    frames: (chunk, each) => {
      let at = 0;
      while (at + 7 <= chunk.length) {
        if (chunk[at] !== 0xdd) {
          at++;
          continue;
        }
        const total = chunk[at + 3]! + 7;
        if (at + total > chunk.length || chunk[at + total - 1] !== 0x77) {
          at++;
          continue;
        }
        let sum = 0;
        for (let i = at + 2; i < at + total - 3; i++) sum += chunk[i]!;
        if ((-sum & 0xffff) !== u16(chunk, at + total - 3)) {
          at++;
          continue;
        }
        each(chunk.subarray(at, at + total));
        at += total;
      }
    },
    decode: (d) => {
      if (d[1] !== 3 || d[2] !== 0) return [];
      const volts = u16(d, 4);
      const amps = (u16(d, 6) << 16) >> 16;
      const date = u16(d, 14);
      const faults = u16(d, 20);
      const values = [
        value(voltage, 'u16', volts),
        value(current, 'i16', amps),
        value(remaining, 'u16', u16(d, 8)),
        value(nominal, 'u16', u16(d, 10)),
        value(cycles, 'u16', u16(d, 12)),
        value(errors, 'string', flags.filter((_, bit) => (faults >> bit) & 1).join(', ')),
        value(soc, 'u8', d[23]!, d[23]! > 100 ? 'out_of_range' : 'good'),
        value(charging, 'bool', (d[24]! & 1) !== 0),
        value(discharging, 'bool', (d[24]! & 2) !== 0),
        value(cellCount, 'u8', d[25]!),
        value(sensorCount, 'u8', d[26]!),
      ];
      for (let i = 0; i < d[26]! && i < 8; i++) values.push(value(temperature + i, 'i32', u16(d, 27 + 2 * i) - 2_731));
      values.push(value(power, 'f64', Math.round((volts / 100) * (amps / 100) * 10) / 10));
      const [year, month, day] = [2_000 + (date >> 9), (date >> 5) & 15, date & 31];
      const text = `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
      values.push(value(made, 'string', text));
      values.push(value(balancing, 'f64', u16(d, 18) * 65_536 + u16(d, 16)));
      values.push(value(version, 'f64', (d[22]! >> 4) + (d[22]! & 15) / 10));
      return values;
    },
  };
}
