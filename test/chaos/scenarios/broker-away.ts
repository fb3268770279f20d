/**
 * The broker is away while half a million readings arrive; then it comes back, and the backlog has to drain beside
 * live traffic, without the gateway's memory ever growing with the backlog.
 */
import { Rig } from '../rig.ts';
import type { Context, Outcome, Scenario } from '../scenario.ts';
import { must, sleep } from '../wait.ts';

const DEVICES = 100;
const RATE_PER_S = 50;
/** What the gateway may grow by. Half a million readings as objects in memory would be several times as much. */
const MAX_GROWTH_BYTES = 160 * 1024 * 1024;
const MIN_DRAIN_PER_S = 2_000;
/** Live readings must keep coming while the backlog drains: the longest time without one. */
const MAX_LIVE_GAP_MS = 3_000;

export const brokerAway: Scenario = {
  name: 'broker-away',
  fault: 'broker away while 500,000 readings arrive (short form: 50,000)',
  rounds: { full: 1, short: 1 },
  async run(context: Context): Promise<Outcome> {
    const rig = await Rig.open(context);
    await rig.gateway.start();
    const live = rig.fleet({ name: 'live', devices: 10, ratePerS: 10 });
    await rig.acksAgain(live);
    await sleep(3_000);
    const liveDevices = new Set(live.expected.devices);
    const rssBefore = rig.gateway.rssBytes;
    let rssWorst = rssBefore;
    const watch = setInterval(() => {
      rssWorst = Math.max(rssWorst, rig.gateway.rssBytes);
    }, 200);
    context.atEnd(() => clearInterval(watch));

    await rig.broker.kill('SIGTERM');
    const count = (context.short ? 50_000 : 500_000) / DEVICES;
    live.acks.resetGap();
    const startedAt = performance.now();
    const bulk = rig.fleet({ name: 'bulk', devices: DEVICES, ratePerS: RATE_PER_S, count, drainS: 300 });
    const bulkTotals = await bulk.ended();
    const arrivedPerS = bulkTotals.acknowledged / ((performance.now() - startedAt) / 1_000);
    const worstAckGapMs = live.acks.worstGapMs;
    const backlog = rig.oracle.outstanding;
    context.log(`${backlog} readings wait, memory ${megabytes(rssWorst)} MB after ${megabytes(rssBefore)} MB`);

    const gap = new LiveGap();
    let liveWhileDraining = 0;
    rig.onFirst = (topic) => {
      if (!liveDevices.has(topic.split('/')[1] ?? '') || topic.endsWith('/history')) return;
      liveWhileDraining++;
      gap.received();
    };
    await rig.broker.start();
    const outstandingAtStart = rig.oracle.outstanding;
    // Until the client is back and the first of the backlog comes: that is not what is measured.
    await must('the backlog begins to drain', () => rig.oracle.outstanding < outstandingAtStart - 500, 60_000, 5);
    const left = rig.oracle.outstanding;
    const drainFrom = performance.now();
    // Live readings are always under way: a handful is as good as none.
    await must('the backlog drains', () => rig.oracle.outstanding < 100, 600_000, 10);
    const drainPerS = (left - rig.oracle.outstanding) / ((performance.now() - drainFrom) / 1_000);
    const liveDuring = liveWhileDraining;
    const worstLiveGap = gap.worstMs;
    const totals = await live.finish();
    await rig.settle();

    const growth = rssWorst - rssBefore;
    const failures: string[] = [];
    if (growth > MAX_GROWTH_BYTES) failures.push(`the gateway grew by ${megabytes(growth)} MB`);
    if (drainPerS < MIN_DRAIN_PER_S) failures.push(`it drained at ${Math.round(drainPerS)}/s only`);
    if (worstLiveGap > MAX_LIVE_GAP_MS) failures.push(`no live reading for ${Math.round(worstLiveGap)} ms`);
    const figures = {
      backlog,
      arrived_per_s: Math.round(arrivedPerS),
      drained_per_s: Math.round(drainPerS),
      live_while_draining: liveDuring,
      worst_live_gap_ms: Math.round(worstLiveGap),
      memory_growth_mb: megabytes(growth),
    };
    return rig.outcome([bulkTotals, totals], { rounds: context.rounds, worstAckGapMs, figures, failures });
  },
};

/** The longest time between two live readings, from the first one on. */
class LiveGap {
  #lastAt: number | undefined;
  #worstMs = 0;

  received(): void {
    const now = performance.now();
    if (this.#lastAt !== undefined) this.#worstMs = Math.max(this.#worstMs, now - this.#lastAt);
    this.#lastAt = now;
  }

  /** The present silence counts; never heard at all is the worst. */
  get worstMs(): number {
    if (this.#lastAt === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(this.#worstMs, performance.now() - this.#lastAt);
  }
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1_048_576);
}
