import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryJournal } from '../../../gateway/journal/memory-journal.ts';
import { APPEND_HEADROOM } from '../../../gateway/journal/journal.ts';
import { channel, record, sample, testDevice, value } from '../mqtt/fixtures.ts';

const device = testDevice([channel(1, 'a')]);
const nth = (seq: number) => record(device, seq, [sample(seq, value(1, 'u8', 1))]);

describe('MemoryJournal', () => {
  it('shows a record once it is committed, and tells so outside of append', () => {
    const journal = new MemoryJournal();
    const durable: number[] = [];
    journal.onDurable = () => durable.push(journal.durable);
    expect(journal.append(nth(1))).toBe(1);
    expect(journal.append(nth(2))).toBe(2);
    expect(durable).toEqual([]);
    expect(journal.get(1)).toBeUndefined();
    journal.commit();
    journal.commit();
    expect(durable).toEqual([2]);
    expect(journal.get(1)?.seq).toBe(1);
    expect(journal.stats).toMatchObject({ depth: 2, oldestAt: 1, appended: 2, syncs: 1 });
  });

  it('is full at its cap, takes the headroom, refuses, and tells when there is room', () => {
    const journal = new MemoryJournal({ maxRecords: 4 });
    const newest = 4 + APPEND_HEADROOM;
    let room = 0;
    journal.onRoom = () => room++;
    for (let seq = 1; seq <= newest; seq++) {
      expect(journal.append(nth(seq))).toBe(seq);
      expect(journal.full).toBe(seq >= 4);
    }
    expect(journal.append(nth(newest + 1))).toBeUndefined();
    journal.commit();
    journal.setAccepted(newest - 4);
    expect([journal.full, room]).toEqual([true, 0]);
    journal.setAccepted(newest - 3);
    expect([journal.full, room]).toEqual([false, 1]);
    expect(journal.append(nth(newest + 1))).toBe(newest + 1);
    expect(journal.stats).toMatchObject({ refused: 1, depth: 4, held: newest - 3 });
  });

  it('keeps some of what was accepted, and gives it again when less was accepted after all', () => {
    const journal = new MemoryJournal({ maxHeld: 3 });
    for (let seq = 1; seq <= 10; seq++) journal.append(nth(seq));
    journal.commit();
    journal.setAccepted(8);
    expect([journal.oldest, journal.accepted, journal.get(5), journal.get(6)?.seq]).toEqual([6, 8, undefined, 6]);
    journal.setAccepted(2);
    expect([journal.oldest, journal.accepted, journal.stats.depth]).toEqual([6, 5, 5]);
    journal.setAccepted(99);
    expect([journal.oldest, journal.accepted, journal.stats.depth]).toEqual([8, 10, 0]);
  });

  it('behaves like a map of what was appended and not let go', () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.constant('append' as const) },
      { weight: 2, arbitrary: fc.constant('commit' as const) },
      { weight: 2, arbitrary: fc.integer({ min: -40, max: 40 }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 4_000, size: 'max' }), fc.nat(50), (steps, maxHeld) => {
        const journal = new MemoryJournal({ maxRecords: 1_500, maxHeld });
        const model = new Map<number, number>();
        let newest = 0;
        for (const action of steps) {
          if (action === 'append') {
            const lsn = journal.append(nth(newest + 1));
            if (lsn !== undefined) model.set((newest = lsn), lsn);
          } else if (action === 'commit') journal.commit();
          else {
            journal.setAccepted(journal.accepted + action);
            for (const lsn of model.keys()) if (lsn <= journal.accepted - maxHeld) model.delete(lsn);
          }
        }
        const lowest = Math.min(newest + 1, ...model.keys());
        expect(journal.oldest).toBe(lowest);
        expect(journal.stats.depth).toBe(newest - journal.accepted);
        for (let lsn = Math.max(1, lowest - 2); lsn <= newest + 1; lsn++) {
          expect(journal.get(lsn)?.seq).toBe(lsn <= journal.durable ? model.get(lsn) : undefined);
        }
      }),
      { numRuns: 20 },
    );
  });
});
