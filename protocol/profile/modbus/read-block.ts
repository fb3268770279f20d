/** The answer to a block, register by register. */
import type { Machine } from '../machine.ts';
import { isBitTable } from './registers.ts';
import type { Block } from './registers.ts';

/** Reads the registers of a block out of the answer to it, and computes what depends on them. */
export function readBlock(block: Block, pdu: Uint8Array, w: Machine): void {
  const bits = isBitTable(block.table);
  w.data = pdu;
  w.length = pdu.length;
  w.end = pdu.length;
  w.base = 0;
  for (const { address, skip, bytes, emit } of block.registers) {
    if (bits) {
      const at = address - block.start;
      const bit = (pdu[2 + (at >> 3)]! >> (at & 7)) & 1;
      w.data = bit === 1 ? ONE : ZERO;
      emit(w, 0, 1, 0);
    } else {
      const from = 2 + 2 * (address - block.start) + skip;
      emit(w, from, from + bytes, 0);
    }
  }
  // They have no bytes that an explanation could show.
  const { trace } = w;
  w.trace = undefined;
  for (const { run } of block.computed ?? []) run(w);
  w.trace = trace;
}

const ONE = Uint8Array.of(1);
const ZERO = Uint8Array.of(0);
