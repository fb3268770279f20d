/** What must not harm: garbage, frames at the wrong place, messages that cannot be read, floods. */
import { describe, expect, it } from 'vitest';
import { encodeFrame, encodeStreamFrame, sealFrame } from '../../../../protocol/index.ts';
import { sample } from '../../../helpers/link-device.ts';
import { LinkHost } from './link-host.ts';

const READINGS = 4;
const rejected = (host: LinkHost, transport: 'tcp' | 'udp' = 'tcp') =>
  Object.fromEntries(host.counters[transport].rejected);
const skipped = (host: LinkHost) => Object.fromEntries(host.counters.tcp.skippedBytes);

describe('the type', () => {
  it('an unknown one is ignored and counted', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    device.sendFrame(encodeFrame({ type: 200, sid: device.sid, seq: 1 }, Uint8Array.of(1, 2, 3)));
    device.sendFrame(encodeFrame({ type: 200, sid: 0, seq: 1 }, Uint8Array.of(1, 2, 3)));
    await device.settled();
    expect(device.of('ERROR')).toEqual([]);
    expect(rejected(host)).toEqual({ 'unknown-message': 2 });
  });

  it('an unknown one that is critical ends the session', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    device.sendFrame(encodeFrame({ type: 200, sid: device.sid, seq: 1, critical: true }, new Uint8Array(0)));
    expect(await device.next('ERROR')).toMatchObject({ code: 'unsupported_type', text: 'type 200', sid: device.sid });
    await device.closed;
    await host.event('offline a1b2c3d4e5f60718 protocol-error');
  });

  it('a known one with the critical bit is as without it', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    device.send({ type: 'READINGS', samples: [sample(1)] }, { seq: 1, critical: true });
    await device.acknowledged(1);
  });

  it('longer bodies are of a later version, and what is known of them counts', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    const ping = device.frame({ type: 'PING', token: 9 });
    device.sendFrame(encodeFrame({ type: 7, sid: device.sid, seq: 1 }, Uint8Array.of(...ping.subarray(10, -4), 7, 7)));
    expect(await device.next('PONG')).toMatchObject({ token: 9 });
  });
});

describe('a body that cannot be read is told with its place, and the session ends', () => {
  it.each<[string, number[], string]>([
    ['a value type that does not exist', [0x01, 1, 13], 'type 4, samples at byte 12: unknown-value-type'],
    ['a sample without values', [0x00], 'type 4, samples at byte 10: '],
    ['nothing at all', [], 'type 4, samples at byte 10: '],
    ['a value cut off', [0x01, 1, 9, 0, 0], 'type 4, samples at byte 13: short-read'],
    ['a bool of 2', [0x01, 1, 0, 2], 'type 4, samples at byte 13: bad-bool'],
    ['a time kind that is reserved', [0xc1, 1, 0, 1], 'type 4, samples at byte 10: '],
    ['text that is not UTF-8', [0x01, 1, 11, 2, 0xc0, 0xaf], 'type 4, samples at byte 14: bad-utf8'],
  ])('%s', async (_name, body, text) => {
    const host = await LinkHost.start();
    const device = await host.device();
    device.readings(1);
    const header = { type: READINGS, sid: device.sid, seq: 2, ackWanted: true };
    device.sendFrame(encodeFrame(header, Uint8Array.from(body)));
    const error = await device.next('ERROR');
    expect(error).toMatchObject({ code: 'malformed', sid: device.sid });
    expect(error.text).toContain(text);
    await device.closed;
    expect(host.seqs).toEqual([1]);
    expect(host.warnings).toEqual(['malformed a1b2c3d4e5f60718']);
  });

  it('also to a device that takes no frame long enough for the place', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    await device.hello({ maxFrame: 64 });
    // The fault is at byte 102: its place makes the ERROR one byte too long.
    const body = [31, ...Array.from({ length: 30 }, () => [1, 1, 0]).flat(), 1, 13];
    const header = { type: READINGS, sid: device.sid, seq: 1, ackWanted: true };
    device.sendFrame(encodeFrame(header, Uint8Array.from(body)));
    expect(await device.next('ERROR')).toMatchObject({ code: 'malformed', text: '' });
  });

  it('readings that want no ACK, and a PING that does', async () => {
    const host = await LinkHost.start();
    for (const [type, ackWanted] of [
      [READINGS, false],
      [7, true],
    ] as const) {
      const device = await host.device();
      device.sendFrame(encodeFrame({ type, sid: device.sid, seq: 1, ackWanted }, Uint8Array.of(1, 1, 0, 1)));
      expect((await device.next('ERROR')).text).toContain('wrong-ack');
    }
  });
});

describe('the session number', () => {
  it.each(['tcp', 'udp'] as const)('one that is not known over %s: unknown_session, with that number', async (kind) => {
    const host = await LinkHost.start();
    const device = await host.device(kind);
    device.send({ type: 'PING', token: 1 }, { sid: 0xdead });
    expect(await device.next('ERROR')).toMatchObject({ code: 'unknown_session', sid: 0xdead });
    device.readings(1);
    await device.acknowledged(1);
  });

  it.each(['tcp', 'udp'] as const)('that of another connection over %s is not known there', async (kind) => {
    const host = await LinkHost.start();
    const victim = await host.device(kind, 1n);
    const other = await host.device(kind, 2n);
    other.send({ type: 'BYE', reason: 'done' }, { sid: victim.sid });
    expect(await other.next('ERROR')).toMatchObject({ code: 'unknown_session', sid: victim.sid });
    victim.readings(1);
    await victim.acknowledged(1);
    expect(host.events).not.toContainEqual(expect.stringContaining('offline'));
  });

  it('none where one must be', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('udp');
    device.send({ type: 'PING', token: 1 }, { sid: 0 });
    expect(await device.next('ERROR')).toMatchObject({ code: 'malformed' });
  });

  it('an ERROR without a session is not answered', async () => {
    const host = await LinkHost.start();
    const device = await host.device('udp');
    device.send({ type: 'ERROR', code: 'malformed', retryAfter: 0, text: '' }, { sid: 0 });
    await device.settled();
    expect(device.of('ERROR')).toEqual([]);
  });
});

describe('the header', () => {
  it('frames of our own direction are counted and ignored', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    device.sendFrame(
      encodeFrame({ type: READINGS, sid: device.sid, seq: 1, down: true, ackWanted: true }, Uint8Array.of(1, 1, 0, 1)),
    );
    await device.settled();
    expect(rejected(host)).toEqual({ 'wrong-direction': 1 });
    expect(host.seqs).toEqual([]);
  });

  it('version 2 is told', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    const frame = encodeFrame({ type: 1, sid: 0, seq: 0 }, new Uint8Array(30));
    frame[0] = 0x40;
    device.sendFrame(sealFrame(frame));
    expect(await device.next('ERROR')).toMatchObject({ code: 'unsupported_version' });
  });

  it.each([
    ['a wrong CRC', 'bad-crc', (frame: Uint8Array) => frame.fill(0, 12, 13)],
    ['a sealed frame in a plain session', 'wrong-level', (frame: Uint8Array) => frame.fill(0x2a, 0, 1)],
    ['a security level that does not exist', 'unsupported-security', (frame: Uint8Array) => frame.fill(0x32, 0, 1)],
    ['too few bytes', 'too-short', (frame: Uint8Array) => frame.subarray(0, 13)],
  ] as const)('%s is noise: counted, not answered', async (_name, code, spoil) => {
    const host = await LinkHost.start();
    const device = await host.device('udp');
    device.sendFrame(spoil(device.frame({ type: 'READINGS', samples: [sample(1)] }, { seq: 1 })));
    await device.settled();
    expect(device.of('ERROR')).toEqual([]);
    expect(rejected(host, 'udp')).toEqual({ [code]: 1 });
    expect(host.seqs).toEqual([]);
  });

  it('a frame over 256 bytes without a session is too large', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    device.report(1, { samples: Array.from({ length: 30 }, (_, n) => sample(n)) });
    expect(await device.next('ERROR')).toMatchObject({ code: 'too_large' });
    expect(host.seqs).toEqual([]);
  });
});

describe('a stream', () => {
  it('of garbage before, between and behind frames costs none of them', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    device.write(Uint8Array.from({ length: 3_000 }, (_, n) => (n * 7 + (n >> 3)) % 256));
    device.write(Uint8Array.of(0));
    await device.hello();
    device.write(Uint8Array.of(5, 4, 3, 0, 0, 0, 200, 0));
    device.readings(1);
    device.write(Uint8Array.of(3, 1, 0));
    device.readings(2);
    await device.acknowledged(2);
    expect(host.seqs).toEqual([1, 2]);
    expect(Object.keys(skipped(host))).toEqual(['fill', 'bad-length']);
  });

  it('cut byte by byte is the same stream', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    const bytes = [1, 2, 3].flatMap((seq) => [
      ...encodeStreamFrame(device.frame({ type: 'READINGS', samples: [sample(seq)] }, { seq })),
    ]);
    for (const byte of bytes) {
      device.write(Uint8Array.of(byte));
      await host.turn();
    }
    await device.acknowledged(3);
    expect(host.seqs).toEqual([1, 2, 3]);
  });

  it('with a frame that is longer than any may be goes on behind it', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    device.write(new Uint8Array(5_000).fill(7));
    device.write(Uint8Array.of(0));
    device.readings(1);
    await device.acknowledged(1);
    expect(skipped(host)).toEqual({ 'too-long': 5_001 });
  });

  it('a thousand frames in one chunk are served in several turns, and others in between', async () => {
    const host = await LinkHost.start({ limits: { readBudget: 1_000_000 } });
    const flooder = await host.device('tcp', 1n);
    const other = await host.device('tcp', 2n);
    const frame = encodeStreamFrame(flooder.frame({ type: 'LOG', level: 'info', text: '' }, { seq: 1 }));
    let otherAt = 0;
    const logs = () => host.events.filter((event) => event.startsWith('log')).length;
    other.readings(1);
    flooder.write(Buffer.concat(Array.from({ length: 1_000 }, () => frame)));
    await host.until(() => {
      if (otherAt === 0 && host.seqs.length === 1) otherAt = logs() + 1;
      return logs() === 1_000;
    });
    expect(otherAt).toBeLessThan(1_000);
    expect(host.loop.turns).toBeGreaterThan(4);
    await other.acknowledged(1);
  });

  it('a frame that is not finished in time is given up, and the next one is heard', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    const bytes = encodeStreamFrame(device.frame({ type: 'READINGS', samples: [sample(1)] }, { seq: 1 }));
    device.write(bytes.subarray(0, 9));
    await host.until(() => host.loop.timers.nextAt! <= host.loop.now() + 10_000);
    await host.advance(10_000);
    expect(Object.values(skipped(host))).toEqual([9]);
    device.readings(1);
    await device.acknowledged(1);
  });
});

it('an empty and an oversize datagram are counted', async () => {
  const host = await LinkHost.start();
  const device = await host.device('udp');
  device.sendFrame(new Uint8Array(0));
  device.sendFrame(new Uint8Array(1_201));
  await device.settled();
  expect(Object.fromEntries(host.counters.udp.skippedBytes)).toEqual({ 'too-long': 1_201 });
  expect(Object.fromEntries(host.counters.udp.rejected)).toEqual({ empty: 1 });
});
