import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { select } from '../../../gateway/select.ts';
import { type TcpClientOptions, TcpClientSource } from '../../../gateway/sources/tcp-client.ts';
import { acceptStream, fakeContext, readBytes, untilState } from './context.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function serve(port = 0): Promise<{ server: Server; port: number; next: () => Promise<Socket> }> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  return {
    server,
    port: (server.address() as { port: number }).port,
    async next() {
      const [socket] = (await once(server, 'connection')) as [Socket];
      socket.on('error', () => {});
      cleanups.push(() => socket.destroy());
      return socket;
    },
  };
}

function client(port: number, options: Partial<TcpClientOptions> = {}, context = fakeContext()): TcpClientSource {
  const source = new TcpClientSource({ host: '127.0.0.1', port, ...options }, context);
  cleanups.push(async () => {
    await source.close();
    source.accept()?.close();
  });
  return source;
}

test('connects, and again with a new channel when the peer has closed', async () => {
  const { port, next } = await serve();
  const context = fakeContext();
  const source = client(port, {}, context);
  const first = next();
  await source.open();
  expect(source.state).toBe('open');
  const channel = await acceptStream(source);
  expect(channel.peer).toBe(`127.0.0.1:${port}`);
  // The source says the address already.
  expect(channel.id).toBe(source.id);
  const peer = await first;
  expect(source.address?.port).toBe(peer.remotePort);
  peer.end('hello');
  expect((await readBytes(channel, 100)).toString()).toBe('hello');
  channel.close();
  await untilState(source, ({ state }) => state === 'failed');
  expect(source.error?.code).toBe('CONNECT_FAILED');

  const second = next();
  context.advance(1_000);
  const channel2 = await acceptStream(source);
  expect(channel2).not.toBe(channel);
  expect(source.state).toBe('open');
  (await second).write('again');
  expect((await readBytes(channel2, 5)).toString()).toBe('again');
  channel2.abort();
});

test('waits 1, 2, 4 … 60 s with jitter between tries, and starts anew after a connection that stood', async () => {
  const { server, port } = await serve();
  server.close();
  await once(server, 'close');
  const context = fakeContext();
  const source = client(port, {}, context);
  await source.open();
  expect(source.state).toBe('failed');
  expect(source.error?.code).toBe('CONNECT_FAILED');
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    const wait = context.timers.nextAt! - context.now();
    waits.push(wait);
    context.advance(wait);
    // The try is under way, with its deadline; when it fails, the next wait is queued instead.
    const deadline = context.timers.nextAt;
    while (context.timers.nextAt === deadline) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * 1_000));

  const again = await serve(port);
  const connection = again.next();
  context.advance(60_000);
  const channel = await acceptStream(source);
  const peer = await connection;
  context.advance(10_000);
  peer.resetAndDestroy();
  await select([], [], [channel], undefined);
  await untilState(source, ({ state }) => state === 'failed');
  expect(source.error?.code).toBe('PEER_RESET');
  expect(context.timers.nextAt! - context.now()).toBe(1_000);
});

test('jitter is a quarter either way', async () => {
  const { server, port } = await serve();
  server.close();
  await once(server, 'close');
  for (const [random, wait] of [
    [0, 750],
    [0.999_999, 1_250],
  ] as const) {
    const context = { ...fakeContext(), random: () => random };
    const source = client(port, {}, context);
    await source.open();
    expect(context.timers.nextAt! - context.now()).toBeCloseTo(wait, 0);
  }
});

test('a peer that never answers is given up after the connect timeout', async () => {
  // Connections to a full backlog stay unanswered; 192.0.2.0/24 is nobody's either, but may be refused at once.
  const { server, port } = await serve();
  server.close();
  await once(server, 'close');
  const context = fakeContext();
  const source = client(port, { connectTimeoutMs: 3_000 }, context);
  const opened = source.open();
  // In the same turn, so the refusal of the closed port cannot have arrived.
  context.advance(3_000);
  await opened;
  expect(source.state).toBe('failed');
  expect(source.error?.code).toBe('CONNECT_FAILED');
  expect(source.error?.message).toContain('no answer in time');
});

test('a connection that dies before it is accepted is not given out', async () => {
  const { port, next } = await serve();
  const source = client(port);
  const connection = next();
  await source.open();
  (await connection).resetAndDestroy();
  await untilState(source, ({ state }) => state === 'failed');
  expect(source.accept()).toBeUndefined();
  expect(source.ready).toBe(0);
});

test('close while connecting, and while waiting', async () => {
  const { port, next } = await serve();
  const connecting = client(port);
  const opened = connecting.open();
  await connecting.close();
  await opened;
  expect(connecting.state).toBe('closed');

  const context = fakeContext();
  const waiting = client(port, {}, context);
  const connection = next();
  await waiting.open();
  const channel = await acceptStream(waiting);
  await waiting.close();
  expect(context.timers.size).toBe(0);
  // The channel belongs to its session.
  const peer = await connection;
  peer.write('x');
  expect((await readBytes(channel, 1)).toString()).toBe('x');
  channel.abort();
  await new Promise((resolve) => peer.once('close', resolve));
  expect(waiting.state).toBe('closed');
});
