/** The sketch of docs/first-esp32.md, compiled for this machine, on a serial line to the built gateway. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { GatewayProgram } from '../helpers/gateway-program.ts';
import { lacks } from '../helpers/programs.ts';
import { openPtyPair, ptyProgram } from '../helpers/pty.ts';

const DOCS = readFileSync(join(import.meta.dirname, '../../docs/first-esp32.md'), 'utf8');

/** The sketch as a program that takes the path of a serial line. */
function compiled(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sketch-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [, sketch = ''] = /```cpp\n([^]*?)```/.exec(DOCS) ?? [];
  writeFileSync(join(folder, 'sketch.cpp'), sketch);
  const args = ['-std=c++17', '-Wall', '-I', join(import.meta.dirname, 'arduino'), '-o', 'sketch', 'sketch.cpp'];
  const { status, stderr } = spawnSync('g++', args, { cwd: folder, encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  return join(folder, 'sketch');
}

describe.skipIf(lacks('g++') || ptyProgram() === undefined)('the first ESP32', () => {
  test('says what it is, and its readings arrive, also after a restart of the gateway', async () => {
    const cable = await openPtyPair();
    onTestFinished(() => cable.close());
    const board = spawn(compiled(), [cable.b], { stdio: 'ignore' });
    onTestFinished(() => void board.kill('SIGKILL'));

    for (let start = 0; start < 2; start++) {
      const gateway = new GatewayProgram([{ name: 'usb', serial: cable.a, baud: 115_200 }], {
        http: { port: 0 },
        journal: { durability: 'memory' },
      });
      onTestFinished(() => void gateway.stop());
      const { msg } = await gateway.line((line) => line['device_name'] === 'First ESP32');
      expect(msg).toContain('is "First ESP32" with 1 channels');
      const { where } = await gateway.line((line) => line.msg?.startsWith('dashboard on ') === true);
      await vi.waitFor(
        async () => {
          const state = (await (await fetch(`http://${String(where)}/api/state`)).json()) as { devices: object[] };
          expect(state.devices).toMatchObject([
            {
              id: 'a1b2c3d4e5f60718',
              online: true,
              channels: [{ alias: 'voltage', unit: 'V', class: 'voltage', value: 1.234 }],
            },
          ]);
        },
        { timeout: 30_000, interval: 200 },
      );
      expect(await gateway.stop()).toBe(0);
    }
  });
});
