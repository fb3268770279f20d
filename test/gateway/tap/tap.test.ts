/** Frames as a page sees them pass, from a real gateway. */
import { once } from 'node:events';
import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { FrameView } from '../../../gateway/http/api-types.ts';
import { encodeMessage, type Message } from '../../../protocol/index.ts';
import { DEVICE_ID, sample } from '../../helpers/link-device.ts';
import { WebGateway } from '../http/web-gateway.ts';

const ID = 'a1b2c3d4e5f60718';

async function line(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Every byte that is shown stands in one part at most, and none beyond the end. */
function expectTidy({ parts, length }: FrameView): void {
  let at = 0;
  for (const [from, size] of parts) {
    expect(from).toBeGreaterThanOrEqual(at);
    at = from + size;
  }
  expect(at).toBeLessThanOrEqual(length);
}

describe.each(['tcp', 'udp'] as const)('the link protocol over %s', (transport) => {
  it('is shown in both directions, by device, each field with its meaning', async () => {
    const web = await WebGateway.open(`${transport}: 127.0.0.1:0`);
    const device = await web.device(transport);
    const feed = await web.watch('frames');
    device.readings(1, sample(21.5));
    const readings = await feed.frame(({ message }) => message === 'READINGS');
    expect(readings).toMatchObject({ direction: 'in', kind: 'frame', device: ID });
    expect(readings).not.toHaveProperty('problem');
    expect(readings.hex.length).toBe(readings.length * 2);
    expectTidy(readings);
    const [, , , value, meaning] = readings.parts.at(-1)!;
    expect(value).toMatch(/^0x/);
    expect(meaning).toContain('right');
    const ack = await feed.frame(({ message }) => message === 'ACK');
    expect(ack).toMatchObject({ direction: 'out', device: ID });
    expect(ack.parts.find(([, , name]) => name === 'map')).toBeDefined();
  });

  it('shows a bad frame with what is wrong with it', async () => {
    const web = await WebGateway.open(`${transport}: 127.0.0.1:0`);
    const device = await web.device(transport);
    const feed = await web.watch('frames');
    const frame = device.plainFrame({ type: 'READINGS', samples: [sample(1)] }, { seq: 9 });
    frame[12]! ^= 1;
    device.sendFrame(frame);
    const shown = await feed.frame(({ problem }) => problem !== undefined);
    expect(shown).toMatchObject({ kind: 'frame', problem: { code: 'bad-crc', text: expect.stringMatching(/\w{4}/) } });
    expect(shown.hex).toBe(Buffer.from(frame).toString('hex'));
    expectTidy(shown);
  });
});

it('a report without a session is shown with the device that it comes from', async () => {
  const web = await WebGateway.open('udp: 127.0.0.1:0');
  const feed = await web.watch('frames');
  const socket = createSocket('udp4');
  onTestFinished(() => void socket.close());
  const report = {
    type: 'REPORT' as const,
    device: DEVICE_ID,
    boot: 7,
    uptime: 0,
    samples: [sample(3)],
  } satisfies Message;
  socket.send(encodeMessage(report, { sid: 0, seq: 1 }), web.port(), '127.0.0.1');
  expect(await feed.frame(({ message }) => message === 'REPORT')).toMatchObject({ direction: 'in', device: ID });
});

it('bytes that are no frame are shown with the reason', async () => {
  const web = await WebGateway.open('tcp: 127.0.0.1:0');
  const feed = await web.watch('frames');
  const socket = await line(web.port());
  socket.write(Uint8Array.of(0x09, 0x01, 0x02, 0x00));
  const skip = await feed.frame(({ kind }) => kind === 'skip');
  expect(skip).toMatchObject({ direction: 'in', reason: 'bad-length', hex: expect.stringContaining('0102') });
  expect(skip.problem).toEqual({ code: 'bad-length', text: 'a length that cannot be' });
  expect(skip).not.toHaveProperty('device');
});

/** The checksum of a frame of the PMS5003: the sum of all before it, as hex. */
function sum(frame: Buffer): string {
  const total = frame.subarray(0, -2).reduce((before, byte) => before + byte, 0);
  return total.toString(16).padStart(4, '0');
}

describe('a device with a profile', () => {
  const FRAME = Buffer.from('424d001c0001000200030004000500060007000800090a0b0c0d0e0f10110000', 'hex');
  FRAME.writeUInt16BE(
    FRAME.subarray(0, -2).reduce((sum, byte) => sum + byte, 0),
    FRAME.length - 2,
  );

  it('has its fields named as its profile names them', async () => {
    const web = await WebGateway.open('{ tcp: 127.0.0.1:0, profile: pms5003, device: air }');
    const feed = await web.watch('frames');
    (await line(web.port())).write(FRAME);
    const shown = await feed.frame(({ kind }) => kind === 'frame');
    expect(shown).toMatchObject({ direction: 'in', device: 'air', message: 'data', hex: FRAME.toString('hex') });
    expect(shown).not.toHaveProperty('problem');
    expect(shown.parts.find(([, , name]) => name === 'pm2_5')).toMatchObject([
      12,
      2,
      'pm2_5',
      '5 µg/m³',
      expect.any(String),
    ]);
    expectTidy(shown);
  });

  it('whose checksum fails is shown with both: what came, and what it should be', async () => {
    const web = await WebGateway.open('{ tcp: 127.0.0.1:0, profile: pms5003, device: air }');
    const feed = await web.watch('frames');
    const bad = Buffer.from(FRAME);
    bad[13]! ^= 0x10;
    (await line(web.port())).write(Buffer.concat([bad, FRAME]));
    const skip = await feed.frame(({ reason }) => reason === 'bad-checksum');
    expect(skip).toMatchObject({ kind: 'skip', device: 'air', problem: { code: 'bad-checksum' } });
    expect(skip.problem!.text).toContain(sum(bad));
    expect(skip.problem!.text).toContain(sum(FRAME));
  });
});

it('nothing is put together while nobody watches', async () => {
  const web = await WebGateway.open('tcp: 127.0.0.1:0');
  const device = await web.device('tcp');
  const feed = await web.watch('frames');
  feed.socket.send(JSON.stringify({ watch: ['devices'] }));
  await feed.next(({ t }) => t === 'devices');
  const before = feed.pushes.filter(({ t }) => t === 'frame').length;
  device.readings(1, sample(21.5));
  await device.acknowledged(1);
  await feed.next((push) => push.t === 'devices' && push.d[0]?.last_seen !== undefined);
  expect(feed.pushes.filter(({ t }) => t === 'frame').length).toBe(before);
});
