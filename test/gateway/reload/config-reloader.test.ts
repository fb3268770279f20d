/** When the configuration is read again, and what is said of it. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Config } from '../../../gateway/config/schema.ts';
import { createLog } from '../../../gateway/log.ts';
import { ConfigReloader } from '../../../gateway/reload/config-reloader.ts';
import type { Applied } from '../../../gateway/reload/reconfiguration.ts';
import { configFolder } from '../../helpers/config-folder.ts';

const GOOD = 'log: { level: debug }\n';

const levelChanged = async (): Promise<Applied> => ({ applied: ['log.level'], needsRestart: [] });

/** A reloader for a folder, and a gateway that remembers what it was given. */
function setUp(files: Record<string, string>, { path, hasFile = true }: { path?: string; hasFile?: boolean } = {}) {
  const cwd = configFolder(files);
  const lines: string[] = [];
  const configs: Config[] = [];
  const events: [string, Record<string, unknown>][] = [];
  let waiting: (() => void) | undefined;
  let answer = levelChanged;
  const log = createLog({ level: 'info', pretty: false, write: (line) => void lines.push(line) });
  const reloader = new ConfigReloader({ path, hasFile, env: {}, cwd, log });
  onTestFinished(() => reloader.close());
  const gateway = {
    reconfigure: async (config: Config): Promise<Applied> => {
      configs.push(config);
      return answer();
    },
    event: (type: string, data: Record<string, unknown>): void => {
      events.push([type, data]);
      waiting?.();
    },
  };
  return {
    cwd,
    reloader,
    gateway,
    configs,
    events,
    lines,
    answerWith: (next: typeof answer): void => void (answer = next),
    save: (text: string): void => {
      writeFileSync(join(cwd, 'draft'), text);
      renameSync(join(cwd, 'draft'), join(cwd, 'bytes2mqtt.yaml'));
    },
    told: (count: number): Promise<void> =>
      new Promise((resolve) => {
        waiting = () => events.length >= count && resolve();
        waiting();
      }),
  };
}

describe('ConfigReloader', () => {
  it('notices a file that is saved by rename, one that is written in place, and the secrets beside it', async () => {
    const world = setUp({ 'bytes2mqtt.yaml': GOOD, 'secrets.yaml': 'p: "123456"\n' });
    world.reloader.start(world.gateway);
    world.save('log: { level: warn }\n');
    await world.told(1);
    writeFileSync(join(world.cwd, 'bytes2mqtt.yaml'), 'log: { level: error }\n');
    await world.told(2);
    writeFileSync(join(world.cwd, 'secrets.yaml'), 'p: "1234567"\n');
    await world.told(3);
    expect(world.configs.map(({ log }) => log.level)).toEqual(['warn', 'error', 'error']);
    expect(world.events[0]).toEqual(['config_reloaded', { applied: ['log.level'], needs_restart: [] }]);
  });

  it('says nothing when nothing has changed, unless somebody has asked', async () => {
    const world = setUp({ 'bytes2mqtt.yaml': GOOD });
    world.answerWith(async () => ({ applied: [], needsRestart: [] }));
    world.reloader.start(world.gateway);
    await world.reloader.reload('file');
    expect(world.events).toEqual([]);
    expect(await world.reloader.reload('signal')).toEqual({ ok: true, applied: [], needsRestart: [] });
    expect(world.events).toHaveLength(1);
    world.answerWith(async () => ({ applied: [], needsRestart: ['mqtt.url'] }));
    await world.reloader.reload('file');
    await world.reloader.reload('file');
    expect(world.events.slice(1)).toEqual([['config_reloaded', { applied: [], needs_restart: ['mqtt.url'] }]]);
    expect(world.lines.join('')).toContain('after the next start of the gateway: mqtt.url');
  });

  it('a faulty file: line and key, once for each fault, and never a secret', async () => {
    const world = setUp({ 'bytes2mqtt.yaml': 'mqtt:\n  url: mqtt://h\n  pasword: hunter2\n' });
    world.reloader.start(world.gateway);
    const outcome = await world.reloader.reload('file');
    expect(outcome).toMatchObject({ ok: false, problems: [{ line: 3, column: 3, path: 'mqtt.pasword' }] });
    await world.reloader.reload('file');
    expect(world.events).toMatchObject([
      ['config_refused', { problems: [{ file: 'bytes2mqtt.yaml', line: 3, key: 'mqtt.pasword' }] }],
    ]);
    await world.reloader.reload('request');
    expect(world.events).toHaveLength(2);
    expect(world.configs).toEqual([]);
    expect(world.lines.join('')).toContain('bytes2mqtt.yaml:3:3: mqtt.pasword: ');
    expect(JSON.stringify(world.events) + world.lines.join('')).not.toContain('hunter2');
    // When it is right and wrong again, that is told again.
    world.save(GOOD);
    await world.reloader.reload('signal');
    world.save('mqtt:\n  url: mqtt://h\n  pasword: hunter2\n');
    await world.reloader.reload('file');
    expect(world.events.map(([type]) => type).slice(-2)).toEqual(['config_reloaded', 'config_refused']);
  });

  it.each([
    ['gone', undefined, (cwd: string): void => rmSync(join(cwd, 'bytes2mqtt.yaml')), 'CONFIG_NOT_FOUND'],
    [
      'gone, and was named',
      'bytes2mqtt.yaml',
      (cwd: string): void => rmSync(join(cwd, 'bytes2mqtt.yaml')),
      'CONFIG_NOT_FOUND',
    ],
    ['empty', undefined, (cwd: string): void => writeFileSync(join(cwd, 'bytes2mqtt.yaml'), '\n'), 'CONFIG_SYNTAX'],
    [
      'a folder',
      undefined,
      (cwd: string): void => {
        rmSync(join(cwd, 'bytes2mqtt.yaml'));
        mkdirSync(join(cwd, 'bytes2mqtt.yaml'));
      },
      'CONFIG_NOT_FOUND',
    ],
  ])('a file that is %s is not the wish for the defaults', async (_, path, spoil, code) => {
    const world = setUp({ 'bytes2mqtt.yaml': GOOD }, path === undefined ? {} : { path });
    world.reloader.start(world.gateway);
    spoil(world.cwd);
    expect(await world.reloader.reload('signal')).toMatchObject({ ok: false, problems: [{ code }] });
    expect(world.configs).toEqual([]);
  });

  it('a file that comes later is taken', async () => {
    const world = setUp({}, { hasFile: false });
    world.reloader.start(world.gateway);
    world.save(GOOD);
    await world.told(1);
    expect(world.configs[0]?.log.level).toBe('debug');
  });

  it('does one after the other, what was asked for during the start too, and nothing after the end', async () => {
    const world = setUp({ 'bytes2mqtt.yaml': GOOD });
    let running = 0;
    let most = 0;
    world.answerWith(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return { applied: ['x'], needsRestart: [] };
    });
    const early = world.reloader.reload('signal');
    world.reloader.start(world.gateway);
    await Promise.all([early, world.reloader.reload('request'), world.reloader.reload('signal')]);
    expect([most, world.configs.length]).toEqual([1, 3]);
    await world.reloader.close();
    await world.reloader.reload('signal');
    expect(world.configs).toHaveLength(3);
  });

  it('ends also when the gateway never started', async () => {
    const world = setUp({ 'bytes2mqtt.yaml': GOOD });
    const asked = world.reloader.reload('signal');
    await world.reloader.close();
    expect(await asked).toMatchObject({ applied: [] });
  });
});
