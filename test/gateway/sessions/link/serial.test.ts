/** Link sessions on a serial line: the line outlives them. */
import { performance } from 'node:perf_hooks';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openSerialLine } from '../../../../gateway/sources/serial-line.ts';
import { SerialSource } from '../../../../gateway/sources/serial.ts';
import { DEVICE_ID, LinkDevice } from '../../../helpers/link-device.ts';
import { lacks } from '../../../helpers/programs.ts';
import { openPtyPair, ptyProgram } from '../../../helpers/pty.ts';
import { LinkHost, type LinkHostOptions } from './link-host.ts';

const SETTINGS = { baud: 115_200, dataBits: 8, parity: 'none', stopBits: 1, flowControl: 'none' } as const;

async function plugIn(
  options: LinkHostOptions = {},
): Promise<{ host: LinkHost; device: LinkDevice; write: (bytes: Uint8Array) => void }> {
  const pair = await openPtyPair();
  onTestFinished(() => pair.close());
  const host = await LinkHost.start({
    ...options,
    sources: (context) => [new SerialSource({ path: pair.a, baud: 115_200 }, context)],
  });
  const line = await openSerialLine('device', pair.b, SETTINGS, () => performance.now());
  onTestFinished(() => void line.destroy());
  return { host, device: LinkDevice.over(line, DEVICE_ID), write: (bytes) => void line.write(bytes) };
}

const channels = (host: LinkHost) => host.acceptor.entries.map(({ channels: open }) => open)[3];

describe.skipIf(ptyProgram() === undefined && lacks('socat', 'python3'))('a serial line', () => {
  it('outlives its sessions: BYE, an ERROR, silence, a device that starts again', async () => {
    const { host, device } = await plugIn();
    await device.hello();
    device.readings(1);
    await device.acknowledged(1);
    device.send({ type: 'BYE', reason: 'done' });
    await host.event('offline a1b2c3d4e5f60718 bye');

    await device.hello({ firstSeq: 2 });
    device.send({ type: 'ERROR', code: 'malformed', retryAfter: 0, text: '' });
    await host.event('offline a1b2c3d4e5f60718 device-error');

    await device.hello({ firstSeq: 2 });
    await host.advance(75_000);
    expect(host.events.at(-1)).toBe('offline a1b2c3d4e5f60718 silent');

    await device.hello({ firstSeq: 2 });
    device.readings(2);
    await device.acknowledged(2);
    await device.hello({ boot: 8 });
    device.readings(1);
    await device.acknowledged(1);
    expect(host.seqs).toEqual([1, 2, 1]);
    expect(channels(host)).toBe(1);
  });

  it('has no handshake deadline, and noise on it costs nothing but itself', async () => {
    const { host, device, write } = await plugIn();
    await host.advance(600_000);
    write(Uint8Array.from({ length: 500 }, (_, n) => (n * 37) % 256));
    write(Uint8Array.of(0));
    await device.hello();
    device.readings(1);
    await device.acknowledged(1);
    expect(channels(host)).toBe(1);
  });

  it('is not closed for being held back: opening it again resets many boards', async () => {
    const { host, device } = await plugIn({ maxRecords: 1 });
    await device.hello();
    device.readings(1);
    await device.acknowledged(1);
    device.readings(2);
    await host.until(() => [...host.links.sessions].some(({ carrier }) => carrier.paused));
    for (let s = 0; s < 200; s += 10) {
      await host.advance(10_000);
    }
    await device.next('ERROR');
    expect(device.of('ERROR').map(({ code }) => code)).toEqual(['busy']);
    host.release(1);
    await device.acknowledged(2);
    expect(host.events).toEqual(['online a1b2c3d4e5f60718']);
  });
});
