/**
 * The wall clock jumps while the gateway works: a day ahead, a day back, to 1970, and right again. Nothing may be lost,
 * and the readings must keep their distances in time, apart from the jump itself.
 */
import type { FleetProcess } from '../fleet-process.ts';
import { Rig } from '../rig.ts';
import type { Context, Outcome, Scenario } from '../scenario.ts';
import { sleep } from '../wait.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MAX_TIME_ERROR_MS = 50;
const ACK_GAP_MS = 1_000;
/** A leap may be a mishap; one that has lasted for a minute is followed. */
const LASTING_MS = 65_000;

export const wallClock: Scenario = {
  name: 'wall-clock',
  fault: 'wall clock ±1 day, back to 1970',
  rounds: { full: 10, short: 1 },
  async run(context: Context): Promise<Outcome> {
    const rig = await Rig.open(context, { preload: true });
    await rig.gateway.start();
    const startedAt = Date.now();
    const fleet = rig.standardFleet();
    await rig.acksAgain(fleet);
    await sleep(1_000);
    const shifts = new Set([0]);
    const to1970 = HOUR_MS - startedAt;
    let gap = 0;
    for (let round = 0; round < context.rounds; round++) {
      const chance = context.random.fork('round').fork(round);
      for (const wallShiftMs of [DAY_MS, -DAY_MS, to1970, 0]) {
        shifts.add(wallShiftMs);
        fleet.acks.resetGap();
        rig.gateway.control({ wallShiftMs });
        const lasting = round === 0 && !context.short && wallShiftMs !== to1970;
        await sleep(lasting ? LASTING_MS : chance.between(1_000, 2_500));
        gap = Math.max(gap, fleet.acks.worstGapMs);
        // A board without a clock of its own starts in 1970, too.
        if (wallShiftMs !== to1970) continue;
        await rig.gateway.kill();
        rig.gateway.spawn({ wallShiftMs });
        await rig.acksAgain(fleet);
        await sleep(1_000);
      }
    }
    const totals = await fleet.finish();
    await rig.settle();
    const error = worstTimeError(rig, fleet, shifts, startedAt);
    const failures: string[] = [];
    if (gap > ACK_GAP_MS) failures.push(`no ACK for ${Math.round(gap)} ms`);
    if (error.ms > MAX_TIME_ERROR_MS) failures.push(`a time is wrong by ${Math.round(error.ms)} ms: ${error.payload}`);
    const figures = { worst_time_error_ms: Math.round(error.ms), jumps: context.rounds * 4 };
    return rig.outcome([totals], { rounds: context.rounds * 4, worstAckGapMs: gap, figures, failures });
  },
};

/**
 * Time of a reading, less the clock's jump at its reception, less the uptime at which it was planned: that is when the
 * device started, and must be the same for all of its readings.
 */
function worstTimeError(
  rig: Rig,
  fleet: FleetProcess,
  shifts: ReadonlySet<number>,
  startedAt: number,
): { ms: number; payload: string } {
  const starts = new Map<string, { start: number; payload: string }[]>();
  for (const { device, seq, payload } of rig.oracle.payloads()) {
    const uptimeMs = fleet.expected.uptimeMs(device, seq);
    if (uptimeMs === undefined) continue;
    const { ts } = JSON.parse(payload) as { ts: number };
    let start = Number.POSITIVE_INFINITY;
    for (const shift of shifts) {
      const candidate = ts - shift - uptimeMs;
      if (Math.abs(candidate - startedAt) < Math.abs(start - startedAt)) start = candidate;
    }
    const found = starts.get(device);
    if (found === undefined) starts.set(device, [{ start, payload }]);
    else found.push({ start, payload });
  }
  let worst = { ms: 0, payload: '' };
  for (const found of starts.values()) {
    const sorted = found.toSorted((a, b) => a.start - b.start);
    const median = sorted[sorted.length >> 1]?.start ?? 0;
    for (const { start, payload } of [sorted[0], sorted.at(-1)].filter((one) => one !== undefined)) {
      if (Math.abs(start - median) > worst.ms) worst = { ms: Math.abs(start - median), payload };
    }
  }
  return worst;
}
