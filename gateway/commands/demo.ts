/** Placeholder of the demo; replaced by its author. */
import type { ExitCode } from '../exit-codes.ts';

export interface DemoOptions {
  /** End after so many seconds; undefined: at SIGINT. */
  readonly for?: number | undefined;
  readonly json?: boolean | undefined;
  readonly seed?: number | undefined;
}

export function runDemo(_options: DemoOptions): Promise<ExitCode> {
  return Promise.reject(new Error('the demo is not in this build'));
}
