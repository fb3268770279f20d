import { describe, expect, it } from 'vitest';
import { makeNamedCrc, profileCodec } from '../../../protocol/index.ts';
import type { FrameDecoder } from '../../../protocol/index.ts';
import { shownSamples } from '../../conformance/shown.ts';

const profile = profileCodec('gt06')!;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const crc = makeNamedCrc('CRC-16/IBM-SDLC');

function drain(decoder: FrameDecoder): string[] {
  const items: string[] = [];
  for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
    items.push(`${item.kind === 'frame' ? 'frame' : item.reason} ${hex(item.bytes)}`);
  }
  return items;
}

/** A packet around protocol number, content and serial number; `length` overrides what the length byte says. */
function packet(inside: string, length?: number): Uint8Array {
  const body = bytes(inside);
  const counted = new Uint8Array([length ?? body.length + 2, ...body]);
  const sum = crc(counted);
  return new Uint8Array([0x78, 0x78, ...counted, sum >> 8, sum & 0xff, 0x0d, 0x0a]);
}

const HEARTBEAT = packet('13 46 06 03 00 02 0007');

describe('GT06', () => {
  it('answers login and heartbeat at once with their serial number', () => {
    const instance = profile.open();
    const login = instance.decode(packet('01 0356314041419858 0001'));
    expect(login).toMatchObject({ ok: true, message: 'login', device: '356314041419858' });
    expect(login.ok && login.replies).toEqual([{ bytes: packet('01 0001'), afterDurable: false }]);
    const heartbeat = instance.decode(HEARTBEAT);
    expect(heartbeat).toMatchObject({ ok: true, message: 'heartbeat', device: '356314041419858' });
    expect(heartbeat.ok && heartbeat.replies).toEqual([{ bytes: packet('13 0007'), afterDurable: false }]);
    expect(Object.fromEntries(shownSamples(profile, heartbeat)[0]!)).toEqual({
      fuel_cut: false,
      charging: true,
      ignition: true,
      armed: false,
      battery_level: 6,
      gsm_signal: 3,
      alarm: 'none',
    });
  });

  it.each([
    ['north east', '1400', 1, 1],
    ['south east', '1000', -1, 1],
    ['north west', '1c00', 1, -1],
    ['south west', '1800', -1, -1],
  ])('takes the signs of the coordinates from the course: %s', (_, course, north, east) => {
    // 2024-05-06 07:08:09, 9 satellites, 12.5° and 100.25°, 60 km/h
    const decoded = profile
      .open()
      .decode(packet(`12 180506070809 c9 015752a0 0ac172d0 3c ${course} 0106 01 0102 000003 0008`));
    if (!decoded.ok) throw new Error(decoded.detail);
    expect(decoded.samples[0]).toMatchObject({ timeKind: 'unix', time: Date.UTC(2024, 4, 6, 7, 8, 9) });
    expect(Object.fromEntries(shownSamples(profile, decoded)[0]!)).toMatchObject({
      latitude: 12.5 * north,
      longitude: 100.25 * east,
      speed: 60,
      satellites: 9,
      fix: true,
    });
    expect(decoded.replies).toEqual([]);
  });

  it('acknowledges an alarm when it is safe', () => {
    const instance = profile.open();
    const frame = instance.encode('alarm', { alarm: 'sos', latitude: 1.5, longitude: 2.5, battery_level: 4 });
    const decoded = instance.decode(frame);
    expect(decoded).toMatchObject({ ok: true, message: 'alarm', replies: [{ afterDurable: true }] });
    expect(shownSamples(profile, decoded)[0]!.get('alarm')).toBe('sos');
  });

  it('reads packets of the long form', () => {
    const frame = profile.open().encode('information', { external_voltage: 12.34 });
    expect(hex(frame).slice(0, 8)).toBe('79790008');
    const decoder = profile.open().createDecoder();
    decoder.push(frame.slice());
    expect(drain(decoder)).toEqual([`frame ${hex(frame)}`]);
    expect(shownSamples(profile, profile.open().decode(frame))[0]!.get('external_voltage')).toBe(12.34);
  });

  it.each([
    ['too small', 4],
    ['too large', 40],
    ['absurd', 0],
  ])('takes a packet whose length is %s up to its tail, because its CRC is right', (_, length) => {
    const frame = packet('13 46 06 03 00 02 0007', length);
    const decoder = profile.open().createDecoder();
    // One byte at a time: it must not give up before the tail has come.
    for (const byte of frame) {
      decoder.push(Uint8Array.of(byte));
      if (byte !== 0x0a) expect(decoder.next()).toBeUndefined();
    }
    expect(drain(decoder)).toEqual([`frame ${hex(frame)}`]);
  });

  it('takes none whose length and CRC are both wrong, and loses nothing behind it', () => {
    const bad = packet('13 46 06 03 00 02 0007', 4);
    bad[6]! ^= 0x10;
    const decoder = profile.open().createDecoder();
    decoder.push(new Uint8Array([...bad, ...HEARTBEAT, 0x33, 0x78, ...HEARTBEAT]));
    const items = drain(decoder);
    // 78 78 78 may begin a longer packet: silence says that it does not.
    decoder.expire();
    items.push(...drain(decoder));
    expect(items.filter((item) => item.startsWith('frame'))).toEqual(Array(2).fill(`frame ${hex(HEARTBEAT)}`));
    const skipped = items.filter((item) => !item.startsWith('frame')).map((item) => item.split(' ')[1]);
    expect(skipped.join('')).toBe(`${hex(bad)}3378`);
    expect(items[0]).toMatch(/^bad-length/);
  });

  it('sends commands and reads the answers of both generations', () => {
    const instance = profile.open();
    const made = instance.command('command', 'WHERE#');
    if (!made.ok) throw new Error(made.detail);
    expect(hex(made.request.bytes)).toContain(`800a00000000${Buffer.from('WHERE#').toString('hex')}`);
    const fresh = profile.open().answer(made.request.bytes, { response: 'here' })!.frames[0]!;
    const old = packet(`15 08 00000000 ${Buffer.from('here').toString('hex')} 0002 0009`);
    for (const frame of [fresh, old]) {
      expect(made.request.answers(frame)).toBe(true);
      expect(shownSamples(profile, instance.decode(frame))[0]!.get('response')).toBe('here');
    }
    expect(made.request.answers(HEARTBEAT)).toBe(false);
  });

  it('gives no time to a date that does not exist', () => {
    const decoded = profile.open().decode(packet('12 18021e070809 c9 015752a0 0ac172d0 3c 1400 0008'));
    expect(decoded.ok && decoded.samples[0]).toMatchObject({ timeKind: 'now' });
  });
});
