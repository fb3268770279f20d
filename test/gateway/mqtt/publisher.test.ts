import { describe, expect, it } from 'vitest';
import { MemoryJournal } from '../../../gateway/journal/memory-journal.ts';
import type { EncodedTopic, Outbox, Qos } from '../../../gateway/mqtt/outbox.ts';
import { type BrokerMemory, Publisher, type Refusal } from '../../../gateway/mqtt/publisher.ts';
import { Topics } from '../../../gateway/mqtt/topics.ts';
import { channel, record, sample, testDevice, type TestDevice, value } from './fixtures.ts';

/** A broker that acknowledges when told to. */
class TestOutbox implements Outbox {
  onAck: ((token: number, reasonCode: number) => void) | undefined;
  onReset: (() => void) | undefined;
  onRoom: (() => void) | undefined;
  window = 1_000;
  sent: { topic: string; json: Record<string, unknown>; token: number; retain: boolean }[] = [];
  inFlight: number[] = [];
  flushes = 0;

  room(_qos: Qos): number {
    return this.window - this.inFlight.length;
  }

  capacity(_qos: Qos): number {
    return this.window;
  }

  send(topic: EncodedTopic, payload: string, _qos: Qos, token: number, retain: boolean): void {
    if (this.room(1) <= 0) throw new Error('sent without room');
    this.sent.push({ topic: topic.name, json: JSON.parse(payload) as Record<string, unknown>, token, retain });
    this.inFlight.push(token);
  }

  flush(): void {
    this.flushes++;
  }

  ack(count = this.inFlight.length, reasonCode = 0): void {
    for (const token of this.inFlight.splice(0, count)) this.onAck?.(token, reasonCode);
    this.onRoom?.();
  }

  /** The answer to one message, wherever it stands. */
  answer(token: number, reasonCode: number): void {
    this.inFlight.splice(this.inFlight.indexOf(token), 1);
    this.onAck?.(token, reasonCode);
    this.onRoom?.();
  }

  /** Topic (after the base) and id (after the boot) of what was sent since the last call. */
  take(): string[] {
    return this.sent
      .splice(0)
      .map(({ topic, json }) => `${topic.slice(2)} ${String(json['id']).split('-').slice(2).join('-')}`);
  }
}

interface More {
  readonly retainState?: () => boolean;
  readonly replayRate?: number;
  readonly maxHeld?: number;
}

function setUp({ maxHeld = 0, ...more }: More = {}) {
  const journal = new MemoryJournal({ maxRecords: 1_000_000, maxHeld });
  const outbox = new TestOutbox();
  const clock = { now: 100_000 };
  const buried: { refusal: Refusal; done: () => void; fail: () => void }[] = [];
  const publisher = new Publisher({
    journal,
    outbox,
    topics: new Topics('b'),
    now: () => clock.now,
    bury: (refusal) =>
      new Promise((done, reject) => buried.push({ refusal, done, fail: () => reject(new Error('disk full')) })),
    ...more,
  });
  publisher.open();
  publisher.begin('unknown');
  journal.onDurable = () => publisher.pump();
  /** The connection is lost and stands again. */
  const reconnect = (memory: BrokerMemory = 'unknown'): void => {
    outbox.inFlight = [];
    outbox.onReset?.();
    publisher.begin(memory);
    outbox.onRoom?.();
  };
  const append = (device: TestDevice, seq: number, times: readonly number[], receivedAt = clock.now): void => {
    const samples = times.map((time) => sample(time, value(1, 'u32', time)));
    device.newestLsn = journal.append(record(device, seq, samples, { receivedAt }))!;
  };
  const device = testDevice([channel(1, 'a'), channel(2, 'b')]);
  return { journal, outbox, clock, publisher, append, reconnect, buried, device };
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('Publisher', () => {
  it('sends in journal order once durable, in one flush, and releases what was accepted', () => {
    const { journal, outbox, append, device, publisher } = setUp();
    for (let seq = 1; seq <= 3; seq++) append(device, seq, [100_000 + seq]);
    expect(outbox.sent).toEqual([]);
    journal.commit();
    expect(outbox.take()).toEqual(['greenhouse 1', 'greenhouse 2', 'greenhouse 3']);
    expect(outbox.flushes).toBe(1);
    outbox.ack(2);
    expect(journal.accepted).toBe(2);
    outbox.ack();
    expect(journal.stats.depth).toBe(0);
    expect(publisher.stats).toMatchObject({ published: 3, publishedBy: { tcp: 3 }, refused: 0, resent: 0 });
  });

  it('stops when there is no room and goes on when there is', () => {
    const { journal, outbox, append, device } = setUp();
    outbox.window = 2;
    for (let seq = 1; seq <= 5; seq++) append(device, seq, [100_000 + seq]);
    journal.commit();
    expect(outbox.take()).toHaveLength(2);
    outbox.ack(1);
    expect(outbox.take()).toEqual(['greenhouse 3']);
    outbox.ack();
    outbox.ack();
    expect(outbox.take()).toEqual(['greenhouse 4', 'greenhouse 5']);
  });

  it('sends older samples of a record as history first, and releases it when all are accepted', () => {
    const { journal, outbox, append, device } = setUp();
    outbox.window = 2;
    append(device, 1, [97_000, 98_000, 99_000]);
    journal.commit();
    // More samples than room: the rest follows.
    expect(outbox.take()).toEqual(['greenhouse/history 1-0', 'greenhouse/history 1-1']);
    outbox.ack();
    expect(journal.accepted).toBe(0);
    expect(outbox.sent[0]).toMatchObject({ topic: 'b/greenhouse', json: { a: 99_000, ts: 99_000 } });
    outbox.ack();
    expect(journal.accepted).toBe(1);
  });

  it('sends what was not accepted again after a reset, with the same id, topic and values', () => {
    const { journal, outbox, append, device, publisher, reconnect } = setUp();
    append(device, 1, [100_001]);
    append(device, 2, [100_002]);
    append(device, 3, [90_000]);
    append(device, 4, [100_003]);
    journal.commit();
    const first = outbox.sent.splice(0);
    expect(first.map(({ topic }) => topic)).toEqual([
      'b/greenhouse',
      'b/greenhouse',
      'b/greenhouse/history',
      'b/greenhouse',
    ]);
    outbox.ack(1);
    reconnect();
    expect(outbox.sent.splice(0)).toEqual(first.slice(1));
    reconnect();
    expect(outbox.sent).toEqual(first.slice(1));
    outbox.ack();
    expect(journal.stats.depth).toBe(0);
    expect(publisher.stats).toMatchObject({ published: 4, resent: 6, late: 1 });
  });

  it('sends a record whole again when only a part was accepted', () => {
    const { journal, outbox, append, device, reconnect } = setUp();
    append(device, 1, [97_000, 98_000]);
    journal.commit();
    outbox.ack(1);
    outbox.take();
    reconnect();
    expect(outbox.take()).toEqual(['greenhouse/history 1-0', 'greenhouse 1']);
    outbox.ack();
    expect(journal.accepted).toBe(1);
  });

  it('sends a backlog to history, the newest as state', () => {
    const { journal, outbox, append, device, clock } = setUp();
    outbox.window = 0;
    for (let seq = 1; seq <= 3; seq++) append(device, seq, [100_000 + seq]);
    journal.commit();
    clock.now += 60_000;
    outbox.window = 10;
    outbox.onRoom?.();
    expect(outbox.take()).toEqual(['greenhouse/history 1', 'greenhouse/history 2', 'greenhouse 3']);
  });

  it('does not wait forever with a single old record: it is the newest', () => {
    const { journal, outbox, append, device, clock } = setUp();
    outbox.window = 0;
    append(device, 1, [100_001]);
    journal.commit();
    clock.now += 60_000;
    outbox.window = 1;
    outbox.onRoom?.();
    expect(outbox.take()).toEqual(['greenhouse 1']);
  });

  it('is not fooled by a device whose clock ran ahead, nor by its own clock being set back', () => {
    const { journal, outbox, append, device, clock } = setUp();
    append(device, 1, [9_000_000]);
    append(device, 2, [100_000]);
    clock.now = 50_000;
    append(device, 3, [50_000]);
    journal.commit();
    expect(outbox.sent.map(({ topic, json }) => [topic, json['a']])).toEqual([
      ['b/greenhouse', 9_000_000],
      ['b/greenhouse', 100_000],
      ['b/greenhouse', 50_000],
    ]);
  });

  it('keeps the values of channels that only the late record has', () => {
    const { journal, outbox, device } = setUp();
    journal.append(record(device, 1, [sample(5_000, value(1, 'u8', 1))]));
    journal.append(record(device, 2, [sample(4_000, value(2, 'u8', 2), value(1, 'u8', 9))], { receivedAt: 5_000 }));
    journal.append(record(device, 3, [sample(6_000, value(1, 'u8', 3))]));
    journal.commit();
    expect(outbox.sent.map(({ json }) => [json['a'], json['b']])).toEqual([
      [1, undefined],
      [9, 2],
      [3, 2],
    ]);
  });

  it('counts no subscriber as accepted', () => {
    const { journal, outbox, append, device, publisher } = setUp();
    append(device, 1, [100_001]);
    journal.commit();
    outbox.ack(1, 0x10);
    expect(publisher.stats.published).toBe(1);
  });

  it('does a bounded piece of work a call and goes on by itself', async () => {
    const { journal, outbox, append, device } = setUp();
    outbox.window = 100_000;
    for (let seq = 1; seq <= 5_000; seq++) append(device, seq, [100_000]);
    journal.commit();
    expect(outbox.sent.length).toBeLessThan(5_000);
    while (outbox.sent.length < 5_000) await new Promise(setImmediate);
    expect(outbox.take().at(-1)).toBe('greenhouse 5000');
  });
});
