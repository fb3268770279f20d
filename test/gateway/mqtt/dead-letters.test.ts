import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  countDeadLetters,
  type DeadLetter,
  DeadLetters,
  readDeadLetters,
  removeDeadLetters,
} from '../../../gateway/mqtt/dead-letters.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'bytes2mqtt-'));
  onTestFinished(() => {
    chmodSync(path, 0o700);
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}

function letter(seq: number): DeadLetter {
  return {
    id: `a1b2c3d4e5f60718-4-${seq}`,
    device: 'greenhouse',
    receivedAt: 1_000 + seq,
    refusedAt: 9_000,
    reason: '0x87',
    messages: [{ topic: 'b/greenhouse/history', payload: `{"a":${seq}}` }],
  };
}

const seqsOf = (letters: readonly DeadLetter[]): number[] => letters.map(({ id }) => Number(id.split('-')[2]));

describe('DeadLetters', () => {
  it('keeps them over a restart, the oldest first, and forgets what was not finished', async () => {
    const dir = join(folder(), 'made', 'dead');
    const first = new DeadLetters({ dir });
    await first.open();
    await Promise.all([12, 9, 100].map((seq) => first.add(letter(seq))));
    expect(first.count).toBe(3);
    writeFileSync(join(dir, 'x.json.tmp'), '{');
    const second = new DeadLetters({ dir });
    await second.open();
    expect(second.count).toBe(3);
    expect(readdirSync(dir)).toHaveLength(3);
    expect((await readDeadLetters(dir)).letters).toEqual([letter(9), letter(12), letter(100)]);
  });

  it('keeps one letter a reading', async () => {
    const letters = new DeadLetters({ dir: folder() });
    await letters.open();
    await letters.add(letter(1));
    await letters.add({ ...letter(1), reason: '0x95' });
    await letters.look();
    expect(letters.count).toBe(1);
  });

  it('deletes the oldest beyond its limit, and tells', async () => {
    const dir = folder();
    const told: number[] = [];
    const letters = new DeadLetters({ dir, max: 100, onDropped: (count) => told.push(count) });
    await letters.open();
    await Promise.all(Array.from({ length: 250 }, (_, at) => letters.add(letter(at + 1))));
    await letters.close();
    expect(letters).toMatchObject({ count: 100, dropped: 150 });
    expect(told.reduce((sum, count) => sum + count, 0)).toBe(150);
    expect(seqsOf((await readDeadLetters(dir)).letters)).toEqual(Array.from({ length: 100 }, (_, at) => at + 151));
  });

  it('rejects what cannot be written, and takes the next again', async () => {
    const dir = join(folder(), 'dead');
    const letters = new DeadLetters({ dir });
    await letters.open();
    rmSync(dir, { recursive: true });
    await expect(letters.add(letter(1))).rejects.toMatchObject({ code: 'ENOENT' });
    await letters.open();
    await letters.add(letter(1));
    expect(letters.count).toBe(1);
  });

  it('is looked after by others: read, counted and deleted, with files that are none left alone', async () => {
    const dir = folder();
    expect(await countDeadLetters(join(dir, 'none'))).toBe(0);
    const letters = new DeadLetters({ dir });
    await letters.open();
    await Promise.all([1, 2, 3].map((seq) => letters.add(letter(seq))));
    writeFileSync(join(dir, 'README'), 'mine');
    const broken = join(dir, '0000000000000001-ffffffffffffffff-1-1.json');
    writeFileSync(broken, '{"id":1}');
    expect(await readDeadLetters(dir)).toEqual({ letters: [letter(1), letter(2), letter(3)], problems: [broken] });
    expect(await removeDeadLetters(dir, new Set([letter(2).id, 'a1b2c3d4e5f60718-9-9']))).toBe(1);
    expect(await countDeadLetters(dir)).toBe(3);
    await letters.look();
    expect(letters.count).toBe(3);
  });
});
