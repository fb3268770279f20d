/** Readings: the promise of the ACK, order, duplicates, holes, GAP, times and values. */
import { describe, expect, it } from 'vitest';
import type { Quality, RawValue, Sample, Value, ValueType } from '../../../../protocol/index.ts';
import { sample } from '../../../helpers/link-device.ts';
import { LinkHost, START_MS } from './link-host.ts';

function at(timeKind: Sample['timeKind'], time: number, value = 1): Sample {
  return { ...sample(value), timeKind, time };
}

describe('the ACK', () => {
  it('comes only when the journal says that the reading is durable', async () => {
    const host = await LinkHost.start();
    host.journal.held = true;
    const device = await host.device();
    device.readings(1);
    device.readings(2);
    await device.settled();
    expect(host.seqs).toEqual([1, 2]);
    expect(device.of('ACK').every(({ seq }) => seq === 0)).toBe(true);
    expect(device.of('ACK').at(-1)).toMatchObject({ map: 0b11 });
    host.journal.sync();
    expect(await device.acknowledged(2)).toMatchObject({ seq: 2, map: 0, sid: device.sid });
  });

  it('covers what is durable and no more', async () => {
    const host = await LinkHost.start();
    host.journal.held = true;
    const device = await host.device();
    device.readings(1);
    await device.settled();
    host.journal.sync();
    device.readings(2);
    device.readings(3);
    expect(await device.acknowledged(1)).toMatchObject({ seq: 1 });
    await device.settled();
    expect(device.of('ACK').at(-1)).toMatchObject({ seq: 1, map: 0b11 });
  });

  it('of a journal that syncs while nothing else happens goes out at once', async () => {
    const host = await LinkHost.start();
    host.journal.held = true;
    const device = await host.device();
    device.readings(1);
    await host.until(() => host.seqs.length === 1);
    await device.next('ACK');
    // The loop waits for its next deadline, which never comes with this clock.
    setTimeout(() => host.journal.sync(), 5);
    await device.acknowledged(1);
  });

  it('is one for all that a turn brings', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    device.socket!.cork();
    for (let seq = 1; seq <= 20; seq++) device.readings(seq);
    device.socket!.uncork();
    await device.acknowledged(20);
    expect(device.of('ACK').length).toBeLessThan(3);
  });

  it('is not for the frames after a later boot: those begin at 1 again', async () => {
    const host = await LinkHost.start();
    host.journal.held = true;
    const device = await host.device();
    device.readings(1);
    device.readings(2);
    await device.settled();
    await device.hello({ boot: 8 });
    host.journal.sync();
    await device.settled();
    expect(
      device
        .of('ACK')
        .filter(({ sid }) => sid === device.sid)
        .map(({ seq }) => seq),
    ).not.toContain(2);
  });
});

describe('order over UDP', () => {
  it('is restored: what lies beyond a hole waits and is shown in the map', async () => {
    const host = await LinkHost.start();
    const device = await host.device('udp');
    device.readings(1);
    device.readings(4);
    device.readings(3);
    await device.settled();
    expect(device.of('ACK').at(-1)).toMatchObject({ seq: 1, map: 0b110 });
    expect(host.seqs).toEqual([1]);
    expect(host.counters.udp.held).toBe(2);
    device.readings(2);
    expect(await device.acknowledged(4)).toMatchObject({ map: 0 });
    expect(host.seqs).toEqual([1, 2, 3, 4]);
  });

  it('what waited for a hole does not look older than what filled it', async () => {
    const host = await LinkHost.start();
    const device = await host.device('udp');
    device.readings(2, at('now', 0));
    await device.settled();
    host.pass(700);
    device.readings(1, at('now', 0));
    await device.acknowledged(2);
    const times = host.journal.records.map(({ samples }) => samples[0]?.time);
    expect(host.seqs).toEqual([1, 2]);
    expect(times).toEqual([START_MS + 700, START_MS + 700]);
  });

  it('a duplicate is acknowledged again and stored once', async () => {
    const host = await LinkHost.start();
    const device = await host.device('udp');
    for (const seq of [1, 1, 3, 3, 2, 1, 3]) {
      device.readings(seq);
      await device.next('ACK');
    }
    expect(host.seqs).toEqual([1, 2, 3]);
    expect(host.counters.udp.duplicates).toBe(4);
    device.readings(2);
    expect(await device.next('ACK')).toMatchObject({ seq: 3 });
  });

  it('duplicates of a session before are known in the next', async () => {
    const host = await LinkHost.start();
    const device = await host.device('tcp');
    device.readings(1);
    device.readings(2);
    await device.acknowledged(2);
    device.socket!.resetAndDestroy();
    await host.event('offline a1b2c3d4e5f60718 connection-lost');
    const again = await host.connect('tcp');
    await again.hello();
    again.readings(1);
    again.readings(2);
    again.readings(3);
    await again.acknowledged(3);
    expect(host.seqs).toEqual([1, 2, 3]);
  });

  it('a hole is given up when a frame proves that it will never be filled', async () => {
    const host = await LinkHost.start();
    const device = await host.device('udp');
    for (let seq = 2; seq <= 32; seq++) device.readings(seq);
    await device.settled();
    expect(host.seqs).toEqual([]);
    device.readings(33);
    await device.acknowledged(33);
    expect(host.seqs).toEqual(Array.from({ length: 32 }, (_, index) => index + 2));
  });

  it('the last numbers before the counter would wrap are taken', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('udp');
    await device.hello({ firstSeq: 0xffff_fffe });
    device.readings(0xffff_ffff);
    device.readings(0xffff_fffe);
    expect(await device.acknowledged(0xffff_ffff)).toMatchObject({ map: 0 });
    expect(host.seqs).toEqual([0xffff_fffe, 0xffff_ffff]);
  });
});

describe('GAP', () => {
  it('covers what will never come, and says how much it was', async () => {
    const host = await LinkHost.start();
    const device = await host.device('udp');
    device.readings(1);
    device.readings(6);
    device.send({ type: 'GAP', first: 2, lost: 4 }, { seq: 5 });
    await device.acknowledged(6);
    expect(host.seqs).toEqual([1, 6]);
    expect(host.events).toContain('lost a1b2c3d4e5f60718 4');
    // Its ACK was lost.
    device.send({ type: 'GAP', first: 2, lost: 4 }, { seq: 5 });
    await device.settled();
    expect(host.events.filter((event) => event.startsWith('lost'))).toHaveLength(1);
  });

  it('is acknowledged in its turn: not before the readings in front of it are durable', async () => {
    const host = await LinkHost.start();
    host.journal.held = true;
    const device = await host.device();
    device.readings(1);
    device.send({ type: 'GAP', first: 2, lost: 2 }, { seq: 3 });
    await device.settled();
    expect(device.of('ACK').every(({ seq }) => seq === 0)).toBe(true);
    host.journal.sync();
    await device.acknowledged(3);
  });
});

describe('LOG', () => {
  it('with an ACK keeps its place among the readings, without one it is told at once', async () => {
    const host = await LinkHost.start();
    const device = await host.device('udp');
    device.send({ type: 'LOG', level: 'warning', text: 'second' }, { seq: 2, ackWanted: true });
    device.send({ type: 'LOG', level: 'info', text: 'first' });
    await device.settled();
    expect(host.events.slice(1)).toEqual(['log a1b2c3d4e5f60718 info first']);
    device.readings(1);
    await device.acknowledged(2);
    expect(host.events.slice(2)).toEqual(['log a1b2c3d4e5f60718 warning second']);
  });
});

describe('times', () => {
  it('now is the arrival, Unix time is taken as it is, uptime is set against HELLO; oldest first', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    await device.hello({ uptime: 100_000 });
    host.pass(5_000);
    device.readings(
      1,
      at('now', 0, 1),
      at('uptime', 103_000, 2),
      at('unix', START_MS - 60_000, 3),
      at('uptime', 90_000, 4),
    );
    await device.acknowledged(1);
    const { samples, receivedAt } = host.journal.records[0]!;
    expect(receivedAt).toBe(START_MS + 5_000);
    expect(samples.map(({ timeKind, time, values: [value] }) => [timeKind, time - START_MS, value?.value])).toEqual([
      ['unix', -60_000, 3],
      ['unix', -10_000, 4],
      ['unix', 3_000, 2],
      ['unix', 5_000, 1],
    ]);
  });

  it('samples of the same time stay in the order in which they were sent', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    device.readings(1, at('unix', START_MS + 500, 1), at('unix', START_MS + 500, 2), at('unix', START_MS + 400, 3));
    await device.acknowledged(1);
    expect(host.journal.records[0]!.samples.map(({ values: [value] }) => value?.value)).toEqual([3, 1, 2]);
  });

  it('an uptime that wraps goes on', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    await device.hello({ uptime: 0xffff_ffff - 999 });
    host.pass(3_000);
    device.readings(1, at('uptime', 0xffff_ffff - 1_999), at('uptime', 1_000));
    await device.acknowledged(1);
    expect(host.journal.records[0]!.samples.map(({ time }) => time - START_MS)).toEqual([-1_000, 2_000]);
  });

  it('a device whose clock runs fast does not date into the future', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    await device.hello({ uptime: 1_000 });
    device.readings(1, at('uptime', 1_500));
    await device.acknowledged(1);
    expect(host.journal.records[0]!.samples[0]!.time).toBe(START_MS);
  });

  it('a repeated HELLO sets the clock anew: the device may have started again', async () => {
    const host = await LinkHost.start();
    const device = await host.connect('tcp');
    await device.hello({ boot: 0, uptime: 1_000_000 });
    await device.hello({ boot: 0, uptime: 100 });
    device.readings(1, at('uptime', 50));
    await device.acknowledged(1);
    expect(host.journal.records[0]!.samples[0]!.time).toBe(START_MS - 50);
  });
});

describe('values', () => {
  const quality: Quality = 'good';
  it.each<[ValueType, RawValue]>([
    ['f64', Number.NaN],
    ['f64', Number.NEGATIVE_INFINITY],
    ['f32', Number.POSITIVE_INFINITY],
    ['u64', 2n ** 64n - 1n],
    ['i64', -(2n ** 63n)],
    ['string', 'a/b #+ \u0000 "{\\'],
    ['string', ''],
    ['bytes', Uint8Array.of(0, 255, 0)],
    ['bool', true],
  ])('%s %s arrives as it was sent', async (type, value) => {
    const host = await LinkHost.start();
    const device = await host.device();
    const sent: Value = { channel: 255, type, quality, value };
    device.readings(1, { timeKind: 'now', time: 0, values: [sent] });
    await device.acknowledged(1);
    expect(host.journal.records[0]!.samples[0]!.values).toEqual([sent]);
  });

  it('every quality, sixty-three values in a sample, and a channel named twice', async () => {
    const host = await LinkHost.start();
    const device = await host.device();
    const qualities: Quality[] = ['good', 'stale', 'fault', 'out_of_range'];
    const values = Array.from({ length: 63 }, (_, index): Value => {
      return { channel: index % 60, type: 'u8', quality: qualities[index % 4]!, value: index };
    });
    device.readings(1, { timeKind: 'now', time: 0, values });
    await device.acknowledged(1);
    expect(host.journal.records[0]!.samples[0]!.values).toEqual(values);
  });
});

it('an identity is device, boot and seq: two devices share a number', async () => {
  const host = await LinkHost.start();
  const [a, b] = [await host.device('tcp', 1n), await host.device('udp', 2n)];
  a.readings(1);
  b.readings(1);
  await Promise.all([a.acknowledged(1), b.acknowledged(1)]);
  const ids = host.journal.records.map(({ device, boot, seq }) => `${device.id}-${boot}-${seq}`);
  expect(ids.toSorted()).toEqual(['0000000000000001-7-1', '0000000000000002-7-1']);
  expect(host.counters.tcp.readings).toBe(1);
  expect(host.counters.udp.readings).toBe(1);
});
