import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findProfile } from '../../../device-sim/profile/load.ts';
import { PlayedDevice } from '../../../device-sim/profile/played-device.ts';
import { play } from '../../../device-sim/profile/run.ts';
import { lacks } from '../../helpers/programs.ts';
import { openPtyPair } from '../../helpers/pty.ts';
import { cli, startCli } from '../../helpers/cli.ts';
import { configFolder } from '../../helpers/config-folder.ts';
import { fixedWithTail, modbus, textLines, withLength } from '../lab/shapes.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const spaced = (bytes: Uint8Array): string => hex(bytes).replaceAll(/..(?=.)/g, '$& ');

describe('bytes2mqtt lab', () => {
  it('tells sync, length, checksum and what moves, and how sure it is', async () => {
    const { code, stdout } = await cli(['lab'], { stdin: withLength(1).frames.map(spaced).join('\n') });
    expect(code).toBe(0);
    expect(stdout).toContain('40 frames');
    expect(stdout).toMatch(/sync +aa 55 at byte 0/);
    expect(stdout).toMatch(/length +u8, at byte 2: the frame has value \+ 3 bytes; it counts the bytes after it/);
    expect(stdout).toMatch(/checksum +sum16, over bytes 0 to -2, at -2, big-endian: \d+ of \d+ different frames fit/);
    expect(stdout).toMatch(/chance does this once in 2\^\d+/);
    expect(stdout).toMatch(/kinds +byte 3 tells 2 kinds of frames apart/);
    expect(stdout).toMatch(/bytes 4–5 +u16 BE +measurement/);
    expect(stdout).not.toContain('\x1b');
  });

  it('takes arguments, a file, logs and dumps', async () => {
    const { frames } = modbus(2);
    const found = /checksum +CRC-16\/MODBUS/;
    expect((await cli(['lab', ...frames.map(hex)])).stdout).toMatch(found);
    expect((await cli(['lab', ...frames.flatMap((frame) => spaced(frame).split(' '))])).stdout).toMatch(found);
    const folder = configFolder({
      'log.txt': [
        '# heard today',
        ...frames.map(
          (frame) => `[12:03:11.204][D][uart:114]: <<< ${spaced(frame).replaceAll(' ', ':').toUpperCase()}`,
        ),
      ].join('\n'),
      'dump.txt': dump(Buffer.concat(frames)),
    });
    for (const file of ['log.txt', 'dump.txt']) {
      const { code, stdout } = await cli(['lab', '--file', join(folder, file)]);
      expect({ file, code }).toEqual({ file, code: 0 });
      expect(stdout).toMatch(found);
    }
  });

  it('tells text and its columns', async () => {
    const { stdout } = await cli(['lab', hex(Buffer.concat(textLines(3).frames))]);
    expect(stdout).toMatch(/text +lines, columns parted by ","/);
    expect(stdout).toMatch(/checksum +xor8, over bytes 1 to -5, at -4 as hex digits/);
    expect(stdout).toMatch(/WISPD .*1 number/);
  });

  it('doubts a profile that leaves unused what moves: another device with the same framing', async () => {
    // A dust sensor with three values; the CO₂ sensor of the same maker has one, and the same framing.
    const frames = Array.from({ length: 20 }, (_, i) => {
      const body = [0x86, 0, 60 + (i % 5), 0, 80 + (i % 7), 0, 50 - (i % 6)];
      return Uint8Array.from([0xff, ...body, -body.reduce((sum, byte) => sum + byte, 0) & 0xff]);
    });
    const { stdout } = await cli(['lab'], { stdin: frames.map(spaced).join('\n') });
    expect(stdout).toMatch(/hardly: the profile mhz19 .* reads 20 frames/);
    expect(stdout).toMatch(/but bytes? [67–]+, which it does not use, moves? like a measurement/);
    expect(stdout).not.toContain('may be: the profile mhz19');
  });

  it('prints JSON without loss', async () => {
    const { stdout } = await cli(['lab', '--json', ...fixedWithTail(4).frames.map(hex)]);
    const { bytes, proposals } = JSON.parse(stdout) as { bytes: number; proposals: Record<string, unknown>[] };
    expect(bytes).toBe(240);
    expect(proposals[0]).toMatchObject({
      framing: { sync: { at: 0 }, length: { kind: 'fixed', bytes: 8 } },
      tail: 'd6',
      checksum: { name: 'xor8', from: 1, to: -2, at: -2, fits: 30, of: 30 },
      frames: 30,
    });
  });

  it('listens on a connection, with silence between frames, and sends what makes the device talk', async () => {
    const asked: string[] = [];
    const { frames } = fixedWithTail(5);
    const server = createServer((socket) => {
      let at = 0;
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        asked.push(bytes.toString('hex'));
        socket.write(frames[at++ % frames.length]!);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const { code, stdout, stderr } = await cli([
      'lab',
      '--connect',
      `127.0.0.1:${port}`,
      '--for',
      '1.5',
      '--send',
      '01 02',
      '--every',
      '0.05',
    ]);
    expect(code).toBe(0);
    expect(stderr).toContain('Listening on 127.0.0.1');
    expect(asked[0]).toBe('0102');
    expect(stdout).toContain('pieces with silence between them');
    expect(stdout).toMatch(/length +always 8 bytes/);
  });

  it.skipIf(lacks('socat'))(
    'finds a device again that the simulator plays on a serial line, and knows it',
    async () => {
      const pty = await openPtyPair();
      onTestFinished(() => pty.close());
      const found = findProfile('pms5003');
      if (!found.ok) throw new Error(found.message);
      const { profile } = found;
      const stop = new AbortController();
      const said: string[] = [];
      const played = play(
        {
          link: { kind: 'serial', path: pty.b },
          devices: (random) => [
            new PlayedDevice({
              label: 'x',
              profile,
              parameters: {},
              fixed: {},
              messages: ['data'],
              datagrams: false,
              random,
            }),
          ],
          ratePerS: 20,
          baud: 9_600,
          forS: undefined,
          count: undefined,
          seed: 4,
          faults: { noise: 0.1 },
          maxWaitS: 1,
          json: true,
        },
        { out: (line) => said.push(line), log: () => undefined },
        stop.signal,
      );
      const folder = configFolder();
      const file = join(folder, 'found.yaml');
      const { code, stdout } = await cli(['lab', '--serial', pty.a, '--baud', '9600', '--for', '3', '--write', file]);
      stop.abort();
      await played;
      expect(code).toBe(0);
      expect(stdout).toMatch(/may be: the profile pms5003/);
      expect(stdout).toMatch(/sync +42 4d at byte 0/);
      expect(stdout).toMatch(/checksum +sum16, over bytes 0 to -2/);
      expect(readFileSync(file, 'utf8')).toMatch(/serial: { baud: 9600 }/);
      const { hex: frame } = JSON.parse(said.find((line) => line.includes('"stream"')) ?? '{}') as { hex: string };
      const explained = await cli(['explain', '--profile', file, frame]);
      expect(explained.code).toBe(0);
      expect(explained.stdout).toMatch(/sync/);
    },
  );

  it('Ctrl-C is enough: what came until then is looked at', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write(Buffer.concat(withLength(6).frames));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const running = startCli([
      'lab',
      '--connect',
      `127.0.0.1:${(server.address() as AddressInfo).port}`,
      '--for',
      '600',
    ]);
    await running.waitFor(/[1-9]\d* bytes/);
    running.kill('SIGINT');
    const { code, stdout } = await running.result;
    expect(code).toBe(0);
    expect(stdout).toMatch(/sync +aa 55/);
  });

  it('writes a profile, and never over a file that exists', async () => {
    const folder = configFolder();
    const file = join(folder, 'mine.yaml');
    const first = await cli(['lab', '--write', file, ...withLength(7).frames.map(hex)]);
    expect(first.code).toBe(0);
    expect(readFileSync(file, 'utf8')).toContain('type: sum16');
    writeFileSync(file, 'kept');
    const second = await cli(['lab', '--write', file, ...withLength(7).frames.map(hex)]);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain('is there already');
    expect(readFileSync(file, 'utf8')).toBe('kept');
  });

  it.each([
    [['lab', 'zz'], 2, 'is not a hex digit'],
    [['lab', 'R1234'], 2, 'xxd -p'],
    [['lab', '--file', '/nowhere/at/all'], 2, 'ENOENT'],
    [['lab', '--connect', 'nonsense'], 2, 'HOST:PORT'],
    [['lab', '--connect', '127.0.0.1:1', '--for', '1'], 1, 'ECONNREFUSED'],
    [['lab', '--serial', '/nowhere/at/all', '--for', '1'], 1, 'error: /nowhere/at/all'],
    [['lab', '--connect', '127.0.0.1:1', '--send', 'xx'], 2, '--send'],
    [['lab', '--serial', '/dev/x', '--connect', '127.0.0.1:1'], 2, 'cannot be used with'],
  ])('%j ends with %i and a word on what is wrong', async (args, status, hint) => {
    const { code, stderr } = await cli(args);
    expect(code).toBe(status);
    expect(stderr).toContain(hint);
    expect(stderr).not.toContain('    at ');
    expect(existsSync('undefined')).toBe(false);
  });

  it('says so when nothing came', async () => {
    const { code, stderr } = await cli(['lab'], { stdin: '\n' });
    expect(code).toBe(1);
    expect(stderr).toContain('No bytes');
  });
});

/** As `xxd` prints it. */
function dump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = Buffer.from(bytes.subarray(at, at + 16));
    const pairs = row.toString('hex').replaceAll(/.{4}(?=.)/g, '$& ');
    const text = row.toString('latin1').replaceAll(/[^\x20-\x7e]/g, '.');
    lines.push(`${at.toString(16).padStart(8, '0')}: ${pairs.padEnd(39)}  ${text}`);
  }
  return lines.join('\n');
}
