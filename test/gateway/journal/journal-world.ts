/** A FileJournal over the crash file system, small enough that everything happens in it. */
import { FileJournal, type FileJournalOptions, type JournalEvent } from '../../../gateway/journal/file-journal.ts';
import type { DeviceState, JournalRecord } from '../../../gateway/journal/journal.ts';
import type { JournalFs } from '../../../gateway/journal/journal-fs.ts';
import { recoverJournal } from '../../../gateway/journal/recovery.ts';
import { channel, record, sample, type TestDevice, testDevice, value } from '../mqtt/fixtures.ts';

export interface World {
  readonly journal: FileJournal;
  readonly devices: Map<string, TestDevice>;
  readonly restored: Map<string, DeviceState>;
  readonly events: JournalEvent[];
  readonly clock: { now: number };
}

export const SMALL = {
  durability: 'power',
  syncIntervalMs: 0,
  segmentBytes: 4_096,
  maxBytes: 65_536,
  minFreeBytes: 0,
  holdMs: 0,
  maxDevices: 16,
  cacheRecords: 16,
  maxPending: 200,
} as const;

export function deviceOf(devices: Map<string, TestDevice>, id: string): TestDevice {
  let device = devices.get(id);
  if (device === undefined) devices.set(id, (device = testDevice([channel(1, 'a')], { id, alias: id })));
  return device;
}

export async function openWorld(fs: JournalFs, options: Partial<FileJournalOptions> = {}): Promise<World> {
  const clock = { now: 1 };
  const events: JournalEvent[] = [];
  const all: FileJournalOptions = {
    ...SMALL,
    fs,
    newId: () => '0123456789abcdef',
    now: () => clock.now,
    onEvent: (event) => events.push(event),
    ...options,
  };
  const journal = new FileJournal(all, await recoverJournal(fs, all.maxDevices));
  const devices = new Map<string, TestDevice>();
  const restored = new Map<string, DeviceState>();
  await journal.open((state) => {
    restored.set(state.id, state);
    return deviceOf(devices, state.id);
  });
  return { journal, devices, restored, events, clock };
}

export const ID = (n: number): string => n.toString(16).padStart(16, '0');

/** A record whose value is its seq. */
export function reading(device: TestDevice, boot: number, seq: number): JournalRecord {
  return record(device, seq, [sample(1_000 + seq, value(1, 'u32', seq))], { boot });
}

/** Appends and waits until it is durable. */
export async function appended(journal: FileJournal, ...records: JournalRecord[]): Promise<number> {
  let lsn = 0;
  for (const one of records) lsn = journal.append(one)!;
  await durable(journal, lsn);
  return lsn;
}

export async function durable(journal: FileJournal, lsn: number): Promise<void> {
  journal.commit();
  while (journal.durable < lsn) await new Promise(setImmediate);
}

/** As `get`, but waits for the disk. */
export async function read(journal: FileJournal, lsn: number): Promise<JournalRecord | undefined> {
  for (;;) {
    const found = journal.get(lsn);
    if (found !== 'loading') return found;
    await new Promise<void>((resolve) => (journal.onLoaded = resolve));
  }
}
