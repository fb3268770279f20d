import { expect, test } from 'vitest';
import { hexCapture } from '../../../gateway/lab/hex-capture.ts';

function pieces(text: string): string[] {
  const found = hexCapture(text);
  if (!found.ok) throw new Error(`${found.line}:${found.column} ${found.message}`);
  return found.capture.pieces.map(({ bytes }) => Buffer.from(bytes).toString('hex'));
}

test.each([
  ['a line is a piece', '42 4d 00\n0x42, 0x4d, 0x01\n\n42:4d:02\n', ['424d00', '424d01', '424d02']],
  ['comments are left out', '# first\n424d00\n  # second\n424d01', ['424d00', '424d01']],
  [
    'hex at the end of a log line',
    '[12:03:11][D][uart_debug:114]: <<< 42:4D:00\n12:03:12.5 RX: 42 4D 01',
    ['424d00', '424d01'],
  ],
  ['a word that ends like hex is none', 'Received AA BB\ndata=CC DD', ['aabb', 'ccdd']],
  [
    'a dump is one piece',
    '00000000: 424d 001c 0000 0001  BM......\n00000008: 0102 0304  ....',
    ['424d001c0000000101020304'],
  ],
  [
    'wrapped hex is one piece',
    '42 4d 00 1c 00 00 00 08\n01 02 03 04 05 06 07 08\n09 0a',
    ['424d001c000000080102030405060708090a'],
  ],
  [
    'frames of 8 bytes that begin alike are not',
    '424d000000000001\n424d000000000002',
    ['424d000000000001', '424d000000000002'],
  ],
])('%s', (_, text, expected) => {
  expect(pieces(text)).toEqual(expected);
});

test('what is no hex is told with its place', () => {
  expect(hexCapture('42 4d\nhello there')).toMatchObject({ ok: false, line: 2 });
});

test('a long line of nearly hex costs no more than reading it', () => {
  const line = `${'ab '.repeat(200_000)}g`;
  const before = process.cpuUsage().user;
  expect(hexCapture(line).ok).toBe(false);
  expect(process.cpuUsage().user - before).toBeLessThan(5_000_000);
});
