import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../gateway/config/load.ts';
import { cli } from '../../helpers/cli.ts';
import { configFolder } from '../../helpers/config-folder.ts';

const ID = 'a1b2c3d4e5f60718';
const FILE = `devices:\n  ${ID}: { alias: greenhouse }\n`;
const HEX = /\b[0-9a-f]{64}\b/;

function keyIn(cwd: string, name: string): string {
  return (
    new RegExp(`^"?${name}"?: "([0-9a-f]{64})"$`, 'm').exec(readFileSync(join(cwd, 'secrets.yaml'), 'utf8'))?.[1] ?? ''
  );
}

describe('key new', () => {
  it('makes a key, and what it says to write is all that is needed', async () => {
    const cwd = configFolder({ 'bytes2mqtt.yaml': FILE });
    const { code, stdout, stderr } = await cli(['key', 'new', 'greenhouse'], { cwd });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    // Not on the screen when nobody asked for it.
    expect(stdout).not.toMatch(HEX);
    expect(statSync(join(cwd, 'secrets.yaml')).mode & 0o777).toBe(0o600);

    const entry = /^devices:\n {2}.*$/m.exec(stdout)?.[0] ?? '';
    writeFileSync(join(cwd, 'bytes2mqtt.yaml'), `${entry}\n`);
    const loaded = loadConfig({ env: {}, cwd });
    const device = loaded.ok ? loaded.config.devices.get(ID) : undefined;
    expect(device?.alias).toBe('greenhouse');
    expect(Buffer.from(device?.key ?? []).toString('hex')).toBe(keyIn(cwd, 'greenhouse'));
  });

  it('shows it with --print, for the simulator and for C', async () => {
    const cwd = configFolder();
    const { code, stdout } = await cli(['key', 'new', ID.toUpperCase(), '--print'], { cwd });
    expect(code).toBe(0);
    const key = keyIn(cwd, ID);
    expect(stdout).toContain(`DEVICE_SIM_KEY=${key} device-sim run `);
    const bytes = Array.from(stdout.matchAll(/0x([0-9a-f]{2}),/g), ([, byte]) => byte);
    expect(bytes.join('')).toBe(key);
  });

  it('leaves a key that is there, but with --force', async () => {
    const cwd = configFolder({ 'bytes2mqtt.yaml': FILE });
    await cli(['key', 'new', ID], { cwd });
    const first = keyIn(cwd, 'greenhouse');
    const again = await cli(['key', 'new', ID], { cwd });
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('--force');
    expect(keyIn(cwd, 'greenhouse')).toBe(first);
    expect((await cli(['key', 'new', ID, '--force'], { cwd })).code).toBe(0);
    expect(keyIn(cwd, 'greenhouse')).toMatch(HEX);
    expect(keyIn(cwd, 'greenhouse')).not.toBe(first);
  });

  it('works for a configuration that lacks the very key, beside another file', async () => {
    const cwd = configFolder({ 'etc/b.yaml': `devices:\n  ${ID}: { alias: greenhouse, key: !secret greenhouse }\n` });
    expect((await cli(['key', 'new', 'greenhouse', '--config', 'etc/b.yaml'], { cwd })).code).toBe(0);
    expect(loadConfig({ path: 'etc/b.yaml', env: {}, cwd }).ok).toBe(true);
    expect(existsSync(join(cwd, 'secrets.yaml'))).toBe(false);
  });

  it('warns when others may read the file', async () => {
    const cwd = configFolder({ 'secrets.yaml': 'mqtt: x\n' });
    const { code, stderr } = await cli(['key', 'new', ID], { cwd });
    expect(code).toBe(0);
    expect(stderr).toContain('chmod 600 secrets.yaml');
  });

  it.each([
    [['green'], {}, 2],
    [['green'], { 'bytes2mqtt.yaml': FILE }, 2],
    [[ID, '--config', 'nope.yaml'], {}, 2],
    [[ID], { 'bytes2mqtt.yaml': 'a: "\n' }, 2],
    [[], {}, 2],
    [[ID], { 'secrets.yaml': '- x\n' }, 1],
  ] as [string[], Record<string, string>, number][])('%j beside %j ends with %d', async (args, files, expected) => {
    const cwd = configFolder(files);
    const { code, stdout } = await cli(['key', 'new', ...args], { cwd });
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
  });
});
