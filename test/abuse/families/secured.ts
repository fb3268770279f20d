/** The secure channel and TLS: what is tampered with, recorded, made with other keys, or not secured at all. */
import { once } from 'node:events';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { beginHandshake, encodeMessage, KEY_BYTES, type MessageOf } from '../../../protocol/index.ts';
import { type LinkDevice, sample } from '../../helpers/link-device.ts';
import { ascii, changed, flipped, helloFrame, strangerId } from '../bytes.ts';
import { type AbuseCase, type CaseGroup, type Counted, must } from '../case.ts';
import { within } from '../wait.ts';
import { unique, type World } from '../world.ts';

const soon = <T>(work: Promise<T>, what: string): Promise<T> => within(work, 3_000, what);
const rejected = (reason: string, by: number | 'some' = 1, transport = 'tcp'): Counted => ({
  [`link.${transport}.rejected.${reason}`]: by,
});

/** Boots of a device with a key count up. */
const nextBoot = (): number => 1_000 + unique();

/** The victim in a session of its own, with one reading acknowledged. */
async function victim(world: World, source: 'closed' | 'closed_udp' = 'closed'): Promise<LinkDevice> {
  const device = await world.device(source, world.victim.id, world.victim.key);
  await soon(device.hello({ boot: nextBoot() }), 'WELCOME of the victim');
  device.readings(1);
  await soon(device.acknowledged(1), 'the first ACK of the victim');
  return device;
}

async function goesOn(device: LinkDevice, seq = 2): Promise<void> {
  device.readings(seq);
  await soon(device.acknowledged(seq), 'the ACK of the victim after the attack');
}

/** Something on the victim's own connection or address, by one who can write there, and the victim goes on. */
function onTheWire(
  name: string,
  reason: string,
  attack: (victim: LinkDevice) => Uint8Array,
  source: 'closed' | 'closed_udp' = 'closed',
): AbuseCase {
  return {
    name,
    counted: rejected(reason, 1, source === 'closed' ? 'tcp' : 'udp'),
    async run(world) {
      const device = await victim(world, source);
      const frame = attack(device);
      device.sendFrame(frame);
      await goesOn(device);
      return frame.length;
    },
  };
}

const reading = (value: number): MessageOf<'READINGS'> => ({ type: 'READINGS', samples: [sample(value)] });

/**
 * It was told why, in a line of the log and an event of the bridge. Both come once a minute for each cause, so it may have
 * been an earlier case that was told.
 */
async function toldWhy(world: World, reason: string): Promise<void> {
  const isIt = ({ topic, payload }: { topic: string; payload: Buffer }): boolean =>
    topic === 'abuse/bridge/event' && payload.includes('"type":"refused"') && payload.includes(`"reason":"${reason}"`);
  must((await world.observer.message(isIt)) !== undefined, `no event says ${reason}`);
  const lines = world.gateway.log.split('\n').filter((line) => line.includes(`"reason":"${reason}"`));
  must(lines.length >= 1 && lines.length <= 40, `${lines.length} lines of the log say ${reason}`);
}

/** A frame without a session at a listener that wants keys, and the ERROR that answers it. */
function stranger(
  name: string,
  reason: string,
  code: MessageOf<'ERROR'>['code'] | undefined,
  frame: (world: World) => Uint8Array,
  source: 'closed' | 'closed_udp' | 'tcp' = 'closed',
): AbuseCase {
  return {
    name,
    counted: rejected(reason, 1, source === 'closed_udp' ? 'udp' : 'tcp'),
    async run(world) {
      const device = await world.device(source);
      const bytes = frame(world);
      device.sendFrame(bytes);
      if (code !== undefined) {
        const error = await soon(device.next('ERROR'), `ERROR ${code}`);
        must(error.code === code, `ERROR ${error.code} where ${code} was expected`);
        must(device.largest <= bytes.length * 1.5, `${bytes.length} bytes were answered by ${device.largest}`);
        await toldWhy(world, reason);
      }
      return bytes.length;
    },
  };
}

export const hello = (device: bigint): MessageOf<'HELLO'> => ({
  type: 'HELLO',
  minVersion: 1,
  maxVersion: 1,
  device,
  boot: nextBoot(),
  uptime: 0,
  firstSeq: 1,
  capabilities: { commands: false, clock: false },
  maxFrame: 1_024,
  schemaCrc: 0,
});
const report = (device: bigint, boot: number): MessageOf<'REPORT'> => ({
  type: 'REPORT',
  device,
  boot,
  uptime: 0,
  samples: [sample(1)],
});
export const wrongKey = new Uint8Array(KEY_BYTES).fill(7);

/** A connection to the TLS listener that does not get through. */
function tlsRefused(name: string, reason: string, attack: (world: World) => Promise<number>): AbuseCase {
  return { name, counted: { [`sources.tls.refusals.${reason}`]: 1 }, needs: 'openssl', run: attack };
}

async function tlsConnect(world: World, options: ConnectionOptions): Promise<number> {
  const socket = connectTls({ host: '127.0.0.1', port: world.port('tls'), rejectUnauthorized: false, ...options });
  world.atEnd(() => socket.destroy());
  socket.on('error', () => undefined);
  socket.resume();
  await soon(
    once(socket, 'close').catch(() => undefined),
    'the end of the connection',
  );
  return 300;
}

const secure: AbuseCase[] = [
  onTheWire('a flipped bit in a sealed frame', 'bad-tag', (device) =>
    flipped(device.frame(reading(2), { seq: 2 }), 100),
  ),
  onTheWire('another number on a sealed frame', 'bad-tag', (device) => {
    const frame = device.frame(reading(2), { seq: 2 });
    frame[9] = (frame[9] ?? 0) + 5;
    return frame;
  }),
  onTheWire('another type on a sealed frame', 'bad-tag', (device) => {
    const frame = device.frame(reading(2), { seq: 2 });
    frame[1] = 0x0c;
    return frame;
  }),
  onTheWire(
    'a flipped bit over UDP',
    'bad-tag',
    (device) => flipped(device.frame(reading(2), { seq: 2 }), 90),
    'closed_udp',
  ),
  onTheWire('a sealed frame cut short', 'bad-tag', (device) => device.frame(reading(2), { seq: 2 }).subarray(0, 40)),
  onTheWire('a sealed frame of 20 bytes', 'too-short', (device) =>
    device.frame(reading(2), { seq: 2 }).subarray(0, 20),
  ),
  onTheWire('a sealed frame made a plain one', 'bad-crc', (device) => {
    const frame = device.frame(reading(2), { seq: 2 });
    frame[0] = (frame[0] ?? 0) & ~0x18;
    return frame;
  }),
  onTheWire('plain READINGS in a sealed session', 'key-required', (device) =>
    device.plainFrame(reading(9), { seq: 2 }),
  ),
  onTheWire('a plain BYE in a sealed session', 'key-required', (device) =>
    device.plainFrame({ type: 'BYE', reason: 'restarting' }),
  ),
  onTheWire('a plain ERROR in a sealed session', 'key-required', (device) =>
    device.plainFrame({ type: 'ERROR', code: 'malformed', retryAfter: 0, text: '' }),
  ),
  onTheWire(
    'a plain BYE over UDP',
    'key-required',
    (device) => device.plainFrame({ type: 'BYE', reason: 'restarting' }),
    'closed_udp',
  ),
  onTheWire('a plain HELLO on the same connection', 'key-required', (device) => helloFrame({ device: device.id })),
  ...(['closed', 'closed_udp'] as const).map(
    (source): AbuseCase => ({
      name: `a recorded frame${source === 'closed' ? '' : ' over UDP'}`,
      counted: { ...rejected('replayed', 5, source === 'closed' ? 'tcp' : 'udp') },
      async run(world) {
        const device = await victim(world, source);
        const frame = device.frame(reading(2), { seq: 2 });
        for (let n = 0; n < 6; n++) device.sendFrame(frame);
        await soon(device.acknowledged(2), 'ACK');
        await goesOn(device, 3);
        return frame.length * 6;
      },
    }),
  ),
  {
    name: 'the recorded HELLO of the session that stands',
    counted: rejected('replayed'),
    async run(world) {
      const device = await world.device('closed', world.victim.id, world.victim.key);
      const recorded = device.sendHello({ boot: nextBoot() });
      const welcome = await soon(device.next('WELCOME'), 'WELCOME');
      device.sid = welcome.sid;
      await goesOn(device, 1);
      const copyist = await world.device('closed');
      copyist.sendFrame(recorded);
      await goesOn(device, 2);
      must(copyist.received.length === 0, 'the copy was answered');
      return recorded.length;
    },
  },
  {
    name: 'a recorded HELLO of an earlier session',
    counted: { 'link.tcp.readings': 3 },
    async run(world) {
      const first = await world.device('closed', world.victim.id, world.victim.key);
      const recorded = first.sendHello({ boot: nextBoot() });
      first.sid = (await soon(first.next('WELCOME'), 'WELCOME')).sid;
      await goesOn(first, 1);
      const device = await victim(world);
      const copyist = await world.device('closed');
      copyist.sendFrame(recorded);
      // It gets a WELCOME that it cannot open, and nothing changes.
      await soon(copyist.foreign(1), 'the sealed answer');
      await goesOn(device);
      return recorded.length;
    },
  },
  {
    name: 'a frame of the old session after a new one',
    counted: rejected('unknown-session'),
    async run(world) {
      const old = await victim(world);
      const recorded = old.frame(reading(2), { seq: 2 });
      const device = await victim(world);
      const copyist = await world.device('closed');
      copyist.sendFrame(recorded);
      await soon(copyist.next('ERROR'), 'ERROR');
      await toldWhy(world, 'unknown-session');
      await goesOn(device);
      return recorded.length;
    },
  },
  stranger(
    'a HELLO with a wrong key',
    'wrong-key',
    'authentication_failed',
    (world) => beginHandshake(wrongKey, hello(world.victim.id)).frame,
  ),
  stranger(
    'the same over UDP',
    'wrong-key',
    'authentication_failed',
    (world) => beginHandshake(wrongKey, hello(world.victim.id)).frame,
    'closed_udp',
  ),
  stranger(
    'a key of a device that has none here',
    'unknown-key',
    'authentication_failed',
    () => beginHandshake(wrongKey, hello(strangerId())).frame,
  ),
  stranger('a device without a key', 'no-key', 'authentication_required', () => helloFrame()),
  stranger(
    'a REPORT without a key',
    'no-key',
    'authentication_required',
    () => encodeMessage(report(strangerId(), 7), { sid: 0, seq: 1 }),
    'closed_udp',
  ),
  stranger('a device with a key that speaks plain', 'key-required', 'authentication_required', (world) =>
    helloFrame({ device: world.victim.id }),
  ),
  stranger(
    'the same where plain is allowed',
    'key-required',
    'authentication_required',
    (world) => helloFrame({ device: world.victim.id }),
    'tcp',
  ),
  stranger(
    'its REPORT in plain',
    'key-required',
    'authentication_required',
    (world) => encodeMessage(report(world.victim.id, nextBoot()), { sid: 0, seq: 1 }),
    'closed_udp',
  ),
  stranger('a handshake for another device than it names', 'wrong-key', 'authentication_failed', (world) => {
    const { frame } = beginHandshake(world.victim.key, hello(world.victim.id));
    new DataView(frame.buffer, frame.byteOffset).setBigUint64(10, 0xfeed_0000_0000_0002n);
    return frame;
  }),
  stranger('a handshake with a flipped bit', 'wrong-key', 'authentication_failed', (world) =>
    flipped(beginHandshake(world.victim.key, hello(world.victim.id)).frame, 8 * 60),
  ),
  stranger('a handshake cut short', 'too-short', undefined, (world) =>
    beginHandshake(world.victim.key, hello(world.victim.id)).frame.subarray(0, 50),
  ),
  stranger('a handshake of 300 bytes', 'too-long', undefined, (world) =>
    Buffer.concat([beginHandshake(world.victim.key, hello(world.victim.id)).frame, new Uint8Array(200)]),
  ),
  stranger('a handshake in our direction', 'wrong-direction', undefined, (world) => {
    const { frame } = beginHandshake(world.victim.key, hello(world.victim.id));
    frame[0] = 0x2c;
    return frame;
  }),
  {
    name: 'a sealed frame in a plain session',
    counted: rejected('wrong-level'),
    async run(world) {
      const device = await world.device();
      await soon(device.hello(), 'WELCOME');
      const frame = changed(device.plainFrame(reading(1), { seq: 1 }), (bytes) => (bytes[0] = 0x2a));
      device.sendFrame(frame);
      device.readings(1);
      await soon(device.acknowledged(1), 'ACK');
      return frame.length;
    },
  },
  {
    name: 'a recorded REPORT',
    counted: { 'link.udp.readings': 1, 'link.udp.duplicates': 3 },
    async run(world) {
      const device = await world.device('closed_udp', world.victim.id, world.victim.key);
      const frame = device.report(1, { boot: nextBoot() });
      await soon(device.acknowledged(1), 'ACK');
      const copyist = await world.device('closed_udp');
      for (let n = 1; n <= 3; n++) {
        copyist.sendFrame(frame);
        await soon(copyist.foreign(n), 'the sealed answer');
      }
      must(copyist.largest <= frame.length * 1.5, `answered by ${copyist.largest} bytes`);
      return frame.length * 4;
    },
  },
  {
    name: 'a recorded REPORT of an old boot',
    counted: rejected('old-boot', 1, 'udp'),
    async run(world) {
      const device = await world.device('closed_udp', world.victim.id, world.victim.key);
      const frame = device.report(1, { boot: nextBoot() });
      await soon(device.acknowledged(1), 'ACK');
      device.report(1, { boot: nextBoot() });
      await soon(device.acknowledged(1), 'ACK');
      const copyist = await world.device('closed_udp');
      copyist.sendFrame(frame);
      must((await soon(copyist.next('ERROR'), 'ERROR')).code === 'authentication_failed', 'another ERROR');
      return frame.length;
    },
  },
];

const tls: AbuseCase[] = [
  tlsRefused('a plain frame to the TLS listener', 'no-tls', async (world) => {
    const socket = await world.connect('tls');
    const frame = helloFrame();
    socket.write(frame);
    socket.resume();
    return frame.length;
  }),
  tlsRefused('HTTP to the TLS listener', 'no-tls', async (world) => {
    const socket = await world.connect('tls');
    socket.write(ascii('GET / HTTP/1.1\r\n\r\n'));
    socket.resume();
    return 18;
  }),
  tlsRefused('TLS without a certificate', 'no-certificate', (world) => tlsConnect(world, {})),
  tlsRefused('TLS with a certificate of nobody', 'bad-certificate', (world) =>
    tlsConnect(world, world.certificates?.read(world.certificates.stranger) ?? {}),
  ),
  tlsRefused('TLS 1.1', 'old-version', (world) =>
    tlsConnect(world, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
  ),
  tlsRefused('a TLS handshake that is never completed', 'timeout', async (world) => {
    const socket = await world.connect('tls');
    socket.resume();
    socket.write(Uint8Array.of(0x16, 3, 1, 2, 0, 1));
    await soon(
      once(socket, 'close').catch(() => undefined),
      'the end of the connection',
    );
    return 6;
  }),
  {
    name: 'noise inside of TLS',
    needs: 'openssl',
    counted: { 'link.tcp.skipped_bytes.bad-length': 4 },
    async run(world) {
      const own = world.certificates?.read(world.certificates.device) ?? {};
      const socket = connectTls({ host: '127.0.0.1', port: world.port('tls'), rejectUnauthorized: false, ...own });
      world.atEnd(() => socket.destroy());
      socket.on('error', () => undefined);
      await soon(once(socket, 'secureConnect'), 'TLS');
      socket.write(Uint8Array.of(5, 1, 2, 0));
      return 4;
    },
  },
];

export const secured: CaseGroup = { family: 'secured', cases: [...secure, ...tls] };
