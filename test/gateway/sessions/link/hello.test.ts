/** How sessions begin: HELLO and WELCOME, repetitions, replacements. */
import { describe, expect, it } from 'vitest';
import { encodeMessage } from '../../../../protocol/index.ts';
import { LinkHost, START_MS } from './link-host.ts';

describe.each(['tcp', 'udp', 'unix'] as const)('over %s', (transport) => {
  it('HELLO is answered by WELCOME, and the device is online', async () => {
    const host = await LinkHost.start();
    const device = await host.connect(transport);
    const welcome = await device.hello({ boot: 41 });
    expect(welcome).toMatchObject({
      boot: 41,
      unixMs: START_MS,
      flags: { schemaWanted: false },
      keepalive: 30,
      window: 32,
      maxFrame: transport === 'udp' ? 1_200 : 1_024,
      frameSeq: 1,
    });
    expect(welcome.sid).not.toBe(0);
    await host.event('online a1b2c3d4e5f60718');
    expect(host.registry.get('a1b2c3d4e5f60718')).toMatchObject({ online: true, transport, lastSeen: START_MS });
  });

  it('HELLO again before anything else gets the same session and says the time of now', async () => {
    const host = await LinkHost.start();
    const device = await host.connect(transport);
    const first = await device.hello();
    await host.advance(2_000);
    const again = await device.hello();
    expect(again).toMatchObject({ sid: first.sid, boot: first.boot, unixMs: START_MS + 2_000 });
    expect(host.events).toEqual(['online a1b2c3d4e5f60718']);
  });

  it('HELLO after other frames begins a new session on the same connection', async () => {
    const host = await LinkHost.start();
    const device = await host.connect(transport);
    const first = await device.hello();
    device.readings(1);
    await device.acknowledged(1);
    const second = await device.hello({ firstSeq: 2 });
    expect(second.sid).not.toBe(first.sid);
    device.readings(2);
    await device.acknowledged(2);
    expect(host.seqs).toEqual([1, 2]);
    // It knows nothing of the old session any more.
    expect(device.of('ERROR')).toEqual([]);
    expect(host.events).toEqual(['online a1b2c3d4e5f60718']);
  });

  it('HELLO of the same device from elsewhere replaces the session', async () => {
    const host = await LinkHost.start();
    const old = await host.device(transport);
    const young = await host.device(transport);
    expect(await old.next('ERROR')).toMatchObject({ code: 'replaced', sid: old.sid, frameSeq: 2 });
    if (transport !== 'udp') await old.closed;
    young.readings(1);
    await young.acknowledged(1);
    expect(host.events).toEqual(['online a1b2c3d4e5f60718']);
  });
});

describe('the boot number', () => {
  it('is given to a device that asks for one, higher than any it had', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    const { boot } = await device.hello({ boot: 0 });
    expect(boot).toBe(START_MS / 1_000);
    device.readings(1);
    await device.acknowledged(1);
    expect((await device.hello({ boot: 0 })).boot).toBe(boot + 1);
  });

  it('goes on behind the highest there is', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    await device.hello({ boot: 0xffff_ffff });
    await device.settled();
    const { boot } = await device.hello({ boot: 0 });
    expect(boot).toBeGreaterThan(0);
    expect(boot).not.toBe(0xffff_ffff);
  });

  it('another one starts the reliable counter anew, and what waited behind a hole of the old one is kept', async () => {
    const host = await LinkHost.start();
    const device = await host.device('udp');
    device.readings(2);
    device.readings(3);
    await device.settled();
    await device.hello({ boot: 8 });
    device.readings(1);
    await device.acknowledged(1);
    expect(host.journal.records.map(({ boot, seq }) => `${boot}-${seq}`)).toEqual(['7-2', '7-3', '8-1']);
  });
});

describe('firstSeq', () => {
  it('says where a new session goes on: nothing is waited for before it', async () => {
    const host = await LinkHost.start();
    const device = await host.device('udp');
    device.readings(1);
    device.readings(4);
    await device.acknowledged(1);
    await device.hello({ firstSeq: 4 });
    expect(await device.acknowledged(4)).toMatchObject({ map: 0 });
    expect(host.seqs).toEqual([1, 4]);
  });

  it('a gateway that was started anew takes the boot up where it is', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    await device.hello({ boot: 7, firstSeq: 500 });
    device.readings(500);
    await device.acknowledged(500);
    expect(host.seqs).toEqual([500]);
  });

  it('frames set free by it while the journal is full wait for room', async () => {
    const host = await LinkHost.start({ maxRecords: 16 });
    const ids = [1n, 2n, 3n, 4n];
    const devices = await Promise.all(ids.map((id) => host.device('udp', id)));
    for (const device of devices) {
      for (let seq = 2; seq <= 32; seq++) device.readings(seq);
      await device.settled();
    }
    const filler = await host.device('udp', 9n);
    for (let seq = 1; seq <= 16; seq++) filler.readings(seq);
    await filler.acknowledged(16);
    expect(host.journal.full).toBe(true);
    // 124 readings, for which neither the journal nor its headroom is made.
    await Promise.all(devices.map((device) => device.hello({ firstSeq: 2 })));
    while (host.journal.accepted < 140) {
      host.release(host.journal.durable - host.journal.accepted);
      await host.turn();
    }
    await Promise.all(devices.map((device) => device.acknowledged(32)));
    for (const id of ids) {
      const seqs = host.journal.records.filter(({ device }) => BigInt(`0x${device.id}`) === id).map(({ seq }) => seq);
      expect(seqs).toEqual(Array.from({ length: 31 }, (_, index) => index + 2));
    }
  });
});

describe('what HELLO may not say', () => {
  it.each([
    [2, 3],
    [0, 0],
  ])('versions %i to %i: ERROR and the end', async (minVersion, maxVersion) => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    device.sendHello({ minVersion, maxVersion });
    expect(await device.next('ERROR')).toMatchObject({ code: 'unsupported_version', sid: 0 });
    await device.closed;
    expect(host.registry.size).toBe(0);
  });

  it('a later version too: the highest that both know holds', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    expect(await device.hello({ minVersion: 1, maxVersion: 9 })).toMatchObject({ type: 'WELCOME' });
  });

  it('another seq than 0', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('udp');
    const capabilities = { commands: false, clock: false };
    const hello = { device: 1n, boot: 1, uptime: 0, firstSeq: 1, capabilities, maxFrame: 1_024, schemaCrc: 0 };
    device.sendFrame(encodeMessage({ type: 'HELLO', minVersion: 1, maxVersion: 1, ...hello }, { sid: 0, seq: 1 }));
    expect(await device.next('ERROR')).toMatchObject({ code: 'malformed' });
    expect(host.registry.size).toBe(0);
  });
});

describe('several devices', () => {
  it('may stand behind one connection, and each ends alone', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    const first = await device.hello({ device: 1n });
    device.readings(1);
    await device.acknowledged(1);
    const second = await device.hello({ device: 2n });
    device.readings(1);
    await device.acknowledged(1);
    device.send({ type: 'BYE', reason: 'done' }, { sid: first.sid });
    await host.event('offline 0000000000000001 bye');
    device.send({ type: 'READINGS', samples: host.journal.records[0]!.samples as never }, { seq: 2, sid: second.sid });
    await device.acknowledged(2);
    expect(host.journal.records.map(({ device: { id }, seq }) => `${Number(id)}-${seq}`)).toEqual([
      '1-1',
      '2-1',
      '2-2',
    ]);
  });

  it('one too many takes the place of the oldest, which is then offline', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    for (let id = 1n; id <= 33n; id++) {
      await device.hello({ device: id });
    }
    await host.turn();
    expect(host.events.filter((event) => event.startsWith('offline'))).toEqual(['offline 0000000000000001 evicted']);
    expect([...host.links.sessions]).toHaveLength(32);
  });

  it('are refused when the registry is full of devices that are online, and take the place of one that is not', async () => {
    const host = await LinkHost.start({ maxDevices: 2 });
    const first = await host.device('tcp', 1n);
    await host.device('tcp', 2n);
    const third = await host.connect('tcp', 3n);
    third.sendHello();
    expect(await third.next('ERROR')).toMatchObject({ code: 'busy', retryAfter: 60 });
    expect(host.counters.tcp.rejected.get('too-many-devices')).toBe(1);
    first.send({ type: 'BYE', reason: 'done' });
    await host.event('offline 0000000000000001 bye');
    await third.hello();
    expect(host.registry.get('0000000000000001')).toBeUndefined();
  });
});

it('a connection that says nothing is closed after the handshake time', async () => {
  const host = await LinkHost.start();
  const device = await host.connect('tcp');
  await host.until(() => host.acceptor.connections === 1);
  await host.advance(4_999);
  expect(host.acceptor.connections).toBe(1);
  await host.advance(1);
  await device.closed;
  expect(host.acceptor.connections).toBe(0);
  expect(host.warnings).toEqual([expect.stringContaining('HANDSHAKE_TIMEOUT')]);
});
