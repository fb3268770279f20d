/** How a device declares itself: in parts, late, wrongly. */
import { describe, expect, it } from 'vitest';
import {
  type ChannelDeclaration,
  encodeSchemaParts,
  FRAME_OVERHEAD,
  type Schema,
  schemaCrc,
} from '../../../../protocol/index.ts';
import { type LinkDevice, sample } from '../../../helpers/link-device.ts';
import { LinkHost } from './link-host.ts';

function channel(number: number, name: string): ChannelDeclaration {
  const flags = { writable: false, totalIncreasing: false, diagnostic: false };
  return { number, type: 'f32', class: 'temperature', scale: 0, name, unit: '°C', ...flags };
}

const SCHEMA: Schema = {
  name: 'Greenhouse',
  model: 'GH-1',
  firmware: '1.0',
  channels: Array.from({ length: 20 }, (_, index) => channel(index + 1, `air ${index + 1}`)),
};
const PARTS = encodeSchemaParts(SCHEMA, 128);
const CRC = schemaCrc(PARTS);

function sendPart(device: LinkDevice, part: number, parts: readonly Uint8Array[] = PARTS, crc = CRC): void {
  device.send({ type: 'SCHEMA', crc, part, parts: parts.length, content: parts[part]! });
}

/** Says HELLO with this schema and sends all of it. */
async function declare(device: LinkDevice, parts: readonly Uint8Array[], crc = schemaCrc(parts)): Promise<void> {
  await device.hello({ schemaCrc: crc });
  for (const part of parts.keys()) sendPart(device, part, parts, crc);
}

/** Content of the only part, by hand where the encoder would refuse. */
function content(count: number, ...channels: readonly (readonly number[])[]): Uint8Array {
  return Uint8Array.from([0, 0, 0, count, ...channels.flat()]);
}

it('comes in parts, in any order and twice, over TCP and UDP', async () => {
  const host = await LinkHost.start();
  expect(PARTS.length).toBeGreaterThan(2);
  for (const [id, transport] of [
    [1n, 'tcp'],
    [2n, 'udp'],
  ] as const) {
    const device = await host.connect(transport, id);
    expect((await device.hello({ schemaCrc: CRC })).flags).toEqual({ schemaWanted: true });
    for (const part of [...PARTS.keys()].toReversed()) {
      sendPart(device, part);
      sendPart(device, part);
    }
    expect((await device.next('ACK')).flags).toEqual({ schemaWanted: false });
    expect(host.registry.get(`000000000000000${id}`)?.schema).toEqual(SCHEMA);
  }
  expect(host.events.filter((event) => event.startsWith('schema'))).toHaveLength(2);
});

it('is not wanted again in later sessions, of any boot, while it is the same', async () => {
  const host = await LinkHost.start();
  const device = await host.connect('tcp');
  await declare(device, PARTS);
  await device.next('ACK');
  device.close();
  await host.event('offline a1b2c3d4e5f60718 closed');
  const again = await host.connect('tcp');
  expect((await again.hello({ boot: 8, schemaCrc: CRC })).flags).toEqual({ schemaWanted: false });
  await again.settled();
  expect((await again.hello({ boot: 9, schemaCrc: CRC + 1 })).flags).toEqual({ schemaWanted: true });
});

it('readings before it are not acknowledged, the flag reminds of it, and then they come again', async () => {
  const host = await LinkHost.start();
  const device = await host.connect('tcp');
  await device.hello({ schemaCrc: CRC });
  device.readings(1);
  expect(await device.next('ACK')).toMatchObject({ seq: 0, map: 0, flags: { schemaWanted: true } });
  expect(host.seqs).toEqual([]);
  expect(host.counters.tcp.rejected.get('schema-missing')).toBe(1);
  for (const part of PARTS.keys()) sendPart(device, part);
  expect(await device.next('ACK')).toMatchObject({ seq: 0, flags: { schemaWanted: false } });
  device.readings(1);
  await device.acknowledged(1);
  expect(host.seqs).toEqual([1]);
});

it('a device without one declares its channels by using them', async () => {
  const host = await LinkHost.start();
  const device = await host.device();
  device.readings(1, sample(1, 2));
  await device.acknowledged(1);
  const channels = host.registry.get('a1b2c3d4e5f60718')!.channels;
  expect(Array.from(channels.values(), ({ number, alias }) => [number, alias])).toEqual([
    [1, 'ch1'],
    [2, 'ch2'],
  ]);
});

it('a value on a channel that was not declared is kept under its number', async () => {
  const host = await LinkHost.start();
  const device = await host.connect('tcp');
  await declare(device, encodeSchemaParts({ ...SCHEMA, channels: [channel(1, 'ch2')] }, 512));
  device.readings(1, sample(1, 2));
  await device.acknowledged(1);
  const channels = host.registry.get('a1b2c3d4e5f60718')!.channels;
  expect(Array.from(channels.values(), ({ alias }) => alias)).toEqual(['ch2', 'ch2_channel_2']);
});

it('names from the wire become safe aliases, each once', async () => {
  const host = await LinkHost.start();
  const device = await host.connect('tcp');
  const names = ['a/b#+c', '__proto__', 'constructor', '\u0000\u001b[2J', 'Größe', 'a b c', 'id', '日本'];
  const channels = names.map((name, index) => channel(index, name));
  await declare(device, encodeSchemaParts({ ...SCHEMA, name: '__proto__', channels }, 512));
  await device.next('ACK');
  const known = host.registry.get('a1b2c3d4e5f60718')!;
  expect(Array.from(known.channels.values(), ({ alias }) => alias)).toEqual(
    ['a_b_c', 'proto', 'constructor', '2j', 'gro_e', 'a_b_c_ch5', 'id_ch6', 'ch7'].map((alias) =>
      alias.replace('gro_e', 'gro_e'),
    ),
  );
  expect(Array.from(known.channels.values(), ({ name }) => name)).toEqual(names);
  expect(({} as Record<string, unknown>)['alias']).toBeUndefined();
});

describe('one that cannot be used ends the session with bad_schema and the reason', () => {
  const one = [1, 9, 1, 0, 0, 1, 0x61, 0];
  it.each<[string, Uint8Array[], number?]>([
    ['bad-schema-crc', PARTS, CRC + 1],
    ['short-read', [content(2, one)]],
    ['trailing-bytes', [content(0, one)]],
    ['duplicate-channel', [content(2, one, one)]],
    ['unknown-value-type', [content(1, [1, 13, 1, 0, 0, 1, 0x61, 0])]],
    ['empty-name', [content(1, [1, 9, 1, 0, 0, 0, 0])]],
    ['bad-utf8', [content(1, [1, 9, 1, 0, 0, 1, 0xff, 0])]],
    ['misplaced-name', [content(1, one), Uint8Array.from([1, 0x61, 0, 0, 0])]],
    ['too-many-channels', [content(65, ...Array.from({ length: 65 }, (_, n) => [n, 9, 1, 0, 0, 1, 0x61, 0]))]],
    ['schema-too-large', Array.from({ length: 5 }, () => new Uint8Array(1_000))],
  ])('%s', async (reason, parts, crc = schemaCrc(parts)) => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    await declare(device, parts, crc);
    expect(await device.next('ERROR')).toMatchObject({ code: 'bad_schema', text: reason, sid: device.sid });
    await device.closed;
    await host.event('offline a1b2c3d4e5f60718 protocol-error');
    expect(host.counters.tcp.rejected.get('bad-schema')).toBe(1);
  });

  it('another one than HELLO has named', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    await device.hello({ schemaCrc: CRC + 1 });
    for (const part of PARTS.keys()) sendPart(device, part);
    expect(await device.next('ERROR')).toMatchObject({ code: 'bad_schema', text: 'another-schema' });
  });
});

it('a part as long as a frame may be is taken', async () => {
  const host = await LinkHost.start();
  const device = await host.connect('tcp');
  const channels = Array.from({ length: 64 }, (_, index) =>
    channel(index, `a channel with a long name, number ${index}`),
  );
  const parts = encodeSchemaParts({ ...SCHEMA, channels }, 1_024 - FRAME_OVERHEAD - 6);
  await declare(device, parts);
  expect((await device.next('ACK')).flags).toEqual({ schemaWanted: false });
});
