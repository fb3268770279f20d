/** Runs the Python programs of this folder. */
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';

const HERE = import.meta.dirname;

/** A running program, whose output can be awaited. */
export class PythonProgram {
  readonly process: ChildProcessWithoutNullStreams;
  /** What it has printed, standard error included. */
  output = '';
  readonly #exited: Promise<number | null>;
  #onOutput: (() => void) | undefined;

  constructor(args: readonly string[]) {
    this.process = spawn('python3', args, { env: { ...process.env, PYTHONUNBUFFERED: '1' } });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        this.output += text;
        this.#onOutput?.();
      });
    }
    this.#exited = new Promise((resolve) => {
      this.process.once('close', (code) => {
        resolve(code);
        this.#onOutput?.();
      });
    });
  }

  /** The match of `pattern` in the output, as soon as it is there. */
  async waitFor(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output);
      if (match !== null) return match;
      if (this.process.exitCode !== null || this.process.signalCode !== null) {
        throw new Error(`the program ended without ${String(pattern)}:\n${this.output}`);
      }
      await new Promise<void>((resolve) => {
        this.#onOutput = resolve;
      });
    }
  }

  /** The exit code, once the output is complete. */
  async exited(): Promise<number | null> {
    return await this.#exited;
  }

  /** Ends it, when it has not ended by itself. */
  async stop(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.#exited;
  }
}

/** Starts a program of this folder. */
export function startPython(script: string, ...args: (string | number)[]): PythonProgram {
  return new PythonProgram([join(HERE, script), ...args.map(String)]);
}

/** Starts it on a pseudo-terminal, as a person would: what is written to its standard input is typed. */
export function startPythonOnTerminal(script: string, ...args: (string | number)[]): PythonProgram {
  const spawnOnTerminal = 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]))';
  return new PythonProgram(['-c', spawnOnTerminal, 'python3', join(HERE, script), ...args.map(String)]);
}

/** Runs a program to its end and returns its lines; throws when it fails. */
export async function runPython(script: string, ...args: (string | number)[]): Promise<string[]> {
  const program = startPython(script, ...args);
  const code = await program.exited();
  if (code !== 0) throw new Error(`${script} exited with ${code}:\n${program.output}`);
  return program.output.trimEnd().split('\n');
}
