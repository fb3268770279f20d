import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { afterEach, expect, test } from 'vitest';
import { select } from '../../../gateway/select.ts';
import { type DatagramChannel, READ, WRITE } from '../../../gateway/sources/source.ts';
import { UdpSource, type UdpChannel, type UdpOptions } from '../../../gateway/sources/udp.ts';
import { acceptDatagrams, fakeContext, untilState } from './context.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function bind(
  options: Partial<UdpOptions> = {},
  context = fakeContext(),
): Promise<[UdpSource, DatagramChannel, number]> {
  const source = new UdpSource({ host: '127.0.0.1', port: 0, ...options }, context);
  await source.open();
  const channel = await acceptDatagrams(source);
  cleanups.push(() => {
    channel.close();
    return source.close();
  });
  return [source, channel, source.address!.port];
}

async function device(type: 'udp4' | 'udp6' = 'udp4'): Promise<Socket> {
  const socket = createSocket(type);
  socket.bind(0, type === 'udp4' ? '127.0.0.1' : '::1');
  await once(socket, 'listening');
  cleanups.push(() => socket.close());
  return socket;
}

async function receive(channel: DatagramChannel): Promise<{ text: string; address: string; port: number }> {
  await select([channel], [], [], undefined);
  const { bytes, peer } = channel.receive()!;
  return { text: Buffer.from(bytes).toString(), address: peer.address, port: peer.port };
}

test('datagrams come whole, in order, with their sender, who gets the answer', async () => {
  const [, channel, port] = await bind();
  const a = await device();
  a.send('one', port, '127.0.0.1');
  a.send('', port, '127.0.0.1');
  a.send('three', port, '127.0.0.1');
  const first = await receive(channel);
  expect(first).toEqual({ text: 'one', address: '127.0.0.1', port: a.address().port });
  expect((await receive(channel)).text).toBe('');
  expect((await receive(channel)).text).toBe('three');
  expect(channel.receive()).toBeUndefined();
  expect(channel.ready).toBe(WRITE);
  const answer = once(a, 'message');
  const bytes = Buffer.from('answer');
  expect(channel.send(bytes, first)).toBe(true);
  bytes.fill(0);
  expect(String((await answer)[0])).toBe('answer');
  expect(channel).toMatchObject({ bytesRead: 8, bytesWritten: 6 });
});

test('broadcasts arrive at 0.0.0.0', async () => {
  const [, channel, port] = await bind({ host: '0.0.0.0' });
  const a = await device();
  a.setBroadcast(true);
  a.send('to all', port, '127.255.255.255');
  expect((await receive(channel)).text).toBe('to all');
});

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
test.skipIf(!hasIpv6)('IPv6, and dual stack with ::', async () => {
  const [, six, sixPort] = await bind({ host: '::1' });
  const a = await device('udp6');
  a.send('six', sixPort, '::1');
  const from = await receive(six);
  expect(from).toMatchObject({ text: 'six', address: '::1' });
  const answer = once(a, 'message');
  six.send(Buffer.from('back'), from);
  expect(String((await answer)[0])).toBe('back');

  const [, dual, dualPort] = await bind({ host: '::' });
  const b = await device();
  b.send('four', dualPort, '127.0.0.1');
  const mapped = await receive(dual);
  expect(mapped.address).toBe('::ffff:127.0.0.1');
  const answer4 = once(b, 'message');
  dual.send(Buffer.from('back'), mapped);
  expect(String((await answer4)[0])).toBe('back');
});

test('the ring drops the oldest and counts them, by number and by bytes', async () => {
  const a = await device();
  for (const bounds of [{ maxQueuedDatagrams: 4 }, { maxQueuedBytes: 4 * (200 + 1) + 100 }]) {
    const [, channel, port] = await bind(bounds);
    for (const letter of 'abcdefgh') a.send(letter, port, '127.0.0.1');
    while (channel.dropped < 4) await select([], [], [channel], 1);
    const kept = [];
    for (let i = 0; i < 4; i++) kept.push((await receive(channel)).text);
    expect(kept.join('')).toBe('efgh');
    expect(channel.receive()).toBeUndefined();
    expect(channel.dropped).toBe(4);
  }
});

test('what cannot be sent is refused or counted, and never throws', async () => {
  const [, channel] = await bind({ maxOutstandingBytes: 1_000 });
  const { sendFailures } = channel as UdpChannel;
  expect(sendFailures).toBe(0);
  expect(channel.send(Buffer.from('x'), { address: '127.0.0.1', port: 0 })).toBe(false);
  expect(channel.send(Buffer.from('x'), { address: '127.0.0.1', port: 65_536 })).toBe(false);
  const peer = { address: '127.0.0.1', port: 9 };
  expect(channel.send(Buffer.alloc(1_000), peer)).toBe(true);
  expect(channel.ready & WRITE).toBe(0);
  expect(channel.send(Buffer.alloc(1), peer)).toBe(false);
  await select([], [channel], [], undefined);
  // Larger than any datagram: the system says no.
  expect(channel.send(Buffer.alloc(70_000), peer)).toBe(true);
  await select([], [channel], [], undefined);
  expect((channel as UdpChannel).sendFailures).toBe(4);
  channel.close();
  channel.close();
  expect(channel.send(Buffer.from('x'), peer)).toBe(false);
  expect(channel.receive()).toBeUndefined();
  expect(channel.ready).toBe(0);
});

test('a taken port fails and is tried again by itself', async () => {
  const [, taken, port] = await bind();
  const context = fakeContext();
  const source = new UdpSource({ host: '127.0.0.1', port }, context);
  cleanups.push(() => source.close());
  await source.open();
  expect(source.state).toBe('failed');
  expect(source.error?.code).toBe('ADDRESS_IN_USE');
  expect(source.address).toBeUndefined();
  taken.close();
  context.advance(10_000);
  await untilState(source, ({ state }) => state === 'open');
  const channel = await acceptDatagrams(source);
  channel.close();
});

test('a channel that its session has closed is replaced', async () => {
  const context = fakeContext();
  const [source, channel, port] = await bind({}, context);
  channel.close();
  await untilState(source, ({ state }) => state === 'opening');
  context.advance(10_000);
  await untilState(source, ({ state }) => state === 'open');
  const second = await acceptDatagrams(source);
  expect(second).not.toBe(channel);
  expect(second.ready & READ).toBe(0);
  cleanups.push(() => second.close());
  expect(port).toBeGreaterThan(0);
});

test('names of this machine can be bound; closing the source keeps the channel', async () => {
  const [source, channel, port] = await bind({ host: 'localhost' });
  expect(source.state).toBe('open');
  await source.close();
  const a = await device();
  a.send('still here', port, '127.0.0.1');
  expect((await receive(channel)).text).toBe('still here');
});

test('a receive buffer that the kernel made smaller is told', async () => {
  const [small] = await bind({ recvBufferSize: 64 * 1024 });
  expect(small.note).toBeUndefined();
  const [huge] = await bind({ recvBufferSize: 1024 * 1024 * 1024 });
  expect(huge.note).toContain('rmem_max');
});
