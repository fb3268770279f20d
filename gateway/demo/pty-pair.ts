/**
 * A serial cable without hardware: two pseudo-terminals whose ends are joined, by socat or else by Python 3.
 *
 * ```
 *   program ── a ══ socat (or Python) ══ b ── program        a and b are paths that open like serial devices
 * ```
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findProgram } from './find-program.ts';

export interface PtyPair {
  /** The two ends. They are links, which `kill` removes, so that a later pair can take their place (see `at`). */
  readonly a: string;
  readonly b: string;
  /** Ends the program between them with SIGKILL, as a cable that is pulled; resolves when it is dead. */
  kill(): Promise<void>;
  /** Ends the program and removes everything; after `kill` too. */
  close(): Promise<void>;
}

const PYTHON = `
import os, select, sys, tty
masters, names = [], []
for _ in range(2):
    master, slave = os.openpty()
    tty.setraw(slave)
    names.append(os.ttyname(slave))
    masters.append(master)
print(*names, flush=True)
# The slaves stay open here, so an end that is closed and opened again does not hang up. Standard input ends with whoever
# has started this.
while True:
    for ready in select.select([0, *masters], [], [])[0]:
        if ready == 0:
            sys.exit()
        data = os.read(ready, 4096)
        other = masters[1 - masters.index(ready)]
        while data:
            data = data[os.write(other, data):]
`;

/** Whether a pair can be made here, and by what. */
export function ptyProgram(): 'socat' | 'python3' | undefined {
  if (findProgram('socat') !== undefined) return 'socat';
  return findProgram('python3') === undefined ? undefined : 'python3';
}

/**
 * Makes a pair with the program given, by default with what the machine has. `at` is the folder for the two links: that
 * of an earlier pair, when the cable is to be plugged in again.
 */
export async function openPtyPair(options: { at?: string; program?: 'socat' | 'python3' } = {}): Promise<PtyPair> {
  const program = options.program ?? ptyProgram();
  if (program === undefined) throw new Error('a pseudo-terminal pair needs socat or python3');
  const path = findProgram(program);
  if (path === undefined) throw new Error(`this machine has no ${program}`);
  const folder = options.at ?? mkdtempSync(join(tmpdir(), 'pty-'));
  const a = join(folder, 'a');
  const b = join(folder, 'b');
  // A process group of its own: Ctrl-C at the terminal is for us, who have to end the programs at the cable's ends first.
  const child = program === 'socat' ? spawnSocat(path, a, b) : spawnPython(path);
  // However this process ends, short of SIGKILL, nothing of the cable is left.
  const onExit = (): void => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  process.on('exit', onExit);

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    }
    // The terminals' numbers are given to others: a link left behind would lead to a stranger's terminal.
    for (const path of [a, b]) {
      try {
        unlinkSync(path);
      } catch {
        // socat has removed it
      }
    }
  }

  async function close(): Promise<void> {
    await end('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
    process.off('exit', onExit);
  }

  try {
    if (program === 'socat') await socatRuns(child);
    else await linkPython(child, a, b);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    a,
    b,
    kill: () => end('SIGKILL'),
    close,
  };
}

function spawnSocat(path: string, a: string, b: string): ChildProcess {
  return spawn(path, ['-dd', `pty,rawer,link=${a}`, `pty,rawer,link=${b}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
}

/** socat says with -dd when it has made both terminals and begins to copy. */
async function socatRuns({ stderr }: ChildProcess): Promise<void> {
  const lines: string[] = [];
  for await (const line of createInterface(stderr!)) {
    lines.push(line);
    if (line.includes('starting data transfer loop')) {
      stderr!.resume();
      return;
    }
  }
  throw new Error(`socat did not start: ${lines.join('; ')}`);
}

function spawnPython(path: string): ChildProcess {
  return spawn(path, ['-c', PYTHON], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
}

/** The program says the names of its terminals; the links are ours. */
async function linkPython({ stdout }: ChildProcess, a: string, b: string): Promise<void> {
  for await (const line of createInterface(stdout!)) {
    const [nameA, nameB] = line.split(' ');
    symlinkSync(nameA!, a);
    symlinkSync(nameB!, b);
    return;
  }
  throw new Error('python3 did not start');
}
