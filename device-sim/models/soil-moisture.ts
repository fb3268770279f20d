/** A soil moisture node that sleeps: over UDP it wakes, sends one REPORT and sleeps again. */
import { type Model, channel, good } from './model.ts';
import { Wander } from './wander.ts';

const MOISTURE = 1;
const TEMPERATURE = 2;
const BATTERY = 3;

export const soilMoisture: Model = {
  name: 'soil-moisture',
  title: 'a garden node that sleeps and reports over UDP without a session',
  sleepy: true,
  hasClock: false,
  schema: {
    name: 'Soil moisture',
    model: 'SIM-SM1',
    firmware: '0.9.2',
    channels: [
      channel(MOISTURE, 'u16', 'moisture', -1, 'moisture', '%'),
      channel(TEMPERATURE, 'i8', 'temperature', 0, 'soil_temperature', '°C'),
      { ...channel(BATTERY, 'u8', 'battery', 0, 'battery', '%'), diagnostic: true },
    ],
  },
  create(random) {
    const moisture = new Wander(random, { mean: 32, spread: 5, memoryS: 7200, min: 2, max: 70 });
    const temperature = new Wander(random, { mean: 14, spread: 3, memoryS: 7200, min: -15, max: 45 });
    const full = random.between(60, 100);
    return {
      read(atMs) {
        return [
          good(MOISTURE, 'u16', Math.round(moisture.at(atMs) * 10)),
          good(TEMPERATURE, 'i8', Math.round(temperature.at(atMs))),
          good(BATTERY, 'u8', Math.round(Math.max(1, full - atMs / 86_400_000))),
        ];
      },
    };
  },
};
