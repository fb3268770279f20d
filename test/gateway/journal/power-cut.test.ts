import { describe, expect, it } from 'vitest';
import { CrashFs, type Cut, seeded } from '../../helpers/crash-fs.ts';
import { appended, deviceOf, durable, ID, openWorld, read, reading, type World } from './journal-world.ts';

/** What the run has done, in order; a RECORD is at index `lsn − 1` of `records`. */
interface Run {
  readonly fs: CrashFs;
  readonly records: { readonly id: string; readonly boot: number; readonly seq: number }[];
  /** Per device, the states that it had, by the lsn that was its newest then. */
  readonly states: { readonly lsn: number; readonly id: string; readonly boot: number; readonly nextSeq: number }[];
}

interface Note {
  readonly durable: number;
  readonly accepted: number;
}

const DEVICES = [ID(0xa1), ID(0xb2), ID(0xc3)];

/** Appends in groups of different sizes, lets the broker accept some and sometimes take that back, restarts once. */
async function run(count: number, seed: number): Promise<Run> {
  const random = seeded(seed);
  const fs = new CrashFs();
  const made: Run = { fs, records: [], states: [] };
  const boots = new Map(DEVICES.map((id) => [id, 1]));
  const seqs = new Map(DEVICES.map((id) => [id, 0]));
  let world = await openWorld(fs);
  let accepted = 0;
  const watch = ({ journal }: World): void => {
    journal.onDurable = () => fs.note({ durable: journal.durable, accepted } satisfies Note);
  };
  watch(world);
  for (let restarted = false; made.records.length < count; ) {
    const { journal, devices } = world;
    for (let left = 1 + Math.floor(random() ** 2 * 20); left > 0; left--) {
      const id = DEVICES[Math.floor(random() * DEVICES.length)]!;
      if (random() < 0.02) {
        boots.set(id, boots.get(id)! + 1);
        seqs.set(id, 0);
        const state = { id, boot: boots.get(id)!, nextSeq: 1 };
        journal.noteDevice({ ...state, schema: undefined, schemaCrc: 0 });
        made.states.push({ ...state, lsn: made.records.length });
      }
      const boot = boots.get(id)!;
      const seq = seqs.get(id)! + 1 + Math.floor(random() * 2);
      seqs.set(id, seq);
      const lsn = journal.append(reading(deviceOf(devices, id), boot, seq));
      made.records.push({ id, boot, seq });
      expect(lsn).toBe(made.records.length);
      made.states.push({ id, boot, nextSeq: seq + 1, lsn: lsn! });
    }
    journal.commit();
    if (random() < 0.5) await durable(journal, made.records.length);
    if (random() < 0.6) {
      const back = random() < 0.05 ? 30 : 0;
      journal.setAccepted(journal.durable - Math.floor(random() * 60) - back);
      accepted = Math.max(accepted, journal.accepted);
      fs.note({ durable: journal.durable, accepted } satisfies Note);
      if (random() < 0.5) journal.setConfirmed(journal.accepted);
    }
    if (!restarted && made.records.length > count / 2) {
      restarted = true;
      await durable(journal, made.records.length);
      await journal.close();
      world = await openWorld(fs);
      watch(world);
    }
  }
  await durable(world.journal, made.records.length);
  await world.journal.close();
  return made;
}

/** What must hold of a journal that was found after a power cut. */
async function check(world: World, { records, states }: Run, note: Note, where: string): Promise<number> {
  const { journal, restored, events } = world;
  const newest = journal.durable;
  const fail = (what: string): never => {
    throw new Error(`${what} (${where}, durable ${newest}, announced ${note.durable}, accepted ${journal.accepted})`);
  };
  if (newest < note.durable) fail('acknowledged records are missing');
  if (journal.accepted > Math.max(note.accepted, journal.oldest - 1)) fail('more is accepted than was');
  if (journal.stats.damaged > 0) fail(`a power cut was taken for damage: ${JSON.stringify(events)}`);
  for (let lsn = Math.min(note.accepted, newest) + 1; lsn <= newest; lsn++) {
    const found = await read(journal, lsn);
    const wanted = records[lsn - 1]!;
    if (found === undefined) return fail(`record ${lsn} is missing`);
    const { device, boot, seq, samples } = found;
    if (device.id !== wanted.id || boot !== wanted.boot || seq !== wanted.seq) fail(`record ${lsn} is another one`);
    if (samples[0]!.values[0]!.value !== seq) fail(`record ${lsn} has another value`);
  }
  for (const id of DEVICES) {
    const before = states.findLast((one) => one.id === id && one.lsn <= newest && !isNoteAt(one, newest));
    const atEnd = states.findLast((one) => one.id === id && one.lsn <= newest);
    const found = restored.get(id);
    const same = [before, atEnd].some((one) => one?.boot === found?.boot && one?.nextSeq === found?.nextSeq);
    if (!same)
      fail(`device ${id} is at ${found?.boot}/${found?.nextSeq}, where ${atEnd?.boot}/${atEnd?.nextSeq} is right`);
  }
  return newest;

  /** A note behind the last durable record may or may not be durable. */
  function isNoteAt(state: Run['states'][number], lsn: number): boolean {
    return state.lsn === lsn && state.nextSeq === 1;
  }
}

/** More runs than usual: POWER_CUT_RUNS=100 npx vitest run test/gateway/journal/power-cut.test.ts */
const RUNS = Number(process.env['POWER_CUT_RUNS'] ?? 4);
const CUTS = ['torn', 'lost', 'torn', 'kept'] as const;

describe('after a power cut', () => {
  it.each<[Cut, number]>(Array.from({ length: RUNS }, (_, i) => [CUTS[i % CUTS.length]!, i + 1]))(
    'at any operation, with what was not synced %s, nothing acknowledged is missing (seed %i)',
    async (cut, seed) => {
      const made = await run(2_000, seed);
      const random = seeded(seed + 100);
      let note: Note = { durable: 0, accepted: 0 };
      let cuts = 0;
      for (const [op, one] of made.fs.ops.entries()) {
        if (one.kind === 'note') {
          note = one.note as Note;
          continue;
        }
        cuts++;
        const fs = made.fs.crash(op, cut, random);
        const world = await openWorld(fs);
        const newest = await check(world, made, note, `seed ${seed}, operation ${op}`);
        if (op % 7 !== 0) {
          await world.journal.close();
          continue;
        }
        // It goes on with the next number; and a second power cut, at any moment of the start, costs nothing either.
        const again = fs.crash(Math.floor(random() * (fs.ops.length + 1)), cut, random);
        const second = await openWorld(again);
        await check(second, made, note, `seed ${seed}, operation ${op}, and once more`);
        const device = deviceOf(world.devices, DEVICES[0]!);
        expect(await appended(world.journal, reading(device, 99, 1))).toBe(newest + 1);
        expect((await read(world.journal, newest + 1))?.boot).toBe(99);
      }
      expect(cuts).toBeGreaterThan(500);
      // What has to be in the run for it to prove anything.
      const kinds = new Set(made.fs.ops.map(({ kind }) => kind));
      expect([...kinds]).toEqual(expect.arrayContaining(['rename', 'truncate', 'sync-directory', 'create', 'write']));
    },
    120_000,
  );
});
