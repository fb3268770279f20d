/**
 * `npm run fuzz`: bytes that nobody would send, by the million, into everything that meets bytes from outside. See
 * docs/fuzz.md.
 *
 * ```
 *   npm run fuzz -- [--for S] [--inputs N] [--target NAME,…] [--seed K] [--input HEX] [--list] [--json]
 * ```
 */
import { randomInt } from 'node:crypto';
import { inspect, parseArgs } from 'node:util';
import { Coverage } from './coverage.ts';
import { checkOne, type Failure, Fuzzer, shrink } from './fuzzer.ts';
import type { Target } from './target.ts';

const coverage = new Coverage((url) => /\/dist\/(protocol|gateway|device-sim)\//.test(url));
await coverage.start();
// Not before: what is compiled without counters has none.
const { TARGETS } = await import('./targets.ts');

const USAGE = `npm run fuzz -- [OPTIONS]
  --for S          seconds for all targets together (60 by default)
  --inputs N       at most so many inputs for each target
  --target NAME,…  these targets alone (--list names them)
  --seed K         the same inputs again
  --input HEX      check this one input, with one --target
  --list           name the targets
  --json           one JSON object at the end, on stdout`;

/** The share of the time in which coverage guides, at a fraction of the speed. */
const EXPLORING = 0.25;
/** A target that keeps what it was fed grows by more than this in any run worth its name. */
const MAX_HEAP_GROWTH_BYTES = 8 * 1_048_576;

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function usage(problem: string): never {
  say(`${problem}\n\n${USAGE}`);
  process.exit(2);
}

function number(text: string | undefined, fallback: number, name: string): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!(value > 0)) usage(`--${name} takes a number above 0, not "${text}"`);
  return value;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      for: { type: 'string' },
      inputs: { type: 'string' },
      target: { type: 'string', multiple: true },
      seed: { type: 'string' },
      input: { type: 'string' },
      list: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(`${USAGE}\n`);
  if (values.list) {
    for (const { name, about } of TARGETS) process.stdout.write(`${name.padEnd(26)} ${about}\n`);
    return;
  }
  const names = values.target?.flatMap((list) => list.split(','));
  const unknown = names?.find((name) => !TARGETS.some((target) => target.name === name));
  if (unknown !== undefined) usage(`there is no target "${unknown}"; --list names them`);
  const targets = TARGETS.filter(({ name }) => names === undefined || names.includes(name));

  const [only] = targets;
  if (values.input !== undefined) {
    if (targets.length !== 1 || only === undefined) usage('--input needs one --target');
    if (!/^(?:[0-9a-f]{2})*$/i.test(values.input)) usage('--input takes hex digits, two a byte');
    checkInput(only, values.input);
    return;
  }

  const seconds = number(values.for, 60, 'for');
  const seed = number(values.seed, randomInt(1, 2 ** 31), 'seed');
  const inputs = number(values.inputs, Number.POSITIVE_INFINITY, 'inputs');
  // A rejection nobody handles is a failure of whatever target is running.
  let unhandled: unknown;
  process.on('unhandledRejection', (reason) => (unhandled ??= reason ?? 'rejected with nothing'));

  say(`seed ${seed}, ${targets.length} targets, ${seconds} s`);
  const fuzzers = targets.map((target) => new Fuzzer(target, seed));
  const each = seconds / targets.length;
  for (const fuzzer of fuzzers) await fuzzer.explore(coverage, { seconds: each * EXPLORING, inputs });
  await coverage.stop();

  say(`${'target'.padEnd(26)} ${'inputs'.padStart(10)} ${'a second'.padStart(9)}  corpus  blocks  heap`);
  let failed = 0;
  for (const fuzzer of fuzzers) {
    await fuzzer.flood({ seconds: each * (1 - EXPLORING), inputs });
    const problems = problemsOf(fuzzer, unhandled);
    unhandled = undefined;
    say(row(fuzzer, problems.length === 0));
    for (const problem of problems) say(`  ${problem}`);
    if (problems.length > 0) failed++;
  }
  const total = fuzzers.reduce((sum, fuzzer) => sum + fuzzer.inputs, 0);
  if (values.json) process.stdout.write(`${JSON.stringify({ seed, inputs: total, failed })}\n`);
  say(`${total} inputs`);
  process.stdout.write(`${fuzzers.length - failed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

function problemsOf({ target, failure, heapGrowthBytes = 0 }: Fuzzer, unhandled: unknown): string[] {
  const problems = failure === undefined ? [] : describe(target, failure);
  if (unhandled !== undefined) problems.push(`a promise was rejected and nobody looked: ${inspect(unhandled)}`);
  if (heapGrowthBytes > MAX_HEAP_GROWTH_BYTES) problems.push('the heap keeps growing');
  return problems;
}

function describe(target: Target, failure: Failure): string[] {
  const { input, error } = shrink(target, failure);
  const hex = Buffer.from(input).toString('hex');
  return [error.stack ?? error.message, `again: npm run fuzz -- --target ${target.name} --input '${hex}'`];
}

function row({ target, inputs, seconds, corpus, blocks, heapGrowthBytes }: Fuzzer, ok: boolean): string {
  const heap = heapGrowthBytes === undefined ? '' : `${(heapGrowthBytes / 1_048_576).toFixed(1)} MiB`;
  const figures = [String(inputs).padStart(10), String(Math.round(inputs / seconds)).padStart(9)];
  figures.push(String(corpus).padStart(7), String(blocks).padStart(7));
  return `${target.name.padEnd(26)} ${figures.join(' ')}  ${heap}${ok ? '' : '  FAILED'}`;
}

function checkInput(target: Target, hex: string): void {
  const error = checkOne(target, new Uint8Array(Buffer.from(hex, 'hex')));
  if (error !== undefined) say(error.stack ?? error.message);
  process.stdout.write(error === undefined ? '1 passed, 0 failed\n' : '0 passed, 1 failed\n');
  process.exitCode = error === undefined ? 0 : 1;
}

await main();
