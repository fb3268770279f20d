/** How sessions end: goodbyes, errors, half-closes, silence, death. */
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { encodeStreamFrame } from '../../../../protocol/index.ts';
import { LinkHost, START_MS } from './link-host.ts';

const ONLINE = 'online a1b2c3d4e5f60718';
const offline = (why: string): string => `offline a1b2c3d4e5f60718 ${why}`;

describe('silence', () => {
  it('the device asks, and gets the time of day', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    host.pass(1_234);
    device.send({ type: 'PING', token: 0xdecafbad });
    expect(await device.next('PONG')).toMatchObject({ token: 0xdecafbad, time: START_MS + 1_234 });
  });

  it.each(['tcp', 'udp'] as const)('over %s we ask, and then the device is gone', async (transport) => {
    const host = await LinkHost.start();
    const device = await host.device(transport);
    await host.advance(37_499);
    expect(device.of('PING')).toEqual([]);
    await host.advance(1);
    await device.next('PING');
    await host.advance(37_499);
    expect(host.events).toEqual([ONLINE]);
    await host.advance(1);
    expect(host.events).toEqual([ONLINE, offline('silent')]);
    if (transport === 'tcp') await device.closed;
    expect([...host.links.sessions]).toEqual([]);
  });

  it('is over with the answer, whose round trip is known', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    await host.advance(37_500);
    const { token } = await device.next('PING');
    host.pass(40);
    device.send({ type: 'PONG', token, time: 1 });
    await device.settled();
    expect([...host.links.sessions][0]?.roundTripMs).toBe(40);
    await host.advance(37_500);
    await host.advance(37_400);
    expect(host.events).toEqual([ONLINE]);
  });
});

describe('BYE', () => {
  it('ends the session; what came before it is acknowledged, also when that takes a while', async () => {
    const host = await LinkHost.start();
    host.journal.held = true;
    const device = await host.device();
    device.readings(1);
    device.send({ type: 'BYE', reason: 'done' });
    await host.until(() => host.seqs.length === 1);
    await host.turn();
    expect(host.events).toEqual([ONLINE]);
    host.journal.sync();
    await device.acknowledged(1);
    await device.closed;
    await host.event(offline('bye'));
  });

  it('of a device that sleeps leaves it available, for an hour', async () => {
    const host = await LinkHost.start();
    const device = await host.device('udp');
    device.send({ type: 'BYE', reason: 'sleeping' });
    await host.until(() => [...host.links.sessions].length === 0);
    await host.advance(3_599_999);
    expect(host.events).toEqual([ONLINE]);
    await host.advance(1);
    expect(host.events).toEqual([ONLINE, offline('report-overdue')]);
  });

  it('with FIN right behind it is still a BYE', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    device.readings(1);
    device.send({ type: 'BYE', reason: 'done' });
    device.socket!.end();
    await device.acknowledged(1);
    await device.closed;
    await host.event(offline('bye'));
  });

  it('comes from us when the gateway stops, over every transport', async () => {
    const host = await LinkHost.start();
    const devices = [await host.device('tcp', 1n), await host.device('udp', 2n), await host.device('unix', 3n)];
    host.links.close();
    await host.acceptor.close();
    for (const device of devices) {
      expect(await device.next('BYE')).toMatchObject({ reason: 'restarting', sid: device.sid });
    }
    expect(host.events.filter((event) => event.endsWith('shutdown'))).toHaveLength(3);
  });
});

describe('ERROR from the device', () => {
  it('ends the session and is logged', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    device.send({ type: 'ERROR', code: 'unsupported_type', retryAfter: 0, text: '\u001b[2J' });
    await host.event(offline('device-error'));
    expect(host.warnings).toEqual(['device-error a1b2c3d4e5f60718']);
  });

  it('busy keeps it', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    device.send({ type: 'ERROR', code: 'busy', retryAfter: 1, text: '' });
    await device.settled();
    expect(host.events).toEqual([ONLINE]);
  });
});

describe('the end of a stream', () => {
  it.each(['tcp', 'unix'] as const)('over %s: who has sent FIN gets all ACKs first', async (transport) => {
    const host = await LinkHost.start();
    const device = await host.device(transport);
    for (let seq = 1; seq <= 30; seq++) device.readings(seq);
    device.socket!.end();
    await device.acknowledged(30);
    await device.closed;
    await host.event(offline('closed'));
  });

  it('… also when the journal takes its time, without the loop spinning meanwhile', async () => {
    const host = await LinkHost.start();
    host.journal.held = true;
    const device = await host.device();
    device.readings(1);
    device.socket!.end();
    await host.until(() => host.seqs.length === 1);
    for (let n = 0; n < 3; n++) {
      await host.turn();
    }
    const { turns } = host.loop;
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    expect(host.loop.turns - turns).toBeLessThan(3);
    expect(host.events).toEqual([ONLINE]);
    host.journal.sync();
    await device.acknowledged(1);
    await device.closed;
    await host.event(offline('closed'));
  });

  it('… for all sessions on it', async () => {
    const host = await LinkHost.start();
    host.journal.held = true;
    const device = await host.connect('tcp');
    const sids: number[] = [];
    for (const id of [1n, 2n]) {
      sids.push((await device.hello({ device: id })).sid);
      device.readings(1);
    }
    device.socket!.end();
    await host.until(() => host.seqs.length === 2);
    await host.turn();
    host.journal.sync();
    await device.closed;
    const acks = device.of('ACK').filter(({ seq }) => seq === 1);
    expect(new Set(acks.map(({ sid }) => sid))).toEqual(new Set(sids));
  });

  it('a reset is told as what it is', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    device.readings(1);
    await device.acknowledged(1);
    device.socket!.resetAndDestroy();
    await host.event(offline('connection-lost'));
    expect(host.warnings).toEqual([expect.stringContaining('PEER_RESET')]);
    expect(host.acceptor.connections).toBe(0);
  });

  it('a peer that never reads is cut when its output is full, and takes nothing with it', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    const other = await host.device('tcp', 2n);
    await device.hello();
    device.socket!.pause();
    const ping = encodeStreamFrame(device.frame({ type: 'PING', token: 1 }));
    const pings = Buffer.concat(Array.from({ length: 500 }, () => ping));
    device.socket!.on('error', () => undefined);
    while (!host.events.includes(offline('output-overflow'))) {
      if (device.socket!.destroyed) break;
      if (!device.socket!.write(pings))
        await Promise.race([once(device.socket!, 'drain'), host.event(offline('output-overflow'))]);
      await host.turn();
    }
    await host.event(offline('output-overflow'));
    expect(host.warnings).toEqual([expect.stringContaining('OUTPUT_OVERFLOW')]);
    other.readings(1);
    await other.acknowledged(1);
  });
});
