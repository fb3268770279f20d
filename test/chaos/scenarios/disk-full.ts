/**
 * The disk is full for a while. First a disk of its own, small, which a ballast file fills to the last byte while the
 * broker is stuck, so that nothing can be let go: what is preallocated is used up, then ACKs must stop. Then, with the
 * broker there, every write fails at once. Where a disk cannot be mounted the second kind is all there is.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FleetProcess } from '../fleet-process.ts';
import { Rig } from '../rig.ts';
import type { Context, Outcome, Scenario } from '../scenario.ts';
import { must, sleep, until } from '../wait.ts';

const DISK_BYTES = 160 * 1024 * 1024;
const RESUMES_WITHIN_MS = 5_000;
/** Enough to use up a preallocated segment of 8 MiB in some twenty seconds; with the spare ones there are up to four. */
const DEVICES = 100;
const RATE_PER_S = 40;
const USED_UP_WITHIN_MS = 180_000;
/** No ACK for so long: they have stopped. */
const STOPPED_MS = 1_000;

export const diskFull: Scenario = {
  name: 'disk-full',
  fault: 'ENOSPC for a while',
  rounds: { full: 10, short: 2 },
  async run(context: Context): Promise<Outcome> {
    const disk = mountSmallDisk(context);
    const rig = await Rig.open(context, {
      preload: true,
      ...(disk !== undefined && { journalFolder: join(disk, 'journal') }),
      // What is only held would give way first, for minutes; here the disk is to be full soon.
      journal: { hold_s: 1 },
    });
    await rig.gateway.start();
    const fleet = rig.fleet({ name: 'fleet', devices: DEVICES, ratePerS: RATE_PER_S });
    await rig.acksAgain(fleet);
    const failures: string[] = [];
    let worst = 0;
    for (let round = 0; round < context.rounds; round++) {
      const chance = context.random.fork('round').fork(round);
      await sleep(chance.between(500, 1_500));
      const full = round % 2 === 0 && disk !== undefined ? fillDisk(rig, disk) : failWrites(rig);
      if (!(await stopped(fleet))) failures.push(`round ${round + 1}: the disk was full and ACKs went on`);
      await sleep(chance.between(0, 3_000));
      full.over();
      const endedAt = performance.now();
      const before = fleet.acks.count;
      await must(`ACKs flow again\n${rig.gateway.lastLog()}`, () => fleet.acks.count > before, 30_000, 5);
      const gap = performance.now() - endedAt;
      context.log(`round ${round + 1}: ACKs again after ${Math.round(gap)} ms`);
      worst = Math.max(worst, gap);
      if (gap > RESUMES_WITHIN_MS) failures.push(`round ${round + 1}: ${Math.round(gap)} ms until the first ACK`);
      await must('the backlog drains', () => rig.oracle.outstanding < 2_000, 120_000, 50);
    }
    const totals = await fleet.finish();
    await rig.settle();
    const figures = {
      disk: disk === undefined ? 'injected' : 'tmpfs and injected',
      writes_failed: rig.gateway.struck.write,
    };
    return rig.outcome([totals], { rounds: context.rounds, worstAckGapMs: worst, figures, failures });
  },
};

/** The disk is full and the broker stuck, until `over`. */
function fillDisk(rig: Rig, disk: string): { over(): void } {
  const ballast = join(disk, 'ballast');
  rig.broker.stall();
  fill(ballast);
  return {
    over: () => {
      rmSync(ballast);
      rig.broker.resume();
    },
  };
}

function failWrites(rig: Rig): { over(): void } {
  rig.gateway.control({ write: 'ENOSPC' });
  return { over: () => rig.gateway.control({ write: '' }) };
}

async function stopped(fleet: FleetProcess): Promise<boolean> {
  fleet.acks.resetGap();
  return await until(() => fleet.acks.worstGapMs > STOPPED_MS, USED_UP_WITHIN_MS, 50);
}

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
