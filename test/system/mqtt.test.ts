/** The MQTT side as people see it: the built gateway, mosquitto, mosquitto_sub and mosquitto_pub. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { freePort, type Mosquitto, startMosquitto } from '../helpers/broker.ts';
import { startFleet } from '../helpers/fleet-program.ts';
import { GatewayProgram } from '../helpers/gateway-program.ts';
import { LinkDevice, sample } from '../helpers/link-device.ts';
import { connectClient, type TestClient } from '../helpers/mqtt-client.ts';
import { startTcpProxy } from '../helpers/mqtt-proxy.ts';
import { findProgram, lacks } from '../helpers/programs.ts';

const HOST = '127.0.0.1';
const ID = 'a1b2c3d4e5f60718';
const BASE = 'house/bytes';
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function startBroker(): Promise<Mosquitto> {
  const broker = await startMosquitto();
  cleanups.push(() => broker.close());
  return broker;
}

function startGateway(mqtt: object): GatewayProgram {
  const gateway = new GatewayProgram([{ name: 'tcp', tcp: `${HOST}:0` }], { mqtt: { base: BASE, ...mqtt } });
  cleanups.push(() => gateway.stop('SIGKILL'));
  return gateway;
}

interface Message {
  readonly topic: string;
  readonly retained: boolean;
  readonly payload: string;
}

/** `mosquitto_sub`, as at a terminal. */
class Subscription {
  readonly messages: Message[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(broker: Mosquitto) {
    const args = ['-h', HOST, '-p', String(broker.port), '-q', '1', '-t', `${BASE}/#`, '-F', '%t %r %p'];
    const child = spawn(findProgram('mosquitto_sub')!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    cleanups.push(async () => {
      // It does not always mind SIGTERM.
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, topic = '', retained, payload = ''] = /^(\S+) ([01]) (.*)$/.exec(line) ?? [];
      this.messages.push({ topic: topic.slice(BASE.length + 1), retained: retained === '1', payload });
      for (const check of this.#waiting) check();
    });
  }

  /** The first message on this topic (below the base) that fits. */
  on(topic: string, fits: (payload: string) => boolean = () => true): Promise<Message> {
    return new Promise((resolve) => {
      const check = (): void => {
        const found = this.messages.find((message) => message.topic === topic && fits(message.payload));
        if (found === undefined) return;
        this.#waiting.delete(check);
        resolve(found);
      };
      this.#waiting.add(check);
      check();
    });
  }
}

async function publish(broker: Mosquitto, topic: string, payload: string): Promise<void> {
  const args = ['-h', HOST, '-p', String(broker.port), '-q', '1', '-t', `${BASE}/${topic}`, '-m', payload];
  await promisify(execFile)(findProgram('mosquitto_pub')!, args);
}

const json = ({ payload }: Message): Record<string, unknown> => JSON.parse(payload) as Record<string, unknown>;

describe.skipIf(lacks('mosquitto', 'mosquitto_sub', 'mosquitto_pub'))('with mosquitto_sub and mosquitto_pub', () => {
  test('every topic is there, and the last will tells of a death', async () => {
    const broker = await startBroker();
    const subscription = new Subscription(broker);
    const gateway = startGateway({ url: broker.url });
    expect(await subscription.on('bridge/state')).toMatchObject({ payload: 'online' });
    const device = await LinkDevice.tcp(await gateway.port('tcp'));
    cleanups.push(() => device.close());
    await device.hello();
    device.readings(1, sample(21.5), { ...sample(20), timeKind: 'unix', time: 1_767_225_600_000 });
    device.send({ type: 'LOG', level: 'warning', text: 'sensor slow' });
    device.send({ type: 'GAP', first: 2, lost: 3 }, { seq: 4 });
    await device.acknowledged(4);

    expect(await subscription.on(`${ID}/availability`)).toMatchObject({ payload: 'online' });
    expect(json(await subscription.on(ID))).toEqual({ ch1: 21.5, ts: expect.any(Number), id: `${ID}-7-1` });
    expect(json(await subscription.on(`${ID}/history`))).toEqual({ ch1: 20, ts: 1_767_225_600_000, id: `${ID}-7-1-0` });
    expect(json(await subscription.on(`${ID}/log`))).toMatchObject({ level: 'warning' });
    expect(json(await subscription.on(`${ID}/event`))).toMatchObject({ readings: 3 });
    const info = await subscription.on('bridge/info', (payload) => payload.includes(ID));
    expect(json(info)).toMatchObject({ mqtt: { base: BASE }, devices: [{ id: ID, online: true }] });
    expect(json(await subscription.on('bridge/health'))).toMatchObject({ mqtt: { commands: { sent: 0 } } });
    await subscription.on('bridge/event', (payload) => payload.includes('device_online'));

    await publish(broker, 'bridge/request/ping', '{"transaction":"t1"}');
    expect(json(await subscription.on('bridge/response/ping'))).toMatchObject({ status: 'ok', transaction: 't1' });

    // Who comes later finds what is retained, and no readings.
    const later = new Subscription(broker);
    expect(await later.on(`${ID}/availability`)).toMatchObject({ retained: true, payload: 'online' });
    expect(await later.on('bridge/state')).toMatchObject({ retained: true, payload: 'online' });
    const retained = later.messages.filter((message) => message.retained).map(({ topic }) => topic);
    expect(retained).not.toContainEqual(expect.stringMatching(/history|event|log/));

    await gateway.stop('SIGKILL');
    await subscription.on('bridge/state', (payload) => payload === 'offline');
  });

  test('set switches the simulated fan, and its result comes back', async () => {
    const broker = await startBroker();
    const subscription = new Subscription(broker);
    const gateway = startGateway({ url: broker.url });
    const tcp = `${HOST}:${await gateway.port('tcp')}`;
    const fleet = startFleet('--tcp', tcp, '--models', 'actuator', '--devices', '1', '--rate', '10', '--seed', '1');
    cleanups.push(() => fleet.process.kill('SIGKILL'));
    const described = json(await subscription.on('bridge/event', (payload) => payload.includes('device_described')));
    const device = String(described['device'] ?? (described['data'] as Record<string, unknown>)['device']);
    const state = json(await subscription.on(device));
    const relay = Object.entries(state).find(([, value]) => typeof value === 'boolean')![0];
    const wanted = state[relay] !== true;

    await publish(broker, `${device}/set`, JSON.stringify({ [relay]: wanted, id: 'from-test' }));
    expect(json(await subscription.on(`${device}/result`))).toMatchObject({
      id: 'from-test',
      channel: relay,
      status: 'done',
      value: wanted,
    });
    await subscription.on(device, (payload) => (JSON.parse(payload) as Record<string, unknown>)[relay] === wanted);

    await publish(broker, `${device}/set/${relay}`, wanted ? 'OFF' : 'ON');
    await subscription.on(`${device}/result`, (payload) => payload.includes(`"value":${String(!wanted)}`));
    await publish(broker, `${device}/set/nothing`, '1');
    await subscription.on(`${device}/result`, (payload) => payload.includes('unknown_channel'));

    fleet.process.kill('SIGTERM');
    const { summary } = await fleet.result;
    expect(summary.commands).toBe(2);
    await subscription.on(`${device}/availability`, (payload) => payload === 'offline');
  });
});

/** Plain ids of a device's readings, as received. */
const idsOf = ({ received }: TestClient): string[] =>
  received
    .filter(({ topic }) => topic.startsWith(`${BASE}/${ID}`) && !topic.endsWith('availability'))
    .map(({ payload }) => (JSON.parse(payload) as { id: string }).id);
const expected = (to: number): string[] => Array.from({ length: to }, (_, index) => `${ID}-7-${index + 1}`);

/** Until the gateway has noted at the broker that it has all of them: what is not noted is sent again after a lost connection. */
async function untilNoted(subscriber: TestClient, lsn: number): Promise<void> {
  await subscriber.waitFor(({ topic, payload }) => {
    return topic === `${BASE}/bridge/watermark` && (JSON.parse(payload) as { lsn?: number }).lsn === lsn;
  });
}

describe.skipIf(lacks('mosquitto'))('a broker that is away', () => {
  test('at the start and again later: readings are acknowledged all the same and arrive in order, once', async () => {
    const broker = await startBroker();
    const subscriber = await connectClient(broker.url);
    cleanups.push(() => subscriber.close());
    // The gateway reaches the broker through this port, on which nobody listens yet.
    const port = await freePort();
    const gateway = startGateway({ url: `mqtt://${HOST}:${port}` });
    const device = await LinkDevice.tcp(await gateway.port('tcp'));
    cleanups.push(() => device.close());
    await device.hello();
    for (let seq = 1; seq <= 30; seq++) device.readings(seq);
    await device.acknowledged(30);

    const first = await startTcpProxy(broker.port, port);
    cleanups.push(() => first.close());
    await subscriber.waitForCount(30, ({ topic }) => topic === `${BASE}/${ID}` || topic === `${BASE}/${ID}/history`);
    expect(idsOf(subscriber)).toEqual(expected(30));
    await untilNoted(subscriber, 30);

    await first.close();
    for (let seq = 31; seq <= 60; seq++) device.readings(seq);
    await device.acknowledged(60);
    expect(idsOf(subscriber)).toEqual(expected(30));
    const second = await startTcpProxy(broker.port, port);
    cleanups.push(() => second.close());
    await subscriber.waitForCount(60, ({ topic }) => topic === `${BASE}/${ID}` || topic === `${BASE}/${ID}/history`);
    expect(idsOf(subscriber)).toEqual(expected(60));
  });
});
