/** Values that a device could have, for the fields of a message: from what the contract says of them, nothing else. */
import * as fc from 'fast-check';
import type { ProfileField, ProfileMessage } from '../../../protocol/index.ts';

export type Plausible = Record<string, boolean | number | string>;

/** Values for all fields of a message. */
export function plausibleValues(message: ProfileMessage): fc.Arbitrary<Plausible> {
  return fc.record(Object.fromEntries(message.fields.map((field) => [field.name, plausible(field)])));
}

function plausible(field: ProfileField): fc.Arbitrary<boolean | number | string> {
  switch (field.kind) {
    case 'bool':
      return fc.boolean();
    case 'option':
      return fc.constantFrom(...(field.options ?? ['']));
    case 'flags':
      return fc.subarray([...(field.options ?? [])]).map((names) => names.join(', '));
    case 'text':
      return text(field);
    default:
      return number(field);
  }
}

function text(field: ProfileField): fc.Arbitrary<string> {
  const most = Math.min(field.maxBytes ?? 16, 24);
  if (field.text === 'digits') return digits(most);
  if (field.text === 'hex')
    return fc.uint8Array({ minLength: most, maxLength: most }).map((bytes) => Buffer.from(bytes).toString('hex'));
  return fc.string({
    unit: fc.constantFrom(...Array.from('ABCDEFGHJKLMNPQRSTUVWXYZ0123456789')),
    minLength: 1,
    maxLength: most,
  });
}

function digits(length: number): fc.Arbitrary<string> {
  return fc
    .array(fc.integer({ min: 0, max: 9 }), { minLength: length, maxLength: length })
    .map((list) => list.join(''));
}

/** A multiple of the step within what fits and what is plausible. */
function number(field: ProfileField): fc.Arbitrary<number> {
  const [least, most] = field.limits ?? [-1e6, 1e6];
  const low = Math.max(least, field.range?.[0] ?? -1e6);
  const high = Math.min(most, field.range?.[1] ?? 1e6);
  const { step } = field;
  if (step === undefined)
    return fc.float({ min: Math.fround(low), max: Math.fround(high), noNaN: true }).map((value) => value + 0);
  const steps = Math.floor((high - low) / step + 1e-9);
  // Counted from the least that fits, which is a multiple of the step away from every other.
  const first = Math.ceil((low - least) / step - 1e-9);
  return fc
    .integer({ min: 0, max: Math.max(0, Math.min(steps, 2 ** 31)) })
    .map((n) => Number((least + (first + n) * step).toPrecision(12)));
}
