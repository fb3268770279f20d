/** What every part of a message is compiled to: how it is read, and how it is written. */
import type { GivenValue } from './codec.ts';
import type { Machine, Step } from './machine.ts';
import type { FieldValues, ProfileField } from './profile.ts';
import type { SimpleField } from './simple-field.ts';

export interface Plan {
  readonly name: string;
  /** When it is read and written, lowest first: what others depend on comes before them. */
  readonly phase: Phase;
  readonly run: Step;
  /**
   * Writes its values where they are given, and moves `reach` behind them. `w.length` is the length of the frame for
   * `fromEnd`, and before that what is known of it.
   */
  readonly write: (w: Machine, values: FieldValues) => void;
  /** It can be read the fast way instead. */
  readonly simple?: SimpleField | undefined;
  readonly fields: readonly ProfileField[];
  /** Bytes behind `base` that a frame must have for it. */
  readonly needs: number;
  /** Bytes from the end of the frame on that it stands in, when it counts from there. */
  readonly tail?: number;
}

/** In this order: plain fields; those with a condition; repeats, groups, records; what counts from the end; computed ones. */
export type Phase = 'plain' | 'condition' | 'many' | 'fromEnd' | 'computed';

export const PHASES: readonly Phase[] = ['plain', 'condition', 'many', 'fromEnd', 'computed'];

/** The value given for a name, if there is one. */
export function givenValue(values: FieldValues, name: string): GivenValue | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}
