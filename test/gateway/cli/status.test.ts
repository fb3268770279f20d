import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { bytes, duration, healthTable } from '../../../gateway/commands/status-table.ts';
import { paint } from '../../../gateway/commands/terminal.ts';
import { freePort, startMosquitto } from '../../helpers/broker.ts';
import { cli, startCli } from '../../helpers/cli.ts';
import { configFolder } from '../../helpers/config-folder.ts';
import { lacks } from '../../helpers/programs.ts';

function folderFor(port: number, ...more: string[]): string {
  const lines = [`mqtt: { url: "mqtt://127.0.0.1:${port}" }`, 'sources: [{ tcp: "127.0.0.1:0", name: main }]', ...more];
  return configFolder({ 'bytes2mqtt.yaml': `${lines.join('\n')}\n` });
}

describe.skipIf(lacks('mosquitto'))('bytes2mqtt status', () => {
  it('asks the running gateway, and reads the folder of its journal when that is not there', async () => {
    const broker = await startMosquitto();
    onTestFinished(() => broker.close());
    const cwd = folderFor(broker.port);
    const before = await cli(['status'], { cwd });
    expect(before).toMatchObject({ code: 1, stdout: '' });
    expect(before.stderr).toContain('No gateway answers');

    const gateway = startCli(['run'], { cwd });
    onTestFinished(() => gateway.kill('SIGKILL'));
    await gateway.waitFor('connected to the broker');
    const asked = await cli(['status'], { cwd });
    expect(asked.code).toBe(0);
    for (const text of ['0 readings wait', 'durability power', 'connected', '0 dead letters', 'main  open']) {
      expect(asked.stdout).toContain(text);
    }
    const json = JSON.parse((await cli(['status', '--json'], { cwd })).stdout) as Record<string, unknown>;
    expect(json).toMatchObject({
      journal: { durability: 'power', depth: 0, dead_letters: { count: 0, dropped: 0 } },
      mqtt: { connected: true, replayed: 0, backlog: 0 },
    });

    const watching = startCli(['status', '--watch', '--json'], { cwd });
    onTestFinished(() => watching.kill('SIGKILL'));
    await watching.waitFor(/\}\n\{/);
    watching.kill('SIGINT');
    expect((await watching.result).code).toBe(0);

    gateway.kill('SIGTERM');
    expect((await gateway.result).code).toBe(0);
    await broker.kill();
    const offline = await cli(['status'], { cwd });
    expect(offline).toMatchObject({ code: 1 });
    expect(offline.stderr).toContain('MQTT_UNREACHABLE');
    expect(offline.stdout).toContain(join(cwd, 'bytes2mqtt-data'));
    expect(offline.stdout).toContain('0 readings wait');
    const offlineJson = await cli(['status', '--json'], { cwd });
    expect(JSON.parse(offlineJson.stdout)).toMatchObject({ journal_on_disk: { depth: 0, deadLetters: 0 } });
  });
});

describe('a journal folder that cannot be used', () => {
  it('keeps the gateway from starting, with the reason', async () => {
    const cwd = folderFor(await freePort(), 'journal: { dir: bytes2mqtt.yaml }');
    const result = await cli(['run'], { cwd });
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('IO_ERROR');
    expect(await cli(['check', '--json'], { cwd })).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('"path": "journal.dir"') as string,
    });
  });

  it('is told when another gateway has it', async () => {
    const cwd = folderFor(await freePort());
    const first = startCli(['run'], { cwd });
    onTestFinished(() => first.kill('SIGKILL'));
    await first.waitFor('listening on');
    const second = await cli(['run'], { cwd });
    expect(second.code).toBe(1);
    expect(second.stderr).toContain('JOURNAL_LOCKED');
    first.kill('SIGTERM');
    expect((await first.result).code).toBe(0);
  });
});

describe('bytes2mqtt deadletter', () => {
  it('says what it needs, and works without a gateway', async () => {
    const cwd = folderFor(await freePort());
    expect(await cli(['deadletter', 'list'], { cwd })).toMatchObject({
      code: 0,
      stdout: `No dead letters in ${join(cwd, 'bytes2mqtt-data', 'dead')}.\n`,
    });
    expect(await cli(['deadletter', 'list', '--json'], { cwd })).toMatchObject({ code: 0, stdout: '[]\n' });
    for (const args of [['retry'], ['drop'], ['drop', '--all', 'x'], ['drop', 'x']]) {
      const result = await cli(['deadletter', ...args], { cwd });
      expect(result.code).toBe(2);
      expect(result.stderr).toMatch(/^error: /);
    }
    expect(await cli(['deadletter', 'drop', '--all'], { cwd })).toMatchObject({ code: 0, stdout: '0 dropped.\n' });
  });
});

describe('the words of status', () => {
  it('reads what another version says', () => {
    const table = healthTable({ journal: { depth: '\u001b[2J', trouble: 'disk-full' } }, 'b', paint(false));
    expect(table).toContain('trouble: disk-full');
    expect(table).not.toContain('\u001b');
  });

  it('counts in units that people use', () => {
    expect([bytes(0), bytes(1_023), bytes(1_536), bytes(5 * 1_024 ** 3)]).toEqual([
      '0 B',
      '1023 B',
      '1.5 KiB',
      '5.0 GiB',
    ]);
    expect([duration(400), duration(119_000), duration(600_000), duration(36_000_000), duration(864_000_000)]).toEqual([
      '0 s',
      '119 s',
      '10 min',
      '10 h',
      '10 days',
    ]);
  });
});
