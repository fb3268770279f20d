/**
 * What a kind of device measures, apart from how it talks: its channels, and values that move as in a house.
 *
 * A sensor is asked for the values at a planned time, never at the time of the clock, so that equal seeds give equal values.
 */
import type { ChannelDeclaration, RawValue, Schema, Value } from '../../protocol/index.ts';
import type { Random } from '../random.ts';

export interface Model {
  /** As in `--models`, e.g. `air-quality`. */
  readonly name: string;
  /** One sentence for people. */
  readonly title: string;
  readonly schema: Schema;
  /** Over datagrams it holds no session but wakes, sends one REPORT and sleeps again. */
  readonly sleepy: boolean;
  /** It keeps the time it got from the gateway and stamps its samples with it; others stamp their uptime. */
  readonly hasClock: boolean;
  /** A new sensor of this kind; everything it draws comes from `random`. */
  create(random: Random): Sensor;
}

export interface Sensor {
  /** The values of the next reading, planned at `atMs` after the start; the times rise from call to call. */
  read(atMs: number): Value[];
  /** How long after a reading the next one comes, when `periodMs` is the mean; left out: always `periodMs`. */
  waitMs?(periodMs: number): number;
  /** A command for a channel; left out: this sensor takes none. */
  write?(value: Value): WriteResult;
}

/** The outcome of a command, as in RESULT. */
export type WriteResult = 'done' | 'refused' | 'unknown_channel' | 'bad_value';

/** A good value of a channel, in the channel's own type. */
export function good(channel: number, type: Value['type'], value: RawValue): Value {
  return { channel, type, quality: 'good', value };
}

/** A channel's declaration with the usual flags; `scale` is the power of ten that makes the wire's number the unit's. */
export function channel(
  number: number,
  type: ChannelDeclaration['type'],
  class_: ChannelDeclaration['class'],
  scale: number,
  name: string,
  unit: string,
): ChannelDeclaration {
  return { number, type, class: class_, scale, name, unit, writable: false, totalIncreasing: false, diagnostic: false };
}
