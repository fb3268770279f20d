import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { KEYS, SECTIONS } from '../../../gateway/config/keys.ts';
import { jsonSchema, SOURCE_KINDS } from '../../../gateway/config/schema.ts';
import { STARTER } from '../../../gateway/config/starter.ts';
import { suggest } from '../../../protocol/index.ts';

/** An independent reading of the published schema: from JSON, as an editor has it. */
const published = z.fromJSONSchema(JSON.parse(JSON.stringify(jsonSchema())) as Parameters<typeof z.fromJSONSchema>[0]);

describe('the JSON Schema', () => {
  it('takes the starter file', () => {
    expect(published.safeParse(parse(STARTER)).error).toBeUndefined();
  });

  it.each<unknown>([
    {},
    { mqtt: { url: 'mqtts://a', qos: 0 }, sources: [{ tcp: '[::]:2883' }, { serial: '/dev/x', stop_bits: 2 }] },
    { devices: { a1b2c3d4e5f60718: { alias: 'x' } } },
  ])('takes %j', (value) => {
    expect(published.safeParse(value).success).toBe(true);
  });

  it.each<unknown>([
    { foo: 1 },
    { mqtt: { urll: 'x' } },
    { mqtt: { qos: 2 } },
    { sources: [] },
    { sources: [{}] },
    { sources: [{ tcp: 'a' }] },
    { sources: [{ tcp: 'a:1', baud: 9600 }] },
    { sources: [{ tcp: 'a:1', udp: 'a:1' }] },
    { sources: [{ serial: '/dev/x', parity: 'maybe' }] },
    { limits: { window: 33 } },
    { limits: { window: 1.5 } },
    { devices: { x: {} } },
    { devices: { a1b2c3d4e5f60718: { alias: 'Ü' } } },
    { log: { level: 'loud' } },
  ])('refuses %j', (value) => {
    expect(published.safeParse(value).success).toBe(false);
  });

  it('describes every key and section', () => {
    expect(KEYS.filter((key) => key.description === '').map((key) => key.path.join('.'))).toEqual([]);
    expect(SECTIONS.filter((section) => section.description === '')).toEqual([]);
  });

  it('has one key that names the kind for each kind of source', () => {
    for (const kind of SOURCE_KINDS) {
      expect(KEYS.find((key) => key.path.join('.') === `sources.*.${kind}`)?.kinds).toEqual([kind]);
    }
  });
});

describe('did you mean', () => {
  it.each([
    ['ulr', 'url'],
    ['urls', 'url'],
    ['Client-ID', 'client_id'],
    ['keepalive', 'keepalive_s'],
    ['xyz', undefined],
    ['', undefined],
    ['a'.repeat(10_000), undefined],
  ])('%.20s: %s', (written, expected) => {
    expect(suggest(written, ['url', 'client_id', 'keepalive_s', 'qos'])).toBe(expected);
  });
});
