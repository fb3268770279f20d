/** Parameters of a profile: what the configuration may set for a device, such as its address on a bus. */
import { encodeUtf8, utf8Length } from '../utf8.ts';
import type { Machine, Scope } from './machine.ts';
import { integerFormat, isIntegerType } from './numbers.ts';
import type { NumberFormat } from './numbers.ts';
import type { Path, Problems } from './problems.ts';
import type { ParameterProblem, ProfileParameter } from './profile.ts';
import { parseNumber } from './schema-leaves.ts';
import type { Order, ParameterSpec } from './spec.ts';
import { fromHex } from './text-value.ts';

export interface CompiledParameter {
  readonly name: string;
  readonly kind: 'number' | 'text' | 'bytes';
  readonly format: NumberFormat | undefined;
  readonly size: number | undefined;
  readonly reversed: boolean;
  readonly slot: number;
  readonly range: readonly [number, number] | undefined;
  readonly fallback: string | undefined;
  readonly description: string | undefined;
}

/** A value in every form that is needed. */
export interface ParameterValue {
  readonly number: number;
  readonly text: string;
  readonly bytes: Uint8Array;
}

export type ParameterValues = ReadonlyMap<string, ParameterValue>;

/** Compiles the declarations, and declares their names. */
export function compileParameters(
  specs: Readonly<Record<string, ParameterSpec>>,
  scope: Scope,
  order: Order,
  path: Path,
  problems: Problems,
): Map<string, CompiledParameter> {
  const parameters = new Map<string, CompiledParameter>();
  for (const [name, spec] of Object.entries(specs)) {
    const isNumber = isIntegerType(spec.type as 'u8');
    const kind = isNumber ? 'number' : spec.type === 'hex' ? 'bytes' : 'text';
    const own = spec.order ?? order;
    const slot = scope.declare(name, isNumber ? 'number' : 'text')!;
    const format = isNumber ? integerFormat(spec.type as 'u8', own) : undefined;
    const parameter: CompiledParameter = {
      name,
      kind,
      format,
      size: spec.size,
      reversed: kind === 'bytes' && own === 'little',
      slot,
      range: spec.range ?? (format === undefined ? undefined : [format.min, format.max]),
      fallback: spec.default,
      description: spec.description,
    };
    if (name === 'value' || name === 'checksum' || name === 'length') {
      problems.add([...path, name], `${name} means something else in templates; choose another name`, true);
    }
    if (spec.default !== undefined) {
      const read = readParameter(parameter, spec.default);
      if (typeof read === 'string') problems.add([...path, name, 'default'], read);
    }
    parameters.set(name, parameter);
  }
  return parameters;
}

/** What the contract tells of them. */
export function describeParameter({ name, kind, range, fallback, description }: CompiledParameter): ProfileParameter {
  const value = fallback === undefined ? undefined : kind === 'number' ? parseNumber(fallback) : fallback;
  return { name, kind, description, default: value, range };
}

/** Reads a value from a configuration; a text says what would be right. */
export function readParameter(parameter: CompiledParameter, given: unknown): ParameterValue | string {
  const { kind, format, range, size } = parameter;
  if (kind === 'number') {
    const number = typeof given === 'number' ? given : typeof given === 'string' ? parseNumber(given) : undefined;
    const [least, most] = range!;
    if (number === undefined || !Number.isInteger(number) || number < least || number > most) {
      return `must be a whole number from ${least} to ${most}`;
    }
    const bytes = new Uint8Array(format!.size);
    format!.write(bytes, 0, number);
    return { number, text: String(number), bytes };
  }
  // A row of digits may have been read as a number.
  const text = typeof given === 'number' ? String(given) : given;
  if (typeof text !== 'string') return 'must be text';
  if (kind === 'bytes') {
    const bytes = fromHex(text.replaceAll(/[\s:]/g, ''));
    const padded = bytes ?? undefined;
    if (
      padded === undefined ||
      (size !== undefined && padded.length !== size) ||
      padded.length === 0 ||
      padded.length > 64
    ) {
      return size === undefined
        ? 'must be bytes in hex digits'
        : `must be ${size} bytes: ${2 * size} hex digits, in quotes`;
    }
    const shown = Array.from(padded, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return { number: Number.NaN, text: shown, bytes: parameter.reversed ? padded.toReversed() : padded };
  }
  if (text.length === 0 || text.length > 128 || /\p{Cs}/u.test(text)) return 'must be text of 1 to 128 characters';
  return { number: Number.NaN, text, bytes: utf8Length(text) > 0 ? encodeUtf8(text) : new Uint8Array(0) };
}

/** What is wrong with values of a configuration. */
export function parameterProblems(
  parameters: ReadonlyMap<string, CompiledParameter>,
  given: Readonly<Record<string, unknown>>,
): ParameterProblem[] {
  const problems: ParameterProblem[] = [];
  for (const name of Object.keys(given)) {
    if (parameters.has(name)) continue;
    const names = [...parameters.keys()];
    const list = names.length === 0 ? 'the profile has no parameters' : `the profile has ${names.join(', ')}`;
    problems.push({ name, message: `there is no such parameter; ${list}` });
  }
  for (const parameter of parameters.values()) {
    const value = given[parameter.name] ?? parameter.fallback;
    if (value === undefined) {
      problems.push({ name: parameter.name, message: 'is missing: the profile cannot do without' });
      continue;
    }
    const read = readParameter(parameter, value);
    if (typeof read === 'string') problems.push({ name: parameter.name, message: read });
  }
  return problems;
}

/** The values that an instance works with; RangeError for what `parameterProblems` tells of. */
export function openParameters(
  parameters: ReadonlyMap<string, CompiledParameter>,
  given: Readonly<Record<string, unknown>>,
): ParameterValues {
  const [problem] = parameterProblems(parameters, given);
  if (problem !== undefined) throw new RangeError(`parameter ${problem.name} ${problem.message}`);
  const values = new Map<string, ParameterValue>();
  for (const parameter of parameters.values()) {
    const read = readParameter(parameter, given[parameter.name] ?? parameter.fallback);
    if (typeof read !== 'string') values.set(parameter.name, read);
  }
  return values;
}

/** Puts the values where expressions look. */
export function fillParameters(
  parameters: ReadonlyMap<string, CompiledParameter>,
  values: ParameterValues,
  w: Machine,
): void {
  for (const { name, slot, kind } of parameters.values()) {
    const { number, text } = values.get(name)!;
    w.numbers[slot] = kind === 'number' ? number : Number.NaN;
    w.texts[slot] = kind === 'number' ? undefined : text;
  }
}
