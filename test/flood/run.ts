/**
 * `npm run flood`: 50 good devices beside 1,000 connections that never finish a frame and 10 MB/s of noise. What the good
 * ones feel is the time from a reading to its ACK; what the machine feels is the gateway's memory. See docs/flood.md.
 *
 * ```
 *   npm run flood -- [--short] [--for S] [--only defaults|raised] [--json]
 * ```
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Random } from '../../device-sim/random.ts';
import { Broker } from '../chaos/broker.ts';
import { end, start } from '../chaos/children.ts';
import { GatewayProcess } from '../chaos/gateway-process.ts';
import { LinkProbe } from '../chaos/link-probe.ts';
import { stablePort } from '../chaos/ports.ts';
import { sleep } from '../chaos/wait.ts';
import type { Attack, AttackReport } from './attackers.ts';

const USAGE = `npm run flood -- [OPTIONS]
  --short          10 s a row, and no judgement by time: the form for CI
  --for S          seconds a row (30 by default)
  --only NAME      defaults, or raised (limits so high that every attacker is let in)
  --json           one JSON object at the end, on stdout`;

const DEVICES = 50;
const PERIOD_MS = 200;
const SLOW = 1_000;
const GARBAGE = 10;
const GARBAGE_BYTES_PER_S = 10_000_000;
const MAX_P99_MS = 500;
const SAMPLE_MS = 200;
/** What V8 does not give back within this time after an attack counts as kept. */
const AFTERMATH_MS = 5_000;
const FIRST_DEVICE = 0xf100_0000_0000_0000n;

interface Row {
  readonly name: 'defaults' | 'raised';
  readonly about: string;
  readonly limits: Readonly<Record<string, unknown>>;
  /** Resident memory may grow by so much. */
  readonly maxGrowthBytes: number;
}

const ROWS: readonly Row[] = [
  {
    name: 'defaults',
    about: 'the limits as they are shipped: most of the slow ones are let go again',
    limits: {},
    // A thousand connections a second come and go: what they leave is collected some seconds later.
    maxGrowthBytes: 64 * 1_048_576,
  },
  {
    name: 'raised',
    about: 'limits so high that all 1,000 stand at once and the noise is read as it comes',
    limits: {
      connections: 4_096,
      connections_per_address: 1_024,
      connections_unauthenticated: 4_096,
      handshake_s: 600,
      frame_s: 600,
      frames_per_s: 1_000_000,
      bytes_per_s: 100_000_000,
    },
    maxGrowthBytes: 30 * 1_048_576,
  },
];

interface Result {
  readonly row: Row;
  readonly quiet: Latency;
  readonly flooded: Latency;
  readonly memory: Memory;
  readonly attack: AttackReport;
  readonly failures: readonly string[];
}

/** Resident bytes of the gateway. */
interface Memory {
  /** Right before the attack, with 50 good devices. */
  readonly before: number;
  /** The most from then on until the end, the pause behind the attack included. */
  readonly most: number;
  /** At the end of that pause. */
  readonly after: number;
}

interface Latency {
  readonly readings: number;
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function latencyOf(values: readonly number[]): Latency {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { readings: sorted.length, p50: at(0.5), p99: at(0.99), worst: at(1) };
}

/** Every device sends a reading, waits for its ACK, and sends the next one in its time. */
async function measure(devices: readonly LinkProbe[], seconds: number): Promise<Latency> {
  const values: number[] = [];
  const endAt = performance.now() + seconds * 1_000;
  await Promise.all(
    devices.map(async (device, index) => {
      await sleep((index * PERIOD_MS) / devices.length);
      while (performance.now() < endAt) {
        const took = await device.reading();
        values.push(took);
        await sleep(Math.max(0, PERIOD_MS - took));
      }
    }),
  );
  return latencyOf(values);
}

async function flood(row: Row, seconds: number, timed: boolean): Promise<Result> {
  const random = new Random(randomInt(2 ** 32));
  const folder = mkdtempSync(join(tmpdir(), 'bytes2mqtt-flood-'));
  const broker = new Broker(folder, await stablePort(random));
  const gateway = new GatewayProcess({
    folder,
    brokerPort: broker.port,
    base: 'flood',
    tcpPort: await stablePort(random),
    udpPort: await stablePort(random),
    durability: 'process',
    limits: row.limits,
    shipped: true,
  });
  const failures: string[] = [];
  const peak = new Peak(() => gateway.rssBytes);
  try {
    await broker.start();
    await gateway.start();
    const port = gateway.tcpPort;
    const devices: LinkProbe[] = [];
    // One after the other: so many handshakes a second from one address are let in.
    for (let n = 0; n < DEVICES; n++) {
      devices.push(await LinkProbe.open(FIRST_DEVICE + BigInt(n), port));
      await sleep(110);
    }
    const quiet = await measure(devices, Math.min(10, seconds));
    const before = gateway.rssBytes;
    peak.take();

    const attack: Attack = { port, slow: SLOW, garbage: GARBAGE, garbageBytesPerS: GARBAGE_BYTES_PER_S };
    let report: AttackReport = { standing: 0, closed: 0, garbageBytes: 0 };
    const child = start(process.execPath, [join(import.meta.dirname, 'attackers.js'), JSON.stringify(attack)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.on('message', (message: AttackReport) => (report = message));
    await sleep(3_000);
    const flooded = await measure(devices, seconds);
    const lost = devices.filter(({ closed }) => closed).length;
    await end(child, 'SIGTERM');
    await sleep(AFTERMATH_MS);
    const memory = { before, most: peak.take(), after: gateway.rssBytes };
    const growth = memory.most - memory.before;

    if (lost > 0) failures.push(`${lost} good devices were disconnected`);
    failures.push(...gateway.crashes);
    if (growth > row.maxGrowthBytes) failures.push(`memory has grown by ${mib(growth)}`);
    if (timed && flooded.p99 >= MAX_P99_MS) failures.push(`p99 of the ACK is ${flooded.p99.toFixed(0)} ms`);
    for (const device of devices) device.close();
    return { row, quiet, flooded, memory, attack: report, failures };
  } finally {
    peak.stop();
    await gateway.stop();
    await broker.kill('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The highest of a figure that is looked at all the time. */
class Peak {
  readonly #look: () => void;
  readonly #timer: NodeJS.Timeout;
  #highest = 0;

  constructor(read: () => number) {
    this.#look = () => (this.#highest = Math.max(this.#highest, read()));
    this.#timer = setInterval(this.#look, SAMPLE_MS);
  }

  /** Since the last call, or the start. */
  take(): number {
    this.#look();
    const highest = this.#highest;
    this.#highest = 0;
    return highest;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

function mib(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

function lineOf({ readings, p50, p99, worst }: Latency): string {
  return `${readings} readings, ACK p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, worst ${worst.toFixed(1)} ms`;
}

function show({ row, quiet, flooded, memory, attack, failures }: Result, seconds: number): void {
  say(`${row.name}: ${row.about}`);
  say(`  quiet    ${lineOf(quiet)}`);
  say(`  flooded  ${lineOf(flooded)}`);
  const rate = attack.garbageBytes / (seconds + 3) / 1e6;
  say(
    `  attack   ${attack.standing} slow connections stand, ${attack.closed} closed; ${rate.toFixed(1)} MB/s of noise`,
  );
  const { before, most, after } = memory;
  const growth = `${most < before ? '' : '+'}${mib(most - before)}`;
  say(
    `  memory   ${mib(before)} before, at most ${mib(most)} during and after it: ${growth}; ${mib(after)} at the end`,
  );
  for (const failure of failures) say(`  FAILED   ${failure}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      for: { type: 'string', default: '' },
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const rows = ROWS.filter(({ name }) => values.only === undefined || name === values.only);
  const seconds = values.for === '' ? (values.short ? 10 : 30) : Number(values.for);
  if (values.help || rows.length === 0 || !(seconds > 0)) {
    say(USAGE);
    process.exit(values.help ? 0 : 2);
  }
  const results: Result[] = [];
  for (const row of rows) {
    const result = await flood(row, seconds, !values.short);
    results.push(result);
    show(result, seconds);
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ seconds, results })}\n`);
  const failed = results.filter(({ failures }) => failures.length > 0).length;
  process.stdout.write(`${results.length - failed} passed, ${failed} failed\n`);
  process.exit(failed === 0 ? 0 : 1);
}

await main();
