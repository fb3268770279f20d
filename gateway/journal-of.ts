/** The journal as it is configured, and the words for what happens to it. */
import { join } from 'node:path';
import type { Config } from './config/schema.ts';
import type { DeviceRegistry, RegisteredDevice } from './devices/registry.ts';
import type { JournalEvent } from './journal/file-journal.ts';
import type { Journal } from './journal/journal.ts';
import { MemoryJournal } from './journal/memory-journal.ts';
import { openJournal } from './journal/open-journal.ts';
import type { Log, RateLimitedLog } from './log.ts';
import { DeadLetters } from './mqtt/dead-letters.ts';

/** Folder of the dead letters, in that of the journal. */
export function deadLetterFolder(journalDir: string): string {
  return join(journalDir, 'dead');
}

export interface OpenedJournal {
  readonly journal: Journal;
  /** Undefined when nothing is kept on disk. */
  readonly deadLetters: DeadLetters | undefined;
}

/** Opens it, and makes the devices known that an earlier run knew. Rejects with a GatewayError when that cannot be. */
export async function openJournalOf(
  config: Config,
  registry: DeviceRegistry,
  log: Log,
  limited: RateLimitedLog,
): Promise<OpenedJournal> {
  const { durability, dir, syncIntervalMs, maxBytes, minFreeBytes, holdMs, maxRecords } = config.journal;
  if (durability === 'memory') return { journal: new MemoryJournal({ maxRecords }), deadLetters: undefined };
  const journal = await openJournal(
    dir,
    {
      durability,
      syncIntervalMs,
      maxBytes,
      minFreeBytes,
      holdMs,
      maxDevices: config.limits.devices,
      onEvent: (event) => tell(event, limited),
    },
    (state) => registry.restore(state),
    // All devices of the gateway are registered ones.
    (record) => {
      const device = record.device as RegisteredDevice;
      for (const { values } of record.samples) for (const { channel } of values) device.ensureChannel(channel);
    },
  );
  const { depth, held } = journal.stats;
  log.info({ dir, depth, held }, `journal opened: ${depth} readings wait for the broker`);
  const deadLetters = new DeadLetters({
    dir: deadLetterFolder(dir),
    onDropped: (count) => limited.warn('dead-letters', { count }, 'too many dead letters: the oldest were deleted'),
  });
  try {
    await deadLetters.open();
  } catch (error) {
    await journal.close();
    throw error;
  }
  return { journal, deadLetters };
}

const WORDS: Readonly<Record<string, string>> = {
  damaged: 'the journal has a damaged place; reading goes on behind it',
  quarantined: 'a damaged file of the journal was set aside',
  'given-up': 'a file of the journal cannot be written any more; another takes its place',
  'disk-full': 'the disk is full: nothing can be acknowledged to the devices',
  'no-space': 'the disk has no room for more of the journal',
  'journal-full': 'the journal is full: nothing can be acknowledged to the devices',
  'io-error': 'the journal cannot be written: nothing can be acknowledged to the devices',
  recovered: 'the journal can be written again',
};

function tell({ problem, file, records, error }: JournalEvent, limited: RateLimitedLog): void {
  const fields = { problem, file, records, ...(error !== undefined && { err: error }) };
  const text = WORDS[problem] ?? `the journal: ${problem}`;
  if (problem === 'recovered') limited.info(`journal ${problem}`, fields, text);
  else limited.warn(`journal ${problem}`, fields, text);
}
