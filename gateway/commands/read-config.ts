/** The configuration for a command: what is wrong goes to stderr, in lines that an editor can jump by. */
import { formatProblem } from '../config/problem.ts';
import { loadConfig } from '../config/load.ts';
import type { LoadResult } from '../config/load.ts';
import type { Problem } from '../config/problem.ts';
import { paintFor, printError } from './terminal.ts';

export interface ConfigOptions {
  readonly config?: string | undefined;
}

export function readConfig(options: ConfigOptions): LoadResult {
  return loadConfig({ path: options.config, env: process.env, cwd: process.cwd() });
}

export function printProblems(problems: readonly Problem[], kind: 'error' | 'warning'): void {
  const colours = paintFor(process.stderr);
  const label = kind === 'error' ? colours.red('error') : colours.yellow('warning');
  for (const problem of problems) printError(`${label}: ${formatProblem(problem)}`);
}
