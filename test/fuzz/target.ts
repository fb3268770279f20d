/** What the fuzzer feeds: one entry point that meets bytes from outside, and how to tell that it took them well. */
import type { Random } from '../../device-sim/random.ts';

export interface Target {
  /** kebab-case; what `--target` names. */
  readonly name: string;
  /** What is fed, in one line. */
  readonly about: string;
  /** A new input from the grammar: near to what is valid. At most `MAX_INPUT_BYTES`. */
  readonly generate: (random: Random) => Uint8Array;
  /**
   * Feeds one input and throws when anything is not as it must be. `random` decides what is not in the bytes (where
   * they are cut, say); it is seeded from the input, so that the same bytes always take the same way.
   */
  readonly check: (input: Uint8Array, random: Random) => void;
}

export const MAX_INPUT_BYTES = 4_096;

/** Throws when a condition does not hold. */
export function must(condition: boolean, sentence: string): asserts condition {
  if (!condition) throw new Error(sentence);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** So many random bytes. */
export function noise(random: Random, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = random.u32();
  return bytes;
}

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.int(list.length)] as T;
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
