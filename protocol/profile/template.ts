/**
 * What is sent: bytes with places to be filled in.
 *
 * ```
 *   "a5 {host:u8} 90 08 00 00 00 00 00 00 00 00 {checksum}"
 *    │   └ parameter                              └ by requests_checksum, over its range of the whole
 *    └ as it stands
 *   {value:u16} in a command; {length} of the frame; {name:u16le}, {serial:hex}, {imei:ascii}, {total:bcd4}
 * ```
 *
 * A template is read in both directions: the gateway renders requests from it, the simulator recognises them by it.
 */
import { encodeUtf8 } from '../utf8.ts';
import type { Check } from './checksum.ts';
import type { Context } from './context.ts';
import type { Framing } from './framing.ts';
import type { Machine } from './machine.ts';
import { bcdFormat, floatFormat, integerFormat } from './numbers.ts';
import type { NumberFormat } from './numbers.ts';
import type { CompiledParameter, ParameterValues } from './parameters.ts';
import type { Path } from './problems.ts';
import { ALIAS, parseBytes } from './schema-leaves.ts';
import type { IntegerType, Order } from './spec.ts';
import { fromHex } from './text-value.ts';

type Part =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'parameter'; readonly name: string; readonly format: NumberFormat | undefined }
  | { readonly kind: 'number'; readonly slot: number; readonly format: NumberFormat }
  | { readonly kind: 'text'; readonly slot: number; readonly as: 'hex' | 'ascii' }
  | { readonly kind: 'value'; readonly format: NumberFormat | 'ascii' | 'hex' }
  | { readonly kind: 'checksum'; readonly check: Check }
  | { readonly kind: 'length'; readonly size: number };

export interface Template {
  readonly takesValue: boolean;
  /** What of a value fits, when it is a number. */
  readonly valueFormat: NumberFormat | 'ascii' | 'hex' | undefined;
  /** The frame (before byte stuffing), or undefined while a field that it needs has no value. */
  readonly render: (
    w: Machine,
    parameters: ParameterValues,
    value?: number | bigint | string,
  ) => Uint8Array | undefined;
  /** The value in a frame that was rendered from this; undefined: it was not. */
  readonly recognise: (
    frame: Uint8Array,
    parameters: ParameterValues,
  ) => { readonly value: number | string | undefined } | undefined;
  /** Its bytes as far as they are fixed, −1 where they are not; a text of open length counts nothing. */
  readonly shape: (parameters: ParameterValues) => readonly number[];
  /** Names of the bytes, for explanations. */
  readonly describe: (frame: Uint8Array, parameters: ParameterValues) => { from: number; to: number; name: string }[];
}

export interface TemplateContext {
  readonly context: Context;
  readonly parameters: ReadonlyMap<string, CompiledParameter>;
  readonly checks: readonly Check[];
  readonly framing: Framing | undefined;
  readonly preamble: number | undefined;
}

const NOTHING = new Uint8Array(0);

/** Compiles a template; undefined after telling what is wrong. */
export function compileTemplate(source: string, path: Path, given: TemplateContext): Template | undefined {
  const { context, framing, preamble } = given;
  const { problems } = context;
  const pieces = cut(source);
  if (pieces === undefined) {
    problems.add(path, 'a { or a quote is not closed');
    return undefined;
  }
  const parts: Part[] = [];
  let checksums = 0;
  for (const piece of pieces) {
    if (piece.kind === 'bytes') {
      const bytes = parseBytes(piece.text);
      if (bytes === undefined) {
        problems.add(
          path,
          `must be bytes in hex, text in quotes, or {name}; this is none: ${piece.text.trim().slice(0, 40)}`,
        );
        return undefined;
      }
      if (bytes.length > 0) parts.push({ kind: 'bytes', bytes });
      continue;
    }
    if (piece.text === 'checksum') {
      const check = given.checks[checksums++];
      if (check === undefined) {
        problems.add(path, '{checksum} needs a rule: checksum, or requests_checksum where requests have another one');
        return undefined;
      }
      parts.push({ kind: 'checksum', check });
      continue;
    }
    const part = piece.text === 'length' ? lengthPart(framing) : namedPart(piece.text, given);
    if (typeof part === 'string') {
      problems.add(path, part);
      return undefined;
    }
    parts.push(part);
  }
  const flag = framing?.escape?.flag;
  const content = flag === undefined ? parts : withoutFlags(parts, flag);
  const misplaced = misplacedLength(content, framing, preamble, given.parameters);
  if (misplaced !== undefined) {
    problems.add(path, misplaced);
    return undefined;
  }
  return build(content, framing, preamble);
}

function lengthPart(framing: Framing | undefined): Part | string {
  const field = framing?.kinds[0].length;
  return field === undefined ? '{length} needs a length field in framing' : { kind: 'length', size: field.size };
}

/** A {length} must stand where the length field of frames is. */
function misplacedLength(
  parts: readonly Part[],
  framing: Framing | undefined,
  preamble: number | undefined,
  parameters: ReadonlyMap<string, CompiledParameter>,
): string | undefined {
  const index = parts.findIndex((part) => part.kind === 'length');
  if (index < 0) return undefined;
  let at = 0;
  for (const part of parts.slice(0, index)) {
    if (part.kind === 'bytes') at += part.bytes.length - (at === 0 ? idleBytes(part.bytes, preamble) : 0);
    else if (part.kind === 'parameter') at += part.format?.size ?? parameters.get(part.name)?.size ?? 0;
    else if (part.kind === 'number') at += part.format.size;
    else if (part.kind === 'value' && typeof part.format === 'object') at += part.format.size;
    else if (part.kind === 'checksum') at += part.check.size;
  }
  const wanted = framing!.kinds[0].length!.at;
  return at === wanted
    ? undefined
    : `{length} must stand at byte ${wanted}, where framing has it; here it is byte ${at}`;
}

/** How many bytes of a preamble these begin with. */
function idleBytes(bytes: Uint8Array, preamble: number | undefined): number {
  let idle = 0;
  if (preamble !== undefined) while (bytes[idle] === preamble) idle++;
  return idle;
}

/** Cuts at braces; quotes keep them as text. */
function cut(source: string): { kind: 'bytes' | 'name'; text: string }[] | undefined {
  const pieces: { kind: 'bytes' | 'name'; text: string }[] = [];
  let from = 0;
  let quote = '';
  for (let at = 0; at < source.length; at++) {
    const character = source[at]!;
    if (quote !== '') {
      if (character === '\\') at++;
      else if (character === quote) quote = '';
    } else if (character === '"' || character === "'") {
      quote = character;
    } else if (character === '{') {
      const end = source.indexOf('}', at);
      if (end < 0) return undefined;
      pieces.push(
        { kind: 'bytes', text: source.slice(from, at) },
        { kind: 'name', text: source.slice(at + 1, end).trim() },
      );
      at = end;
      from = end + 1;
    }
  }
  if (quote !== '') return undefined;
  pieces.push({ kind: 'bytes', text: source.slice(from) });
  return pieces;
}

/** `{name}`, `{name:u16}`; a text says what is wrong. */
function namedPart(text: string, { context, parameters }: TemplateContext): Part | string {
  const [name = '', type, ...more] = text.split(':').map((word) => word.trim());
  if (more.length > 0 || !ALIAS.test(name)) return `write a place as {name} or {name:u16}, not {${text.slice(0, 40)}}`;
  const format = type === undefined ? undefined : formatOf(type, context.order);
  if (type !== undefined && format === undefined) {
    return `${type.slice(0, 20)} is no type of a place; there are u8 … u64, i8 … i64, f32, f64, bcd1 … bcd7, ascii and hex, with le or be behind for the order`;
  }
  if (name === 'value') return { kind: 'value', format: format ?? integerFormat('u8', 'big') };
  const parameter = parameters.get(name);
  if (parameter !== undefined) {
    if (format === 'ascii' || format === 'hex') return `{${name}} is a parameter and has its own type`;
    if (parameter.kind === 'number') return { kind: 'parameter', name, format: format ?? parameter.format! };
    return format === undefined
      ? { kind: 'parameter', name, format: undefined }
      : `{${name}} is text: leave out the type`;
  }
  const field = context.scope.find(name);
  if (field === undefined) return `there is no parameter or field ${name}`;
  context.used.add(name);
  if (field.kind === 'text') {
    if (format !== 'ascii' && format !== 'hex') return `write {${name}:ascii} or {${name}:hex}`;
    return { kind: 'text', slot: field.slot, as: format };
  }
  if (format === undefined || typeof format === 'string')
    return `write {${name}:u16}, with the type that it is sent as`;
  return { kind: 'number', slot: field.slot, format };
}

/** The format of a type such as `u16`, `u16le`, `bcd4`. */
function formatOf(type: string, order: Order): NumberFormat | 'ascii' | 'hex' | undefined {
  if (type === 'ascii' || type === 'hex') return type;
  const match = /^(?:([ui])(8|16|24|32|40|48|56|64)|(f32|f64)|bcd([1-7]))(le|be)?$/.exec(type);
  if (match === null) return undefined;
  const [, sign, bits, float, digits, suffix] = match;
  const own: Order = suffix === 'le' ? 'little' : suffix === 'be' ? 'big' : order;
  if (float !== undefined) return floatFormat(float as 'f32', own);
  if (digits !== undefined) return bcdFormat(Number(digits), 2 * Number(digits), own, false);
  return integerFormat(`${sign}${bits}` as IntegerType, own);
}

/** A data sheet gives requests with their flags; ours are put around by the framing. */
function withoutFlags(parts: Part[], flag: number): Part[] {
  const first = parts[0];
  const last = parts.at(-1);
  if (first?.kind !== 'bytes' || last?.kind !== 'bytes' || first.bytes[0] !== flag || last.bytes.at(-1) !== flag)
    return parts;
  const trimmed = parts.map((part) => {
    if (part.kind !== 'bytes') return part;
    const bytes = part.bytes.subarray(
      part === first ? 1 : 0,
      part === last ? part.bytes.length - 1 : part.bytes.length,
    );
    return { ...part, bytes };
  });
  return trimmed.filter((part) => part.kind !== 'bytes' || part.bytes.length > 0);
}

function build(parts: readonly Part[], framing: Framing | undefined, preamble: number | undefined): Template {
  const value = parts.find((part) => part.kind === 'value');
  const first = parts[0];
  const idle = first?.kind === 'bytes' ? idleBytes(first.bytes, preamble) : 0;

  /** Length and checksums, over what is there. */
  const complete = (frame: Uint8Array): void => {
    const content = frame.subarray(idle);
    if (parts.some((part) => part.kind === 'length')) framing!.kinds[0].length!.put(content, content.length);
    // A checksum may be part of what the next one sums up.
    let at = -idle;
    for (const [i, part] of parts.entries()) {
      if (part.kind === 'checksum') part.check.put(content, at);
      at += sizes(parts, frame)[i]!;
    }
  };
  return {
    takesValue: value !== undefined,
    valueFormat: value?.format,
    render: (w, parameters, given) => {
      const pieces: Uint8Array[] = [];
      for (const part of parts) {
        const piece = renderPart(part, w, parameters, given);
        if (piece === undefined) return undefined;
        pieces.push(piece);
      }
      const frame = concat(pieces);
      complete(frame);
      return frame;
    },
    recognise: (frame, parameters) => {
      const expected = frame.slice();
      let captured: number | string | undefined;
      const lengths = sizes(parts, frame, parameters);
      if (lengths.reduce((sum, size) => sum + size, 0) !== frame.length) return undefined;
      let at = 0;
      for (const [i, part] of parts.entries()) {
        const size = lengths[i]!;
        if (part.kind === 'bytes') {
          expected.set(part.bytes, at);
        } else if (part.kind === 'parameter') {
          expected.set(parameterBytes(part, parameters), at);
        } else if (part.kind === 'value') {
          const bytes = frame.subarray(at, at + size);
          captured =
            part.format === 'ascii'
              ? String.fromCharCode(...bytes)
              : part.format === 'hex'
                ? Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
                : part.format.read(frame, at);
        }
        at += size;
      }
      try {
        complete(expected);
      } catch (error) {
        if (error instanceof RangeError) return undefined;
        throw error;
      }
      return expected.every((byte, i) => byte === frame[i]) ? { value: captured } : undefined;
    },
    shape: (parameters) =>
      parts.flatMap((part, i) => {
        if (part.kind === 'bytes') return [...part.bytes];
        if (part.kind === 'parameter') return [...parameterBytes(part, parameters)];
        return Array.from({ length: sizes(parts, NOTHING, parameters)[i]! }, () => -1);
      }),
    describe: (frame, parameters) => {
      let at = 0;
      return sizes(parts, frame, parameters).map((size, i) => {
        const part = parts[i]!;
        const from = at;
        at += size;
        const name =
          part.kind === 'parameter'
            ? part.name
            : part.kind === 'bytes'
              ? 'constant'
              : part.kind === 'number' || part.kind === 'text'
                ? 'field'
                : part.kind;
        return { from, to: at, name };
      });
    },
  };
}

function renderPart(
  part: Part,
  w: Machine,
  parameters: ParameterValues,
  given: number | bigint | string | undefined,
): Uint8Array | undefined {
  switch (part.kind) {
    case 'bytes':
      return part.bytes;
    case 'parameter':
      return parameterBytes(part, parameters);
    case 'number':
      return numberBytes(part.format, w.numbers[part.slot]!);
    case 'text': {
      const text = w.texts[part.slot];
      return text === undefined ? undefined : part.as === 'hex' ? fromHex(text) : encodeUtf8(text);
    }
    case 'value': {
      if (given === undefined) return undefined;
      if (part.format === 'ascii') return encodeUtf8(String(given));
      if (part.format === 'hex') return fromHex(String(given));
      return numberBytes(part.format, typeof given === 'string' ? Number(given) : given);
    }
    case 'checksum':
      return new Uint8Array(part.check.size);
    default:
      return new Uint8Array(part.size);
  }
}

function parameterBytes(part: Part & { kind: 'parameter' }, parameters: ParameterValues): Uint8Array {
  const { bytes, number } = parameters.get(part.name)!;
  return part.format === undefined ? bytes : (numberBytes(part.format, number) ?? bytes);
}

/** RangeError for a number that does not fit; undefined for none. */
function numberBytes(format: NumberFormat, value: number | bigint): Uint8Array | undefined {
  if (typeof value === 'number' && Number.isNaN(value)) return undefined;
  const whole = format.float || typeof value === 'bigint' ? value : Math.round(value);
  if (whole < format.min || whole > format.max)
    throw new RangeError(`${value} does not fit ${format.min} to ${format.max}`);
  const bytes = new Uint8Array(format.size);
  format.write(bytes, 0, whole);
  return bytes;
}

/** Bytes of every part; a text value takes what the others leave. */
function sizes(parts: readonly Part[], frame: Uint8Array, parameters?: ParameterValues): number[] {
  const known = parts.map((part) => {
    switch (part.kind) {
      case 'bytes':
        return part.bytes.length;
      case 'parameter':
        return part.format?.size ?? parameters?.get(part.name)?.bytes.length ?? -1;
      case 'number':
        return part.format.size;
      case 'text':
        return -1;
      case 'value':
        return typeof part.format === 'string' ? -1 : part.format.size;
      case 'checksum':
        return part.check.size;
      default:
        return part.size;
    }
  });
  const rest = frame.length - known.reduce((sum, size) => sum + Math.max(0, size), 0);
  // One part may be open; where there are more, the first takes it.
  let left = Math.max(0, rest);
  return known.map((size) => {
    if (size >= 0) return size;
    const taken = left;
    left = 0;
    return taken;
  });
}

export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
