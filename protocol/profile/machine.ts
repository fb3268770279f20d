/**
 * What a decode works on: the frame, the values of fields by number, and the readings that come out.
 *
 * ```
 *   data    | sync | header | content … | checksum, tail |
 *           0      base ≥ 0             end              length
 * ```
 *
 * One is kept for each instance and used again and again: a decode allocates its readings and nothing else. Every name of
 * the profile has one slot; a slot that has no value holds NaN, or undefined in `texts`.
 */
import type { Value } from '../link/value.ts';

export interface Machine {
  data: Uint8Array;
  /** What offsets from 0 on count from: 0, or the start of an element or record. */
  base: number;
  /** Where the content ends: before checksum and tail. */
  end: number;
  /** Where the frame ends: what negative offsets count from. */
  length: number;
  readonly numbers: Float64Array;
  readonly texts: (string | undefined)[];
  values: Value[];
  /** How far records and repeats of variable width have read. */
  reach: number;
  /** Index of what makes no sense in the frame, or −1. */
  failedAt: number;
  /** For explanations: what was read where. Undefined while decoding. */
  trace: Trace[] | undefined;
}

export interface Trace {
  readonly from: number;
  readonly to: number;
  readonly name: string;
  readonly value: string;
  readonly note: string;
}

/** One thing that is done with a frame. */
export type Step = (w: Machine) => void;

export function createMachine(slots: number): Machine {
  return {
    data: new Uint8Array(0),
    base: 0,
    end: 0,
    length: 0,
    numbers: new Float64Array(slots).fill(Number.NaN),
    texts: Array.from({ length: slots }, () => undefined),
    values: [],
    reach: 0,
    failedAt: -1,
    trace: undefined,
  };
}

/** The names of a profile and their slots. */
export class Scope {
  private readonly slots = new Map<string, { slot: number; kind: SlotKind }>();

  /** The slot of a name, made at its first use. Undefined: the name has values of another kind already. */
  declare(name: string, kind: SlotKind): number | undefined {
    const known = this.slots.get(name);
    if (known === undefined) {
      const slot = this.slots.size;
      this.slots.set(name, { slot, kind });
      return slot;
    }
    // True and false are 1 and 0.
    if ((known.kind === 'text') !== (kind === 'text')) return undefined;
    return known.slot;
  }

  find(name: string): { readonly slot: number; readonly kind: SlotKind } | undefined {
    return this.slots.get(name);
  }

  get names(): string[] {
    return [...this.slots.keys()];
  }

  get size(): number {
    return this.slots.size;
  }
}

export type SlotKind = 'number' | 'bool' | 'text';
