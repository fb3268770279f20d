/** COMMAND down and RESULT up. */
import { describe, expect, it } from 'vitest';
import { encodeFrame, type Value } from '../../../../protocol/index.ts';
import type { LinkDevice } from '../../../helpers/link-device.ts';
import { LinkHost } from './link-host.ts';

const ID = 'a1b2c3d4e5f60718';
const ON: Value = { channel: 2, type: 'bool', quality: 'good', value: true };

/** Sends one and collects how it ends. */
function command(host: LinkHost, ttlS = 30, value = ON): string[] {
  const outcome: string[] = [];
  host.links.command(ID, value, ttlS, (status, text) => outcome.push(text === '' ? status : `${status}: ${text}`));
  return outcome;
}

function result(device: LinkDevice, seq: number, id: number, status: 'done' | 'refused' = 'done', text = ''): void {
  device.send({ type: 'RESULT', id, status, text }, { seq });
}

describe.each(['tcp', 'udp', 'unix'] as const)('over %s', (transport) => {
  it('goes to the device, and its RESULT comes back', async () => {
    const host = await LinkHost.start();
    const device = await host.device(transport);
    const outcome = command(host);
    const { id, ttl, value } = await device.next('COMMAND');
    expect({ ttl, value }).toEqual({ ttl: 30, value: ON });
    result(device, 1, id, 'refused', 'too hot');
    await device.acknowledged(1);
    expect(outcome).toEqual(['refused: too hot']);
  });
});

it('is repeated until the RESULT comes, with what is left of its time', async () => {
  const host = await LinkHost.start();
  const device = await host.device();
  const outcome = command(host, 10);
  const { id } = await device.next('COMMAND');
  await host.advance(999);
  await device.settled();
  expect(device.of('COMMAND')).toHaveLength(1);
  await host.advance(1);
  expect(await device.next('COMMAND')).toMatchObject({ id, ttl: 9 });
  await host.advance(2_000);
  expect(await device.next('COMMAND')).toMatchObject({ id, ttl: 7 });
  result(device, 1, id);
  await device.acknowledged(1);
  expect(outcome).toEqual(['done']);
  await host.advance(60_000);
  await host.turn();
  expect(device.of('COMMAND')).toHaveLength(3);
  // The repetitions were answered too.
  const again = await host.device();
  result(again, 2, id);
  await again.settled();
  expect(outcome).toEqual(['done']);
  expect(host.counters.tcp.rejected.get('result-unexpected')).toBe(1);
});

it('expires', async () => {
  const host = await LinkHost.start();
  const device = await host.device();
  const outcome = command(host, 5);
  await device.next('COMMAND');
  for (const ms of [1_000, 2_000, 1_999]) {
    await host.advance(ms);
  }
  expect(outcome).toEqual([]);
  await host.advance(1);
  expect(outcome).toEqual([expect.stringMatching(/^expired/)]);
});

it('has its whole time when nothing has happened for long before it', async () => {
  const host = await LinkHost.start();
  const device = await host.device();
  await device.settled();
  // Nobody turns the loop: it waits for something to happen.
  host.pass(31_000);
  const outcome = command(host, 30);
  expect(await device.next('COMMAND')).toMatchObject({ ttl: 30 });
  await host.turn();
  expect(outcome).toEqual([]);
});

it('waits for a device that is away, and goes out again in its next session', async () => {
  const host = await LinkHost.start();
  const device = await host.device();
  device.close();
  await host.event(`offline ${ID} closed`);
  const outcome = command(host, 30);
  await host.advance(12_000);
  const again = await host.device('udp');
  const { id, ttl } = await again.next('COMMAND');
  expect(ttl).toBe(18);
  result(again, 1, id);
  await again.acknowledged(1);
  expect(outcome).toEqual(['done']);
});

it('a RESULT that waits behind a hole ends it only in its turn', async () => {
  const host = await LinkHost.start();
  const device = await host.device('udp');
  const outcome = command(host);
  const { id } = await device.next('COMMAND');
  result(device, 2, id);
  await device.settled();
  expect(outcome).toEqual([]);
  device.readings(1);
  await device.acknowledged(2);
  expect(outcome).toEqual(['done']);
});

it('a status that a later version may bring means that it failed', async () => {
  const host = await LinkHost.start();
  const device = await host.device();
  const outcome = command(host);
  const { id } = await device.next('COMMAND');
  const frame = device.frame({ type: 'RESULT', id, status: 'done', text: '' }, { seq: 1 });
  const body = Uint8Array.from(frame.subarray(10, -4));
  body[4] = 99;
  device.sendFrame(encodeFrame({ type: 10, sid: device.sid, seq: 1, ackWanted: true }, body));
  await device.acknowledged(1);
  expect(outcome).toEqual(['failed']);
});

it('sixteen may wait for one device', async () => {
  const host = await LinkHost.start();
  const device = await host.device();
  const waiting = Array.from({ length: 16 }, () => command(host));
  expect(command(host)).toEqual([expect.stringMatching(/^busy/)]);
  expect(waiting.flat()).toEqual([]);
  const { id } = await device.next('COMMAND');
  result(device, 1, id);
  await device.acknowledged(1);
  expect(command(host)).toEqual([]);
});

it('is refused at once for a device that takes none, or was never here', async () => {
  const host = await LinkHost.start();
  expect(command(host)).toEqual([expect.stringMatching(/^expired/)]);
  const device = await host.connect('tcp');
  await device.hello({ capabilities: { commands: false, clock: false } });
  expect(command(host)).toEqual([expect.stringMatching(/^refused/)]);
  await device.settled();
  expect(device.of('COMMAND')).toEqual([]);
});

it('ends when the gateway does', async () => {
  const host = await LinkHost.start();
  const device = await host.device();
  const outcome = command(host);
  host.links.close();
  expect(outcome).toEqual(['expired: the gateway stops']);
  expect(await device.next('BYE')).toMatchObject({ reason: 'restarting' });
});
