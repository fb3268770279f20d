import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { afterEach, describe, expect, it } from 'vitest';
import type { Journal } from '../../../gateway/journal/journal.ts';
import { MemoryJournal } from '../../../gateway/journal/memory-journal.ts';
import { openJournal } from '../../../gateway/journal/open-journal.ts';
import { LimitWatch } from '../../../gateway/limits/limit-watch.ts';
import { createLog, rateLimited } from '../../../gateway/log.ts';
import { DeadLetters } from '../../../gateway/mqtt/dead-letters.ts';
import { createMqttService, type MqttService } from '../../../gateway/mqtt/mqtt-service.ts';
import { type Mosquitto, startMosquitto } from '../../helpers/broker.ts';
import { cli } from '../../helpers/cli.ts';
import { connectClient, type Received } from '../../helpers/mqtt-client.ts';
import { lacks } from '../../helpers/programs.ts';
import { channel, record, sample, testDevice, type TestDevice, value } from './fixtures.ts';

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bytes2mqtt-'));
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const PERSISTENT = ['persistence true', 'persistence_location {folder}/', 'autosave_interval 1'];

async function mosquitto(...config: string[]): Promise<Mosquitto> {
  const broker = await startMosquitto({ config });
  cleanUps.push(() => broker.close());
  return broker;
}

interface Gateway {
  readonly journal: Journal;
  readonly service: MqttService;
  /** Appends the next readings and commits. */
  readonly read: (device: TestDevice, first: number, count: number) => void;
  /** Ends without getting rid of anything. */
  readonly stop: () => Promise<void>;
}

/** The way from the journal to the broker, without devices. */
function startService(url: string, journal: Journal, deadLetters?: DeadLetters): Gateway {
  const service = createMqttService({
    figures: () => ({}),
    profileOf: () => undefined,
    discovery: undefined,
    version: '0.0.0',
    connection: { url, clientId: 'gateway', minBackoffMs: 20, maxBackoffMs: 50 },
    base: 'b',
    qos: 1,
    journal,
    ...(deadLetters !== undefined && { deadLetters }),
    log: createLog({ level: 'silent', pretty: false }),
    now: Date.now,
    monotonicNow: () => performance.now(),
    devices: () => [],
    deviceByAlias: () => undefined,
    sendCommand: () => undefined,
    limits: { commandsPerS: 1_000, commandsWaiting: 1_000, requestsPerS: 1_000, logsPerS: 2 },
    watch: new LimitWatch(rateLimited(createLog({ level: 'silent', pretty: false }), () => performance.now())),
    view: {
      info: () => ({}),
      health: () => ({}),
      sources: () => [],
      devices: () => [],
      device: () => undefined,
      setLogLevel: () => {},
      renameDevice: () => ({}),
      removeDevice: () => ({}),
      reload: () => ({}),
    },
  });
  journal.onDurable = () => service.publisher.pump();
  service.start();
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= service.connection.close(0).then(() => service.close()));
  cleanUps.push(stop);
  const read = (device: TestDevice, first: number, count: number): void => {
    for (let seq = first; seq < first + count; seq++) {
      const one = record(device, seq, [sample(Date.now(), value(1, 'u32', seq))], { receivedAt: Date.now() });
      device.newestLsn = journal.append(one)!;
    }
    journal.commit();
  };
  return { journal, service, read, stop };
}

/** A subscriber that the broker keeps messages for while it is away. */
async function persistentSubscriber(url: string) {
  const client = await connectClient(url, ['b/greenhouse/#', 'b/greenhouse'], {
    clean: false,
    clientId: 'subscriber',
    reconnectPeriod: 20,
  });
  cleanUps.push(() => client.close());
  return client;
}

const greenhouse = (): TestDevice => testDevice([channel(1, 'a')]);
const numberOf = ({ payload }: Received): number => (JSON.parse(payload) as { a: number }).a;
const idOf = ({ payload }: Received): string => (JSON.parse(payload) as { id: string }).id;
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

const oneTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

describe.skipIf(lacks('mosquitto'))('durable delivery to mosquitto', () => {
  it('gives a killed broker again what it had not written', async () => {
    const broker = await mosquitto(...PERSISTENT);
    const sub = await persistentSubscriber(broker.url);
    const { journal, service, read } = startService(broker.url, new MemoryJournal({ maxHeld: 1_000_000 }));
    const device = greenhouse();
    let seq = 0;
    const found: unknown[] = [];
    for (let round = 0; round < 3; round++) {
      // Long enough for the broker to have written something, and the watermark with it.
      for (let step = 0; step < 150; step++) {
        read(device, seq + 1, 5);
        seq += 5;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await broker.kill('SIGKILL');
      const { connects } = service.connection.stats;
      await broker.restart();
      await until(() => service.connection.stats.connects > connects && service.connection.connected);
      await until(() => service.watermark.stats.found !== undefined && journal.accepted > 0);
      found.push(service.watermark.stats.found);
    }
    await until(() => journal.accepted === seq);
    const seen = new Set<number>();
    await sub.waitFor((message) => seen.add(numberOf(message)).size === seq);
    expect([...seen].toSorted((a, b) => a - b)).toEqual(oneTo(seq));
    expect(found).not.toContain('unknown');
    expect(service.publisher.stats.replayed).toBeGreaterThan(0);
  });

  it('gives a broker that has forgotten all of it everything that is held', async () => {
    const broker = await mosquitto();
    const { journal, service, read } = startService(broker.url, new MemoryJournal({ maxHeld: 1_000_000 }));
    const device = greenhouse();
    read(device, 1, 2_000);
    await until(() => journal.accepted === 2_000);
    await until(() => service.watermark.stats.lsn === 2_000);
    await broker.kill('SIGKILL');
    await until(() => !service.connection.connected);
    await broker.restart();
    const sub = await persistentSubscriber(broker.url);
    const messages = await sub.waitForCount(2_000);
    expect(messages.map(numberOf)).toEqual(oneTo(2_000));
    expect(messages.slice(0, -1).every(({ topic }) => topic === 'b/greenhouse/history')).toBe(true);
    expect(messages.at(-1)?.topic).toBe('b/greenhouse');
    expect(service.publisher.stats.replayed).toBe(2_000);
  });

  it('sends nothing again after a short break of a broker that has all', async () => {
    const broker = await mosquitto();
    const { journal, service, read, stop } = startService(broker.url, new MemoryJournal({ maxHeld: 1_000_000 }));
    read(greenhouse(), 1, 500);
    await until(() => service.watermark.stats.lsn === 500);
    const sub = await persistentSubscriber(broker.url);
    // Another client of the same name throws ours out; the gateway comes back and throws that one out.
    const thief = await connectClient(broker.url, [], { clientId: 'gateway', reconnectPeriod: 0 });
    cleanUps.push(() => thief.close());
    await until(() => service.connection.stats.connects === 2);
    await until(() => service.watermark.stats.found === 'same');
    read(greenhouse(), 501, 1);
    expect((await sub.waitFor(() => true)).topic).toBe('b/greenhouse');
    expect(sub.received.map(numberOf)).toEqual([501]);
    expect(journal.stats.held).toBeGreaterThan(0);
    await stop();
  });

  it('drains a backlog in order to history, while live readings go to state at once', async () => {
    const broker = await mosquitto();
    const sub = await persistentSubscriber(broker.url);
    const journal = new MemoryJournal();
    const old = greenhouse();
    for (let seq = 1; seq <= 20_000; seq++) {
      old.newestLsn = journal.append(record(old, seq, [sample(Date.now(), value(1, 'u32', seq))]))!;
    }
    journal.commit();
    const { service, read } = startService(broker.url, journal);
    await until(() => service.publisher.backlog > 0);
    const startedAt = performance.now();
    const waits: number[] = [];
    // Looking through all that was received for each live one would take longer than the backlog.
    let arrived: (() => void) | undefined;
    sub.client.on('message', (topic) => {
      if (topic === 'b/greenhouse') arrived?.();
    });
    for (let live = 20_001; service.publisher.backlog > 0; live++) {
      const sentAt = performance.now();
      const received = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      read(old, live, 1);
      await received;
      waits.push(performance.now() - sentAt);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    const history = await sub.waitForCount(20_000, ({ topic }) => topic === 'b/greenhouse/history');
    expect(history.map(numberOf)).toEqual(oneTo(20_000));
    expect(new Set(sub.received.map(idOf)).size).toBe(sub.received.length);
    // 5,000 a second are asked for: it cannot have been faster.
    expect(20_000 / seconds).toBeLessThan(5_500);
    waits.sort((a, b) => a - b);
    console.info(
      `${Math.round(20_000 / seconds)} of the backlog a second; live ones wait ${waits[waits.length >> 1]?.toFixed(1)} ms`,
    );
  });

  it('goes on after a restart in the midst of a backlog: nothing missing, duplicates with the same id', async () => {
    const broker = await mosquitto();
    const sub = await persistentSubscriber(broker.url);
    const folder = temporaryFolder();
    const device = greenhouse();
    const open = (): Promise<Journal> => openJournal(folder, { syncIntervalMs: 0 }, () => device);

    const empty = await open();
    for (let seq = 1; seq <= 20_000; seq++) {
      device.newestLsn = empty.append(record(device, seq, [sample(Date.now(), value(1, 'u32', seq))]))!;
      if (seq % 2_000 === 0) {
        empty.commit();
        await until(() => empty.durable === seq);
      }
    }
    await empty.close();

    for (const enough of [2_000, 5_000, 20_000]) {
      const journal = await open();
      expect(journal.durable).toBe(20_000);
      const { service, stop } = startService(broker.url, journal);
      const before = sub.received.length;
      await until(() => service.publisher.stats.published >= enough || journal.accepted === 20_000);
      await stop();
      await journal.close();
      expect(sub.received.length).toBeGreaterThan(before);
    }
    const journal = await open();
    expect(journal.accepted).toBe(20_000);
    await journal.close();
    const seen = new Set<string>();
    await sub.waitFor((message) => seen.add(idOf(message)).size === 20_000);
    const firsts = [...new Set(sub.received.filter(({ topic }) => topic.endsWith('history')).map(numberOf))];
    expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
    // Each time it is at most what was accepted since the last watermark, a second before.
    expect(sub.received.length).toBeLessThan(32_000);
  });

  it('keeps what the broker refuses, and publishes it when it may', async () => {
    const folder = temporaryFolder();
    const broker = await startMosquitto({
      config: ['acl_file {folder}/acl'],
      files: { acl: 'topic readwrite b/bridge/#\ntopic readwrite b/fine\ntopic read #\n' },
    });
    cleanUps.push(() => broker.close());
    writeFileSync(join(folder, 'bytes2mqtt.yaml'), `mqtt: { url: "${broker.url}", base: b }\njournal: { dir: j }\n`);
    const deadLetters = new DeadLetters({ dir: join(folder, 'j', 'dead') });
    await deadLetters.open();
    const { journal, service, read } = startService(broker.url, new MemoryJournal(), deadLetters);
    const fine = testDevice([channel(1, 'a')], { id: 'ffffffffffffffff', alias: 'fine' });
    read(greenhouse(), 1, 100);
    read(fine, 1, 100);
    await until(() => journal.accepted === 200);
    expect(service.publisher.stats).toMatchObject({ published: 100, deadLettered: 100, refusedBy: { '0x87': 100 } });
    expect(deadLetters.count).toBe(100);

    const run = (...args: string[]) => cli(['deadletter', ...args], { cwd: folder });
    const listed = await run('list', '--json');
    const ids = (JSON.parse(listed.stdout) as { id: string }[]).map(({ id }) => id);
    expect(ids).toHaveLength(100);
    expect(ids).toContain('a1b2c3d4e5f60718-4-1');
    expect(await run('retry', 'a1b2c3d4e5f60718-4-1', '--json')).toMatchObject({
      code: 1,
      stdout: '{"published":0,"refused":{"0x87":1},"unanswered":0}\n',
    });

    writeFileSync(join(broker.folder, 'acl'), 'topic readwrite #\n');
    await broker.kill();
    await broker.restart();
    const sub = await persistentSubscriber(broker.url);
    expect(await run('drop', 'a1b2c3d4e5f60718-4-1')).toMatchObject({ code: 0, stdout: '1 dropped.\n' });
    expect(await run('retry', '--all')).toMatchObject({ code: 0, stdout: '99 published.\n' });
    const messages = await sub.waitForCount(99, ({ topic }) => topic === 'b/greenhouse/history');
    expect(messages.map(idOf)).not.toContain('a1b2c3d4e5f60718-4-1');
    expect(await run('list')).toMatchObject({ code: 0 });
    expect(await run('retry', '--all')).toMatchObject({ code: 0, stdout: 'There are no dead letters.\n' });
    await deadLetters.look();
    expect(deadLetters.count).toBe(0);
  });
});
