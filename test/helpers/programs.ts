/** Programs beyond Node that system tests use: optional on a fresh machine, mandatory where CI=true. */
import { spawnSync } from 'node:child_process';
import { findProgram } from '../../gateway/demo/find-program.ts';

export { findProgram };

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
