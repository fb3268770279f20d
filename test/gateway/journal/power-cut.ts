/**
 * Power cuts over the crash file system: a run of the journal is recorded, cut at every one of its operations, and
 * opened again each time. For the test, and for the row of the chaos table.
 */
import { CrashFs, type Cut, seeded } from '../../helpers/crash-fs.ts';
import { appended, deviceOf, durable, ID, openWorld, read, reading, type World } from './journal-world.ts';

/** What the run has done, in order; a RECORD is at index `lsn − 1` of `records`. */
export interface Run {
  readonly fs: CrashFs;
  readonly records: { readonly id: string; readonly boot: number; readonly seq: number }[];
  /** Per device, the states that it had, by the lsn that was its newest then. */
  readonly states: { readonly lsn: number; readonly id: string; readonly boot: number; readonly nextSeq: number }[];
}

export interface Note {
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
      if (lsn !== made.records.length) throw new Error(`lsn ${lsn} where ${made.records.length} is next`);
      made.states.push({ id, boot, nextSeq: seq + 1, lsn });
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

/** What `cutEverywhere` has tried. */
export interface CutCounts {
  /** Operations at which the power was cut. */
  cuts: number;
  /** Journals opened after a cut; each must open. */
  starts: number;
  /** The kinds of operations that the run was made of. */
  readonly kinds: ReadonlySet<string>;
}

/** Throws with the place when anything acknowledged is missing after any of the cuts. */
export async function cutEverywhere(count: number, seed: number, cut: Cut): Promise<CutCounts> {
  const made = await run(count, seed);
  const random = seeded(seed + 100);
  const counts = { cuts: 0, starts: 0, kinds: new Set<string>(made.fs.ops.map(({ kind }) => kind)) };
  let note: Note = { durable: 0, accepted: 0 };
  for (const [op, one] of made.fs.ops.entries()) {
    if (one.kind === 'note') {
      note = one.note as Note;
      continue;
    }
    counts.cuts++;
    counts.starts++;
    const fs = made.fs.crash(op, cut, random);
    const world = await openWorld(fs);
    const newest = await check(world, made, note, `seed ${seed}, operation ${op}`);
    if (op % 7 !== 0) {
      await world.journal.close();
      continue;
    }
    // It goes on with the next number; and a second power cut, at any moment of the start, costs nothing either.
    const again = fs.crash(Math.floor(random() * (fs.ops.length + 1)), cut, random);
    counts.starts++;
    const second = await openWorld(again);
    await check(second, made, note, `seed ${seed}, operation ${op}, and once more`);
    const device = deviceOf(world.devices, DEVICES[0]!);
    const lsn = await appended(world.journal, reading(device, 99, 1));
    if (lsn !== newest + 1) throw new Error(`lsn ${lsn} where ${newest + 1} is next (seed ${seed}, operation ${op})`);
    const boot = (await read(world.journal, lsn))?.boot;
    if (boot !== 99) throw new Error(`record ${lsn} is not there (seed ${seed}, operation ${op})`);
  }
  return counts;
}
