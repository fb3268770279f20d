/** What a row of the chaos table is. */
import type { Random } from '../../device-sim/random.ts';

export type Durability = 'power' | 'process' | 'memory';

export interface Scenario {
  /** For `--only`. */
  readonly name: string;
  /** The row's first column. */
  readonly fault: string;
  /** How often the fault strikes. */
  readonly rounds: { readonly full: number; readonly short: number };
  run(context: Context): Promise<Outcome>;
}

export interface Context {
  readonly random: Random;
  readonly seed: number;
  readonly rounds: number;
  readonly short: boolean;
  readonly durability: Durability;
  /** An empty folder of its own. */
  readonly folder: string;
  /** Tells what goes on. */
  log(text: string): void;
  /** Has something undone at the end of the row, whatever happens; the last one first. */
  atEnd(undo: () => Promise<void> | void): void;
}

/** A line of the table. */
export interface Outcome {
  readonly rounds: number;
  /** Readings that the devices took. */
  readonly readings: number;
  readonly acknowledged: number;
  readonly missing: number;
  readonly duplicates: number;
  readonly foreign: number;
  /** The longest time without any ACK of a reading after a restart or during a fault; undefined: does not apply. */
  readonly worstAckGapMs: number | undefined;
  /** What else was measured. */
  readonly figures: Readonly<Record<string, number | string>>;
  /** Why it has not passed; empty: it has. */
  readonly failures: readonly string[];
}
