/** What the schema makes of a profile file: the types of `schema.ts`, defaults filled in, nothing interpreted yet. */
import type { ChannelClass } from '../link/value.ts';

export type Order = 'big' | 'little' | 'word-swapped' | 'byte-swapped';
export type UnsignedType = 'u8' | 'u16' | 'u24' | 'u32' | 'u40' | 'u48' | 'u56' | 'u64';
export type SignedType = 'i8' | 'i16' | 'i24' | 'i32' | 'i40' | 'i48' | 'i56' | 'i64';
export type IntegerType = UnsignedType | SignedType;
export type FieldType = IntegerType | 'f32' | 'f64' | 'bool' | 'bcd' | 'ascii' | 'hex' | 'number' | 'hexnumber';
export type SumType =
  | 'sum8'
  | 'sum16'
  | 'sum24'
  | 'sum32'
  | 'sum16le'
  | 'sum16be'
  | 'xor8'
  | 'lrc'
  | 'crc'
  | 'fletcher8'
  | 'fletcher16'
  | 'fletcher32'
  | 'adler32';
export type RegisterTable = 'input' | 'holding' | 'coil' | 'discrete';

/** A whole number that the frame holds: value × times / divisor + plus. */
export interface MeasureSpec {
  at: number;
  type: IntegerType;
  order?: Order | undefined;
  times: number;
  divisor: number;
  plus: number;
}

export interface SyncSpec {
  at: number;
  bytes: Uint8Array;
  mask?: Uint8Array | undefined;
}

export interface LengthSpec {
  at: number;
  type: 'u8' | 'u16' | 'u24' | 'u32' | 'ascii';
  digits: number;
  order?: Order | undefined;
  times: number;
  plus: number;
}

/** One kind of frame. */
export interface FrameSpec {
  sync?: (SyncSpec | Uint8Array)[] | undefined;
  match?: SyncSpec[] | undefined;
  length?: number | LengthSpec | undefined;
  min?: number | undefined;
  max?: number | undefined;
  tail?: Uint8Array | undefined;
  end?: { marker: Uint8Array; plus: number } | undefined;
}

export type EscapeSpec =
  | 'hdlc'
  | 'slip'
  | 'cobs'
  | {
      flag: number;
      escape: number;
      xor?: number | undefined;
      map?: Record<string, number> | undefined;
    };

export interface FramingMap extends FrameSpec {
  escape?: EscapeSpec | undefined;
  gap_ms?: number | undefined;
  gap_chars?: number | undefined;
}

export interface FrameAlternative extends FrameSpec {
  checksum?: ChecksumSpec[] | undefined;
}

export type FramingSpec = { datagram: true } | FrameAlternative[] | FramingMap;

export interface CrcSpec {
  width: '8' | '16' | '32';
  poly: number;
  init: number;
  refin: boolean;
  refout: boolean;
  xorout: number;
}

export interface ChecksumSpec {
  type: SumType | 'none';
  crc?: string | CrcSpec | undefined;
  from: number;
  to?: number | undefined;
  at?: number | undefined;
  size?: number | undefined;
  order?: Order | undefined;
  encoding: 'binary' | 'hex' | 'HEX';
  complement?: 'ones' | 'twos' | undefined;
  init: number;
  xorout: number;
  zero: boolean;
}

export type SizeSpec = number | 'end' | MeasureSpec;

/** How a value is shown. */
export interface ShownSpec {
  title?: string | undefined;
  unit?: string | undefined;
  class?: ChannelClass | undefined;
  precision?: number | undefined;
  diagnostic: boolean;
  total_increasing: boolean;
  range?: [number, number] | undefined;
}

/** How bytes become a value. */
export interface ConvertSpec {
  type?: FieldType | undefined;
  size?: SizeSpec | undefined;
  digits?: number | undefined;
  order?: Order | undefined;
  signed?: boolean | undefined;
  scale?: number | undefined;
  divisor?: number | undefined;
  offset?: number | undefined;
  bit?: number | undefined;
  bits?: string | undefined;
  mask?: number | undefined;
  shift?: number | undefined;
  names?: Record<string, string> | undefined;
  flags?: string[] | Record<string, string> | undefined;
  none?: number[] | undefined;
}

export interface RepeatSpec {
  count: number | 'until_end' | MeasureSpec;
  stride?: number | undefined;
  max?: number | undefined;
  first: number | MeasureSpec;
  limit?: string | undefined;
}

export interface FieldSpec extends ConvertSpec, ShownSpec {
  at?: number | undefined;
  exponent?: { at: number; type: 'u8' | 'i8' | 'i16'; order?: Order | undefined } | undefined;
  flags_as: 'text' | 'bools';
  value?: string | undefined;
  when?: string | undefined;
  repeat?: RepeatSpec | undefined;
  name?: string | undefined;
  column?: number | undefined;
  key?: string | undefined;
  group?: number | undefined;
  hidden: boolean;
  optional: boolean;
}

export type FieldsSpec = Record<string, FieldSpec>;

export interface GroupSpec {
  from: number;
  count: number | 'until_end' | MeasureSpec;
  stride: number;
  max?: number | undefined;
  first: number | MeasureSpec;
  limit?: string | undefined;
  name: string;
  fields: FieldsSpec;
}

export type RecordKind = 'hex' | 'bool' | 'u8' | 'u16' | 'u32' | 'i8' | 'i16' | 'i32' | 'ascii' | 'uint' | 'int';

export interface RecordsSpec {
  from: number;
  to?: number | undefined;
  tag: { type: 'u8' | 'u16' | 'u24' | 'u32'; order?: Order | undefined };
  kind?: { type: 'u8'; kinds: Record<string, RecordKind> } | undefined;
  length: 'none' | { type: 'u8' | 'u16'; order?: Order | undefined; plus: number };
  tags: Record<string, FieldsSpec>;
  others: string;
}

export interface TextSpec {
  from: number;
  to?: number | undefined;
  split?: Uint8Array | undefined;
  lines?: Uint8Array | undefined;
  separator?: Uint8Array | undefined;
}

export type MatchSpec = Record<string, Uint8Array | { bytes: Uint8Array; mask?: Uint8Array | undefined }>;

/** What a message holds; at the top level of the file when there is only one. */
export interface BodySpec {
  match?: MatchSpec | undefined;
  fields?: FieldsSpec | undefined;
  groups?: Record<string, GroupSpec> | undefined;
  records?: RecordsSpec | undefined;
  text?: TextSpec | undefined;
  drop_if?: string | undefined;
  time?: string | undefined;
  reply?: string | undefined;
  fill?: number | undefined;
  reply_after: 'now' | 'durable';
}

export interface MessageSpec extends BodySpec {
  length?: number | undefined;
  title?: string | undefined;
  direction: 'up' | 'down';
}

export interface ParameterSpec {
  type: IntegerType | 'text' | 'hex';
  size?: number | undefined;
  order?: Order | undefined;
  default?: string | undefined;
  range?: [number, number] | undefined;
  description?: string | undefined;
}

export interface RequestSpec {
  answer?: string[] | undefined;
  where?: string | undefined;
  frames: number;
  timeout_ms: number;
  retries: number;
}

export interface PollSpec extends RequestSpec {
  send: string;
  /** Milliseconds. */
  every_s: number;
}

export interface InitSpec extends RequestSpec {
  send: string;
  wait_ms: number;
}

export interface CommandSpec extends RequestSpec, ShownSpec {
  type: 'bool' | 'number' | 'option' | 'text' | 'button';
  send?: string | undefined;
  values?: Record<string, string> | undefined;
  raw?: Record<string, number> | undefined;
  scale?: number | undefined;
  divisor?: number | undefined;
  offset?: number | undefined;
  step?: number | undefined;
  shows?: string | undefined;
}

export interface RegisterSpec extends ConvertSpec, ShownSpec {
  at: number;
  table?: RegisterTable | undefined;
  /** Milliseconds. */
  every_s?: number | undefined;
  writable: boolean;
  /** For computed fields only: no channel. */
  hidden: boolean;
  step?: number | undefined;
}

export interface ModbusSpec {
  variant: 'rtu' | 'tcp' | 'ascii';
  address: number;
  order?: Order | undefined;
  table: RegisterTable;
  max_gap: number;
  max_registers: number;
  /** Milliseconds. */
  every_s: number;
  timeout_ms: number;
  retries: number;
  registers: Record<string, RegisterSpec>;
}

export interface DevicePlace {
  at: number;
  type: IntegerType | 'hex' | 'ascii' | 'bcd';
  size?: number | undefined;
  order?: Order | undefined;
}

export interface TransformSpec {
  subtract?: number | undefined;
  xor?: number | undefined;
  from: number;
  to?: number | undefined;
}

/** The whole file. */
export interface ProfileFile extends BodySpec {
  title: string;
  vendor?: string | undefined;
  models: string[];
  description?: string | undefined;
  wiring?: string | undefined;
  links: string[];
  serial?:
    | {
        baud: number;
        data_bits: '7' | '8';
        parity: 'none' | 'even' | 'odd';
        stop_bits: '1' | '2';
      }
    | undefined;
  order: Order;
  framing?: FramingSpec | undefined;
  ignore: { from: number; to: number }[];
  preamble?: number | undefined;
  checksum?: ChecksumSpec[] | undefined;
  requests_checksum?: ChecksumSpec[] | undefined;
  transform?: TransformSpec[] | undefined;
  device?: DevicePlace | string | undefined;
  /** Milliseconds. */
  timeout_s?: number | undefined;
  only_answers: boolean;
  parameters: Record<string, ParameterSpec>;
  messages?: Record<string, MessageSpec> | undefined;
  init: InitSpec[];
  poll: Record<string, PollSpec>;
  commands: Record<string, CommandSpec>;
  modbus?: ModbusSpec | undefined;
}
