import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Fleet, type FleetOptions, type Link } from '../../device-sim/fleet.ts';
import { findModel } from '../../device-sim/models/models.ts';
import { SerialLine } from '../../device-sim/transports/serial.ts';
import { findProgram, lacks } from '../helpers/programs.ts';
import { LinkServer, type LinkServerOptions } from '../helpers/link-server.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** The waits of a device, short enough for a test and long enough for a busy machine. */
const QUICK = { helloMs: 150, reconnectMs: 20, maxReconnectMs: 100, schemaMs: 50 };

function serve(options: LinkServerOptions = {}): LinkServer {
  const server = new LinkServer(options);
  cleanups.push(() => server.close());
  return server;
}

function start(links: Link[], options: Partial<FleetOptions> = {}): Fleet {
  const fleet = new Fleet({
    links,
    devices: 1,
    ratePerS: 100,
    seed: 1,
    timing: QUICK,
    models: [model('thermometer')],
    ...options,
  });
  cleanups.push(() => fleet.finish(0));
  fleet.start();
  return fleet;
}

function model(name: string) {
  return findModel(name)!;
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'device-sim-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Every kind of link, and the server at its other end. */
const WAYS: Record<string, (server: LinkServer) => Promise<Link>> = {
  tcp: async (server) => ({ kind: 'tcp', host: '127.0.0.1', port: await server.listenTcp() }),
  udp: async (server) => ({ kind: 'udp', host: '127.0.0.1', port: await server.listenUdp() }),
  unix: async (server) => {
    const path = join(temporaryFolder(), 'gateway.sock');
    await server.listenUnix(path);
    return { kind: 'unix', path };
  },
};

/** The seqs of a device as the server delivered them. */
function seqs(server: LinkServer, device: string): number[] {
  return server.readings.filter((reading) => reading.device === device).map(({ seq }) => seq);
}

/** For what gives no event of its own: looks again every few milliseconds. */
async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const ignore = (): void => undefined;

function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i + 1);
}

describe.each(Object.entries(WAYS))('over %s', (kind, way) => {
  test('every reading arrives once, in order, is acknowledged, and BYE ends it', async () => {
    const server = serve();
    const fleet = start([await way(server)], { count: 40 });
    await fleet.done();
    const [device] = fleet.devices;
    expect(seqs(server, device!.idText)).toEqual(upTo(40));
    expect(fleet.summary().byTransport).toEqual({
      [kind]: { devices: 1, sent: 40, acknowledged: 40, dropped: 0, retransmitted: expect.any(Number), reconnects: 0 },
    });
    await server.until(() => server.byes.length === 1);
    expect(server.byes).toEqual(['done']);
    expect(server.schemaOf(device!.idText)).toEqual(model('thermometer').schema);
    expect(fleet.summary().errors).toEqual({});
    expect(server.violations).toEqual([]);
  });

  test('all kinds of devices at once', async () => {
    const server = serve();
    const fleet = new Fleet({
      links: [await way(server)],
      devices: 12,
      ratePerS: 50,
      seed: 2,
      count: 10,
      timing: QUICK,
    });
    cleanups.push(() => fleet.finish(0));
    fleet.start();
    await fleet.done();
    for (const { idText, model } of fleet.devices) {
      expect(seqs(server, idText)).toEqual(upTo(10));
      expect(server.schemaOf(idText)).toEqual(model.schema);
    }
    expect(server.readings.some(({ report }) => report)).toBe(kind === 'udp');
    expect(server.violations).toEqual([]);
  });

  test('a schema that the gateway lost is sent again, and the readings are repeated', async () => {
    const server = serve();
    const fleet = start([await way(server)]);
    const device = fleet.devices[0]!;
    await server.until(() => server.readings.length >= 3);
    server.forgetSchemas();
    const before = server.readings.length;
    await server.until(() => server.readings.length >= before + 20);
    expect(server.schemaOf(device.idText)).toEqual(model('thermometer').schema);
    await fleet.finish(5_000);
    expect(seqs(server, device.idText)).toEqual(upTo(device.sent));
    expect(device.acknowledged).toBe(device.sent);
    expect(server.hellos.length).toBe(1);
    expect(server.violations).toEqual([]);
  });

  test('BUSY: it waits, keeps the session, and everything arrives', async () => {
    const server = serve();
    const fleet = start([await way(server)]);
    await server.until(() => server.readings.length >= 3);
    server.refuseWith = { type: 'ERROR', code: 'busy', retryAfter: 0, text: '' };
    await server.until(() => (fleet.summary().errors['busy'] ?? 0) > 0 || fleet.devices[0]!.pending > 40);
    server.refuseWith = undefined;
    await fleet.finish(10_000);
    const device = fleet.devices[0]!;
    expect(fleet.summary().errors).toEqual({ busy: fleet.summary().errors['busy'] });
    expect(server.hellos.length).toBe(1);
    expect(seqs(server, device.idText)).toEqual(upTo(device.sent));
    expect(server.violations).toEqual([]);
  });
});

test('a lost connection: same boot, and what was not acknowledged comes first', async () => {
  const seen: number[] = [];
  let deaf = false;
  const server = serve({
    intercept: (message, _peer, frame) => {
      if (message.type === 'READINGS') seen.push(frame.seq);
      return message.type === 'READINGS' && deaf;
    },
  });
  const fleet = start([{ kind: 'tcp', host: '127.0.0.1', port: await server.listenTcp() }]);
  const device = fleet.devices[0]!;
  await server.until(() => server.readings.length >= 5);
  deaf = true;
  const last = server.readings.length;
  await server.until(() => seen.at(-1)! >= last + 8);
  server.resetConnections();
  await server.until(() => server.hellos.length === 1);
  deaf = false;
  seen.length = 0;
  await server.until(() => seen.length >= 8);
  expect(seen.slice(0, 8)).toEqual(Array.from({ length: 8 }, (_, i) => last + 1 + i));
  await fleet.finish(5_000);
  expect(server.hellos.length).toBe(2);
  expect(server.hellos[1]).toMatchObject({ boot: device.boot, firstSeq: last + 1 });
  expect(seqs(server, device.idText)).toEqual(upTo(device.sent));
  expect(new Set(server.readings.map(({ boot }) => boot)).size).toBe(1);
  expect(device.reconnects).toBe(1);
  expect(server.violations).toEqual([]);
});

test('a gateway that is not there yet: readings wait, then all arrive', async () => {
  const early = serve();
  const port = await early.listenTcp();
  await early.close();
  const fleet = start([{ kind: 'tcp', host: '127.0.0.1', port }]);
  const device = fleet.devices[0]!;
  const refused = () => fleet.summary().errors['ECONNREFUSED'] ?? 0;
  await eventually(() => refused() >= 2);
  const server = serve();
  await server.listenTcp(port);
  await server.until(() => server.readings.length >= 10);
  await fleet.finish(5_000);
  expect(seqs(server, device.idText)).toEqual(upTo(device.sent));
  expect(server.violations).toEqual([]);
});

test('HELLO lost on UDP: it is repeated until WELCOME', async () => {
  let lose = 2;
  const server = serve({ intercept: (message) => message.type === 'HELLO' && lose-- > 0 });
  const fleet = start([{ kind: 'udp', host: '127.0.0.1', port: await server.listenUdp() }], { count: 5 });
  await fleet.done();
  expect(lose).toBeLessThan(0);
  expect(seqs(server, fleet.devices[0]!.idText)).toEqual(upTo(5));
  expect(server.violations).toEqual([]);
});

test('a session that the gateway forgot is begun anew on the same UDP socket', async () => {
  const server = serve();
  const fleet = start([{ kind: 'udp', host: '127.0.0.1', port: await server.listenUdp() }]);
  await server.until(() => server.readings.length >= 5);
  server.forgetSessions();
  await server.until(() => server.hellos.length === 2);
  await fleet.finish(5_000);
  const device = fleet.devices[0]!;
  expect(fleet.summary().errors['unknown_session']).toBeGreaterThan(0);
  expect(server.hellos[1]?.boot).toBe(device.boot);
  expect(seqs(server, device.idText)).toEqual(upTo(device.sent));
});

test('a command is executed once, however often it comes, and its result and new state arrive', async () => {
  const server = serve();
  let executed = 0;
  const fleet = start([{ kind: 'tcp', host: '127.0.0.1', port: await server.listenTcp() }], {
    models: [model('actuator')],
    ratePerS: 0.001,
    onCommand: () => {
      executed += 1;
    },
  });
  const device = fleet.devices[0]!;
  await server.until(() => server.schemaOf(device.idText) !== undefined);
  const value = { channel: 2, type: 'u8', quality: 'good', value: 77 } as const;
  for (let i = 0; i < 5; i++) server.command(device.idText, 9, value);
  await server.until(() => server.results.length === 1 && server.readings.length === 1);
  // Its RESULT is known to have arrived: a repetition gets another one, and nothing is executed.
  server.command(device.idText, 9, value);
  await server.until(() => server.results.length >= 2);
  expect(executed).toBe(1);
  expect(server.results.map(({ id, status }) => [id, status])).toEqual(server.results.map(() => [9, 'done']));
  expect(server.readings.at(-1)?.samples[0]?.values[1]?.value).toBe(77);
  server.command(device.idText, 10, { ...value, value: 200 });
  server.command(device.idText, 11, { ...value, channel: 5 });
  await server.until(() => server.results.length >= 4);
  expect(server.results.slice(-2).map(({ status }) => status)).toEqual(['bad_value', 'unknown_channel']);
  await fleet.finish(5_000);
  expect(fleet.summary().commands).toBe(3);
  expect(server.violations).toEqual([]);
});

test('a sensor refuses commands', async () => {
  const server = serve();
  const fleet = start([{ kind: 'udp', host: '127.0.0.1', port: await server.listenUdp() }]);
  const { idText } = fleet.devices[0]!;
  await server.until(() => server.readings.length >= 1);
  server.command(idText, 1, { channel: 1, type: 'i16', quality: 'good', value: 0 });
  await server.until(() => server.results.length === 1);
  expect(server.results[0]?.status).toBe('refused');
});

test('a full buffer: a GAP accounts for every reading that was dropped', async () => {
  let deaf = false;
  const server = serve({ intercept: (message) => deaf && message.type !== 'HELLO' });
  const fleet = start([{ kind: 'tcp', host: '127.0.0.1', port: await server.listenTcp() }], {
    bufferFrames: 10,
    ratePerS: 500,
  });
  const device = fleet.devices[0]!;
  await server.until(() => server.readings.length >= 5);
  deaf = true;
  await eventually(() => device.dropped >= 50);
  deaf = false;
  await server.until(() => server.lost >= 50);
  await fleet.finish(10_000);
  expect(server.readings.length + server.lost).toBe(device.sent);
  expect(device.acknowledged).toBe(server.readings.length);
  expect(device.dropped).toBe(server.lost);
  expect(server.violations).toEqual([]);
});

test('PING keeps an idle session alive, and PONG answers the gateway', async () => {
  let pings = 0;
  let pongs = 0;
  const server = serve({
    keepaliveS: 1,
    intercept: ({ type }) => {
      if (type === 'PING') pings += 1;
      if (type === 'PONG') pongs += 1;
      return false;
    },
  });
  const fleet = start([{ kind: 'udp', host: '127.0.0.1', port: await server.listenUdp() }], { ratePerS: 0.0001 });
  const { idText } = fleet.devices[0]!;
  await server.until(() => server.hasSession(idText));
  server.send(idText, { type: 'PING', token: 5 });
  await server.until(() => pings >= 4);
  expect(pongs).toBe(1);
  expect(server.hellos.length).toBe(1);
  expect(server.silences).toBe(0);
  expect(server.violations).toEqual([]);
});

test('a gateway that falls silent is found out by PINGs, and greeted again', async () => {
  let deaf = false;
  const server = serve({ keepaliveS: 1, intercept: ({ type }) => deaf && type !== 'HELLO' });
  const fleet = start([{ kind: 'tcp', host: '127.0.0.1', port: await server.listenTcp() }], {
    count: undefined,
    ratePerS: 0.0001,
  });
  await server.until(() => server.schemaOf(fleet.devices[0]!.idText) !== undefined);
  deaf = true;
  await server.until(() => server.hellos.length === 2);
  expect(fleet.devices[0]!.reconnects).toBe(1);
});

test('a device with a clock stamps its samples with the time it was told, the others with their uptime', async () => {
  const server = serve();
  const fleet = start([{ kind: 'tcp', host: '127.0.0.1', port: await server.listenTcp() }], {
    models: [model('power-meter'), model('thermometer')],
    devices: 2,
    count: 5,
    ratePerS: 20,
  });
  await fleet.done();
  const [meter, thermometer] = fleet.devices;
  const last = (id: string) => server.readings.findLast(({ device }) => device === id)?.samples[0];
  expect(last(meter!.idText)?.timeKind).toBe('unix');
  expect(Math.abs(last(meter!.idText)!.time - Date.now())).toBeLessThan(30_000);
  expect(last(thermometer!.idText)?.timeKind).toBe('uptime');
});

test('a sleepy node declares itself once and then reports without a session', async () => {
  const server = serve();
  const fleet = start([{ kind: 'udp', host: '127.0.0.1', port: await server.listenUdp() }], {
    models: [model('soil-moisture')],
  });
  const device = fleet.devices[0]!;
  await server.until(() => server.readings.length >= 10);
  expect(server.byes).toEqual(['sleeping']);
  expect(server.readings.every(({ report, boot }) => report && boot === device.boot)).toBe(true);
  server.forgetSchemas();
  await server.until(() => server.byes.length === 2);
  await fleet.finish(10_000);
  expect(server.schemaOf(device.idText)).toEqual(model('soil-moisture').schema);
  expect(seqs(server, device.idText)).toEqual(upTo(device.sent));
  expect(device.acknowledged).toBe(device.sent);
  expect(server.violations).toEqual([]);
});

test('equal seeds: equal ids and equal values on every link', async () => {
  const runs = [];
  for (let run = 0; run < 2; run++) {
    const server = serve();
    const links: Link[] = [
      { kind: 'tcp', host: '127.0.0.1', port: await server.listenTcp() },
      { kind: 'udp', host: '127.0.0.1', port: await server.listenUdp() },
    ];
    const fleet = new Fleet({ links, devices: 6, ratePerS: 100, seed: 99, count: 8, timing: QUICK });
    fleet.start();
    await fleet.done();
    runs.push(
      fleet.devices.map(({ idText }) => ({
        idText,
        values: server.readings.filter(({ device }) => device === idText).map(({ samples }) => samples[0]?.values),
      })),
    );
  }
  expect(runs[0]).toEqual(runs[1]);
  expect(new Set(runs[0]!.map(({ idText }) => idText)).size).toBe(6);
});

test('a serial line takes one device, the other links share the rest', () => {
  const serial: Link = { kind: 'serial', path: '/dev/null', baud: 9600 };
  const tcp: Link = { kind: 'tcp', host: '127.0.0.1', port: 1 };
  const fleet = new Fleet({ links: [serial, tcp], devices: 4, ratePerS: 1, seed: 1 });
  expect(fleet.devices.map(({ kind }) => kind)).toEqual(['serial', 'tcp', 'tcp', 'tcp']);
  expect(() => new Fleet({ links: [serial], devices: 2, ratePerS: 1, seed: 1 })).toThrow(RangeError);
});

/** A pseudo-terminal whose other end is a TCP connection to the server. */
async function ptyTo(server: LinkServer) {
  const path = join(temporaryFolder(), 'tty');
  const port = await server.listenTcp();
  const socat = spawn(findProgram('socat')!, [`PTY,link=${path},raw,echo=0`, `TCP:127.0.0.1:${port}`]);
  cleanups.push(() => socat.kill('SIGKILL'));
  await eventually(() => existsSync(path));
  return { path, socat };
}

describe.skipIf(lacks('socat'))('over a serial line', () => {
  test('every reading arrives once, in order, and is acknowledged', async () => {
    const server = serve();
    const { path } = await ptyTo(server);
    const fleet = start([{ kind: 'serial', path, baud: 115_200 }], { count: 30 });
    await fleet.done();
    expect(seqs(server, fleet.devices[0]!.idText)).toEqual(upTo(30));
    expect(fleet.summary().byTransport.serial).toMatchObject({ sent: 30, acknowledged: 30 });
    await server.until(() => server.byes.length === 1);
    expect(server.violations).toEqual([]);
  });

  test('an unplugged line is noticed at once, not spun on', async () => {
    const server = serve();
    const { path, socat } = await ptyTo(server);
    const line = new SerialLine(path, 9600);
    const closed = new Promise<Error | undefined>((resolve) => {
      line.open({
        onOpen: () => socat.kill('SIGKILL'),
        onBytes: () => undefined,
        onDrain: () => undefined,
        onLoss: () => undefined,
        onClosed: resolve,
      });
    });
    expect(await closed).toBeInstanceOf(Error);
    expect(line.ready).toBe(false);
  });

  test('a port that is not there is one orderly end', async () => {
    const line = new SerialLine(join(temporaryFolder(), 'missing'), 9600);
    const cause = await new Promise<Error | undefined>((resolve) => {
      line.open({ onOpen: ignore, onBytes: ignore, onDrain: ignore, onLoss: ignore, onClosed: resolve });
    });
    expect(cause).toBeInstanceOf(Error);
  });
});

test.each(['tcp', 'udp'] as const)('%s to a name that nobody knows: counted, told and tried again', async (kind) => {
  const fleet = start([{ kind, host: 'nosuchhost.invalid', port: 2883 }]);
  await eventually(() => ['ENOTFOUND', 'EAI_AGAIN'].some((code) => (fleet.troubles.get(code) ?? 0) >= 2));
  expect(['ENOTFOUND', 'EAI_AGAIN']).toContain(fleet.lastTrouble);
  expect(fleet.devices[0]!.reconnects).toBeGreaterThanOrEqual(2);
});

test('datagrams to a port where nobody listens: the refusals are counted', async () => {
  const server = serve();
  const port = await server.listenUdp();
  await server.close();
  const fleet = start([{ kind: 'udp', host: '127.0.0.1', port }]);
  await eventually(() => (fleet.troubles.get('ECONNREFUSED') ?? 0) >= 2);
});

test('a serial device that is not there is told by its errno', async () => {
  const fleet = start([{ kind: 'serial', path: '/dev/no-such-device', baud: 9600 }]);
  await eventually(() => fleet.troubles.has('ENOENT'));
});
