/** A temporary folder with a configuration in it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { loadConfig } from '../../gateway/config/load.ts';
import type { LoadResult } from '../../gateway/config/load.ts';

/** Removed when the test is over. */
export function configFolder(files: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'bytes2mqtt-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

/** Loads this text as bytes2mqtt.yaml. */
export function loadText(
  text: string,
  env: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string | Uint8Array>> = {},
): LoadResult {
  return loadConfig({ env, cwd: configFolder({ ...files, 'bytes2mqtt.yaml': text }) });
}
