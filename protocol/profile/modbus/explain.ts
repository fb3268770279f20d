/** A Modbus frame for people. Which registers an answer is about only its request says; the first block that fits is shown. */
import type { Machine, Trace } from '../machine.ts';
import type { ExplainedPart, FrameExplanation } from '../profile.ts';
import { toHex } from '../text-value.ts';
import { answerBytes, checksumFailure, EXCEPTIONS, READ_FUNCTIONS, unwrapFrame } from './pdu.ts';
import type { ModbusRules } from './instance.ts';
import { readBlock } from './read-block.ts';
import { isBitTable } from './registers.ts';

const FUNCTIONS: Readonly<Record<number, string>> = {
  1: 'read coils',
  2: 'read discrete inputs',
  3: 'read holding registers',
  4: 'read input registers',
  5: 'write coil',
  6: 'write register',
  15: 'write coils',
  16: 'write registers',
};

export function explainModbus(frame: Uint8Array, rules: ModbusRules, w: Machine): FrameExplanation {
  const { variant } = rules.modbus;
  const parts: ExplainedPart[] = [];
  const covered = new Uint8Array(frame.length);
  const add = (from: number, size: number, name: string, value: string, note = ''): void => {
    const to = Math.min(from + size, frame.length);
    if (from < 0 || from >= to) return;
    parts.push({ from, to, name, value, note });
    covered.fill(1, from, to);
  };
  const adu = unwrapFrame(variant, frame);
  const failure = checksumFailure(variant, frame);
  let problem: string | undefined;
  let message: string | undefined;
  if (adu === undefined) {
    problem =
      failure === undefined
        ? `no Modbus ${variant} frame`
        : `the checksum is wrong: computed ${failure.computed}, received ${failure.received}`;
    if (variant === 'rtu' && frame.length >= 4) add(0, 1, 'unit', String(frame[0]));
  } else {
    const { pdu, at } = adu;
    // In ascii frames every byte takes two characters.
    const wide = variant === 'ascii' ? 2 : 1;
    const place = (index: number): number => at + index * wide;
    if (variant === 'tcp') {
      add(0, 2, 'transaction', String(adu.transaction));
      add(2, 2, 'protocol', '0');
      add(4, 2, 'length', `${frame.length} bytes in all`);
    }
    if (variant === 'ascii') add(0, 1, 'sync', ':');
    add(at - wide, wide, 'unit', String(adu.unit));
    const fn = pdu[0]!;
    const name = FUNCTIONS[fn & 0x7f] ?? `function ${fn & 0x7f}`;
    add(place(0), wide, 'function', name, fn > 0x80 ? 'refused' : '');
    const table = (Object.keys(READ_FUNCTIONS) as (keyof typeof READ_FUNCTIONS)[]).find(
      (key) => READ_FUNCTIONS[key] === fn,
    );
    if (fn > 0x80) {
      message = 'exception';
      add(place(1), wide, 'exception', EXCEPTIONS[pdu[1]!] ?? String(pdu[1]));
    } else if (table !== undefined && pdu.length === pdu[1]! + 2) {
      add(place(1), wide, 'byte_count', String(pdu[1]));
      const block = rules.blocks.find(
        (candidate) => candidate.table === table && answerBytes(table, candidate.count) === pdu[1],
      );
      message = block?.name ?? 'answer';
      if (block !== undefined) {
        const trace: Trace[] = [];
        w.trace = trace;
        w.values = [];
        readBlock(block, pdu, w);
        w.trace = undefined;
        trace.forEach(({ from, to, value, name: register, note }, i) => {
          const bit = isBitTable(table) ? (block.registers[i]!.address - block.start) >> 3 : 0;
          const first = isBitTable(table) ? 2 + bit : from;
          const size = isBitTable(table) ? 1 : to - from;
          add(
            place(first),
            size * wide,
            register,
            value,
            [note, 'if it answers this block'].filter((text) => text !== '').join(', '),
          );
        });
      }
    } else if (pdu.length === 5) {
      message = `request ${name}`;
      add(place(1), 2 * wide, 'address', String((pdu[1]! << 8) | pdu[2]!));
      add(place(3), 2 * wide, fn <= 4 || fn >= 15 ? 'quantity' : 'value', String((pdu[3]! << 8) | pdu[4]!));
    } else {
      message = name;
    }
  }
  const tail = variant === 'rtu' ? 2 : variant === 'ascii' ? 4 : 0;
  if (tail > 0 && frame.length > tail) {
    const note = failure === undefined ? '' : `computed ${failure.computed}, received ${failure.received}`;
    add(frame.length - tail, 2, 'checksum', failure === undefined ? 'right' : 'wrong', note);
    if (variant === 'ascii') add(frame.length - 2, 2, 'tail', '0d0a');
  }
  for (let at = 0; at < frame.length; at++) {
    if (covered[at] === 1) continue;
    let to = at;
    while (to < frame.length && covered[to] === 0) to++;
    parts.push({ from: at, to, name: 'unused', value: toHex(frame, at, to), note: '' });
    at = to - 1;
  }
  return {
    bytes: frame,
    message,
    problem,
    parts: parts.toSorted((a, b) => a.from - b.from || a.to - b.to),
    computed: [],
  };
}
