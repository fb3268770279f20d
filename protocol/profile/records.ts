/**
 * A list of records: each says by its tag what it is, and maybe how long.
 *
 * ```
 *   | 83 | 14 ef | 84 | 03 d0 | 85 | 63 | …            tag, value; the width comes from the tag's own fields (JK BMS)
 *   | 05 | 02 | 00 04 | 00 00 00 1e | …                tag, kind, length, value (Tuya)
 * ```
 */
import type { Value } from '../link/value.ts';
import type { ChannelEntry } from './channel-table.ts';
import { titleOf } from './channel-table.ts';
import type { Codec } from './codec.ts';
import { buildCodec } from './codec.ts';
import type { Context } from './context.ts';
import { compileField, declareField } from './fields.ts';
import type { FieldDraft } from './fields.ts';
import { inPhases } from './group.ts';
import type { Machine } from './machine.ts';
import { integerFormat } from './numbers.ts';
import { givenValue } from './plan.ts';
import type { Plan } from './plan.ts';
import type { Path } from './problems.ts';
import type { ProfileChannel } from './profile.ts';
import { compileRepeat, declareRepeat } from './repeat.ts';
import { parseNumber } from './schema-leaves.ts';
import type { FieldSpec, RecordKind, RecordsSpec } from './spec.ts';
import { shownValue } from './reader-step.ts';
import { tailOf } from './text-body.ts';

interface TagDraft {
  readonly tag: number;
  readonly path: Path;
  readonly drafts: readonly {
    readonly draft: FieldDraft;
    readonly entries: readonly (ChannelEntry | undefined)[] | undefined;
  }[];
}

export interface RecordsDraft {
  readonly spec: RecordsSpec;
  readonly path: Path;
  readonly tags: readonly TagDraft[];
}

/** Declares the fields of all listed tags. */
export function declareRecords(spec: RecordsSpec, path: Path, context: Context): RecordsDraft {
  const { problems } = context;
  const { max } = integerFormat(spec.tag.type, 'big');
  const tags: TagDraft[] = [];
  for (const [key, fields] of Object.entries(spec.tags)) {
    const tagPath = [...path, 'tags', key];
    const tag = parseNumber(key);
    if (tag === undefined || !Number.isInteger(tag) || tag < 0 || tag > max) {
      problems.add(tagPath, `a tag is a whole number from 0 to 0x${max.toString(16)}, such as 0x79`, true);
      continue;
    }
    const drafts: TagDraft['drafts'][number][] = [];
    for (const [name, fieldSpec] of Object.entries(fields)) {
      const fieldPath = [...tagPath, name];
      if (fieldSpec.value !== undefined) {
        problems.add([...fieldPath, 'value'], 'computed fields belong to `fields` of the message');
        continue;
      }
      const draft = declareField(name, fieldSpec, fieldPath, context, false, fieldSpec.repeat === undefined);
      if (draft === undefined) continue;
      drafts.push({ draft, entries: fieldSpec.repeat === undefined ? undefined : declareRepeat(draft, context) });
    }
    tags.push({ tag, path: tagPath, drafts });
  }
  if (spec.others.includes('{') ? !spec.others.includes('{tag}') : !['stop', 'skip', 'error'].includes(spec.others)) {
    problems.add([...path, 'others'], 'must be stop, skip, error, or a name with {tag}, such as dp_{tag}');
  }
  if (spec.others !== 'stop' && spec.others !== 'error' && spec.length === 'none') {
    problems.add(
      [...path, 'others'],
      `${spec.others} needs length: without it nobody knows where the next record begins`,
    );
  }
  return { spec, path, tags };
}

/** Channels that no file lists, told when they come. */
export interface Discovered {
  /** By number, made at their first value. */
  readonly channels: Map<number, ProfileChannel>;
  /** Those with a value in the frame at hand. */
  found: ProfileChannel[];
}

interface Tag {
  readonly tag: number;
  readonly steps: readonly Plan['run'][];
  readonly plans: readonly Plan[];
  /** How many bytes a value has, when that is fixed and no length says it. */
  readonly width: number;
}

/** Compiles the list. `discovered` is where channels of tags that are not listed go. */
export function compileRecords(draft: RecordsDraft, context: Context, discovered: Discovered): Plan | undefined {
  const { spec, path } = draft;
  const { order } = context;
  const tagFormat = integerFormat(spec.tag.type, spec.tag.order ?? order);
  const lengthFormat = spec.length === 'none' ? undefined : integerFormat(spec.length.type, spec.length.order ?? order);
  const lengthPlus = spec.length === 'none' ? 0 : spec.length.plus;
  const tags = new Map<number, Tag>();
  for (const { tag, drafts } of draft.tags) {
    const plans: Plan[] = [];
    for (const { draft: field, entries } of drafts) {
      const plan =
        entries === undefined ? compileField(field, 'element', context) : compileRepeat(field, entries, context);
      if (plan !== undefined) plans.push(plan);
    }
    tags.set(tag, { tag, steps: inPhases(plans), plans, width: Math.max(0, ...plans.map(({ needs }) => needs)) });
  }
  const kinds = new Map<number, RecordKind>();
  for (const [key, kind] of Object.entries(spec.kind?.kinds ?? {})) {
    const number = parseNumber(key);
    if (number === undefined) context.problems.add([...path, 'kind', 'kinds', key], 'must be a number', true);
    else kinds.set(number, kind);
  }
  const head = tagFormat.size + (spec.kind === undefined ? 0 : 1);
  const others = spec.others.includes('{') ? otherTags(spec.others, kinds, context, discovered) : undefined;
  const endOf = (w: Machine): number => (spec.to === undefined ? w.end : spec.to < 0 ? w.length + spec.to : spec.to);

  const run = (w: Machine): void => {
    const outer = { base: w.base, end: w.end };
    const stop = Math.min(endOf(w), w.length);
    let at = spec.from < 0 ? w.length + spec.from : spec.from;
    // Every round takes at least the tag.
    while (at + head <= stop && at >= 0) {
      const tag = tagFormat.read(w.data, at);
      const kind = spec.kind === undefined ? -1 : w.data[at + tagFormat.size]!;
      let from = at + head;
      let to = stop;
      if (lengthFormat !== undefined) {
        if (from + lengthFormat.size > stop) return fail(w, at);
        to = from + lengthFormat.size + lengthFormat.read(w.data, from) + lengthPlus;
        from += lengthFormat.size;
        if (to > stop || to < from) return fail(w, at);
      }
      const known = tags.get(tag);
      if (known === undefined) {
        if (spec.others === 'stop') break;
        if (spec.others === 'error') return fail(w, at);
        if (others !== undefined) others(w, tag, kind, from, to);
      } else {
        if (from + known.width > to) return fail(w, at);
        if (w.trace !== undefined)
          w.trace.push({ from: at, to: from, name: 'tag', value: `0x${tag.toString(16)}`, note: '' });
        w.base = from;
        w.end = to;
        w.reach = from + known.width;
        for (const step of known.steps) step(w);
        w.base = outer.base;
        w.end = outer.end;
        if (w.failedAt >= 0) return;
        if (lengthFormat === undefined) to = w.reach;
      }
      at = to;
    }
    w.reach = at;
  };

  return {
    name: 'records',
    phase: 'many',
    run,
    write: (w, values) => {
      const base = w.base;
      let at = spec.from;
      for (const { tag, plans } of tags.values()) {
        if (!plans.some(({ fields }) => fields.some(({ name }) => givenValue(values, name) !== undefined))) continue;
        tagFormat.write(w.data, at, tag);
        const lengthAt = at + head;
        const from = lengthAt + (lengthFormat?.size ?? 0);
        w.base = from;
        w.reach = from;
        for (const plan of plans) plan.write(w, values);
        if (spec.kind !== undefined) w.data[at + tagFormat.size] = kindOf(kinds, plans, w.reach - from);
        lengthFormat?.write(w.data, lengthAt, w.reach - from - lengthPlus);
        at = w.reach;
      }
      w.base = base;
      // A place for the end that is given leaves room for what follows.
      w.reach = at;
    },
    fields: [...tags.values()].flatMap(({ plans }) =>
      plans.flatMap(({ fields }) => fields.map((field) => ({ ...field, optional: true }))),
    ),
    needs: spec.from < 0 ? 0 : spec.from,
    tail: tailOf(spec.to),
  };
}

function fail(w: Machine, at: number): void {
  if (w.failedAt < 0) w.failedAt = Math.min(at, w.length);
}

/** The kind that suits a value that is to be written. */
function kindOf(kinds: ReadonlyMap<number, RecordKind>, plans: readonly Plan[], size: number): number {
  const kind = plans[0]?.fields[0]?.kind;
  const wanted: readonly RecordKind[] =
    kind === 'bool'
      ? ['bool']
      : kind === 'text'
        ? ['ascii', 'hex']
        : kind === 'flags'
          ? ['uint']
          : size === 1
            ? ['u8', 'i8']
            : ['i32', 'u32', 'u16', 'i16', 'int', 'uint'];
  for (const name of wanted) for (const [number, known] of kinds) if (known === name) return number;
  return [...kinds.keys()][0] ?? 0;
}

/** Reads tags that are not listed, each as a channel of its own, by what their kind byte says. */
function otherTags(
  template: string,
  kinds: ReadonlyMap<number, RecordKind>,
  context: Context,
  discovered: Discovered,
): (w: Machine, tag: number, kind: number, from: number, to: number) => void {
  const codecs = new Map<string, Codec | undefined>();
  const codecOf = (kind: RecordKind, size: number): Codec | undefined => {
    const key = `${kind} ${size}`;
    if (!codecs.has(key)) codecs.set(key, kindCodec(kind, size, context));
    return codecs.get(key);
  };
  return (w, tag, kind, from, to) => {
    // Channels that are listed have the low numbers, these the high ones; a tag keeps its number for ever.
    const number = 255 - tag;
    const named = kinds.get(kind) ?? 'hex';
    if (number < context.channels.size || to - from > 255) return;
    const codec = codecOf(named, to - from);
    if (codec === undefined) return;
    const value = codec.read(w.data, from, to);
    const alias = template.replaceAll('{tag}', String(tag));
    if (w.trace !== undefined) {
      w.trace.push({ from, to, name: alias, value: shownValue(value, codec.scale, undefined), note: named });
    }
    if (value === undefined) return;
    let channel = discovered.channels.get(number);
    if (channel === undefined) {
      channel = otherChannel(number, alias, codec.type);
      discovered.channels.set(number, channel);
    }
    discovered.found.push(channel);
    w.values.push({ channel: number, type: codec.type, quality: 'good', value });
  };
}

function otherChannel(number: number, alias: string, type: Value['type']): ProfileChannel {
  return {
    number,
    alias,
    title: titleOf(alias),
    type,
    scale: 0,
    unit: '',
    class: 'none',
    diagnostic: false,
    totalIncreasing: false,
    precision: undefined,
    options: undefined,
    range: undefined,
    command: undefined,
    readable: true,
    repeated: true,
  };
}

/** The codec of a kind at a size; undefined when they do not go together. */
function kindCodec(kind: RecordKind, size: number, { problems, order }: Context): Codec | undefined {
  if (size === 0) return undefined;
  const type =
    kind === 'uint' || kind === 'int'
      ? (`${kind === 'uint' ? 'u' : 'i'}${8 * size}` as FieldSpec['type'] & string)
      : kind;
  const width = /^[ui](\d+)$/.exec(type)?.[1];
  if (width !== undefined && (Number(width) !== 8 * size || size > 8))
    return kindCodec('hex', size, { problems, order } as Context);
  if (kind === 'bool' && size !== 1) return undefined;
  const spec = {
    type: type as NonNullable<FieldSpec['type']>,
    ...(kind === 'hex' || kind === 'ascii' ? { size } : {}),
  };
  return buildCodec(spec, { order, path: [], problems, inText: false });
}
