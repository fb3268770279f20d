/**
 * One Modbus device: its blocks as polls, answers bound to their request, writes as commands.
 *
 * ```
 *   poll "input 0" ─→ 01 04 00 00 00 0a crc ─→ 01 04 14 … crc ─ same unit, function, byte count (and transaction) ─→ values
 * ```
 */
import type { FrameDecoder } from '../../framing/frame-decoder.ts';
import { MAX_VALUES } from '../../link/readings.ts';
import type { Sample } from '../../link/readings.ts';
import { createMachine } from '../machine.ts';
import type { Machine } from '../machine.ts';
import { fillParameters, openParameters } from '../parameters.ts';
import type { CompiledParameter, ParameterValues } from '../parameters.ts';
import type {
  Answer,
  CommandResult,
  DecodedProfileFrame,
  FailedChecksum,
  FieldValues,
  FrameExplanation,
  InitStep,
  OutgoingRequest,
  Poll,
  Profile,
  ProfileInstance,
} from '../profile.ts';
import { commandValue, setByCommand } from '../requests.ts';
import type { CompiledCommand, CompiledRequest } from '../requests.ts';
import type { ModbusSpec } from '../spec.ts';
import type { Scope } from '../machine.ts';
import { truthOf } from '../raw-values.ts';
import { readBlock } from './read-block.ts';
import { modbusDecoder } from './decoder.ts';
import { explainModbus } from './explain.ts';
import { readImage, writtenValues } from './image.ts';
import {
  answerBytes,
  checksumFailure,
  EXCEPTIONS,
  READ_FUNCTIONS,
  readPdu,
  unwrapFrame,
  wrapPdu,
  writeCoilPdu,
  writeRegistersPdu,
} from './pdu.ts';
import type { Adu } from './pdu.ts';
import { isBitTable, splitBlock } from './registers.ts';
import type { Block, Register } from './registers.ts';

/** What a Modbus profile is compiled to. */
export interface ModbusRules {
  readonly modbus: ModbusSpec;
  readonly registers: readonly Register[];
  readonly blocks: readonly Block[];
  readonly scope: Scope;
  readonly parameters: ReadonlyMap<string, CompiledParameter>;
  /** Requests by template: functions of the maker's own. */
  readonly commands: readonly CompiledCommand[];
  /** Function → length of such requests, whose echo is the answer. */
  readonly others: ReadonlyMap<number, number>;
}

interface ModbusRequest extends OutgoingRequest {
  /** Undefined for writes. */
  readonly block: Block | undefined;
  readonly unit: number;
  readonly fn: number;
  readonly transaction: number;
}

const NO_ANSWERS = { replies: [], newChannels: [] } as const;

export class ModbusInstance implements ProfileInstance {
  readonly profile: Profile;
  readonly init: readonly InitStep[] = [];
  private readonly rules: ModbusRules;
  private readonly parameters: ParameterValues;
  private readonly machine: Machine;
  private readonly unit: number;
  private transaction = 0;
  private current: readonly Poll[];

  constructor(profile: Profile, rules: ModbusRules, given: Readonly<Record<string, unknown>>) {
    this.profile = profile;
    this.rules = rules;
    this.parameters = openParameters(rules.parameters, given);
    this.machine = createMachine(rules.scope.size);
    fillParameters(rules.parameters, this.parameters, this.machine);
    this.unit = this.parameters.get('address')!.number;
    this.current = rules.blocks.map((block) => this.pollOf(block));
  }

  /** Changes when the device refuses a block: see `Poll.refused`. */
  get polls(): readonly Poll[] {
    return this.current;
  }

  private pollOf(block: Block): Poll {
    const poll: Poll = {
      name: block.name,
      everyMs: block.everyMs,
      request: () => this.request(block.name, readPdu(block.table, block.start, block.count), block),
      refused: (exception) => {
        // Only a wrong address gets better by asking for less.
        if (exception !== 2) return false;
        const parts = splitBlock(block).map((part) => this.pollOf(part));
        this.current = this.current.flatMap((other) => (other === poll ? parts : [other]));
        return true;
      },
    };
    return poll;
  }

  private request(name: string, pdu: Uint8Array, block: Block | undefined): ModbusRequest {
    const { variant, timeout_ms: timeoutMs, retries } = this.rules.modbus;
    const { unit } = this;
    this.transaction = (this.transaction + 1) & 0xffff;
    const { transaction } = this;
    const request: ModbusRequest = {
      name,
      bytes: wrapPdu(variant, unit, pdu, transaction),
      answers: (frame) => {
        const adu = unwrapFrame(variant, frame);
        return adu !== undefined && isAnswer(adu, request, pdu, variant === 'tcp');
      },
      silent: unit === 0,
      timeoutMs,
      retries,
      frames: 1,
      block,
      unit,
      fn: pdu[0]!,
      transaction,
    };
    return request;
  }

  createDecoder(): FrameDecoder {
    return modbusDecoder(this.rules.modbus.variant, 'answers', this.rules.others);
  }

  createRequestDecoder(): FrameDecoder {
    return modbusDecoder(this.rules.modbus.variant, 'requests', this.rules.others);
  }

  decode(frame: Uint8Array, request?: OutgoingRequest): DecodedProfileFrame {
    if (request === undefined || !('block' in request) || !request.answers(frame)) {
      return {
        ok: false,
        code: 'unexpected',
        at: 0,
        detail: 'an answer to no request: it does not say which registers it is about',
      };
    }
    const { block } = request as ModbusRequest;
    const adu = unwrapFrame(this.rules.modbus.variant, frame)!;
    if (adu.pdu[0]! > 0x80) {
      const exception = adu.pdu[1]!;
      const name = EXCEPTIONS[exception] ?? 'unknown';
      return {
        ok: false,
        code: 'exception',
        at: adu.at + 1,
        detail: `exception ${exception} (${name}) to ${request.name}`,
        exception,
      };
    }
    if (block === undefined) return { ok: true, message: request.name, device: undefined, samples: [], ...NO_ANSWERS };
    const { machine: w } = this;
    w.values = [];
    readBlock(block, adu.pdu, w);
    const samples: Sample[] = [];
    for (let i = 0; i < w.values.length; i += MAX_VALUES) {
      samples.push({ timeKind: 'now', time: 0, values: w.values.slice(i, i + MAX_VALUES) });
    }
    return { ok: true, message: block.name, device: undefined, samples, ...NO_ANSWERS };
  }

  failedChecksum(bytes: Uint8Array): FailedChecksum | undefined {
    const { variant } = this.rules.modbus;
    return checksumFailure(variant, variant === 'rtu' ? bytes.subarray(0, rtuLength(bytes)) : bytes);
  }

  command(alias: string, value: boolean | number | bigint | string | undefined): CommandResult {
    const own = this.rules.commands.find(({ about }) => about.alias === alias || about.shows === alias);
    if (own !== undefined) return this.ownCommand(own, value);
    const register = this.rules.registers.find(({ name, spec }) => name === alias && spec.writable);
    if (register === undefined) return { ok: false, code: 'no-command', detail: 'there is no such command' };
    if (value === undefined) return { ok: false, code: 'bad-value', detail: 'a value is missing' };
    const { table, address, words, codec, skip, bytes, spec } = register;
    const name = `write ${alias}`;
    if (isBitTable(table))
      return { ok: true, request: this.request(name, writeCoilPdu(address, truthOf(value)), undefined) };
    const number = typeof value === 'string' ? Number(value) : Number(value);
    if (codec.kind === 'number') {
      if (!Number.isFinite(number) || value === '') return { ok: false, code: 'bad-value', detail: 'must be a number' };
      if (spec.range !== undefined && (number < spec.range[0] || number > spec.range[1])) {
        return { ok: false, code: 'bad-value', detail: `must be from ${spec.range[0]} to ${spec.range[1]}` };
      }
    }
    const data = new Uint8Array(2 * words);
    try {
      codec.write(data, skip, skip + bytes, value);
    } catch (error) {
      if (error instanceof RangeError) return { ok: false, code: 'bad-value', detail: error.message };
      throw error;
    }
    return { ok: true, request: this.request(name, writeRegistersPdu(address, data), undefined) };
  }

  private ownCommand(command: CompiledCommand, value: boolean | number | bigint | string | undefined): CommandResult {
    const meant = commandValue(command, value);
    if (typeof meant === 'string') return { ok: false, code: 'bad-value', detail: meant };
    const bytes = meant.request.template.render(this.machine, this.parameters, meant.raw);
    if (bytes === undefined) return { ok: false, code: 'bad-value', detail: 'does not fit its place' };
    const { name, timeoutMs, retries, frames } = meant.request;
    const unit = this.unit;
    const answers = (frame: Uint8Array): boolean =>
      frame[0] === unit && (frame[1] === bytes[1] || frame[1] === bytes[1]! + 0x80);
    const request: ModbusRequest = {
      name,
      bytes,
      answers,
      silent: false,
      timeoutMs,
      retries,
      frames,
      block: undefined,
      unit,
      fn: bytes[1] ?? 0,
      transaction: 0,
    };
    return { ok: true, request };
  }

  encode(message: string, values: FieldValues): Uint8Array {
    const block = this.rules.blocks.find(({ name }) => name === message);
    if (block === undefined) throw new RangeError(`there is no message ${message}`);
    return this.readAnswer(block, values, 0)!;
  }

  /** The answer to a read, or undefined when the device has none of these registers. */
  private readAnswer(
    { table, start, count }: Pick<Block, 'table' | 'start' | 'count'>,
    values: FieldValues,
    transaction: number,
  ): Uint8Array | undefined {
    const data = readImage(this.rules.registers, table, start, count, values);
    if (data === undefined) return undefined;
    const pdu = new Uint8Array(2 + data.length);
    pdu.set([READ_FUNCTIONS[table], data.length]);
    pdu.set(data, 2);
    return wrapPdu(this.rules.modbus.variant, this.unit, pdu, transaction);
  }

  answer(request: Uint8Array, values: FieldValues): Answer | undefined {
    const { modbus, registers, commands } = this.rules;
    for (const command of commands) {
      for (const [word, candidate] of command.requests) {
        const found = candidate.template.recognise(request, this.parameters);
        if (found !== undefined) return this.ownAnswer(command, candidate, word, found.value, request);
      }
    }
    const adu = unwrapFrame(modbus.variant, request);
    if (adu === undefined || adu.unit !== this.unit || adu.pdu.length < 5) return undefined;
    const { pdu, transaction } = adu;
    const fn = pdu[0]!;
    const address = (pdu[1]! << 8) | pdu[2]!;
    const number = (pdu[3]! << 8) | pdu[4]!;
    const reply = (name: string, answer: Uint8Array, set: FieldValues = {}): Answer => ({
      name,
      frames: [wrapPdu(modbus.variant, this.unit, answer, transaction)],
      messages: [name],
      set,
    });
    const table = fn === 1 ? 'coil' : fn === 2 ? 'discrete' : fn === 3 ? 'holding' : fn === 4 ? 'input' : undefined;
    if (table !== undefined) {
      const name = `${table} ${address}`;
      if (number === 0 || answerBytes(table, number) > 250) return reply(name, Uint8Array.of(fn | 0x80, 3));
      const frame = this.readAnswer({ table, start: address, count: number }, values, transaction);
      return frame === undefined
        ? reply(name, Uint8Array.of(fn | 0x80, 2))
        : { name, frames: [frame], messages: [name], set: {} };
    }
    if (fn === 5) {
      const coil = registers.find(
        (register) => register.table === 'coil' && register.address === address && register.spec.writable,
      );
      if (coil === undefined) return reply(`coil ${address}`, Uint8Array.of(0x85, 2));
      return reply(`write ${coil.name}`, pdu, { [coil.name]: number !== 0 });
    }
    if (fn !== 6 && fn !== 16) return reply(`function ${fn}`, Uint8Array.of(fn | 0x80, 1));
    const data = fn === 6 ? pdu.subarray(3, 5) : pdu.subarray(6);
    const set = writtenValues(
      registers.filter(({ spec }) => spec.writable),
      address,
      data,
    );
    if (Object.keys(set).length === 0) return reply(`holding ${address}`, Uint8Array.of(fn | 0x80, 2));
    return reply(`write ${Object.keys(set).join(', ')}`, pdu.slice(0, 5), set);
  }

  private ownAnswer(
    command: CompiledCommand,
    { name }: CompiledRequest,
    word: string,
    captured: number | string | undefined,
    request: Uint8Array,
  ): Answer {
    return { name, frames: [request.slice()], messages: [name], set: setByCommand(command, word, captured) };
  }

  explain(frame: Uint8Array, asked?: Uint8Array): FrameExplanation {
    return explainModbus(frame, this.rules, this.machine, asked);
  }
}

/** Whether a frame answers a request: by unit, function, what it echoes, and over TCP the transaction. */
function isAnswer(
  { unit, pdu, transaction }: Adu,
  request: ModbusRequest,
  asked: Uint8Array,
  byTransaction: boolean,
): boolean {
  if (unit !== request.unit || (byTransaction && transaction !== request.transaction)) return false;
  if (pdu[0] === (request.fn | 0x80)) return pdu.length === 2;
  if (pdu[0] !== request.fn) return false;
  const { block } = request;
  if (block !== undefined) {
    const expected = answerBytes(block.table, block.count);
    return pdu[1] === expected && pdu.length === expected + 2;
  }
  // Writes echo the address, and the value or how many.
  return pdu.length === 5 && pdu.every((byte, i) => byte === asked[i]);
}

/** The length that an RTU answer claims, or all there is. */
function rtuLength(bytes: Uint8Array): number {
  const fn = bytes[1] ?? 0;
  const claimed = fn > 0x80 ? 5 : fn <= 4 ? (bytes[2] ?? 0) + 5 : 8;
  return Math.min(claimed, bytes.length);
}
