/** One case: what is sent, and under which reasons the gateway has to count it. */
import type { World } from './world.ts';

export const FAMILIES = [
  'framing',
  'session',
  'values',
  'names',
  'secured',
  'limits',
  'mqtt',
  'broker',
  'watermark',
  'self-test',
] as const;
export type Family = (typeof FAMILIES)[number];

/** Programs that a fresh machine may lack. */
export type Need = 'mosquitto' | 'openssl' | 'socat or python3';

/** A path in bridge/health → by how much it grows: exactly so much, or `some`: by anything at all. */
export type Counted = Readonly<Record<string, number | 'some'>>;

export interface AbuseCase {
  readonly name: string;
  readonly counted: Counted;
  /** Other reasons that may grow, too; beginnings of paths. */
  readonly also?: readonly string[];
  /** Sends it, and throws when an answer or a publication is not what it should be. Returns how many bytes were sent. */
  run(world: World): Promise<number>;
  readonly needs?: Need;
  /** The case must fail for this reason: then it passes. */
  readonly mustFail?: RegExp;
}

export interface CaseGroup {
  readonly family: Family;
  readonly cases: readonly AbuseCase[];
}

/** Throws with `what` when it does not hold. */
export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}
