/** The built gateway as a process that is killed and started again, on the same ports and the same journal. */
import type { ChildProcess } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { NODE_FLAGS } from '../../gateway/service-manager/unit-file.ts';
import { end, isRunning, start } from './children.ts';
import type { Control, Struck } from './preload.ts';
import type { Durability } from './scenario.ts';
import { must } from './wait.ts';

const PROGRAM = join(import.meta.dirname, '../../gateway/main.js');
const PRELOAD = join(import.meta.dirname, 'preload.js');

export interface GatewayOptions {
  readonly folder: string;
  readonly brokerPort: number;
  readonly base: string;
  readonly tcpPort: number;
  readonly udpPort: number;
  readonly durability: Durability;
  /** Default: in `folder`. */
  readonly journalFolder?: string | undefined;
  /** More keys of the section `journal`. */
  readonly journal?: Readonly<Record<string, unknown>> | undefined;
  /** Keys of the section `limits`; besides, they are wide open unless `shipped`. */
  readonly limits?: Readonly<Record<string, unknown>> | undefined;
  /** Limits as they are shipped, but for those named; and the flags of Node that the unit file has. */
  readonly shipped?: boolean;
  /** Whether clocks and disk can be made to lie. */
  readonly preload?: boolean;
}

/** Hundreds of devices on one address, which come back all at once and bring what they have as fast as they can. */
const ROOMY = {
  connections_per_address: 1_024,
  connections_unauthenticated: 1_024,
  handshakes_per_s: 100_000,
  handshakes_per_address_per_s: 100_000,
  frames_per_s: 100_000,
  bytes_per_s: 100_000_000,
  answers_per_s: 100_000,
};

export class GatewayProcess {
  /** Ends that nobody has asked for, with the last lines of the log. */
  readonly crashes: string[] = [];
  readonly #options: GatewayOptions;
  readonly #config: string;
  readonly #log: string;
  #child: ChildProcess | undefined;
  #spawnedAt = 0;
  #listening = 0;
  #ending = false;
  #struck: Struck = { fsync: 0, write: 0 };

  constructor(options: GatewayOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true });
    this.#config = join(options.folder, 'bytes2mqtt.yaml');
    this.#log = join(options.folder, 'gateway.log');
    const { brokerPort, base, tcpPort, udpPort, durability, folder, journal, limits, shipped = false } = options;
    const config = {
      mqtt: { url: `mqtt://127.0.0.1:${brokerPort}`, base },
      http: { port: 0 },
      // It has a device's last state said once more; here every copy is to have a reason.
      discovery: { enabled: false },
      sources: [{ tcp: `127.0.0.1:${tcpPort}` }, { udp: `127.0.0.1:${udpPort}`, receive_buffer: 4_194_304 }],
      journal: { dir: options.journalFolder ?? join(folder, 'journal'), durability, ...journal },
      limits: { ...(!shipped && ROOMY), ...limits },
      log: { format: 'json' },
    };
    // JSON is YAML too.
    writeFileSync(this.#config, JSON.stringify(config, undefined, 2));
  }

  get tcpPort(): number {
    return this.#options.tcpPort;
  }

  /** When it was started last, on the monotonic clock. */
  get spawnedAt(): number {
    return this.#spawnedAt;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the process and does not wait for it. */
  spawn(control: Control = {}): void {
    const { preload = false, folder } = this.#options;
    if (!existsSync(PROGRAM)) throw new Error('the gateway is not built: npm run build');
    const flags = this.#options.shipped === true ? NODE_FLAGS : [];
    const hooks = preload ? ['--import', pathToFileURL(PRELOAD).href] : [];
    this.#spawnedAt = performance.now();
    this.#listening = 0;
    this.#ending = false;
    const child = start(process.execPath, [...flags, ...hooks, PROGRAM, 'run', '--config', this.#config], {
      cwd: folder,
      env: { ...process.env, CHAOS_CONTROL: JSON.stringify(control) },
      stdio: ['ignore', 'ignore', 'pipe', ...(preload ? (['ipc'] as const) : [])],
    });
    this.#child = child;
    // A new process counts anew.
    this.#struck = { fsync: 0, write: 0 };
    child.on('message', (struck: Struck) => {
      this.#struck = struck;
    });
    createInterface({ input: child.stderr! }).on('line', (line) => {
      appendFileSync(this.#log, `${line}\n`);
      if (child === this.#child && isListening(line)) this.#listening++;
    });
    child.once('exit', (code, signal) => {
      if (!this.#ending) this.crashes.push(`the gateway ended by itself (${signal ?? code}):\n${this.lastLog()}`);
    });
  }

  /** Resolves when both of its sources listen. */
  async listening(limitMs = 20_000): Promise<void> {
    await must(
      'the gateway listens',
      () => {
        if (this.crashes.length > 0) throw new Error(this.crashes[0]);
        return this.#listening >= 2;
      },
      limitMs,
      5,
    );
  }

  async start(control: Control = {}): Promise<void> {
    this.spawn(control);
    await this.listening();
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.#ending = true;
    if (this.#child !== undefined) await end(this.#child, 'SIGKILL');
  }

  /** SIGTERM, as a service manager sends it. */
  async stop(): Promise<void> {
    this.#ending = true;
    if (this.#child !== undefined) await end(this.#child, 'SIGTERM');
  }

  /** Has its clocks or its disk lie from now on (only with `preload`). */
  control(control: Control): void {
    this.#child?.send(control);
  }

  /** How often a disk fault was met, as told a moment ago. */
  get struck(): Struck {
    return this.#struck;
  }

  /** Resident memory, bytes; 0 when it does not run. */
  get rssBytes(): number {
    if (this.#child === undefined || !isRunning(this.#child)) return 0;
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1_024;
  }

  lastLog(lines = 12): string {
    return existsSync(this.#log) ? readFileSync(this.#log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n') : '';
  }
}

/** A line that tells of a source that listens. */
function isListening(line: string): boolean {
  if (!line.startsWith('{')) return false;
  const { source, where, level } = JSON.parse(line) as Record<string, unknown>;
  return typeof source === 'string' && typeof where === 'string' && level === 'info';
}
