import { assert, integer, property, uniqueArray } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptedOf, countOf, pendingOf } from '../../../gateway/mqtt/lsn-ranges.ts';

const LAST = 60;

/** Which of 1 … LAST are pending. */
const sets = uniqueArray(integer({ min: 1, max: LAST })).map((lsns) => lsns.toSorted((a, b) => a - b));

const numbers = (ranges: readonly { from: number; to: number }[]): number[] =>
  ranges.flatMap(({ from, to }) =>
    Array.from({ length: Math.max(0, Math.min(to, LAST) - from + 1) }, (_, at) => from + at),
  );

describe('ranges of log numbers', () => {
  it('say the same as what is accepted and as what is pending', () => {
    assert(
      property(sets, (pending) => {
        const open = [
          ...pending.map((lsn) => ({ from: lsn, to: lsn })),
          { from: LAST + 1, to: Number.POSITIVE_INFINITY },
        ];
        const accepted = acceptedOf(open, Number.POSITIVE_INFINITY);
        const back = pendingOf(accepted, 1, LAST);
        expect(numbers(back)).toEqual(pending);
        expect(countOf(back)).toBe(pending.length);
        expect(back.every((range, at) => at === 0 || range.from > back[at - 1]!.to + 1)).toBe(true);
      }),
    );
  });

  it('never calls accepted what is not, however few ranges are kept', () => {
    assert(
      property(sets, integer({ min: 0, max: 3 }), integer({ min: 1, max: LAST }), (pending, most, first) => {
        const open = [
          ...pending.map((lsn) => ({ from: lsn, to: lsn })),
          { from: LAST + 1, to: Number.POSITIVE_INFINITY },
        ];
        const accepted = acceptedOf(open, most);
        expect(accepted.beyond.length).toBeLessThanOrEqual(most);
        expect(numbers(pendingOf(accepted, first, LAST))).toEqual(
          expect.arrayContaining(pending.filter((lsn) => lsn >= first)),
        );
      }),
    );
  });

  it('begin where the journal does, and end where it is durable', () => {
    expect(pendingOf({ lsn: 5, beyond: [{ from: 10, to: 20 }] }, 8, 15)).toEqual([{ from: 8, to: 9 }]);
    expect(pendingOf({ lsn: 5, beyond: [{ from: 10, to: 20 }] }, 12, 30)).toEqual([{ from: 21, to: 30 }]);
    expect(pendingOf({ lsn: 50, beyond: [] }, 1, 30)).toEqual([]);
  });
});
