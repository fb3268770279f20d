import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as protocol from '../../../protocol/index.ts';
import { framesOf, hex, profileOf, toHex, valuesOf } from './helpers.ts';

const docs = readFileSync(new URL('../../../docs/profiles.md', import.meta.url), 'utf8');
const blocks = Array.from(docs.matchAll(/```yaml\n([\s\S]*?)```/g), ([, yaml = '']) => yaml);

test('the tables of keys are those of the schema', async () => {
  const script = new URL('../../../scripts/profile-keys.mjs', import.meta.url).href;
  const { generate } = (await import(script)) as { generate: (text: string, from: typeof protocol) => string };
  expect(docs, 'run npm run profile-keys').toBe(generate(docs, protocol));
});

test('the first profile is as short as it is said, and decodes its frame', () => {
  const yaml = blocks[0]!;
  expect(yaml.trimEnd().split('\n').length).toBeLessThan(30);
  const instance = profileOf(yaml).open();
  const [frame] = framesOf(instance, hex('00 ff aa aa 55 00 00 d7 01 c2 02 58 00 f3 0d'));
  expect(valuesOf(instance, frame!)).toEqual({ warming_up: false, temperature: 21.5, humidity: 45, co2: 600 });
  const request = instance.command('calibrate', undefined);
  expect(request.ok && toHex(request.request.bytes)).toBe('aa551001100d');
});

test('every way of framing and every checksum of the page is right', () => {
  const lines = blocks.flatMap((block) => block.split('\n')).map((line) => line.replace(/ {3,}#.*$/, ''));
  const framings = lines.filter((line) => /^framing: \S/.test(line));
  const checksums = lines.filter((line) => line.startsWith('checksum: '));
  expect(framings.length).toBeGreaterThan(12);
  expect(checksums.length).toBeGreaterThan(6);
  for (const framing of framings) profileOf(`title: T\n${framing}\nfields: { x: { at: 2, type: u8, optional: true } }`);
  for (const checksum of checksums)
    profileOf(`title: T\nframing: { length: 32 }\n${checksum}\nfields: { x: { at: 2, type: u8 } }`);
});

test('the fields of the page are right', () => {
  const block = blocks.find((yaml) => yaml.startsWith('voltage:'))!;
  const fields = block
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
  const profile = profileOf(`title: T\nframing: { sync: aa, length: 40 }\nfields:\n${fields}`);
  expect(profile.channels.map(({ alias }) => alias)).toContain('alarms');
});

test('the Modbus profile of the page is right', () => {
  const profile = profileOf(blocks.find((yaml) => yaml.includes('modbus:'))!);
  expect(profile.commands.map(({ alias }) => alias)).toEqual(['setpoint', 'pump']);
});
