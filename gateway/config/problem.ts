/** What is wrong with a configuration, where, and what would be right. */
import { printable } from '../../protocol/index.ts';
import type { ErrorCode } from '../errors.ts';
import { formatPath } from './keys.ts';
import type { Path } from './keys.ts';

/** A problem before it is known where in the file its path stands. */
export interface Finding {
  readonly code: ErrorCode;
  readonly path: Path;
  /** What would be right. Never contains a value. */
  readonly message: string;
  /** The place is the key rather than its value. */
  readonly atKey?: boolean;
  /** False: the message says already what is there. */
  readonly found?: false;
}

export interface Problem {
  readonly code: ErrorCode;
  /** The file, if it is about one. */
  readonly file: string | undefined;
  /** Line and column count from 1; undefined when the value does not come from the file. */
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** The environment variable that the value comes from. */
  readonly variable: string | undefined;
  /** `sources[1].tcp`; empty for the file as a whole. */
  readonly path: string;
  /** What is there, made harmless; `(hidden)` for a secret, undefined when nothing is. */
  readonly found: string | undefined;
  readonly message: string;
}

/** Where a value of the configuration was written. */
export interface Origin {
  readonly file: string | undefined;
  readonly line: number | undefined;
  readonly column: number | undefined;
  readonly variable: string | undefined;
}

export const NO_ORIGIN: Origin = { file: undefined, line: undefined, column: undefined, variable: undefined };

export function toProblem(finding: Finding, origin: Origin, found?: string): Problem {
  return {
    code: finding.code,
    ...origin,
    path: printable(formatPath(finding.path), 200),
    found,
    message: finding.message,
  };
}

/** A value of the file for people: short, on one line, without control characters. */
export function showValue(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return `"${printable(value, 80)}"`;
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return 'a map';
}

/** `bytes2mqtt.yaml:4:8: sources[1].tcp: the port is missing …, found "x" (CONFIG_INVALID)` */
export function formatProblem(problem: Problem): string {
  const place =
    problem.variable !== undefined
      ? `environment ${problem.variable}`
      : [problem.file, problem.line, problem.column].filter((part) => part !== undefined).join(':');
  const found = problem.found === undefined ? '' : `, found ${problem.found}`;
  const what = [place, problem.path].filter((part) => part !== '').join(': ');
  return `${what === '' ? '' : `${what}: `}${problem.message}${found} (${problem.code})`;
}
