/**
 * The secure channel with the built programs: simulated devices with their keys over TCP, UDP and a serial line, and
 * what the log and the bridge's events say of those that have not the right one.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startMosquitto } from '../helpers/broker.ts';
import { type FleetResult, startFleet } from '../helpers/fleet-program.ts';
import { GatewayProgram } from '../helpers/gateway-program.ts';
import { connectClient, type TestClient } from '../helpers/mqtt-client.ts';
import { lacks } from '../helpers/programs.ts';
import { openPtyPair, ptyProgram } from '../helpers/pty.ts';

const HOST = '127.0.0.1';
const KEYED = Array.from({ length: 9 }, (_, index) => ({
  id: (0xa1b2_c3d4_e5f6_0000n + BigInt(index)).toString(16),
  key: randomBytes(32).toString('hex'),
}));
const GREENHOUSE = KEYED[0]!;
/** Without limits that a burst of a test would meet. */
const LIMITS = { frames_per_s: 10_000, bytes_per_s: 10_000_000, handshakes_per_address_per_s: 1_000 };

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'secure-'));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

interface Setting {
  readonly subscriber: TestClient;
  readonly gateway: GatewayProgram;
  readonly tcp: number;
  readonly udp: number;
  /** The device's end of the serial line. */
  readonly line: string;
  /** Ends it, like a power cut if wanted, and starts another on the same ports and journal. */
  restart(): Promise<GatewayProgram>;
}

/** A gateway that lets in devices with a key only, on every source. */
async function setUp(): Promise<Setting> {
  const broker = await startMosquitto();
  cleanups.push(() => broker.close());
  const subscriber = await connectClient(broker.url);
  cleanups.push(() => subscriber.close());
  const cable = await openPtyPair();
  cleanups.push(() => cable.close());
  const aliased = { [GREENHOUSE.id]: { alias: 'greenhouse', key: GREENHOUSE.key } };
  const more = {
    mqtt: { url: broker.url },
    // Or the last state is said once more, for Home Assistant.
    discovery: { enabled: false },
    devices: { ...Object.fromEntries(KEYED.map(({ id, key }) => [id, { key }])), ...aliased },
    journal: { dir: join(folder(), 'journal'), durability: 'process' },
    limits: LIMITS,
  };
  const start = async (ports: { tcp: number; udp: number }): Promise<GatewayProgram> => {
    const program = new GatewayProgram(
      [
        { name: 'tcp', tcp: `${HOST}:${ports.tcp}`, plain: false },
        { name: 'udp', udp: `${HOST}:${ports.udp}`, plain: false },
        { name: 'line', serial: cable.a, plain: false },
      ],
      more,
    );
    await program.line((line) => line['source'] === 'line' && typeof line['where'] === 'string');
    return program;
  };
  let gateway = await start({ tcp: 0, udp: 0 });
  cleanups.push(async () => expect(await gateway.stop()).toBe(0));
  const [tcp, udp] = await Promise.all([gateway.port('tcp'), gateway.port('udp')]);
  return {
    subscriber,
    gateway,
    tcp,
    udp,
    line: cable.b,
    async restart() {
      await gateway.stop('SIGKILL');
      gateway = await start({ tcp, udp });
      return gateway;
    },
  };
}

function keyFile(identities: readonly { id: string; key: string }[]): string {
  const path = join(folder(), 'keys');
  writeFileSync(path, identities.map(({ id, key }) => `${id}: ${key}\n`).join(''), { mode: 0o600 });
  return path;
}

function fleet(...args: string[]): { result: Promise<FleetResult> } {
  const started = startFleet(...args);
  cleanups.push(() => started.process.kill('SIGKILL'));
  return started;
}

/** Every reading that the devices were promised has come, once. */
async function arrived(subscriber: TestClient, { acknowledged }: FleetResult): Promise<void> {
  const seen: string[] = [];
  let looked = 0;
  const missing = new Set(acknowledged);
  await subscriber.waitForCount(1, () => {
    for (; looked < subscriber.received.length; looked++) {
      const { topic, payload } = subscriber.received[looked]!;
      if (!/^bytes2mqtt\/(greenhouse|[0-9a-f]{16})(\/history)?$/.test(topic)) continue;
      const { id } = JSON.parse(payload) as { id: string };
      if (id.split('-').length === 3) seen.push(id);
      missing.delete(id);
    }
    return missing.size === 0;
  });
  expect(new Set(seen).size).toBe(seen.length);
}

async function refusal(subscriber: TestClient, reason: string): Promise<Record<string, unknown>> {
  let found: Record<string, unknown> | undefined;
  await subscriber.waitForCount(1, () => {
    const events = subscriber.received.filter(({ topic }) => topic === 'bytes2mqtt/bridge/event');
    found = events
      .map(({ payload }) => JSON.parse(payload) as Record<string, unknown>)
      .find((event) => event['type'] === 'refused' && event['reason'] === reason);
    return found !== undefined;
  });
  return found ?? {};
}

describe.skipIf(lacks('mosquitto') || (ptyProgram() === undefined && lacks('socat', 'python3')))(
  'devices with keys',
  () => {
    beforeAll(() => {
      expect(ptyProgram()).toBeDefined();
    });

    test('deliver every reading, over TCP, UDP and a serial line', async () => {
      const { subscriber, gateway, tcp, udp, line } = await setUp();
      const links = ['--tcp', `${HOST}:${tcp}`, '--udp', `${HOST}:${udp}`, '--serial', line];
      const { result } = fleet(...links, '--key-file', keyFile(KEYED), '--rate', '20', '--count', '20', '--seed', '3');
      const outcome = await result;
      expect(outcome.code).toBe(0);
      expect(Object.keys(outcome.summary.byTransport).toSorted()).toEqual(['serial', 'tcp', 'udp']);
      expect(outcome.acknowledged).toHaveLength(KEYED.length * 20);
      await arrived(subscriber, outcome);
      expect(gateway.log.filter((entry) => entry['reason'] !== undefined)).toEqual([]);
    });

    test('… also when bits flip, frames get lost, come twice or late, and connections die', async () => {
      const { subscriber, tcp, udp, line } = await setUp();
      const links = ['--tcp', `${HOST}:${tcp}`, '--udp', `${HOST}:${udp}`, '--serial', line];
      const faults = [
        'corrupt=0.02',
        'drop=0.02',
        'duplicate=0.03',
        'reorder=0.05',
        'split=0.1',
        'merge=0.05',
        'death=0.005',
      ];
      const load = ['--rate', '10', '--count', '20', '--seed', '5', '--drain', '50'];
      const { result } = fleet(
        ...links,
        ...load,
        '--key-file',
        keyFile(KEYED),
        ...faults.flatMap((fault) => ['--fault', fault]),
      );
      const outcome = await result;
      expect(outcome.code).toBe(0);
      await arrived(subscriber, outcome);
    });

    test('… and over a gateway that dies in the middle: who had a session is told, and begins another', async () => {
      const world = await setUp();
      const { subscriber, udp, tcp } = world;
      const links = ['--tcp', `${HOST}:${tcp}`, '--udp', `${HOST}:${udp}`];
      const load = ['--rate', '10', '--count', '30', '--max-wait', '1', '--drain', '50', '--boot', '5'];
      const { result } = fleet(...links, ...load, '--key-file', keyFile(KEYED.slice(0, 4)));
      await subscriber.waitForCount(30, ({ topic }) => /^bytes2mqtt\/(greenhouse|[0-9a-f]{16})$/.test(topic));
      const second = await world.restart();
      const line = await second.line(({ reason }) => reason === 'unknown-session');
      expect(line.msg).toContain('old session');
      expect(await refusal(subscriber, 'unknown-session')).toMatchObject({ peer: expect.stringContaining(HOST) });
      const outcome = await result;
      expect(outcome.code).toBe(0);
      expect(outcome.acknowledged).toHaveLength(4 * 30);
      const ids = new Set(outcome.acknowledged);
      await subscriber.waitForCount(1, () => {
        for (const { payload } of subscriber.received) {
          if (payload.startsWith('{')) ids.delete((JSON.parse(payload) as { id?: string }).id ?? '');
        }
        return ids.size === 0;
      });
    });

    test.each([
      ['a wrong key', ['--id', GREENHOUSE.id, '--key', randomBytes(32).toString('hex')], 'wrong-key', 'greenhouse'],
      ['no key though it has one here', ['--id', GREENHOUSE.id], 'key-required', 'greenhouse'],
      ['no key', ['--id', '1122334455667788'], 'no-key', '1122334455667788'],
      [
        'a key that nobody knows here',
        ['--id', '1122334455667788', '--key', GREENHOUSE.key],
        'unknown-key',
        '1122334455667788',
      ],
    ])('%s: refused, and told why in the log and as an event, once', async (_, args, reason, device) => {
      const { subscriber, gateway, tcp, udp, line } = await setUp();
      const links = [
        ['--tcp', `${HOST}:${tcp}`],
        ['--udp', `${HOST}:${udp}`],
        ['--serial', line],
      ];
      const fleets = links.map((link) => fleet(...link, ...args, '--for', '1', '--rate', '10', '--drain', '1').result);
      for (const { acknowledged } of await Promise.all(fleets)) expect(acknowledged).toEqual([]);
      const told = await gateway.line((entry) => entry['reason'] === reason);
      expect(told).toMatchObject({ device });
      expect(told.msg).toContain(device);
      expect(await refusal(subscriber, reason)).toMatchObject({ device, reason, peer: told['peer'] });
      expect(gateway.log.filter((entry) => entry['reason'] !== undefined)).toHaveLength(1);
      expect(subscriber.received.filter(({ topic }) => topic.endsWith('/availability'))).toEqual([]);
    });
  },
);
