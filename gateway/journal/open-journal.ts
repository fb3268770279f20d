/** The journal of a folder, as the gateway uses it; and a look into one from outside. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { GatewayError } from '../errors.ts';
import { errnoOf } from '../sources/io-errors.ts';
import { lockDirectory } from './directory-lock.ts';
import { FileJournal, type FileJournalOptions, type JournalEvent } from './file-journal.ts';
import type { DeviceState, Journal, JournalRecord } from './journal.ts';
import type { Device } from '../devices/device.ts';
import { JOURNAL_DEFAULTS } from './journal-defaults.ts';
import { openNodeJournalFs } from './node-journal-fs.ts';
import { recoverJournal } from './recovery.ts';

/** Each left out is as in JOURNAL_DEFAULTS. */
export type JournalSettings = Partial<
  Omit<FileJournalOptions, 'fs' | 'newId' | 'now' | 'onEvent' | 'closed'> & {
    readonly onEvent: (event: JournalEvent) => void;
  }
>;

/**
 * Opens, locks and reads the folder, and makes it if need be. The journal's own `open` has been called when this
 * resolves. Rejects with a GatewayError when the folder cannot be used or another process has it; never for what is in it.
 */
export async function openJournal(
  folder: string,
  settings: JournalSettings,
  restore: (state: DeviceState) => Device,
  prepare?: (record: JournalRecord) => void,
): Promise<Journal> {
  let unlock: (() => Promise<void>) | undefined;
  try {
    const fs = await openNodeJournalFs(folder);
    unlock = await lockDirectory(folder);
    const options: FileJournalOptions = {
      ...JOURNAL_DEFAULTS,
      onEvent: () => {},
      ...settings,
      fs,
      newId: () => randomBytes(8).toString('hex'),
      now: () => performance.now(),
      closed: unlock,
    };
    const journal = new FileJournal(options, await recoverJournal(fs, options.maxDevices));
    await journal.open(restore, prepare);
    return journal;
  } catch (error) {
    await unlock?.();
    if (error instanceof GatewayError || error instanceof TypeError || error instanceof RangeError) throw error;
    const code = errnoOf(error) === 'EACCES' || errnoOf(error) === 'EPERM' ? 'PERMISSION_DENIED' : 'IO_ERROR';
    const detail = `the folder of the journal cannot be used: ${error instanceof Error ? error.message : String(error)}`;
    throw new GatewayError(code, folder, detail, { cause: error });
  }
}

/** What a look into the folder finds. */
export interface JournalGlance {
  readonly id: string;
  /** Records not accepted by the broker, as far as the journal has noted it: it does so at the latest once a minute. */
  readonly depth: number;
  readonly held: number;
  readonly accepted: number;
  readonly durable: number;
  readonly segments: number;
  readonly bytesOnDisk: number;
  readonly damaged: number;
}

/** Looks into a journal without changing it, also while a gateway uses it; undefined when there is none. */
export async function glanceAtJournal(folder: string): Promise<JournalGlance | undefined> {
  if (!existsSync(folder)) return undefined;
  const fs = await openNodeJournalFs(folder, { readOnly: true });
  const {
    journalId: id,
    segments,
    spares,
    accepted,
    lastLsn: durable,
    damaged,
  } = await recoverJournal(fs, JOURNAL_DEFAULTS.maxDevices);
  if (id === undefined) return undefined;
  const oldest = segments[0]?.firstLsn ?? durable + 1;
  return {
    id,
    depth: durable - accepted,
    held: Math.max(0, accepted + 1 - oldest),
    accepted,
    durable,
    segments: segments.length,
    bytesOnDisk: [...segments, ...spares].reduce((sum, { bytes }) => sum + bytes, 0),
    damaged,
  };
}
