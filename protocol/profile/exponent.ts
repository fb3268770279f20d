/** A decimal exponent that the frame holds: value × 10^exponent (Modbus meters, M-Bus). */
import type { Codec, GivenValue } from './codec.ts';
import type { Machine } from './machine.ts';
import { integerFormat } from './numbers.ts';
import type { FieldSpec, Order } from './spec.ts';

export interface Exponent {
  /** The exponent, or NaN when it is not in the frame or makes no sense. */
  readonly read: (w: Machine) => number;
  /** Chooses an exponent, writes it, and gives what is left for the field itself. */
  readonly write: (w: Machine, value: GivenValue, codec: Codec) => GivenValue;
}

const LARGEST = 30;

export function compileExponent(spec: NonNullable<FieldSpec['exponent']>, order: Order): Exponent {
  const { at } = spec;
  const format = integerFormat(spec.type, spec.order ?? order);
  const placeOf = (w: Machine): number => (at < 0 ? w.length + at : w.base + at);
  return {
    read: (w) => {
      const from = placeOf(w);
      if (from < 0 || from + format.size > w.length) return Number.NaN;
      const exponent = format.read(w.data, from);
      return Math.abs(exponent) > LARGEST ? Number.NaN : exponent;
    },
    write: (w, value, codec) => {
      const number = Number(value);
      const [least, most] = codec.limits ?? [0, 0];
      const step = codec.step ?? 1;
      const from = placeOf(w);
      let chosen = 0;
      // Up until it fits, then down until nothing is lost.
      while (
        chosen < format.max &&
        chosen < LARGEST &&
        (scaled(number, chosen) > most || scaled(number, chosen) < least)
      )
        chosen++;
      while (
        chosen > Math.max(format.min, -9) &&
        !isWhole(scaled(number, chosen) / step) &&
        scaled(number, chosen - 1) <= most &&
        scaled(number, chosen - 1) >= least
      ) {
        chosen--;
      }
      format.write(w.data, from, chosen);
      w.reach = Math.max(w.reach, from + format.size);
      return scaled(number, chosen);
    },
  };
}

/** value / 10^exponent, without the error of a factor such as 0.001. */
function scaled(value: number, exponent: number): number {
  return exponent < 0 ? value * 10 ** -exponent : value / 10 ** exponent;
}

/** value × 10^exponent. */
export function applyExponent(value: number, exponent: number): number {
  return exponent < 0 ? value / 10 ** -exponent : value * 10 ** exponent;
}

function isWhole(value: number): boolean {
  return Math.abs(value - Math.round(value)) < 1e-9;
}
