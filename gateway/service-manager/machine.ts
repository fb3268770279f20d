/** What an installation has to know of the machine, and does to it; a test has one in a folder of its own. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export interface Machine {
  /** In front of every path that is written; '' for this machine. */
  readonly root: string;
  /** Whether this user may write to system folders and call the service manager. */
  readonly isRoot: boolean;
  /** Whether systemd runs here. */
  readonly hasSystemd: boolean;
  /** Absolute paths of Node and of the program, links followed. */
  readonly node: string;
  readonly program: string;
  /** Runs a program to its end; undefined: it went well, else what it said. */
  run(command: readonly string[]): string | undefined;
}

/** The machine that this process runs on. */
export function thisMachine(): Machine {
  return {
    root: '',
    isRoot: process.geteuid?.() === 0,
    // sd_booted(3)
    hasSystemd: existsSync('/run/systemd/system'),
    node: realpathSync(process.execPath),
    program: realpathSync(fileURLToPath(new URL('../main.js', import.meta.url))),
    run: ([program = '', ...args]) => {
      const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
      if (status === 0) return undefined;
      return error?.message ?? (stderr.trim() || `it ended with ${status}`);
    },
  };
}

/** The user of this name, or undefined. */
export function accountOf(machine: Machine, name: string): Account | undefined {
  const fields = readDatabase(machine, '/etc/passwd').find(([user]) => user === name);
  return fields && { name, uid: Number(fields[2]), gid: Number(fields[3]) };
}

/** The group that serial devices belong to: dialout with Debian and Fedora, uucp with Arch. */
export function serialGroupOf(machine: Machine): string | undefined {
  const groups = new Set(readDatabase(machine, '/etc/group').map(([group]) => group));
  return ['dialout', 'uucp'].find((group) => groups.has(group));
}

function readDatabase({ root }: Machine, path: string): string[][] {
  const file = join(root, path);
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
}

/** The text of a file of the machine; undefined: there is none. */
export function textOf({ root }: Machine, path: string): string | undefined {
  const file = join(root, path);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** Writes a file, and the folder that it belongs into; what has an owner gets him with its folder. */
export function writeFile(machine: Machine, path: string, text: string, mode: number, owner?: Account): void {
  const file = join(machine.root, path);
  makeFolder(machine, dirname(path), owner);
  writeFileSync(file, text, { mode });
  chmodSync(file, mode);
  if (owner !== undefined) chownSync(file, owner.uid, owner.gid);
}

/** Makes a folder for its owner and his group only, or for everybody; one that is there stays as it is. */
export function makeFolder(machine: Machine, path: string, owner?: Account): void {
  const folder = join(machine.root, path);
  if (existsSync(folder)) return;
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  if (owner === undefined) return;
  chmodSync(folder, 0o750);
  chownSync(folder, owner.uid, owner.gid);
}

/**
 * The first part of a path, of files that everybody uses, through which a user without rights of his own does not get:
 * a home that is closed to others, for one. Undefined: he gets to the file and may read it.
 */
export function closedPart(path: string): string | undefined {
  const parts = path.split('/').slice(1);
  for (let end = 1; end <= parts.length; end++) {
    const part = `/${parts.slice(0, end).join('/')}`;
    const { mode } = statSync(part);
    // Others may read the file, and go through its folders.
    if ((mode & (end === parts.length ? 0o004 : 0o001)) === 0) return part;
  }
  return undefined;
}
