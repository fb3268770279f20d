/**
 * `npm run bench`: what a frame, an idle connection and a millisecond cost, on this machine, over loopback.
 *
 * ```
 *   npm run bench                      everything, in less than six minutes
 *   npm run bench -- --quick           a rough look, in less than forty seconds
 *   npm run bench -- --only tcp-100    cases whose name has this; also `latency`, `memory`, `profile`
 *   npm run bench -- --json            one JSON object instead of tables
 * ```
 *
 * Rounds go over all cases, so that whatever else the machine does falls on all of them alike.
 */
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { findProgram } from '../../gateway/demo/find-program.ts';
import { CASES, type Case } from './cases.ts';
import { type Latency, measureLatency } from './latency.ts';
import { type Memory, measureMemory } from './memory.ts';
import { measureProfiles, type ProfileSpeed } from './profile-decode.ts';
import { buildC, type RelayKind } from './relays.ts';
import { report } from './report.ts';
import { type Spread, spread } from './statistics.ts';
import { type Durations, measureThroughput, type Throughput } from './throughput.ts';

export interface CaseResult {
  readonly name: string;
  readonly target: string | undefined;
  /** Undefined when it failed in every round. */
  readonly outcome:
    | {
        readonly framesPerS: Spread;
        readonly cpuUsPerFrame: Spread;
        readonly cpuLoad: Spread;
        /** Of all rounds together. */
        readonly lost: number;
        readonly twice: number;
        readonly resent: number;
        readonly busy: number;
      }
    | undefined;
}

export interface Ratio {
  readonly name: string;
  readonly qos0: number | undefined;
  readonly qos1: number | undefined;
  readonly target: string;
}

export interface Results {
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string; readonly system: string };
  readonly rounds: number;
  readonly cases: readonly CaseResult[];
  readonly ratios: readonly Ratio[];
  readonly latency: readonly Latency[];
  readonly memory: readonly Memory[];
  readonly profiles: readonly ProfileSpeed[];
  readonly notes: readonly string[];
}

interface Plan extends Durations {
  readonly rounds: number;
  readonly latencyFrames: number;
  readonly connections: readonly number[];
  /** Collections before memory is read: the more, the less of a burst is left. */
  readonly collections: number;
  readonly latencyOf: readonly RelayKind[];
  /** No round is begun that would end after this. */
  readonly roundsMs: number;
  /** The whole run is given up after this. */
  readonly limitMs: number;
}

const FULL: Plan = {
  warmUpMs: 600,
  measureMs: 1_300,
  rounds: 3,
  latencyFrames: 1_000,
  connections: [0, 1_000, 10_000],
  collections: 4,
  latencyOf: ['gateway', 'c'],
  roundsMs: 270_000,
  limitMs: 360_000,
};
const QUICK: Plan = {
  warmUpMs: 300,
  measureMs: 500,
  rounds: 1,
  latencyFrames: 100,
  connections: [0, 1_000],
  collections: 2,
  latencyOf: ['gateway'],
  roundsMs: 30_000,
  limitMs: 60_000,
};

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});
const plan = options.quick ? QUICK : FULL;
const startedAt = performance.now();
const notes: string[] = [];
let failed = false;

process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));
setTimeout(() => {
  console.error(`given up after ${plan.limitMs / 1_000} s`);
  process.exit(1);
}, plan.limitMs).unref();

const hasC = buildC();
const cases = chooseCases();
const measured = new Map<Case, Throughput[]>(cases.map((spec) => [spec, []]));
const rounds = await runRounds();
const latency = wants('latency') ? await latencies() : [];
const memory = wants('memory') ? await memories() : [];
const profiles = wants('profile')
  ? ((await attempt('profile', async () => measureProfiles(5, plan.measureMs / 5))) ?? [])
  : [];
const results: Results = {
  machine: {
    cpu: cpus()[0]?.model.trim() ?? 'unknown CPU',
    cores: cpus().length,
    node: process.versions.node,
    system: `${process.platform} ${release()}`,
  },
  rounds,
  cases: Array.from(measured, ([spec, runs]) => caseResult(spec, runs)),
  ratios: ratiosOf(new Map(Array.from(measured, ([{ name }, runs]) => [name, runs]))),
  latency,
  memory,
  profiles,
  notes,
};
console.log(options.json ? JSON.stringify(results) : report(results));
process.exit(failed ? 1 : 0);

function wants(name: string): boolean {
  return options.only === undefined || name.includes(options.only);
}

function chooseCases(): Case[] {
  let chosen = CASES.filter((spec) => wants(spec.name) && (spec.quick || !options.quick));
  if (findProgram('mosquitto') === undefined) {
    chosen = chosen.filter(({ broker }) => broker === 'sink');
    notes.push('mosquitto is not installed: no figures with it.');
  }
  if (!hasC) {
    chosen = chosen.filter(({ relay }) => relay !== 'c');
    notes.push('There is no C compiler (cc): no reference in C.');
  }
  return chosen;
}

async function runRounds(): Promise<number> {
  let slowest = 0;
  for (let round = 1; round <= plan.rounds && cases.length > 0; round++) {
    const begin = performance.now();
    if (begin - startedAt + slowest > plan.roundsMs) {
      notes.push(`The machine was too slow for ${plan.rounds} rounds.`);
      return round - 1;
    }
    for (const spec of cases) {
      progress(`round ${round}/${plan.rounds} ${spec.name}`);
      const outcome = await attempt(spec.name, () => measureThroughput(spec, plan));
      if (outcome !== undefined) measured.get(spec)?.push(outcome);
    }
    slowest = Math.max(slowest, performance.now() - begin);
  }
  return cases.length === 0 ? 0 : plan.rounds;
}

async function latencies(): Promise<Latency[]> {
  if (findProgram('mosquitto') === undefined) return [];
  const found: Latency[] = [];
  for (const relay of plan.latencyOf) {
    if (relay === 'c' && !hasC) continue;
    for (const qos of [0, 1] as const) {
      progress(`latency ${relay} qos${qos}`);
      const frames = relay === 'gateway' ? plan.latencyFrames : plan.latencyFrames / 2;
      const one = await attempt('latency', () => measureLatency(relay, qos, frames));
      if (one !== undefined) found.push(one);
    }
  }
  return found;
}

async function memories(): Promise<Memory[]> {
  progress('memory');
  const outcome = await attempt('memory', () => measureMemory(plan.connections, plan.collections));
  if (outcome?.limit !== undefined) {
    notes.push(`At most ${outcome.limit} files may be open here (ulimit -n): fewer connections than wanted.`);
  }
  return outcome?.steps ?? [];
}

async function attempt<T>(name: string, action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (cause) {
    failed = true;
    notes.push(`${name} failed: ${cause instanceof Error ? cause.message : String(cause)}`);
    return undefined;
  }
}

function caseResult({ name, target }: Case, runs: readonly Throughput[]): CaseResult {
  if (runs.length === 0) return { name, target, outcome: undefined };
  const sum = (field: 'lost' | 'twice' | 'resent' | 'busy'): number =>
    runs.reduce((total, run) => total + run[field], 0);
  return {
    name,
    target,
    outcome: {
      framesPerS: spread(runs.map(({ framesPerS }) => framesPerS)),
      cpuUsPerFrame: spread(runs.map(({ cpuUsPerFrame }) => cpuUsPerFrame)),
      cpuLoad: spread(runs.map(({ cpuLoad }) => cpuLoad)),
      lost: sum('lost'),
      twice: sum('twice'),
      resent: sum('resent'),
      busy: sum('busy'),
    },
  };
}

/** CPU a frame of one case over that of another in the same round; the median over the rounds. */
function ratiosOf(runs: ReadonlyMap<string, readonly Throughput[]>): Ratio[] {
  const ratio = (over: string, under: string): number | undefined => {
    const below = runs.get(under) ?? [];
    const shares = (runs.get(over) ?? []).flatMap(({ cpuUsPerFrame }, round) => {
      const base = below[round]?.cpuUsPerFrame;
      return base === undefined ? [] : [cpuUsPerFrame / base];
    });
    return shares.length === 0 ? undefined : spread(shares).median;
  };
  const both = (name: string, over: string, under: string, target = ''): Ratio => ({
    name,
    qos0: ratio(`${over}-qos0-sink`, `${under}-qos0-sink`),
    qos1: ratio(`${over}-qos1-sink`, `${under}-qos1-sink`),
    target,
  });
  return [
    both('1,000 connections to 100', 'tcp-1000', 'tcp-100', '≤ 1.3'),
    both('UDP to TCP, 100 devices', 'udp-100', 'tcp-100'),
    both('gateway to plain MQTT.js', 'tcp-100', 'mqttjs-tcp-100'),
    both('gateway to plain Node', 'tcp-100', 'node-tcp-100'),
    both('gateway to C', 'tcp-100', 'c-tcp-100'),
  ];
}

function progress(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${text}\r` : `${text}\n`);
}
