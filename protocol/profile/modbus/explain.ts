/** A Modbus frame for people. Which registers an answer is about only its request says; without it all blocks that fit are shown. */
import type { Machine, Trace } from '../machine.ts';
import type { ExplainedPart, FrameExplanation } from '../profile.ts';
import { toHex } from '../text-value.ts';
import { answerBytes, checksumFailure, EXCEPTIONS, READ_FUNCTIONS, unwrapFrame } from './pdu.ts';
import type { ModbusRules } from './instance.ts';
import { readBlock } from './read-block.ts';
import { isBitTable } from './registers.ts';
import type { Block } from './registers.ts';
import type { RegisterTable } from '../spec.ts';

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

/** Blocks that are shown of those that an answer may be to. */
const MAX_CANDIDATES = 8;

/** `asked`: the request that the frame answers, where that is known. */
export function explainModbus(frame: Uint8Array, rules: ModbusRules, w: Machine, asked?: Uint8Array): FrameExplanation {
  const { variant } = rules.modbus;
  const parts: ExplainedPart[] = [];
  const covered = new Uint8Array(frame.length);
  const add = (from: number, size: number, name: string, value: string, note = '', wrong = false): void => {
    const to = Math.min(from + size, frame.length);
    if (from < 0 || from >= to) return;
    parts.push({ from, to, name, value, note, ...(wrong ? { wrong } : {}) });
    covered.fill(1, from, to);
  };
  const adu = unwrapFrame(variant, frame);
  const failure = checksumFailure(variant, frame);
  const claimed = adu === undefined && variant === 'rtu' ? answerLength(frame) : undefined;
  const cut = claimed !== undefined && frame.length < claimed;
  let problem: string | undefined;
  let message: string | undefined;
  if (adu === undefined) {
    if (cut) problem = `${frame.length} of ${claimed} bytes: cut off, or the byte count is wrong`;
    else if (failure === undefined) problem = `no Modbus ${variant} frame`;
    else problem = `the checksum is wrong: computed ${failure.computed}, received ${failure.received}`;
    if (variant === 'rtu' && (cut || frame.length >= 4)) {
      add(0, 1, 'unit', String(frame[0]));
      add(1, 1, 'function', FUNCTIONS[frame[1]! & 0x7f] ?? `function ${frame[1]! & 0x7f}`);
      const counted = frame[1]! >= 1 && frame[1]! <= 4 && claimed !== undefined;
      // A request has an address there.
      if (counted && (cut || frame.length !== 8)) {
        const note = claimed === frame.length ? '' : `${claimed} bytes in all, there are ${frame.length}`;
        add(2, 1, 'byte_count', String(frame[2]), note, claimed !== frame.length);
      }
    }
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
      const candidates = blocksFor(rules, table, pdu[1]!, adu.unit, asked);
      const [only] = candidates;
      const several = candidates.length > 1;
      message = several ? 'answer' : (only?.name ?? 'answer');
      const names = candidates.map(({ name: block }) => block);
      const fits = `fits ${names.length} blocks: ${names.slice(0, MAX_CANDIDATES).join(', ')}${names.length > MAX_CANDIDATES ? ' …' : ''}; the request before it would tell which`;
      add(
        place(1),
        wide,
        'byte_count',
        String(pdu[1]),
        several ? fits : only === undefined ? 'fits no block of the profile: the request before it would tell' : '',
      );
      for (const block of candidates.slice(0, MAX_CANDIDATES)) {
        const trace: Trace[] = [];
        w.trace = trace;
        w.values = [];
        readBlock(block, pdu, w);
        w.trace = undefined;
        const doubt = several ? `if it answers ${block.name}` : asked === undefined ? 'if it answers this block' : '';
        trace.forEach(({ from, to, value, name: register, note }, i) => {
          const bit = isBitTable(table) ? (block.registers[i]!.address - block.start) >> 3 : 0;
          const first = isBitTable(table) ? 2 + bit : from;
          const size = isBitTable(table) ? 1 : to - from;
          add(place(first), size * wide, register, value, [note, doubt].filter((text) => text !== '').join(', '));
        });
      }
    } else if (pdu.length === 5) {
      message = `request ${name}`;
      add(place(1), 2 * wide, 'address', String((pdu[1]! << 8) | pdu[2]!));
      add(place(3), 2 * wide, fn <= 4 || fn >= 15 ? 'quantity' : 'value', String((pdu[3]! << 8) | pdu[4]!));
    } else {
      message = name;
      if (table !== undefined) {
        problem = `its byte count says ${pdu[1]} bytes of data, there are ${pdu.length - 2}`;
        add(place(1), wide, 'byte_count', String(pdu[1]), `there are ${pdu.length - 2}`, true);
      }
    }
  }
  const tail = variant === 'rtu' ? 2 : variant === 'ascii' ? 4 : 0;
  if (tail > 0 && frame.length > tail && !cut) {
    const note = failure === undefined ? '' : `computed ${failure.computed}, received ${failure.received}`;
    add(frame.length - tail, 2, 'checksum', failure === undefined ? 'right' : 'wrong', note, failure !== undefined);
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

/** The registers that an answer with so many bytes may be about: those its request asks for, or every block that fits. */
function blocksFor(
  { modbus, blocks, registers }: ModbusRules,
  table: RegisterTable,
  bytes: number,
  unit: number,
  asked: Uint8Array | undefined,
): Block[] {
  const request = asked === undefined ? undefined : unwrapFrame(modbus.variant, asked);
  if (request?.unit === unit && request.pdu[0] === READ_FUNCTIONS[table] && request.pdu.length === 5) {
    const { pdu } = request;
    const start = (pdu[1]! << 8) | pdu[2]!;
    const count = (pdu[3]! << 8) | pdu[4]!;
    if (answerBytes(table, count) === bytes) {
      const inside = registers.filter(
        (register) =>
          register.table === table && register.address >= start && register.address + register.words <= start + count,
      );
      return [{ name: `${table} ${start}`, table, start, count, everyMs: 0, registers: inside }];
    }
  }
  return blocks.filter((block) => block.table === table && answerBytes(table, block.count) === bytes);
}

/** How long an RTU answer says that it is; undefined where its function does not say. */
function answerLength(frame: Uint8Array): number | undefined {
  const [, fn, count] = frame;
  if (fn === undefined || FUNCTIONS[fn & 0x7f] === undefined) return undefined;
  if (fn > 0x80) return 5;
  if (fn > 4) return 8;
  return count === undefined ? undefined : count + 5;
}
