import { expect, test } from 'vitest';
import { encodeTime } from '../../../../gateway/sessions/services/time.ts';

const hex = (unixMs: number): string => Buffer.from(encodeTime(unixMs)).toString('hex');

// The examples that RFC 868 gives, but for the one before 1900.
test.each([
  ['1970-01-01T00:00:00Z', 2_208_988_800],
  ['1976-01-01T00:00:00Z', 2_398_291_200],
  ['1980-01-01T00:00:00Z', 2_524_521_600],
  ['1983-05-01T00:00:00Z', 2_629_584_000],
])('%s is %i', (date, seconds) => {
  expect(hex(Date.parse(date))).toBe(seconds.toString(16).padStart(8, '0'));
});

test('is big-endian and rounds down', () => {
  expect(hex(Date.parse('1970-01-01T00:00:00.999Z'))).toBe('83aa7e80');
});

test('starts again at 0 in February 2036', () => {
  expect(hex(Date.parse('2036-02-07T06:28:15Z'))).toBe('ffffffff');
  expect(hex(Date.parse('2036-02-07T06:28:16Z'))).toBe('00000000');
  expect(hex(Date.parse('2036-02-07T06:28:17Z'))).toBe('00000001');
});
