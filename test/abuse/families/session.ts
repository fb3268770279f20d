/** Right frames at the wrong time, from the wrong peer, or with numbers that cannot be. */
import type { MessageOf } from '../../../protocol/index.ts';
import type { LinkDevice } from '../../helpers/link-device.ts';
import { sample } from '../../helpers/link-device.ts';
import { changed, helloFrame, onStream, raw, strangerId } from '../bytes.ts';
import { type AbuseCase, type CaseGroup, type Counted, must } from '../case.ts';
import { sleep, within } from '../wait.ts';
import type { World } from '../world.ts';

const rejected = (reason: string, by: number | 'some' = 1, transport = 'tcp'): Counted => ({
  [`link.${transport}.rejected.${reason}`]: by,
});

function bytes(count: number, value: number): number[] {
  return Array.from({ length: count }, () => value);
}

const soon = <T>(work: Promise<T>, what: string): Promise<T> => within(work, 3_000, what);

async function expectError(device: LinkDevice, code: MessageOf<'ERROR'>['code']): Promise<void> {
  const error = await soon(device.next('ERROR'), `ERROR ${code}`);
  must(error.code === code, `ERROR ${error.code} where ${code} was expected`);
}

/** The device goes on as if nothing had been. */
async function goesOn(device: LinkDevice, seq: number): Promise<void> {
  device.readings(seq);
  await soon(device.acknowledged(seq), 'the ACK of a device that was attacked');
  must(device.of('ERROR').length === 0, 'the device that was attacked got an ERROR');
}

/** One frame of a stranger without a session, and the code of the ERROR that answers it. */
function stranger(
  name: string,
  reason: string,
  code: MessageOf<'ERROR'>['code'] | undefined,
  frame: () => Uint8Array,
): AbuseCase {
  return {
    name,
    counted: rejected(reason),
    async run(world) {
      const device = await world.device();
      const bytes = frame();
      device.sendFrame(bytes);
      if (code !== undefined) await expectError(device, code);
      return bytes.length;
    },
  };
}

/** One frame in a session, which ends with ERROR `malformed`. */
function malformed(name: string, reason: string, frame: (device: LinkDevice) => Uint8Array): AbuseCase {
  return {
    name,
    counted: rejected(reason),
    async run(world) {
      const device = await world.device();
      await soon(device.hello(), 'WELCOME');
      const bytes = frame(device);
      device.sendFrame(bytes);
      await expectError(device, 'malformed');
      await soon(device.closed, 'the end of the connection');
      return bytes.length;
    },
  };
}

/** A frame with the session number of another device, from elsewhere: it is told that it has no such session. */
function forged(
  name: string,
  transport: 'tcp' | 'udp',
  frame: (victim: LinkDevice, forger: LinkDevice) => Uint8Array,
): AbuseCase {
  return {
    name,
    counted: rejected('unknown-session', 1, transport),
    async run(world) {
      const victim = await world.device(transport);
      await soon(victim.hello(), 'WELCOME');
      const forger = await world.device(transport);
      const bytes = frame(victim, forger);
      forger.sendFrame(bytes);
      await expectError(forger, 'unknown_session');
      await goesOn(victim, 1);
      return bytes.length;
    },
  };
}

const bye = (victim: LinkDevice, forger: LinkDevice) =>
  forger.frame({ type: 'BYE', reason: 'restarting' }, { sid: victim.sid });

async function flood(world: World, hellos: number): Promise<number> {
  const device = await world.device();
  const all = Buffer.concat(Array.from({ length: hellos }, () => onStream(helloFrame())));
  device.write(all);
  return all.length;
}

const cases: AbuseCase[] = [
  stranger('data first', 'bad-sid', 'malformed', () =>
    raw('READINGS', { sid: 0, seq: 1, ackWanted: true }, [1, 1, 1, 1]),
  ),
  stranger('an unknown session', 'unknown-session', 'unknown_session', () =>
    raw('PING', { sid: 0xdead_beef, seq: 1 }, [0, 0, 0, 1]),
  ),
  forged('READINGS in the session of another', 'tcp', (victim, forger) =>
    forger.frame({ type: 'READINGS', samples: [sample(1)] }, { seq: 1, sid: victim.sid }),
  ),
  forged('READINGS in the session of another, over UDP', 'udp', (victim, forger) =>
    forger.frame({ type: 'READINGS', samples: [sample(1)] }, { seq: 1, sid: victim.sid }),
  ),
  forged('a forged BYE', 'tcp', bye),
  forged('a forged BYE over UDP', 'udp', bye),
  forged('a forged ERROR', 'tcp', (victim, forger) =>
    forger.frame({ type: 'ERROR', code: 'malformed', retryAfter: 0, text: '' }, { sid: victim.sid }),
  ),
  stranger('an ERROR without a session', 'wrong-place', undefined, () =>
    raw('ERROR', { sid: 0, seq: 1 }, [1, 0, 0, 0]),
  ),
  {
    name: '500 HELLOs of strangers on one connection',
    counted: { 'link.tcp.frames': 500, 'limits.sessions_per_connection': 468 },
    run: (world) => flood(world, 500),
  },
  {
    name: 'HELLO twice',
    counted: { 'link.tcp.frames': 2 },
    async run(world) {
      const device = await world.device();
      const first = await soon(device.hello(), 'WELCOME');
      const second = await soon(device.hello(), 'WELCOME');
      must(first.sid === second.sid, 'the second HELLO has begun another session');
      return 88;
    },
  },
  {
    name: 'two sockets for one device',
    counted: { 'link.tcp.readings': 1 },
    async run(world) {
      const first = await world.device();
      await soon(first.hello(), 'WELCOME');
      const second = await world.device('tcp', first.id);
      await soon(second.hello(), 'WELCOME');
      await expectError(first, 'replaced');
      await soon(first.closed, 'the end of the first');
      await goesOn(second, 1);
      return 88;
    },
  },
  {
    name: 'two sockets for one device, 100 times in turn',
    counted: { 'link.tcp.frames': 100 },
    async run(world) {
      const id = strangerId();
      for (let i = 0; i < 100; i++) await soon((await world.device('tcp', id)).hello(), 'WELCOME');
      return 100 * 44;
    },
  },
  {
    name: 'an earlier boot, and back',
    counted: { 'link.tcp.duplicates': 1, 'link.tcp.readings': 2 },
    async run(world) {
      const device = await world.device();
      for (const boot of [9, 5, 9]) {
        await soon(device.hello({ boot }), 'WELCOME');
        await goesOn(device, 1);
      }
      return 3 * 71;
    },
  },
  malformed('seq 0', 'bad-seq', (device) => device.frame({ type: 'READINGS', samples: [sample(1)] }, { seq: 0 })),
  {
    name: 'the last seq, and the wrap to 0',
    counted: { ...rejected('bad-seq'), 'link.tcp.readings': 1 },
    async run(world) {
      const device = await world.device();
      await soon(device.hello({ firstSeq: 0xffff_ffff }), 'WELCOME');
      await goesOn(device, 0xffff_ffff);
      device.readings(0);
      await expectError(device, 'malformed');
      return 54;
    },
  },
  {
    name: 'a jump of a million',
    counted: { 'link.tcp.readings': 1 },
    async run(world) {
      const device = await world.device();
      await soon(device.hello(), 'WELCOME');
      device.readings(1_000_000);
      // Proof that 999,968 and what is before are gone; the rest may still come.
      const ack = await soon(device.next('ACK'), 'ACK');
      must(ack.seq === 999_968 && ack.map !== 0, `acknowledged up to ${ack.seq}`);
      // The hole is closed by a GAP.
      device.send({ type: 'GAP', first: 999_969, lost: 31 }, { seq: 999_999 });
      await soon(device.acknowledged(1_000_000), 'the ACK behind the GAP');
      return 60;
    },
  },
  {
    name: 'readings back from far behind',
    counted: { 'link.tcp.duplicates': 32, 'link.tcp.readings': 1 },
    async run(world) {
      const device = await world.device();
      await soon(device.hello({ firstSeq: 100 }), 'WELCOME');
      await goesOn(device, 100);
      for (let seq = 1; seq <= 32; seq++) device.readings(seq);
      await soon(device.settled(), 'the session to go on');
      return 32 * 27;
    },
  },
  stranger('a largest frame of 10 bytes', 'out-of-range', 'malformed', () =>
    changed(helloFrame(), (bytes) => bytes.set([0, 10], 34)),
  ),
  stranger('first seq 0', 'out-of-range', 'malformed', () =>
    changed(helloFrame(), (bytes) => bytes.set([0, 0, 0, 0], 28)),
  ),
  stranger('versions 2 to 9', 'unsupported-version', 'unsupported_version', () =>
    helloFrame({ minVersion: 2, maxVersion: 9 }),
  ),
  stranger('versions 5 to 1', 'out-of-range', 'malformed', () =>
    changed(helloFrame(), (bytes) => bytes.set([5, 1], 10)),
  ),
  stranger('HELLO cut short', 'short-read', 'malformed', () => raw('HELLO', { sid: 0, seq: 0 }, [1, 1, 2])),
  stranger('HELLO with seq 1', 'bad-seq', 'malformed', () => changed(helloFrame(), (bytes) => (bytes[9] = 1))),
  stranger('HELLO that wants an ACK', 'wrong-ack', 'malformed', () =>
    changed(helloFrame(), (bytes) => (bytes[0] = 0x22)),
  ),
  stranger('REPORT of boot 0', 'out-of-range', 'malformed', () =>
    raw('REPORT', { sid: 0, seq: 1, ackWanted: true }, [...bytes(16, 0), 1, 1, 1, 1]),
  ),
  malformed('HELLO in a session', 'bad-sid', ({ sid }) =>
    changed(helloFrame(), (bytes) => new DataView(bytes.buffer).setUint32(2, sid)),
  ),
  malformed('READINGS that want no ACK', 'wrong-ack', ({ sid }) => raw('READINGS', { sid, seq: 1 }, [1, 1, 1, 1])),
  malformed('PING that wants an ACK', 'wrong-ack', ({ sid }) =>
    raw('PING', { sid, seq: 1, ackWanted: true }, [0, 0, 0, 1]),
  ),
  malformed('WELCOME from a device', 'wrong-direction', ({ sid }) => raw('WELCOME', { sid, seq: 1 }, bytes(20, 1))),
  malformed('ACK from a device', 'wrong-direction', ({ sid }) => raw('ACK', { sid, seq: 1 }, bytes(9, 0))),
  malformed('GAP that ends before it begins', 'out-of-range', ({ sid }) =>
    raw('GAP', { sid, seq: 5, ackWanted: true }, [0, 0, 0, 9, 0, 0, 0, 1]),
  ),
  malformed('part 15 of 1', 'out-of-range', ({ sid }) => raw('SCHEMA', { sid, seq: 1 }, [0, 0, 0, 1, 15, 1, 0])),
  {
    name: 'a RESULT for no command',
    counted: rejected('result-unexpected'),
    async run(world) {
      const device = await world.device();
      await soon(device.hello(), 'WELCOME');
      device.send({ type: 'RESULT', id: 77, status: 'done', text: '' }, { seq: 1 });
      await soon(device.acknowledged(1), 'ACK');
      return 20;
    },
  },
  {
    name: 'PONGs that nobody asked for',
    counted: { 'link.tcp.frames': 'some' },
    async run(world) {
      const device = await world.device();
      await soon(device.hello(), 'WELCOME');
      for (let token = 0; token < 100; token++) device.send({ type: 'PONG', token, time: 0 });
      await goesOn(device, 1);
      return 100 * 26;
    },
  },
  {
    name: 'a GAP of 4,294,967,295 readings',
    counted: { 'link.tcp.frames': 2 },
    async run(world) {
      const device = await world.device();
      await soon(device.hello(), 'WELCOME');
      device.send({ type: 'GAP', first: 1, lost: 0xffff_ffff }, { seq: 30 });
      await soon(device.acknowledged(30), 'ACK');
      return 22;
    },
  },
  {
    name: 'a connection that says nothing',
    counted: { 'limits.handshake_s': 1 },
    async run(world) {
      const device = await world.device();
      await soon(device.closed, 'the end of the connection');
      return 0;
    },
  },
  {
    name: 'HELLO one byte every 100 ms',
    counted: { 'limits.handshake_s': 1 },
    also: ['link.tcp.skipped_bytes.'],
    async run(world) {
      const device = await world.device();
      const frame = onStream(helloFrame());
      let sent = 0;
      const drip = setInterval(() => device.write(frame.subarray(sent, ++sent)), 100);
      await soon(device.closed, 'the end of the connection').finally(() => clearInterval(drip));
      must(sent < frame.length, 'it was let in after all');
      return sent;
    },
  },
  {
    name: 'zeros for ever, and never a HELLO',
    counted: { 'limits.handshake_s': 1 },
    async run(world) {
      const device = await world.device();
      let sent = 0;
      const drip = setInterval(() => device.write(new Uint8Array(++sent > 0 ? 100 : 0)), 50);
      await soon(device.closed, 'the end of the connection').finally(() => clearInterval(drip));
      return sent * 100;
    },
  },
  {
    name: 'a device that never reads its answers',
    counted: { 'limits.output_bytes': 1 },
    also: ['link.tcp.'],
    async run(world) {
      const device = await world.device();
      await soon(device.hello(), 'WELCOME');
      device.socket?.pause();
      const ping = Buffer.concat(
        Array.from({ length: 4_000 }, (_, token) => onStream(device.frame({ type: 'PING', token }))),
      );
      let sent = 0;
      const isGone = soon(device.closed, 'the end of the connection').then(() => true);
      for (let round = 0; round < 200 && device.socket?.writable === true; round++) {
        sent += ping.length;
        if (device.socket.write(ping)) continue;
        const drained = new Promise<boolean>((resolve) => device.socket?.once('drain', () => resolve(false)));
        if (await Promise.race([drained, isGone.catch(() => true), sleep(1_500).then(() => true)])) break;
      }
      isGone.catch(() => undefined);
      return sent;
    },
  },
];

export const session: CaseGroup = { family: 'session', cases };
