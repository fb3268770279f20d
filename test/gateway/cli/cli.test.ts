import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { jsonSchema } from '../../../gateway/config/schema.ts';
import { STARTER } from '../../../gateway/config/starter.ts';
import { cli } from '../../helpers/cli.ts';
import { configFolder } from '../../helpers/config-folder.ts';

const COMMANDS = ['run', 'demo', 'check', 'schema', 'init', 'key', 'ports', 'explain'];

describe('help', () => {
  it('lists all commands', async () => {
    const { code, stdout } = await cli(['--help']);
    expect(code).toBe(0);
    for (const name of COMMANDS) expect(stdout).toMatch(new RegExp(`^ {2}${name} `, 'm'));
  });

  it.each(COMMANDS)('of %s shows an example', async (name) => {
    const { code, stdout } = await cli([name, '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain(`Example:\n  $ bytes2mqtt ${name}`);
  });

  it('tells the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(await cli(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
  });
});

describe('a wrong command line ends with 2 and a hint, on stderr', () => {
  it.each([
    [[], 'Usage:'],
    [['rnu'], 'Did you mean run?'],
    [['check', '--confg', 'x'], 'Did you mean --config?'],
    [['check', '--config'], 'argument missing'],
    [['init', 'a', 'b'], 'too many arguments'],
    [['demo', '--for', 'soon'], 'Expected a number above 0'],
    [['demo', '--for', '-1'], 'Expected a number above 0'],
    [['demo', '--seed', '1.5'], 'Expected a whole number'],
    [['explain', '--form', 'slip', '00'], 'Allowed choices'],
  ])('%j', async (args, hint) => {
    const { code, stdout, stderr } = await cli(args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(hint);
  });
});

describe('init', () => {
  it('writes the starter, refuses to write over it, and does with --force', async () => {
    const cwd = configFolder();
    const path = join(cwd, 'bytes2mqtt.yaml');
    expect((await cli(['init'], { cwd })).code).toBe(0);
    expect(readFileSync(path, 'utf8')).toBe(STARTER);

    const again = await cli(['init'], { cwd });
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('--force');
    expect((await cli(['init', '--force'], { cwd })).code).toBe(0);
    expect((await cli(['check', '--no-resources'], { cwd })).code).toBe(0);
  });

  it('leaves a file of the user as it is', async () => {
    const cwd = configFolder({ 'mine.yaml': 'mine' });
    expect((await cli(['init', 'mine.yaml'], { cwd })).code).toBe(1);
    expect(readFileSync(join(cwd, 'mine.yaml'), 'utf8')).toBe('mine');
  });

  it('tells a folder that is not there', async () => {
    const cwd = configFolder({ 'folder/file': '' });
    for (const more of [[], ['--force']]) {
      const folder = await cli(['init', 'folder', ...more], { cwd });
      expect(folder.code).toBe(1);
      expect(folder.stderr).toContain('folder/bytes2mqtt.yaml');
      expect(folder.stderr).not.toContain('--force');
    }
    const { code, stderr } = await cli(['init', 'no/such/x.yaml'], { cwd: configFolder() });
    expect(code).toBe(1);
    expect(stderr).toContain('does not exist');
  });
});

describe('schema', () => {
  it('prints the JSON Schema and nothing else', async () => {
    const { code, stdout } = await cli(['schema']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(JSON.parse(JSON.stringify(jsonSchema())));
  });
});

describe('ports', () => {
  it('prints a list, also as JSON', async () => {
    expect((await cli(['ports'])).code).toBe(0);
    const { code, stdout } = await cli(['ports', '--json']);
    expect(code).toBe(0);
    expect(Array.isArray(JSON.parse(stdout))).toBe(true);
  });
});
