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

  it('does not take a step of the wall clock for waiting', () => {
    const { journal, outbox, append, device } = setUp();
    outbox.window = 0;
    append(device, 1, [100_001]);
    append(device, 2, [100_002 + 86_400_000], 100_002 + 86_400_000);
    append(device, 3, [100_003], 100_003);
    journal.commit();
    outbox.window = 10;
    outbox.onRoom?.();
    expect(outbox.take()).toEqual(['greenhouse 1', 'greenhouse 2', 'greenhouse 3']);
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

/** As after a restart: so many records wait, of which the first were accepted once. */
async function backlogOf(count: number, more: More & { memory?: BrokerMemory; window?: number } = {}) {
  const { memory = 'unknown', window = 100, ...options } = more;
  const world = setUp({ replayRate: 1_000_000, ...options });
  world.outbox.window = 0;
  for (let seq = 1; seq <= count; seq++) world.append(world.device, seq, [100_000 + seq]);
  world.journal.commit();
  world.outbox.window = window;
  world.reconnect(memory);
  return world;
}

/** Acknowledges until nothing is in flight any more. */
async function drain({ outbox, clock }: { outbox: TestOutbox; clock: { now: number } }): Promise<string[]> {
  const all: string[] = [];
  for (let idle = 0; idle < 30; ) {
    clock.now += 5;
    all.push(...outbox.take());
    if (outbox.inFlight.length > 0) outbox.ack();
    else idle++;
    await turn();
    if (idle > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return all;
}

describe('Publisher with a backlog', () => {
  it('sends it to history in order, with half of the window, while live readings go to state at once', async () => {
    const world = await backlogOf(3_000);
    const { outbox, append, device, journal, clock, publisher } = world;
    clock.now += 10;
    outbox.onRoom?.();
    expect(outbox.inFlight).toHaveLength(50);
    expect(publisher.backlog).toBe(3_000);
    append(device, 3_001, [103_001]);
    journal.commit();
    expect(outbox.sent.at(-1)).toMatchObject({ topic: 'b/greenhouse', token: 3_001 });
    expect(journal.accepted).toBe(0);
    outbox.answer(3_001, 0);
    expect(publisher.accepted).toEqual({ lsn: 0, beyond: [{ from: 3_001, to: 3_001 }] });

    const sent = await drain(world);
    const history = sent.filter((line) => line.startsWith('greenhouse/history'));
    expect(history).toEqual(Array.from({ length: 3_000 }, (_, at) => `greenhouse/history ${at + 1}`));
    expect(sent.filter((line) => line === 'greenhouse 3001')).toHaveLength(1);
    expect(journal.accepted).toBe(3_001);
    expect(publisher.backlog).toBe(0);
    expect(publisher.stats).toMatchObject({ published: 3_001, history: 3_000, replayed: 0, missing: 0 });
  });

  it('sends the newest record of a silent device as its state, with its own values', async () => {
    const world = await backlogOf(1_500);
    const sent = await drain(world);
    expect(sent).toHaveLength(1_500);
    expect(sent.at(-1)).toBe('greenhouse 1500');
  });

  it('keeps the rate', async () => {
    const { outbox, clock } = await backlogOf(2_000, { replayRate: 1_000, window: 10_000 });
    expect(outbox.take()).toHaveLength(0);
    for (let step = 0; step < 10; step++) {
      clock.now += 10;
      outbox.onRoom?.();
    }
    expect(outbox.take()).toHaveLength(100);
    clock.now += 60_000;
    outbox.onRoom?.();
    expect(outbox.take()).toHaveLength(50);
  });

  it('leaves neither lane without room when there is room for one message only', async () => {
    const world = await backlogOf(1_200, { window: 1 });
    const { outbox, append, device, journal, clock } = world;
    for (let seq = 1_201; seq <= 1_300; seq++) append(device, seq, [100_000 + seq]);
    journal.commit();
    for (let step = 0; step < 40; step++) {
      clock.now += 5;
      if (outbox.inFlight.length > 0) outbox.ack(1);
      else outbox.onRoom?.();
      await turn();
    }
    const kinds = outbox.take().map((line) => line.split(' ')[0]);
    expect(kinds.filter((kind) => kind === 'greenhouse').length).toBeGreaterThan(5);
    expect(kinds.filter((kind) => kind === 'greenhouse/history').length).toBeGreaterThan(5);
  });

  it('sends what is missing in the watermark, and only that', async () => {
    const world = await backlogOf(3_000, {
      maxHeld: 10_000,
      memory: { lsn: 100, beyond: [{ from: 201, to: 2_990 }] },
    });
    // Nobody has sent them in this run, and the journal was empty at its start: so nobody can have accepted them.
    expect(await drain(world)).toHaveLength(3_000);
    const { reconnect, outbox, publisher, journal } = world;
    expect(journal.accepted).toBe(3_000);
    reconnect({ lsn: 100, beyond: [{ from: 201, to: 2_990 }] });
    expect(journal.accepted).toBe(100);
    const again = await drain(world);
    expect(again).toEqual([
      ...Array.from({ length: 100 }, (_, at) => `greenhouse/history ${at + 101}`),
      ...Array.from({ length: 9 }, (_, at) => `greenhouse/history ${at + 2_991}`),
      'greenhouse 3000',
    ]);
    expect(publisher.stats).toMatchObject({ replayed: 110, published: 3_110 });
    expect(journal.accepted).toBe(3_000);

    reconnect('forgotten');
    expect(journal.accepted).toBe(0);
    expect(await drain(world)).toHaveLength(3_000);
    reconnect({ lsn: 9_999, beyond: [] });
    expect(journal.accepted).toBe(3_000);
    expect(outbox.take()).toEqual([]);
  });

  it('goes on where it was after each of many lost connections, and knows what live ones were accepted', async () => {
    const world = await backlogOf(5_000);
    const { outbox, append, device, journal, clock, publisher, reconnect } = world;
    const seen = new Set<string>();
    let seq = 5_000;
    for (let round = 0; round < 20; round++) {
      for (let step = 0; step < 10; step++) {
        append(device, ++seq, [100_000 + seq]);
        journal.commit();
        clock.now += 5;
        for (const line of outbox.take()) seen.add(line.split(' ')[1]!);
        outbox.ack(outbox.inFlight.length - (step === 9 ? 3 : 0));
        await turn();
      }
      const { accepted } = publisher;
      reconnect(round % 2 === 0 ? 'unknown' : accepted);
    }
    for (const line of await drain(world)) seen.add(line.split(' ')[1]!);
    expect(seen.size).toBe(seq);
    expect(journal.accepted).toBe(seq);
    expect(publisher.stats.published).toBeLessThan(seq + 20 * 120);
    expect(publisher.stats.resent).toBeGreaterThan(0);
  });

  it('tells of records that are not there any more, and goes on behind them', async () => {
    const world = await backlogOf(1_500, { maxHeld: 0 });
    const { journal, publisher } = world;
    const get = journal.get.bind(journal);
    journal.get = (lsn) => (lsn > 700 && lsn <= 800 ? undefined : get(lsn));
    expect(await drain(world)).toHaveLength(1_400);
    expect(publisher.stats).toMatchObject({ missing: 100, published: 1_400 });
    expect(journal.accepted).toBe(1_500);
  });

  it('waits for records that are being read', async () => {
    const world = await backlogOf(1_500);
    const { journal, outbox, clock } = world;
    const get = journal.get.bind(journal);
    const asked: number[] = [];
    Object.assign(journal, {
      get: (lsn: number) => (asked.push(lsn), asked.includes(lsn, 0) && asked.length % 64 === 0 ? 'loading' : get(lsn)),
    });
    const sent: string[] = [];
    for (let step = 0; step < 2_000 && journal.accepted < 1_500; step++) {
      clock.now += 5;
      journal.onLoaded?.();
      sent.push(...outbox.take());
      outbox.ack();
      await turn();
    }
    expect(sent).toHaveLength(1_500);
    expect(journal.accepted).toBe(1_500);
  });
});

describe('Publisher and refusals', () => {
  it('buries what is refused for good, with all its messages, and does not count it as accepted before', async () => {
    const { journal, outbox, append, device, publisher, buried } = setUp({ retainState: () => true });
    append(device, 1, [99_000, 100_001]);
    append(device, 2, [100_002]);
    journal.commit();
    outbox.answer(1, 0);
    outbox.answer(1, 0x87);
    outbox.answer(2, 0);
    expect(buried).toHaveLength(1);
    expect(buried[0]?.refusal).toMatchObject({
      record: { seq: 1 },
      reasonCode: 0x87,
      messages: [{ topic: 'b/greenhouse/history' }, { topic: 'b/greenhouse/history' }],
    });
    expect(buried[0]?.refusal.messages.map(({ payload }) => payload)).toEqual([
      '{"a":99000,"ts":99000,"id":"a1b2c3d4e5f60718-4-1-0"}',
      '{"a":100001,"ts":100001,"id":"a1b2c3d4e5f60718-4-1"}',
    ]);
    expect(journal.accepted).toBe(0);
    expect(publisher.accepted).toEqual({ lsn: 0, beyond: [{ from: 2, to: 2 }] });
    expect(publisher.setAside).toBe(1);
    buried[0]?.done();
    await turn();
    expect(journal.accepted).toBe(2);
    expect(publisher.stats).toMatchObject({ published: 1, refused: 1, refusedBy: { '0x87': 1 }, deadLettered: 1 });
  });

  it('sends what was refused for now again after a while, and lets others pass', async () => {
    const { journal, outbox, append, device, publisher, clock } = setUp();
    append(device, 1, [100_001]);
    append(device, 2, [100_002]);
    journal.commit();
    outbox.take();
    outbox.answer(1, 0x97);
    outbox.answer(2, 0);
    expect(journal.accepted).toBe(0);
    clock.now += 900;
    publisher.pump();
    expect(outbox.take()).toEqual([]);
    clock.now += 200;
    publisher.pump();
    expect(outbox.take()).toEqual(['greenhouse/history 1']);
    outbox.answer(1, 0x97);
    clock.now += 1_900;
    publisher.pump();
    expect(outbox.take()).toEqual([]);
    clock.now += 200;
    publisher.pump();
    outbox.answer(1, 0);
    expect(journal.accepted).toBe(2);
    expect(publisher.stats).toMatchObject({ published: 2, refusedBy: { '0x97': 2 }, deadLettered: 0 });
    expect(publisher.retried).toBe(2);
  });

  it('sends what waits for another try again at once after a new connection', () => {
    const { journal, outbox, append, device, reconnect } = setUp();
    append(device, 1, [100_001]);
    append(device, 2, [100_002]);
    journal.commit();
    outbox.answer(1, 0x89);
    outbox.answer(2, 0);
    outbox.take();
    reconnect();
    outbox.ack();
    expect(journal.accepted).toBe(2);
  });

  it('asks again when a dead letter could not be written', async () => {
    const { journal, outbox, append, device, clock, publisher, buried } = setUp();
    append(device, 1, [100_001]);
    journal.commit();
    outbox.answer(1, 0x95);
    buried[0]?.fail();
    await turn();
    expect(journal.accepted).toBe(0);
    clock.now += 1_100;
    publisher.pump();
    expect(buried).toHaveLength(2);
    buried[1]?.done();
    await turn();
    expect(journal.accepted).toBe(1);
  });

  it('stops when too many are set aside, and goes on when they are decided', async () => {
    const { journal, outbox, append, device, buried } = setUp();
    outbox.window = 10;
    for (let seq = 1; seq <= 1_100; seq++) append(device, seq, [100_000 + seq]);
    journal.commit();
    while (outbox.inFlight.length > 0) {
      outbox.ack(outbox.inFlight.length, 0x87);
      await turn();
    }
    expect(buried.length).toBeLessThanOrEqual(1_010);
    let done = 0;
    while (done < 1_100) {
      for (; done < buried.length; done++) buried[done]?.done();
      await turn();
      await turn();
      outbox.ack(outbox.inFlight.length, 0x87);
      await turn();
    }
    expect(journal.accepted).toBe(1_100);
  });
});
