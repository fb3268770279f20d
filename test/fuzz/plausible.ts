/** Values for the fields of a profile's message: mostly what fits, from what the contract says of them. */
import type { FieldValues, ProfileField } from '../../protocol/index.ts';
import type { Random } from '../../device-sim/random.ts';
import { pick } from './target.ts';

const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ0123456789';
const MOST_STEPS = 2 ** 31;

export function plausibleValues(fields: readonly ProfileField[], random: Random): FieldValues {
  const values: Record<string, boolean | number | string> = {};
  for (const field of fields) {
    if (!field.optional || random.int(8) > 0) values[field.name] = plausible(field, random);
  }
  return values;
}

function plausible(field: ProfileField, random: Random): boolean | number | string {
  const { kind, options = [''] } = field;
  if (kind === 'bool') return random.int(2) === 0;
  if (kind === 'option') return pick(random, options);
  if (kind === 'flags') return options.filter(() => random.int(3) === 0).join(', ');
  if (kind === 'number') return number(field, random);
  const length = Math.min(field.maxBytes ?? 16, 24);
  if (field.text === 'digits') return letters(random, '0123456789', length);
  if (field.text === 'hex') return letters(random, '0123456789abcdef', 2 * length);
  return letters(random, LETTERS, 1 + random.int(length));
}

function letters(random: Random, alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[random.int(alphabet.length)]).join('');
}

function number({ limits = [-1e6, 1e6], range = [-1e6, 1e6], step }: ProfileField, random: Random): number {
  const low = Math.max(limits[0], range[0]);
  const high = Math.min(limits[1], range[1]);
  if (step === undefined) return Math.fround(random.between(low, high));
  const steps = Math.max(0, Math.min(MOST_STEPS, Math.floor((high - low) / step + 1e-9)));
  const first = Math.ceil((low - limits[0]) / step - 1e-9);
  return Number((limits[0] + (first + random.int(steps + 1)) * step).toPrecision(12));
}
