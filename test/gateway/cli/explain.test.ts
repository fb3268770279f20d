import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { explanationTable } from '../../../gateway/commands/explain-table.ts';
import { paint } from '../../../gateway/commands/terminal.ts';
import { encodeMessage, encodeStreamFrame, explain } from '../../../protocol/index.ts';
import { cli } from '../../helpers/cli.ts';

const VECTORS = new URL('../../vectors/link-secure.json', import.meta.url);
const PING = encodeMessage({ type: 'PING', token: 42 }, { sid: 7, seq: 1 });
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const spaced = (bytes: Uint8Array) => hex(bytes).replaceAll(/..(?=.)/g, '$& ');

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
}

describe('bytes2mqtt explain', () => {
  it('names every range of a good frame', async () => {
    const { code, stdout } = await cli(['explain', ...spaced(PING).split(' ')]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/frame 1: PING, 18 bytes.*good/);
    for (const field of ['vf', 'type', 'sid', 'seq', 'token', 'crc']) {
      expect(stdout).toMatch(new RegExp(`^ +\\d+ +([0-9a-f]{2} )+ *${field} `, 'm'));
    }
    expect(stdout).not.toContain('\x1b');
  });

  it('shows the outside of a sealed frame, and with the key its inside', async () => {
    const { handshakes } = JSON.parse(readFileSync(VECTORS, 'utf8')) as {
      handshakes: [{ key: string; up: string }];
    };
    const [{ key, up }] = handshakes;
    const closed = await cli(['explain', up]);
    expect(closed.code).toBe(0);
    expect(closed.stdout).toMatch(/frame 1: HELLO, 96 bytes.*sealed, not checked/);
    expect(closed.stdout).toMatch(/a1 b2 c3 d4 e5 f6 07 18 +device/);
    const opened = await cli(['explain', '--key', key, up]);
    expect(opened.code).toBe(0);
    expect(opened.stdout).toMatch(/frame 1: HELLO, 96 bytes.*good/);
    expect(opened.stdout).toMatch(/00 00 00 07 +boot +7/);
    const wrong = await cli(['explain', '--key', `${key.slice(2)}00`, up]);
    expect(wrong).toMatchObject({ code: 1, stdout: expect.stringContaining('bad-tag') });
    const none = await cli(['explain', '--key', key.slice(2), up]);
    expect(none.code).toBe(2);
    expect(none.stderr).not.toContain(key.slice(2));
  });

  it.each([
    ['one word', [hex(PING)]],
    ['colons', [spaced(PING).replaceAll(' ', ':')]],
    ['0x and commas', [Array.from(PING, (byte) => `0x${byte.toString(16)}`).join(', ')]],
    ['COBS', [hex(encodeStreamFrame(PING))]],
    ['COBS without its end', [hex(encodeStreamFrame(PING)).slice(0, -2)]],
  ])('takes %s', async (_, words) => {
    const { code, stdout } = await cli(['explain', ...words]);
    expect(code).toBe(0);
    expect(stdout).toContain('PING');
  });

  it('reads stdin, with several frames over several lines', async () => {
    const text = `${spaced(encodeStreamFrame(PING))}\n${hex(encodeStreamFrame(PING))}\n`;
    for (const args of [['explain'], ['explain', '-']]) {
      const { code, stdout } = await cli(args, { stdin: text });
      expect(code).toBe(0);
      expect(stdout).toContain('frame 1: PING');
      expect(stdout).toContain('frame 2: PING');
    }
  });

  const XXD = [
    '00000000: 2007 0000 0007 0000 0001 0000 002a e316   ............*..',
    '00000010: 8ae8                                     ..',
  ];
  const HEXDUMP = [
    '00000000  20 07 00 00 00 07 00 00  00 01 00 00 00 2a e3 16  | ............*..|',
    '00000010  8a e8                                             |..|',
    '00000012',
  ];
  it.each([
    ['xxd', XXD],
    ['hexdump -C', HEXDUMP],
    ['escapes', [spaced(PING).replaceAll(/(^| )/g, '\\x')]],
  ])('takes the output of %s', async (_, lines) => {
    const { code, stdout } = await cli(['explain'], { stdin: `${lines.join('\n')}\n` });
    expect({ code, first: stdout.split('\n')[0] }).toEqual({
      code: 0,
      first: 'frame 1: PING, 18 bytes from byte 0, bare: good',
    });
  });

  it('splits bare frames in a row by their CRCs, and says what is left over', async () => {
    const log = encodeMessage({ type: 'LOG', level: 'info', text: 'hello' }, { sid: 7, seq: 2 });
    const row = await cli(['explain', hex(PING), hex(log), hex(PING)]);
    expect(row.code).toBe(0);
    expect(row.stdout.split('\n').filter((line) => line.startsWith('frame '))).toEqual([
      'frame 1: PING, 18 bytes from byte 0, bare: good',
      `frame 2: LOG, ${log.length} bytes from byte 18, bare: good`,
      `frame 3: PING, 18 bytes from byte ${18 + log.length}, bare: good`,
    ]);
    const broken = await cli(['explain', '--json', hex(PING) + hex(flipped(PING, 13))]);
    expect(broken.code).toBe(1);
    expect(JSON.parse(broken.stdout)).toMatchObject({
      frames: [{ ok: true }, { ok: false, wireOffset: 18, problem: { code: 'bad-crc', wireOffset: 32 } }],
    });
  });

  it('points at the byte of binary input, and says what to do', async () => {
    const { code, stderr } = await cli(['explain'], { stdin: '20 07\t\u0005 07' });
    expect(code).toBe(2);
    const [message, line = '', caret = ''] = stderr.split('\n');
    expect(message).toContain('xxd');
    expect(line.indexOf('\\x05')).toBe(caret.indexOf('^'));
  });

  it('says where and why a bad frame is bad, and ends with 1', async () => {
    const good = encodeStreamFrame(PING);
    const { code, stdout } = await cli(['explain', hex(good) + hex(encodeStreamFrame(flipped(PING, 13)))]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/frame 1: PING.*good/);
    expect(stdout).toMatch(/frame 2: PING.*bad/);
    expect(stdout).toMatch(/^bad-crc at byte \d+ \(byte 14 of the frame\): .*computed.*received/m);
    expect(stdout).toMatch(/^> .*crc/m);
  });

  it('keeps to the form that is asked for', async () => {
    const { code, stdout } = await cli(['explain', '--form', 'cobs', hex(PING)]);
    expect(code).toBe(1);
    expect(stdout).toContain('COBS');
  });

  it('prints JSON with bytes as hex', async () => {
    const { code, stdout } = await cli(['explain', '--json', hex(PING)]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      form: 'frame',
      ok: true,
      frames: [{ name: 'PING', ok: true, bytes: hex(PING), message: { type: 'PING', token: 42 } }],
    });
  });

  it('JSON holds 64-bit integers as text and a bad frame with its problem', async () => {
    const report = encodeMessage(
      {
        type: 'REPORT',
        device: 0xffff_ffff_ffff_ffffn,
        boot: 1,
        uptime: 5,
        samples: [
          { timeKind: 'now', time: 0, values: [{ channel: 1, type: 'f32', quality: 'good', value: Number.NaN }] },
        ],
      },
      { sid: 0, seq: 1 },
    );
    const good = JSON.parse((await cli(['explain', '--json', hex(report)])).stdout) as { frames: unknown[] };
    expect(good.frames[0]).toMatchObject({ message: { device: '18446744073709551615' } });
    const { code, stdout } = await cli(['explain', '--json', hex(flipped(report, 3))]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, frames: [{ problem: { code: 'bad-crc' } }] });
  });

  it.each([
    [['20', '0g'], 'character 5: "g" is not a hex digit'],
    [['20 00 '.repeat(30), 'zz'], 'is not a hex digit'],
    [['207'], 'half a byte'],
    [[' '], 'no bytes'],
  ])('refuses %j with 2', async (words, message) => {
    const { code, stdout, stderr } = await cli(['explain', ...words]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
  });

  it('tells line and column of what is wrong on stdin', async () => {
    const { code, stderr } = await cli(['explain'], { stdin: '20 07\n00 x0\n' });
    expect(code).toBe(2);
    expect(stderr).toContain('line 2, column 4');
  });

  it('text of the device is shown harmlessly', async () => {
    const log = encodeMessage({ type: 'LOG', level: 'info', text: '\u001b[2J\u202ehi' }, { sid: 7, seq: 1 });
    const { stdout } = await cli(['explain', hex(log)]);
    expect(stdout).toContain('hi');
    // oxlint-disable-next-line no-control-regex
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  });
});

describe('the table', () => {
  it('has aligned columns, with and without colour', () => {
    const explanation = explain(PING);
    const plain = explanationTable(explanation, paint(false));
    // oxlint-disable-next-line no-control-regex
    const stripped = explanationTable(explanation, paint(true)).replaceAll(/\x1b\[\d+m/g, '');
    expect(stripped).toBe(plain);
    const rows = plain.split('\n').slice(1);
    const column = rows[0]?.indexOf('field');
    for (const row of rows.slice(1)) expect(row.slice((column ?? 0) - 2, column)).toBe('  ');
  });

  it('cuts long ranges', () => {
    const text = explanationTable(explain(new Uint8Array(2000).fill(0x55)), paint(false));
    expect(text.split('\n').every((line) => line.length < 300)).toBe(true);
  });
});
