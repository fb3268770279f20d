/**
 * The whole way of readings, with the built programs and a real broker: whatever a device was promised reaches a
 * subscriber, once and in order.
 */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Mosquitto, startMosquitto } from '../helpers/broker.ts';
import { type FleetResult, startFleet } from '../helpers/fleet-program.ts';
import { GatewayProgram } from '../helpers/gateway-program.ts';
import { connectClient, type TestClient } from '../helpers/mqtt-client.ts';
import { lacks } from '../helpers/programs.ts';
import { openPtyPair, ptyProgram } from '../helpers/pty.ts';

const HOST = '127.0.0.1';
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Setting {
  readonly subscriber: TestClient;
  /** As `device-sim run` takes them. */
  readonly links: readonly string[];
}

/** Broker, subscriber and gateway with a listener for TCP and UDP and a serial line. */
async function setUp(): Promise<Setting> {
  const broker: Mosquitto = await startMosquitto();
  cleanups.push(() => broker.close());
  const subscriber = await connectClient(broker.url);
  cleanups.push(() => subscriber.close());
  const cable = await openPtyPair();
  cleanups.push(() => cable.close());
  const gateway = new GatewayProgram(
    [
      { name: 'tcp', tcp: `${HOST}:0` },
      { name: 'udp', udp: `${HOST}:0` },
      { name: 'line', serial: cable.a },
    ],
    // Discovery has the last state said once more, for Home Assistant; here everything is to come once.
    { mqtt: { url: broker.url }, discovery: { enabled: false } },
  );
  cleanups.push(async () => expect(await gateway.stop()).toBe(0));
  await gateway.line((line) => line['source'] === 'line' && typeof line['where'] === 'string');
  const [tcp, udp] = await Promise.all([gateway.port('tcp'), gateway.port('udp')]);
  return { subscriber, links: ['--tcp', `${HOST}:${tcp}`, '--udp', `${HOST}:${udp}`, '--serial', cable.b] };
}

/** The ids of all readings published so far, in order. Those of older samples of a record do not count (`…-0`). */
function published(subscriber: TestClient): string[] {
  const ids: string[] = [];
  for (const { topic, payload } of subscriber.received) {
    if (!/^bytes2mqtt\/[0-9a-f]{16}(\/history)?$/.test(topic)) continue;
    const { id } = JSON.parse(payload) as { id: string };
    if (id.split('-').length === 3) ids.push(id);
  }
  return ids;
}

/** Waits until everything promised was received, then looks at all of it. */
async function checkDelivery(subscriber: TestClient, { acknowledged, summary }: FleetResult): Promise<void> {
  const missing = new Set(acknowledged);
  let looked = 0;
  await subscriber.waitForCount(1, () => {
    // Called for each message received; only what is new is looked at.
    const { received } = subscriber;
    for (; looked < received.length; looked++) {
      const { payload } = received[looked]!;
      if (payload.startsWith('{')) missing.delete((JSON.parse(payload) as { id?: string }).id ?? '');
    }
    return missing.size === 0;
  });
  const ids = published(subscriber);
  expect(new Set(ids).size).toBe(ids.length);
  const lastSeq = new Map<string, number>();
  for (const id of ids) {
    const [device = '', boot = '', seq = ''] = id.split('-');
    expect(Number(seq)).toBeGreaterThan(lastSeq.get(`${device}-${boot}`) ?? 0);
    lastSeq.set(`${device}-${boot}`, Number(seq));
  }
  for (const { sent, acknowledged: count } of Object.values(summary.byTransport)) expect(count).toBe(sent);
}

describe.skipIf(lacks('mosquitto') || (ptyProgram() === undefined && lacks('socat', 'python3')))(
  'a fleet over TCP, UDP and a serial line',
  () => {
    beforeAll(() => {
      expect(ptyProgram()).toBeDefined();
    });

    test('every reading acknowledged is received, once and in order', async () => {
      const { subscriber, links } = await setUp();
      const fleet = startFleet(...links, '--devices', '13', '--rate', '20', '--count', '60', '--seed', '11');
      cleanups.push(() => fleet.process.kill('SIGKILL'));
      const result = await fleet.result;
      expect(result.code).toBe(0);
      expect(Object.keys(result.summary.byTransport).toSorted()).toEqual(['serial', 'tcp', 'udp']);
      expect(result.acknowledged).toHaveLength(13 * 60);
      await checkDelivery(subscriber, result);
    });

    test('… also when bits flip, frames get lost, come twice or late, and connections die', async () => {
      const { subscriber, links } = await setUp();
      const faults = [
        'corrupt=0.02',
        'drop=0.02',
        'duplicate=0.03',
        'reorder=0.05',
        'split=0.1',
        'merge=0.05',
        'death=0.005',
      ];
      const fleet = startFleet(
        ...links,
        '--devices',
        '10',
        '--rate',
        '10',
        '--count',
        '50',
        '--seed',
        '5',
        '--drain',
        '50',
        ...faults.flatMap((fault) => ['--fault', fault]),
      );
      cleanups.push(() => fleet.process.kill('SIGKILL'));
      const result = await fleet.result;
      expect(result.code).toBe(0);
      expect(Object.keys(result.summary.faults).length).toBeGreaterThan(3);
      await checkDelivery(subscriber, result);
    });
  },
);
