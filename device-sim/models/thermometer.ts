/** A room thermometer on a battery. */
import { type Model, channel, good } from './model.ts';
import { Wander } from './wander.ts';

const TEMPERATURE = 1;
const HUMIDITY = 2;
const BATTERY = 3;

export const thermometer: Model = {
  name: 'thermometer',
  title: 'room temperature and humidity, on a battery',
  sleepy: false,
  hasClock: false,
  schema: {
    name: 'Thermometer',
    model: 'SIM-TH1',
    firmware: '1.0.0',
    channels: [
      channel(TEMPERATURE, 'i16', 'temperature', -2, 'temperature', '°C'),
      channel(HUMIDITY, 'u16', 'humidity', -2, 'humidity', '%'),
      { ...channel(BATTERY, 'u16', 'voltage', -3, 'battery_voltage', 'V'), diagnostic: true },
    ],
  },
  create(random) {
    const temperature = new Wander(random, { mean: 21, spread: 1.5, memoryS: 1800, min: -30, max: 60 });
    const humidity = new Wander(random, { mean: 45, spread: 6, memoryS: 2400, min: 5, max: 98 });
    const fullMv = random.between(2_900, 3_150);
    return {
      read(atMs) {
        // A cell loses about 1 mV in an hour of this work.
        const batteryMv = Math.max(2_000, fullMv - atMs / 3_600_000 + random.normal());
        return [
          good(TEMPERATURE, 'i16', Math.round(temperature.at(atMs) * 100)),
          good(HUMIDITY, 'u16', Math.round(humidity.at(atMs) * 100)),
          good(BATTERY, 'u16', Math.round(batteryMv)),
        ];
      },
    };
  },
};
