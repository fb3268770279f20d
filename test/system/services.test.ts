/** The bring-up services as a newcomer meets them: socket programs in Python, and a browser. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import type { ServiceName } from '../../gateway/sessions/services/services.ts';
import { SerialSource } from '../../gateway/sources/serial.ts';
import { TcpClientSource } from '../../gateway/sources/tcp-client.ts';
import { TcpServerSource } from '../../gateway/sources/tcp-server.ts';
import { UdpSource } from '../../gateway/sources/udp.ts';
import { findProgram, lacks } from '../helpers/programs.ts';
import { hostService } from '../helpers/service-host.ts';
import { runPython, startPython, startPythonOnTerminal } from './python/run-python.ts';

const HOST = '127.0.0.1';
const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** The port of a service that runs until the end of the test. */
async function serveTcp(name: ServiceName): Promise<number> {
  const host = await hostService(name, (context) => new TcpServerSource({ host: HOST, port: 0 }, context));
  cleanups.push(() => host.stop());
  return host.source.address?.port ?? 0;
}

async function serveUdp(name: ServiceName): Promise<number> {
  const host = await hostService(name, (context) => new UdpSource({ host: HOST, port: 0 }, context));
  cleanups.push(() => host.stop());
  return host.source.address?.port ?? 0;
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
    const lines = await runPython('echo_in_pieces.py', HOST, await serveTcp('echo'), line);
    expect(lines.at(-1)).toBe('same');
    const sizes = lines.slice(0, -1).map((piece) => Number.parseInt(piece, 10));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(19);
    expect(sizes.length).toBeGreaterThanOrEqual(3);
  });

  test('types lines at a terminal and gets them in upper case', async () => {
    const client = startPythonOnTerminal('upper_interactive.py', HOST, await serveTcp('upper'));
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
    const lines = await runPython('greeted.py', HOST, await serveTcp('greet'));
    const me = lines[0]?.replace('I am ', '');
    expect(lines.slice(1)).toEqual([`Hello from bytes2mqtt. You are ${me}.`, 'closed']);
  });

  test('sends megabytes, half-closes, and still gets all of them back', async () => {
    const lines = await runPython('half_close.py', HOST, await serveTcp('echo'), 5_000_000);
    expect(lines).toEqual(['sent 5000000, received 5000000, same']);
  });

  test('reads the time over TCP and UDP', async () => {
    expect(await runPython('time_tcp.py', HOST, await serveTcp('time'))).toEqual(['right']);
    const port = await serveUdp('time');
    expect(await runPython('time_udp.py', HOST, port)).toEqual(['right', `from port ${port}`]);
  });

  test('gets datagrams of all sizes back', async () => {
    const lines = await runPython('echo_udp.py', HOST, await serveUdp('echo'));
    expect(lines).toEqual([0, 1, 19, 512, 1_200, 8_192].map((size) => `${size}: same`));
  });

  test('talks from 50 sockets under one select while one of them dies abruptly', async () => {
    const lines = await runPython('many_clients.py', HOST, await serveTcp('echo'), 50);
    expect(lines).toEqual(['49 finished, 1 died']);
  });

  test('talks over a serial line', async () => {
    const far = startPython('serial_upper.py');
    cleanups.push(() => far.stop());
    const path = (await far.waitFor(/line (\S+)/))[1] ?? '';
    const host = await hostService('upper', (context) => new SerialSource({ path, baud: 115_200 }, context));
    cleanups.push(() => host.stop());
    far.process.stdin.end('\n');
    await far.waitFor(/TEMPERATURE 21\.5 DEGREES\n/);
  });

  test('is the server, and the gateway connects, greets, reads the echo and closes cleanly', async () => {
    const server = startPython('echo_server.py');
    cleanups.push(() => server.stop());
    const port = Number((await server.waitFor(/port (\d+)/))[1]);
    const host = await hostService('greet', (context) => new TcpClientSource({ host: HOST, port }, context));
    cleanups.push(() => host.stop());
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
    const page = await browse(await serveTcp('echo'));
    expect(page).toContain('<pre');
    expect(page).toMatch(/GET \/hello HTTP\/1\.1\r?\nHost: 127\.0\.0\.1:\d+/);
  });

  test('sees the line from greet', async () => {
    expect(await browse(await serveTcp('greet'))).toMatch(/Hello from bytes2mqtt\. You are 127\.0\.0\.1:\d+\./);
  });
});
