/** Sessions and reports of devices that have a key, and what becomes of everything that is not sealed with it. */
import { describe, expect, it } from 'vitest';
import { beginHandshake, encodeMessage, type MessageOf } from '../../../../protocol/index.ts';
import { DEVICE_ID, type LinkDevice, sample } from '../../../helpers/link-device.ts';
import type { Credential } from '../../../../gateway/sessions/link/link-context.ts';
import { LinkHost, type LinkHostOptions } from './link-host.ts';

const KEY = Uint8Array.from({ length: 32 }, (_, index) => index * 7 + 1);
const OTHER_KEY = Uint8Array.from({ length: 32 }, (_, index) => index * 5 + 2);
const ID = DEVICE_ID.toString(16);
const PLAIN_ID = 0x1122_3344_5566_7788n;

const credentials = new Map([
  [ID, { key: KEY, plain: false }],
  ['00000000000000a1', { key: OTHER_KEY, plain: false }],
]);

type Transport = 'tcp' | 'udp' | 'unix';

function start(options: LinkHostOptions = {}): Promise<LinkHost> {
  return LinkHost.start({ credentials, plain: false, ...options });
}

/** Connected, with a key, and silent. */
async function keyed(host: LinkHost, transport: Transport = 'tcp', key = KEY, id = DEVICE_ID): Promise<LinkDevice> {
  const device = await host.connect(transport, id);
  device.key = key;
  return device;
}

/** With a session that stands. */
async function standing(host: LinkHost, transport: Transport = 'tcp', boot = 7): Promise<LinkDevice> {
  const device = await keyed(host, transport);
  await device.hello({ boot });
  await device.settled();
  return device;
}

function rejected(host: LinkHost, transport: Transport = 'tcp'): Record<string, number> {
  return Object.fromEntries(host.counters[transport].rejected);
}

/** So much was rejected, at the end of a turn. */
async function untilRejected(host: LinkHost, transport: Transport, reason: string, times = 1): Promise<void> {
  await host.until(() => (host.counters[transport].rejected.get(reason) ?? 0) >= times);
}

const HELLO: MessageOf<'HELLO'> = {
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
};

describe('a device with its key', () => {
  it.each(['tcp', 'udp', 'unix'] as const)(
    'has a session over %s, and everything in it is sealed',
    async (transport) => {
      const host = await start();
      const device = await standing(host, transport);
      device.readings(1, sample(1));
      device.readings(3, sample(3));
      device.readings(2, sample(2));
      await device.acknowledged(3);
      expect(host.seqs).toEqual([1, 2, 3]);
      expect(device.received.every(({ sealed }) => sealed === true)).toBe(true);
      expect(rejected(host, transport)).toEqual({});
      expect(host.events).toEqual([`online ${ID}`]);
    },
  );

  it('takes commands, and its answer arrives', async () => {
    const host = await start();
    const device = await standing(host);
    const done = new Promise<string>((resolve) => {
      const value = { channel: 1, type: 'bool', quality: 'good', value: true } as const;
      host.links.command(ID, value, 10, (status) => resolve(status));
    });
    const command = await device.next('COMMAND');
    expect(command.sealed).toBe(true);
    device.send({ type: 'RESULT', id: command.id, status: 'done', text: '' }, { seq: 1 });
    expect(await done).toBe('done');
  });

  it('gets a boot when it asks for one, and goes on in it', async () => {
    const host = await start();
    const device = await keyed(host);
    const { boot } = await device.hello({ boot: 0 });
    device.readings(1);
    await device.acknowledged(1);
    expect(host.journal.records[0]?.boot).toBe(boot);
  });

  it('shares a connection with another one', async () => {
    const host = await start();
    const one = await standing(host);
    const second = 0xa1n;
    const handshake = beginHandshake(OTHER_KEY, { ...HELLO, device: second });
    one.sendFrame(handshake.frame);
    await one.foreign(1);
    one.readings(1);
    await one.acknowledged(1);
    expect(host.seqs).toEqual([1]);
  });

  it('is let in by a wrong key no more than by none, and nothing is computed for it', async () => {
    const host = await start({ limits: { handshakesPerS: 1 } });
    const device = await keyed(host, 'udp', OTHER_KEY);
    for (let n = 1; n <= 20; n++) device.sendHello();
    await untilRejected(host, 'udp', 'wrong-key', 20);
    expect(await device.next('ERROR')).toMatchObject({ code: 'authentication_failed', sid: 0, text: 'wrong key' });
    expect(host.events).toContain(`refused ${ID} wrong-key`);
    expect(Array.from(host.links.sessions)).toEqual([]);
    // All the allowance of handshakes is still there for the one who has the key.
    await standing(host, 'udp');
  });

  it('is not let in by a key that nobody knows here', async () => {
    const host = await start();
    const device = await keyed(host, 'tcp', KEY, PLAIN_ID);
    device.sendHello();
    expect(await device.next('ERROR')).toMatchObject({ code: 'authentication_failed', sid: 0 });
    expect(rejected(host)).toEqual({ 'unknown-key': 1 });
    expect(host.events).toEqual([`refused ${PLAIN_ID.toString(16)} unknown-key`]);
  });

  it.each([
    ['by address', { handshakesPerAddressPerS: 0.5, handshakesPerS: 100 }],
    ['in all', { handshakesPerAddressPerS: 100, handshakesPerS: 0.5 }],
  ])('is checked no more when too many have failed, %s', async (_, limits) => {
    const host = await start({ limits });
    const device = await keyed(host, 'udp', OTHER_KEY);
    for (let n = 0; n < 60; n++) device.sendHello();
    await untilRejected(host, 'udp', 'handshake-rate');
    // Ten seconds of half a handshake a second, eight for each.
    expect(rejected(host, 'udp')['wrong-key']).toBe(40);
    await host.advance(10_000);
    await standing(host, 'udp');
  });
});

describe('never negotiated down', () => {
  it.each(['tcp', 'udp'] as const)('a plain HELLO and REPORT of a device with a key, over %s', async (transport) => {
    // Also where all others may be plain.
    const host = await start({ plain: true });
    const device = await host.connect(transport);
    device.sendHello();
    expect(await device.next('ERROR')).toMatchObject({ code: 'authentication_required', sid: 0, text: 'key required' });
    device.report(1);
    expect(await device.next('ERROR')).toMatchObject({ code: 'authentication_required', sid: 0 });
    expect(rejected(host, transport)).toEqual({ 'key-required': 2 });
    expect(host.events).toEqual([`refused ${ID} key-required`, `refused ${ID} key-required`]);
    expect(host.seqs).toEqual([]);
  });

  it('a plain device where a key is asked for, but not the one that is exempt', async () => {
    const exempt = { key: undefined, plain: true };
    const host = await start({
      credentials: new Map<string, Credential>([...credentials, ['00000000000000b2', exempt]]),
    });
    const device = await host.connect('udp', PLAIN_ID);
    device.sendHello();
    expect(await device.next('ERROR')).toMatchObject({ code: 'authentication_required', sid: 0 });
    device.report(1);
    await untilRejected(host, 'udp', 'no-key', 2);
    expect(host.events).toContain(`refused ${PLAIN_ID.toString(16)} no-key`);
    expect(host.registry.get(PLAIN_ID.toString(16))).toBeUndefined();
    const other = await host.device('udp', 0xb2n);
    other.readings(1);
    await other.acknowledged(1);
  });

  it.each<[string, (device: LinkDevice) => Uint8Array]>([
    ['BYE', (device) => device.plainFrame({ type: 'BYE', reason: 'sleeping' })],
    ['ERROR', (device) => device.plainFrame({ type: 'ERROR', code: 'malformed', retryAfter: 0, text: '' })],
    ['READINGS', (device) => device.plainFrame({ type: 'READINGS', samples: [sample(66)] }, { seq: 1 })],
    ['GAP', (device) => device.plainFrame({ type: 'GAP', first: 1, lost: 9 }, { seq: 9 })],
    ['COMMAND', (device) => device.plainFrame({ type: 'PING', token: 1 }, { critical: true })],
    ['HELLO', () => encodeMessage({ ...HELLO, boot: 9 }, { sid: 0, seq: 0 })],
  ])('a forged plain %s on the very connection of the session', async (_, forge) => {
    const host = await start();
    const device = await standing(host);
    device.sendFrame(forge(device));
    await untilRejected(host, 'tcp', 'key-required');
    device.readings(1, sample(1));
    await device.acknowledged(1);
    expect(host.journal.records.map(({ boot, seq }) => [boot, seq])).toEqual([[7, 1]]);
    expect(host.events).toEqual([`online ${ID}`, `refused ${ID} key-required`]);
    expect(host.links.link(host.registry.get(ID)!)?.session?.sid).toBe(device.sid);
  });
});

describe('a recorded handshake', () => {
  it.each(['tcp', 'udp'] as const)('of the session that stands disturbs nothing, over %s', async (transport) => {
    const host = await start();
    const device = await keyed(host, transport);
    const recorded = device.sendHello();
    device.sid = (await device.next('WELCOME')).sid;
    device.readings(1);
    await device.acknowledged(1);

    const attacker = await host.connect(transport);
    attacker.sendFrame(recorded);
    await untilRejected(host, transport, 'replayed');
    device.sendFrame(recorded);
    await untilRejected(host, transport, 'replayed', 2);
    device.readings(2);
    await device.acknowledged(2);
    expect(host.seqs).toEqual([1, 2]);
    expect(attacker.received).toEqual([]);
    expect(attacker.unopened).toEqual([]);
    expect(host.events).toEqual([`online ${ID}`, `refused ${ID} replayed`, `refused ${ID} replayed`]);
  });

  it('of an earlier session neither, and what it had of the device is as it was', async () => {
    const host = await start();
    const earlier = await keyed(host, 'udp');
    const recorded = earlier.sendHello({ boot: 3, schemaCrc: 99, capabilities: { commands: false, clock: false } });
    await earlier.next('WELCOME');
    earlier.send({ type: 'PING', token: 1 });
    await earlier.next('PONG');

    const device = await standing(host, 'udp', 7);
    device.readings(2);
    await host.until(() => host.counters.udp.held === 1);
    const attacker = await host.connect('udp');
    attacker.sendFrame(recorded);
    // It is welcomed, as nobody can tell yet, and cannot make anything of that.
    await attacker.foreign(1);
    const link = host.links.link(host.registry.get(ID)!)!;
    expect(link).toMatchObject({ boot: 7, takesCommands: true, schemaCrc: 0 });
    expect(link.session?.sid).toBe(device.sid);
    device.readings(1);
    await device.acknowledged(2);
    expect(host.journal.records.map(({ boot, seq }) => [boot, seq])).toEqual([
      [7, 1],
      [7, 2],
    ]);
    expect(device.of('ERROR')).toEqual([]);
  });

  it('is forgotten when no frame follows in time', async () => {
    const host = await start({ limits: { handshakeMs: 5_000 } });
    const device = await keyed(host, 'udp');
    await device.hello();
    await host.advance(5_001);
    device.readings(1);
    expect(await device.next('ERROR')).toMatchObject({ code: 'unknown_session', sid: device.sid });
    expect(host.events).toEqual(['refused ? unknown-session']);
  });

  it('does not push out a genuine one that waits for its first frame, until there are four', async () => {
    const host = await start();
    const recorded = Array.from({ length: 7 }, () => beginHandshake(KEY, HELLO).frame);
    const device = await keyed(host, 'udp');
    await device.hello();
    const attacker = await host.connect('udp');
    for (const frame of recorded.slice(0, 3)) attacker.sendFrame(frame);
    await attacker.foreign(3);
    await device.settled();
    device.readings(1);
    await device.acknowledged(1);

    const again = await keyed(host, 'udp');
    await again.hello({ boot: 8 });
    for (const frame of recorded.slice(3)) attacker.sendFrame(frame);
    await attacker.foreign(7);
    again.send({ type: 'PING', token: 1 });
    // It has to try once more, as it would after any loss.
    expect(await again.next('ERROR')).toMatchObject({ code: 'unknown_session' });
    device.readings(2);
    await device.acknowledged(2);
  });

  it('that comes twice at once gets the same answer; from elsewhere, one of its own', async () => {
    const host = await start();
    const device = await keyed(host, 'udp');
    const handshake = beginHandshake(KEY, HELLO);
    const { frame } = handshake;
    const answers: Uint8Array[] = [];
    const other = await host.connect('udp');
    device.sendFrame(frame);
    await device.foreign(1);
    device.sendFrame(frame);
    await device.foreign(2);
    other.sendFrame(frame);
    await other.foreign(1);
    answers.push(...device.unopened, ...other.unopened);
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).not.toEqual(answers[0]);
    expect(handshake.complete(answers[2]!).ok).toBe(true);
  });
});

describe('a new session', () => {
  it('takes the place of the old one with its first sealed frame, and not before', async () => {
    const host = await start();
    const old = await standing(host);
    old.readings(1);
    await old.acknowledged(1);
    const next = await keyed(host);
    await next.hello({ boot: 7, firstSeq: 2 });
    old.readings(2);
    await old.acknowledged(2);
    next.readings(3);
    await next.acknowledged(3);
    expect(await old.next('ERROR')).toMatchObject({ code: 'replaced', sid: old.sid, sealed: true });
    await old.closed;
    expect(host.seqs).toEqual([1, 2, 3]);
    expect(host.events).toEqual([`online ${ID}`]);
  });

  it('on the same connection goes on there', async () => {
    const host = await start();
    const device = await standing(host);
    const first = device.sid;
    await device.hello({ boot: 8 });
    expect(device.sid).not.toBe(first);
    device.readings(1);
    await device.acknowledged(1);
    expect(host.journal.records[0]?.boot).toBe(8);
  });

  it('of older keys cannot come back once a newer one stands', async () => {
    const host = await start();
    const older = await keyed(host, 'udp');
    await older.hello();
    const newer = await standing(host, 'udp', 8);
    older.send({ type: 'PING', token: 1 });
    expect(await older.next('ERROR')).toMatchObject({ code: 'unknown_session' });
    newer.readings(1);
    await newer.acknowledged(1);
  });

  it('is made when the numbers of the old one are used up', async () => {
    const host = await start();
    const device = await standing(host);
    const [session] = Array.from(host.links.sessions);
    Object.assign(session!.channel!, { following: 2 ** 32 - 500 });
    device.send({ type: 'PING', token: 1 });
    expect(await device.next('BYE')).toMatchObject({ reason: 'restarting', sealed: true });
    await host.event(`offline ${ID} channel-spent`);
    await standing(host);
  });
});

describe('frames of a session', () => {
  it.each(['tcp', 'udp'] as const)('that come twice are taken once, over %s', async (transport) => {
    const host = await start();
    const device = await standing(host, transport);
    const frame = device.frame({ type: 'READINGS', samples: [sample(1)] }, { seq: 1 });
    device.sendFrame(frame);
    await device.acknowledged(1);
    device.sendFrame(frame);
    await untilRejected(host, transport, 'replayed');
    const attacker = await host.connect(transport);
    attacker.sendFrame(frame);
    await untilRejected(host, transport, 'unknown-session');
    await device.settled();
    expect(host.seqs).toEqual([1]);
    // A retransmission of ours is another frame, and a duplicate.
    device.readings(1);
    await device.settled();
    expect(host.counters[transport].duplicates).toBe(1);
    expect(host.events).toContain(`refused ${ID} replayed`);
  });

  it('that are tampered with are dropped, and change nothing', async () => {
    const host = await start();
    const device = await standing(host);
    const frame = device.frame({ type: 'READINGS', samples: [sample(1)] }, { seq: 1 });
    let tampered = 0;
    for (let at = 0; at < frame.length; at++) {
      // Not the level and the session: those lead elsewhere.
      if (at === 0 || (at >= 2 && at < 6)) continue;
      const copy = frame.slice();
      copy[at]! ^= 1 << (at % 8);
      device.sendFrame(copy);
      tampered++;
    }
    const total = (): number => Object.values(rejected(host)).reduce((sum, count) => sum + count, 0);
    await host.until(() => total() === tampered);
    // A number that has come is refused before the tag is looked at.
    expect(Object.keys(rejected(host)).toSorted()).toEqual(['bad-tag', 'replayed']);
    device.sendFrame(frame);
    await device.acknowledged(1);
    expect(host.seqs).toEqual([1]);
    expect(device.of('ERROR')).toEqual([]);
  });

  it('that nobody sealed do not keep it alive', async () => {
    const host = await start();
    const device = await standing(host, 'udp');
    const forged = device.frame({ type: 'PING', token: 1 });
    forged[forged.length - 1]! ^= 1;
    for (let n = 1; n <= 4; n++) {
      await host.advance(20_000);
      device.sendFrame(forged);
      if (n < 4) await untilRejected(host, 'udp', 'bad-tag', n);
    }
    await host.event(`offline ${ID} silent`);
  });

  it('of a session of which the gateway knows nothing are told so, with a hint that is not sealed', async () => {
    const host = await start();
    const device = await standing(host, 'udp');
    const restarted = await start();
    const moved = await restarted.connect('udp');
    const frame = device.frame({ type: 'READINGS', samples: [sample(1)] }, { seq: 1 });
    moved.sendFrame(frame);
    const error = await moved.next('ERROR');
    expect(error).toMatchObject({ code: 'unknown_session', sid: device.sid });
    expect(error.sealed).toBeUndefined();
    expect(restarted.events).toEqual(['refused ? unknown-session']);
  });
});

describe('a sealed REPORT', () => {
  it.each(['tcp', 'udp'] as const)('is taken once and acknowledged each time, over %s', async (transport) => {
    const host = await start();
    const device = await keyed(host, transport);
    const frame = device.report(1);
    expect(await device.next('ACK')).toMatchObject({ seq: 1, sid: 0, sealed: true });
    expect(device.channel).toBeUndefined();
    device.sendFrame(frame);
    await device.foreign(1);
    expect(host.counters[transport].duplicates).toBe(1);
    device.report(1);
    expect(await device.next('ACK')).toMatchObject({ seq: 1, sealed: true });
    expect(host.seqs).toEqual([1]);
    expect(host.events).toEqual([`online ${ID}`]);
  });

  it('with a wrong key is refused', async () => {
    const host = await start();
    const device = await keyed(host, 'udp', OTHER_KEY);
    device.report(1);
    expect(await device.next('ERROR')).toMatchObject({ code: 'authentication_failed' });
    expect(rejected(host, 'udp')).toEqual({ 'wrong-key': 1 });
  });

  it('of a boot before the newest is refused: the gateway may have forgotten what it took of that', async () => {
    const host = await start();
    const device = await keyed(host, 'udp');
    const recorded = device.report(1, { boot: 1 });
    await device.next('ACK');
    for (let boot = 2; boot <= 12; boot++) {
      device.report(1, { boot });
      await device.next('ACK');
    }
    const attacker = await host.connect('udp');
    attacker.sendFrame(recorded);
    expect(await attacker.next('ERROR')).toMatchObject({ code: 'authentication_failed', text: 'boot must count up' });
    expect(host.journal.records.map(({ boot }) => boot)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(host.events).toContain(`refused ${ID} old-boot`);
  });

  it('that is a copy does not show a device as there that is gone', async () => {
    const host = await start();
    const device = await keyed(host, 'udp');
    const recorded = device.report(1);
    await device.next('ACK');
    await host.advance(3_600_001);
    await host.event(`offline ${ID} report-overdue`);
    const { lastSeen } = host.registry.get(ID)!;
    const attacker = await host.connect('udp');
    attacker.sendFrame(recorded);
    await host.until(() => host.counters.udp.duplicates === 1);
    expect(host.registry.get(ID)).toMatchObject({ online: false, lastSeen });
  });
});

describe('handshakes', () => {
  it('have a rate, which is asked before the key exchange', async () => {
    const host = await start({ limits: { handshakesPerAddressPerS: 0.1 } });
    const device = await keyed(host, 'udp');
    await device.hello();
    device.sendHello();
    expect(await device.next('ERROR')).toMatchObject({ code: 'rate_limited', sid: 0 });
    device.report(1);
    expect(await device.next('ERROR')).toMatchObject({ code: 'rate_limited', sid: 0 });
    expect(host.seqs).toEqual([]);
  });

  it('are answered with less than one and a half times their size', async () => {
    const host = await start();
    const device = await keyed(host, 'udp');
    const hello = device.sendHello();
    await device.next('WELCOME');
    const wrong = await keyed(host, 'udp', OTHER_KEY);
    const failed = wrong.sendHello();
    await wrong.next('ERROR');
    const node = await keyed(host, 'udp');
    const report = node.report(1);
    await node.next('ACK');
    expect(device.largest / hello.length).toBeLessThan(1.5);
    expect(wrong.largest / failed.length).toBeLessThan(1.5);
    expect(node.largest / report.length).toBeLessThan(1.5);
  });

  it.each<[string, Uint8Array, string]>([
    ['a type that is none', beginHandshake(KEY, HELLO).frame.with(1, 3), 'bad-header'],
    ['our own direction', beginHandshake(KEY, HELLO).frame.with(0, 0x2c), 'wrong-direction'],
    ['too short', beginHandshake(KEY, HELLO).frame.subarray(0, 40), 'too-short'],
    ['another device inside', beginHandshake(KEY, HELLO).frame.with(17, 0xa1), 'unknown-key'],
  ])('with %s are counted', async (_, frame, reason) => {
    const host = await start();
    const device = await host.connect('udp');
    device.sendFrame(frame);
    await untilRejected(host, 'udp', reason);
  });
});
