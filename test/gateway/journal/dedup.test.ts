import { describe, expect, it } from 'vitest';
import { DeviceRegistry } from '../../../gateway/devices/registry.ts';
import { FileJournal } from '../../../gateway/journal/file-journal.ts';
import { recoverJournal } from '../../../gateway/journal/recovery.ts';
import { DeviceLink } from '../../../gateway/sessions/link/device-link.ts';
import { createLinkCounters, type LinkContext } from '../../../gateway/sessions/link/link-context.ts';
import { encodeSchemaParts, schemaCrc } from '../../../protocol/index.ts';
import { CrashFs, errno } from '../../helpers/crash-fs.ts';
import { sample, value } from '../mqtt/fixtures.ts';
import { durable, ID, read, SMALL } from './journal-world.ts';

const A = ID(0xa);
const BOOT = 5;
const SCHEMA = { name: 'box', model: '', firmware: '', channels: [] };
const PARTS = encodeSchemaParts(SCHEMA, 4_096);
const CRC = schemaCrc(PARTS);

/** One run of the gateway: a device link over a journal over this file system. */
async function gateway(fs: CrashFs) {
  const registry = new DeviceRegistry(new Map(), 10);
  const options = { ...SMALL, fs, newId: () => ID(1), now: () => 1, onEvent: () => {} };
  const journal = new FileJournal(options, await recoverJournal(fs, SMALL.maxDevices));
  await journal.open((state) => registry.restore(state));
  const listener = { schema: () => {}, lost: () => {} };
  const limits = { channels: 64, schemaBytes: 4_096 };
  const context = { registry, journal, listener, limits, wallNow: () => 1_000, now: () => 1 } as unknown as LinkContext;
  const link = new DeviceLink(context, registry.obtain(A)!, () => {});
  const counters = createLinkCounters();
  const send = (seq: number): boolean =>
    link.offer(seq, { type: 'READINGS', samples: [sample(1_000, value(3, 'u32', seq))] }, counters);
  const settled = async (): Promise<void> => {
    await durable(journal, journal.stats.depth + journal.accepted);
    link.sendAck();
  };
  return { registry, journal, link, counters, send, settled };
}

const killed = (fs: CrashFs): CrashFs => fs.crash(fs.ops.length, 'lost', Math.random);

describe('dedup over a restart', () => {
  it('takes a frame once, whether its ACK came or not', async () => {
    const fs = new CrashFs();
    const first = await gateway(fs);
    first.link.begin(BOOT, 1, first.counters);
    for (const seq of [1, 2, 3]) first.send(seq);
    await first.settled();
    first.send(4);
    const second = await gateway(killed(fs));
    expect(second.link.boot).toBe(BOOT);
    second.link.begin(BOOT, 1, second.counters);
    for (const seq of [1, 2, 3, 4, 5]) second.send(seq);
    expect(second.counters).toMatchObject({ duplicates: 3, readings: 2 });
    await second.settled();
    const seqs: (number | undefined)[] = [];
    for (let lsn = 1; lsn <= second.journal.durable; lsn++) seqs.push((await read(second.journal, lsn))?.seq);
    expect(seqs).toEqual([1, 2, 3, 4, 5]);
    // The records say which channels there are, as no schema does.
    expect(second.registry.get(A)?.channels.has(3)).toBe(true);
  });

  it('takes the same numbers of a new boot, and remembers a boot without readings', async () => {
    const fs = new CrashFs();
    const first = await gateway(fs);
    first.link.begin(BOOT, 1, first.counters);
    first.send(1);
    await first.settled();
    first.link.begin(BOOT + 1, 1, first.counters);
    first.journal.commit();
    await first.journal.close();
    const second = await gateway(killed(fs));
    expect(second.link.boot).toBe(BOOT + 1);
    second.link.begin(BOOT + 1, 1, second.counters);
    second.send(1);
    expect(second.counters).toMatchObject({ duplicates: 0, readings: 1 });
  });

  it('does not wait again for frames that the device has given up', async () => {
    const fs = new CrashFs();
    const first = await gateway(fs);
    first.link.begin(BOOT, 1, first.counters);
    first.send(1);
    first.link.begin(BOOT, 10, first.counters);
    await first.settled();
    const second = await gateway(killed(fs));
    second.link.begin(BOOT, 1, second.counters);
    second.send(9);
    second.send(10);
    expect(second.counters).toMatchObject({ duplicates: 1, readings: 1 });
  });

  it('knows the schema, and does not ask for it again', async () => {
    const fs = new CrashFs();
    const first = await gateway(fs);
    first.link.begin(BOOT, 1, first.counters);
    first.link.schemaCrc = CRC;
    expect(first.link.schemaPart({ type: 'SCHEMA', crc: CRC, part: 0, parts: 1, content: PARTS[0]! })).toBeUndefined();
    first.send(1);
    await first.settled();
    const second = await gateway(killed(fs));
    expect(second.registry.get(A)?.schema).toEqual(SCHEMA);
    second.link.schemaCrc = CRC;
    expect(second.link.schemaWanted).toBe(false);
    second.link.schemaCrc = CRC + 1;
    expect(second.link.schemaWanted).toBe(true);
  });

  it('acknowledges nothing after a start that the disk does not take again', async () => {
    const fs = new CrashFs();
    const first = await gateway(fs);
    first.link.begin(BOOT, 1, first.counters);
    first.send(1);
    await first.settled();
    const full = killed(fs);
    full.fault = (kind) => (kind === 'write' || kind === 'create' ? errno('ENOSPC') : undefined);
    const second = await gateway(full);
    second.link.begin(BOOT, 1, second.counters);
    expect([second.link.waiting, second.journal.durable]).toEqual([true, 0]);
    full.fault = undefined;
    await new Promise<void>((resolve) => (second.journal.onRoom = resolve));
    second.link.sendAck();
    expect(second.link.waiting).toBe(false);
  });
});
