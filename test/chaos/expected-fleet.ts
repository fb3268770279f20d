/** What a seeded fleet of the simulator measures, reading by reading: computed again, not recorded. */
import { Fleet } from '../../device-sim/fleet.ts';
import type { Model, Sensor } from '../../device-sim/models/model.ts';
import { Random } from '../../device-sim/random.ts';
import type { Expectation, Expectations } from './oracle.ts';

export interface ExpectedFleetOptions {
  readonly seed: number;
  readonly devices: number;
  readonly ratePerS: number;
  /** Their channels must all be in every reading, and no channel may take commands. */
  readonly models: readonly Model[];
}

interface Expected {
  readonly model: Model;
  readonly sensor: Sensor;
  /** Uptime of reading seq at index seq − 1. */
  readonly planned: number[];
  readonly values: number[];
  nextMs: number;
}

export class ExpectedFleet implements Expectations {
  readonly #periodMs: number;
  readonly #devices = new Map<string, Expected>();

  constructor(options: ExpectedFleetOptions) {
    this.#periodMs = 1000 / options.ratePerS;
    // The fleet knows how a seed becomes devices; its links are never opened.
    const fleet = new Fleet({ ...options, links: [{ kind: 'unix', path: '' }] });
    const random = new Random(options.seed);
    for (const [index, { idText, model }] of fleet.devices.entries()) {
      const own = random.fork(index);
      this.#devices.set(idText, {
        model,
        sensor: model.create(own.fork('values')),
        planned: [],
        values: [],
        nextMs: own.fork('phase').between(0, this.#periodMs),
      });
    }
  }

  get devices(): readonly string[] {
    return [...this.#devices.keys()];
  }

  reading(device: string, seq: number): Expectation | undefined {
    const expected = this.#devices.get(device);
    if (expected === undefined) return undefined;
    this.#measureUpTo(expected, seq);
    const { channels } = expected.model.schema;
    return new Map(
      channels.map(({ name, scale }, index) => {
        const raw = expected.values[(seq - 1) * channels.length + index] as number;
        return [name, { value: raw * 10 ** scale, step: 10 ** scale }];
      }),
    );
  }

  /** The device's uptime at which this reading was measured, in milliseconds. */
  uptimeMs(device: string, seq: number): number | undefined {
    const expected = this.#devices.get(device);
    if (expected === undefined) return undefined;
    this.#measureUpTo(expected, seq);
    return expected.planned[seq - 1];
  }

  #measureUpTo(expected: Expected, seq: number): void {
    const { sensor, planned, values } = expected;
    while (planned.length < seq) {
      planned.push(expected.nextMs);
      for (const { value } of sensor.read(expected.nextMs)) values.push(Number(value));
      expected.nextMs += sensor.waitMs?.(this.#periodMs) ?? this.#periodMs;
    }
  }
}
