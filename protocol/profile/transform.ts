/**
 * Bytes that are changed on the wire after all: DL/T 645 adds 33 to every byte of data.
 *
 * ```
 *   as received   68 … 68 91 08 | 33 34 34 35 … | sum 16
 *   as read       68 … 68 91 08 | 00 01 01 02 … | sum 16       subtract 33, from 10, to −2
 * ```
 */
import type { TransformSpec } from './spec.ts';

/** Undoes the rules in `data[0..length)`. */
export function undoTransform(rules: readonly TransformSpec[], data: Uint8Array, length: number): void {
  for (const rule of rules) apply(rule, data, length, -1);
}

/** Applies them, as the device does. */
export function applyTransform(rules: readonly TransformSpec[], data: Uint8Array, length: number): void {
  for (const rule of rules.toReversed()) apply(rule, data, length, 1);
}

function apply(
  { subtract = 0, xor = 0, from, to }: TransformSpec,
  data: Uint8Array,
  length: number,
  sign: 1 | -1,
): void {
  const first = Math.max(0, from < 0 ? length + from : from);
  const last = Math.min(length, to === undefined ? length : to < 0 ? length + to : to);
  for (let i = first; i < last; i++) {
    data[i] = sign < 0 ? (data[i]! ^ xor) - subtract : (data[i]! + subtract) ^ xor;
  }
}
