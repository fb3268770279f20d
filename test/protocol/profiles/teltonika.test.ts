import { describe, expect, it } from 'vitest';
import { makeNamedCrc, profileCodec } from '../../../protocol/index.ts';
import type { FrameDecoder } from '../../../protocol/index.ts';
import { shownSamples } from '../../conformance/shown.ts';

const profile = profileCodec('teltonika')!;
const IMEI = '356307042441013';
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));

/** Frames and skips that come out of a decoder, as text. */
function drain(decoder: FrameDecoder): string[] {
  const items: string[] = [];
  for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
    items.push(`${item.kind === 'frame' ? 'frame' : item.reason} ${hex(item.bytes)}`);
  }
  return items;
}

/** A TCP packet with two records in the given codec: one element of a byte, one of two, one of four, one of eight. */
function packet(codec: 0x08 | 0x8e | 0x10): Uint8Array {
  const number = (value: number): string => value.toString(16).padStart(codec === 0x8e ? 4 : 2, '0');
  const id = (value: number): string => value.toString(16).padStart(codec === 0x08 ? 2 : 4, '0');
  const record = (time: number): string =>
    [
      time.toString(16).padStart(16, '0'),
      '01',
      '0e8c5c68', // longitude 24.4079720
      '20a1b5b0', // latitude 54.746872
      '0064',
      '00b4',
      '09',
      '0032',
      id(239),
      codec === 0x10 ? '05' : '',
      number(codec === 0x8e ? 5 : 4),
      number(1),
      `${id(239)}01`,
      number(1),
      `${id(66)}30d4`,
      number(1),
      `${id(16)}0001e240`,
      number(1),
      `${id(11)}000000003544c87a`,
      codec === 0x8e ? '000101000003414243' : '',
    ].join('');
  const data = bytes(
    `${codec.toString(16).padStart(2, '0')}02${record(1_700_000_000_000)}${record(1_700_000_001_500)}02`,
  );
  const crc = makeNamedCrc('CRC-16/ARC')(data).toString(16).padStart(8, '0');
  return bytes(`00000000${data.length.toString(16).padStart(8, '0')}${hex(data)}${crc}`);
}

describe('Teltonika over TCP', () => {
  it('welcomes a tracker at once, and acknowledges its records when they are safe', () => {
    const instance = profile.open();
    const login = instance.decode(bytes(`000f${Buffer.from(IMEI).toString('hex')}`));
    expect(login).toMatchObject({ ok: true, message: 'login', device: IMEI, samples: [] });
    expect(login.ok && login.replies).toEqual([{ bytes: Uint8Array.of(1), afterDurable: false }]);
    const data = instance.decode(packet(0x08));
    expect(data).toMatchObject({ ok: true, message: 'data', device: IMEI });
    expect(data.ok && data.replies).toEqual([{ bytes: Uint8Array.of(0, 0, 0, 2), afterDurable: true }]);
  });

  it.each([0x08, 0x8e, 0x10] as const)('reads records in codec %i', (codec) => {
    const decoded = profile.open().decode(packet(codec));
    if (!decoded.ok) throw new Error(decoded.detail);
    expect(decoded.samples.map(({ timeKind, time }) => [timeKind, time])).toEqual([
      ['unix', 1_700_000_000_000],
      ['unix', 1_700_000_001_500],
    ]);
    const shown = shownSamples(profile, decoded);
    expect(Object.fromEntries(shown[1]!)).toMatchObject({
      longitude: 24.407972,
      latitude: 54.746872,
      altitude: 100,
      heading: 180,
      satellites: 9,
      speed: 50,
      priority: 'high',
      event: 239,
      ignition: true,
      external_voltage: 12.5,
      odometer: 123_456,
      iccid_1: 893_700_218n,
    });
    // Only codec 8E has elements of any length; id 256 is in no list and gets a channel of its own.
    expect(decoded.newChannels.map(({ alias }) => alias)).toEqual(codec === 0x8e ? ['io_256', 'io_256'] : []);
    if (codec === 0x8e) expect(shown[0]!.get('io_256')).toBe('414243');
  });

  it('calls a position stale while there is no satellite', () => {
    const decoded = profile.open().decode(profile.open().encode('data', { latitude: 1, longitude: 2, satellites: 0 }));
    const values = decoded.ok ? decoded.samples[0]!.values : [];
    expect(values.slice(0, 2).map(({ quality }) => quality)).toEqual(['stale', 'stale']);
  });

  it('acknowledges nothing when the numbers of records disagree, so that the tracker sends again', () => {
    const frame = packet(0x08);
    frame[9] = 3;
    const crc = makeNamedCrc('CRC-16/ARC')(frame, 8, frame.length - 4);
    frame.set([crc >> 8, crc & 0xff], frame.length - 2);
    expect(profile.open().decode(frame)).toMatchObject({ ok: false, code: 'bad-content' });
  });

  it('skips keepalives as fill and noise as noise, and finds the next packet behind a torn one', () => {
    const good = packet(0x08);
    const decoder = profile.open().createDecoder();
    decoder.push(bytes('ff'));
    decoder.push(good.slice());
    expect(drain(decoder)).toEqual(['fill ff', `frame ${hex(good)}`]);
    // A byte is lost in the middle: the packet takes the first byte of the next one, and fails.
    decoder.push(new Uint8Array([...good.subarray(0, 30), ...good.subarray(31), ...good, ...good]));
    const items = drain(decoder);
    expect(items.filter((item) => item.startsWith('frame'))).toEqual([`frame ${hex(good)}`, `frame ${hex(good)}`]);
    expect(items[0]).toMatch(/^bad-checksum/);
  });

  it('tells computed and received CRC', () => {
    const frame = packet(0x08);
    frame[frame.length - 1]! ^= 1;
    const failed = profile.open().failedChecksum(frame)!;
    expect(failed.at).toBe(frame.length - 4);
    expect(Number.parseInt(failed.computed, 16) ^ Number.parseInt(failed.received, 16)).toBe(1);
  });

  it('sends commands and reads their answers', () => {
    const instance = profile.open();
    const made = instance.command('command', 'getver');
    if (!made.ok) throw new Error(made.detail);
    const answer = profile.open().answer(made.request.bytes, { response: 'Ver:03' });
    const frame = answer!.frames[0]!;
    expect(made.request.answers(frame)).toBe(true);
    expect(made.request.answers(packet(0x08))).toBe(false);
    expect(shownSamples(profile, instance.decode(frame))[0]!.get('response')).toBe('Ver:03');
    expect(instance.command('command', 'ü')).toMatchObject({ ok: false, code: 'bad-value' });
    expect(instance.command('reboot', true)).toMatchObject({ ok: false, code: 'no-command' });
  });
});

describe('Teltonika over UDP', () => {
  it('reads a datagram, who sent it, and answers in its shape when the records are safe', () => {
    const instance = profile.open();
    const datagram = instance.encode('datagram', { imei: IMEI, packet: 0xcafe, avl_packet: 7, latitude: 54.5 });
    const decoder = instance.createDecoder();
    decoder.push(datagram.slice());
    expect(drain(decoder)).toEqual([`frame ${hex(datagram)}`]);
    const decoded = instance.decode(datagram);
    expect(decoded).toMatchObject({ ok: true, message: 'datagram', device: IMEI });
    expect(decoded.ok && decoded.replies).toEqual([{ bytes: bytes('0005cafe010701'), afterDurable: true }]);
  });
});

describe('a server as the tracker hears it', () => {
  it('frames welcomes, acknowledgements and commands', () => {
    const instance = profile.open();
    const command = instance.command('command', 'getinfo');
    const sent = command.ok ? command.request.bytes : bytes('');
    const decoder = instance.createRequestDecoder();
    decoder.push(new Uint8Array([1, 0, 0, 0, 2, 0, 5, 0xca, 0xfe, 1, 7, 1, ...sent]));
    expect(drain(decoder)).toEqual(['frame 01', 'frame 00000002', 'frame 0005cafe010701', `frame ${hex(sent)}`]);
  });
});
