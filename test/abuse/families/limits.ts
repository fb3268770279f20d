/** The limits as they are shipped, each reached on purpose. */
import { once } from 'node:events';
import { type LinkDevice, sample } from '../../helpers/link-device.ts';
import { changed, helloFrame, noise, onStream, strangerId } from '../bytes.ts';
import { beginHandshake, encodeMessage } from '../../../protocol/index.ts';
import { type AbuseCase, type CaseGroup, must } from '../case.ts';
import { sleep, within } from '../wait.ts';
import type { World } from '../world.ts';
import { hello, wrongKey } from './secured.ts';

const soon = <T>(work: Promise<T>, what: string): Promise<T> => within(work, 10_000, what);

async function begin(device: LinkDevice): Promise<void> {
  await soon(device.hello(), 'WELCOME');
}

async function openMany(world: World, addresses: readonly string[], each: number): Promise<void> {
  for (const address of addresses) for (let n = 0; n < each; n++) await world.connect('tcp', address);
}

/** All at once on a connection of its own, until the gateway has had enough of it. */
async function pour(world: World, bytes: Uint8Array): Promise<number> {
  const socket = await world.connect('tcp', '127.0.0.3');
  socket.resume();
  socket.write(bytes);
  // An end or a reset, as the case may be.
  const over = Promise.race([once(socket, 'end'), once(socket, 'close')]).catch(() => undefined);
  await soon(over, 'the end of the connection');
  return bytes.length;
}

const cases: AbuseCase[] = [
  {
    name: '70 connections from one address',
    counted: { 'limits.connections_per_address': 6 },
    async run(world) {
      await openMany(world, ['127.0.0.2'], 70);
      return 0;
    },
  },
  {
    name: '100 strangers from ten addresses',
    counted: { 'limits.connections_unauthenticated': 37 },
    async run(world) {
      await openMany(
        world,
        Array.from({ length: 10 }, (_, i) => `127.0.1.${i + 1}`),
        10,
      );
      // Whoever has a session is not in the way.
      await begin(await world.device());
      return 0;
    },
  },
  {
    name: '700 frames at once over UDP',
    counted: { 'limits.frames_per_s': 'some', 'link.udp.limited': 'some' },
    async run(world) {
      const device = await world.device('udp');
      await begin(device);
      await world.datagramsInTurn(700, (token) => device.send({ type: 'PING', token }));
      const error = await soon(device.next('ERROR'), 'ERROR');
      must(error.code === 'rate_limited' && error.retryAfter >= 1, `ERROR ${error.code}`);
      return 700 * 18;
    },
  },
  {
    name: '600 frames at once over TCP',
    counted: { 'limits.frames_per_s': 'some', 'link.tcp.readings': 600 },
    async run(world) {
      const device = await world.device();
      await begin(device);
      const all = Buffer.concat(
        Array.from({ length: 600 }, (_, i) =>
          onStream(device.frame({ type: 'READINGS', samples: [sample(i)] }, { seq: i + 1 })),
        ),
      );
      device.write(all);
      // Read more slowly, and nothing is lost.
      await soon(device.acknowledged(600), 'the last ACK');
      return all.length;
    },
  },
  {
    name: '400 KB of noise on a connection',
    counted: { 'limits.frames_per_s': 'some', 'limits.handshake_s': 1 },
    also: ['link.tcp.'],
    run: (world) => pour(world, noise(400_000)),
  },
  {
    name: '400 KB without a delimiter on a connection',
    counted: { 'limits.bytes_per_s': 'some', 'limits.handshake_s': 1 },
    also: ['link.tcp.'],
    run: (world) => pour(world, new Uint8Array(400_000).fill(0x55)),
  },
  {
    name: '150 HELLOs from one address',
    counted: { 'limits.handshakes_per_address_per_s': 'some', 'link.udp.rejected.handshake-rate': 'some' },
    async run(world) {
      const attacker = await world.datagrams('udp', '127.0.0.4');
      await world.datagramsInTurn(150, () => attacker.send(helloFrame()));
      await sleep(50);
      must(attacker.answeredBytes <= attacker.sentBytes * 1.5, `answered with ${attacker.answeredBytes} bytes`);
      return attacker.sentBytes;
    },
  },
  {
    name: '1,000 datagrams that want an answer',
    counted: { 'limits.answers_per_s': 'some', 'link.udp.rejected.bad-version': 1_000 },
    async run(world) {
      const attacker = await world.datagrams('udp', '127.0.0.5');
      const frame = changed(helloFrame(), (bytes) => (bytes[0] = 0x40));
      await world.datagramsInTurn(1_000, () => attacker.send(frame));
      await sleep(50);
      must(attacker.answers.length <= 700, `${attacker.answers.length} answers`);
      return attacker.sentBytes;
    },
  },
  {
    name: '1,000 questions to the time service',
    counted: { 'limits.answers_per_s': 'some' },
    async run(world) {
      const attacker = await world.datagrams('time', '127.0.0.6');
      await world.datagramsInTurn(1_000, () => attacker.send(Uint8Array.of(1, 2, 3, 4)));
      await sleep(50);
      must(attacker.answeredBytes <= attacker.sentBytes * 1.5, `answered with ${attacker.answeredBytes} bytes`);
      must(attacker.answers.length <= 700, `${attacker.answers.length} answers`);
      return attacker.sentBytes;
    },
  },
  {
    name: '200 LOG messages at once',
    counted: { 'limits.logs_per_s': 'some' },
    async run(world) {
      const device = await world.device();
      await begin(device);
      for (let n = 0; n < 200; n++) device.send({ type: 'LOG', level: 'warning', text: `line ${n}` });
      await soon(device.settled(), 'the device');
      return 200 * 25;
    },
  },
  {
    name: '40 devices behind one connection',
    counted: { 'limits.sessions_per_connection': 8 },
    async run(world) {
      const device = await world.device();
      for (let n = 0; n < 40; n++) device.write(onStream(helloFrame()));
      await soon(device.next('WELCOME'), 'WELCOME');
      return 40 * 46;
    },
  },
  {
    name: 'more connections than there may be',
    counted: { 'limits.connections': 'some' },
    also: ['limits.connections_unauthenticated'],
    async run(world) {
      // With a session each, so that none of them is in the way of strangers as such.
      for (let n = 0; n < 95; n++) {
        const socket = await world.connect('tcp', `127.0.2.${1 + (n % 10)}`);
        const answered = once(socket, 'data');
        socket.write(onStream(helloFrame()));
        await soon(answered, 'WELCOME');
      }
      await openMany(world, ['127.0.3.1'], 20);
      return 95 * 46;
    },
  },
  {
    name: '1,200 wrong keys',
    counted: { 'link.udp.rejected.wrong-key': 'some', 'link.udp.rejected.handshake-rate': 'some' },
    also: ['limits.answers_per_s', 'limits.handshakes_'],
    async run(world) {
      const attacker = await world.datagrams('closed_udp', '127.0.0.8');
      const { frame } = beginHandshake(wrongKey, hello(world.victim.id));
      await world.datagramsInTurn(1_200, () => attacker.send(frame));
      must(attacker.answeredBytes <= attacker.sentBytes * 1.5, `answered with ${attacker.answeredBytes} bytes`);
      return attacker.sentBytes;
    },
  },
  {
    name: 'REPORTs of 450 devices that nobody knows, from five addresses',
    counted: { 'limits.devices': 'some', 'link.udp.rejected.too-many-devices': 'some' },
    also: ['limits.answers_per_s', 'limits.handshakes_', 'link.udp.rejected.handshake-rate'],
    async run(world) {
      let sent = 0;
      for (let last = 11; last <= 15; last++) {
        const attacker = await world.datagrams('udp', `127.0.0.${last}`);
        await world.datagramsInTurn(90, () => {
          const device = strangerId();
          return attacker.send(
            encodeMessage({ type: 'REPORT', device, boot: 1, uptime: 0, samples: [sample(1)] }, { sid: 0, seq: 1 }),
          );
        });
        must(attacker.answeredBytes <= attacker.sentBytes * 1.5, `answered with ${attacker.answeredBytes} bytes`);
        sent += attacker.sentBytes;
      }
      return sent;
    },
  },
];

export const limits: CaseGroup = { family: 'limits', cases };
