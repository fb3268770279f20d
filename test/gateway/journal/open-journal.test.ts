import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDirectory } from '../../../gateway/journal/directory-lock.ts';
import type { DeviceState, Journal } from '../../../gateway/journal/journal.ts';
import { glanceAtJournal, type JournalSettings, openJournal } from '../../../gateway/journal/open-journal.ts';
import { seeded } from '../../helpers/crash-fs.ts';
import { channel, testDevice } from '../mqtt/fixtures.ts';
import { reading } from './journal-world.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'b2m-journal-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const SETTINGS: JournalSettings = { syncIntervalMs: 0, segmentBytes: 65_536, maxBytes: 67_108_864, minFreeBytes: 0 };

function open(settings: JournalSettings = {}): Promise<Journal> {
  return openJournal(folder, { ...SETTINGS, ...settings }, ({ id }: DeviceState) =>
    testDevice([channel(1, 'a')], { id }),
  );
}

async function readAll(journal: Journal): Promise<number[]> {
  const seqs: number[] = [];
  for (let lsn = journal.oldest; lsn <= journal.durable; lsn++) {
    let found = journal.get(lsn);
    while (found === 'loading') {
      await new Promise<void>((resolve) => (journal.onLoaded = resolve));
      found = journal.get(lsn);
    }
    seqs.push(found?.seq ?? -1);
  }
  return seqs;
}

async function append(journal: Journal, ...seqs: number[]): Promise<void> {
  const device = testDevice([channel(1, 'a')]);
  for (const seq of seqs) journal.append(reading(device, 1, seq));
  journal.commit();
  while (journal.stats.depth > journal.durable - journal.accepted) await new Promise(setImmediate);
}

describe('openJournal', () => {
  it('makes its folder, keeps records over a restart, and can be looked at meanwhile', async () => {
    folder = join(folder, 'deep', 'down');
    expect(await glanceAtJournal(folder)).toBeUndefined();
    const first = await open();
    await append(first, 1, 2, 3);
    first.setAccepted(1);
    expect(await glanceAtJournal(folder)).toMatchObject({ id: first.id, depth: 3, durable: 3, damaged: 0 });
    await first.close();
    expect(await glanceAtJournal(folder)).toMatchObject({ depth: 2, held: 1, accepted: 1 });
    const second = await open();
    expect([second.id, second.accepted, second.durable]).toEqual([first.id, 1, 3]);
    expect(await readAll(second)).toEqual([1, 2, 3]);
    await second.close();
    expect(readdirSync(folder)).not.toContain('lock');
  });

  it('does not fill the disk by being restarted', async () => {
    for (let seq = 1; seq <= 20; seq++) {
      const journal = await open();
      await append(journal, seq);
      await journal.close();
    }
    const journal = await open();
    expect(await readAll(journal)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(journal.stats.bytesOnDisk).toBeLessThan(4 * 65_536);
    await journal.close();
  });

  it.runIf(existsSync('/proc/self/stat'))('takes over from a process that is dead but not buried', async () => {
    // The shell becomes `sleep`, which never asks how its child has ended; the child waits for that, or a shell would ask.
    const child = `sh -c 'until [ "$(cat /proc/$PPID/comm)" = sleep ]; do :; done'`;
    const parent = spawn('sh', ['-c', `${child} & echo $!; exec sleep 60`], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      const [line] = (await once(parent.stdout, 'data')) as [Buffer];
      const pid = Number(line.toString());
      const stat = (): string[] => readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ');
      while (stat()[2] !== 'Z') await new Promise((resolve) => setTimeout(resolve, 10));
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      writeFileSync(join(folder, 'lock'), JSON.stringify({ pid, started: stat()[21], boot }));
      const journal = await open();
      await journal.close();
    } finally {
      parent.kill('SIGKILL');
    }
  });

  it('lets only one process at a folder, and takes over what a dead one has left', async () => {
    const journal = await open();
    await expect(open()).rejects.toMatchObject({ code: 'JOURNAL_LOCKED', where: folder });
    const writer = startWriter('power');
    writer.child.stdout.resume();
    expect(await writer.ended).toMatch(/JOURNAL_LOCKED/);
    await journal.close();
    for (const left of [
      '{"pid":999999999,"started":"1","boot":"x"}',
      '',
      'junk',
      `{"pid":${process.ppid},"started":"1"}`,
    ]) {
      writeFileSync(join(folder, 'lock'), left);
      const unlock = await lockDirectory(folder);
      expect(JSON.parse(readFileSync(join(folder, 'lock'), 'utf8'))).toMatchObject({ pid: process.pid });
      await unlock();
    }
  });

  it('says clearly when the folder cannot be used', async () => {
    writeFileSync(join(folder, 'file'), '');
    folder = join(folder, 'file');
    await expect(open()).rejects.toMatchObject({ code: 'IO_ERROR', where: folder });
  });

  it.each(['power', 'process'] as const)(
    'loses nothing that it has announced, however often it is killed (durability %s)',
    async (durability) => {
      const random = seeded(5);
      let announced = 0;
      for (let round = 0; round < 10; round++) {
        const writer = startWriter(durability);
        const lines = createInterface(writer.child.stdout);
        const enough = 1 + Math.floor(random() * 60);
        let seen = 0;
        for await (const line of lines) {
          const [lsn, seq] = line.split(' ').map(Number);
          // It uses up no number without a record, and knows where it was.
          expect(seq).toBe(lsn);
          announced = Math.max(announced, lsn!);
          if (++seen === enough) writer.child.kill('SIGKILL');
        }
        expect(await writer.ended).toBe('');
      }
      const journal = await open({ durability });
      expect(journal.durable).toBeGreaterThanOrEqual(announced);
      expect(announced).toBeGreaterThan(200);
      expect(await readAll(journal)).toEqual(Array.from({ length: journal.durable }, (_, i) => i + 1));
      expect(journal.stats).toMatchObject({ damaged: 0, depth: journal.durable });
      await journal.close();
    },
  );
});

function startWriter(durability: string) {
  const script = join(import.meta.dirname, 'writer.mjs');
  const child = spawn(process.execPath, [script, folder, durability], { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
  const ended = once(child, 'close').then(() => errors);
  return { child, ended };
}
