/**
 * Content that is text: columns, or lines of a key and a value.
 *
 * ```
 *   split ","                     GPGGA,080247.00,5327.04300,N,…          column 0, 1, 2 …
 *   lines CR LF, separator TAB    V⇥12065␍␊I⇥-7625␍␊                      key V, I
 *   lines CR LF, separator "("    1-0:1.8.1(004.426*kWh)␍␊                key 1-0:1.8.1, group 1
 *                                 0-1:24.2.1(170102192000W)(00107*m3)     group 2 is 00107
 * ```
 *
 * The text is cut once a frame into places; fields then read at theirs.
 */
import type { Context } from './context.ts';
import { conditionAt } from './context.ts';
import { fieldInfo, told } from './fields.ts';
import type { FieldDraft } from './fields.ts';
import type { Machine } from './machine.ts';
import { givenValue } from './plan.ts';
import type { Plan } from './plan.ts';
import type { Path } from './problems.ts';
import { clear, emitter } from './reader-step.ts';
import type { TextSpec } from './spec.ts';

/** So many columns are looked at; more are part of no sentence that is known. */
const MAX_COLUMNS = 128;
const MAX_GROUPS = 16;
const OPEN = 0x28;
const CLOSE = 0x29;

/** Compiles the fields of a text body. */
export function compileText(
  spec: TextSpec,
  drafts: readonly FieldDraft[],
  path: Path,
  context: Context,
): Plan | undefined {
  const { problems } = context;
  if ((spec.split === undefined) === (spec.lines === undefined)) {
    problems.add(path, 'needs either split (columns) or lines (and a separator between key and value)');
    return undefined;
  }
  if (spec.lines !== undefined && spec.separator === undefined) {
    problems.add(path, 'needs a separator between key and value');
    return undefined;
  }
  for (const draft of drafts) {
    const { column, key } = draft.spec;
    if (spec.split !== undefined && (column === undefined || key !== undefined)) {
      problems.add(draft.path, 'needs a column, the first being 0');
      return undefined;
    }
    if (spec.lines !== undefined && (key === undefined || column !== undefined)) {
      problems.add(draft.path, 'needs a key: the word at the beginning of its line');
      return undefined;
    }
  }
  return spec.split === undefined ? compileLines(spec, drafts, context) : compileColumns(spec, drafts, context);
}

/** Bytes behind the text, when its end counts from that of the frame. */
export function tailOf(to: number | undefined): number {
  return to !== undefined && to < 0 ? -to : 0;
}

function bounds(w: Machine, spec: TextSpec): [number, number] {
  const from = spec.from < 0 ? w.length + spec.from : spec.from;
  const to = spec.to === undefined ? w.end : spec.to < 0 ? w.length + spec.to : Math.min(spec.to, w.length);
  return [Math.max(0, Math.min(from, to)), Math.max(0, to)];
}

/** How a field reads the text between two places. */
function textEmitters(drafts: readonly FieldDraft[], context: Context) {
  return drafts.map((draft) => {
    const { name, spec, codec, channel, path } = draft;
    const slot = context.used.has(name) ? context.scope.find(name)!.slot : -1;
    const when = conditionAt(spec.when, [...path, 'when'], context);
    return { draft, slot, when, emit: emitter({ name, codec, slot, channel, spec, exponent: undefined }) };
  });
}

/** Those with a condition come last: it may be about another field of the same text. */
function conditionsLast<T extends { readonly when: unknown }>(all: readonly T[]): T[] {
  return [...all.filter(({ when }) => when === undefined), ...all.filter(({ when }) => when !== undefined)];
}

function compileColumns(spec: TextSpec, drafts: readonly FieldDraft[], context: Context): Plan {
  const separator = spec.split!;
  const readers = conditionsLast(textEmitters(drafts, context));
  const starts = new Int32Array(MAX_COLUMNS);
  const ends = new Int32Array(MAX_COLUMNS);
  const highest = Math.max(0, ...drafts.map(({ spec }) => spec.column!));
  return {
    name: 'text',
    phase: 'plain',
    run: (w) => {
      const [from, to] = bounds(w, spec);
      const count = splitInto(w.data, from, to, separator, starts, ends);
      for (const { draft, slot, when, emit } of readers) {
        clear(w, slot);
        const column = draft.spec.column!;
        if (column >= count) continue;
        if (when !== undefined && !(Math.abs(when(w)) > 0)) continue;
        const start = starts[column]!;
        const end = ends[column]!;
        if (end > start) emit(w, start, end, 0);
      }
    },
    write: (w, values) => {
      let at = spec.from;
      for (let column = 0; column <= highest; column++) {
        if (column > 0) at = put(w, at, separator);
        // Two fields may read one column, under different conditions.
        const fields = drafts.filter(({ spec }) => spec.column === column);
        const field = fields.find(({ name }) => givenValue(values, name) !== undefined);
        if (field === undefined) {
          // What the match has put there stays: "GGA," of a sentence is its first column.
          if (column === 0) at = find(w.data, at, w.reach, separator);
          continue;
        }
        at = putValue(w, at, field, givenValue(values, field.name)!);
      }
      w.reach = Math.max(at, spec.from);
    },
    fields: drafts.map((draft) => fieldInfo(draft, true)),
    needs: 0,
    tail: tailOf(spec.to),
  };
}

/** Cuts `data[from..to)` at every separator; returns how many columns there are. */
function splitInto(
  data: Uint8Array,
  from: number,
  to: number,
  separator: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
): number {
  let count = 0;
  let start = from;
  while (count < MAX_COLUMNS) {
    const end = find(data, start, to, separator);
    starts[count] = start;
    ends[count] = end;
    count++;
    if (end === to) break;
    start = end + separator.length;
  }
  return count;
}

/** Where `wanted` stands next in `data[from..to)`, or `to`. */
function find(data: Uint8Array, from: number, to: number, wanted: Uint8Array): number {
  const first = wanted[0]!;
  for (let at = from; at + wanted.length <= to; at++) {
    if (data[at] !== first) continue;
    let match = 1;
    while (match < wanted.length && data[at + match] === wanted[match]) match++;
    if (match === wanted.length) return at;
  }
  return to;
}

function compileLines(spec: TextSpec, drafts: readonly FieldDraft[], context: Context): Plan {
  const lineEnd = spec.lines!;
  const separator = spec.separator!;
  const inParentheses = separator.length === 1 && separator[0] === OPEN;
  const readers = conditionsLast(textEmitters(drafts, context));
  const byKey = new Map<string, number[]>();
  readers.forEach(({ draft }, i) => {
    const key = draft.spec.key!;
    const others = byKey.get(key);
    if (others === undefined) byKey.set(key, [i]);
    else others.push(i);
  });
  const longestKey = Math.max(0, ...[...byKey.keys()].map((key) => key.length));
  const starts = new Int32Array(readers.length);
  const ends = new Int32Array(readers.length);
  const groupStarts = new Int32Array(MAX_GROUPS);
  const groupEnds = new Int32Array(MAX_GROUPS);

  const readLine = (w: Machine, from: number, to: number): void => {
    const cut = find(w.data, from, to, separator);
    if (cut === to || cut - from > longestKey) return;
    let key = '';
    for (let i = from; i < cut; i++) key += String.fromCharCode(w.data[i]!);
    const wanted = byKey.get(key);
    if (wanted === undefined) return;
    let groups = 1;
    groupStarts[0] = cut + separator.length;
    groupEnds[0] = to;
    if (inParentheses) groups = readGroups(w.data, cut, to, groupStarts, groupEnds);
    for (const i of wanted) {
      const group = (readers[i]!.draft.spec.group ?? 1) - 1;
      // Of a key that comes twice the first counts.
      if (group >= groups || starts[i]! >= 0) continue;
      starts[i] = groupStarts[group]!;
      ends[i] = groupEnds[group]!;
    }
  };

  const order = [...byKey.keys()];
  return {
    name: 'text',
    phase: 'plain',
    run: (w) => {
      const [from, to] = bounds(w, spec);
      starts.fill(-1);
      for (let at = from; at < to; ) {
        const end = find(w.data, at, to, lineEnd);
        readLine(w, at, end);
        at = end + lineEnd.length;
      }
      for (let i = 0; i < readers.length; i++) {
        const { slot, when, emit } = readers[i]!;
        clear(w, slot);
        const start = starts[i]!;
        if (start < 0 || ends[i]! <= start) continue;
        if (when !== undefined && !(Math.abs(when(w)) > 0)) continue;
        emit(w, start, ends[i]!, 0);
      }
    },
    write: (w, values) => {
      let at = Math.max(spec.from, w.reach);
      // What the frame begins with is a line of its own, unless it is the end of one.
      if (at > 0 && !lineEnd.every((byte, i) => w.data[at - lineEnd.length + i] === byte)) at = put(w, at, lineEnd);
      for (const key of order) {
        const fields = byKey.get(key)!.map((i) => readers[i]!.draft);
        const given = fields.filter(({ name }) => givenValue(values, name) !== undefined);
        if (given.length === 0) continue;
        for (let i = 0; i < key.length; i++) w.data[at++] = key.charCodeAt(i);
        const groups = inParentheses ? Math.max(...given.map(({ spec }) => spec.group ?? 1)) : 1;
        for (let group = 1; group <= groups; group++) {
          at = put(w, at, separator);
          const field = given.find(({ spec }) => (spec.group ?? 1) === group);
          if (field !== undefined) at = putValue(w, at, field, givenValue(values, field.name)!);
          if (inParentheses) w.data[at++] = CLOSE;
        }
        at = put(w, at, lineEnd);
      }
      w.reach = at;
    },
    fields: drafts.map((draft) => fieldInfo(draft, true)),
    needs: 0,
    tail: tailOf(spec.to),
  };
}

/** The values in parentheses of `data[from..to)`; returns how many. */
function readGroups(data: Uint8Array, from: number, to: number, starts: Int32Array, ends: Int32Array): number {
  let count = 0;
  for (let at = from; at < to && count < MAX_GROUPS; at++) {
    if (data[at] !== OPEN) continue;
    let end = at + 1;
    while (end < to && data[end] !== CLOSE) end++;
    starts[count] = at + 1;
    ends[count] = end;
    count++;
    at = end;
  }
  return count;
}

function put(w: Machine, at: number, bytes: Uint8Array): number {
  if (at + bytes.length > w.data.length) throw new RangeError('the text does not fit the longest frame');
  w.data.set(bytes, at);
  return at + bytes.length;
}

function putValue(
  w: Machine,
  at: number,
  { name, codec }: FieldDraft,
  value: string | number | bigint | boolean,
): number {
  let end = at;
  told(name, () => {
    end = at + codec.sizeOf(value);
    if (end > w.data.length) throw new RangeError('does not fit the longest frame');
    codec.write(w.data, at, end, value);
  });
  return end;
}
