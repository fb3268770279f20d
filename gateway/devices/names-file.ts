/**
 * What was changed of devices by request, in a file beside the journal:
 *
 * ```
 *   devices.json   {"version":1,"aliases":{"a1b2c3d4e5f60718":"greenhouse"},"removed":["06c51a616d2da385"]}
 * ```
 *
 * Written anew at each change: another file, synced, takes its place, so a power cut leaves the old one or the new one.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Log } from '../log.ts';
import { isDeviceAlias } from '../mqtt/topics.ts';
import { NO_NAMES, type SavedNames } from './device-names.ts';

const NAME = 'devices.json';
const VERSION = 1;
/** So many devices nobody has: it is another file. */
const MAX_BYTES = 4 * 1024 * 1024;
const DEVICE_ID = /^[0-9a-f]{16}$/;

export class NamesFile {
  readonly #path: string;
  readonly #log: Log;

  /** @param folder that of the journal */
  constructor(folder: string, log: Log) {
    this.#path = join(folder, NAME);
    this.#log = log;
  }

  /** What is in it; nothing when there is none, or when it is of no use, which is told: it is set aside then. */
  read(): SavedNames {
    try {
      if (statSync(this.#path).size > MAX_BYTES) throw new Error(`is larger than ${MAX_BYTES} bytes`);
      return parse(readFileSync(this.#path, 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NO_NAMES;
      this.#log.warn({ file: this.#path, err: error }, 'names given by request are lost: their file cannot be used');
      this.#setAside();
      return NO_NAMES;
    }
  }

  /** False when it could not be written, which is told: what has changed holds until the gateway is stopped. */
  write({ aliases, removed }: SavedNames): boolean {
    const text = JSON.stringify({ version: VERSION, aliases: Object.fromEntries(aliases), removed: [...removed] });
    const draft = `${this.#path}.new`;
    try {
      synced(openSync(draft, 'w', 0o600), (file) => writeSync(file, `${text}\n`));
      renameSync(draft, this.#path);
      // The new name has to be on the disk as well; Windows has no such call.
      if (process.platform !== 'win32') synced(openSync(dirname(this.#path), 'r'), () => undefined);
      return true;
    } catch (error) {
      this.#log.warn({ file: this.#path, err: error }, 'names given by request hold until the next start only');
      return false;
    }
  }

  #setAside(): void {
    try {
      renameSync(this.#path, `${this.#path}.bad`);
    } catch {
      // Then the next change takes its place.
    }
  }
}

function synced(file: number, write: (file: number) => void): void {
  try {
    write(file);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Throws for anything but what `write` makes. */
function parse(text: string): SavedNames {
  const { version, aliases, removed } = JSON.parse(text) as Record<string, unknown>;
  if (version !== VERSION) throw new Error(`is of version ${String(version)}, and this program knows ${VERSION}`);
  if (typeof aliases !== 'object' || aliases === null || !Array.isArray(removed))
    throw new Error('has another content');
  const entries = Object.entries(aliases).map(([id, alias]: [string, unknown]): [string, string] => {
    if (!DEVICE_ID.test(id) || typeof alias !== 'string' || !isDeviceAlias(alias)) throw new Error('has a wrong alias');
    return [id, alias];
  });
  const ids = removed.map((id: unknown): string => {
    if (typeof id !== 'string' || !DEVICE_ID.test(id)) throw new Error('has a wrong id');
    return id;
  });
  return { aliases: new Map(entries), removed: new Set(ids) };
}
