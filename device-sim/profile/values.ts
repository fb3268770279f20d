/**
 * Plausible values for everything that a profile can put in a frame: they lie in the field's range, on its steps, move as
 * measurements do, and stay where a command or the user has set them.
 *
 * ```
 *   field ─ range of the file, or usual for its class, within what fits ─→ wanders ─→ rounded to the step
 * ```
 */
import type { FieldValues, Profile, ProfileField } from '../../protocol/index.ts';
import { Wander } from '../models/wander.ts';
import type { Random } from '../random.ts';

export type FieldValue = boolean | number | bigint | string;

/** What is usual for a class of measurements, in its usual unit. */
const USUAL: Readonly<Record<string, readonly [number, number]>> = {
  temperature: [18, 26],
  humidity: [35, 60],
  pressure: [980, 1_030],
  battery: [40, 100],
  voltage: [11.8, 14.4],
  current: [0, 10],
  power: [0, 500],
  frequency: [49.9, 50.1],
  power_factor: [0.85, 1],
  co2: [400, 1_200],
  pm1: [0, 20],
  pm25: [0, 30],
  pm10: [0, 50],
  signal_strength: [-90, -50],
  distance: [0.5, 5],
  speed: [0, 30],
};
const OTHERWISE: readonly [number, number] = [0, 100];
/** Numbers in text have up to 15 digits; what holds larger ones is a float. */
const LARGEST_IN_TEXT = 1e18;
/** Of a counted repeat so many are there, unless its message cannot leave any out. */
const REPEATS = 4;
/** A state changes about once in so many frames. */
const CHANGES = 0.05;

export class PlausibleValues {
  readonly #sources = new Map<string, (atMs: number) => FieldValue>();
  readonly #fixed = new Map<string, FieldValue>();

  /** `fixed` holds still what the user has given; names that the profile does not have are ignored. */
  constructor(profile: Profile, random: Random, fixed: FieldValues) {
    for (const field of fieldsOf(profile)) {
      if (field.index !== undefined && field.index >= REPEATS && field.optional) continue;
      this.#sources.set(field.name, sourceOf(field, random.fork(field.name)));
    }
    this.set(fixed);
  }

  /** From now on these hold still: a command has set them. */
  set(values: FieldValues): void {
    for (const [name, value] of Object.entries(values)) if (value !== undefined) this.#fixed.set(name, value);
  }

  /** The values of a moment; the times rise from call to call. */
  at(atMs: number): Record<string, FieldValue> {
    const values: Record<string, FieldValue> = {};
    for (const [name, source] of this.#sources) values[name] = source(atMs);
    for (const [name, value] of this.#fixed) values[name] = value;
    return values;
  }
}

/** A field with a number that it holds exactly: from there on the steps are counted. */
interface Playable extends ProfileField {
  readonly origin: number;
}

/** Every field of the messages that come from the device; of one name in several messages, what fits all of them. */
function fieldsOf({ messages }: Profile): Playable[] {
  const fields = new Map<string, Playable>();
  for (const message of messages) {
    if (message.direction !== 'up') continue;
    for (const field of message.fields) {
      const other = fields.get(field.name);
      const first = field.limits?.[0] ?? 0;
      const playable = { ...field, origin: Number.isFinite(first) ? first : 0 };
      fields.set(field.name, other === undefined ? playable : both(other, playable));
    }
  }
  return [...fields.values()];
}

function both(a: Playable, b: Playable): Playable {
  const { limits: one } = a;
  const { limits: two } = b;
  const optional = a.optional && b.optional;
  if (one === undefined || two === undefined || a.kind !== b.kind) return { ...a, optional };
  // Whole steps of the coarser one are, as a rule, steps of the finer one too.
  const coarser = (a.step ?? 0) >= (b.step ?? 0) ? a : b;
  return {
    ...coarser,
    limits: within(one, two),
    range: a.range !== undefined && b.range !== undefined ? within(a.range, b.range) : (a.range ?? b.range),
    optional,
  };
}

function within(one: readonly [number, number], two: readonly [number, number]): readonly [number, number] {
  return [Math.max(one[0], two[0]), Math.min(one[1], two[1])];
}

function sourceOf(field: Playable, random: Random): (atMs: number) => FieldValue {
  switch (field.kind) {
    case 'number':
      return field.totalIncreasing ? growing(field, random) : wandering(field, random);
    case 'bool': {
      let state = random.chance(0.5);
      return () => {
        if (random.chance(CHANGES)) state = !state;
        return state;
      };
    }
    case 'option': {
      // `other` stands for every number without a name: nothing can be written for it.
      const options = (field.options ?? []).filter((option) => option !== 'other' && option !== 'unknown');
      const choices = options.length > 0 ? options : (field.options ?? ['']);
      let chosen = random.int(choices.length);
      return () => {
        if (random.chance(CHANGES)) chosen = random.int(choices.length);
        return choices[chosen] ?? '';
      };
    }
    case 'flags': {
      const flags = field.options ?? [];
      return () => (flags.length > 0 && random.chance(CHANGES) ? (flags[random.int(flags.length)] ?? '') : '');
    }
    case 'text': {
      const text = textOf(field, random);
      return () => text;
    }
  }
}

/** A meter: it starts somewhere and only grows. */
function growing(field: Playable, random: Random): (atMs: number) => FieldValue {
  const [low, high] = rangeOf(field, [100, 2_000]);
  const start = low + random.between(0, (high - low) / 2);
  const perMs = (field.step ?? 0.01) / 1_000;
  return (atMs) => onGrid(Math.min(high, start + atMs * perMs), field);
}

function wandering(field: Playable, random: Random): (atMs: number) => FieldValue {
  // A tracker's clock is right: otherwise what it says would be history.
  if (field.class === 'timestamp') return () => onGrid(field.unit === 'ms' ? Date.now() : Date.now() / 1_000, field);
  const [min, max] = rangeOf(field, USUAL[field.class] ?? OTHERWISE);
  if (max <= min) return () => onGrid(min, field);
  const mean = random.between(min + (max - min) * 0.3, min + (max - min) * 0.7);
  const wander = new Wander(random, { mean, spread: (max - min) / 8, memoryS: 60, min, max });
  return (atMs) => onGrid(wander.at(atMs), field);
}

/** The range of the file, or what is usual, as far as it fits the field. */
function rangeOf({ range, limits }: ProfileField, usual: readonly [number, number]): [number, number] {
  const [least, greatest] = limits ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const [low, high] = range ?? usual;
  if (low > greatest || high < least) {
    // What is usual does not fit at all (another unit): the lower part of what fits.
    const from = Number.isFinite(least) ? least : 0;
    return [from, Number.isFinite(greatest) ? from + (greatest - from) / 4 : from + 100];
  }
  return [Math.max(low, least), Math.min(high, greatest)];
}

/** The nearest number that the field can hold; without digits that only come from binary fractions. */
function onGrid(value: number, { limits, step, origin }: Playable): number {
  if (step === undefined) {
    const rounded = Math.round(value * 100) / 100;
    // Floats of four bytes hold seven digits, and what is given is to come back; numbers in text hold what is written.
    return limits === undefined || limits[1] > LARGEST_IN_TEXT ? Math.fround(rounded) : rounded;
  }
  const [least, most] = limits ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  let steps = Math.round((value - origin) / step);
  if (origin + steps * step > most) steps -= 1;
  if (origin + steps * step < least) steps += 1;
  return Number((origin + steps * step).toFixed(Math.max(decimalsOf(step), decimalsOf(origin))));
}

/** Decimals of a number as it is written, at most 20. */
function decimalsOf(value: number): number {
  const [mantissa = '', exponent = '0'] = String(value).split('e');
  const behind = mantissa.split('.')[1]?.length ?? 0;
  return Math.min(20, Math.max(0, behind - Number(exponent)));
}

const LETTER_COUNT = 6;
const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ';

function textOf({ text, maxBytes, options }: ProfileField, random: Random): string {
  const [option] = options ?? [];
  if (option !== undefined) return option;
  const room = maxBytes ?? 8;
  if (text === 'hex') return Array.from({ length: Math.min(room, 32) }, () => hexByte(random.int(256))).join('');
  if (text === 'digits') return Array.from({ length: Math.min(room, 32) }, () => String(random.int(10))).join('');
  return Array.from({ length: Math.min(room, LETTER_COUNT) }, () => LETTERS[random.int(LETTERS.length)]).join('');
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, '0');
}
