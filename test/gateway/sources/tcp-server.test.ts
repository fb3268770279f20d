import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, test } from 'vitest';
import { select } from '../../../gateway/select.ts';
import { Selector } from '../../../gateway/selector.ts';
import { ERROR, READ, type StreamChannel, WRITE } from '../../../gateway/sources/source.ts';
import { LINGER_MS, OUTPUT_LIMIT } from '../../../gateway/sources/stream-channel.ts';
import { type TcpServerOptions, TcpServerSource } from '../../../gateway/sources/tcp-server.ts';
import { acceptStream, type FakeContext, fakeContext, readBytes, untilState } from './context.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function listen(options: Partial<TcpServerOptions> = {}, context = fakeContext()): Promise<TcpServerSource> {
  const source = new TcpServerSource({ host: '127.0.0.1', port: 0, ...options }, context);
  cleanups.push(() => source.close());
  await source.open();
  return source;
}

function call(source: TcpServerSource, host = '127.0.0.1'): Socket {
  const client = connect({ port: source.address!.port, host, allowHalfOpen: true });
  client.on('error', () => {});
  cleanups.push(() => client.destroy());
  return client;
}

async function pair(source: TcpServerSource): Promise<[Socket, StreamChannel]> {
  const client = call(source);
  const channel = await acceptStream(source);
  cleanups.push(() => channel.abort());
  return [client, channel];
}

async function textUntilEnd(client: Socket): Promise<string> {
  const parts: Buffer[] = [];
  client.on('data', (part: Buffer) => parts.push(part));
  await once(client, 'end');
  return Buffer.concat(parts).toString();
}

describe('bytes', () => {
  test('come and go, are counted, and read takes no more than it was asked for', async () => {
    const source = await listen();
    const [client, channel] = await pair(source);
    client.write('0123456789');
    expect((await readBytes(channel, 4)).toString()).toBe('0123');
    expect(channel.ready & READ).toBe(READ);
    expect((await readBytes(channel, 6)).toString()).toBe('456789');
    expect(channel.read(1)).toBeUndefined();
    expect(channel.ready).toBe(WRITE);
    expect(channel.write(Buffer.from('answer'))).toBe(6);
    expect(String(await once(client, 'data'))).toBe('answer');
    expect([channel.bytesRead, channel.bytesWritten]).toEqual([10, 6]);
    expect(channel.id).toBe(`tcp:127.0.0.1:0/${channel.peer}`);
    expect(channel.peer).toBe(`127.0.0.1:${client.localPort}`);
    expect(() => channel.read(0)).toThrow(RangeError);
  });

  test("the caller's array may change as soon as write has returned", async () => {
    const source = await listen();
    const [client, channel] = await pair(source);
    const bytes = Buffer.alloc(OUTPUT_LIMIT, 'a');
    let sent = 0;
    // So much that the last ones wait in the stream.
    for (let taken = channel.write(bytes); taken > 0; taken = channel.write(bytes)) sent += taken;
    bytes.fill('b');
    channel.endWrite();
    const text = await textUntilEnd(client);
    expect(text.length).toBe(sent);
    expect(text.includes('b')).toBe(false);
  });

  test('a peer that does not read: writes are taken in part, then not at all, until it reads', async () => {
    const source = await listen();
    const [client, channel] = await pair(source);
    client.pause();
    const bytes = Buffer.alloc(OUTPUT_LIMIT - 1_000);
    let sent = 0;
    let last = 0;
    while ((await select([], [channel], [], 50))[1].length > 0) {
      last = channel.write(bytes);
      sent += last;
      expect(channel.room).toBeLessThanOrEqual(OUTPUT_LIMIT);
    }
    expect(last).toBeLessThan(bytes.length);
    expect(channel.room).toBe(0);
    expect(channel.ready & WRITE).toBe(0);
    expect(channel.write(bytes)).toBe(0);
    client.resume();
    await select([], [channel], [], undefined);
    expect(channel.room).toBeGreaterThan(0);
    expect(channel.bytesWritten).toBe(sent);
  });
});

describe('ends', () => {
  test('half-close: after FIN the peer still gets the whole answer', async () => {
    const source = await listen();
    const [client, channel] = await pair(source);
    client.end('question');
    expect((await readBytes(channel, 100)).toString()).toBe('question');
    expect(channel.read(100)).toEqual(new Uint8Array(0));
    const answer = 'answer '.repeat(100_000);
    let rest = Buffer.from(answer);
    const text = textUntilEnd(client);
    while (rest.length > 0) {
      await select([], [channel], [], undefined);
      rest = rest.subarray(channel.write(rest));
    }
    channel.endWrite();
    expect(await text).toBe(answer);
    expect(channel.error).toBeUndefined();
    expect(channel.ready & (WRITE | ERROR)).toBe(0);
  });

  test('FIN alone is readable, at once and for good', async () => {
    const source = await listen();
    const [client, channel] = await pair(source);
    client.end();
    await select([channel], [], [], undefined);
    expect(channel.read(10)?.length).toBe(0);
    expect(channel.read(10)?.length).toBe(0);
  });

  test('we finish first and still hear the peer', async () => {
    const source = await listen();
    const [client, channel] = await pair(source);
    channel.write(Buffer.from('bye'));
    channel.endWrite();
    expect(channel.write(Buffer.from('late'))).toBe(0);
    expect(await textUntilEnd(client)).toBe('bye');
    client.end('heard');
    expect((await readBytes(channel, 100)).toString()).toBe('heard');
  });

  test('a reset is an error; what came before can still be read', async () => {
    const source = await listen();
    const [client, channel] = await pair(source);
    client.write('before');
    await select([channel], [], [], undefined);
    client.resetAndDestroy();
    await select([], [], [channel], undefined);
    expect(channel.error?.code).toBe('PEER_RESET');
    expect(channel.error?.where).toBe(channel.id);
    expect(channel.ready).toBe(READ | ERROR);
    expect(Buffer.from(channel.read(100)!).toString()).toBe('before');
    expect(channel.read(100)).toBeUndefined();
    expect(channel.write(Buffer.from('x'))).toBe(0);
    expect(channel.ready).toBe(ERROR);
  });

  test('close sends what was written, though the peer has sent what nobody reads', async () => {
    const source = await listen();
    const [client, channel] = await pair(source);
    client.write(Buffer.alloc(10_000));
    await select([channel], [], [], undefined);
    const farewell = Buffer.alloc(OUTPUT_LIMIT, 'x');
    expect(channel.write(farewell)).toBe(OUTPUT_LIMIT);
    channel.close();
    channel.close();
    expect(channel.ready).toBe(0);
    expect(channel.read(1)).toBeUndefined();
    client.write(Buffer.alloc(10_000));
    expect((await textUntilEnd(client)).length).toBe(OUTPUT_LIMIT);
    client.end();
    await once(client, 'close');
    expect(client.errored).toBeNull();
  });

  test('close: a peer that neither reads nor finishes is cut when the time is over', async () => {
    const context = fakeContext();
    const source = await listen({}, context);
    const [client, channel] = await pair(source);
    client.pause();
    const chunk = Buffer.alloc(OUTPUT_LIMIT);
    while ((await select([], [channel], [], 50))[1].length > 0) channel.write(chunk);
    channel.close();
    expect(context.timers.size).toBe(1);
    const closed = new Promise((resolve) => client.once('close', resolve));
    context.advance(LINGER_MS);
    // Node takes a reset that follows data for an end; writing into it shows what it is.
    client.on('end', () => client.write('x'));
    client.resume();
    await closed;
    expect(context.timers.size).toBe(0);
  });

  test('close: a peer that goes on sending is cut, without waiting for the time to be over', async () => {
    const context = fakeContext();
    const source = await listen({}, context);
    const [client, channel] = await pair(source);
    const failed = once(client, 'error');
    channel.close();
    const send = (): void => {
      while (client.writable && client.write(Buffer.alloc(65_536)));
    };
    client.on('drain', send);
    send();
    expect((await failed)[0]).toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) });
    expect(context.timers.size).toBe(0);
  });

  test('abort resets the connection', async () => {
    const source = await listen();
    const [client, channel] = await pair(source);
    const failed = once(client, 'error');
    channel.abort();
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
    channel.abort();
    channel.close();
    expect(channel.ready).toBe(0);
  });
});

describe('backpressure', () => {
  test('without READ interest nothing is read, and TCP holds the sender', async () => {
    const source = await listen();
    const [client, channel] = await pair(source);
    const selector = new Selector<undefined>();
    const key = selector.register(channel, READ, undefined);
    selector.modify(key, 0);
    const chunk = Buffer.alloc(256 * 1024);
    let sent = 0;
    // Ends when the sender has waited for room for a while: the kernel's buffers are bounded, so it must come to that.
    for (;;) {
      sent += chunk.length;
      expect(sent).toBeLessThan(200 * 1024 * 1024);
      if (client.write(chunk)) continue;
      const drained = once(client, 'drain').then(() => true);
      const waited = selector.select(300).then(() => false);
      if (!(await Promise.race([drained, waited]))) break;
      selector.wakeup();
      await waited;
    }
    expect(channel.bytesRead).toBe(0);
    // It goes on where it stopped, with nothing lost.
    client.end();
    selector.modify(key, READ);
    let received = 0;
    for (;;) {
      await selector.select(undefined);
      const bytes = channel.read(1 << 20);
      if (bytes?.length === 0) break;
      received += bytes?.length ?? 0;
    }
    expect(received).toBe(sent);
    selector.unregister(key);
  });

  test('one that floods and many that are slow get their turns alike', async () => {
    const source = await listen();
    const [flooder, flooded] = await pair(source);
    const slow: [Socket, StreamChannel][] = [];
    for (let i = 0; i < 20; i++) slow.push(await pair(source));
    const selector = new Selector<StreamChannel>();
    for (const channel of [flooded, ...slow.map(([, channel]) => channel)]) selector.register(channel, READ, channel);

    const chunk = Buffer.alloc(64 * 1024);
    const flood = () => {
      while (!flooder.destroyed && flooder.write(chunk));
    };
    flooder.on('drain', flood);
    flood();
    // Each slow one says the next byte when the last was heard, so all depends on how soon it is served.
    for (const [client] of slow) client.write('.');
    const heard = new Map<StreamChannel, number>();
    let turns = 0;
    let floodedTurns = 0;
    while ([...heard.values()].filter((count) => count >= 20).length < slow.length) {
      turns++;
      const served = new Set<StreamChannel>();
      for (const key of await selector.select(undefined)) {
        const channel = key.attachment;
        expect(served.has(channel)).toBe(false);
        served.add(channel);
        const bytes = channel.read(4_096)!;
        if (channel === flooded) {
          floodedTurns++;
        } else {
          heard.set(channel, (heard.get(channel) ?? 0) + bytes.length);
          channel.write(bytes);
        }
      }
      for (const [client] of slow) {
        if (client.read() !== null) client.write('.');
      }
    }
    // The flood was served nearly always, once a turn, and nobody starved.
    expect(floodedTurns).toBeGreaterThan(turns / 4);
    expect(floodedTurns).toBeLessThanOrEqual(turns);
  });
});

describe('listening', () => {
  test('opens, tells its address, closes, and frees the port; accepted channels stay', async () => {
    const source = await listen();
    const { port } = source.address!;
    const [client, channel] = await pair(source);
    expect(source.state).toBe('open');
    await expect(source.open()).rejects.toThrow(TypeError);
    await source.close();
    await source.close();
    expect([source.state, source.address]).toEqual(['closed', undefined]);
    client.write('still here');
    expect((await readBytes(channel, 10)).toString()).toBe('still here');
    const again = await listen({ port });
    expect(again.state).toBe('open');
    await again.close();
    await again.open();
    expect(again.state).toBe('open');
  });

  test('a taken port fails with the reason, and is tried again by itself', async () => {
    const blocker: Server = createServer();
    blocker.listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as { port: number };
    const context = fakeContext();
    const source = await listen({ port }, context);
    expect(source.state).toBe('failed');
    expect(source.error?.code).toBe('ADDRESS_IN_USE');
    expect(source.error?.where).toBe(`tcp:127.0.0.1:${port}`);
    expect(source.ready).toBe(0);
    let changes = 0;
    source.onState = () => changes++;
    // Still taken: the same failure is no news.
    const size = context.timers.size;
    context.advance(10_000);
    await untilQueued(context, size);
    expect(changes).toBe(0);
    blocker.close();
    await once(blocker, 'close');
    context.advance(10_000);
    await untilState(source, ({ state }) => state === 'open');
    expect(source.error).toBeUndefined();
  });

  test('what cannot be listened on', async () => {
    const foreign = await listen({ host: '192.0.2.1' });
    expect(foreign.error?.code).toBe('ADDRESS_UNAVAILABLE');
    const unknown = await listen({ host: 'no-such-host.invalid' });
    expect(unknown.error?.code).toBe('ADDRESS_UNAVAILABLE');
  });

  test('connections that nobody accepts are bounded; more are reset and counted', async () => {
    const source = await listen({ maxWaiting: 2 });
    const clients = [call(source), call(source), call(source)];
    const reset = await Promise.race(clients.map(async (client) => [client, (await once(client, 'error'))[0]]));
    expect(reset[1]).toMatchObject({ code: 'ECONNRESET' });
    expect(source.rejected).toBe(1);
    expect(source.accept()).toBeDefined();
    expect(source.accept()).toBeDefined();
    expect(source.accept()).toBeUndefined();
    expect(source.ready).toBe(0);
  });

  test('closing ends the connections that wait', async () => {
    const source = await listen();
    const client = call(source);
    await select([source], [], [], undefined);
    const ended = once(client, 'end');
    client.resume();
    await source.close();
    await ended;
  });

  const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
  test.skipIf(!hasIpv6)('IPv6, and dual stack with ::', async () => {
    const six = await listen({ host: '::1' });
    call(six, '::1');
    expect((await acceptStream(six)).peer).toMatch(/^\[::1\]:\d+$/);
    const dual = await listen({ host: '::' });
    expect(dual.id).toBe('tcp:[::]:0');
    call(dual, '127.0.0.1');
    expect((await acceptStream(dual)).peer).toMatch(/^127\.0\.0\.1:\d+$/);
    const taken = await listen({ host: '0.0.0.0', port: dual.address!.port });
    expect(taken.error?.code).toBe('ADDRESS_IN_USE');
  });
});

/** The retry has run and its failure has queued the next one. */
async function untilQueued(context: FakeContext, size: number): Promise<void> {
  while (context.timers.size < size) await new Promise((resolve) => setImmediate(resolve));
}

test('closed connections whose peers never finish are waited for in bounded number, the oldest is cut', async () => {
  const source = await listen();
  const clients: Socket[] = [];
  const reset: number[] = [];
  for (let n = 0; n < 300; n++) {
    const client = call(source);
    client.resume();
    client.on('error', () => reset.push(n));
    clients.push(client);
    const channel = await acceptStream(source);
    channel.close();
  }
  // A reset behind the end of the stream is only seen by who writes.
  while (reset.length < 300 - 256) {
    for (const client of clients) client.write('x');
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(reset.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 44 }, (_, n) => n));
});

test('what is held for a peer that does not read is as the context says', async () => {
  const source = await listen({}, { ...fakeContext(), outputBytes: 5_000 });
  const [, channel] = await pair(source);
  expect(channel.room).toBe(5_000);
  expect(channel.write(new Uint8Array(10_000))).toBe(5_000);
});
