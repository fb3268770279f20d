/** Runs the built programs as real processes. `npm test` builds them first. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface CliResult {
  /** Exit code, or null after a signal. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

export interface RunningCli {
  /** Resolves when stdout or stderr contains it; rejects when the program ends before. */
  waitFor(text: string | RegExp): Promise<void>;
  /** What it has said so far, stdout first. */
  readonly output: string;
  kill(signal: NodeJS.Signals): void;
  readonly result: Promise<CliResult>;
}

/** Starts `bytes2mqtt ARGS`; nothing of our own environment variables reaches it but what is given. */
export function startCli(args: readonly string[], options: CliOptions = {}): RunningCli {
  const main = fileURLToPath(new URL('../../dist/gateway/main.js', import.meta.url));
  if (!existsSync(main)) throw new Error('dist/ is missing: npm run build');
  const clean = Object.entries(process.env).filter(([name]) => !name.startsWith('BYTES2MQTT_'));
  const child = spawn(process.execPath, [main, ...args], {
    cwd: options.cwd,
    env: { ...Object.fromEntries(clean), ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  let over = false;
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const check of waiting) check();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    wake();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    wake();
  });
  // A program that ends without reading its input closes the pipe under us.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.stdin ?? '');

  const result = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      over = true;
      resolve({ code, stdout, stderr });
      wake();
    });
  });
  return {
    result,
    get output() {
      return stdout + stderr;
    },
    kill: (signal) => void child.kill(signal),
    waitFor: (wanted) =>
      new Promise((resolve, reject) => {
        const check = () => {
          const all = stdout + stderr;
          const there = typeof wanted === 'string' ? all.includes(wanted) : wanted.test(all);
          if (!there && !over) return;
          waiting.delete(check);
          if (there) resolve();
          else reject(new Error(`ended without ${String(wanted)}:\n${all}`));
        };
        waiting.add(check);
        check();
      }),
  };
}

/** Runs `bytes2mqtt ARGS` to its end. */
export function cli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return startCli(args, options).result;
}
