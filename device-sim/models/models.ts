/** All models, by the name that `--models` takes. */
import { actuator } from './actuator.ts';
import { airQuality } from './air-quality.ts';
import { doorContact } from './door-contact.ts';
import type { Model } from './model.ts';
import { powerMeter } from './power-meter.ts';
import { soilMoisture } from './soil-moisture.ts';
import { thermometer } from './thermometer.ts';

export const MODELS: readonly Model[] = [thermometer, airQuality, powerMeter, soilMoisture, doorContact, actuator];

export function findModel(name: string): Model | undefined {
  return MODELS.find((model) => model.name === name);
}
