import { describe, expect, it } from 'vitest';
import { ReceiveWindow } from '../../../protocol/index.ts';

function offer(window: ReceiveWindow<string>, seq: number): string {
  return window.offer(seq, `f${seq}`);
}

function takeAll(window: ReceiveWindow<string>): string[] {
  const taken: string[] = [];
  for (let item = window.take(); item !== undefined; item = window.take()) taken.push(item);
  return taken;
}

describe('ReceiveWindow', () => {
  it('delivers in order what comes in order', () => {
    const window = new ReceiveWindow<string>(1);
    for (const seq of [1, 2, 3]) expect(offer(window, seq)).toBe('deliver');
    expect(takeAll(window)).toEqual(['f1', 'f2', 'f3']);
    expect(window.next).toBe(4);
    expect(window.heldMap).toBe(0);
  });

  it('holds frames beyond a hole, shows them in the map, and delivers when it is filled', () => {
    const window = new ReceiveWindow<string>(10);
    expect(offer(window, 11)).toBe('hold');
    expect(offer(window, 13)).toBe('hold');
    expect(takeAll(window)).toEqual([]);
    expect(window.heldMap).toBe(0b1010);
    expect(window.mapAfter(8)).toBe(0b10101);
    expect(offer(window, 10)).toBe('deliver');
    expect(takeAll(window)).toEqual(['f10', 'f11']);
    expect(window.heldMap).toBe(0b10);
  });

  it('knows a frame that came before, delivered or held', () => {
    const window = new ReceiveWindow<string>(1);
    offer(window, 1);
    offer(window, 3);
    expect(offer(window, 1)).toBe('duplicate');
    expect(offer(window, 3)).toBe('duplicate');
    expect(takeAll(window)).toEqual(['f1']);
  });

  it('uses the whole map', () => {
    const window = new ReceiveWindow<string>(1);
    for (let seq = 2; seq <= 32; seq++) expect(offer(window, seq)).toBe('hold');
    expect(window.heldMap).toBe(0xffff_fffe);
    expect(offer(window, 1)).toBe('deliver');
    expect(takeAll(window)).toHaveLength(32);
  });

  it('gives a hole up when a frame comes that the sender could not have sent before', () => {
    const window = new ReceiveWindow<string>(1);
    offer(window, 2);
    offer(window, 5);
    expect(offer(window, 33)).toBe('deliver');
    expect(takeAll(window)).toEqual(['f2']);
    expect(window.next).toBe(3);
    expect(window.givenUp).toBe(1);
    expect(offer(window, 1)).toBe('duplicate');
    expect(offer(window, 36)).toBe('deliver');
    expect(takeAll(window)).toEqual(['f5']);
    expect(window.givenUp).toBe(3);
  });

  it('takes a leap over any distance with bounded work', () => {
    const window = new ReceiveWindow<string>(1);
    offer(window, 3);
    expect(offer(window, 0xffff_ffff)).toBe('deliver');
    expect(takeAll(window)).toEqual(['f3']);
    expect(window.next).toBe(0xffff_ffff - 31);
    expect(window.heldMap).toBe(0x8000_0000);
    expect(window.givenUp).toBe(0xffff_ffff - 31 - 1 - 1);
  });

  it('closes the holes that a GAP covers, and counts them once', () => {
    const window = new ReceiveWindow<string>(1);
    offer(window, 3);
    expect(window.gap(1, 4)).toBe(2);
    expect(takeAll(window)).toEqual(['f3']);
    expect(offer(window, 4)).toBe('deliver');
    expect(window.gap(1, 4)).toBe(0);
    expect(offer(window, 4)).toBe('duplicate');
    expect(takeAll(window)).toEqual(['f4']);
    expect(window.givenUp).toBe(0);
  });

  it('closes holes behind an older one that is still waited for', () => {
    const window = new ReceiveWindow<string>(1);
    expect(window.gap(2, 4)).toBe(2);
    expect(offer(window, 4)).toBe('hold');
    expect(window.heldMap).toBe(0b1110);
    expect(offer(window, 1)).toBe('deliver');
    expect(takeAll(window)).toEqual(['f1', 'f4']);
    expect(window.next).toBe(5);
  });

  it('skips what a new session says will not come', () => {
    const window = new ReceiveWindow<string>(1);
    offer(window, 2);
    offer(window, 6);
    expect(window.skipTo(5)).toBe(3);
    expect(takeAll(window)).toEqual(['f2']);
    expect(window.next).toBe(5);
    expect(window.skipTo(3)).toBe(0);
    expect(window.next).toBe(5);
  });

  it('does not count as passed what nobody has taken yet', () => {
    const window = new ReceiveWindow<string>(1);
    offer(window, 1);
    expect(window.next).toBe(1);
    takeAll(window);
    offer(window, 4);
    window.skipTo(4);
    expect(window.next).toBe(4);
    expect(offer(window, 4)).toBe('duplicate');
    expect(takeAll(window)).toEqual(['f4']);
    expect(window.next).toBe(5);
  });

  it('refuses a size that no map can show', () => {
    expect(() => new ReceiveWindow(1, 33)).toThrow(RangeError);
  });
});
