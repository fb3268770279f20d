/**
 * select(2) with its three lists, as Python's `select.select` has it, for programs that need no `Selector`.
 *
 * ```
 *   select([listener, a, b], [a], [a, b], 1_000)  →  [[listener], [a], []]
 * ```
 */
import { Selector } from './selector.ts';
import { ERROR, READ, type Selectable, WRITE } from './sources/source.ts';

/**
 * Waits until one of `readers` can be read or accepted from, one of `writers` written to, or one of `errors` has
 * failed; at most `timeoutMs` (undefined: for ever; 0: only looks). Returns those of each list, in its order, that are
 * ready; three empty lists mean that the time was up. Level-triggered: what is not drained is ready again.
 *
 * One that has failed counts as readable and writable besides, as in select(2), since neither would block: the caller
 * then finds its `error`. It never fails the call for the others.
 */
export async function select(
  readers: readonly Selectable[],
  writers: readonly Selectable[],
  errors: readonly Selectable[],
  timeoutMs: number | undefined,
): Promise<[Selectable[], Selectable[], Selectable[]]> {
  const interests = new Map<Selectable, number>();
  for (const one of errors) interests.set(one, ERROR);
  for (const one of readers) interests.set(one, (interests.get(one) ?? 0) | READ);
  for (const one of writers) interests.set(one, (interests.get(one) ?? 0) | WRITE);

  const selector = new Selector<undefined>();
  const keys = [];
  try {
    for (const [one, interest] of interests) keys.push(selector.register(one, interest, undefined));
    const ready = new Map<Selectable, number>();
    for (const key of await selector.select(timeoutMs)) ready.set(key.selectable, key.ready);
    const having = (bits: number) => (one: Selectable) => ((ready.get(one) ?? 0) & bits) !== 0;
    return [readers.filter(having(READ | ERROR)), writers.filter(having(WRITE | ERROR)), errors.filter(having(ERROR))];
  } finally {
    for (const key of keys) selector.unregister(key);
  }
}
