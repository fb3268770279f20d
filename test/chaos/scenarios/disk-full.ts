/**
 * The disk is full for a while. As root with a small tmpfs of its own, which a ballast file fills to the last byte; else
 * the gateway's writes are made to fail with ENOSPC.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Rig } from '../rig.ts';
import type { Context, Outcome, Scenario } from '../scenario.ts';
import { must, sleep, until } from '../wait.ts';

const DISK_BYTES = 160 * 1024 * 1024;
const RESUMES_WITHIN_MS = 5_000;

export const diskFull: Scenario = {
  name: 'disk-full',
  fault: 'ENOSPC for a while',
  rounds: { full: 5, short: 1 },
  async run(context: Context): Promise<Outcome> {
    const mounted = mountSmallDisk(context);
    const journalFolder = mounted === undefined ? {} : { journalFolder: join(mounted, 'journal') };
    const rig = await Rig.open(context, { preload: true, ...journalFolder });
    await rig.gateway.start();
    const fleet = rig.standardFleet();
    await rig.acksAgain(fleet);
    const ballast = mounted === undefined ? undefined : join(mounted, 'ballast');
    const failures: string[] = [];
    let worst = 0;
    let silent = 0;
    for (let round = 0; round < context.rounds; round++) {
      const chance = context.random.fork('round').fork(round);
      await sleep(chance.between(500, 2_000));
      // Half of the time the broker is away as well, so that nothing can be let go.
      const alone = chance.chance(0.5);
      if (alone) rig.broker.stall();
      if (ballast === undefined) rig.gateway.control({ write: 'ENOSPC' });
      else fill(ballast);
      // A preallocated segment may still take some; then ACKs must stop, or something is acknowledged that is nowhere.
      fleet.acks.resetGap();
      if (await until(() => fleet.acks.worstGapMs > 700, context.short ? 6_000 : 15_000)) silent++;
      await sleep(chance.between(1_000, 3_000));
      if (ballast === undefined) rig.gateway.control({ write: '' });
      else rmSync(ballast);
      if (alone) rig.broker.resume();
      const endedAt = performance.now();
      const before = fleet.acks.count;
      await must(`ACKs flow again\n${rig.gateway.lastLog()}`, () => fleet.acks.count > before, 30_000, 5);
      const gap = performance.now() - endedAt;
      worst = Math.max(worst, gap);
      if (gap > RESUMES_WITHIN_MS) failures.push(`round ${round + 1}: ${Math.round(gap)} ms until the first ACK`);
    }
    const totals = await fleet.finish();
    await rig.settle();
    const figures = { disk: mounted === undefined ? 'injected' : 'tmpfs', rounds_in_which_acks_stopped: silent };
    return rig.outcome([totals], { rounds: context.rounds, worstAckGapMs: worst, figures, failures });
  },
};

/** The folder of a small disk of our own, or undefined where that is not allowed. */
function mountSmallDisk(context: Context): string | undefined {
  const path = join(context.folder, 'disk');
  mkdirSync(path, { recursive: true });
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', path]);
  if (status !== 0) return undefined;
  context.atEnd(async () => {
    // The journal may be just closing its files.
    for (let tries = 0; tries < 20; tries++) {
      if (spawnSync('umount', [path]).status === 0) return;
      await sleep(100);
    }
    throw new Error(`cannot unmount ${path}`);
  });
  return path;
}

/** Takes what is free, to the last byte. */
function fill(path: string): void {
  const { bavail, bsize } = statfsSync(join(path, '..'));
  try {
    writeFileSync(path, Buffer.alloc(bavail * bsize));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}
