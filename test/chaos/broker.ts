/** A mosquitto as a careful user runs it, with persistence, that can be killed, stalled and started again. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, openSync, closeSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { findProgram } from '../../gateway/demo/find-program.ts';
import { end, isRunning, start } from './children.ts';
import { must } from './wait.ts';

export class Broker {
  readonly port: number;
  readonly #folder: string;
  readonly #config: string;
  #child: ChildProcess | undefined;
  #stalled = false;

  constructor(folder: string, port: number) {
    this.port = port;
    this.#folder = join(folder, 'mosquitto');
    mkdirSync(this.#folder, { recursive: true });
    this.#config = join(this.#folder, 'mosquitto.conf');
    const lines = [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous true',
      'user root',
      'persistence true',
      `persistence_location ${this.#folder}/`,
      'autosave_interval 1',
      // What the subscriber has not taken yet is queued without a limit: the broker alone must lose nothing here.
      'max_queued_messages 0',
      'max_inflight_messages 200',
    ];
    writeFileSync(this.#config, `${lines.join('\n')}\n`);
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  get running(): boolean {
    return this.#child !== undefined && isRunning(this.#child);
  }

  /** Starts it, and resolves when it accepts connections. */
  async start(): Promise<void> {
    const program = findProgram('mosquitto');
    if (program === undefined) throw new Error('mosquitto is not installed');
    const log = openSync(join(this.#folder, 'mosquitto.log'), 'a');
    const child = start(program, ['-c', this.#config], { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#child = child;
    const giveUpAt = performance.now() + 10_000;
    while (!(await accepts(this.port))) {
      if (!isRunning(child) || performance.now() > giveUpAt) throw new Error('mosquitto has not started');
    }
  }

  /** Resolves when the sessions and retained messages of this moment are on disk. */
  async saved(): Promise<void> {
    const file = join(this.#folder, 'mosquitto.db');
    const before = existsSync(file) ? statSync(file).mtimeMs : 0;
    await must('mosquitto saves its state', () => existsSync(file) && statSync(file).mtimeMs > before, 5_000, 50);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.resume();
    if (this.#child !== undefined) await end(this.#child, signal);
  }

  /** It stays there and answers nothing, until `resume`. */
  stall(): void {
    if (!this.running) return;
    this.#stalled = true;
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    if (this.#stalled) this.#child?.kill('SIGCONT');
    this.#stalled = false;
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const answer = (open: boolean): void => {
      socket.destroy();
      setTimeout(() => resolve(open), open ? 0 : 10);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
  });
}
