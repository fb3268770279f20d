/**
 * Notices that a file of the configuration has changed. The folder is watched, as editors put a new file in the place of the
 * old one:
 *
 * ```
 *   event of the folder ─→ a name that matters? ─→ quiet for half a second ─→ onChange
 * ```
 *
 * Whether anything has changed in it is for whoever reads it then.
 */
import { type FSWatcher, watch } from 'node:fs';
import { SECRETS_FILE } from '../config/secrets.ts';
import type { Log } from '../log.ts';

export interface ConfigWatchOptions {
  /** Absolute. */
  readonly folder: string;
  /** Name of the file in it. */
  readonly file: string;
  readonly onChange: () => void;
  readonly log: Log;
  /** How long nothing must happen, default 500. */
  readonly settleMs?: number;
}

export class ConfigWatch {
  readonly #options: ConfigWatchOptions;
  readonly #watcher: FSWatcher | undefined;
  #settled: NodeJS.Timeout | undefined;

  constructor(options: ConfigWatchOptions) {
    this.#options = options;
    try {
      this.#watcher = watch(options.folder, { persistent: false });
      this.#watcher.on('change', (_, name) => this.#changed(name));
      this.#watcher.on('error', (error) => this.#failed(error));
    } catch (error) {
      this.#failed(error);
    }
  }

  close(): void {
    clearTimeout(this.#settled);
    this.#watcher?.close();
  }

  #changed(name: string | Buffer | null): void {
    if (!this.#matters(name?.toString() ?? null)) return;
    clearTimeout(this.#settled);
    const { settleMs = 500, onChange } = this.#options;
    this.#settled = setTimeout(onChange, settleMs).unref();
  }

  /** Profiles lie beside it, too; `..data` is exchanged where Kubernetes mounts a file. */
  #matters(name: string | null): boolean {
    return (
      name === null ||
      name === this.#options.file ||
      name === SECRETS_FILE ||
      name === '..data' ||
      /^[^.].*\.ya?ml$/.test(name)
    );
  }

  #failed(error: unknown): void {
    const { folder, log } = this.#options;
    log.warn({ folder, err: error }, 'changes of the configuration are not noticed here: send SIGHUP after a change');
  }
}
