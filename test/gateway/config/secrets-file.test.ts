import { chmodSync, chownSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { addSecret } from '../../../gateway/config/secrets-file.ts';
import { parseYaml } from '../../../gateway/config/yaml-file.ts';
import { configFolder } from '../../helpers/config-folder.ts';

function secretsIn(path: string): unknown {
  const parsed = parseYaml(readFileSync(path, 'utf8'));
  return parsed.ok ? parsed.value : parsed.faults;
}

describe('a secret that is added', () => {
  it('makes a file that only its owner may read, whatever the umask', () => {
    const before = process.umask(0);
    const path = join(configFolder(), 'secrets.yaml');
    try {
      expect(addSecret(path, 'greenhouse', '12', false)).toEqual({
        ok: true,
        replaced: false,
        readableByOthers: false,
      });
    } finally {
      process.umask(before);
    }
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(secretsIn(path)).toEqual({ greenhouse: '12' });
  });

  it('belongs to the owner of its folder, whoever adds it: the service reads what root writes', () => {
    const folder = configFolder();
    const path = join(folder, 'secrets.yaml');
    const owner = process.getuid?.() === 0 ? 1_234 : statSync(folder).uid;
    chownSync(folder, owner, statSync(folder).gid);
    expect(addSecret(path, 'a', 'x', false)).toMatchObject({ ok: true });
    expect(addSecret(path, 'b', 'x', false)).toMatchObject({ ok: true });
    expect(statSync(path).uid).toBe(owner);
  });

  it.each([
    ['comments and quotes', '# mine\nmqtt: "x: y" # the broker\n\nlong: ' + 'a '.repeat(100) + 'b\n'],
    ['no line feed at the end', 'mqtt: x'],
    ['indented', '  mqtt: x\n'],
    ['a flow map', '{ mqtt: x }\n'],
    ['only comments', '# nothing\n'],
    ['nothing', ''],
  ])('leaves what is there: %s', (_, text) => {
    const path = join(configFolder({ 'secrets.yaml': text }), 'secrets.yaml');
    const before = secretsIn(path) ?? {};
    expect(addSecret(path, '1122334455667788', '0x10', false)).toMatchObject({ ok: true, replaced: false });
    expect(secretsIn(path)).toEqual({ ...before, '1122334455667788': '0x10' });
    for (const [comment] of text.matchAll(/# .*/g)) expect(readFileSync(path, 'utf8')).toContain(comment);
  });

  it('replaces only by force', () => {
    const path = join(configFolder({ 'secrets.yaml': 'a: old\nb: other\n' }), 'secrets.yaml');
    expect(addSecret(path, 'a', 'new', false)).toEqual({ ok: false, reason: 'exists' });
    expect(secretsIn(path)).toEqual({ a: 'old', b: 'other' });
    expect(addSecret(path, 'a', 'new', true)).toMatchObject({ ok: true, replaced: true });
    expect(secretsIn(path)).toEqual({ a: 'new', b: 'other' });
  });

  it('keeps mode and link of the file, tells that others may read it, and leaves nothing else behind', () => {
    const folder = configFolder({ 'real/secrets.yaml': 'a: 1\n' });
    const path = join(folder, 'secrets.yaml');
    symlinkSync('real/secrets.yaml', path);
    chmodSync(join(folder, 'real/secrets.yaml'), 0o640);
    expect(addSecret(path, 'b', 'x', false)).toMatchObject({ ok: true, readableByOthers: true });
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readdirSync(folder).toSorted()).toEqual(['real', 'secrets.yaml']);
    expect(readdirSync(join(folder, 'real'))).toEqual(['secrets.yaml']);
  });

  it.each([
    ['a list', '- a\n', { reason: 'broken', line: 1 }],
    ['broken', 'a: "x\n', { reason: 'broken', line: 1 }],
  ])('is refused where it would not be found again: %s', (_, text, expected) => {
    const path = join(configFolder({ 'secrets.yaml': text }), 'secrets.yaml');
    expect(addSecret(path, 'b', 'x', true)).toMatchObject({ ok: false, ...expected });
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('is an errno where there is no folder', () => {
    expect(addSecret(join(configFolder(), 'no/secrets.yaml'), 'b', 'x', true)).toEqual({ ok: false, reason: 'ENOENT' });
  });
});
