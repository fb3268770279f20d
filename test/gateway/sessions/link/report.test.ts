/** REPORT: readings of nodes that wake, say one thing and sleep. */
import { describe, expect, it } from 'vitest';
import { encodeFrame } from '../../../../protocol/index.ts';
import { LinkHost, START_MS } from './link-host.ts';

const HOUR_MS = 3_600_000;

describe.each(['udp', 'tcp'] as const)('over %s', (transport) => {
  it('is acknowledged once it is durable, by an ACK without a session', async () => {
    const host = await LinkHost.start();
    host.journal.held = true;
    const node = await host.connect(transport);
    node.report(5, { uptime: 900 });
    await host.until(() => host.seqs.length === 1);
    await host.turn();
    expect(node.received).toEqual([]);
    host.journal.sync();
    expect(await node.next('ACK')).toMatchObject({
      sid: 0,
      frameSeq: 0,
      seq: 5,
      map: 0,
      flags: { schemaWanted: true },
    });
    expect(host.events).toEqual(['online a1b2c3d4e5f60718']);
    expect(host.journal.records[0]).toMatchObject({ boot: 7, seq: 5, samples: [{ time: START_MS }] });
  });

  it('a repeated one is acknowledged again and stored once; holes are allowed, going back is not', async () => {
    const host = await LinkHost.start();
    const node = await host.connect(transport);
    for (const seq of [3, 3, 9, 8, 9, 10]) {
      node.report(seq);
      expect(await node.next('ACK')).toMatchObject({ seq });
    }
    expect(host.seqs).toEqual([3, 9, 10]);
    expect(host.counters[transport].duplicates).toBe(3);
  });
});

it('a new boot begins anew', async () => {
  const host = await LinkHost.start();
  const node = await host.connect('udp');
  for (const [boot, seq] of [
    [7, 100],
    [8, 1],
    [8, 1],
  ] as const) {
    node.report(seq, { boot });
    await node.next('ACK');
  }
  expect(host.journal.records.map(({ boot, seq }) => `${boot}-${seq}`)).toEqual(['7-100', '8-1']);
});

it('a copy from an earlier boot, however late, is stored once, and so is what comes after it', async () => {
  const host = await LinkHost.start();
  const node = await host.connect('udp');
  for (const [boot, seq] of [
    [9, 6],
    [10, 1],
    [9, 6],
    [10, 1],
    [10, 2],
  ] as const) {
    node.report(seq, { boot });
    await node.next('ACK');
  }
  expect(host.journal.records.map(({ boot, seq }) => `${boot}-${seq}`)).toEqual(['9-6', '10-1', '10-2']);
});

it('a repetition is not acknowledged before the first is durable', async () => {
  const host = await LinkHost.start();
  host.journal.held = true;
  const node = await host.connect('udp');
  node.report(1);
  node.report(1);
  await host.until(() => host.counters.udp.duplicates === 1);
  await host.turn();
  expect(node.received).toEqual([]);
  host.journal.sync();
  await node.next('ACK');
});

it('one that comes late, from before the present boot, takes nothing from the session', async () => {
  const host = await LinkHost.start();
  const device = await host.device('udp');
  device.readings(1);
  await device.acknowledged(1);
  device.report(500, { boot: 6 });
  await device.acknowledged(500);
  device.readings(2);
  expect(await device.acknowledged(2)).toMatchObject({ seq: 2, sid: device.sid });
  expect(host.journal.records.map(({ boot, seq }) => `${boot}-${seq}`)).toEqual(['7-1', '6-500', '7-2']);
});

it('sent with FIN behind it still gets its ACK', async () => {
  const host = await LinkHost.start();
  host.journal.held = true;
  const node = await host.connect('tcp');
  node.report(1);
  node.socket!.end();
  await host.until(() => host.seqs.length === 1);
  await host.turn();
  await host.turn();
  host.journal.sync();
  await node.next('ACK');
  await node.closed;
});

it('the node is offline when none has come for an hour', async () => {
  const host = await LinkHost.start();
  const node = await host.connect('udp');
  node.report(1);
  await node.next('ACK');
  await host.advance(HOUR_MS - 1);
  node.report(2);
  await node.next('ACK');
  await host.advance(HOUR_MS - 1);
  expect(host.events).toEqual(['online a1b2c3d4e5f60718']);
  await host.advance(1);
  expect(host.events).toEqual(['online a1b2c3d4e5f60718', 'offline a1b2c3d4e5f60718 report-overdue']);
  node.report(3);
  await node.next('ACK');
  expect(host.events.at(-1)).toBe('online a1b2c3d4e5f60718');
});

it('a full journal is told as busy, and nothing is stored', async () => {
  const host = await LinkHost.start({ maxRecords: 1 });
  const node = await host.connect('udp');
  node.report(1);
  await node.next('ACK');
  node.report(2);
  expect(await node.next('ERROR')).toMatchObject({ code: 'busy', sid: 0 });
  host.release(1);
  node.report(2);
  await node.next('ACK');
  expect(host.seqs).toEqual([1, 2]);
});

it.each([
  ['boot 0', 0, [0x01, 1, 0, 1]],
  ['no samples', 7, []],
])('%s is malformed, and the device does not become known by it', async (_name, boot, samples) => {
  const host = await LinkHost.start();
  const node = await host.connect('udp');
  const body = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, boot, 0, 0, 0, 0, ...samples];
  node.sendFrame(encodeFrame({ type: 5, sid: 0, seq: 1, ackWanted: true }, Uint8Array.from(body)));
  expect(await node.next('ERROR')).toMatchObject({ code: 'malformed' });
  expect(host.registry.size).toBe(0);
});
