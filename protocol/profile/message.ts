/**
 * Messages: kinds of frames told apart by what stands in them, and what is read from each.
 *
 * ```
 *   frame ─ match ─→ message ─ steps ─→ values          the first message whose bytes fit
 * ```
 */
import { compileGroup, declareGroup, inPhases } from './group.ts';
import type { GroupDraft } from './group.ts';
import type { ChannelEntry } from './channel-table.ts';
import { conditionAt } from './context.ts';
import type { Context } from './context.ts';
import type { NumberExpression } from './expression/compile.ts';
import { compileComputed, compileField, declareField } from './fields.ts';
import type { FieldDraft } from './fields.ts';
import type { FrameKind, Known } from './frame-kind.ts';
import { conflicts } from './framing.ts';
import type { Framing } from './framing.ts';
import type { Machine, Step } from './machine.ts';
import { PHASES } from './plan.ts';
import type { Plan } from './plan.ts';
import type { Path } from './problems.ts';
import type { FieldValues, ProfileField } from './profile.ts';
import { compileRecords, declareRecords } from './records.ts';
import type { Discovered, RecordsDraft } from './records.ts';
import { compileRepeat, declareRepeat } from './repeat.ts';
import { parseNumber } from './schema-leaves.ts';
import type { FieldSpec, MessageSpec } from './spec.ts';
import { compileText } from './text-body.ts';

export interface CompiledMessage {
  readonly name: string;
  readonly direction: 'up' | 'down';
  readonly match: readonly Known[];
  /** Of the whole frame; undefined: any. */
  readonly length: number | undefined;
  readonly kind: FrameKind;
  /** Where its content must reach at least. */
  readonly needs: number;
  readonly steps: readonly Step[];
  readonly plans: readonly Plan[];
  readonly dropIf: NumberExpression | undefined;
  readonly time: NumberExpression | undefined;
  readonly fields: readonly ProfileField[];
  /** What unused bytes are filled with. */
  readonly fill: number;
}

/** A message whose fields are declared, in the order of the file. */
export interface MessageDraft {
  readonly name: string;
  readonly spec: MessageSpec;
  readonly path: Path;
  readonly fields: readonly (
    | {
        readonly kind: 'read';
        readonly draft: FieldDraft;
        readonly entries: readonly (ChannelEntry | undefined)[] | undefined;
      }
    | { readonly kind: 'computed'; readonly name: string; readonly spec: FieldSpec; readonly path: Path }
  )[];
  readonly groups: readonly GroupDraft[];
  readonly records: RecordsDraft | undefined;
}

/** Declares everything that is read in a message. */
export function declareMessage(name: string, spec: MessageSpec, path: Path, context: Context): MessageDraft {
  const fields: MessageDraft['fields'][number][] = [];
  const records = spec.records === undefined ? undefined : declareRecords(spec.records, [...path, 'records'], context);
  for (const [field, fieldSpec] of Object.entries(spec.fields ?? {})) {
    const fieldPath = [...path, 'fields', field];
    if (fieldSpec.value !== undefined) {
      fields.push({ kind: 'computed', name: field, spec: fieldSpec, path: fieldPath });
      continue;
    }
    for (const flag of flagFields(field, fieldSpec, fieldPath, context)) {
      const inText = flag.spec.column !== undefined || flag.spec.key !== undefined;
      if (inText && spec.text === undefined) {
        context.problems.add(fieldPath, 'column and key need text: in the message, such as text: { split: \'","\' }');
        continue;
      }
      const repeated = flag.spec.repeat !== undefined;
      const draft = declareField(flag.name, flag.spec, fieldPath, context, inText, !repeated);
      if (draft === undefined) continue;
      fields.push({ kind: 'read', draft, entries: repeated ? declareRepeat(draft, context) : undefined });
    }
  }
  const groups = Object.entries(spec.groups ?? {}).map(([group, groupSpec]) =>
    declareGroup(group, groupSpec, [...path, 'groups', group], context),
  );
  return { name, spec, path, fields, groups, records };
}

/** A field with `flags_as: bools` is a field for every flag; every other field is itself. */
function flagFields(
  name: string,
  spec: FieldSpec,
  path: Path,
  { problems }: Context,
): { name: string; spec: FieldSpec }[] {
  if (spec.flags_as !== 'bools') return [{ name, spec }];
  if (spec.flags === undefined) {
    problems.add([...path, 'flags_as'], 'needs flags');
    return [];
  }
  const { flags, ...rest } = spec;
  return Object.entries(flags).flatMap(([key, flag]) => {
    const bit = parseNumber(key);
    if (flag === '-' || bit === undefined) return [];
    return [{ name: flag, spec: { ...rest, title: undefined, flags_as: 'text', bit, type: spec.type ?? 'u8' } }];
  });
}

/** Compiles the computed fields of a message: all names of the profile that are read are known by now. */
export function compileComputedFields(draft: MessageDraft, context: Context): Plan[] {
  return draft.fields.flatMap((field) => {
    const plan = field.kind === 'computed' ? compileComputed(field.name, field.spec, field.path, context) : undefined;
    return plan === undefined ? [] : [plan];
  });
}

/** Compiles a message. */
export function compileMessage(
  draft: MessageDraft,
  computed: readonly Plan[],
  framing: Framing,
  context: Context,
  discovered: Discovered,
): CompiledMessage {
  const { name, spec, path } = draft;
  const { problems } = context;
  const plans: Plan[] = [];
  const add = (plan: Plan | undefined): void => {
    if (plan !== undefined) plans.push(plan);
  };
  const reads = draft.fields.flatMap((field) => (field.kind === 'read' ? [field] : []));
  const inText = reads.filter(({ draft }) => draft.spec.column !== undefined || draft.spec.key !== undefined);
  for (const { draft: field, entries } of reads) {
    if (inText.some((other) => other.draft === field)) continue;
    add(entries === undefined ? compileField(field, 'frame', context) : compileRepeat(field, entries, context));
  }
  if (spec.text !== undefined)
    add(
      compileText(
        spec.text,
        inText.map(({ draft }) => draft),
        [...path, 'text'],
        context,
      ),
    );
  for (const group of draft.groups) add(compileGroup(group, context));
  if (draft.records !== undefined) add(compileRecords(draft.records, context, discovered));
  plans.push(...computed);
  const { known, length } = compileMatch(spec, path, context);
  const kind = framing.kinds.find((candidate) => !conflicts(candidate, known)) ?? framing.kinds[0];
  if (conflicts(kind, known))
    problems.add([...path, 'match'], 'contradicts the sync of the framing: no frame will ever match');
  const needs = Math.max(0, ...plans.filter(({ phase }) => phase !== 'computed').map((plan) => plan.needs));
  const whole = length ?? kind.fixed;
  const most = whole ?? kind.max;
  for (const plan of plans) {
    if (plan.needs + kind.trailer <= most) continue;
    const limit =
      whole === undefined ? `frames have at most ${most} bytes (framing.max)` : `its frame has ${most} bytes`;
    const behind = kind.trailer === 0 ? '' : `, the last ${kind.trailer} of them checksum and tail`;
    problems.add([...path, 'fields', plan.name], `reaches to byte ${plan.needs}, but ${limit}${behind}`);
  }
  return {
    name,
    direction: spec.direction,
    match: known,
    length,
    kind,
    needs,
    steps: inPhases(plans),
    plans,
    dropIf: conditionAt(spec.drop_if, [...path, 'drop_if'], context),
    time: conditionAt(spec.time, [...path, 'time'], context),
    fields: plans.flatMap(({ fields }) => fields),
    fill: spec.fill ?? (spec.text === undefined ? 0 : 0x50),
  };
}

function compileMatch(
  spec: MessageSpec,
  path: Path,
  { problems }: Context,
): { known: Known[]; length: number | undefined } {
  const known: Known[] = [];
  for (const [key, value] of Object.entries(spec.match ?? {})) {
    const at = parseNumber(key);
    if (at === undefined || !Number.isInteger(at) || Math.abs(at) > 65_536) {
      problems.add([...path, 'match', key], 'must be an offset, such as 2, or −3 from the end', true);
      continue;
    }
    const { bytes, mask } = value instanceof Uint8Array ? { bytes: value, mask: undefined } : value;
    if (mask !== undefined && mask.length !== bytes.length) {
      problems.add([...path, 'match', key, 'mask'], 'a mask has as many bytes as the bytes it is for');
      continue;
    }
    known.push({ at, bytes, mask });
  }
  return { known, length: spec.length };
}

/** Whether a frame, as it is after its transform, is of this message. */
export function matches(message: CompiledMessage, data: Uint8Array, length: number): boolean {
  if (message.length !== undefined && message.length !== length) return false;
  const { match } = message;
  for (let m = 0; m < match.length; m++) {
    const { at, bytes, mask } = match[m]!;
    const from = at < 0 ? length + at : at;
    if (from < 0 || from + bytes.length > length) return false;
    for (let i = 0; i < bytes.length; i++) {
      const difference = data[from + i]! ^ bytes[i]!;
      if (difference !== 0 && (difference & (mask === undefined ? 0xff : mask[i]!)) !== 0) return false;
    }
  }
  return true;
}

/** Writes a message's content into `w.data`, which is filled, and returns the length of its frame. */
export function writeMessage(message: CompiledMessage, w: Machine, values: FieldValues): number {
  const { kind, match, plans } = message;
  const known = [...kind.known, ...match.filter(({ at }) => at >= 0)];
  w.base = 0;
  w.reach = 0;
  for (const { at, bytes } of known) {
    w.data.set(bytes, at);
    w.reach = Math.max(w.reach, at + bytes.length);
  }
  // A length that is matched, or that the match has put into the length field, is the length.
  let length = message.length ?? kind.fixed;
  const field = kind.length;
  if (
    length === undefined &&
    field !== undefined &&
    match.some(({ at, bytes }) => at <= field.at && at + bytes.length >= field.at + field.size)
  ) {
    length = field.total(w.data, field.at);
  }
  w.length = length ?? 0;
  w.end = length === undefined ? 0 : length - kind.trailer;
  if (field !== undefined) w.reach = Math.max(w.reach, field.at + field.size);
  const trace = w.trace;
  w.trace = undefined;
  for (const phase of PHASES) {
    if (phase === 'fromEnd') {
      const fromEnd = Math.max(kind.trailer, ...match.map(({ at }) => -at), ...plans.map(({ tail = 0 }) => tail));
      // Fields without a value are in the frame as well.
      length ??= Math.max(kind.min, Math.max(w.reach, message.needs) + fromEnd);
      w.length = length;
      w.end = length - kind.trailer;
    }
    for (const plan of plans) {
      if (plan.phase !== phase) continue;
      plan.write(w, values);
      // Conditions and counts of what follows look at what is written.
      if (phase === 'plain' && plan.name !== 'text') runQuietly(plan.run, w);
    }
  }
  w.trace = trace;
  if (length === undefined || length > kind.max)
    throw new RangeError(`${message.name}: a frame of ${length} bytes is too long`);
  // What tells the message wins over a field that reads the same bytes.
  for (const { at, bytes, mask } of [...kind.known, ...match]) {
    const from = at < 0 ? length + at : at;
    for (let i = 0; i < bytes.length; i++) {
      const bits = mask === undefined ? 0xff : mask[i]!;
      w.data[from + i] = (w.data[from + i]! & ~bits) | (bytes[i]! & bits);
    }
  }
  return length;
}

function runQuietly(step: Step, w: Machine): void {
  const { reach, end, length } = w;
  w.end = w.data.length;
  w.length = w.data.length;
  step(w);
  w.reach = reach;
  w.end = end;
  w.length = length;
  w.values = [];
}
