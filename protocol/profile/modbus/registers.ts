/**
 * The registers of a Modbus device, and the blocks in which they are read.
 *
 * ```
 *   voltage 0, current 1–2, power 3–4, …, alarm 9        one request: input 0, 10 registers
 *   setting 40                                           too far off (max_gap): a request of its own
 * ```
 */
import type { ChannelEntry } from '../channel-table.ts';
import { buildCodec } from '../codec.ts';
import type { Codec } from '../codec.ts';
import type { Context } from '../context.ts';
import { emitter } from '../reader-step.ts';
import type { Emit } from '../reader-step.ts';
import type { FieldSpec, ModbusSpec, RegisterSpec, RegisterTable } from '../spec.ts';

export interface Register {
  readonly name: string;
  readonly spec: RegisterSpec;
  readonly table: RegisterTable;
  readonly address: number;
  /** 16-bit registers, or 1 for a coil. */
  readonly words: number;
  readonly codec: Codec;
  /** Where its bytes begin in its first register: an u8 is the lower one. */
  readonly skip: number;
  readonly bytes: number;
  readonly channel: ChannelEntry;
  readonly everyMs: number;
  readonly emit: Emit;
}

/** Registers that one request reads. */
export interface Block {
  readonly name: string;
  readonly table: RegisterTable;
  readonly start: number;
  readonly count: number;
  readonly everyMs: number;
  readonly registers: readonly Register[];
}

export function isBitTable(table: RegisterTable): boolean {
  return table === 'coil' || table === 'discrete';
}

/** Compiles the registers, in the order of the file. */
export function compileRegisters(modbus: ModbusSpec, context: Context): Register[] {
  return Object.entries(modbus.registers).flatMap(([name, spec]) => {
    const register = compileRegister(name, spec, modbus, context);
    return register === undefined ? [] : [register];
  });
}

function compileRegister(name: string, spec: RegisterSpec, modbus: ModbusSpec, context: Context): Register | undefined {
  const { problems, channels, scope } = context;
  const path = ['modbus', 'registers', name];
  const table = spec.table ?? modbus.table;
  const bits = isBitTable(table);
  if (bits && spec.type !== undefined && spec.type !== 'bool')
    problems.add([...path, 'type'], `a ${table} is true or false; leave out the type`);
  const type = bits ? 'bool' : (spec.type ?? 'u16');
  if (type === 'number' || type === 'hexnumber') {
    problems.add([...path, 'type'], 'registers hold numbers in binary, such as u16, i32 or f32');
    return undefined;
  }
  if (spec.size !== undefined && typeof spec.size !== 'number') {
    problems.add([...path, 'size'], 'must be a number of bytes');
    return undefined;
  }
  const order = spec.order ?? modbus.order ?? context.order;
  const codec = buildCodec({ ...spec, type }, { order, path, problems, inText: false });
  if (codec === undefined) return undefined;
  const bytes = codec.fixedSize ?? 1;
  const words = bits ? 1 : Math.ceil(bytes / 2);
  if (words > modbus.max_registers || spec.at + words > 65_536) {
    problems.add(path, `has ${words} registers, more than one request can read`);
    return undefined;
  }
  if (spec.writable && (table === 'input' || table === 'discrete'))
    problems.add([...path, 'writable'], `a table ${table} cannot be written`);
  if (spec.writable && (spec.bit !== undefined || spec.bits !== undefined || spec.mask !== undefined)) {
    problems.add([...path, 'writable'], 'bits of a register cannot be written alone');
  }
  const channel = channels.declare(name, codec, spec, path);
  if (channel === undefined) return undefined;
  scope.declare(name, 'number');
  if (spec.writable) channel.command = name;
  const shown: FieldSpec = { ...spec, flags_as: 'text', hidden: false, optional: false };
  const emit = emitter({ name, codec, slot: -1, channel, spec: shown, exponent: undefined });
  const skip = !bits && bytes % 2 === 1 && bytes === 1 ? 1 : 0;
  return {
    name,
    spec,
    table,
    address: spec.at,
    words,
    codec,
    skip,
    bytes,
    channel,
    everyMs: spec.every_s ?? modbus.every_s,
    emit,
  };
}

/** Merges registers of one table and one interval into as few requests as the limits allow. */
export function mergeBlocks(registers: readonly Register[], modbus: ModbusSpec): Block[] {
  const groups = new Map<string, Register[]>();
  for (const register of registers) {
    const key = `${register.table} ${register.everyMs}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [register]);
    else group.push(register);
  }
  return [...groups.values()].flatMap((group) => mergeGroup(group, modbus));
}

function mergeGroup(group: readonly Register[], { max_gap: maxGap, max_registers: most }: ModbusSpec): Block[] {
  const sorted = group.toSorted((a, b) => a.address - b.address || a.words - b.words);
  const blocks: Block[] = [];
  let run: Register[] = [];
  let end = 0;
  for (const register of sorted) {
    const first = run[0];
    const nextEnd = Math.max(end, register.address + register.words);
    if (first !== undefined && (register.address - end > maxGap || nextEnd - first.address > most)) {
      blocks.push(blockOf(run));
      run = [];
    }
    end = run.length === 0 ? register.address + register.words : nextEnd;
    run.push(register);
  }
  if (run.length > 0) blocks.push(blockOf(run));
  return blocks;
}

/** The block that reads these registers, sorted by address. */
export function blockOf(registers: readonly Register[]): Block {
  const { table, address: start, everyMs } = registers[0]!;
  const end = Math.max(...registers.map(({ address, words }) => address + words));
  return { name: `${table} ${start}`, table, start, count: end - start, everyMs, registers };
}

/** Two blocks instead of one that the device refuses; none for a single register. */
export function splitBlock(block: Block): Block[] {
  const { registers } = block;
  if (registers.length < 2) return [];
  const half = Math.ceil(registers.length / 2);
  return [blockOf(registers.slice(0, half)), blockOf(registers.slice(half))];
}
