import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { select } from '../../gateway/select.ts';
import type { StreamChannel } from '../../gateway/sources/source.ts';
import { TcpServerSource } from '../../gateway/sources/tcp-server.ts';
import { acceptStream, fakeContext, readBytes } from './sources/context.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function listen(): Promise<TcpServerSource> {
  const source = new TcpServerSource({ host: '127.0.0.1', port: 0 }, fakeContext());
  cleanups.push(() => source.close());
  await source.open();
  return source;
}

async function pair(source: TcpServerSource): Promise<[Socket, StreamChannel]> {
  const client = connect({ port: source.address!.port, host: '127.0.0.1', allowHalfOpen: true });
  client.on('error', () => {});
  const channel = await acceptStream(source);
  cleanups.push(() => {
    client.destroy();
    channel.abort();
  });
  return [client, channel];
}

test('three lists in, three lists out, in their order', async () => {
  const source = await listen();
  const [a, channelA] = await pair(source);
  const [, channelB] = await pair(source);
  a.write('hello');
  expect(await select([channelA], [], [], undefined)).toEqual([[channelA], [], []]);
  expect(await select([channelB, channelA, source], [channelB, channelA], [channelA], undefined)).toEqual([
    [channelA],
    [channelB, channelA],
    [],
  ]);
  const client = connect(source.address!.port, '127.0.0.1');
  cleanups.push(() => client.destroy());
  expect(await select([channelB, source], [], [], undefined)).toEqual([[source], [], []]);
});

test('0 only looks, a timeout gives three empty lists, nothing stays registered', async () => {
  const source = await listen();
  expect(await select([source], [], [source], 0)).toEqual([[], [], []]);
  expect(await select([source], [], [source], 1)).toEqual([[], [], []]);
  expect(await select([], [], [], 1)).toEqual([[], [], []]);
  expect(source.onEdge).toBeUndefined();
});

test('level-triggered: what is not drained is ready again, and FIN stays readable', async () => {
  const source = await listen();
  const [client, channel] = await pair(source);
  client.end('0123456789');
  for (let i = 0; i < 10; i++) {
    expect(await select([channel], [], [], undefined)).toEqual([[channel], [], []]);
    expect(Buffer.from(channel.read(1)!).toString()).toBe(String(i));
  }
  for (let i = 0; i < 3; i++) {
    expect(await select([channel], [], [], undefined)).toEqual([[channel], [], []]);
    expect(channel.read(100)).toEqual(new Uint8Array(0));
  }
});

test('many under one select: one dies abruptly, the others do not notice', async () => {
  const source = await listen();
  const pairs: [Socket, StreamChannel][] = [];
  for (let i = 0; i < 50; i++) pairs.push(await pair(source));
  const channels = pairs.map(([, channel]) => channel);
  const victim = channels[17]!;
  pairs[17]![0].resetAndDestroy();
  const [readable, writable, failed] = await select(channels, [], channels, undefined);
  // Dead counts as readable, as in select(2): a read would not block.
  expect([readable, writable, failed]).toEqual([[victim], [], [victim]]);
  expect(victim.error?.code).toBe('PEER_RESET');
  expect(victim.read(10)).toBeUndefined();
  const rest = pairs.filter(([, channel]) => channel !== victim);
  for (const [client] of rest) client.write('alive');
  for (const [, channel] of rest) expect((await readBytes(channel, 5)).toString()).toBe('alive');
});

test('one in several lists is watched for all of them', async () => {
  const source = await listen();
  const [client, channel] = await pair(source);
  expect(await select([channel], [channel], [channel], undefined)).toEqual([[], [channel], []]);
  client.write('x');
  while ((await select([channel], [channel], [channel], undefined))[0].length === 0);
  client.resetAndDestroy();
  expect(await select([], [], [channel], undefined)).toEqual([[], [], [channel]]);
});
