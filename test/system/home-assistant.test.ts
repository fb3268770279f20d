/**
 * As Home Assistant sees it: the built gateway, mosquitto, the simulator's devices of all models, and every shipped
 * profile, played.
 *
 * ```
 *   device-sim ── TCP ───────────────┐
 *   played profiles ── ptys, TCP ────┴─ bytes2mqtt run ── mosquitto ── this test, in the place of Home Assistant
 * ```
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { MODELS } from '../../device-sim/models/models.ts';
import { shippedNames } from '../../device-sim/profile/load.ts';
import { type Mosquitto, startMosquitto } from '../helpers/broker.ts';
import { cli } from '../helpers/cli.ts';
import { type Fleet, startFleet } from '../helpers/fleet-program.ts';
import { GatewayProgram } from '../helpers/gateway-program.ts';
import { LinkDevice, sample } from '../helpers/link-device.ts';
import { connectClient, type Received, type TestClient } from '../helpers/mqtt-client.ts';
import { type Player, player, startPlayer } from '../helpers/played-profile.ts';
import { lacks } from '../helpers/programs.ts';
import type { PtyPair } from '../helpers/pty.ts';
import { deviceDiscovery, type Entity } from '../gateway/discovery/home-assistant-schema.ts';
import { render } from '../gateway/discovery/render.ts';

type Discovery = ReturnType<typeof deviceDiscovery.parse>;

const lacking = lacks('mosquitto', 'socat');
const CONFIG = /^homeassistant\/device\/([a-z0-9_]+)\/config$/;
const BIRTH = 'homeassistant/status';

const isConfig = ({ topic, payload }: Received): boolean => CONFIG.test(topic) && payload !== '';
const discoveryOf = ({ payload }: Received): Discovery => deviceDiscovery.parse(JSON.parse(payload));
const entitiesOf = (message: Received): Entity[] =>
  Object.values(discoveryOf(message).components).filter((one): one is Entity => 'unique_id' in one);
/** The level of a device in topics: that of its availability. */
const aliasOf = (message: Received): string => discoveryOf(message).availability[1]?.topic.split('/')[1] ?? '';

/** What Home Assistant would make of a state; undefined: it would take it, else what it would complain of. */
function complaint(entity: Entity, state: string): string | undefined {
  if (state === 'None') return undefined;
  switch (entity.platform) {
    case 'sensor':
      if (entity.options !== undefined) return entity.options.includes(state) ? undefined : 'no such option';
      if (entity.device_class === 'timestamp') return Number.isNaN(Date.parse(state)) ? 'no time' : undefined;
      if (entity.state_class === undefined && entity.unit_of_measurement === undefined) return tooLong(state);
      return Number.isFinite(Number(state)) && state !== '' ? undefined : 'not a number';
    case 'number': {
      const value = Number(state);
      return value >= entity.min && value <= entity.max ? undefined : `not from ${entity.min} to ${entity.max}`;
    }
    case 'binary_sensor':
    case 'switch':
      return state === 'ON' || state === 'OFF' ? undefined : 'neither on nor off';
    case 'select':
      return entity.options.includes(state) ? undefined : 'no such option';
    case 'text':
      return tooLong(state);
    case 'event':
      return entity.event_types.includes(String((JSON.parse(state) as Record<string, unknown>)['event_type']))
        ? undefined
        : 'no such event';
    case 'button':
      return 'a button has no state';
  }
}

function tooLong(state: string): string | undefined {
  return state.length <= 255 ? undefined : 'too long';
}

/** What the frontend would send for it. */
function commandOf(entity: Entity): string | undefined {
  switch (entity.platform) {
    case 'switch':
      return 'ON';
    case 'button':
      return 'PRESS';
    case 'select':
      return entity.options.at(-1);
    case 'number':
      return String(Math.min(entity.max, Math.max(entity.min, 50)));
    case 'text':
      return 'ab';
    default:
      return undefined;
  }
}

describe.skipIf(lacking)('Home Assistant and everything that there is', () => {
  const ptys: PtyPair[] = [];
  const players: Player[] = [];
  let broker: Mosquitto;
  let client: TestClient;
  let gateway: GatewayProgram;
  let fleet: Fleet;
  /** The first configuration of each device. */
  let configs: Received[];

  beforeAll(async () => {
    broker = await startMosquitto();
    client = await connectClient(broker.url);
    for (const name of shippedNames()) players.push(await player(name, ptys));
    const sources = [{ name: 'link', tcp: '127.0.0.1:0' }, ...players.map(({ source }) => source)];
    gateway = new GatewayProgram(sources, { mqtt: { url: broker.url } });
    for (const one of players) {
      startPlayer(one, one.link.kind === 'tcp' ? { ...one.link, port: await gateway.port(one.name) } : one.link);
    }
    const link = `127.0.0.1:${await gateway.port('link')}`;
    const models = MODELS.map(({ name }) => name);
    const count = String(models.length);
    fleet = startFleet('--tcp', link, '--devices', count, '--models', models.join(','), '--rate', '4', '--seed', '3');
    // Each device, and the gateway itself.
    const all = MODELS.length + players.length + 1;
    const known = new Map<string, Received>();
    await client.waitFor((message) => {
      if (isConfig(message) && !known.has(message.topic)) known.set(message.topic, message);
      return known.size >= all;
    });
    configs = [...known.values()];
  }, 60_000);

  afterAll(async () => {
    fleet?.process.kill('SIGTERM');
    await Promise.all(players.map(({ stop }) => stop()));
    await fleet?.result;
    await gateway?.stop();
    await client?.close();
    await broker?.close();
    await Promise.all(ptys.map((pty) => pty.close()));
  }, 30_000);

  test('it accepts all that is announced, each thing once', () => {
    const ids = configs.flatMap((config) => entitiesOf(config).map(({ unique_id: id }) => id));
    expect(new Set(ids).size).toBe(ids.length);
    const models = new Set(configs.map((config) => discoveryOf(config).device.model));
    for (const { schema } of MODELS) expect([...models]).toContain(schema.model);
    const makers = configs.map((config) => discoveryOf(config).device.manufacturer);
    expect(makers).toContain('Plantower');
    const bridge = configs.find((config) => discoveryOf(config).device.via_device === undefined)!;
    const [identifier] = discoveryOf(bridge).device.identifiers;
    for (const config of configs) {
      if (config !== bridge) expect(discoveryOf(config).device.via_device).toBe(identifier);
    }
  });

  test('it takes the state of each entity, and shows what was published', async () => {
    for (const config of configs) {
      // The newest of a device: channels may have been added.
      const latest = client.received.findLast(({ topic, payload }) => topic === config.topic && payload !== '')!;
      for (const entity of entitiesOf(latest)) {
        if (!('state_topic' in entity) || entity.state_topic === undefined || entity.platform === 'event') continue;
        const { state_topic: topic, value_template: template } = entity;
        const state = await client.waitFor((message) => message.topic === topic && message.payload !== '');
        const newest = client.received.findLast((message) => message.topic === topic) ?? state;
        if (template === undefined) continue;
        const shown = render(template, newest.payload);
        expect(complaint(entity, shown), `${JSON.stringify(entity)} shows ${shown}`).toBeUndefined();
        const key = /^\{\{ value_json\['(.+)'\]/.exec(template)?.[1];
        const value = key === undefined ? undefined : (JSON.parse(newest.payload) as Record<string, unknown>)[key];
        if (typeof value === 'number') expect(Number(shown)).toBe(value);
      }
    }
  });

  test('it is told how the lines are', async () => {
    for (const alias of configs.map(aliasOf).filter((name) => name !== '')) {
      const { payload, retain } = await client.waitFor(({ topic }) => topic === `bytes2mqtt/${alias}/link`);
      expect(retain).toBe(false);
      expect(JSON.parse(payload)).toMatchObject({
        online_s: expect.any(Number),
        last_seen: expect.any(Number),
        checksum_errors: 0,
        skipped_bytes: expect.any(Number),
        ts: expect.any(Number),
      });
    }
  });

  test('when it starts, it is told everything again', async () => {
    const before = client.received.length;
    await client.publish(BIRTH, 'online');
    const after = (matches: (message: Received) => boolean) => (message: Received) =>
      client.received.indexOf(message, before) >= 0 && matches(message);
    for (const config of configs) {
      await client.waitFor(after(({ topic, payload }) => topic === config.topic && payload !== ''));
      const alias = aliasOf(config);
      if (alias === '') continue;
      await client.waitFor(after(({ topic }) => topic === `bytes2mqtt/${alias}/availability`));
      await client.waitFor(after(({ topic }) => topic === `bytes2mqtt/${alias}`));
    }
  });

  test('every command that it can send is understood', async () => {
    for (const config of configs) {
      const alias = aliasOf(config);
      for (const entity of entitiesOf(config)) {
        const value = commandOf(entity);
        if (value === undefined || !('command_topic' in entity)) continue;
        const before = client.received.length;
        await client.publish(entity.command_topic, value);
        const channel = entity.command_topic.split('/').at(-1);
        const { payload } = await client.waitFor(
          (message) =>
            message.topic === `bytes2mqtt/${alias}/result` &&
            client.received.indexOf(message, before) >= 0 &&
            (JSON.parse(message.payload) as Record<string, unknown>)['channel'] === channel,
        );
        const { status, error } = JSON.parse(payload) as { status: string; error?: string };
        const told = { topic: entity.command_topic, value, status, error };
        expect(['done', 'failed', 'expired', 'refused'], JSON.stringify(told)).toContain(status);
      }
    }
  }, 120_000);

  test('a broker that has forgotten everything is told again', async () => {
    await broker.kill('SIGKILL');
    await broker.restart();
    const before = client.received.length;
    for (const { topic: wanted } of configs) {
      await client.waitFor(
        (message) =>
          message.topic === wanted && message.payload !== '' && client.received.indexOf(message, before) >= 0,
      );
    }
    const later = await connectClient(broker.url);
    onTestFinished(() => later.close());
    const found = await later.waitForCount(configs.length, (message) => message.retain && isConfig(message));
    for (const message of found) discoveryOf(message);
  });
});

/** As a gateway with this bridge has left it. */
function left(node: string, via: string): [string, string] {
  const message = { device: { identifiers: [node], via_device: via }, components: {} };
  return [`homeassistant/device/${node}/config`, JSON.stringify(message)];
}

describe.skipIf(lacks('mosquitto'))('what is gone', () => {
  test('what an earlier run has left goes, of a device that is forgotten and of nobody else', async () => {
    const broker = await startMosquitto();
    onTestFinished(() => broker.close());
    const client = await connectClient(broker.url);
    onTestFinished(() => client.close());
    const ours = left('bytes2mqtt_00000000000000ff', 'bytes2mqtt_bridge_bytes2mqtt');
    const others = left('bytes2mqtt_attic_00000000000000ff', 'bytes2mqtt_bridge_attic');
    for (const [topic, payload] of [ours, others]) await client.publish(topic, payload, { retain: true });
    const gateway = new GatewayProgram([{ name: 'link', tcp: '127.0.0.1:0' }], { mqtt: { url: broker.url } });
    onTestFinished(async () => void (await gateway.stop()));
    await client.waitFor(({ topic, payload }) => topic === ours[0] && payload === '');
    expect(client.received.filter(({ topic }) => topic === others[0])).toHaveLength(1);
  });

  test('a device that is removed by request takes its entities along', async () => {
    const broker = await startMosquitto();
    onTestFinished(() => broker.close());
    const client = await connectClient(broker.url);
    onTestFinished(() => client.close());
    const gateway = new GatewayProgram([{ name: 'link', tcp: '127.0.0.1:0' }], { mqtt: { url: broker.url } });
    onTestFinished(async () => void (await gateway.stop()));
    const device = await LinkDevice.tcp(await gateway.port('link'));
    await device.hello();
    device.readings(1, sample(21.5));
    const config = await client.waitFor((message) => isConfig(message) && aliasOf(message) !== '');
    const alias = aliasOf(config);
    // It has declared nothing; a number is shown all the same.
    const [entity] = entitiesOf(config);
    expect(entity?.platform === 'sensor' && render(entity.value_template ?? '', '{"ch1":21.5}')).toBe('21.5');
    // What it tells of itself is an event.
    device.send({ type: 'GAP', first: 2, lost: 3 }, { seq: 4 });
    const said = await client.waitFor(({ topic }) => topic === `bytes2mqtt/${alias}/event`);
    const event = entitiesOf(config).find(({ platform }) => platform === 'event')!;
    const told = render('value_template' in event ? (event.value_template ?? '') : '', said.payload);
    expect(complaint(event, told)).toBeUndefined();
    expect(JSON.parse(told)).toMatchObject({ event_type: 'readings_lost', readings: 3 });
    device.close();
    await client.waitFor(({ topic, payload }) => topic === `bytes2mqtt/${alias}/availability` && payload === 'offline');
    await client.publish('bytes2mqtt/bridge/request/device_remove', JSON.stringify({ device: alias }));
    await client.waitFor(({ topic, payload }) => topic === config.topic && payload === '');
  });

  test('a channel that has gone out of a profile meanwhile goes, and all else stays as it was', async () => {
    const broker = await startMosquitto();
    onTestFinished(() => broker.close());
    const client = await connectClient(broker.url);
    onTestFinished(() => client.close());
    const folder = mkdtempSync(join(tmpdir(), 'home-assistant-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const profile = join(folder, 'scale.yaml');
    const stable = '\n  stable: { at: 1, bit: 0 }';
    const text = `title: Scale\nframing: { sync: 5a, length: 4 }\nfields:\n  weight: { at: 2, type: u16, unit: kg, class: weight }`;
    const source = { name: 'line', connect: '127.0.0.1:1', profile, device: 'kitchen' };
    const more = { mqtt: { url: broker.url }, journal: { dir: join(folder, 'data') } };
    const isOurs = (message: Received): boolean => isConfig(message) && aliasOf(message) === source.device;
    const keysOf = (message: Received): string[] =>
      Object.keys(discoveryOf(message).components).filter((key) => !key.startsWith('link-'));
    // Written, read again as it was, and read without one of its fields.
    let said = 0;
    for (const fields of [stable, stable, '']) {
      writeFileSync(profile, text + fields);
      const gateway = new GatewayProgram([source], more);
      said += fields === '' ? 2 : 1;
      await client.waitForCount(said, isOurs);
      await gateway.stop();
    }
    const messages = client.received.filter(isOurs);
    expect(messages.map(keysOf)).toEqual([
      ['weight', 'stable'],
      ['weight', 'stable'],
      ['weight', 'stable'],
      ['weight'],
    ]);
    expect(discoveryOf(messages[2]!).components['stable']).toEqual({ platform: 'binary_sensor' });
    expect(client.received.filter(({ topic, payload }) => CONFIG.test(topic) && payload === '')).toEqual([]);
  });

  test('two gateways with devices of the same name leave each other alone', async () => {
    const broker = await startMosquitto();
    onTestFinished(() => broker.close());
    const client = await connectClient(broker.url);
    onTestFinished(() => client.close());
    const registers = { flow: { at: 4, type: 'u16' } };
    const source = { name: 'line', connect: '127.0.0.1:1', profile: 'modbus_tcp', device: 'meter', registers };
    const configsOf = (base: string): Promise<Received> =>
      client.waitFor((message) => isConfig(message) && message.payload.includes(`"${base}/meter/availability"`));
    for (const base of ['attic/b2m', 'attic_b2m']) {
      const gateway = new GatewayProgram([source], { mqtt: { url: broker.url, base } });
      onTestFinished(async () => void (await gateway.stop()));
      // It has looked for what is left before it announces.
      await configsOf(base);
    }
    const later = await connectClient(broker.url);
    onTestFinished(() => later.close());
    const found = await later.waitForCount(4, (message) => message.retain && isConfig(message));
    expect(new Set(found.map(({ topic }) => topic)).size).toBe(4);
  });
});

test('a prefix that collides with the base is refused, with its line', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'home-assistant-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const collisions = [
    ['homeassistant', 'homeassistant'],
    ['home/bytes', 'home'],
    ['home', 'home/assistant'],
  ];
  for (const [base, prefix] of collisions) {
    const text = `mqtt: { base: ${base} }\nsources:\n  - tcp: 127.0.0.1:7000\ndiscovery:\n  prefix: ${prefix}\n`;
    writeFileSync(join(folder, 'bytes2mqtt.yaml'), text);
    const { code, stderr, stdout } = await cli(['check'], { cwd: folder });
    expect({ base, prefix, code }).not.toMatchObject({ code: 0 });
    expect(stdout + stderr).toMatch(/bytes2mqtt\.yaml:5:\d+/);
    expect(stdout + stderr).toContain('discovery.prefix');
  }
});
