/** An air quality monitor: particles and carbon dioxide. */
import { type Model, channel, good } from './model.ts';
import { Wander } from './wander.ts';

const PM1 = 1;
const PM25 = 2;
const PM10 = 3;
const CO2 = 4;

export const airQuality: Model = {
  name: 'air-quality',
  title: 'particulate matter and CO2 in a room',
  sleepy: false,
  hasClock: false,
  schema: {
    name: 'Air quality',
    model: 'SIM-AQ4',
    firmware: '1.2.0',
    channels: [
      channel(PM1, 'u16', 'pm1', -1, 'pm1', 'µg/m³'),
      channel(PM25, 'u16', 'pm25', -1, 'pm25', 'µg/m³'),
      channel(PM10, 'u16', 'pm10', -1, 'pm10', 'µg/m³'),
      channel(CO2, 'u16', 'co2', 0, 'co2', 'ppm'),
    ],
  },
  create(random) {
    const pm1 = new Wander(random, { mean: 6, spread: 3, memoryS: 900, min: 0, max: 500 });
    const coarser = new Wander(random, { mean: 4, spread: 1.5, memoryS: 900, min: 0, max: 300 });
    const coarsest = new Wander(random, { mean: 5, spread: 2, memoryS: 600, min: 0, max: 300 });
    const co2 = new Wander(random, { mean: 750, spread: 180, memoryS: 1200, min: 400, max: 5_000 });
    return {
      read(atMs) {
        // The size classes contain each other: what is smaller than 1 µm is also smaller than 2.5 µm.
        const upTo1 = pm1.at(atMs);
        const upTo25 = upTo1 + coarser.at(atMs);
        const upTo10 = upTo25 + coarsest.at(atMs);
        return [
          good(PM1, 'u16', Math.round(upTo1 * 10)),
          good(PM25, 'u16', Math.round(upTo25 * 10)),
          good(PM10, 'u16', Math.round(upTo10 * 10)),
          good(CO2, 'u16', Math.round(co2.at(atMs))),
        ];
      },
    };
  },
};
