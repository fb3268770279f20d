/** What happens when the broker takes nothing and the journal fills up. */
import { describe, expect, it } from 'vitest';
import { encodeStreamFrame } from '../../../../protocol/index.ts';
import { type LinkDevice, sample } from '../../../helpers/link-device.ts';
import { LinkHost } from './link-host.ts';

const MAX = 16;

/** A host whose journal is full of the readings 1 to 16 of a device that has gone away. */
async function fullHost(limits: object = {}): Promise<LinkHost> {
  const host = await LinkHost.start({ maxRecords: MAX, limits });
  const filler = await host.device('udp', 99n);
  for (let seq = 1; seq <= MAX; seq++) filler.readings(seq);
  await filler.acknowledged(MAX);
  expect(host.journal.full).toBe(true);
  return host;
}

/** Readings that arrive while the journal is full; resolves when the stream is not read any more. */
async function press(host: LinkHost, device: LinkDevice, from: number, to: number): Promise<void> {
  for (let seq = from; seq <= to; seq++) device.readings(seq);
  await host.until(() => [...host.links.sessions].some(({ carrier }) => carrier.paused));
}

describe('a stream', () => {
  it('is not read any more, nothing is refused, and all goes on when there is room', async () => {
    const host = await fullHost();
    const device = await host.device();
    await press(host, device, 1, 10);
    await host.advance(999);
    expect(device.of('ERROR')).toEqual([]);
    host.release(MAX);
    await device.acknowledged(10);
    expect(host.seqs.slice(MAX)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(host.counters.tcp).toMatchObject({ busy: 0, duplicates: 0 });
    // The pause is over for its deadline too.
    await host.advance(20_000);
    await host.advance(41_000);
    expect(host.events.at(-1)).not.toContain('throttled');
  });

  it('the device is told to wait when that lasts longer than a second', async () => {
    const host = await fullHost();
    const device = await host.device();
    await press(host, device, 1, 3);
    await host.advance(1_000);
    expect(await device.next('ERROR')).toMatchObject({ code: 'busy', retryAfter: 2, sid: device.sid });
    host.release(MAX);
    await device.acknowledged(3);
  });

  it('is cut when it lasts too long: unread, nobody would notice that its peer is dead', async () => {
    const host = await fullHost();
    const device = await host.device();
    await press(host, device, 1, 3);
    await host.advance(1_000);
    await host.advance(58_999);
    expect(host.acceptor.connections).toBe(1);
    await host.advance(1);
    await device.closed;
    expect(host.events.at(-1)).toBe('offline a1b2c3d4e5f60718 throttled');
    expect(host.warnings.at(-1)).toContain('BACKPRESSURE_TIMEOUT');
    host.release(MAX);
    const again = await host.device();
    for (let seq = 1; seq <= 3; seq++) again.readings(seq);
    await again.acknowledged(3);
  });

  it('that we do not read is not silent', async () => {
    const host = await fullHost({ keepaliveS: 10 });
    const device = await host.device();
    await press(host, device, 1, 3);
    for (let s = 0; s < 50; s += 5) {
      await host.advance(5_000);
    }
    expect(host.events).not.toContainEqual(expect.stringContaining('offline a1b2c3d4e5f60718'));
    host.release(MAX);
    await device.acknowledged(3);
  });

  it('half a frame is not given up while we do not read the rest of it', async () => {
    const host = await fullHost({ throttleMs: 300_000 });
    const device = await host.device();
    const frames = [1, 2, 3].map((seq) =>
      encodeStreamFrame(device.frame({ type: 'READINGS', samples: [sample(seq)] }, { seq })),
    );
    const bytes = Buffer.concat(frames);
    const [inSecond, inThird] = [frames[0]!.length + 10, frames[0]!.length + frames[1]!.length + 10];
    const paused = () => host.until(() => [...host.links.sessions].some(({ carrier }) => carrier.paused));
    device.write(bytes.subarray(0, inSecond));
    await paused();
    // Room for one: the first is taken, and the half of the second begins to wait for its rest.
    host.release(2);
    await device.acknowledged(1);
    const filler = await host.device('udp', 98n);
    filler.readings(1);
    await filler.acknowledged(1);
    expect(host.journal.full).toBe(true);
    // The second is complete, but there is no room; so the rest of the third is not read at all.
    device.write(bytes.subarray(inSecond, inThird));
    await paused();
    device.write(bytes.subarray(inThird));
    await host.advance(10_000);
    await host.advance(10_000);
    host.release(MAX);
    await device.acknowledged(3);
    expect(Object.fromEntries(host.counters.tcp.skippedBytes)).toEqual({});
  });

  it('without a session is still read: HELLO is answered whatever happens', async () => {
    const host = await fullHost();
    const device = await host.connect('tcp');
    await device.hello();
  });

  it('that has sent FIN gets its ACKs when there is room again', async () => {
    const host = await fullHost();
    const device = await host.device();
    await press(host, device, 1, 3);
    device.socket!.end();
    await host.turn();
    host.release(MAX);
    await device.acknowledged(3);
    await device.closed;
  });
});

describe('datagrams', () => {
  it('cannot be held back: the device is told at once, and again after two seconds', async () => {
    const host = await fullHost();
    const device = await host.device('udp');
    device.readings(1);
    device.readings(2);
    expect(await device.next('ERROR')).toMatchObject({ code: 'busy', retryAfter: 2, sid: device.sid });
    await device.settled();
    expect(device.of('ERROR')).toHaveLength(1);
    expect(device.of('ACK')).toEqual([]);
    host.pass(2_000);
    device.readings(1);
    await device.next('ERROR');
    expect(host.counters.udp.busy).toBe(3);
    host.release(MAX);
    device.readings(1);
    device.readings(2);
    await device.acknowledged(2);
    expect(host.seqs.slice(MAX)).toEqual([1, 2]);
  });
});
