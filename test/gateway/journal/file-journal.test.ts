import { describe, expect, it } from 'vitest';
import { APPEND_HEADROOM } from '../../../gateway/journal/journal.ts';
import { CrashFs, errno } from '../../helpers/crash-fs.ts';
import { appended, deviceOf, durable, ID, openWorld, read, reading, SMALL, type World } from './journal-world.ts';

const A = ID(0xa);

async function many({ journal, devices }: World, from: number, to: number, group = 10): Promise<void> {
  for (let seq = from; seq <= to; seq++) {
    journal.append(reading(deviceOf(devices, A), 1, seq));
    if (seq % group === 0 || seq === to) await durable(journal, seq);
  }
}

/** Everything between two lsns is there and what it should be. */
async function expectAll({ journal }: World, from: number, to: number): Promise<void> {
  for (let lsn = from; lsn <= to; lsn++) expect((await read(journal, lsn))?.seq).toBe(lsn);
}

const after = (fs: CrashFs): CrashFs => fs.crash(fs.ops.length, 'lost', Math.random);

describe('FileJournal', () => {
  it('announces records once they are synced, and has them after a restart, with what it knew of the devices', async () => {
    const fs = new CrashFs();
    const world = await openWorld(fs);
    const { journal, devices } = world;
    expect(journal.append(reading(deviceOf(devices, A), 7, 1))).toBe(1);
    expect([journal.durable, journal.get(1)]).toEqual([0, undefined]);
    const schema = { name: 'n', model: '', firmware: '', channels: [] };
    journal.noteDevice({ id: A, boot: 7, nextSeq: 2, schema, schemaCrc: 99 });
    await durable(journal, 1);
    expect(journal.get(1)).toMatchObject({ seq: 1 });
    const again = await openWorld(after(fs));
    expect(again.restored.get(A)).toEqual({ id: A, boot: 7, nextSeq: 2, schema, schemaCrc: 99 });
    expect(again.devices.get(A)?.newestLsn).toBe(1);
    expect([again.journal.id, again.journal.durable, again.journal.stats.depth]).toEqual([journal.id, 1, 1]);
    await expectAll(again, 1, 1);
    expect(await appended(again.journal, reading(deviceOf(again.devices, A), 7, 2))).toBe(2);
  });

  it('remembers what was accepted, also when it falls, and holds it until a confirmed watermark and its age let it go', async () => {
    const fs = new CrashFs();
    const world = await openWorld(fs, { holdMs: 1_000 });
    const { journal, clock } = world;
    await many(world, 1, 300);
    journal.setAccepted(250);
    expect([journal.oldest, journal.stats.held, journal.stats.depth]).toEqual([1, 250, 50]);
    clock.now += 2_000;
    await many(world, 301, 310);
    // Old enough, but the broker has confirmed nothing.
    expect(journal.oldest).toBe(1);
    journal.setAccepted(100);
    expect([journal.accepted, journal.stats.depth]).toEqual([100, 210]);
    await expectAll(world, 101, 310);
    journal.setAccepted(250);
    journal.setConfirmed(250);
    await many(world, 311, 312);
    // What was accepted anew has to grow old again.
    expect(journal.oldest).toBeGreaterThan(1);
    expect(journal.oldest).toBeLessThan(101);
    clock.now += 2_000;
    journal.setConfirmed(250);
    await many(world, 313, 313);
    expect(journal.oldest).toBeGreaterThan(150);
    expect(journal.oldest).toBeLessThanOrEqual(251);
    await journal.close();
    const again = await openWorld(after(fs));
    expect([again.journal.accepted, again.journal.durable]).toEqual([250, 313]);
    await expectAll(again, 251, 313);
  });

  it('evicts what is only held before it is full, and takes records again once the broker accepts some', async () => {
    const fs = new CrashFs();
    const world = await openWorld(fs, { maxBytes: 6 * SMALL.segmentBytes, holdMs: 1e9, maxPending: 20 });
    const { journal, devices } = world;
    await many(world, 1, 100);
    journal.setAccepted(100);
    let seq = 100;
    while (!journal.full) {
      journal.append(reading(deviceOf(devices, A), 1, ++seq));
      journal.commit();
      await new Promise(setImmediate);
    }
    expect(journal.oldest).toBeGreaterThan(1);
    expect(journal.stats).toMatchObject({ trouble: 'journal-full' });
    expect(journal.stats.bytesOnDisk).toBeLessThanOrEqual(6 * SMALL.segmentBytes);
    let taken = 0;
    while (journal.append(reading(deviceOf(devices, A), 1, seq + 1)) !== undefined) {
      seq++;
      taken++;
    }
    expect(taken).toBeGreaterThanOrEqual(APPEND_HEADROOM);
    expect(journal.stats.refused).toBe(1);
    const room = new Promise<void>((resolve) => (journal.onRoom = resolve));
    journal.setAccepted(journal.durable);
    await room;
    expect([journal.full, journal.stats.trouble, journal.durable]).toEqual([false, undefined, seq]);
    await expectAll(world, journal.accepted + 1, seq);
  });

  it.each(['sync', 'write'] as const)(
    'goes on in a new file, with the same numbers, after a failed %s',
    async (kind) => {
      const fs = new CrashFs();
      const world = await openWorld(fs);
      await many(world, 1, 25);
      let failing = 1;
      const failed: string[] = [];
      fs.fault = (one, name) => {
        if (one !== kind || failing === 0) return undefined;
        failing--;
        failed.push(name);
        return errno('EIO');
      };
      await many(world, 26, 60);
      const file = failed[0]!;
      const at = fs.ops.findIndex((one) => one.kind === 'sync' && !one.ok);
      expect(failed).toHaveLength(1);
      expect(world.events.map(({ problem }) => problem)).toContain('given-up');
      expect(world.journal.stats.trouble).toBeUndefined();
      await expectAll(world, 1, 60);
      // Never again that file: its pages may be lost and look written.
      if (kind === 'sync')
        expect(fs.ops.slice(at + 1).some((one) => one.kind === 'sync' && one.inode === inodeOf(fs, at))).toBe(false);
      expect(file).toMatch(/^journal-/);
      const again = await openWorld(after(fs));
      expect([again.journal.durable, again.journal.stats.damaged]).toEqual([60, 0]);
      await expectAll(again, 1, 60);
    },
  );

  it('acknowledges nothing while the disk is full or broken, says so, and recovers by itself', async () => {
    for (const code of ['ENOSPC', 'EIO']) {
      const fs = new CrashFs();
      const world = await openWorld(fs);
      const { journal, devices } = world;
      await many(world, 1, 20);
      fs.fault = (kind) => (kind === 'write' || kind === 'create' ? errno(code) : undefined);
      const lsn = journal.append(reading(deviceOf(devices, A), 1, 21))!;
      journal.commit();
      while (!journal.full) await new Promise(setImmediate);
      expect([journal.durable, journal.get(lsn)]).toEqual([20, undefined]);
      expect(journal.stats.trouble).toBe(code === 'ENOSPC' ? 'disk-full' : 'io-error');
      for (let seq = 22; seq < 30; seq++) expect(journal.append(reading(deviceOf(devices, A), 1, seq))).toBe(seq);
      const room = new Promise<void>((resolve) => (journal.onRoom = resolve));
      fs.fault = undefined;
      await room;
      await durable(journal, 29);
      expect(world.events.at(-1)?.problem).toBe('recovered');
      await expectAll(world, 1, 29);
      const again = await openWorld(after(fs));
      expect(again.journal.durable).toBe(29);
      await expectAll(again, 1, 29);
    }
  });

  it('leaves the floor of free space alone', async () => {
    const fs = new CrashFs();
    fs.free = 100_000;
    const world = await openWorld(fs, { minFreeBytes: 100_000 - SMALL.segmentBytes });
    await many(world, 1, 20);
    fs.free -= SMALL.segmentBytes;
    const { journal, devices } = world;
    for (let seq = 21; !journal.full; seq++) {
      journal.append(reading(deviceOf(devices, A), 1, seq));
      journal.commit();
      await new Promise(setImmediate);
    }
    expect(journal.stats.trouble).toBe('disk-full');
    fs.free += SMALL.segmentBytes;
    await new Promise<void>((resolve) => (journal.onRoom = resolve));
    expect(journal.durable).toBe(journal.stats.appended);
  });

  it('starts on a full disk: what was acknowledged is there, what is unproven waits', async () => {
    const fs = new CrashFs();
    await many(await openWorld(fs), 1, 20);
    const full = after(fs);
    full.fault = (kind) => (kind === 'write' || kind === 'create' ? errno('ENOSPC') : undefined);
    const world = await openWorld(full);
    expect([world.journal.full, world.journal.stats.trouble, world.restored.get(A)?.nextSeq]).toEqual([
      true,
      'disk-full',
      21,
    ]);
    const room = new Promise<void>((resolve) => (world.journal.onRoom = resolve));
    full.fault = undefined;
    await room;
    expect(world.journal.durable).toBe(20);
    await expectAll(world, 1, 20);
  });

  it('reads around damage in the newest segment, tells it, and puts the file aside in the end', async () => {
    const fs = new CrashFs();
    await many(await openWorld(fs, { segmentBytes: 16_384 }), 1, 100);
    const broken = after(fs);
    const [name] = broken.names();
    broken.content(name!).fill(0x55, 2_000, 2_100);
    const world = await openWorld(broken, { segmentBytes: 16_384 });
    expect(world.journal.stats.damaged).toBe(1);
    expect(world.events[0]).toMatchObject({ problem: 'damaged', file: name });
    const missing = await missingOf(world, 1, 100);
    expect(missing.length).toBeGreaterThan(0);
    expect(missing.length).toBeLessThan(6);
    expect(world.restored.get(A)?.nextSeq).toBe(101);
    world.journal.setAccepted(100);
    await many(world, 101, 400);
    world.journal.setAccepted(400);
    world.journal.setConfirmed(400);
    await many(world, 401, 402);
    expect(broken.names()).toContain(`quarantine/${name}`);
  });

  it.each([
    ['a header', 0, 20],
    ['a checkpoint', 40, 100],
    ['the middle', 2_000, 2_010],
    ['the end', 3_900, 4_096],
    ['everything', 0, 4_096],
  ])('reads around damage in an older segment: %s', async (_what, from, to) => {
    const fs = new CrashFs();
    await many(await openWorld(fs), 1, 200);
    const broken = after(fs);
    const name = broken.names().filter((one) => one.startsWith('journal'))[1]!;
    broken.content(name).fill(0x55, from, to);
    const world = await openWorld(broken);
    expect(world.journal.durable).toBe(200);
    const missing = await missingOf(world, 1, 200);
    if (from > 0 || to < 4_096) expect(missing.length).toBeLessThan(25);
    expect(missing.length).toBeLessThan(70);
    expect(world.journal.stats.damaged > 0 || missing.length === 0).toBe(true);
    expect(await appended(world.journal, reading(deviceOf(world.devices, A), 1, 201))).toBe(201);
  });

  it('starts with anything in its folder', async () => {
    for (let seed = 0; seed < 50; seed++) {
      const fs = new CrashFs();
      await many(await openWorld(fs), 1, 120);
      const broken = after(fs);
      for (const [i, name] of broken.names().entries()) {
        const content = broken.content(name);
        if ((seed >> (i % 6)) & 1)
          for (let at = seed; at < content.length; at += 7 + seed * 11) content[at]! ^= 1 << (seed % 8);
      }
      const world = await openWorld(broken);
      await missingOf(world, world.journal.oldest, world.journal.durable);
      const next = world.journal.durable + 1;
      expect(await appended(world.journal, reading(deviceOf(world.devices, A), 9, 1))).toBe(next);
    }
    const junk = new CrashFs(new Map([['journal-0000000001.log', new Uint8Array(5_000).fill(7)]]));
    const world = await openWorld(junk);
    expect(await appended(world.journal, reading(deviceOf(world.devices, A), 1, 1))).toBe(1);
    expect(junk.names()).toContain('quarantine/journal-0000000001.log');
  });

  it('reads a backlog of 200,000 records in order with few of them in memory', async () => {
    const fs = new CrashFs();
    const big = { segmentBytes: 1_048_576, maxBytes: 1e9, cacheRecords: 1_000, maxPending: 2_000 };
    const first = await openWorld(fs, big);
    await many(first, 1, 200_000, 1_000);
    expect(first.journal.recordsInMemory).toBeLessThanOrEqual(3_000);
    for (const world of [
      first,
      await openWorld(new CrashFs(new Map(fs.names().map((name) => [name, fs.content(name)]))), big),
    ]) {
      let most = 0;
      for (let lsn = 1; lsn <= 200_000; lsn++) {
        const found = await read(world.journal, lsn);
        if (found?.seq !== lsn) throw new Error(`record ${lsn} is ${found?.seq}`);
        // The second reader, of what is new, does not disturb the first.
        if (lsn % 50 === 0) expect(world.journal.get(200_000)).toBeDefined();
        if (lsn % 1_000 === 0) most = Math.max(most, world.journal.recordsInMemory);
      }
      expect(most).toBeLessThanOrEqual(1_000 + 4 * 512);
      // And from anywhere.
      for (const lsn of [150_000, 3, 77_777, 150_001]) expect((await read(world.journal, lsn))?.seq).toBe(lsn);
    }
  });

  it('syncs not more often than the interval says, except when much has come together', async () => {
    const fs = new CrashFs();
    const world = await openWorld(fs, {
      syncIntervalMs: 1e6,
      segmentBytes: 1_048_576,
      maxBytes: 1e7,
      maxPending: 10_000,
    });
    const { journal, devices, clock } = world;
    clock.now += 1e6;
    const { syncs } = journal.stats;
    await appended(journal, reading(deviceOf(devices, A), 1, 1));
    expect(journal.stats.syncs).toBe(syncs + 1);
    let seq = 1;
    while (journal.stats.syncs === syncs + 1) {
      journal.append(reading(deviceOf(devices, A), 1, ++seq));
      journal.commit();
      await new Promise(setImmediate);
    }
    expect(seq).toBeGreaterThan(65_536 / 100);
    await journal.close();
    expect(journal.durable).toBe(seq);
  });

  it('writes and does not sync with durability process', async () => {
    const fs = new CrashFs();
    const world = await openWorld(fs, { durability: 'process' });
    await many(world, 1, 5);
    const writes = fs.ops.findLastIndex(({ kind }) => kind === 'write');
    expect(fs.ops.slice(writes).some(({ kind }) => kind === 'sync')).toBe(false);
    // A kill loses nothing that was written.
    const killed = await openWorld(fs.crash(fs.ops.length, 'kept', Math.random), { durability: 'process' });
    await expectAll(killed, 1, 5);
  });

  it('bounds what it knows of devices, and restores the newest', async () => {
    const fs = new CrashFs();
    const world = await openWorld(fs, { maxDevices: 4 });
    for (let n = 1; n <= 10; n++) await appended(world.journal, reading(deviceOf(world.devices, ID(n)), 1, 1));
    const again = await openWorld(after(fs), { maxDevices: 4 });
    expect([...again.restored.keys()]).toEqual([7, 8, 9, 10].map(ID));
    // A device that was forgotten is met again in its record.
    expect((await read(again.journal, 2))?.device.id).toBe(ID(2));
  });
});

async function missingOf({ journal }: World, from: number, to: number): Promise<number[]> {
  const missing: number[] = [];
  for (let lsn = from; lsn <= to; lsn++) {
    const found = await read(journal, lsn);
    if (found === undefined) missing.push(lsn);
    else expect(found.samples[0]?.values[0]?.value).toBe(found.seq);
  }
  return missing;
}

function inodeOf(fs: CrashFs, op: number): unknown {
  const one = fs.ops[op]!;
  return one.kind === 'sync' ? one.inode : undefined;
}
