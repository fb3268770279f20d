/**
 * `npm run abuse`: bytes that no good device sends, against the built gateway over real sockets. See docs/abuse.md.
 *
 * ```
 *   npm run abuse -- [--only FAMILY|NAME,…] [--list] [--json]
 * ```
 */
import { parseArgs } from 'node:util';
import { type AbuseCase, type Family, FAMILIES } from './case.ts';
import { GROUPS, worldOf } from './families.ts';
import { type Growth, growth, inspect, missing, shown, unexpected, type Watermark, watermark } from './judge.ts';
import { type Row, table } from './table.ts';
import { sleep, within } from './wait.ts';
import { World } from './world.ts';

const USAGE = `npm run abuse -- [OPTIONS]
  --only NAME,…    these families or cases alone
  --list           name the cases
  --json           one JSON object at the end, on stdout`;

/** Until the counters of a case are there. */
const COUNT_MS = 4_000;
/** A case that takes longer hangs. */
const CASE_MS = 20_000;

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    list: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(`${USAGE}\n`);
  process.exit(0);
}
const only = values.only?.flatMap((list) => list.split(','));
const chosen = GROUPS.map(({ family, cases }) => ({
  family,
  cases: cases.filter(({ name }) => only === undefined || only.includes(family) || only.includes(name)),
})).filter(({ cases }) => cases.length > 0);
if (values.list) {
  for (const { family, cases } of chosen)
    for (const { name } of cases) process.stdout.write(`${family.padEnd(10)} ${name}\n`);
  process.exit(0);
}
if (chosen.length === 0) {
  process.stderr.write(`no such case; there are the families ${FAMILIES.join(', ')}, and --list\n`);
  process.exit(2);
}

/** One case from the bytes to the next good frame. */
async function play(world: World, family: Family, abuse: AbuseCase, mark: Watermark): Promise<Row> {
  let bytes = 0;
  let goodMs: number | undefined;
  let grown: Growth = new Map();
  const problems: string[] = [];
  const attempt = async (step: () => Promise<void> | void): Promise<void> => {
    try {
      await step();
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  };
  await attempt(async () => {
    const before = await world.observer.health();
    bytes = await within(abuse.run(world), CASE_MS, 'the case');
    const end = performance.now() + COUNT_MS;
    do {
      if (world.gateway.ended !== undefined) throw new Error(world.gateway.ended);
      grown = growth(before, await world.observer.health());
      if (missing(abuse.counted, grown).length === 0) break;
      await sleep(20);
    } while (performance.now() < end);
    for (const path of missing(abuse.counted, grown)) problems.push(`not counted: ${path}`);
    for (const path of unexpected(abuse.counted, abuse.also ?? [], grown)) problems.push(`counted wrongly: ${path}`);
  });
  await attempt(() => world.cleanUp());
  await attempt(async () => {
    goodMs = await world.nextGood();
  });
  await attempt(() => inspect(world, mark));
  const { mustFail } = abuse;
  if (mustFail !== undefined) {
    const isSeen = problems.some((problem) => mustFail.test(problem));
    problems.length = 0;
    if (!isSeen) problems.push(`this case must fail with ${String(mustFail)}`);
  }
  return {
    family,
    name: abuse.name,
    bytes,
    expected: abuse.counted,
    counted: shown(abuse.counted, grown),
    goodMs,
    problems,
  };
}

/** All chosen cases of a family, in a world of its own. */
async function playFamily(family: Family, cases: readonly AbuseCase[]): Promise<Row[]> {
  const rows: Row[] = [];
  let grownBytes = 0;
  let world: World | undefined;
  try {
    world = await World.open(worldOf(family));
    let mark = watermark(world);
    for (const abuse of cases) {
      if (abuse.needs !== undefined && world.lacks.includes(abuse.needs)) {
        if (process.env['CI'] === 'true') throw new Error(`missing with CI=true: ${abuse.needs}`);
        process.stderr.write(`${family}/${abuse.name}: skipped, because this machine has no ${abuse.needs}\n`);
        continue;
      }
      const row = await play(world, family, abuse, mark);
      rows.push(row);
      grownBytes = Math.max(grownBytes, mark.grownBytes);
      process.stderr.write(`${family}/${row.name}: ${row.problems.length === 0 ? 'ok' : 'FAILED'}\n`);
      for (const problem of row.problems) process.stderr.write(`  ${problem}\n`);
      if (world.gateway.ended === undefined) continue;
      // A new one for the cases that are left.
      await world.close();
      world = await World.open(worldOf(family));
      mark = watermark(world);
    }
  } catch (error) {
    const problems = [error instanceof Error ? error.message : String(error)];
    process.stderr.write(`${family}: ${problems.join('')}\n`);
    rows.push({ family, name: '(the set-up)', bytes: 0, expected: {}, counted: '', goodMs: undefined, problems });
  } finally {
    await world?.close();
  }
  process.stderr.write(`${family}: memory grew by ${Math.round(grownBytes / 1_048_576)} MiB at most\n`);
  return rows;
}

/** Families at a time: they wait more than they compute. */
const AT_ONCE = 3;

process.setMaxListeners(64);
const startedAt = performance.now();
const queue = [...chosen.entries()];
const results: Row[][] = [];
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [place, { family, cases }] = next;
      results[place] = await playFamily(family, cases);
    }
  }),
);
const rows = results.flat();

const failed = rows.filter(({ problems }) => problems.length > 0);
const seconds = Math.round((performance.now() - startedAt) / 1_000);
const summary = `${rows.length - failed.length} passed, ${failed.length} failed`;
if (values.json) process.stdout.write(`${JSON.stringify({ seconds, rows })}\n`);
else process.stdout.write(`\n${table(rows)}\n\n${seconds} s\n${summary}\n`);
if (values.json) process.stderr.write(`${summary}\n`);
process.exit(failed.length === 0 ? 0 : 1);
