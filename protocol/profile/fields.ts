/**
 * One field of a message: its bytes, its conversion, its channel and its slot for expressions.
 *
 * ```
 *   at 4        | sync . . | VV VV | . . .        from the first byte of the frame (or of its element, record)
 *   at −6       | . . . | VV VV | CK CK TT TT |   from the end of the frame
 * ```
 *
 * Fields are declared first, all of a profile, so that expressions know every name; then they are compiled.
 */
import type { Value } from '../link/value.ts';
import type { ChannelEntry } from './channel-table.ts';
import { buildCodec } from './codec.ts';
import type { Codec } from './codec.ts';
import { conditionAt, expressionAt } from './context.ts';
import type { Context } from './context.ts';
import type { Expression } from './expression/compile.ts';
import { compileExponent } from './exponent.ts';
import type { Machine, Step } from './machine.ts';
import { compileMeasure } from './measure.ts';
import type { Measure } from './measure.ts';
import { givenValue } from './plan.ts';
import type { Plan } from './plan.ts';
import type { Path } from './problems.ts';
import type { ProfileField } from './profile.ts';
import { readerStep } from './reader-step.ts';
import { SimpleField } from './simple-field.ts';
import type { FieldSpec } from './spec.ts';

/** A field that is declared: everything but its expressions. */
export interface FieldDraft {
  readonly name: string;
  readonly spec: FieldSpec;
  readonly path: Path;
  readonly codec: Codec;
  /** Undefined when hidden; of a repeat its first one. */
  readonly channel: ChannelEntry | undefined;
}

/** Builds the codec, and declares slot and channel. `inText`: the field stands in text. Computed fields come later. */
export function declareField(
  name: string,
  spec: FieldSpec,
  path: Path,
  context: Context,
  inText: boolean,
  channel = true,
): FieldDraft | undefined {
  const { problems, scope, channels, order } = context;
  const codec = buildCodec(spec, { order, path, problems, inText });
  if (codec === undefined) return undefined;
  if (
    scope.declare(
      name,
      codec.kind === 'text' || (codec.type === 'string' && codec.text !== undefined)
        ? 'text'
        : codec.kind === 'bool'
          ? 'bool'
          : 'number',
    ) === undefined
  ) {
    problems.add(path, `${name} is text in one place and a number in another; give it another name`);
    return undefined;
  }
  if (spec.exponent !== undefined && codec.kind !== 'number') {
    problems.add([...path, 'exponent'], 'needs a number');
    return undefined;
  }
  const shape = spec.exponent === undefined ? codec : { type: 'f64' as const, scale: 0, options: undefined };
  const entry = spec.hidden || !channel ? undefined : channels.declare(name, shape, spec, path);
  return { name, spec, path, codec, channel: entry };
}

/** Declares and compiles a computed field; it sees what is declared so far. */
export function compileComputed(name: string, spec: FieldSpec, path: Path, context: Context): Plan | undefined {
  const { problems, scope, channels, used } = context;
  for (const key of [
    'at',
    'type',
    'scale',
    'divisor',
    'offset',
    'names',
    'flags',
    'bit',
    'bits',
    'mask',
    'repeat',
    'none',
  ] as const) {
    if (spec[key] !== undefined)
      problems.add([...path, key], 'a computed field has no bytes of its own; put it into the expression');
  }
  const expression = expressionAt(spec.value!, [...path, 'value'], context);
  if (expression === undefined) return undefined;
  const { kind } = expression;
  const slot = scope.declare(name, kind);
  if (slot === undefined) {
    problems.add(path, `${name} is text in one place and a number in another; give it another name`);
    return undefined;
  }
  const type = kind === 'bool' ? 'bool' : kind === 'text' ? 'string' : 'f64';
  const entry = spec.hidden ? undefined : channels.declare(name, { type, scale: 0, options: undefined }, spec, path);
  const when = conditionAt(spec.when, [...path, 'when'], context);
  const run = computedStep(name, spec, expression, slot, entry, when);
  // A later expression may look at it.
  used.add(name);
  return { name, phase: 'computed', run, write: () => {}, fields: [], needs: 0 };
}

function computedStep(
  name: string,
  spec: FieldSpec,
  expression: Expression,
  slot: number,
  entry: ChannelEntry | undefined,
  when: ((w: Machine) => number) | undefined,
): Step {
  const decimals = spec.precision;
  const range = spec.range;
  const channel = entry?.number ?? -1;
  const isText = expression.kind === 'text';
  const type = expression.kind === 'bool' ? 'bool' : isText ? 'string' : 'f64';
  return (w) => {
    w.numbers[slot] = Number.NaN;
    if (isText) w.texts[slot] = undefined;
    if (when !== undefined && !(when(w) > 0 || when(w) < 0)) return;
    let value: Value['value'];
    let quality: Value['quality'] = 'good';
    if (expression.kind === 'text') {
      const text = expression.run(w);
      if (text === undefined) return;
      w.texts[slot] = text;
      value = text;
    } else {
      const raw = expression.run(w);
      if (!Number.isFinite(raw)) return;
      const number = decimals === undefined ? raw : rounded(raw, decimals);
      w.numbers[slot] = number;
      if (range !== undefined && (number < range[0] || number > range[1])) quality = 'out_of_range';
      value = expression.kind === 'bool' ? number !== 0 : number;
    }
    if (channel >= 0) w.values.push({ channel, type, quality, value });
    if (w.trace !== undefined)
      w.trace.push({ from: -1, to: -1, name, value: `${String(value)}${unitText(spec)}`, note: 'computed' });
  };
}

/** To so many decimals; what is too large to have any is left as it is. */
function rounded(value: number, decimals: number): number {
  const factor = 10 ** decimals;
  const scaled = value * factor;
  return Math.abs(scaled) < Number.MAX_SAFE_INTEGER ? Math.round(scaled) / factor : value;
}

function unitText(spec: FieldSpec): string {
  return spec.unit === undefined ? '' : ` ${spec.unit}`;
}

/** Where an element of a group or a record begins its own offsets, negative ones mean nothing. */
export type Within = 'frame' | 'element';

/** Compiles a declared field at a fixed place. */
export function compileField(draft: FieldDraft, within: Within, context: Context): Plan | undefined {
  const { name, spec, path, codec, channel } = draft;
  const { problems, scope, used, order } = context;
  const { at } = spec;
  if (at === undefined) {
    problems.add(path, 'needs a place: at, or value for a computed field, or column or key in text');
    return undefined;
  }
  if (at < 0 && within === 'element') {
    problems.add([...path, 'at'], 'must not be negative in an element or record');
    return undefined;
  }
  const sized: Measure | 'end' | number =
    codec.fixedSize ?? (typeof spec.size === 'object' ? compileMeasure(spec.size, order) : 'end');
  const when = conditionAt(spec.when, [...path, 'when'], context);
  const slot = used.has(name) ? scope.find(name)!.slot : -1;
  const exponent = spec.exponent === undefined ? undefined : compileExponent(spec.exponent, order);
  const run = readerStep({
    name,
    at,
    sized,
    codec,
    slot,
    channel,
    spec,
    when,
    exponent,
    lenient: spec.optional,
    within,
  });
  const fixed = typeof sized === 'number';
  return {
    name,
    phase: at < 0 ? 'fromEnd' : when !== undefined ? 'condition' : 'plain',
    run,
    write: (w, values) => {
      if (when !== undefined && !(Math.abs(when(w)) > 0)) return;
      const given = givenValue(values, name);
      const from = at < 0 ? w.length + at : w.base + at;
      if (given === undefined) {
        if (codec.writeNone === undefined || !fixed) return;
        codec.writeNone(w.data, from, from + sized);
        w.reach = Math.max(w.reach, from + sized);
        return;
      }
      const value = exponent === undefined ? given : exponent.write(w, given, codec);
      let size = typeof sized === 'number' ? sized : codec.sizeOf(value);
      // Text up to the end of a frame of known length fills it.
      if (sized === 'end' && w.end > from) size = Math.max(size, w.end - from);
      if (from < 0 || from + size > w.data.length) throw new RangeError(`${name} does not fit the frame`);
      told(name, () => codec.write(w.data, from, from + size, value));
      if (typeof sized === 'object') sized.write(w, size);
      w.reach = Math.max(w.reach, from + size);
    },
    simple:
      within === 'frame' && at >= 0 && when === undefined && exponent === undefined && !spec.optional
        ? simpleField(codec, spec, at, channel, slot)
        : undefined,
    fields: [fieldInfo(draft, spec.optional || codec.writeNone !== undefined)],
    tail: at < 0 ? -at : 0,
    needs: fixed && at >= 0 && !spec.optional && when === undefined ? at + sized : 0,
  };
}

/** The fast form of a field, if it has one. */
export function simpleField(
  codec: Codec,
  spec: FieldSpec,
  at: number,
  channel: ChannelEntry | undefined,
  slot: number,
): SimpleField | undefined {
  if (codec.simple === undefined || channel?.mixed === true) return undefined;
  return new SimpleField(codec.simple, at, channel?.number ?? -1, codec.type, slot, 10 ** -codec.scale, spec.range);
}

/** Says of which field a value does not fit. */
export function told(name: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    if (error instanceof RangeError) throw new RangeError(`${name}: ${error.message}`);
    throw error;
  }
}

/** What the simulator needs to know of a field. */
export function fieldInfo(
  { name, spec, codec }: Pick<FieldDraft, 'name' | 'spec' | 'codec'>,
  optional: boolean,
  index?: number,
): ProfileField {
  return {
    name,
    hidden: spec.hidden,
    kind: codec.kind,
    limits: codec.limits,
    step: codec.step,
    range: spec.range,
    options: codec.options,
    maxBytes: codec.maxBytes,
    text: codec.text,
    index,
    optional,
    class: spec.class ?? 'none',
    unit: spec.unit ?? '',
    totalIncreasing: spec.total_increasing,
  };
}
