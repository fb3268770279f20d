import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import type { Summary } from '../../device-sim/report.ts';
import { LinkServer, type LinkServerOptions } from '../helpers/link-server.ts';

/** The built program; `npm test` builds it first. */
const PROGRAM = join(import.meta.dirname, '../../dist/device-sim/main.js');

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function launch(...args: string[]): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [PROGRAM, ...args]);
  cleanups.push(() => child.kill('SIGKILL'));
  return child;
}

async function outcome(child: ChildProcessWithoutNullStreams) {
  const [out, err, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { out, err, status: status as number };
}

async function serve(options: LinkServerOptions = {}) {
  const server = new LinkServer(options);
  cleanups.push(() => server.close());
  const folder = mkdtempSync(join(tmpdir(), 'device-sim-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const tcp = `127.0.0.1:${await server.listenTcp()}`;
  const udp = `127.0.0.1:${await server.listenUdp()}`;
  return { server, tcp, udp, ackLog: join(folder, 'acks') };
}

function lines(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').filter(Boolean);
}

test('run --json ends with one summary that agrees with the gateway and with the ack log', async () => {
  const { server, tcp, udp, ackLog } = await serve();
  const links = ['--tcp', tcp, '--udp', udp];
  const child = launch(
    'run',
    ...links,
    '--devices',
    '10',
    '--rate',
    '20',
    '--count',
    '12',
    '--seed',
    '3',
    '--json',
    '--ack-log',
    ackLog,
  );
  const { out, status } = await outcome(child);
  const summary = JSON.parse(out.trimEnd().split('\n').at(-1)!) as Summary;
  expect(status).toBe(0);
  expect(summary).toMatchObject({
    seed: 3,
    devices: 10,
    byTransport: { tcp: { devices: 5, sent: 60, acknowledged: 60 }, udp: { devices: 5, sent: 60, acknowledged: 60 } },
    commands: 0,
    errors: {},
  });
  const ids = new Set([...summary.deviceIds.tcp!, ...summary.deviceIds.udp!]);
  expect(ids).toEqual(new Set(server.readings.map(({ device }) => device)));
  expect(new Set(lines(ackLog))).toEqual(server.promised);
  expect(lines(ackLog).length).toBe(120);
  expect(server.violations).toEqual([]);
});

test('keys come from a file, from the command line and from the environment', async () => {
  const [first, second, third] = [1, 2, 3].map((n) => Buffer.alloc(32, `key ${n}`));
  const keys = new Map([
    [1n, first!],
    [2n, second!],
    [3n, third!],
  ]);
  const { server, tcp, ackLog } = await serve({ keys });
  const file = join(dirname(ackLog), 'keys');
  writeFileSync(file, `1: ${first!.toString('hex')}\n2: ${second!.toString('base64')}\n`);
  const common = ['run', '--tcp', tcp, '--rate', '100', '--count', '5', '--json'];
  expect((await outcome(launch(...common, '--key-file', file))).status).toBe(0);
  expect((await outcome(launch(...common, '--id', '3', '--key', third!.toString('hex')))).status).toBe(0);
  const env = { ...process.env, DEVICE_SIM_KEY: third!.toString('hex') };
  const last = spawn(process.execPath, [PROGRAM, ...common, '--id', '3'], { env });
  cleanups.push(() => last.kill('SIGKILL'));
  expect((await outcome(last)).status).toBe(0);
  const devices = server.readings.map(({ device }) => Number(`0x${device}`));
  expect([1, 2, 3].map((id) => devices.filter((device) => device === id).length)).toEqual([5, 5, 10]);
  expect(server.refused).toEqual([]);
  expect(server.violations).toEqual([]);
});

test('a key that is none is refused, and not repeated', async () => {
  const almost = `${'0a'.repeat(31)}zz`;
  for (const args of [
    ['--key', almost],
    ['--id', 'xyz'],
    ['--key-file', '/nowhere'],
  ]) {
    const { err, status } = await outcome(launch('run', ...args));
    expect(status).toBe(2);
    expect(err).toContain(args[0]);
    expect(err).not.toContain('0a0a');
  }
});

test('faults from the command line strike, and nothing is lost', async () => {
  const { server, udp } = await serve();
  const child = launch(
    'run',
    '--udp',
    udp,
    '--devices',
    '6',
    '--rate',
    '20',
    '--count',
    '10',
    '--fault',
    'drop=0.1',
    'duplicate=0.2',
    '--json',
  );
  const { out } = await outcome(child);
  const summary = JSON.parse(out) as Summary;
  expect(summary.byTransport.udp).toMatchObject({ sent: 60, acknowledged: 60 });
  expect(summary.faults.drop).toBeGreaterThan(0);
  expect(summary.faults.duplicate).toBeGreaterThan(0);
  expect(server.readings.length).toBe(60);
  expect(server.violations).toEqual([]);
});

test('--for ends a run by time, with a readable summary and the seed', async () => {
  const { server, tcp } = await serve();
  const { out, err, status } = await outcome(launch('run', '--tcp', tcp, '--for', '1', '--devices', '3'));
  expect(status).toBe(0);
  expect(err).toMatch(/seed \d+/);
  expect(out).toMatch(/acknowledged/);
  expect(out).toMatch(/tcp/);
  expect(server.byes.length).toBe(3);
});

test('SIGTERM: it takes no more readings, drains, says BYE and prints the summary', async () => {
  const { server, tcp } = await serve();
  const child = launch('run', '--tcp', tcp, '--devices', '4', '--rate', '50', '--json');
  const ended = outcome(child);
  await server.until(() => server.readings.length >= 20);
  child.kill('SIGTERM');
  const { out, status } = await ended;
  const summary = JSON.parse(out) as Summary;
  expect(status).toBe(0);
  expect(summary.byTransport.tcp?.acknowledged).toBe(summary.byTransport.tcp?.sent);
  expect(server.readings.length).toBe(summary.byTransport.tcp?.sent);
  expect(server.byes).toEqual(['done', 'done', 'done', 'done']);
});

test('killed: the ack log holds nothing that was not promised', async () => {
  const { server, tcp, ackLog } = await serve();
  const child = launch('run', '--tcp', tcp, '--devices', '4', '--rate', '100', '--ack-log', ackLog);
  const ended = outcome(child);
  await server.until(() => server.readings.length >= 200);
  child.kill('SIGKILL');
  await ended;
  const logged = lines(ackLog);
  expect(logged.length).toBeGreaterThan(100);
  for (const line of logged) expect(server.promised.has(line)).toBe(true);
});

test('without a gateway: the drain is bounded, and the exit status says that readings are missing', async () => {
  const { server, tcp } = await serve();
  await server.close();
  const child = launch(
    'run',
    '--tcp',
    tcp,
    '--devices',
    '1',
    '--rate',
    '20',
    '--count',
    '5',
    '--drain',
    '0.5',
    '--for',
    '1',
    '--json',
  );
  const { out, status } = await outcome(child);
  expect(status).toBe(1);
  expect(JSON.parse(out)).toMatchObject({ byTransport: { tcp: { sent: 5, acknowledged: 0 } } });
});

test('while nothing connects, the progress says why', async () => {
  const { server, tcp } = await serve();
  await server.close();
  const child = launch('run', '--tcp', tcp, '--devices', '2', '--drain', '0');
  await new Promise<void>((resolve) => {
    let told = '';
    child.stderr.on('data', (text: Buffer) => {
      told += text.toString();
      if (told.includes('0 of 2 devices connected (ECONNREFUSED)')) resolve();
    });
  });
});

test('a reader that has seen enough ends a run', async () => {
  const { tcp } = await serve();
  const child = launch('run', '--tcp', tcp, '--devices', '1');
  child.stderr.destroy();
  const [status] = (await once(child, 'exit')) as [number];
  expect(status).toBe(0);
});

test.each([
  [['run', '--tcp', 'nowhere:99999'], 'HOST:PORT'],
  [['run', '--fault', 'gremlins=1'], 'half-open'],
  [['run', '--fault', 'drop=2'], '0 to 1'],
  [['run', '--models', 'toaster'], 'thermometer'],
  [['run', '--devices', '0'], 'whole number'],
  [['run', '--rate', 'fast'], 'number above 0'],
  [['run', '--serial', '/dev/null', '--devices', '2'], 'serial line takes one'],
  [['run', '--ack-log', '/nowhere/at/all'], 'ENOENT'],
  [['run', '--profile', 'nothing_like_it', '--listen', '127.0.0.1:0'], 'there is no profile'],
  [['run', '--profile', 'pms5003'], 'need one line'],
  [['run', '--profile', 'pms5003', '--tcp', 'localhost:1', '--serial', '/dev/null'], 'need one line'],
  [['run', '--profile', 'sdm120', '--param', 'address=seven', '--listen', '127.0.0.1:0'], 'address'],
  [['run', '--profile', 'pms5003', '--message', 'nonsense', '--listen', '127.0.0.1:0'], 'has no message'],
  [['run', '--param', 'address=1'], 'belongs to a --profile'],
  [['run', '--listen', '127.0.0.1:0'], '--profile'],
  [['rum'], 'unknown command'],
])('%j is refused with a word on what would be right', async (args, hint) => {
  const { err, out, status } = await outcome(launch(...args));
  expect(status).toBe(2);
  expect(out).toBe('');
  expect(err).toContain(hint);
  expect(err).not.toContain('    at ');
});

test('a device with a profile: every frame is a line of JSON, the summary the last one', async () => {
  const child = launch(
    'run',
    '--profile',
    'pms5003',
    '--listen',
    '127.0.0.1:0',
    '--count',
    '5',
    '--rate',
    '50',
    '--json',
    '--value',
    'pm2_5=12',
  );
  const ended = outcome(child);
  let log = '';
  child.stderr.on('data', (text: Buffer) => {
    log += text.toString();
    const port = /listening on .*:(\d+)/.exec(log)?.[1];
    if (port === undefined) return;
    log = '';
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => undefined).resume();
    cleanups.push(() => socket.destroy());
  });
  const { out, status } = await ended;
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(status).toBe(0);
  expect(lines.length).toBe(6);
  for (const line of lines.slice(0, 5)) {
    expect(line).toMatchObject({ device: 'pms5003', why: 'stream', values: { pm2_5: 12 } });
    expect(line['hex']).toMatch(/^424d/);
  }
  expect(lines[5]).toMatchObject({ devices: [{ profile: 'pms5003', streamed: 5, answered: 0 }] });
});

test('help and models', async () => {
  const help = await outcome(launch('run', '--help'));
  expect(help.out).toContain('Examples:');
  expect(help.status).toBe(0);
  const models = await outcome(launch('models'));
  expect(models.out).toContain('power-meter');
  expect(models.out).toContain('(writable)');
});
