/** Bytes on streams, datagrams and lines that are no frames, or frames that no gateway takes. */
import { once } from 'node:events';
import { encodeFrame, encodeMessage } from '../../../protocol/index.ts';
import { sample } from '../../helpers/link-device.ts';
import { ascii, changed, flipped, helloFrame, noise, onStream } from '../bytes.ts';
import { type AbuseCase, type CaseGroup, type Counted, must } from '../case.ts';
import { sleep, within } from '../wait.ts';
import type { World } from '../world.ts';

/** These bytes on a connection of their own, and FIN behind them if `end`. */
function onTcp(
  name: string,
  counted: Counted,
  bytes: () => Uint8Array,
  more: { end?: boolean; also?: string[] } = {},
): AbuseCase {
  return {
    name,
    counted,
    ...(more.also !== undefined && { also: more.also }),
    async run(world) {
      const all = bytes();
      const socket = await world.connect();
      socket.resume();
      socket.write(all);
      if (more.end === true) socket.end();
      return all.length;
    },
  };
}

/** One datagram each; what comes back must not be more than one and a half times what was sent. */
function onUdp(name: string, counted: Counted, datagrams: () => Uint8Array[], also?: string[]): AbuseCase {
  return {
    name,
    counted,
    ...(also !== undefined && { also }),
    async run(world) {
      const attacker = await world.datagrams();
      for (const bytes of datagrams()) await attacker.send(bytes);
      await sleep(20);
      must(attacker.answeredBytes <= attacker.sentBytes * 1.5, `answered with ${attacker.answeredBytes} bytes`);
      return attacker.sentBytes;
    },
  };
}

function onSerial(name: string, counted: Counted, bytes: () => Uint8Array, also?: string[]): AbuseCase {
  const needs = 'socat or python3';
  return { name, counted, needs, ...(also !== undefined && { also }), run: async (world) => world.onLine(bytes()) };
}

const skipped = (reason: string, by: number | 'some', transport = 'tcp'): Counted => ({
  [`link.${transport}.skipped_bytes.${reason}`]: by,
});
const rejected = (reason: string, by: number | 'some' = 1, transport = 'tcp'): Counted => ({
  [`link.${transport}.rejected.${reason}`]: by,
});
const ANY_TCP = ['link.tcp.rejected.', 'link.tcp.skipped_bytes.'];
const ANY_UDP = ['link.udp.rejected.', 'link.udp.skipped_bytes.'];
const ANY_SERIAL = ['link.serial.rejected.', 'link.serial.skipped_bytes.'];

/** A right frame that is longer than a stream may have. */
function oversize(): Uint8Array {
  return encodeFrame({ type: 4, sid: 1, seq: 1, ackWanted: true }, new Uint8Array(1_025 - 14));
}

const cases: AbuseCase[] = [
  onTcp('connect and FIN', { 'sources.tcp.accepted': 1 }, () => new Uint8Array(0), { end: true }),
  onTcp('an empty frame', skipped('empty', 2), () => Uint8Array.of(1, 0)),
  onTcp('only zeros', skipped('fill', 10_000), () => new Uint8Array(10_000)),
  onTcp('1 MB without a delimiter', skipped('too-long', 'some'), () => new Uint8Array(1_000_000).fill(0x55), {
    also: ANY_TCP,
  }),
  onTcp('a COBS code past the end', skipped('bad-length', 4), () => Uint8Array.of(5, 0x11, 0x22, 0)),
  onTcp('every COBS code past the end', skipped('bad-length', 'some'), () =>
    Uint8Array.from(Array.from({ length: 254 }, (_, i) => [i + 2, 0]).flat()),
  ),
  onTcp('a frame of 1,025 bytes', skipped('too-long', 'some'), () => onStream(oversize())),
  onTcp('a frame of 5 bytes', rejected('too-short'), () => onStream(Uint8Array.of(0x20, 1, 2, 3, 4))),
  {
    name: 'HELLO byte by byte',
    counted: { 'link.tcp.frames': 1 },
    async run(world) {
      const device = await world.device();
      const frame = onStream(helloFrame({ device: device.id }));
      for (const byte of frame) {
        device.write(Uint8Array.of(byte));
        await sleep(1);
      }
      await within(device.next('WELCOME'), 2_000, 'WELCOME');
      return frame.length;
    },
  },
  {
    name: '1,000 frames in one chunk',
    counted: { 'link.tcp.readings': 1_000 },
    async run(world) {
      const device = await world.device();
      await device.hello();
      const frames = Array.from({ length: 1_000 }, (_, i) =>
        onStream(device.frame({ type: 'READINGS', samples: [sample(i)] }, { seq: i + 1 })),
      );
      const chunk = Buffer.concat(frames);
      device.write(chunk);
      await within(device.acknowledged(1_000), 10_000, 'the last ACK');
      return chunk.length;
    },
  },
  onTcp('the end in mid-frame', skipped('truncated', 20), () => onStream(helloFrame()).subarray(0, 20), { end: true }),
  {
    name: 'RST in mid-frame',
    counted: { 'sources.tcp.failed': 1 },
    also: ANY_TCP,
    async run(world) {
      const socket = await world.connect();
      const half = onStream(helloFrame()).subarray(0, 20);
      socket.write(half);
      await sleep(50);
      socket.resetAndDestroy();
      return half.length;
    },
  },
  {
    name: 'a frame that is never completed',
    counted: { 'limits.frame_s': 1, 'link.tcp.skipped_bytes.expired': 10 },
    async run(world) {
      const device = await world.device();
      await device.hello();
      device.write(onStream(device.frame({ type: 'READINGS', samples: [sample(1)] }, { seq: 1 })).subarray(0, 10));
      await sleep(1_200);
      // The same connection is good again.
      device.readings(1);
      await within(device.acknowledged(1), 2_000, 'the next ACK');
      return 10;
    },
  },
  onTcp('a bad CRC', rejected('bad-crc'), () => onStream(flipped(helloFrame(), 200))),
  onTcp('1,000 frames with a bad CRC', rejected('bad-crc', 1_000), () =>
    Buffer.concat(Array.from({ length: 1_000 }, (_, i) => onStream(flipped(helloFrame(), 100 + (i % 200))))),
  ),
  {
    name: 'version 2',
    counted: rejected('bad-version'),
    async run(world) {
      const device = await world.device();
      const frame = changed(helloFrame(), (bytes) => (bytes[0] = 0x40));
      device.sendFrame(frame);
      must((await within(device.next('ERROR'), 2_000, 'ERROR')).code === 'unsupported_version', 'another ERROR');
      return frame.length;
    },
  },
  onTcp('security levels 2 and 3', rejected('unsupported-security', 2), () =>
    Buffer.concat([0x10, 0x18].map((bits) => onStream(changed(helloFrame(), (bytes) => (bytes[0] = 0x20 | bits))))),
  ),
  onTcp('in our own direction', rejected('wrong-direction'), () =>
    onStream(changed(helloFrame(), (bytes) => (bytes[0] = 0x24))),
  ),
  {
    name: 'an unknown type, not critical',
    counted: rejected('unknown-message'),
    async run(world) {
      const device = await world.device();
      await device.hello();
      const frame = encodeFrame({ type: 0x7f, sid: device.sid, seq: 1 }, noise(20));
      device.sendFrame(frame);
      await within(device.settled(), 2_000, 'the session to go on');
      return frame.length;
    },
  },
  {
    name: 'an unknown type, critical',
    counted: rejected('unknown-message'),
    async run(world) {
      const device = await world.device();
      await device.hello();
      const frame = encodeFrame({ type: 0x7f, sid: device.sid, seq: 1, critical: true }, noise(20));
      device.sendFrame(frame);
      must((await within(device.next('ERROR'), 2_000, 'ERROR')).code === 'unsupported_type', 'another ERROR');
      await within(device.closed, 2_000, 'the end');
      return frame.length;
    },
  },
  onTcp('257 bytes without a session', rejected('too-large'), () =>
    onStream(encodeFrame({ type: 1, sid: 0, seq: 0 }, new Uint8Array(257 - 14))),
  ),
  onTcp('64 KB of noise', skipped('bad-length', 'some'), () => noise(65_536), { also: ANY_TCP }),
  onTcp(
    'HTTP of a browser',
    rejected('other-protocol', 1),
    () => ascii('GET /<script>alert(1)</script> HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'),
    { end: true },
  ),
  onTcp(
    'the ClientHello of TLS',
    rejected('other-protocol', 1),
    () =>
      Buffer.from(
        '16030100f8010000f40303000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20e0e1e2e3',
        'hex',
      ),
    {
      end: true,
      also: ANY_TCP,
    },
  ),
  onTcp(
    'CONNECT of MQTT',
    skipped('bad-length', 'some'),
    () => Buffer.from('101000044d5154540402003c0004616263640000', 'hex'),
    {
      end: true,
      also: ANY_TCP,
    },
  ),

  onUdp('an empty datagram', rejected('empty', 1, 'udp'), () => [new Uint8Array(0)]),
  onUdp('a datagram of 1,201 bytes', skipped('too-long', 1_201, 'udp'), () => [new Uint8Array(1_201)]),
  onUdp('a datagram of 65,507 bytes', skipped('too-long', 65_507, 'udp'), () => [noise(65_507)]),
  onUdp('a datagram in COBS', rejected('bad-crc', 1, 'udp'), () => [onStream(helloFrame())]),
  onUdp('two frames in a datagram', rejected('bad-crc', 1, 'udp'), () => [Buffer.concat([helloFrame(), helloFrame()])]),
  onUdp('a datagram cut short', rejected('bad-crc', 1, 'udp'), () => [helloFrame().subarray(0, 40)]),
  onUdp(
    'HELLO with each bit flipped',
    rejected('bad-crc', 'some', 'udp'),
    () => {
      const hello = helloFrame();
      return Array.from({ length: hello.length * 8 }, (_, bit) => flipped(hello, bit));
    },
    ANY_UDP,
  ),
  onUdp(
    '1,000 datagrams of noise',
    rejected('bad-crc', 'some', 'udp'),
    () => Array.from({ length: 1_000 }, (_, i) => noise(1 + (i % 300), i + 1)),
    ANY_UDP,
  ),

  onSerial('noise on the line', skipped('bad-length', 'some', 'serial'), () => noise(4_096, 7), ANY_SERIAL),
  onSerial('a break: zeros on the line', skipped('fill', 2_000, 'serial'), () => new Uint8Array(2_000)),
  onSerial(
    'half a frame, and the next one behind it',
    rejected('bad-crc', 'some', 'serial'),
    () =>
      Buffer.concat([onStream(helloFrame()).subarray(0, 20), Uint8Array.of(0), onStream(flipped(helloFrame(), 77))]),
    ANY_SERIAL,
  ),
  onSerial('what a bootloader prints', { 'link.serial.skipped_bytes.expired': 65, 'limits.frame_s': 1 }, () =>
    ascii('\r\nets Jun  8 2016 00:22:57\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13\r\n'),
  ),
  {
    name: 'a frame of a session on the line of another',
    counted: { 'link.serial.rejected.unknown-session': 1 },
    needs: 'socat or python3',
    async run(world: World) {
      const device = await world.device();
      await device.hello();
      const frame = encodeMessage({ type: 'READINGS', samples: [sample(1)] }, { sid: device.sid, seq: 1 });
      const answered = world.line === undefined ? undefined : once(world.line, 'data');
      const length = world.onLine(onStream(frame));
      await answered;
      return length;
    },
  },
];

export const framing: CaseGroup = { family: 'framing', cases };
