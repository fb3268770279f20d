/** The bring-up services as a newcomer meets them: socket programs in Python, and a browser. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { SERVICES, type ServiceName } from '../../gateway/sessions/services/service-names.ts';
import { GatewayProgram } from '../helpers/gateway-program.ts';
import { findProgram, lacks } from '../helpers/programs.ts';
import { runPython, startPython, startPythonOnTerminal } from './python/run-python.ts';

const HOST = '127.0.0.1';
const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  // All of them, also when one fails: a Python server that is left behind would serve for ever.
  const results = await Promise.allSettled(cleanups.splice(0).map(async (cleanup) => await cleanup()));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
});

/** One gateway with every service on TCP and on UDP, for all tests that come to it. */
let gateway: GatewayProgram;

beforeAll(() => {
  gateway = new GatewayProgram(
    SERVICES.flatMap((service) => [
      { name: `${service}_tcp`, tcp: `${HOST}:0`, service },
      { name: `${service}_udp`, udp: `${HOST}:0`, service },
    ]),
  );
});

afterAll(async () => {
  expect(await gateway.stop()).toBe(0);
});

async function tcpPort(name: ServiceName): Promise<number> {
  return await gateway.port(`${name}_tcp`);
}

async function udpPort(name: ServiceName): Promise<number> {
  return await gateway.port(`${name}_udp`);
}

/** Another one, until the end of the test, that goes to its peer by itself. */
function startGateway(source: Readonly<Record<string, unknown>>): GatewayProgram {
  const program = new GatewayProgram([source]);
  cleanups.push(async () => {
    expect(await program.stop()).toBe(0);
  });
  return program;
}

/** What a headless browser has made of the answer. */
async function browse(port: number): Promise<string> {
  const profile = mkdtempSync(join(tmpdir(), 'chromium-'));
  cleanups.push(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }));
  const browser = spawn(
    findProgram('chromium') ?? 'chromium',
    [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--user-data-dir=${profile}`,
      '--dump-dom',
      `http://${HOST}:${port}/hello`,
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const exited = once(browser, 'close');
  const page = await text(browser.stdout);
  await exited;
  return page;
}

describe.skipIf(lacks('python3'))('Python', () => {
  test('sends one line and reads the echo in pieces of 19 bytes', async () => {
    const line = 'The quick brown fox jumps over the lazy dog, 25 °C.';
    const lines = await runPython('echo_in_pieces.py', HOST, await tcpPort('echo'), line);
    expect(lines.at(-1)).toBe('same');
    const sizes = lines.slice(0, -1).map((piece) => Number.parseInt(piece, 10));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(19);
    expect(sizes.length).toBeGreaterThanOrEqual(3);
  });

  test('types lines at a terminal and gets them in upper case', async () => {
    const client = startPythonOnTerminal('upper_interactive.py', HOST, await tcpPort('upper'));
    cleanups.push(() => client.stop());
    await client.waitFor(/ready/);
    client.process.stdin.write('hello\n');
    await client.waitFor(/server: HELLO\r?\n/);
    client.process.stdin.write('get upper, 5 grüße\n');
    await client.waitFor(/server: GET UPPER, 5 GRüßE\r?\n/);
    // What Ctrl-D sends.
    client.process.stdin.write('\u0004');
    await client.waitFor(/bye/);
  });

  test('connects, is greeted by its own address, and sees the close', async () => {
    const lines = await runPython('greeted.py', HOST, await tcpPort('greet'));
    const me = lines[0]?.replace('I am ', '');
    expect(lines.slice(1)).toEqual([`Hello from bytes2mqtt. You are ${me}.`, 'closed']);
  });

  test('sends megabytes, half-closes, and still gets all of them back', async () => {
    const lines = await runPython('half_close.py', HOST, await tcpPort('echo'), 5_000_000);
    expect(lines).toEqual(['sent 5000000, received 5000000, same']);
  });

  test('reads the time over TCP and UDP', async () => {
    expect(await runPython('time_tcp.py', HOST, await tcpPort('time'))).toEqual(['right']);
    const port = await udpPort('time');
    expect(await runPython('time_udp.py', HOST, port)).toEqual(['right', `from port ${port}`]);
  });

  test('gets datagrams of all sizes back', async () => {
    const lines = await runPython('echo_udp.py', HOST, await udpPort('echo'));
    expect(lines).toEqual([0, 1, 19, 512, 1_200, 8_192].map((size) => `${size}: same`));
  });

  test('talks from 50 sockets under one select while one of them dies abruptly', async () => {
    const lines = await runPython('many_clients.py', HOST, await tcpPort('echo'), 50);
    expect(lines).toEqual(['49 finished, 1 died']);
  });

  test('talks over a serial line', async () => {
    const far = startPython('serial_upper.py');
    cleanups.push(() => far.stop());
    const path = (await far.waitFor(/line (\S+)/))[1] ?? '';
    const program = startGateway({ name: 'line', serial: path, service: 'upper' });
    await program.line((line) => line['source'] === 'line' && line['where'] === path);
    far.process.stdin.end('\n');
    await far.waitFor(/TEMPERATURE 21\.5 DEGREES\n/);
  });

  test('is the server, and the gateway connects, greets, reads the echo and closes cleanly', async () => {
    const server = startPython('echo_server.py');
    cleanups.push(() => server.stop());
    const port = Number((await server.waitFor(/port (\d+)/))[1]);
    startGateway({ name: 'out', connect: `${HOST}:${port}`, service: 'greet' });
    await server.waitFor(/closed/);
    expect(server.output.split('\n').slice(1, 4)).toEqual([
      'accepted',
      `received b'Hello from bytes2mqtt. You are ${HOST}:${port}.\\r\\n'`,
      'closed',
    ]);
  });
});

describe.skipIf(lacks('chromium'))('a browser', () => {
  test('sees its own request from echo, as text', async () => {
    const page = await browse(await tcpPort('echo'));
    expect(page).toContain('<pre');
    expect(page).toMatch(/GET \/hello HTTP\/1\.1\r?\nHost: 127\.0\.0\.1:\d+/);
  });

  test('sees the line from greet', async () => {
    expect(await browse(await tcpPort('greet'))).toMatch(/Hello from bytes2mqtt\. You are 127\.0\.0\.1:\d+\./);
  });
});
