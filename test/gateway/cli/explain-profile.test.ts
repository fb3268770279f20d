import { describe, expect, it } from 'vitest';
import { makeNamedCrc, profileCodec } from '../../../protocol/index.ts';
import { cli } from '../../helpers/cli.ts';
import { configFolder } from '../../helpers/config-folder.ts';
import { join } from 'node:path';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const TRACKER = profileCodec('gt06')!.open();
const ALARM = TRACKER.encode('alarm', { latitude: 48.137, longitude: 11.575, speed: 50, alarm: 'fence_out' });

/** A device nobody ships. */
const YAML = `
title: A made-up scale
framing: { sync: a5 5a, length: { at: 2, type: u8, plus: 4 }, max: 64 }
checksum: { type: sum8, from: 2, to: -1, at: -1 }
parameters:
  address: { type: u8, default: 1 }
messages:
  weight:
    match: { 3: 01 }
    fields:
      mass: { at: 4, type: u16, scale: 0.01, unit: kg, class: weight }
      stable: { at: 6, bit: 0 }
`;
const GOOD = 'a55a 04 01 04d2 01 dc';

function own(): string {
  return join(configFolder({ 'scale.yaml': YAML }), 'scale.yaml');
}

describe('bytes2mqtt explain --profile', () => {
  it('names every byte of a frame by the profile', async () => {
    const { code, stdout } = await cli(['explain', '--profile', own(), ...GOOD.split(' ')]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/1: weight, 8 bytes from byte 0: good/);
    expect(stdout).toMatch(/^ +0 +a5 5a +sync/m);
    expect(stdout).toMatch(/^ +2 +04 +length/m);
    expect(stdout).toMatch(/^ +4 +04 d2 +mass +12\.34 kg/m);
    expect(stdout).toMatch(/^ +6 +01 +stable +yes/m);
    expect(stdout).toMatch(/^ +7 +dc +checksum/m);
  });

  it('says computed and received of a checksum that fails', async () => {
    const { code, stdout } = await cli(['explain', '--profile', own(), 'a55a040104d201dd']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/bad-checksum at byte 7: computed (0x)?dc, received (0x)?dd/i);
    expect(stdout).toMatch(/^> +7 +dd/m);
  });

  it('says of a frame that is cut off how much is there', async () => {
    const { code, stdout } = await cli(['explain', '--profile', own(), 'a55a040104']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/1: no frame \(incomplete\), 5 bytes/);
    expect(stdout).toContain('bad: 5 of 8 bytes: cut off, or the length is wrong');
    expect(stdout).not.toContain('checksum');
  });

  it('parts frames and noise', async () => {
    const { code, stdout } = await cli(['explain', '--profile', 'gt06'], {
      stdin: `aabb\n${hex(ALARM)}\n${hex(ALARM)}\n`,
    });
    expect(code).toBe(1);
    expect(stdout).toMatch(/1: no frame \(noise\), 2 bytes from byte 0: bad\n +aa bb/);
    expect(stdout).toMatch(/2: alarm, \d+ bytes from byte 2: good/);
    expect(stdout).toMatch(/3: alarm, \d+ bytes from byte \d+: good/);
    expect(stdout).toContain('fence_out');
  });

  it('prints JSON', async () => {
    const { stdout } = await cli(['explain', '--profile', own(), '--json', GOOD]);
    const { profile, stretches } = JSON.parse(stdout) as { profile: string; stretches: Record<string, unknown>[] };
    expect(profile).toBe('scale');
    expect(stretches).toMatchObject([{ from: 0, length: 8, ok: true, explanation: { message: 'weight' } }]);
  });

  it.each([
    [['--profile', 'nothing_like_it', '00'], 'profiles'],
    [['--profile', 'gt06', '--param', 'x=3', '00'], '--param x'],
    [['--profile', 'gt06', '--param', 'x', '00'], 'NAME=VALUE'],
    [['--profile', 'gt06', 'zz'], 'is not a hex digit'],
    [['--profile', './no-such-file.yaml', '00'], 'no-such-file'],
  ])('%j is refused with a word on what is wrong', async (args, hint) => {
    const { code, stderr } = await cli(['explain', ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(hint);
    expect(stderr).not.toContain('    at ');
  });

  it('names line and field of a profile that is wrong', async () => {
    const file = join(configFolder({ 'wrong.yaml': YAML.replace('type: u16', 'type: u17') }), 'wrong.yaml');
    const { code, stderr } = await cli(['explain', '--profile', file, '00']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/wrong\.yaml:11/);
    expect(stderr).toContain('mass');
  });
});

describe('bytes2mqtt explain --profile of a Modbus device', () => {
  const METER = `
title: A made-up meter
serial: { baud: 9600 }
modbus:
  table: input
  registers:
    voltage: { at: 0x3100, type: u16, scale: 0.01, unit: V }
    current: { at: 0x3101, type: u16, scale: 0.01, unit: A }
    power: { at: 0x3200, type: u16, unit: W }
    energy: { at: 0x3400, type: u16, unit: Wh }
`;
  const crc = makeNamedCrc('CRC-16/MODBUS');
  const rtu = (text: string): string => {
    const bytes = Buffer.from(text.replaceAll(' ', ''), 'hex');
    const sum = crc(bytes, 0, bytes.length);
    return hex(Buffer.concat([bytes, Uint8Array.of(sum & 0xff, sum >> 8)]));
  };
  const explained = async (...words: string[]) => {
    const file = join(configFolder({ 'meter.yaml': METER }), 'meter.yaml');
    return cli(['explain', '--profile', file, ...words]);
  };

  it('reads an answer as that to the request before it, also where no block is asked so', async () => {
    const { code, stdout } = await explained(rtu('01 04 32 00 00 01'), rtu('01 04 02 00 07'));
    expect(code).toBe(0);
    expect(stdout).toMatch(/1: request read input registers, 8 bytes from byte 0: good/);
    expect(stdout).toMatch(/2: input 12800, 7 bytes from byte 8: good/);
    expect(stdout).toMatch(/power +7 W/);
    expect(stdout).not.toContain('energy');
    const other = await explained(rtu('01 04 31 01 00 01'), rtu('01 04 02 00 c8'));
    expect(other.stdout).toMatch(/current +2\.00 A/);
  });

  it('shows all blocks that an answer alone may be to', async () => {
    const { code, stdout } = await explained(rtu('01 04 02 00 07'));
    expect(code).toBe(0);
    expect(stdout).toMatch(/byte_count +2 +fits 2 blocks: input 12800, input 13312/);
    expect(stdout).toMatch(/power +7 W +.*if it answers input 12800/);
    expect(stdout).toMatch(/energy +7 Wh +.*if it answers input 13312/);
  });

  it('tells what is cut off or broken in one piece', async () => {
    const cut = await explained(rtu('01 04 31 00 00 02'), '01041006b0');
    expect(cut.code).toBe(1);
    expect(cut.stdout).toMatch(/2: no frame \(unreadable\), 5 bytes from byte 8: bad/);
    expect(cut.stdout).toContain('5 of 21 bytes: cut off, or the byte count is wrong');
    expect(cut.stdout).not.toContain('3: ');
    const broken = await explained('01 04 02 00 07 12 34');
    expect(broken.stdout).toMatch(/1: no frame \(unreadable\), 7 bytes from byte 0: bad/);
    expect(broken.stdout).toMatch(/bad: the checksum is wrong: computed [0-9a-f]{4}, received 3412/);
    const miscounted = await explained(rtu('01 04 06 00 07'));
    expect(miscounted.stdout).toContain('its byte count says 6 bytes of data, there are 2');
  });
});
