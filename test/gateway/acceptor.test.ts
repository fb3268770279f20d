/** Limits of connections, and what is counted for each source. */
import { describe, expect, it } from 'vitest';
import { LinkHost } from './sessions/link/link-host.ts';

describe('limits', () => {
  it('of connections in all: who is one too many is refused, and let in when one has gone', async () => {
    const host = await LinkHost.start({ limits: { connections: 2 } });
    const first = await host.device('tcp', 1n);
    await host.device('unix', 2n);
    const third = await host.connect('tcp', 3n);
    await third.closed;
    expect(host.warnings).toEqual([expect.stringContaining('limit connections')]);
    expect(host.acceptor.entries[0]).toMatchObject({ accepted: 1, refused: 1, channels: 1 });
    first.close();
    await host.event('offline 0000000000000001 closed');
    await host.device('tcp', 4n);
    expect(host.acceptor.connections).toBe(2);
  });

  it('of connections from one address, which Unix sockets do not have', async () => {
    const host = await LinkHost.start({ limits: { connectionsPerAddress: 2 } });
    await host.device('tcp', 1n);
    await host.device('tcp', 2n);
    await (await host.connect('tcp', 3n)).closed;
    for (const id of [4n, 5n, 6n]) {
      await host.device('unix', id);
    }
    expect(host.acceptor.connections).toBe(5);
  });

  it('do not hold for datagrams', async () => {
    const host = await LinkHost.start({ limits: { connections: 1, connectionsPerAddress: 1 } });
    await host.device('tcp', 1n);
    await host.device('udp', 2n);
    await host.device('udp', 3n);
  });
});

it('counts bytes of open and of closed connections, and failures', async () => {
  const host = await LinkHost.start();
  const entry = host.acceptor.entries[0]!;
  const device = await host.device('tcp', 1n);
  device.readings(1);
  await device.acknowledged(1);
  const open = host.acceptor.trafficOf(entry);
  expect(open.bytesRead).toBeGreaterThan(50);
  expect(open.bytesWritten).toBeGreaterThan(50);
  device.socket!.resetAndDestroy();
  await host.event('offline 0000000000000001 connection-lost');
  expect(host.acceptor.trafficOf(entry)).toEqual(open);
  expect(entry).toMatchObject({ channels: 0, accepted: 1, failed: 1 });
});

it('counts the bytes of datagrams', async () => {
  const host = await LinkHost.start();
  const entry = host.acceptor.entries.find(({ source }) => source.transport === 'udp')!;
  const device = await host.device('udp', 1n);
  device.readings(1);
  await device.acknowledged(1);
  const { bytesRead, bytesWritten, dropped } = host.acceptor.trafficOf(entry);
  expect(bytesRead).toBeGreaterThan(50);
  expect(bytesWritten).toBeGreaterThan(50);
  expect(dropped).toBe(0);
});
