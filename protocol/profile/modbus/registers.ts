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
import { compileComputed } from '../fields.ts';
import type { Step } from '../machine.ts';
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
  /** Undefined when hidden. */
  readonly channel: ChannelEntry | undefined;
  readonly everyMs: number;
  readonly emit: Emit;
  /** What is computed from it, by its place in the file: filled when the computed fields are compiled. */
  readonly computed: Computed[];
}

/** A field of the file, computed when one of its registers was read; the others count as they were read last. */
export interface Computed {
  readonly index: number;
  readonly run: Step;
}

/** Registers that one request reads. */
export interface Block {
  readonly name: string;
  readonly table: RegisterTable;
  readonly start: number;
  readonly count: number;
  readonly everyMs: number;
  readonly registers: readonly Register[];
  /** Without repetition, in the order of the file; of a block that is only explained nothing is computed. */
  readonly computed?: readonly Computed[];
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
  const { problems, channels, scope, used } = context;
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
  if (spec.writable && spec.hidden) problems.add([...path, 'hidden'], 'what can be set is a channel');
  const channel = spec.hidden ? undefined : channels.declare(name, codec, spec, path);
  if (channel === undefined && !spec.hidden) return undefined;
  const kind = codec.text !== undefined ? 'text' : codec.kind === 'bool' ? 'bool' : 'number';
  const slot = scope.declare(name, kind);
  if (slot === undefined) {
    problems.add(path, `a parameter is called ${name}, too; give one of them another name`);
    return undefined;
  }
  if (spec.writable && channel !== undefined) channel.command = name;
  const shown: FieldSpec = { ...spec, flags_as: 'text', optional: false };
  const emit = emitter({ name, codec, slot: used.has(name) ? slot : -1, channel, spec: shown, exponent: undefined });
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
    computed: [],
  };
}

/** Compiles the fields of the file, which are all computed, and hangs them on the registers that they look at. */
export function compileComputedRegisters(
  fields: Readonly<Record<string, FieldSpec>>,
  registers: readonly Register[],
  context: Context,
): void {
  // What a computed field looks at, also through other computed fields.
  const seen = new Map<string, ReadonlySet<string>>();
  for (const [index, [name, spec]] of Object.entries(fields).entries()) {
    const path = ['fields', name];
    if (spec.value === undefined) {
      context.problems.add(
        path,
        'needs value: beside modbus fields are computed; what is read stands in its registers',
      );
      continue;
    }
    if (registers.some((register) => register.name === name)) {
      context.problems.add(path, 'there is a register of this name; give it another one', true);
      continue;
    }
    const used = new Set<string>();
    const plan = compileComputed(name, spec, path, { ...context, used });
    if (plan === undefined) continue;
    const through = new Set([...used].flatMap((other) => [other, ...(seen.get(other) ?? [])]));
    seen.set(name, through);
    for (const register of registers) {
      if (through.has(register.name)) register.computed.push({ index, run: plan.run });
    }
  }
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
  const computed = new Map(registers.flatMap((register) => register.computed.map((one) => [one.index, one] as const)));
  return {
    name: `${table} ${start}`,
    table,
    start,
    count: end - start,
    everyMs,
    registers,
    computed: [...computed.values()].toSorted((a, b) => a.index - b.index),
  };
}

/** Two blocks instead of one that the device refuses; none for a single register. */
export function splitBlock(block: Block): Block[] {
  const { registers } = block;
  if (registers.length < 2) return [];
  const half = Math.ceil(registers.length / 2);
  return [blockOf(registers.slice(0, half)), blockOf(registers.slice(half))];
}
