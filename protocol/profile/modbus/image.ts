/** What the registers of a device hold, for the simulator: values to bytes of a range of addresses, and back. */
import { givenValue } from '../plan.ts';
import type { FieldValues } from '../profile.ts';
import type { RegisterTable } from '../spec.ts';
import { truthOf } from '../raw-values.ts';
import { told } from '../fields.ts';
import { isBitTable } from './registers.ts';
import type { Register } from './registers.ts';

/** The data of an answer: registers as they lie on the wire, or bits. Undefined: the device has none of them. */
export function readImage(
  registers: readonly Register[],
  table: RegisterTable,
  start: number,
  count: number,
  values: FieldValues,
): Uint8Array | undefined {
  const inRange = registers.filter(
    (register) =>
      register.table === table && register.address < start + count && register.address + register.words > start,
  );
  if (inRange.length === 0) return undefined;
  if (isBitTable(table)) {
    const bits = new Uint8Array(Math.ceil(count / 8));
    for (const { name, address } of inRange) {
      const given = givenValue(values, name);
      const at = address - start;
      if (given !== undefined && truthOf(given)) bits[at >> 3]! |= 1 << (at & 7);
    }
    return bits;
  }
  // Values that begin before the range or end behind it are written whole, and cut.
  const low = Math.min(start, ...inRange.map(({ address }) => address));
  const high = Math.max(start + count, ...inRange.map(({ address, words }) => address + words));
  const image = new Uint8Array(2 * (high - low));
  for (const { name, address, skip, bytes, codec } of inRange) {
    const from = 2 * (address - low) + skip;
    const given = givenValue(values, name);
    if (given === undefined) codec.writeNone?.(image, from, from + bytes);
    else told(name, () => codec.write(image, from, from + bytes, given));
  }
  return image.subarray(2 * (start - low), 2 * (start - low + count));
}

/** What data written from `start` on sets; whole registers only. */
export function writtenValues(registers: readonly Register[], start: number, data: Uint8Array): FieldValues {
  const set: Record<string, boolean | number | string> = {};
  for (const { name, table, address, words, skip, bytes, codec } of registers) {
    if (table !== 'holding' || address < start || address + words > start + data.length / 2) continue;
    const from = 2 * (address - start) + skip;
    const number = codec.number(data, from, from + bytes);
    const value = codec.kind === 'number' ? number : codec.read(data, from, from + bytes);
    if (typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && !Number.isNaN(value)))
      set[name] = value;
  }
  return set;
}
