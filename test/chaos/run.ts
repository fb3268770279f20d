/**
 * `npm run chaos`: the proof that acknowledged means safe, one row after the other. See docs/chaos.md.
 *
 * ```
 *   npm run chaos -- [--short] [--only NAME,…] [--seed K] [--rounds N] [--durability D] [--json] [--keep] [--list]
 * ```
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { randomInt } from 'node:crypto';
import { Random } from '../../device-sim/random.ts';
import type { Context, Durability, Outcome, Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';
import { type Row, table } from './table.ts';

const USAGE = `npm run chaos -- [OPTIONS]
  --short          the form for CI: fewer rounds, at most 6 minutes
  --only NAME,…    these rows alone (--list names them)
  --seed K         the same faults again, as far as time lets them be the same
  --rounds N       so many rounds instead
  --durability D   power (default), process or memory
  --json           one JSON object at the end, on stdout
  --keep           keep the folders with logs and journals
  --list           name the rows`;

/** A row that takes longer hangs. */
const SHORT_LIMIT_S = 180;
const FULL_LIMIT_S = 3_600;

interface Options {
  readonly short: boolean;
  readonly json: boolean;
  readonly keep: boolean;
  readonly seed: number;
  readonly rounds: number | undefined;
  readonly durability: Durability;
  readonly scenarios: readonly Scenario[];
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function usage(problem: string): never {
  say(`${problem}\n\n${USAGE}`);
  process.exit(2);
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
      seed: { type: 'string' },
      rounds: { type: 'string' },
      durability: { type: 'string', default: 'power' },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    process.exit(0);
  }
  if (values.list) {
    for (const { name, fault } of SCENARIOS) process.stdout.write(`${name.padEnd(16)} ${fault}\n`);
    process.exit(0);
  }
  const { short, json, keep, durability } = values;
  if (durability !== 'power' && durability !== 'process' && durability !== 'memory') {
    usage(`--durability ${durability}: there are power, process and memory`);
  }
  const names = values.only?.flatMap((list) => list.split(','));
  const unknown = names?.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown !== undefined) usage(`--only ${unknown}: there are ${SCENARIOS.map(({ name }) => name).join(', ')}`);
  const scenarios = SCENARIOS.filter(({ name }) => names === undefined || names.includes(name));
  const seed = values.seed === undefined ? randomInt(2 ** 32) : wholeNumber('--seed', values.seed, 0);
  const rounds = values.rounds === undefined ? undefined : wholeNumber('--rounds', values.rounds, 1);
  return { short, json, keep, durability, seed, rounds, scenarios };
}

function wholeNumber(name: string, text: string, min: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : -1;
  if (value < min) usage(`${name} ${text}: expected a whole number from ${min} on`);
  return value;
}

/** What repeats this row. */
function commandFor({ name }: Scenario, { short, seed, rounds, durability }: Options): string {
  const more = [
    ...(short ? ['--short'] : []),
    ...(rounds === undefined ? [] : [`--rounds ${rounds}`]),
    ...(durability === 'power' ? [] : [`--durability ${durability}`]),
  ];
  return `npm run chaos -- --only ${name} --seed ${seed} ${more.join(' ')}`.trimEnd();
}

/** One row, from an empty folder until everything that it started is gone. */
async function play(scenario: Scenario, options: Options, folder: string): Promise<Outcome> {
  const undo: (() => Promise<void> | void)[] = [];
  const rounds = options.rounds ?? (options.short ? scenario.rounds.short : scenario.rounds.full);
  const context: Context = {
    random: new Random(options.seed).fork(scenario.name),
    seed: options.seed,
    rounds,
    short: options.short,
    durability: options.durability,
    folder,
    log: (text) => say(`  ${text}`),
    atEnd: (step) => void undo.push(step),
  };
  mkdirSync(folder, { recursive: true });
  let outcome: Outcome;
  try {
    outcome = await inTime(scenario.run(context), options.short ? SHORT_LIMIT_S : FULL_LIMIT_S);
  } catch (error) {
    outcome = broken(error, rounds);
  }
  for (const step of undo.toReversed()) {
    try {
      await step();
    } catch (error) {
      say(`  while cleaning up: ${String(error)}`);
    }
  }
  return outcome;
}

async function inTime<T>(work: Promise<T>, limitS: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not over after ${limitS} s`)), limitS * 1_000);
  });
  // What it still does after that meets what is being taken down.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function broken(error: unknown, rounds: number): Outcome {
  const failures = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  const none = { readings: 0, acknowledged: 0, missing: 0, duplicates: 0, foreign: 0, worstAckGapMs: undefined };
  return { rounds, ...none, figures: {}, failures };
}

const options = readOptions();
const folder = mkdtempSync(join(tmpdir(), 'bytes2mqtt-chaos-'));
let kept = options.keep;
process.on('exit', () => {
  if (!kept) rmSync(folder, { recursive: true, force: true });
});
// The handlers of `exit` end what runs.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

say(`chaos, ${options.short ? 'short' : 'full'} form, seed ${options.seed}, durability ${options.durability}`);
const rows: Row[] = [];
for (const scenario of options.scenarios) {
  say(`\n${scenario.name}: ${scenario.fault}`);
  const startedAt = performance.now();
  const rowFolder = join(folder, scenario.name);
  const outcome = await play(scenario, options, rowFolder);
  const seconds = (performance.now() - startedAt) / 1_000;
  rows.push({ scenario, outcome, seconds });
  if (outcome.failures.length === 0) {
    say(`  passed in ${Math.round(seconds)} s`);
    if (!options.keep) rmSync(rowFolder, { recursive: true, force: true });
    continue;
  }
  kept = true;
  for (const failure of outcome.failures.slice(0, 10)) say(`  FAILED: ${failure}`);
  say(
    `  seed ${options.seed}; again: ${commandFor(scenario, options)}\n  logs, journal and acknowledgements: ${rowFolder}`,
  );
}

const failed = rows.filter(({ outcome }) => outcome.failures.length > 0);
if (options.json) {
  const plain = rows.map(({ scenario: { name, fault }, outcome, seconds }) => ({
    name,
    fault,
    ...outcome,
    seconds: Math.round(seconds),
    pass: outcome.failures.length === 0,
  }));
  process.stdout.write(`${JSON.stringify({ seed: options.seed, short: options.short, rows: plain })}\n`);
} else {
  process.stdout.write(`\n${table(rows)}\n`);
}
say(`\n${rows.length - failed.length} rows passed, ${failed.length} failed; seed ${options.seed}`);
if (kept) say(`kept: ${folder}`);
process.exit(failed.length === 0 ? 0 : 1);
