/** A whole number that the frame itself holds: value × times / divisor + plus. Counts, sizes, the number of a first element. */
import { integerFormat } from './numbers.ts';
import type { Machine } from './machine.ts';
import type { MeasureSpec, Order } from './spec.ts';

export interface Measure {
  /** Where it stands, as in the file. */
  readonly at: number;
  readonly size: number;
  /** The number, or −1 when its place is not in the frame. */
  readonly read: (w: Machine) => number;
  /** Puts the number in the frame; RangeError when it does not fit. */
  readonly write: (w: Machine, value: number) => void;
}

export function compileMeasure(spec: MeasureSpec, order: Order): Measure {
  const { at, times, divisor, plus } = spec;
  const format = integerFormat(spec.type, spec.order ?? order);
  const { size, read } = format;
  return {
    at,
    size,
    read: (w) => {
      const from = at < 0 ? w.length + at : w.base + at;
      if (from < 0 || from + size > w.length) return -1;
      return Math.floor((read(w.data, from) * times) / divisor) + plus;
    },
    write: (w, value) => {
      const raw = Math.ceil(((value - plus) * divisor) / times);
      if (!(raw >= format.min && raw <= format.max)) throw new RangeError(`${value} does not fit its place at ${at}`);
      const from = at < 0 ? w.length + at : w.base + at;
      format.write(w.data, from, raw);
      w.reach = Math.max(w.reach, from + size);
    },
  };
}
