/**
 * The smallest parts of a profile file: numbers, bytes, names, expressions.
 *
 * A profile is read with every scalar as text, so that `tail: 77` is the byte 77 and not the number, and `names` may hold
 * `off`; what a text means is said here. Numbers are taken too, for maps of registers that come out of a configuration.
 */
import { z } from 'zod';

/** A leaf of the file: what it is written as, and what it is read as. */
export type Leaf<T> = z.ZodType<T, string | number | boolean>;

export const ALIAS: RegExp = /^[a-z0-9_]{1,32}$/;
const NUMBER = /^[+-]?(?:0[xX][0-9a-fA-F]{1,16}|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)$/;
const HEX = /^(?:[0-9a-fA-F]{2}[\s,:_-]*)*$/;

/** The number that a text stands for, or undefined. */
export function parseNumber(text: string): number | undefined {
  const trimmed = text.trim();
  if (!NUMBER.test(trimmed)) return undefined;
  const negative = trimmed.startsWith('-');
  const value = Number(trimmed.replace(/^[+-]/, ''));
  return Number.isFinite(value) ? (negative ? -value : value) : undefined;
}

/**
 * The bytes that a text stands for: hex digits in pairs, and text in double or single quotes (with \r \n \t \0 \\ and \xNN
 * inside), in any mixture: `0d 0a "Checksum\t"`. Undefined when it is neither.
 */
export function parseBytes(text: string): Uint8Array | undefined {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; ) {
    const quote = text[at]!;
    if (quote === '"' || quote === "'") {
      at++;
      for (;;) {
        const character = text[at++];
        if (character === undefined) return undefined;
        if (character === quote) break;
        if (character !== '\\') {
          const code = character.charCodeAt(0);
          if (code > 0x7e) return undefined;
          bytes.push(code);
          continue;
        }
        const escaped = text[at++];
        const simple = escaped === undefined ? -1 : 'rnt0\\"\''.indexOf(escaped);
        if (simple >= 0) {
          bytes.push([0x0d, 0x0a, 0x09, 0x00, 0x5c, 0x22, 0x27][simple]!);
        } else if (escaped === 'x' && /^[0-9a-fA-F]{2}$/.test(text.slice(at, at + 2))) {
          bytes.push(Number.parseInt(text.slice(at, at + 2), 16));
          at += 2;
        } else {
          return undefined;
        }
      }
      continue;
    }
    let end = at;
    while (end < text.length && text[end] !== '"' && text[end] !== "'") end++;
    const hex = text.slice(at, end).trim();
    if (!HEX.test(hex)) return undefined;
    for (const pair of hex.match(/[0-9a-fA-F]{2}/g) ?? []) bytes.push(Number.parseInt(pair, 16));
    at = end;
  }
  return Uint8Array.from(bytes);
}

interface NumberLimits {
  readonly min?: number;
  readonly max?: number;
  readonly whole?: boolean;
}

/** A number: decimal, or hex with 0x. */
export function num(limits: NumberLimits = {}): Leaf<number> {
  const { min, max, whole = false } = limits;
  const span = min === undefined && max === undefined ? '' : ` from ${min ?? '…'} to ${max ?? '…'}`;
  const wanted = `must be a ${whole ? 'whole ' : ''}number${span}, such as ${whole ? '12 or 0x1f' : '12 or 0.1'}`;
  return z.union([z.number(), z.string().regex(NUMBER, wanted)], { error: wanted }).transform((value, context) => {
    const read = typeof value === 'number' ? value : (parseNumber(value) ?? Number.NaN);
    const fits = (!whole || Number.isSafeInteger(read)) && read >= (min ?? -Infinity) && read <= (max ?? Infinity);
    if (fits) return read;
    context.addIssue({ code: 'custom', message: wanted });
    return z.NEVER;
  });
}

/** A whole number. */
export function int(min?: number, max?: number): Leaf<number> {
  return num({ whole: true, ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) });
}

/** An offset in a frame: from its first byte, or negative from its end. */
export const offset: Leaf<number> = int(-65_536, 65_536);

/** Bytes: hex digits, or text in quotes. A number of YAML's own is refused, because 10 could mean 0x10 or ten. */
export function bytes(min = 1, max = 1_024): Leaf<Uint8Array> {
  const wanted = `must be bytes in hex, such as 42 4d, or text in quotes, such as '"OK"'${min === max ? ` (${min} of them)` : ''}`;
  return z.string({ error: wanted }).transform((value, context) => {
    const read = parseBytes(value);
    if (read !== undefined && read.length >= min && read.length <= max) return read;
    context.addIssue({ code: 'custom', message: wanted });
    return z.NEVER;
  });
}

/** One byte in hex. */
export const byte: Leaf<number> = bytes(1, 1).transform((value) => value[0]!);

/** true or false. */
export const bool: Leaf<boolean> = z
  .union([z.boolean(), z.enum(['true', 'false'])], { error: 'must be true or false' })
  .transform((value) => value === true || value === 'true');

/** Text of one to `max` characters. */
export function text(max = 200): z.ZodType<string, string> {
  return z
    .string({ error: 'must be text' })
    .min(1, 'must not be empty')
    .max(max, `must have at most ${max} characters`);
}

/** Text that YAML may have read as a number or a boolean. */
export function word(max = 200): Leaf<string> {
  return z
    .union([z.string(), z.number(), z.boolean()], { error: 'must be text' })
    .transform((value) => String(value))
    .pipe(z.string().min(1, 'must not be empty').max(max, `must have at most ${max} characters`));
}

/** The name of a field, message, poll … */
export const alias: z.ZodType<string, string> = z
  .string()
  .regex(ALIAS, 'must be a name of 1 to 32 of a-z, 0-9 and _, such as pm2_5');

/** An expression over fields and parameters. */
export const expression: Leaf<string> = word(500);

/** One of a few words. */
export function oneOf<const T extends readonly [string, ...string[]]>(names: T): z.ZodType<T[number], string> {
  return z.enum(names, { error: `must be one of ${names.join(', ')}` });
}

/** A list, or one entry without the brackets. */
export function listOf<T extends z.ZodType>(entry: T, max = 64): z.ZodType<z.output<T>[], z.input<T> | z.input<T>[]> {
  return z
    .union([z.array(entry).min(1, 'must not be empty').max(max, `must have at most ${max} entries`), entry])
    .transform((value) => (Array.isArray(value) ? value : [value]));
}

/** A duration in seconds, read as milliseconds. */
export function seconds(max = 86_400): Leaf<number> {
  return num({ min: 0.001, max }).transform((value) => Math.round(value * 1_000));
}
