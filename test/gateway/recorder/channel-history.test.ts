import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUCKET_MS, ChannelHistory, MAX_BUCKETS } from '../../../gateway/recorder/channel-history.ts';

const T0 = 1_800_000_000_000;

describe('the history of a channel', () => {
  it('keeps least, greatest and last value of every ten seconds', () => {
    const history = new ChannelHistory();
    for (const [offset, value] of [
      [0, 5],
      [1_000, 9],
      [9_999, 7],
      [10_000, 1],
    ] as const)
      history.add(T0 + offset, value);
    expect(history.since(0)).toEqual({ t: [T0, T0 + BUCKET_MS], min: [5, 1], max: [9, 1], last: [7, 1] });
    expect(history.since(T0 + BUCKET_MS).t).toEqual([T0 + BUCKET_MS]);
  });

  it('leaves out what is no number for a plot, and counts what comes late for the newest', () => {
    const history = new ChannelHistory();
    history.add(T0, 5);
    history.add(T0, Number.NaN);
    history.add(T0, Number.POSITIVE_INFINITY);
    history.add(T0 - 60_000, 3);
    expect(history.since(0)).toEqual({ t: [T0], min: [3], max: [5], last: [3] });
  });

  it('is what a list of the newest buckets would be, however long it runs', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer()), { maxLength: 2_000 }), (steps) => {
        const history = new ChannelHistory();
        const list: { bucket: number; last: number }[] = [];
        let bucket = T0 / BUCKET_MS;
        for (const [gap, value] of steps) {
          bucket += gap;
          history.add(bucket * BUCKET_MS, value);
          const newest = list.at(-1);
          if (newest?.bucket === bucket) newest.last = value;
          else list.push({ bucket, last: value });
        }
        const kept = list.slice(-MAX_BUCKETS);
        const { t, last } = history.since(0);
        expect(t).toEqual(kept.map((entry) => entry.bucket * BUCKET_MS));
        expect(last).toEqual(kept.map((entry) => entry.last));
      }),
    );
  });
});
