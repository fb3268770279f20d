import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Fleet, type FleetOptions, type Link } from '../../device-sim/fleet.ts';
import { findModel } from '../../device-sim/models/models.ts';
import { SecureChannel } from '../../protocol/index.ts';
import { LinkServer, type LinkServerOptions } from '../helpers/link-server.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const QUICK = { helloMs: 150, reconnectMs: 20, maxReconnectMs: 100, schemaMs: 50 };
const DEVICE = 0xa1b2_c3d4_e5f6_0718n;
const ID = 'a1b2c3d4e5f60718';
const key = new Uint8Array(32).map((_, i) => i * 5 + 1);
const otherKey = new Uint8Array(32).fill(9, 3);

function serve(options: LinkServerOptions = {}): LinkServer {
  const server = new LinkServer({ keys: new Map([[DEVICE, key]]), ...options });
  cleanups.push(() => server.close());
  return server;
}

/** One thermometer with the id and, unless told otherwise, the key that the server knows. */
function start(links: Link[], options: Partial<FleetOptions> = {}): Fleet {
  const models = [findModel('thermometer')!];
  const identities = [{ id: DEVICE }];
  const fleet = new Fleet({
    links,
    devices: 1,
    ratePerS: 100,
    seed: 1,
    timing: QUICK,
    models,
    identities,
    key,
    ...options,
  });
  cleanups.push(() => fleet.finish(0));
  fleet.start();
  return fleet;
}

const WAYS: Record<string, (server: LinkServer) => Promise<Link>> = {
  tcp: async (server) => ({ kind: 'tcp', host: '127.0.0.1', port: await server.listenTcp() }),
  udp: async (server) => ({ kind: 'udp', host: '127.0.0.1', port: await server.listenUdp() }),
  unix: async (server) => {
    const folder = mkdtempSync(join(tmpdir(), 'device-sim-'));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'gateway.sock');
    await server.listenUnix(path);
    return { kind: 'unix', path };
  },
};

function seqs(server: LinkServer, device: string): number[] {
  return server.readings.filter((reading) => reading.device === device).map(({ seq }) => seq);
}

function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i + 1);
}

/** For what gives no event of its own: looks again every few milliseconds. */
async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe.each(Object.entries(WAYS))('with a key over %s', (_, way) => {
  test('every reading arrives once, in order, and nothing goes out plain', async () => {
    const server = serve();
    const fleet = start([await way(server)], { count: 40 });
    await fleet.done();
    expect(seqs(server, ID)).toEqual(upTo(40));
    expect(fleet.devices[0]).toMatchObject({ sent: 40, acknowledged: 40, reconnects: 0 });
    await server.until(() => server.byes.length === 1);
    expect(fleet.summary().errors).toEqual({});
    expect(server.sealedFrames).toBeGreaterThan(40);
    // The server counts a plain frame of this device as refused, or as a violation.
    expect(server.refused).toEqual([]);
    expect(server.violations).toEqual([]);
  });

  test('all kinds of devices, each with a key of its own, beside one without', async () => {
    const identities = upTo(6).map((n) => ({ id: BigInt(n), key: n === 6 ? undefined : new Uint8Array(32).fill(n) }));
    const keys = new Map(identities.slice(0, 5).map(({ id, key }) => [id, key!]));
    const server = serve({ keys });
    const options = { devices: 6, count: 10, identities, key: undefined };
    const models = ['thermometer', 'air-quality', 'power-meter', 'soil-moisture', 'door-contact', 'actuator'];
    const fleet = start([await way(server)], { ...options, models: models.map((name) => findModel(name)!) });
    await fleet.done();
    for (const { idText } of fleet.devices) expect(seqs(server, idText)).toEqual(upTo(10));
    expect(server.refused).toEqual([]);
    expect(server.violations).toEqual([]);
  });

  test('the wrong key and no key are told, again and again, and change nothing', async () => {
    const server = serve();
    const link = await way(server);
    const wrong = start([link], { key: otherKey });
    await eventually(() => (wrong.troubles.get('authentication_failed') ?? 0) >= 2);
    wrong.devices[0]!.cut();
    const none = start([link], { key: undefined });
    await eventually(() => (none.troubles.get('authentication_required') ?? 0) >= 2);
    expect(new Set(server.refused)).toEqual(new Set([`authentication_failed ${ID}`, `authentication_required ${ID}`]));
    expect(server.hellos).toEqual([]);
    expect(server.readings).toEqual([]);
  });

  test('forged plain frames are hints: nothing ends, nothing is acknowledged', async () => {
    let pings = 0;
    const server = serve({
      intercept: ({ type }) => {
        if (type === 'PING') pings += 1;
        return false;
      },
    });
    const fleet = start([await way(server)]);
    await server.until(() => server.readings.length >= 5);
    server.forge(ID, { type: 'BYE', reason: 'shutting_down' });
    server.forge(ID, { type: 'ACK', seq: 1_000, map: 0, flags: { schemaWanted: true } });
    for (const code of ['malformed', 'replaced', 'rate_limited', 'unknown_session', 'unknown_session'] as const) {
      server.forge(ID, { type: 'ERROR', code, retryAfter: 60, text: '' });
    }
    await eventually(() => fleet.troubles.get('unknown_session') === 2);
    const before = server.readings.length;
    await server.until(() => server.readings.length >= before + 20);
    await fleet.finish(5_000);
    const { errors } = fleet.summary();
    expect(errors).toEqual({ malformed: 1, 'plain-frame': 2, rate_limited: 1, replaced: 1, unknown_session: 2 });
    expect(pings).toBe(1);
    expect(server.hellos.length).toBe(1);
    expect(seqs(server, ID)).toEqual(upTo(fleet.devices[0]!.sent));
    expect(server.violations).toEqual([]);
  });

  test('what the gateway says within the channel counts', async () => {
    const server = serve();
    const fleet = start([await way(server)]);
    await server.until(() => server.readings.length >= 5);
    server.send(ID, { type: 'BYE', reason: 'restarting' });
    await server.until(() => server.hellos.length === 2);
    const before = server.readings.length;
    await server.until(() => server.readings.length >= before + 5);
    server.refuseWith = { type: 'ERROR', code: 'busy', retryAfter: 0, text: '' };
    await eventually(() => (fleet.troubles.get('busy') ?? 0) > 0);
    server.refuseWith = undefined;
    await fleet.finish(5_000);
    expect(seqs(server, ID)).toEqual(upTo(fleet.devices[0]!.sent));
    expect(server.violations).toEqual([]);
  });
});

test('a session that the gateway forgot: the hint makes the device ask, and without an answer begin anew', async () => {
  let pings = 0;
  const server = serve({
    intercept: ({ type }) => {
      if (type === 'PING') pings += 1;
      return false;
    },
  });
  const fleet = start([await WAYS['udp']!(server)]);
  await server.until(() => server.readings.length >= 5);
  server.forgetSessions();
  await server.until(() => server.hellos.length === 2);
  await fleet.finish(5_000);
  const device = fleet.devices[0]!;
  expect(fleet.troubles.get('unknown_session')).toBeGreaterThan(0);
  expect(server.hellos[1]?.boot).toBe(device.boot);
  expect(seqs(server, device.idText)).toEqual(upTo(device.sent));
  // The PINGs of the session that was forgotten could not be read any more.
  expect(pings).toBe(0);
  expect(server.violations).toEqual([]);
});

test('a device that has nothing to say confirms its session, until it is heard', async () => {
  let pings = 0;
  const server = serve({ keepaliveS: 1, intercept: ({ type }) => type === 'PING' && (pings += 1) === 1 });
  const link = await WAYS['udp']!(server);
  const first = start([link], { count: 1 });
  await first.done();
  // The schema is known now.
  start([link], { ratePerS: 0.0001 });
  await server.until(() => server.hellos.length === 2);
  expect(server.hasSession(ID)).toBe(false);
  await server.until(() => pings === 2);
  expect(server.hasSession(ID)).toBe(true);
  expect(server.hellos.length).toBe(2);
  expect(server.violations).toEqual([]);
});

test('a lost frame is sealed anew when it is sent again', async () => {
  let lose = 3;
  const server = serve({ intercept: ({ type }) => type === 'READINGS' && lose-- > 0 });
  const fleet = start([await WAYS['udp']!(server)], { count: 20 });
  await fleet.done();
  expect(fleet.devices[0]!.retransmitted).toBeGreaterThanOrEqual(3);
  expect(seqs(server, ID)).toEqual(upTo(20));
  // A nonce used twice would be one: the server takes each number once.
  expect(server.violations).toEqual([]);
});

test('when the numbers of a session run out, the device begins another', async () => {
  const server = serve();
  const fleet = start([await WAYS['udp']!(server)]);
  await server.until(() => server.readings.length >= 5);
  const spent = vi.spyOn(SecureChannel.prototype, 'spent', 'get').mockReturnValueOnce(true);
  cleanups.push(() => spent.mockRestore());
  await server.until(() => server.hellos.length === 2);
  await fleet.finish(5_000);
  expect(seqs(server, ID)).toEqual(upTo(fleet.devices[0]!.sent));
  expect(server.violations).toEqual([]);
});

test('a sleepy node reports sealed, without a session', async () => {
  const server = serve();
  const fleet = start([await WAYS['udp']!(server)], { models: [findModel('soil-moisture')!] });
  const device = fleet.devices[0]!;
  await server.until(() => server.readings.length >= 5);
  server.refuseWith = { type: 'ERROR', code: 'busy', retryAfter: 0, text: '' };
  await eventually(() => (fleet.troubles.get('busy') ?? 0) > 0);
  server.refuseWith = undefined;
  server.forgetSchemas();
  await server.until(() => server.byes.length === 2);
  await fleet.finish(10_000);
  expect(server.readings.every(({ report }) => report)).toBe(true);
  expect(seqs(server, ID)).toEqual(upTo(device.sent));
  expect(device.acknowledged).toBe(device.sent);
  expect(server.refused).toEqual([]);
  expect(server.violations).toEqual([]);
});

test.each(['tcp', 'udp'])('over a bad line (%s) nothing is lost, and nothing forged is taken', async (kind) => {
  const server = serve({ noisy: true });
  const faults = { corrupt: 0.05, drop: 0.05, duplicate: 0.1, reorder: 0.1, split: 0.1 };
  const fleet = start([await WAYS[kind]!(server)], { faults, count: 100 });
  await fleet.done();
  const { faults: struck, errors } = fleet.summary();
  expect(struck.corrupt).toBeGreaterThan(0);
  expect(seqs(server, ID)).toEqual(upTo(100));
  if (kind === 'udp') expect(Object.keys(errors).some((code) => code === 'replayed' || code === 'bad-tag')).toBe(true);
  expect(server.badFrames).toBeGreaterThan(0);
  expect(server.refused).toEqual([]);
  expect(server.violations).toEqual([]);
});
