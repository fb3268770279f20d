import { describe, expect, it } from 'vitest';
import { MemoryJournal } from '../../../gateway/journal/memory-journal.ts';
import type { PublishOptions } from '../../../gateway/mqtt/connection.ts';
import type { AcceptedSet } from '../../../gateway/mqtt/lsn-ranges.ts';
import { parseWatermark, Watermark } from '../../../gateway/mqtt/watermark.ts';

/** A broker that keeps one topic, and answers in order. */
function setUp(options: { retained?: string; allowed?: boolean; silent?: boolean; refuses?: number } = {}) {
  const { allowed = true, silent = false, refuses = 0 } = options;
  const broker = { retained: options.retained, published: [] as string[], subscribed: 0 };
  const confirmed: number[] = [];
  const journal = new MemoryJournal();
  Object.assign(journal, { setConfirmed: (lsn: number) => confirmed.push(lsn) });
  const state: { accepted: AcceptedSet } = { accepted: { lsn: 0, beyond: [] } };
  const watermark: Watermark = new Watermark({
    connection: {
      connected: true,
      publish: (_topic: string, payload: string, { retain = false, done }: PublishOptions = {}) => {
        if (retain) {
          if (refuses === 0) broker.retained = payload;
          broker.published.push(payload);
          done?.(refuses);
        } else if (broker.subscribed > 0 && !silent) {
          watermark.received(Buffer.from(payload));
        }
      },
      subscribeOnce: (_filter, done) => {
        if (allowed) broker.subscribed++;
        if (allowed && !silent && broker.retained !== undefined) watermark.received(Buffer.from(broker.retained));
        done(allowed);
      },
      unsubscribe: () => {
        broker.subscribed--;
      },
    },
    topic: 'b/bridge/watermark',
    journal,
    accepted: () => state.accepted,
    now: () => 1_000,
    readMs: 20,
  });
  const read = (retainAvailable = true) => watermark.read({ version: '5', sessionPresent: false, retainAvailable });
  return { broker, journal, watermark, state, confirmed, read };
}

const parse = (beyond: unknown) => parseWatermark(JSON.stringify({ journal: 'j', lsn: 5, beyond }), 'j')?.beyond;

describe('Watermark', () => {
  it('writes when it has moved, and confirms what the broker has taken', async () => {
    const { broker, journal, watermark, state, confirmed, read } = setUp();
    expect(await read()).toBe('forgotten');
    expect(broker.subscribed).toBe(0);
    state.accepted = { lsn: 7, beyond: [{ from: 10, to: 12 }] };
    watermark.write();
    watermark.write();
    expect(broker.published).toEqual([`{"journal":"${journal.id}","lsn":7,"beyond":[[10,12]],"ts":1000}`]);
    expect(confirmed).toEqual([7]);
    state.accepted = { lsn: 7, beyond: [{ from: 10, to: 13 }] };
    watermark.write();
    expect(watermark.stats).toMatchObject({ lsn: 7, written: 2 });
    expect(await read()).toEqual(state.accepted);
    expect(watermark.stats.found).toBe('higher');
  });

  it('takes one of another journal, or nonsense, for none', async () => {
    for (const retained of ['{"journal":"other","lsn":7}', 'nonsense', '[]', '{"lsn":7}']) {
      expect(await setUp({ retained }).read()).toBe('forgotten');
    }
  });

  it.each([
    [{ allowed: false }, true],
    [{ silent: true }, true],
    [{}, false],
  ])('does not rely on a broker that does not let it: %j', async (options, retainAvailable) => {
    const { broker, watermark, confirmed, read } = setUp(options);
    expect(await read(retainAvailable)).toBe('unknown');
    watermark.write();
    expect(broker.published).toEqual([]);
    expect(confirmed).toEqual([0]);
  });

  it('holds nothing for a broker that refuses it', async () => {
    const { watermark, confirmed, state, read } = setUp({ refuses: 0x87 });
    await read();
    state.accepted = { lsn: 3, beyond: [] };
    watermark.write();
    expect(confirmed).toEqual([]);
    watermark.write();
    expect(confirmed).toEqual([0]);
  });

  it('leaves out ranges that cannot be right', () => {
    expect(
      parse([
        [7, 9],
        [11, 10],
      ]),
    ).toEqual([{ from: 7, to: 9 }]);
    expect(parse([[3, 9]])).toEqual([]);
    expect(
      parse([
        [7, 9],
        [8, 12],
      ]),
    ).toEqual([{ from: 7, to: 9 }]);
    expect(parse('x')).toEqual([]);
    expect(parseWatermark('{"journal":"j","lsn":-1}', 'j')).toBeUndefined();
    expect(parseWatermark('{"journal":"j","lsn":1.5}', 'j')).toBeUndefined();
  });
});
