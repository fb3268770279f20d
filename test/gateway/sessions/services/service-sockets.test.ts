/** The services over real sockets and the real loop, with clients of Node; those of Python are in test/system. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo, NetConnectOpts, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { ServiceName } from '../../../../gateway/sessions/services/service-names.ts';
import { TcpClientSource } from '../../../../gateway/sources/tcp-client.ts';
import { TcpServerSource } from '../../../../gateway/sources/tcp-server.ts';
import { UdpSource } from '../../../../gateway/sources/udp.ts';
import { UnixSource } from '../../../../gateway/sources/unix.ts';
import { hostService } from '../../../helpers/service-host.ts';
import type { ServiceHost } from '../../../helpers/service-host.ts';

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function hostTcp(name: ServiceName): Promise<{ host: ServiceHost<TcpServerSource>; port: number }> {
  const host = await hostService(name, (context) => new TcpServerSource({ host: '127.0.0.1', port: 0 }, context));
  cleanups.push(() => host.stop());
  return { host, port: host.source.address?.port ?? 0 };
}

async function dial(options: NetConnectOpts): Promise<Socket> {
  const socket = connect({ allowHalfOpen: true, ...options });
  cleanups.push(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  return socket;
}

async function readToEnd(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of socket) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 1) bytes[at] = (at * 7 + (at >> 8)) % 256;
  return bytes;
}

describe('TCP', () => {
  test('a peer that sends megabytes before it reads one is slowed down, and still gets everything after its FIN', async () => {
    const { host, port } = await hostTcp('echo');
    const socket = await dial({ host: '127.0.0.1', port });
    const bytes = pattern(20_000_000);
    // Nothing reads on this side yet, so the whole way fills up, and the session has to stop reading.
    socket.pause();
    socket.end(bytes);
    await new Promise<void>((resolve) => {
      const look = (last: number): void => {
        const now = host.sessions[0]?.bytesIn ?? 0;
        if (now > 0 && now === last) resolve();
        else setTimeout(look, 100, now);
      };
      look(-1);
    });
    expect(host.sessions[0]?.bytesIn).toBeLessThan(bytes.length);
    const back = await readToEnd(socket);
    expect(back.equals(bytes)).toBe(true);
    await host.untilEnded(1);
    expect(host.ended).toEqual([undefined]);
    expect([host.sessions[0]?.bytesIn, host.sessions[0]?.bytesOut]).toEqual([bytes.length, bytes.length]);
  });

  test('the greeting survives a peer that talks before it listens', async () => {
    const { port } = await hostTcp('greet');
    const socket = await dial({ host: '127.0.0.1', port });
    socket.pause();
    const { address, port: ownPort } = socket.address() as AddressInfo;
    // More than is read before the line is said: closing on top of it would answer with RST.
    socket.end(Buffer.alloc(300_000, 'x'));
    const line = await readToEnd(socket);
    expect(line.toString()).toBe(`Hello from bytes2mqtt. You are ${address}:${ownPort}.\r\n`);
  });

  test('a peer that dies abruptly ends only its own session', async () => {
    const { host, port } = await hostTcp('upper');
    const [victim, other] = [await dial({ host: '127.0.0.1', port }), await dial({ host: '127.0.0.1', port })];
    victim.write('still alive\n');
    expect(String((await once(victim, 'data'))[0])).toBe('STILL ALIVE\n');
    victim.resetAndDestroy();
    await host.untilEnded(1);
    expect(host.ended.map((error) => error?.code)).toEqual(['PEER_RESET']);
    other.end('and I\n');
    expect((await readToEnd(other)).toString()).toBe('AND I\n');
  });

  test('discard takes everything and closes after FIN', async () => {
    const { host, port } = await hostTcp('discard');
    const socket = await dial({ host: '127.0.0.1', port });
    socket.end(pattern(3_000_000));
    expect(await readToEnd(socket)).toHaveLength(0);
    await host.untilEnded(1);
    expect([host.sessions[0]?.bytesIn, host.sessions[0]?.bytesOut]).toEqual([3_000_000, 0]);
  });

  test('time says four bytes and closes', async () => {
    const { port } = await hostTcp('time');
    const bytes = await readToEnd(await dial({ host: '127.0.0.1', port }));
    expect(bytes).toHaveLength(4);
    const unixSeconds = bytes.readUInt32BE() - 2_208_988_800;
    expect(Math.abs(((unixSeconds - Date.now() / 1000) % 2 ** 32) | 0)).toBeLessThan(60);
  });

  test('fetch sees HTTP', async () => {
    const { port } = await hostTcp('upper');
    const response = await fetch(`http://127.0.0.1:${port}/path`, { headers: { 'x-mine': 'tea' } });
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    const body = await response.text();
    expect(body).toMatch(/^GET \/PATH HTTP\/1\.1\r\n/);
    expect(body).toContain('X-MINE: TEA\r\n');
  });
});

test('a Unix-domain socket has the same services', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'services-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'echo.sock');
  const host = await hostService('echo', (context) => new UnixSource({ path }, context));
  cleanups.push(() => host.stop());
  const socket = await dial({ path });
  socket.end(pattern(1_000_000));
  expect((await readToEnd(socket)).equals(pattern(1_000_000))).toBe(true);
});

test('an outgoing connection has them too', async () => {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const connected = once(server, 'connection') as Promise<[Socket]>;
  const host = await hostService('upper', (context) => new TcpClientSource({ host: '127.0.0.1', port }, context));
  cleanups.push(() => host.stop());
  const [socket] = await connected;
  socket.end('from the server\n');
  expect((await readToEnd(socket)).toString()).toBe('FROM THE SERVER\n');
  await host.untilEnded(1);
  expect(host.ended).toEqual([undefined]);
});

test('UDP answers each datagram with one, many peers at once', async () => {
  const host = await hostService('echo', (context) => new UdpSource({ host: '127.0.0.1', port: 0 }, context));
  cleanups.push(() => host.stop());
  const { port = 0 } = host.source.address ?? {};
  await Promise.all(
    Array.from({ length: 8 }, async (_, peer) => {
      const socket = createSocket('udp4');
      cleanups.push(() => {
        socket.close();
      });
      for (const size of [0, 1, 1_200, 20_000]) {
        const question = Buffer.alloc(size, peer);
        socket.send(question, port, '127.0.0.1');
        const [answer] = (await once(socket, 'message')) as [Buffer];
        expect(answer.equals(question)).toBe(true);
      }
    }),
  );
  expect(host.sessions[0]).toMatchObject({ datagramsIn: 32, datagramsOut: 32, bytesIn: 169_608, bytesOut: 169_608 });
});
