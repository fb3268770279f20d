/** The configuration while the built program runs: what changes, and above all what does not notice. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { freePort, type Mosquitto, startMosquitto } from '../helpers/broker.ts';
import { startFleet } from '../helpers/fleet-program.ts';
import { GatewayProgram } from '../helpers/gateway-program.ts';
import { LinkDevice, sample } from '../helpers/link-device.ts';
import { connectClient, type TestClient } from '../helpers/mqtt-client.ts';
import { lacks } from '../helpers/programs.ts';

const HOST = '127.0.0.1';
const ID = 'a1b2c3d4e5f60718';
type Json = Record<string, unknown>;
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Setting {
  readonly broker: Mosquitto;
  readonly subscriber: TestClient;
  readonly gateway: GatewayProgram;
  /** What is configured besides the sources. */
  readonly more: Json;
}

async function setUp(sources: readonly Json[], given: Json = {}): Promise<Setting> {
  const broker = await startMosquitto();
  cleanups.push(() => broker.close());
  const subscriber = await connectClient(broker.url);
  cleanups.push(() => subscriber.close());
  const dir = mkdtempSync(join(tmpdir(), 'reload-'));
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  const more = {
    mqtt: { url: broker.url },
    log: { format: 'json' },
    journal: { dir, durability: 'process' },
    http: { enabled: false },
    ...given,
  };
  const gateway = new GatewayProgram(sources, more);
  cleanups.push(() => gateway.stop());
  await subscriber.waitFor(({ topic, payload }) => topic === 'bytes2mqtt/bridge/state' && payload === 'online');
  return { broker, subscriber, gateway, more };
}

/** The events of one kind, as they have come. */
function events(subscriber: TestClient, type: string): Json[] {
  return subscriber.received
    .filter(({ topic }) => topic === 'bytes2mqtt/bridge/event')
    .map(({ payload }) => JSON.parse(payload) as Json)
    .filter((event) => event['type'] === type);
}

async function event(subscriber: TestClient, type: string, count = 1): Promise<Json> {
  await subscriber.waitForCount(1, () => events(subscriber, type).length >= count);
  return events(subscriber, type)[count - 1]!;
}

async function ask(subscriber: TestClient, name: string, data: Json = {}): Promise<Json> {
  const transaction = `${name}-${subscriber.received.length}`;
  await subscriber.publish(`bytes2mqtt/bridge/request/${name}`, JSON.stringify({ ...data, transaction }));
  const { payload } = await subscriber.waitFor(
    ({ topic, payload: text }) => topic === `bytes2mqtt/bridge/response/${name}` && text.includes(`"${transaction}"`),
  );
  return JSON.parse(payload) as Json;
}

/** What a client that comes now is told of a topic, as text; undefined: nothing. */
async function retained(broker: Mosquitto, topic: string): Promise<string | undefined> {
  const client = await connectClient(broker.url, [topic]);
  try {
    await client.publish('end', '');
    await client.client.subscribeAsync('end');
    await client.publish('end', 'x');
    await client.waitFor((message) => message.topic === 'end');
    return client.received.find((message) => message.topic === topic && message.retain)?.payload;
  } finally {
    await client.close();
  }
}

describe.skipIf(lacks('mosquitto'))('a changed configuration', () => {
  test('SIGHUP while 20 devices send: sources come, go and change, and none of the 20 notices', async () => {
    const [stable, gone, changed] = ['stable', 'gone', 'changed'];
    const port = await freePort();
    const { subscriber, gateway, more } = await setUp(
      [
        { name: stable, tcp: `${HOST}:0` },
        { name: gone, tcp: `${HOST}:0` },
        { name: changed, tcp: `${HOST}:${port}` },
      ],
      { discovery: { enabled: false } },
    );
    const other = await LinkDevice.tcp(await gateway.port(gone));
    const third = await LinkDevice.tcp(port, 0x1111_1111_1111_1111n);
    await Promise.all([other.hello(), third.hello()]);
    const fleet = startFleet(
      '--tcp',
      `${HOST}:${await gateway.port(stable)}`,
      '--devices',
      '20',
      '--rate',
      '10',
      '--for',
      '6',
    );
    await subscriber.waitForCount(1, () => events(subscriber, 'device_online').length >= 22);

    gateway.save(
      [
        { name: stable, tcp: `${HOST}:0` },
        { name: changed, tcp: `${HOST}:${port}`, backlog: 64 },
        { name: 'new', udp: `${HOST}:0` },
      ],
      { ...more, limits: { keepalive_s: 5, frames_per_s: 500 }, mqtt: { ...(more['mqtt'] as Json), qos: 0 } },
    );
    gateway.signal('SIGHUP');
    expect(await event(subscriber, 'config_reloaded')).toMatchObject({
      applied: [
        'limits.keepalive_s',
        'limits.frames_per_s',
        'source gone removed',
        'source changed changed',
        'source new added',
      ],
      needs_restart: ['mqtt.qos'],
    });
    // They were told to come again, and the port of the changed source is there.
    expect(await other.next('BYE')).toMatchObject({ reason: 'restarting' });
    await third.next('BYE');
    await Promise.all([other.closed, third.closed]);
    const again = await LinkDevice.tcp(port, 0x1111_1111_1111_1111n);
    expect(await again.hello()).toMatchObject({ keepalive: 5 });
    const udp = await LinkDevice.udp(await gateway.port('new'), 0x2222_2222_2222_2222n);
    await udp.hello();
    again.close();
    udp.close();

    const { code, acknowledged, summary } = await fleet.result;
    expect(code).toBe(0);
    for (const { sent, acknowledged: count } of Object.values(summary.byTransport)) expect(count).toBe(sent);
    const ids = new Set<string>();
    let published = 0;
    let looked = 0;
    await subscriber.waitForCount(1, () => {
      // Called for each message; only what is new is looked at.
      for (; looked < subscriber.received.length; looked++) {
        const { topic, payload } = subscriber.received[looked]!;
        if (!/^bytes2mqtt\/[0-9a-f]{16}(\/history)?$/.test(topic)) continue;
        published++;
        ids.add((JSON.parse(payload) as { id: string }).id);
      }
      return ids.size >= acknowledged.length && acknowledged.every((id) => ids.has(id));
    });
    expect(ids.size).toBe(published);
    // Nobody of the fleet was offline before it said so itself.
    const others = [ID, '1111111111111111', '2222222222222222'];
    const leaving = (): Json[] =>
      events(subscriber, 'device_offline').filter(({ device }) => !others.includes(String(device)));
    await subscriber.waitForCount(1, () => leaving().length >= 20);
    const why = leaving();
    expect(why).toHaveLength(20);
    expect(new Set(why.map((one) => one['why']))).toEqual(new Set(['bye']));
    const { data } = (await ask(subscriber, 'sources')) as { data: { id: string; accepted: number }[] };
    expect(data.map(({ id }) => id).toSorted()).toEqual(['changed', 'new', 'stable']);
    expect(data.find(({ id }) => id === stable)?.accepted).toBe(20);
  }, 40_000);

  test('a file saved by rename is noticed; a faulty one changes nothing and says line and key', async () => {
    const { subscriber, gateway, more } = await setUp([{ name: 'tcp', tcp: `${HOST}:0` }]);
    const device = await LinkDevice.tcp(await gateway.port('tcp'));
    await device.hello();

    gateway.saveText(
      `mqtt: { url: "${(more['mqtt'] as { url: string }).url}" }\nsources:\n  - tcp: ${HOST}:0\n    nmae: tcp\n`,
    );
    const refused = await event(subscriber, 'config_refused');
    expect(refused['problems']).toMatchObject([{ code: 'CONFIG_UNKNOWN_KEY', line: 4, key: 'sources[0].nmae' }]);
    expect(await ask(subscriber, 'reload')).toMatchObject({
      status: 'error',
      error: expect.stringMatching(/bytes2mqtt\.yaml:4:5: sources\[0\]\.nmae: /) as string,
    });
    gateway.saveText('');
    expect(await event(subscriber, 'config_refused', 3)).toMatchObject({ problems: [{ code: 'CONFIG_SYNTAX' }] });

    gateway.save([{ name: 'tcp', tcp: `${HOST}:0` }], { ...more, devices: { [ID]: { alias: 'greenhouse' } } });
    expect(await event(subscriber, 'config_reloaded')).toMatchObject({
      applied: [`devices.${ID}.alias`],
      needs_restart: [],
    });
    expect(await event(subscriber, 'device_renamed')).toMatchObject({ device: 'greenhouse', before: ID });
    // The session has gone on, and what it says now has the new name.
    device.readings(1, sample(21.5));
    await device.acknowledged(1);
    await subscriber.waitFor(({ topic }) => topic === 'bytes2mqtt/greenhouse');
    expect(await ask(subscriber, 'reload')).toMatchObject({ status: 'ok', data: { applied: [], needs_restart: [] } });
    expect(events(subscriber, 'device_offline')).toEqual([]);
    device.close();
  }, 30_000);

  test('a device renamed by request: topics, retained messages and Home Assistant move, also over a restart', async () => {
    const sources = [{ name: 'tcp', tcp: `${HOST}:0` }];
    const { broker, subscriber, gateway, more } = await setUp(sources);
    const device = await LinkDevice.tcp(await gateway.port('tcp'));
    await device.hello();
    device.readings(1, sample(1));
    await device.acknowledged(1);
    await subscriber.waitFor(({ topic }) => topic === `bytes2mqtt/${ID}`);
    const config = `homeassistant/device/bytes2mqtt_${ID}/config`;
    await subscriber.waitFor(({ topic }) => topic === config);

    expect(await ask(subscriber, 'device_rename', { device: ID, alias: 'Shed' })).toMatchObject({ status: 'error' });
    expect(await ask(subscriber, 'device_rename', { device: ID, alias: 'shed' })).toMatchObject({
      data: { id: ID, alias: 'shed', before: ID, kept: true },
    });
    await subscriber.waitFor(({ topic, payload }) => topic === config && payload.includes('"bytes2mqtt/shed"'));
    await subscriber.waitFor(({ topic, payload }) => topic === 'bytes2mqtt/shed/availability' && payload === 'online');
    device.readings(2, sample(2));
    await device.acknowledged(2);
    await subscriber.waitFor(({ topic, payload }) => topic === 'bytes2mqtt/shed' && payload.includes('-7-2"'));
    expect(await retained(broker, `bytes2mqtt/${ID}/availability`)).toBeUndefined();
    expect(await retained(broker, 'bytes2mqtt/shed/availability')).toBe('online');
    expect(await ask(subscriber, 'device_remove', { device: 'shed' })).toMatchObject({ status: 'error' });

    // What waits while the broker is away goes out under the name that holds then.
    await broker.kill();
    device.readings(3, sample(3));
    await device.acknowledged(3);
    expect(await gateway.stop()).toBe(0);
    await broker.restart();
    const second = new GatewayProgram(sources, more);
    cleanups.push(() => second.stop());
    await subscriber.waitFor(({ topic, payload }) => topic.startsWith('bytes2mqtt/shed') && payload.includes('-7-3"'));
    expect(events(subscriber, 'device_removed')).toEqual([]);
    expect(await ask(subscriber, 'device_remove', { device: 'shed' })).toMatchObject({ data: { id: ID, kept: true } });
    await event(subscriber, 'device_removed');
    await subscriber.waitForCount(1, ({ topic, payload }) => topic === config && payload === '');
    expect(await second.stop()).toBe(0);
    expect(await retained(broker, config)).toBeUndefined();
    expect(await retained(broker, 'bytes2mqtt/shed/availability')).toBeUndefined();

    // Forgotten is forgotten, until it is back.
    const third = new GatewayProgram(sources, more);
    cleanups.push(() => third.stop());
    const port = await third.port('tcp');
    const count = subscriber.received.length;
    await subscriber.waitForCount(
      1,
      (message) => message.topic === 'bytes2mqtt/bridge/info' && subscriber.received.indexOf(message) >= count,
    );
    expect(await ask(subscriber, 'devices')).toMatchObject({ status: 'ok', data: [] });
    const back = await LinkDevice.tcp(port);
    await back.hello({ boot: 8 });
    expect(await ask(subscriber, 'device_get', { device: ID })).toMatchObject({ data: { alias: ID, online: true } });
    back.close();
  }, 40_000);
});
