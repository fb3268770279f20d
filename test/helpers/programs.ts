/** Programs beyond Node that system tests use: optional on a fresh machine, mandatory where CI=true. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The full path of a program, or undefined when the machine lacks it. Looks in PATH and in the sbin folders. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not here
    }
  }
  return undefined;
}

/**
 * For `describe.skipIf(lacks('mosquitto'))`: true when one of the programs is missing, which is said on the terminal. With CI=true a
 * missing program is an error instead: there the tests must run.
 */
export function lacks(...names: string[]): boolean {
  const missing = names.filter((name) => findProgram(name) === undefined);
  if (missing.length === 0) return false;
  if (process.env['CI'] === 'true') throw new Error(`missing with CI=true: ${missing.join(', ')}`);
  console.warn(`skipped, because this machine has no ${missing.join(', no ')}`);
  return true;
}

/** Whether `python3` runs here (a shim may exist without an interpreter behind it). */
export function pythonRuns(): boolean {
  return spawnSync('python3', ['-c', 'pass']).status === 0;
}
