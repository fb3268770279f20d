/** Runs the built program `bytes2mqtt run` with sources of a test's choice, and knows from its log where they listen. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const MAIN = join(import.meta.dirname, '../../dist/gateway/main.js');

/** One line of its log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg?: string };

export class GatewayProgram {
  /** All that it has logged. */
  readonly log: LogLine[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'gateway-'));
  /** Its configuration. */
  readonly file = join(this.#folder, 'bytes2mqtt.yaml');
  readonly #process: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #waiting: (() => void)[] = [];

  /**
   * `sources`: as in the configuration, each with a `name`. The broker is away, which is no matter to services, unless
   * `more` of the configuration names one. `under`: a command that starts the program, with arguments, and goes in front.
   */
  constructor(
    sources: readonly Readonly<Record<string, unknown>>[],
    more: Readonly<Record<string, unknown>> = {},
    under: readonly string[] = [],
  ) {
    if (!existsSync(MAIN)) throw new Error('the program is not built: npm run build');
    this.save(sources, more);
    const command = [...under, process.execPath, MAIN, 'run', '--config', this.file];
    const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = child;
    this.#closed = once(child, 'close').then(() => this.#wake());
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.log.push(parseLine(line));
      this.#wake();
    });
  }

  /** Puts another configuration in the place of the present one, as editors do it. */
  save(sources: readonly Readonly<Record<string, unknown>>[], more: Readonly<Record<string, unknown>> = {}): void {
    // JSON is YAML too.
    const own = { mqtt: { url: 'mqtt://127.0.0.1:1' }, log: { format: 'json' }, http: { port: 0 } };
    this.saveText(JSON.stringify({ ...own, ...more, sources }));
  }

  saveText(text: string): void {
    writeFileSync(`${this.file}.swp`, text);
    renameSync(`${this.file}.swp`, this.file);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Process id; of `under`, if that does not replace itself. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** The first line for which `wanted` says so, as soon as it is there. */
  async line(wanted: (line: LogLine) => boolean): Promise<LogLine> {
    for (let seen = 0; ; ) {
      for (; seen < this.log.length; seen += 1) if (wanted(this.log[seen] ?? {})) return this.log[seen] ?? {};
      if (this.#process.exitCode !== null || this.#process.signalCode !== null) {
        throw new Error(`the gateway has ended:\n${this.log.map((line) => JSON.stringify(line)).join('\n')}`);
      }
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  /** The port on which the source of this name listens. */
  async port(name: string): Promise<number> {
    const { where } = await this.line((line) => line['source'] === name && typeof line['where'] === 'string');
    return Number(/:(\d+)$/.exec(String(where))?.[1]);
  }

  /** SIGTERM, as a service manager sends it, or another signal; the exit code, null after a death by signal. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.#process.kill(signal);
    await this.#closed;
    rmSync(this.#folder, { recursive: true, force: true });
    return this.#process.exitCode;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** What is not JSON is a crash: kept as it is. */
function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { msg: line };
  }
}
