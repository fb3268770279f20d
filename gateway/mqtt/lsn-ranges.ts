/**
 * Sets of log sequence numbers as ranges (pure).
 *
 * ```
 *   accepted ──────────────┤   beyond ├──┤     ├────┤
 *                           ██████████    █████      ████████   pending
 *                                                           last
 * ```
 */

/** Both ends included. */
export interface LsnRange {
  readonly from: number;
  readonly to: number;
}

/** What the broker has accepted: everything up to `lsn`, and the ranges beyond it, which ascend and do not touch. */
export interface AcceptedSet {
  readonly lsn: number;
  readonly beyond: readonly LsnRange[];
}

/** What is missing in `accepted` from `first` to `last`, ascending. */
export function pendingOf(accepted: AcceptedSet, first: number, last: number): LsnRange[] {
  const pending: LsnRange[] = [];
  let from = Math.max(first, accepted.lsn + 1);
  for (const range of accepted.beyond) {
    if (range.from > last) break;
    if (range.from > from) pending.push({ from, to: range.from - 1 });
    from = Math.max(from, range.to + 1);
  }
  if (from <= last) pending.push({ from, to: last });
  return pending;
}

/**
 * The other way round: what is accepted when `pending` is not. `pending` ascends, may touch, and its last range is open
 * to newer records.
 * @param most ranges beyond at the most; what lies further counts as not accepted
 */
export function acceptedOf(pending: readonly LsnRange[], most: number): AcceptedSet {
  const [first] = pending;
  if (first === undefined) throw new RangeError('what is to come is always pending');
  const beyond: LsnRange[] = [];
  let { to } = first;
  for (const range of pending.slice(1)) {
    if (range.from > to + 1) {
      if (beyond.length === most) break;
      beyond.push({ from: to + 1, to: range.from - 1 });
    }
    to = Math.max(to, range.to);
  }
  return { lsn: first.from - 1, beyond };
}

export function countOf(ranges: readonly LsnRange[]): number {
  return ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0);
}
