/** What peers may take: connections, rates, sizes. Each limit bites, is counted under its key, and leaves others alone. */
import { performance } from 'node:perf_hooks';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  encodeFrame,
  encodeSchemaParts,
  encodeStreamFrame,
  schemaCrc,
  type Sample,
} from '../../../../protocol/index.ts';
import { openSerialLine } from '../../../../gateway/sources/serial-line.ts';
import { SerialSource } from '../../../../gateway/sources/serial.ts';
import { DEVICE_ID, LinkDevice, sample } from '../../../helpers/link-device.ts';
import { lacks } from '../../../helpers/programs.ts';
import { openPtyPair, ptyProgram } from '../../../helpers/pty.ts';
import { LinkHost, START_MS } from './link-host.ts';

const ALIAS = 'a1b2c3d4e5f60718';
const bitten = (host: LinkHost) =>
  Object.fromEntries(Object.entries(host.watch.counts).filter(([, count]) => count > 0));
const isSlowed = (host: LinkHost) => [...host.links.sessions].some(({ carrier }) => carrier.paused);

describe('connections without a session', () => {
  it('make room for a new one, the oldest first; sessions do not', async () => {
    const host = await LinkHost.start({ limits: { connectionsUnauthenticated: 2 } });
    const device = await host.device('tcp', 1n);
    const strangers = [await host.connect('tcp', 2n), await host.connect('tcp', 3n)];
    await host.until(() => host.acceptor.strangers === 2);
    const good = await host.device('tcp', 4n);
    await strangers[0]!.closed;
    expect(host.acceptor.strangers).toBe(1);
    expect(bitten(host)).toEqual({ connections_unauthenticated: 1 });
    expect(host.warnings).toEqual([expect.stringContaining('limit connections_unauthenticated tcp:')]);
    for (const one of [device, good]) await one.settled();
    strangers[1]!.close();
    await host.until(() => host.acceptor.strangers === 0);
  });

  it('make room where an address or the gateway has no more', async () => {
    const host = await LinkHost.start({ limits: { connectionsPerAddress: 2 } });
    await host.device('tcp', 1n);
    const stranger = await host.connect('tcp', 2n);
    await host.until(() => host.acceptor.strangers === 1);
    await host.device('tcp', 3n);
    await stranger.closed;
    // Now both have a session.
    await (await host.connect('tcp', 4n)).closed;
    expect(bitten(host)).toEqual({ connections_per_address: 2 });
    expect(host.acceptor.entries[0]).toMatchObject({ accepted: 3, refused: 1 });
  });

  it('have said HELLO in time, however slowly it comes', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    await host.until(() => host.acceptor.strangers === 1);
    const hello = encodeStreamFrame(
      device.plainFrame(
        {
          type: 'HELLO',
          minVersion: 1,
          maxVersion: 1,
          device: DEVICE_ID,
          boot: 7,
          uptime: 0,
          firstSeq: 1,
          capabilities: { commands: true, clock: false },
          maxFrame: 1_024,
          schemaCrc: 0,
        },
        { sid: 0, seq: 0 },
      ),
    );
    for (let i = 0; i < 5; i++) {
      device.write(hello.subarray(i, i + 1));
      const { bytesRead } = host.acceptor.trafficOf(host.acceptor.entries[0]!);
      await host.until(() => host.acceptor.trafficOf(host.acceptor.entries[0]!).bytesRead > bytesRead - 1);
      await host.advance(1_000);
    }
    await device.closed;
    expect(bitten(host)).toEqual({ handshake_s: 1 });
    expect(host.acceptor.strangers).toBe(0);
  });

  it('come to nothing by the thousand', async () => {
    const host = await LinkHost.start({ limits: { connectionsUnauthenticated: 16 } });
    const good = await host.device('tcp', 1n);
    const strangers = await Promise.all(Array.from({ length: 300 }, () => host.connect('unix', 2n)));
    await host.until(() => host.watch.counts.connections_unauthenticated === 300 - 16);
    expect(host.acceptor.connections).toBe(17);
    good.readings(1);
    await good.acknowledged(1);
    // The last may still become somebody.
    await strangers.at(-1)!.hello();
  });
});

describe('handshakes', () => {
  it('from one address have a rate; who is too fast is told when to come back', async () => {
    const host = await LinkHost.start({ limits: { handshakesPerAddressPerS: 0.5 } });
    for (const id of [1n, 2n, 3n, 4n, 5n]) await host.device('tcp', id);
    const sixth = await host.connect('tcp', 6n);
    sixth.sendHello();
    expect(await sixth.next('ERROR')).toMatchObject({ code: 'rate_limited', retryAfter: 2, sid: 0 });
    await sixth.closed;
    const datagrams = await host.connect('udp', 7n);
    datagrams.sendHello();
    expect(await datagrams.next('ERROR')).toMatchObject({ code: 'rate_limited', retryAfter: 2 });
    expect(bitten(host)).toEqual({ handshakes_per_address_per_s: 2 });
    expect(host.counters.tcp.rejected.get('handshake-rate')).toBe(1);
    await host.advance(2_000);
    await datagrams.hello();
  });

  it('have one in all', async () => {
    const host = await LinkHost.start({ limits: { handshakesPerS: 0.2 } });
    await host.device('tcp', 1n);
    await host.device('unix', 2n);
    const third = await host.connect('unix', 3n);
    third.sendHello();
    expect(await third.next('ERROR')).toMatchObject({ code: 'rate_limited', retryAfter: 5 });
    expect(bitten(host)).toEqual({ handshakes_per_s: 1 });
  });
});

it('REPORTs of ever new devices have the rate of handshakes, those of known ones do not', async () => {
  const host = await LinkHost.start({ limits: { handshakesPerS: 0.3 } });
  const device = await host.connect('udp', 1n);
  for (const id of [1n, 2n, 3n]) {
    device.report(1, { device: id });
    await device.acknowledged(1);
  }
  device.report(1, { device: 4n });
  expect(await device.next('ERROR')).toMatchObject({ code: 'rate_limited', retryAfter: 4, sid: 0 });
  device.report(2);
  await device.acknowledged(2);
  expect([host.registry.size, host.watch.counts.handshakes_per_s]).toEqual([3, 1]);
});

describe('the rate of a device', () => {
  it('on a stream slows it down: ten seconds at once, then as fast as may be, and nothing is lost', async () => {
    const host = await LinkHost.start({ limits: { framesPerS: 2 } });
    const device = await host.device();
    const other = await host.device('tcp', 2n);
    for (let seq = 1; seq <= 30; seq++) device.readings(seq);
    await host.until(() => isSlowed(host));
    expect(host.seqs).toHaveLength(20);
    other.readings(1);
    await other.acknowledged(1);
    for (let s = 0; s < 10; s++) await host.advance(500);
    await device.acknowledged(30);
    expect(host.journal.records.filter(({ device: { id } }) => id === ALIAS).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 30 }, (_, i) => i + 1),
    );
    expect(device.of('ERROR')).toEqual([]);
    expect(host.counters.tcp).toMatchObject({ limited: 0, busy: 0 });
    expect(host.links.link(host.registry.get(ALIAS)!)!.slowed).toBeGreaterThan(5);
    expect(bitten(host)['frames_per_s']).toBeGreaterThan(5);
  });

  it('counts bytes, too', async () => {
    const host = await LinkHost.start({ limits: { bytesPerS: 100 } });
    const device = await host.device();
    for (let seq = 1; seq <= 10; seq++) device.readings(seq, sample(...Array.from({ length: 20 }, (_, i) => i)));
    await host.until(() => isSlowed(host));
    expect(host.seqs.length).toBeLessThan(6);
    expect(bitten(host)).toEqual({ bytes_per_s: 1 });
    while (host.seqs.length < 10) await host.advance(1_000);
    await device.acknowledged(10);
  });

  it('a silent time is not held against a device that nobody reads', async () => {
    const host = await LinkHost.start({ limits: { framesPerS: 0.1, keepaliveS: 1 } });
    const device = await host.device();
    // HELLO was the one frame in ten seconds that the connection has before it is anybody's.
    expect(isSlowed(host)).toBe(true);
    await host.advance(10_000);
    for (const seq of [1, 2, 3]) device.readings(seq);
    for (const seq of [1, 2, 3]) {
      await device.acknowledged(seq);
      expect(isSlowed(host)).toBe(true);
      await host.advance(9_000);
      expect(host.seqs).toHaveLength(seq);
      await host.advance(1_000);
    }
    expect(host.events).toEqual([`online ${ALIAS}`]);
  });

  it('over UDP: what is too much is not taken and the device is told to wait; sent again, it is', async () => {
    const host = await LinkHost.start({ limits: { framesPerS: 1 } });
    const device = await host.device('udp');
    for (let seq = 1; seq <= 15; seq++) device.readings(seq);
    // Once, not for each.
    expect(await device.next('ERROR')).toMatchObject({ code: 'rate_limited', retryAfter: 1, sid: device.sid });
    await host.until(() => host.counters.udp.limited === 5);
    expect(host.seqs).toHaveLength(10);
    await host.advance(5_000);
    for (let seq = 11; seq <= 15; seq++) device.readings(seq);
    await device.acknowledged(15);
    expect(device.of('ERROR')).toHaveLength(1);
    expect(host.seqs).toHaveLength(15);
  });

  it('holds for REPORTs, whose answer is without a session', async () => {
    const host = await LinkHost.start({ limits: { framesPerS: 0.2 } });
    const device = await host.connect('udp');
    for (const seq of [1, 2]) {
      device.report(seq);
      await device.acknowledged(seq);
    }
    device.report(3);
    expect(await device.next('ERROR')).toMatchObject({ code: 'rate_limited', retryAfter: 5, sid: 0 });
    await host.advance(5_000);
    device.report(3);
    await device.acknowledged(3);
    expect(host.seqs).toEqual([1, 2, 3]);
  });
});

describe('noise', () => {
  it('on a connection is read as fast as a device may speak', async () => {
    const host = await LinkHost.start({ limits: { bytesPerS: 1_000, handshakeMs: 3_600_000 } });
    const entry = host.acceptor.entries[0]!;
    const noisy = await host.connect('tcp', 2n);
    noisy.write(Buffer.alloc(200_000, 0xa5));
    await host.until(() => host.watch.counts.bytes_per_s > 0);
    const { bytesRead } = host.acceptor.trafficOf(entry);
    expect(bytesRead).toBeLessThan(50_000);
    await host.advance(100);
    expect(host.acceptor.trafficOf(entry).bytesRead).toBe(bytesRead);
    const good = await host.device('tcp', 1n);
    good.readings(1);
    await good.acknowledged(1);
    for (let s = 0; s < 60; s++) await host.advance(1_000);
    const later = host.acceptor.trafficOf(entry).bytesRead;
    expect(later).toBeGreaterThan(bytesRead);
    expect(later).toBeLessThan(bytesRead + 100_000);
  });

  it('of whole frames that belong to nobody as well', async () => {
    const host = await LinkHost.start({ limits: { framesPerS: 1 } });
    const stranger = await host.connect('tcp', 2n);
    const ping = stranger.plainFrame({ type: 'PING', token: 1 }, { sid: 99, seq: 1 });
    for (let i = 0; i < 50; i++) stranger.sendFrame(ping);
    await host.until(() => host.watch.counts.frames_per_s === 1);
    expect(host.counters.tcp.rejected.get('unknown-session')).toBe(10);
  });
});

describe('answers to datagrams of no session', () => {
  it('have a rate by address', async () => {
    const host = await LinkHost.start({ limits: { answersPerS: 0.5 } });
    const device = await host.connect('udp');
    for (let i = 0; i < 8; i++) device.send({ type: 'PING', token: i }, { sid: 99, seq: i });
    await host.until(() => host.counters.udp.frames === 8);
    await host.until(() => host.watch.counts.answers_per_s === 3);
    await device.next('ERROR');
    await host.advance(2_000);
    device.send({ type: 'PING', token: 9 }, { sid: 99, seq: 9 });
    await host.until(() => host.counters.udp.frames === 9);
    while (device.of('ERROR').length < 6) await device.next('ERROR');
    // A session is somebody, and has its own rate.
    device.sendHello();
    await device.next('WELCOME');
  });

  it('are at most one and a half times as long', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('udp');
    const shortest = [
      encodeFrame({ type: 7, sid: 99, seq: 1 }, Uint8Array.of()),
      encodeFrame({ type: 7, sid: 0, seq: 1 }, Uint8Array.of()),
      encodeFrame({ type: 200, sid: 0, seq: 1, critical: true }, Uint8Array.of()),
      encodeFrame({ type: 1, sid: 0, seq: 0 }, Uint8Array.of()),
    ];
    for (const [i, frame] of shortest.entries()) {
      device.largest = 0;
      device.sendFrame(frame);
      await host.until(() => host.counters.udp.frames === i + 1);
      await device.next('ERROR');
      expect(device.largest).toBeLessThanOrEqual(frame.length * 1.5);
    }
    const hello = device.sendHello({ minVersion: 2, maxVersion: 2 });
    device.largest = 0;
    expect(await device.next('ERROR')).toMatchObject({ code: 'unsupported_version' });
    expect(device.largest).toBeLessThanOrEqual(hello.length * 1.5);
    device.largest = 0;
    const welcomed = device.sendHello();
    await device.next('WELCOME');
    expect(device.largest).toBeLessThanOrEqual(welcomed.length * 1.5);
    device.largest = 0;
    const report = device.report(1, {
      samples: [{ ...sample(), values: [{ channel: 1, type: 'bool', quality: 'good', value: true }] }],
    });
    await device.acknowledged(1);
    expect(device.largest).toBeLessThanOrEqual(report.length * 1.5);
  });
});

const channels = (count: number) =>
  Array.from({ length: count }, (_, number) => ({
    number,
    type: 'f32' as const,
    class: 'none' as const,
    scale: 0,
    writable: false,
    totalIncreasing: false,
    diagnostic: false,
    name: `channel ${number}`,
    unit: '',
  }));

describe('sizes', () => {
  it('sessions on a connection: for one more, the oldest ends', async () => {
    const host = await LinkHost.start({ limits: { sessionsPerConnection: 2 } });
    const concentrator = await host.device('tcp', 1n);
    for (const device of [2n, 3n]) await concentrator.hello({ device });
    await host.event('offline 0000000000000001 evicted');
    expect(bitten(host)).toEqual({ sessions_per_connection: 1 });
    expect([...host.links.sessions]).toHaveLength(2);
  });

  it('output that nobody reads closes the connection', async () => {
    const host = await LinkHost.start({ limits: { outputBytes: 4_096 } });
    const device = await host.device();
    device.socket!.pause();
    let token = 0;
    const sending = setInterval(() => {
      for (let i = 0; i < 2_000; i++) device.send({ type: 'PING', token: token++ });
    }, 1);
    onTestFinished(() => clearInterval(sending));
    await host.event(`offline ${ALIAS} output-overflow`);
    expect(bitten(host)).toMatchObject({ output_bytes: 1 });
  });

  it.each([
    ['schemaBytes', { schemaBytes: 100 }, 'schema_bytes', 'schema-too-large'],
    ['channels', { channels: 9 }, 'channels', 'too-many-channels'],
  ] as const)('%s of a schema: it is refused, and the session ends', async (_name, limits, key, problem) => {
    const host = await LinkHost.start({ limits });
    const device = await host.connect('tcp');
    const schema = { name: 'n', model: '', firmware: '', channels: channels(10) };
    const parts = encodeSchemaParts(schema, 900);
    await device.hello({ schemaCrc: schemaCrc(parts) });
    parts.forEach((content, part) => {
      device.send({ type: 'SCHEMA', crc: schemaCrc(parts), part, parts: parts.length, content });
    });
    expect(await device.next('ERROR')).toMatchObject({ code: 'bad_schema', text: problem });
    await device.closed;
    expect(bitten(host)).toEqual({ [key]: 1 });
  });

  it('channels by use: values of further ones are left out and counted, the others are kept', async () => {
    const host = await LinkHost.start({ limits: { channels: 2 } });
    const device = await host.device();
    device.readings(1, sample(1, 2, 3));
    const ninth: Sample = { ...sample(), values: [{ channel: 9, type: 'u8', quality: 'good', value: 1 }] };
    device.readings(2, ninth);
    device.readings(3, sample(4));
    await device.acknowledged(3);
    expect(
      host.journal.records.map(({ seq, samples }) => [seq, samples[0]!.values.map(({ channel }) => channel)]),
    ).toEqual([
      [1, [1, 2]],
      [3, [1]],
    ]);
    expect(host.counters.tcp.omitted).toBe(2);
    expect(bitten(host)).toEqual({ channels: 2 });
  });

  it('a command that the device has no room for ends at once', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    await device.hello({ maxFrame: 64 });
    const done: string[] = [];
    const command = (value: string) =>
      host.links.command(ALIAS, { channel: 1, type: 'string', quality: 'good', value }, 30, (status, text) =>
        done.push(`${status}: ${text}`),
      );
    command('x'.repeat(100));
    expect(done).toEqual(['refused: the device takes no frame that is large enough for this value']);
    command('x');
    expect(await device.next('COMMAND')).toMatchObject({ value: { value: 'x' } });
    // One that waited for a device learns it when that is there.
    device.close();
    await host.event(`offline ${ALIAS} closed`);
    command('y'.repeat(100));
    expect(done).toHaveLength(1);
    await (await host.connect('tcp')).hello({ maxFrame: 64 });
    expect(done).toHaveLength(2);
  });

  it('commands that wait for one device', async () => {
    const host = await LinkHost.start({ limits: { commandsPerDevice: 2 } });
    await host.device();
    const done: string[] = [];
    for (let i = 0; i < 3; i++) {
      const value = { channel: 1, type: 'bool', quality: 'good', value: true } as const;
      host.links.command(ALIAS, value, 30, (status) => done.push(status));
    }
    expect(done).toEqual(['busy']);
    expect(bitten(host)).toEqual({ commands_per_device: 1 });
  });
});

describe('a time that cannot be', () => {
  const DAY_MS = 86_400_000;
  it.each([
    ['0', 0],
    ['2019', Date.UTC(2019, 11, 31)],
    ['more than a day ahead', START_MS + DAY_MS + 60_000],
    ['the end of all time', Number.MAX_SAFE_INTEGER],
  ])('%s: the reading is kept, and dated by its arrival', async (_name, time) => {
    const host = await LinkHost.start();
    const device = await host.device();
    device.readings(
      1,
      { ...sample(1), timeKind: 'unix', time },
      { ...sample(2), timeKind: 'unix', time: START_MS - DAY_MS },
    );
    await device.acknowledged(1);
    expect(host.journal.records[0]!.samples.map(({ time: at, values: [value] }) => [at, value?.value])).toEqual([
      [START_MS - DAY_MS, 2],
      [START_MS, 1],
    ]);
    expect(host.counters.tcp.badTime).toBe(1);
    expect(host.links.link(host.registry.get(ALIAS)!)!.badTime).toBe(1);
    expect(host.warnings).toEqual([`bad-time ${ALIAS}`]);
  });

  it('less than a day ahead, or of 2020, may be', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    const times = [Date.UTC(2020, 0, 1), START_MS + DAY_MS];
    device.readings(1, ...times.map((time) => ({ ...sample(1), timeKind: 'unix' as const, time })));
    await device.acknowledged(1);
    expect(host.journal.records[0]!.samples.map(({ time }) => time)).toEqual(times);
    expect(host.counters.tcp.badTime).toBe(0);
  });
});

it.each([2, 3])('security level %i, which does not exist, is counted and not answered', async (level) => {
  const host = await LinkHost.start();
  const device = await host.device('udp');
  const frame = device.plainFrame({ type: 'PING', token: 1 });
  frame[0] = (frame[0]! & ~0x18) | (level << 3);
  device.sendFrame(frame);
  await device.settled();
  expect(device.of('ERROR')).toEqual([]);
  expect(host.counters.udp.rejected.get('unsupported-security')).toBe(1);
});

describe.skipIf(ptyProgram() === undefined && lacks('socat', 'python3'))('on a serial line', () => {
  it('a frame that comes byte by byte and never ends is given up, and the next one counts', async () => {
    const pair = await openPtyPair();
    onTestFinished(() => pair.close());
    const host = await LinkHost.start({
      sources: (context) => [new SerialSource({ path: pair.a, baud: 115_200 }, context)],
    });
    const settings = { baud: 115_200, dataBits: 8, parity: 'none', stopBits: 1, flowControl: 'none' } as const;
    const line = await openSerialLine('device', pair.b, settings, () => performance.now());
    onTestFinished(() => void line.destroy());
    const device = LinkDevice.over(line);
    const entry = host.acceptor.entries[3]!;
    for (let i = 0; i < 12; i++) {
      const { bytesRead } = host.acceptor.trafficOf(entry);
      line.write(Uint8Array.of(0x33));
      await host.until(() => host.acceptor.trafficOf(entry).bytesRead > bytesRead);
      await host.advance(1_000);
    }
    expect(bitten(host)).toEqual({ frame_s: 1 });
    line.write(Uint8Array.of(0));
    await device.hello();
    device.readings(1);
    await device.acknowledged(1);
  });
});
