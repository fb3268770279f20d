/**
 * Readings that the broker will never take, kept on disk until somebody decides.
 *
 * ```
 *   <journal folder>/dead/<received, Unix ms, 16 digits>-<device>-<boot>-<seq>.json      one file a record
 *
 *   add ─→ [ waits ] ─→ <name>.tmp written and synced ─→ renamed ─→ folder synced ─→ durable
 * ```
 *
 * Many are written side by side and share the last step. A name is the identity of the reading, so a record that is
 * refused again takes the place of its own letter. Other processes may list and delete the files at any time.
 */
import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';

export interface DeadLetter {
  /** `<device>-<boot>-<seq>`, as in the payload. */
  readonly id: string;
  /** Alias of the device. */
  readonly device: string;
  /** Unix milliseconds. */
  readonly receivedAt: number;
  readonly refusedAt: number;
  /** MQTT 5 reason code, e.g. `0x87`. */
  readonly reason: string;
  /** What is to be published. */
  readonly messages: readonly { readonly topic: string; readonly payload: string }[];
}

export interface DeadLettersOptions {
  /** The folder of the dead letters. */
  readonly dir: string;
  /** Default 10,000. */
  readonly max?: number;
  /** So many of the oldest were deleted because there were too many. */
  readonly onDropped?: (count: number) => void;
}

const MAX_LETTERS = 10_000;
const AT_ONCE = 64;
const NAME = /^(\d{16})-([0-9a-f]{16}-\d{1,10}-\d{1,10})\.json$/;

interface Waiting {
  readonly letter: DeadLetter;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class DeadLetters {
  /** Deleted because there were too many. */
  dropped = 0;
  readonly #dir: string;
  readonly #max: number;
  readonly #onDropped: ((count: number) => void) | undefined;
  #count = 0;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  constructor(options: DeadLettersOptions) {
    this.#dir = options.dir;
    this.#max = options.max ?? MAX_LETTERS;
    this.#onDropped = options.onDropped;
  }

  /** As many as there were when the folder was last looked at. */
  get count(): number {
    return this.#count;
  }

  /** Makes the folder and removes what an earlier run has not finished. */
  async open(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o750 });
    for (const file of await readdir(this.#dir)) {
      if (file.endsWith('.tmp')) await rm(join(this.#dir, file), { force: true });
    }
    await this.look();
  }

  /** Counts the files anew: another process may have deleted some. */
  async look(): Promise<void> {
    this.#count = (await namesIn(this.#dir)).length;
  }

  /** Resolves when the letter is durable. */
  add(letter: DeadLetter): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ letter, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await this.#writing;
  }

  // ---------------------------------------------------------------------------------------------------------------

  async #writeAll(): Promise<void> {
    // What is asked for in this turn goes out together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, AT_ONCE);
      try {
        await Promise.all(group.map(({ letter }) => writeLetter(this.#dir, letter)));
        await syncFolder(this.#dir);
      } catch (error) {
        for (const { reject } of group) reject(error);
        continue;
      }
      this.#count += group.length;
      for (const { resolve } of group) resolve();
      if (this.#count > this.#max) await this.#dropOldest().catch(() => undefined);
    }
    this.#writing = undefined;
  }

  async #dropOldest(): Promise<void> {
    const names = await namesIn(this.#dir);
    const excess = names.slice(0, Math.max(0, names.length - this.#max));
    await Promise.all(excess.map((name) => rm(join(this.#dir, name), { force: true })));
    this.#count = names.length - excess.length;
    if (excess.length === 0) return;
    this.dropped += excess.length;
    this.#onDropped?.(excess.length);
  }
}

async function writeLetter(dir: string, letter: DeadLetter): Promise<void> {
  const path = join(dir, `${String(Math.max(0, letter.receivedAt)).padStart(16, '0')}-${letter.id}.json`);
  const temporary = `${path}.tmp`;
  const file = await open(temporary, 'w', 0o640);
  try {
    await file.writeFile(`${JSON.stringify(letter)}\n`);
    await file.sync();
  } catch (error) {
    await file.close();
    await rm(temporary, { force: true });
    throw error;
  }
  await file.close();
  await rename(temporary, path);
}

/** A name is durable when its folder is. */
async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The letters' names, the oldest first; none when there is no folder. */
async function namesIn(dir: string): Promise<string[]> {
  const files = await readdir(dir).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  return files.filter((name) => NAME.test(name)).toSorted();
}

// --- for the command line, in a process of its own -----------------------------------------------------------------

/** The letters in a folder, the oldest first; `problems` are files that cannot be read. */
export async function readDeadLetters(dir: string): Promise<{ letters: DeadLetter[]; problems: string[] }> {
  const letters: DeadLetter[] = [];
  const problems: string[] = [];
  for (const name of await namesIn(dir)) {
    const path = join(dir, name);
    try {
      const letter = asLetter(JSON.parse(await readFile(path, 'utf8')));
      if (letter === undefined) problems.push(path);
      else letters.push(letter);
    } catch (error) {
      // Deleted meanwhile, by another command.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') problems.push(path);
    }
  }
  return { letters, problems };
}

/** How many letters a folder has. */
export async function countDeadLetters(dir: string): Promise<number> {
  return (await namesIn(dir)).length;
}

/** Deletes the letters with these ids and returns how many there were. */
export async function removeDeadLetters(dir: string, ids: ReadonlySet<string>): Promise<number> {
  let removed = 0;
  for (const name of await namesIn(dir)) {
    if (!ids.has(NAME.exec(name)?.[2] ?? '')) continue;
    const gone = await unlink(join(dir, name)).then(
      () => true,
      (error: unknown) => {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
        throw error;
      },
    );
    if (gone) removed++;
  }
  return removed;
}

function asLetter(value: unknown): DeadLetter | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, device, receivedAt, refusedAt, reason, messages } = value as Record<string, unknown>;
  const fine =
    typeof id === 'string' &&
    typeof device === 'string' &&
    typeof receivedAt === 'number' &&
    typeof refusedAt === 'number' &&
    typeof reason === 'string' &&
    Array.isArray(messages) &&
    messages.every(isMessage);
  return fine ? { id, device, receivedAt, refusedAt, reason, messages } : undefined;
}

function isMessage(value: unknown): value is DeadLetter['messages'][number] {
  if (typeof value !== 'object' || value === null) return false;
  const { topic, payload } = value as Record<string, unknown>;
  return typeof topic === 'string' && typeof payload === 'string';
}
