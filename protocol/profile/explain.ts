/**
 * A frame for people: every byte with a name.
 *
 * ```
 *   0–2   42 4d        sync
 *   2–4   00 1c        length     28
 *   12–14 00 0c        pm2_5      12 µg/m³
 *   30–32 03 1e        checksum   computed 031e, received 031e
 * ```
 */
import type { CompiledProfile } from './compiled.ts';
import type { FrameKind } from './frame-kind.ts';
import type { Located } from './instance.ts';
import type { Machine, Trace } from './machine.ts';
import type { CompiledMessage } from './message.ts';
import type { ParameterValues } from './parameters.ts';
import type { ExplainedPart, FrameExplanation } from './profile.ts';
import { toHex } from './text-value.ts';

type Locate = (frame: Uint8Array, w: Machine) => Located;

const REASONS: Readonly<Record<string, string>> = {
  'bad-length': 'its length is not what its length field or its ending says',
  'too-long': 'it is longer than a frame may be',
  'bad-trailer': 'it does not end as frames do',
  noise: 'it does not begin as frames do',
};

export function explainFrame(
  given: Uint8Array,
  rules: CompiledProfile,
  parameters: ParameterValues,
  w: Machine,
  locate: Locate,
): FrameExplanation {
  const { framing } = rules;
  const bytes = unescaped(given, rules);
  const reason = framing.judge(bytes);
  const request = rules.requests.find(({ template }) => template.recognise(bytes, parameters) !== undefined);
  if (request !== undefined && reason !== undefined) {
    const parts = request.template
      .describe(bytes, parameters)
      .map(({ from, to, name }) => ({ from, to, name, value: toHex(bytes, from, to), note: '' }));
    return { bytes, message: `request ${request.name}`, problem: undefined, parts, computed: [] };
  }
  const kind = framing.kindOf(bytes);
  const frameParts = partsOfFrame(bytes, kind);
  const memory = { numbers: w.numbers.slice(), texts: [...w.texts] };
  const located = locate(bytes, w);
  const trace: Trace[] = [];
  let problem = problemOf(bytes, rules, reason);
  let message: CompiledMessage | undefined;
  if (located.ok) {
    message = located.message;
    w.trace = trace;
    w.values = [];
    for (const step of message.steps) step(w);
    w.trace = undefined;
    if (w.failedAt >= 0) problem ??= `the content contradicts itself at byte ${w.failedAt}`;
    else if (message.dropIf !== undefined && message.dropIf(w) > 0) problem ??= 'drop_if of the message holds';
  } else {
    problem ??=
      located.code === 'short-frame'
        ? `too short for the message ${located.name}`
        : 'no message of the profile looks like this';
  }
  const read = trace.filter(({ from }) => from >= 0);
  const fields = read.map(({ from, to, name, value, note }) => ({
    from,
    to: Math.min(to, bytes.length),
    name,
    value,
    note,
  }));
  const matched = (message?.match ?? []).map(({ at, bytes: wanted }) => {
    const from = at < 0 ? bytes.length + at : at;
    return { from, to: from + wanted.length, name: 'match', value: toHex(wanted), note: `says ${message?.name ?? ''}` };
  });
  const parts = complete([...frameParts, ...fields], matched, bytes);
  const computed = trace.filter(({ from }) => from < 0).map(({ name, value }) => ({ name, value }));
  // To look at a frame is not to receive it.
  w.numbers.set(memory.numbers);
  w.texts.splice(0, w.texts.length, ...memory.texts);
  return { bytes, message: message?.name, problem, parts, computed };
}

/** A frame as given may still be stuffed. */
function unescaped(given: Uint8Array, { framing }: CompiledProfile): Uint8Array {
  const { escape } = framing;
  if (
    escape === undefined ||
    framing.judge(given) === undefined ||
    (escape.flag !== undefined && given[0] !== escape.flag)
  )
    return given;
  const decoder = escape.createDecoder(framing.max);
  decoder.push(given.slice());
  for (let item = decoder.next(); item !== undefined; item = decoder.next())
    if (item.kind === 'frame') return item.bytes.slice();
  return given;
}

function problemOf(bytes: Uint8Array, { framing }: CompiledProfile, reason: string | undefined): string | undefined {
  if (reason === undefined) return undefined;
  const failure = framing.failedChecksum(bytes);
  if (reason === 'bad-checksum' && failure !== undefined) {
    return `the checksum is wrong: computed ${failure.computed}, received ${failure.received}`;
  }
  return REASONS[reason] ?? reason;
}

function partsOfFrame(bytes: Uint8Array, kind: FrameKind): ExplainedPart[] {
  const parts: ExplainedPart[] = [];
  const add = (from: number, size: number, name: string, value: string, note = ''): void => {
    const to = Math.min(from + size, bytes.length);
    if (from >= 0 && from < to) parts.push({ from, to, name, value, note });
  };
  for (const { at, bytes: wanted } of kind.known) add(at, wanted.length, 'sync', toHex(wanted));
  if (kind.length !== undefined && kind.length.at + kind.length.size <= bytes.length) {
    const total = kind.length.total(bytes, kind.length.at);
    add(
      kind.length.at,
      kind.length.size,
      'length',
      `${total} bytes in all`,
      total === bytes.length ? '' : `there are ${bytes.length}`,
    );
  }
  const { length } = bytes;
  if (kind.tail.length > 0 && length >= kind.tail.length)
    add(length - kind.tail.length, kind.tail.length, 'tail', toHex(kind.tail));
  if (kind.marker !== undefined) {
    const size = kind.marker.bytes.length;
    add(length - kind.marker.plus - size, size, 'marker', toHex(kind.marker.bytes));
  }
  for (const check of kind.checks) {
    const { at, size } = check.placeIn(length);
    const failure = check.failure(bytes);
    const value = failure === undefined ? 'right' : 'wrong';
    add(
      at,
      size,
      'checksum',
      value,
      failure === undefined ? '' : `computed ${failure.computed}, received ${failure.received}`,
    );
  }
  return parts;
}

/** In order, with what is matched and what nobody reads in the gaps. */
function complete(
  known: readonly ExplainedPart[],
  matched: readonly ExplainedPart[],
  bytes: Uint8Array,
): ExplainedPart[] {
  const covered = new Uint8Array(bytes.length);
  for (const { from, to } of known) covered.fill(1, from, to);
  const parts = [...known];
  for (const part of matched) {
    if (part.from < 0 || part.to > bytes.length) continue;
    if (covered.subarray(part.from, part.to).includes(0)) parts.push(part);
    covered.fill(1, part.from, part.to);
  }
  for (let at = 0; at < bytes.length; at++) {
    if (covered[at] === 1) continue;
    let to = at;
    while (to < bytes.length && covered[to] === 0) to++;
    parts.push({ from: at, to, name: 'unused', value: toHex(bytes, at, to), note: '' });
    at = to - 1;
  }
  return parts.toSorted((a, b) => a.from - b.from || a.to - b.to);
}
