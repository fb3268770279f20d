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
# The slaves stay open here, so an end that is closed and opened again does not hang up.
while True:
    for ready in select.select(masters, [], [])[0]:
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
  const folder = options.at ?? mkdtempSync(join(tmpdir(), 'pty-'));
  const a = join(folder, 'a');
  const b = join(folder, 'b');
  const child = program === 'socat' ? await startSocat(a, b) : await startPython(a, b);

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

  return {
    a,
    b,
    kill: () => end('SIGKILL'),
    async close() {
      await end('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** socat says with -dd when it has made both terminals and begins to copy. */
async function startSocat(a: string, b: string): Promise<ChildProcess> {
  const child = spawn('socat', ['-dd', `pty,rawer,link=${a}`, `pty,rawer,link=${b}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const lines: string[] = [];
  for await (const line of createInterface(child.stderr)) {
    lines.push(line);
    if (line.includes('starting data transfer loop')) {
      child.stderr.resume();
      return child;
    }
  }
  throw new Error(`socat did not start: ${lines.join('; ')}`);
}

async function startPython(a: string, b: string): Promise<ChildProcess> {
  const child = spawn('python3', ['-c', PYTHON], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface(child.stdout)) {
    const [nameA, nameB] = line.split(' ');
    symlinkSync(nameA!, a);
    symlinkSync(nameB!, b);
    return child;
  }
  throw new Error('python3 did not start');
}
