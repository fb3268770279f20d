/**
 * One process a folder: the file `lock` says who has it.
 *
 * ```
 *   {"pid":1234,"started":"8812345","boot":"3f2c…"}       started, boot: of the process and of the machine, where known
 * ```
 *
 * A lock of a process that is gone is taken over. A pid alone would not tell: it may be another program's by now, and in
 * a container it is the same after every start.
 */
import { readFileSync } from 'node:fs';
import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { GatewayError } from '../errors.ts';
import { errnoOf } from '../sources/io-errors.ts';

interface Owner {
  readonly pid: number;
  readonly started: string;
  readonly boot: string;
}

/** A process that was killed may need a moment to be gone, for one when the disk is slow. */
const DYING_MS = 2_000;
const LOOK_AGAIN_MS = 100;

/** Folders locked by this very process. */
const ours = new Set<string>();

/** Locks the folder and returns how to unlock it. Rejects with JOURNAL_LOCKED when a living process has it. */
export async function lockDirectory(folder: string): Promise<() => Promise<void>> {
  const path = join(resolve(folder), 'lock');
  const locked = (pid: number): GatewayError =>
    new GatewayError(
      'JOURNAL_LOCKED',
      folder,
      `the process ${pid} uses this journal; stop it, or choose another folder`,
    );
  if (ours.has(path)) throw locked(process.pid);
  const mine = `${path}.${process.pid}`;
  await writeFile(mine, JSON.stringify(ownerNow()));
  const giveUpAt = performance.now() + DYING_MS;
  try {
    for (;;) {
      // A link appears with its content and only if there is none: no moment with an empty or a second lock.
      if (await tried(() => link(mine, path), 'EEXIST')) break;
      const text = await readFile(path, 'utf8').catch(() => '');
      const owner = parseOwner(text);
      if (owner !== undefined && isAlive(owner)) {
        if (performance.now() >= giveUpAt) throw locked(owner.pid);
        await setTimeout(LOOK_AGAIN_MS);
        continue;
      }
      const stale = `${path}.stale.${process.pid}`;
      if (!(await tried(() => rename(path, stale), 'ENOENT'))) continue;
      // Somebody may have been faster, and this is their new lock: they get it back.
      const taken = await readFile(stale, 'utf8');
      if (taken !== text) await tried(() => link(stale, path), 'EEXIST');
      await unlink(stale);
    }
  } finally {
    await unlink(mine);
  }
  ours.add(path);
  return async () => {
    ours.delete(path);
    await tried(() => unlink(path), 'ENOENT');
  };
}

async function tried(action: () => Promise<void>, unless: string): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    if (errnoOf(error) === unless) return false;
    throw error;
  }
}

function parseOwner(text: string): Owner | undefined {
  try {
    const { pid, started, boot } = JSON.parse(text) as Partial<Owner>;
    return Number.isInteger(pid) ? { pid: pid!, started: String(started), boot: String(boot) } : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(owner: Owner): boolean {
  const here = ownerNow();
  if (owner.boot !== here.boot || owner.pid === here.pid) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
  return startOf(owner.pid) === owner.started && !isZombie(owner.pid);
}

function ownerNow(): Owner {
  return { pid: process.pid, started: startOf('self'), boot: textOf('/proc/sys/kernel/random/boot_id').trim() };
}

/** When a process was started, in ticks since the machine was: field 22 of proc(5)'s stat; '' where there is none. */
function startOf(pid: number | 'self'): string {
  const stat = textOf(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

/** Dead, though its parent has not asked how it ended: field 3 of proc(5)'s stat. */
function isZombie(pid: number): boolean {
  const stat = textOf(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
