import { performance } from 'node:perf_hooks';
import { afterEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../../gateway/errors.ts';
import { MemoryJournal } from '../../../gateway/journal/memory-journal.ts';
import { LimitWatch } from '../../../gateway/limits/limit-watch.ts';
import { createLog, rateLimited } from '../../../gateway/log.ts';
import { teeLog } from '../../../gateway/mqtt/bridge-log.ts';
import { createMqttService, type MqttService } from '../../../gateway/mqtt/mqtt-service.ts';
import { type Mosquitto, type MosquittoOptions, startMosquitto } from '../../helpers/broker.ts';
import { connectClient, type Received, type TestClient } from '../../helpers/mqtt-client.ts';
import { lacks } from '../../helpers/programs.ts';
import { channel, record, sample, testDevice, type TestDevice, value } from './fixtures.ts';

const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

interface World {
  readonly broker: Mosquitto;
  readonly sub: TestClient;
  readonly journal: MemoryJournal;
  readonly service: MqttService;
  readonly device: TestDevice;
  /** Warnings of the log. */
  readonly lines: string[];
}

async function world(options: MosquittoOptions = {}, retained: Record<string, string> = {}): Promise<World> {
  const broker = await startMosquitto(options);
  cleanUps.push(() => broker.close());
  const sub = await connectClient(broker.url, ['b/#']);
  cleanUps.push(() => sub.close());
  for (const [topic, payload] of Object.entries(retained)) await sub.publish(topic, payload, { retain: true });
  const lines: string[] = [];
  const journal = new MemoryJournal();
  const device = testDevice([channel(1, 'a'), channel(2, 'relay', { type: 'bool', writable: true })]);
  const service = createMqttService({
    figures: () => ({}),
    profileOf: () => undefined,
    discovery: undefined,
    version: '0.0.0',
    connection: { url: broker.url, clientId: 'gateway', minBackoffMs: 20, maxBackoffMs: 50 },
    base: 'b',
    qos: 1,
    journal,
    log: createLog({ level: 'warn', pretty: false, write: (line) => lines.push(line) }),
    now: Date.now,
    monotonicNow: () => performance.now(),
    devices: () => [device],
    deviceByAlias: (alias) => (alias === device.alias ? device : undefined),
    sendCommand: (_device, command, done) => done('done', `channel ${command.channel}`),
    limits: { commandsPerS: 1_000, commandsWaiting: 1_000, requestsPerS: 1_000, logsPerS: 2 },
    watch: new LimitWatch(rateLimited(createLog({ level: 'silent', pretty: false }), () => performance.now())),
    view: {
      info: () => ({ version: '0.0' }),
      health: () => ({ depth: journal.stats.depth, connected: service.connection.connected }),
      sources: () => [],
      devices: () => [{ alias: device.alias }],
      device: () => undefined,
      setLogLevel: () => {},
      renameDevice: () => ({}),
      removeDevice: () => ({}),
      reload: () => ({}),
    },
  });
  journal.onDurable = () => service.publisher.pump();
  service.start();
  cleanUps.push(() => service.close());
  return { broker, sub, journal, service, device, lines };
}

const on = (topic: string) => (message: Received) => message.topic === topic;

describe.skipIf(lacks('mosquitto'))('the MQTT side as a whole', () => {
  it('says in its first health that it is connected', async () => {
    const { sub } = await world();
    expect(JSON.parse((await sub.waitFor(on('b/bridge/health'))).payload)).toMatchObject({ connected: true });
  });

  it('tells what no broker or client should do, once a minute, and goes on', async () => {
    const { sub, service, lines } = await world();
    await sub.waitFor(on('b/bridge/state'));
    for (let i = 0; i < 3; i++) service.connection.onOddity?.('unknown-puback');
    await sub.publish('b/greenhouse/set', '{"relay":true}', { retain: true });
    await sub.publish('b/greenhouse/set', '{"relay":false}');
    await sub.waitFor(on('b/greenhouse/result'));
    expect(lines.filter((line) => line.includes('twice'))).toHaveLength(1);
  });

  it('shows itself, its readings, commands and answers, and leaves in order', async () => {
    const { sub, journal, service, device } = await world();
    journal.append(record(device, 1, [sample(Date.now(), value(1, 'u8', 7))]));
    journal.commit();
    expect(JSON.parse((await sub.waitFor(on('b/greenhouse'))).payload)).toMatchObject({ a: 7 });
    expect((await sub.waitFor(on('b/bridge/state'))).payload).toBe('online');
    expect(JSON.parse((await sub.waitFor(on('b/bridge/info'))).payload)).toEqual({ version: '0.0' });
    expect(JSON.parse((await sub.waitFor(on('b/bridge/health'))).payload)).toMatchObject({
      ts: expect.any(Number) as number,
    });

    service.bridge.availabilityChanged(device);
    expect((await sub.waitFor(on('b/greenhouse/availability'))).payload).toBe('online');
    await sub.publish('b/greenhouse/set', '{"relay":1,"id":1}');
    expect((await sub.waitFor(on('b/greenhouse/result'))).payload).toBe(
      '{"id":1,"channel":"relay","status":"done","value":true,"error":"channel 2"}',
    );
    await sub.publish('b/greenhouse/set/relay', 'OFF');
    const [, second] = await sub.waitForCount(2, on('b/greenhouse/result'));
    expect(second?.payload).toContain('"value":false');
    await sub.publish('b/bridge/request/devices', '{"transaction":"x"}');
    expect(JSON.parse((await sub.waitFor(on('b/bridge/response/devices'))).payload)).toEqual({
      status: 'ok',
      data: [{ alias: 'greenhouse' }],
      transaction: 'x',
    });
    service.bridge.event('device_joined', { device: 'greenhouse' });
    service.bridge.deviceLog(device, 'info', 'hello\n');
    expect(JSON.parse((await sub.waitFor(on('b/bridge/event'))).payload)).toMatchObject({ type: 'device_joined' });
    expect(JSON.parse((await sub.waitFor(on('b/greenhouse/log'))).payload)).toMatchObject({ message: 'hello\n' });

    await service.close();
    await sub.waitFor(({ topic, payload }) => topic === 'b/bridge/state' && payload === 'offline');
    await sub.waitFor(({ topic, payload }) => topic === 'b/greenhouse/availability' && payload === 'offline');
  });

  it('puts devices that an earlier run left online to offline, and no others', async () => {
    const { sub } = await world(
      {},
      { 'b/ghost/availability': 'online', 'b/greenhouse/availability': 'online', 'b/old/availability': 'offline' },
    );
    await sub.waitFor(({ topic, payload }) => topic === 'b/ghost/availability' && payload === 'offline');
    expect(sub.received.filter(on('b/greenhouse/availability'))).toHaveLength(1);
    expect(sub.received.filter(on('b/old/availability'))).toHaveLength(1);
  });

  it('loses nothing and keeps the order when the broker is killed again and again', async () => {
    const { broker, sub, journal, service, device } = await world();
    let seq = 0;
    let ended = false;
    const writing = new Promise<void>((resolve) => {
      const turn = (): void => {
        for (let burst = 0; burst < 20 && !journal.full; burst++) {
          seq++;
          device.newestLsn = journal.append(record(device, seq, [sample(Date.now(), value(1, 'u32', seq))]))!;
        }
        journal.commit();
        if (ended) resolve();
        else setTimeout(turn, 1);
      };
      turn();
    });
    for (let round = 0; round < 3; round++) {
      const before = service.publisher.stats.published;
      while (service.publisher.stats.published < before + 200) await new Promise(setImmediate);
      await broker.kill('SIGKILL');
      await broker.restart();
    }
    ended = true;
    await writing;
    const total = seq;
    while (journal.stats.depth > 0) await new Promise(setImmediate);
    expect(service.connection.stats.connects).toBe(4);
    expect(service.publisher.stats.resent).toBeGreaterThan(0);
    // A killed mosquitto loses what it had not passed on, so the subscriber cannot be the judge: the publisher is.
    expect(service.publisher.stats.refused).toBe(0);
    expect(service.publisher.stats.published).toBeGreaterThanOrEqual(total);
    const ids = sub.received.filter(on('b/greenhouse')).map(({ payload }) => (JSON.parse(payload) as { a: number }).a);
    const firsts = ids.filter((id, at) => ids.indexOf(id) === at);
    expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
  });

  it('goes on behind what the broker refuses, and says so', async () => {
    const { sub, journal, service, device } = await world({
      config: ['acl_file {folder}/acl'],
      files: { acl: 'topic readwrite b/bridge/#\ntopic readwrite b/fine\ntopic read #\n' },
    });
    const fine = testDevice([channel(1, 'a')], { id: 'ffffffffffffffff', alias: 'fine' });
    for (const [seq, one] of [device, fine].entries()) {
      journal.append(record(one, seq + 1, [sample(1_000, value(1, 'u8', 7))]));
    }
    journal.commit();
    await sub.waitFor(on('b/fine'));
    expect(JSON.parse((await sub.waitFor(on('b/bridge/event'))).payload)).toMatchObject({
      type: 'publish_refused',
      device: 'greenhouse',
      reason: '0x87',
    });
    // The event may overtake the broker's answer to the other.
    await expect.poll(() => service.publisher.stats.published, { interval: 5 }).toBe(1);
    expect(service.publisher.stats).toMatchObject({
      refused: 1,
      refusedBy: { '0x87': 1 },
      deadLettered: 1,
    });
    expect(journal.stats.depth).toBe(0);
  });
});

describe('teeLog', () => {
  it('tells warnings and errors with harmless fields', () => {
    const told: unknown[] = [];
    const lines: string[] = [];
    const log = teeLog(createLog({ level: 'debug', pretty: false, write: (line) => lines.push(line) }), (...args) =>
      told.push(args),
    );
    log.info('quiet');
    log.warn('plain');
    const error = new GatewayError('DEVICE_LOST', '/dev/ttyX');
    log.child({ source: 'serial', nested: {} }).error({ err: error, count: 3, bytes: Buffer.alloc(9) }, 'gone');
    expect(lines).toHaveLength(3);
    expect(told).toEqual([
      ['warning', 'plain', {}],
      ['error', 'gone', { source: 'serial', code: 'DEVICE_LOST', where: '/dev/ttyX', detail: error.message, count: 3 }],
    ]);
  });
});
