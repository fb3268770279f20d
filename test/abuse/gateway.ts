/** The built gateway as a process, and every byte of its log. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './wait.ts';

/** Seen from dist/test/abuse. */
const PROGRAM = fileURLToPath(new URL('../../gateway/main.js', import.meta.url));
const START_MS = 20_000;

export class Gateway {
  readonly #folder = mkdtempSync(join(tmpdir(), 'bytes2mqtt-abuse-'));
  readonly #process: ChildProcess;
  #log = '';
  #ended: string | undefined;
  #stopping = false;
  readonly #onExit = (): void => void this.#process.kill('SIGKILL');

  constructor(config: Readonly<Record<string, unknown>>) {
    if (!existsSync(PROGRAM)) throw new Error('the gateway is not built: npm run build');
    const file = join(this.#folder, 'bytes2mqtt.yaml');
    // JSON is YAML too.
    writeFileSync(file, JSON.stringify(config));
    const child = spawn(process.execPath, [PROGRAM, 'run', '--config', file], {
      cwd: this.#folder,
      env: { ...process.env, NO_COLOR: '1' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text;
    });
    child.once('exit', (code, signal) => {
      if (!this.#stopping) this.#ended = `the gateway has ended (${signal ?? code})`;
    });
    process.on('exit', this.#onExit);
  }

  /** All that it has logged. */
  get log(): string {
    return this.#log;
  }

  /** Why it does not run any more, if it does not. */
  get ended(): string | undefined {
    return this.#ended;
  }

  /** Resident memory in bytes. */
  get rssBytes(): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1_024;
  }

  /** What the first match of the pattern in its log says. */
  async logged(pattern: RegExp): Promise<RegExpExecArray> {
    await until(() => this.#ended !== undefined || pattern.test(this.#log), START_MS);
    const match = pattern.exec(this.#log);
    if (match === null)
      throw new Error(`${this.#ended ?? 'the gateway has not logged'} ${String(pattern)}:\n${this.#log}`);
    return match;
  }

  /** As if it had crashed. */
  kill(): void {
    this.#process.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const closed = once(this.#process, 'close');
      this.#process.kill('SIGTERM');
      await Promise.race([closed, until(() => false, 8_000).then(() => this.#process.kill('SIGKILL'))]);
    }
    process.off('exit', this.#onExit);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
