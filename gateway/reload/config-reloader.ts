/**
 * Reads the configuration again when somebody says so, one at a time:
 *
 * ```
 *   SIGHUP ─────────┐
 *   changed file ───┼─→ load ─┬─ right ─→ apply ─→ told: what holds now, what needs a restart
 *   request reload ─┘         └─ wrong ─→ nothing changes ─→ told: line, key, what would be right
 * ```
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { DEFAULT_FILE, loadConfig, type LoadResult } from '../config/load.ts';
import { formatProblem, NO_ORIGIN, type Problem, toProblem } from '../config/problem.ts';
import type { Environment } from '../config/env.ts';
import type { Config } from '../config/schema.ts';
import type { Log } from '../log.ts';
import { ConfigWatch } from './config-watch.ts';
import type { Applied } from './reconfiguration.ts';

export type ReloadCause = 'signal' | 'file' | 'request';

export type ReloadOutcome =
  | (Applied & { readonly ok: true })
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** What a reloader changes. */
export interface Reconfigurable {
  reconfigure(config: Config): Promise<Applied>;
  /** A word to those who listen, on bridge/event. */
  event(type: string, data: Readonly<Record<string, unknown>>): void;
}

export interface ConfigReloaderOptions {
  /** As given on the command line; undefined: `bytes2mqtt.yaml`. */
  readonly path: string | undefined;
  /** Whether there is a file at present. */
  readonly hasFile: boolean;
  readonly env: Environment;
  /** Absolute. */
  readonly cwd: string;
  readonly log: Log;
}

/** Problems in one event at the most. */
const MAX_TOLD = 10;

export class ConfigReloader {
  readonly #options: ConfigReloaderOptions;
  readonly #file: string;
  readonly #gateway: Promise<Reconfigurable>;
  #started: ((gateway: Reconfigurable) => void) | undefined;
  readonly #watch: ConfigWatch;
  #hasFile: boolean;
  #last: Promise<unknown> = Promise.resolve();
  /** What was wrong the last time, so that it is not told again because of another file. */
  #told = '';
  #toldRestart = '';
  #closed = false;

  constructor(options: ConfigReloaderOptions) {
    this.#options = options;
    this.#hasFile = options.hasFile;
    this.#file = resolve(options.cwd, options.path ?? DEFAULT_FILE);
    this.#gateway = new Promise((resolved) => (this.#started = resolved));
    this.#watch = new ConfigWatch({
      folder: dirname(this.#file),
      file: basename(this.#file),
      onChange: () => void this.reload('file'),
      log: options.log,
    });
  }

  /** The gateway runs: what was asked for before is done now. */
  start(gateway: Reconfigurable): void {
    this.#started?.(gateway);
  }

  /** Reads and applies it, after what was asked for before. */
  async reload(cause: ReloadCause): Promise<ReloadOutcome> {
    const outcome = this.#last.then(() => this.#reload(cause));
    this.#last = outcome.catch(() => undefined);
    return outcome;
  }

  /** Nothing is read any more; resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#watch.close();
    // Before the start there is nothing that could be under way.
    this.#started?.({ reconfigure: async () => ({ applied: [], needsRestart: [] }), event: () => undefined });
    await this.#last;
  }

  async #reload(cause: ReloadCause): Promise<ReloadOutcome> {
    const gateway = await this.#gateway;
    if (this.#closed) return { ok: true, applied: [], needsRestart: [] };
    const loaded = this.#load();
    if (!loaded.ok) {
      this.#refuse(gateway, loaded.problems, cause);
      return { ok: false, problems: loaded.problems };
    }
    this.#told = '';
    this.#hasFile = loaded.file !== undefined;
    const applied = await gateway.reconfigure(loaded.config);
    this.#tell(gateway, applied, loaded, cause);
    return { ok: true, ...applied };
  }

  /** A file that was there and is gone, or empty, is one that is being written, and not the wish for the defaults. */
  #load(): LoadResult {
    const { path, env, cwd } = this.#options;
    const loaded = loadConfig({ path: this.#hasFile ? this.#file : path, env, cwd });
    if (!loaded.ok || loaded.file === undefined || !isBlank(this.#file)) return loaded;
    const finding = { code: 'CONFIG_SYNTAX', path: [], message: 'is empty, so the gateway goes on as it was' } as const;
    return { ok: false, problems: [toProblem(finding, { ...NO_ORIGIN, file: loaded.file })], warnings: [] };
  }

  #refuse(gateway: Reconfigurable, problems: readonly Problem[], cause: ReloadCause): void {
    const lines = problems.map((problem) => formatProblem(problem));
    const told = lines.join('\n');
    if (cause === 'file' && told === this.#told) return;
    this.#told = told;
    for (const [index, line] of lines.entries()) this.#options.log.error({ code: problems[index]?.code }, line);
    this.#options.log.error(
      { cause },
      'the configuration is faulty, so nothing was changed; the gateway goes on as it was',
    );
    gateway.event('config_refused', { problems: problems.slice(0, MAX_TOLD).map(shown) });
  }

  #tell(
    gateway: Reconfigurable,
    { applied, needsRestart }: Applied,
    { warnings }: LoadResult,
    cause: ReloadCause,
  ): void {
    const { log } = this.#options;
    // Files are touched for many reasons; who asks gets an answer in any case.
    const restart = needsRestart.join(', ');
    if (cause === 'file' && applied.length === 0 && restart === this.#toldRestart) return;
    this.#toldRestart = restart;
    for (const warning of warnings) log.warn({ code: warning.code }, formatProblem(warning));
    const what = applied.length === 0 ? 'nothing was to be changed' : applied.join(', ');
    log.info({ cause, applied }, `configuration read again: ${what}`);
    if (needsRestart.length > 0) {
      log.warn({ needs_restart: needsRestart }, `these hold after the next start of the gateway: ${restart}`);
    }
    gateway.event('config_reloaded', { applied, needs_restart: needsRestart });
  }
}

function isBlank(file: string): boolean {
  try {
    return readFileSync(file, 'utf8').trim() === '';
  } catch {
    // It was there a moment ago; when there is another one, that is told as well.
    return false;
  }
}

function shown({ code, file, line, column, variable, path, message }: Problem): Readonly<Record<string, unknown>> {
  return { code, file, line, column, variable, key: path === '' ? undefined : path, message };
}
