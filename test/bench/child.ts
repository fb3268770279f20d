/** Child processes that answer one question at a time, and that end with us, whatever happens. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ANSWER_MS = 20_000;

/** A program of ours: it talks over Node's channel and ends when that closes. */
export class Child {
  readonly #name: string;
  readonly #process: ChildProcess;

  private constructor(name: string, process: ChildProcess) {
    this.#name = name;
    this.#process = process;
  }

  /** Starts `name`.js beside this file and waits for its first message. */
  static async start<T>(name: string, args: readonly string[] = [], execArgv: readonly string[] = []) {
    const file = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
    const child = new Child(name, fork(file, args, { execArgv: [...execArgv] }));
    return { child, first: await child.answer<T>() };
  }

  /** Starts `name`.js, which has nothing to say before it is asked. */
  static startQuiet(name: string): Child {
    return new Child(name, fork(fileURLToPath(new URL(`./${name}.js`, import.meta.url))));
  }

  send(message: object | string): void {
    this.#process.send(message);
  }

  async ask<T>(message: object | string): Promise<T> {
    const answer = this.answer<T>();
    this.#process.send(message);
    return answer;
  }

  /** The next message. */
  answer<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      const over = (): void => {
        clearTimeout(timer);
        this.#process.off('message', onMessage);
        this.#process.off('exit', onExit);
      };
      const onMessage = (message: unknown): void => {
        over();
        resolve(message as T);
      };
      const onExit = (code: number | null): void => {
        over();
        reject(new Error(`${this.#name} has ended with ${code}`));
      };
      const timer = setTimeout(() => {
        over();
        reject(new Error(`${this.#name} does not answer`));
      }, ANSWER_MS);
      this.#process.on('message', onMessage);
      this.#process.on('exit', onExit);
    });
  }

  /** Ends it, and waits for that. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 2_000);
    if (this.#process.connected) this.#process.disconnect();
    await gone;
    clearTimeout(timer);
  }
}

/** A foreign program that ends when its input ends, and that answers a line with a line. */
export class LineChild {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterableIterator<string>;

  constructor(file: string, args: readonly string[]) {
    this.#process = spawn(file, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    this.#process.on('error', () => undefined);
    this.#process.stdin?.on('error', () => undefined);
    const output = this.#process.stdout;
    if (output === null) throw new Error(`${file} has no output`);
    this.#lines = createInterface({ input: output })[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the program has ended');
    return value;
  }

  async ask(question: string): Promise<string> {
    this.#process.stdin?.write(`${question}\n`);
    return this.line();
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 2_000);
    this.#process.stdin?.end();
    await gone;
    clearTimeout(timer);
  }
}
