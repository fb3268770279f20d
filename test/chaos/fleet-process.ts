/** The simulator as a process: a seeded fleet, its ack log, and what it came to. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Model } from '../../device-sim/models/model.ts';
import { airQuality } from '../../device-sim/models/air-quality.ts';
import { thermometer } from '../../device-sim/models/thermometer.ts';
import { type Summary, type Totals, total } from '../../device-sim/report.ts';
import { AckLogTail } from './ack-log-tail.ts';
import { end, isRunning, start } from './children.ts';
import { ExpectedFleet } from './expected-fleet.ts';

const PROGRAM = join(import.meta.dirname, '../../device-sim/main.js');
/** They send all their channels in every reading and take no commands: see ExpectedFleet. */
const STEADY_MODELS: readonly Model[] = [thermometer, airQuality];

export interface FleetOptions {
  /** For the name of its files. */
  readonly name: string;
  readonly folder: string;
  /** As on the command line: `['--tcp', '127.0.0.1:2883']`. */
  readonly links: readonly string[];
  readonly devices: number;
  readonly ratePerS: number;
  readonly seed: number;
  /** Readings each device takes; default: until `finish`. */
  readonly count?: number | undefined;
  readonly models?: readonly Model[];
  /** Frames each device can hold. */
  readonly buffer?: number;
  /** How long to wait for the last acknowledgements. */
  readonly drainS?: number;
}

export class FleetProcess {
  readonly expected: ExpectedFleet;
  readonly #options: FleetOptions;
  readonly #onAck: (device: string, boot: string, seq: number) => void;
  #child: ChildProcess | undefined;
  #tail: AckLogTail | undefined;
  #ended: Promise<unknown> | undefined;
  #stdout = '';
  #stderr = '';

  constructor(options: FleetOptions, onAck: (device: string, boot: string, seq: number) => void) {
    this.#options = options;
    this.#onAck = onAck;
    const { seed, devices, ratePerS, models = STEADY_MODELS } = options;
    this.expected = new ExpectedFleet({ seed, devices, ratePerS, models });
  }

  get acks(): AckLogTail {
    if (this.#tail === undefined) throw new Error('the fleet has not been started');
    return this.#tail;
  }

  start(): void {
    const { name, folder, links, devices, ratePerS, seed, count, buffer = 5_000, drainS = 60 } = this.#options;
    const { models = STEADY_MODELS } = this.#options;
    const ackLog = join(folder, `${name}.acks`);
    this.#tail = new AckLogTail(ackLog, this.#onAck);
    const args = ['run', ...links, '--models', models.map((model) => model.name).join(','), '--json'];
    const numbers = { devices, rate: ratePerS, seed, buffer, drain: drainS, ...(count !== undefined && { count }) };
    for (const [name, value] of Object.entries(numbers)) args.push(`--${name}`, String(value));
    // Without it a gateway that is killed often would meet devices that wait a minute before they try again.
    args.push('--max-wait', '1', '--ack-log', ackLog);
    const child = start(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout!.on('data', (chunk: Buffer) => {
      this.#stdout += chunk.toString();
    });
    child.stderr!.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
    this.#child = child;
    this.#ended = once(child, 'close');
  }

  get running(): boolean {
    return this.#child !== undefined && isRunning(this.#child);
  }

  /** No more readings: waits for the last ACKs, at most its drain time. */
  async finish(): Promise<Totals & { errors: Summary['errors'] }> {
    if (this.running) this.#child?.kill('SIGINT');
    return await this.ended();
  }

  /** Resolves when every device has taken its count, and all of it is acknowledged or was given up. */
  async ended(): Promise<Totals & { errors: Summary['errors'] }> {
    await this.#ended;
    this.acks.close();
    const line = this.#stdout.trimEnd().split('\n').at(-1) ?? '';
    if (!line.startsWith('{')) throw new Error(`the simulator ended without a summary:\n${this.#stderr}`);
    const summary = JSON.parse(line) as Summary;
    return { ...total(summary), errors: summary.errors };
  }

  async kill(): Promise<void> {
    if (this.#child !== undefined) await end(this.#child, 'SIGKILL');
    this.#tail?.close();
  }
}
