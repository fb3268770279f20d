/** An electricity meter; its total is a 64-bit counter in mWh that passes 2^53 on some devices, as it may. */
import { type Model, channel, good } from './model.ts';
import { Wander } from './wander.ts';

const VOLTAGE = 1;
const CURRENT = 2;
const POWER = 3;
const ENERGY = 4;
const FREQUENCY = 5;
const POWER_FACTOR = 6;

export const powerMeter: Model = {
  name: 'power-meter',
  title: 'voltage, current, power and energy of a circuit, with a clock',
  sleepy: false,
  hasClock: true,
  schema: {
    name: 'Power meter',
    model: 'SIM-PM1',
    firmware: '2.1.0',
    channels: [
      channel(VOLTAGE, 'u16', 'voltage', -1, 'voltage', 'V'),
      channel(CURRENT, 'u32', 'current', -3, 'current', 'A'),
      channel(POWER, 'f32', 'power', 0, 'power', 'W'),
      { ...channel(ENERGY, 'u64', 'energy', -6, 'energy', 'kWh'), totalIncreasing: true },
      channel(FREQUENCY, 'u16', 'frequency', -2, 'frequency', 'Hz'),
      channel(POWER_FACTOR, 'i8', 'power_factor', -2, 'power_factor', ''),
    ],
  },
  create(random) {
    const voltage = new Wander(random, { mean: 230, spread: 2, memoryS: 300, min: 207, max: 253 });
    const current = new Wander(random, { mean: 2.4, spread: 1.1, memoryS: 120, min: 0.02, max: 16 });
    const frequency = new Wander(random, { mean: 50, spread: 0.02, memoryS: 60, min: 49.5, max: 50.5 });
    const factor = new Wander(random, { mean: 0.93, spread: 0.03, memoryS: 600, min: 0.5, max: 1 });
    let energyMwh = BigInt(random.int(20_000)) * 1_000_000n;
    let remainderMwh = 0;
    let lastMs = 0;
    return {
      read(atMs) {
        const volts = voltage.at(atMs);
        const amperes = current.at(atMs);
        const powerFactor = factor.at(atMs);
        const watts = volts * amperes * powerFactor;
        remainderMwh += (watts * (atMs - lastMs)) / 3600;
        lastMs = atMs;
        const whole = Math.floor(remainderMwh);
        remainderMwh -= whole;
        energyMwh += BigInt(whole);
        return [
          good(VOLTAGE, 'u16', Math.round(volts * 10)),
          good(CURRENT, 'u32', Math.round(amperes * 1000)),
          good(POWER, 'f32', Math.fround(watts)),
          good(ENERGY, 'u64', energyMwh),
          good(FREQUENCY, 'u16', Math.round(frequency.at(atMs) * 100)),
          good(POWER_FACTOR, 'i8', Math.round(powerFactor * 100)),
        ];
      },
    };
  },
};
