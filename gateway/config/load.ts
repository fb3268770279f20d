/**
 * From files and environment to a `Config`, or to everything that is wrong with them, each with its place.
 *
 * ```
 *   file ─ parse ─→ value ─ environment ─→ value ─ secrets ─→ value ─ schema ─→ FileConfig ─ build ─→ Config
 * ```
 */
import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { printable } from '../../protocol/index.ts';
import { buildConfig } from './build.ts';
import { profileFindings } from './build-profiles.ts';
import { overlayEnvironment } from './env.ts';
import type { Environment } from './env.ts';
import { findKey, formatPath } from './keys.ts';
import type { Path } from './keys.ts';
import { NO_ORIGIN, showValue, toProblem } from './problem.ts';
import type { Finding, Origin, Problem } from './problem.ts';
import type { Config } from './schema.ts';
import { resolveSecrets } from './secrets.ts';
import { secretsUsed, unusedKeys } from './unused-keys.ts';
import { validate } from './validate.ts';
import { parseYaml, SecretReference } from './yaml-file.ts';
import type { ParsedYaml } from './yaml-file.ts';

/** What is looked for in the working directory when no file is named. */
export const DEFAULT_FILE = 'bytes2mqtt.yaml';
const MAX_FILE_BYTES = 1_048_576;

export interface LoadOptions {
  /** The file to read; it must exist. Undefined: `bytes2mqtt.yaml` in `cwd` if there is one, else only the defaults. */
  readonly path?: string | undefined;
  readonly env: Environment;
  /** Working directory, absolute. */
  readonly cwd: string;
}

export interface LoadedConfig {
  readonly ok: true;
  readonly config: Config;
  /** As it is shown to people; undefined: there is no file, and the defaults hold. */
  readonly file: string | undefined;
  readonly warnings: readonly Problem[];
  /** Where the value at a path was written, for whoever finds out later that it is wrong. */
  originOf(path: Path): Origin;
}

export interface FailedConfig {
  readonly ok: false;
  /** At least one; in the order of the file. */
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

export type LoadResult = LoadedConfig | FailedConfig;

interface Located {
  readonly file: string | undefined;
  /** Absolute; what relative paths begin at. */
  readonly folder: string;
  readonly text: string | undefined;
}

export function loadConfig(options: LoadOptions): LoadResult {
  const found = findFile(options);
  if ('code' in found) return { ok: false, problems: [found], warnings: [] };
  const { file, folder, text } = found;

  const parsed: ParsedYaml = parseYaml(text ?? '');
  if (!parsed.ok) {
    const problems = parsed.faults.map(({ line, column, message }) =>
      toProblem({ code: 'CONFIG_SYNTAX', path: [], message }, { ...NO_ORIGIN, file, line, column }),
    );
    return { ok: false, problems, warnings: [] };
  }

  const overlay = overlayEnvironment(parsed.value, options.env);

  function originOf(path: Path, what: 'key' | 'value' = 'value'): Origin {
    const variable = overlay.variables.get(formatPath(path));
    if (variable !== undefined) return { ...NO_ORIGIN, variable };
    if (file === undefined || !parsed.ok) return NO_ORIGIN;
    return { ...NO_ORIGIN, file, ...parsed.locate(path, what) };
  }

  function problem(finding: Finding): Problem {
    const origin = originOf(finding.path, finding.atKey === true ? 'key' : 'value');
    const shown = finding.atKey !== true && finding.found !== false;
    return toProblem(finding, origin, shown ? show(overlay.value, finding.path) : undefined);
  }

  const environment = overlay.problems.map(({ variable, path, message }) =>
    toProblem({ code: 'CONFIG_INVALID', path, message }, { ...NO_ORIGIN, variable }),
  );
  const unknown = overlay.unknown.map(({ variable, message }) =>
    toProblem({ code: 'CONFIG_UNKNOWN_VARIABLE', path: [], message }, { ...NO_ORIGIN, variable }),
  );

  const used = secretsUsed(overlay.value);
  const secrets = resolveSecrets(overlay.value, folder, options.env);
  const validation = validate(overlay.value);
  // A value that was to come from a missing secret is told once, not again as missing.
  const told = new Set(secrets.map((finding) => formatPath(finding.path)));
  const faults = validation.ok ? [] : validation.findings.filter((finding) => !told.has(formatPath(finding.path)));
  const early = [...secrets, ...faults, ...(validation.ok ? [] : profileFindings(overlay.value, folder))];
  const waiting = validation.ok ? unusedKeys(folder, used, validation.config.devices) : new Map<string, string>();
  const built = validation.ok ? buildConfig(validation.config, folder, options.env, waiting) : undefined;
  const problems = [...environment, ...[...early, ...(built?.problems ?? [])].map(problem)];
  const warnings = [...(built?.warnings ?? []).map((finding) => problem(finding)), ...unknown];
  if (built === undefined || problems.length > 0) return { ok: false, problems: inOrder(problems), warnings };
  return { ok: true, config: built.config, file, warnings, originOf };
}

/** The default file may be absent; one that was named may not. */
function findFile({ path, cwd }: LoadOptions): Located | Problem {
  const absolute = resolve(cwd, path ?? DEFAULT_FILE);
  const shown = printable(shortest(absolute, cwd));
  const folder = dirname(absolute);
  const bad = (code: Problem['code'], message: string): Problem =>
    toProblem({ code, path: [], message }, { ...NO_ORIGIN, file: shown });
  try {
    const bytes = readFileSync(absolute);
    if (bytes.length > MAX_FILE_BYTES)
      return bad('CONFIG_SYNTAX', 'is larger than 1 MiB: this is no configuration file');
    return { file: shown, folder, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' && path === undefined) return { file: undefined, folder: cwd, text: undefined };
    if (code === 'ENOENT' || code === 'ENOTDIR')
      return bad('CONFIG_NOT_FOUND', `does not exist; "bytes2mqtt init ${shown}" writes one`);
    if (code === 'EISDIR')
      return bad('CONFIG_NOT_FOUND', `is a folder; name the file in it, e.g. ${join(shown, DEFAULT_FILE)}`);
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return bad('CONFIG_SYNTAX', 'is not text in UTF-8');
    if (code === 'EACCES') return bad('FILE_UNREADABLE', 'may not be read by this user; change its permissions');
    return bad('FILE_UNREADABLE', `cannot be read (${code ?? 'unknown reason'})`);
  }
}

function shortest(absolute: string, cwd: string): string {
  const path = relative(cwd, absolute) || '.';
  return path.startsWith('..') ? absolute : path;
}

function show(root: unknown, path: Path): string | undefined {
  let value = root;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  if (path.length === 0 || value === undefined || value instanceof SecretReference) return undefined;
  const key = findKey(path);
  if (key?.secret === true) return '(hidden)';
  // A password that stands at a wrong place must not be repeated either.
  if (typeof value === 'string')
    return key === undefined ? 'text' : showValue(value.replace(/\/\/.*@/s, '//(hidden)@'));
  return showValue(value);
}

function inOrder(problems: readonly Problem[]): Problem[] {
  return problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}
