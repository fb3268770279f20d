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
  'bad-length': 'so long is no frame of this profile',
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
  const all = unescaped(given, rules);
  const claimed = framing.escape === undefined ? claimedLength(all, framing.kindOf(all)) : undefined;
  // What stands behind the end that the length says is not of the frame: one verdict, that of the decoder.
  const bytes = claimed !== undefined && claimed < all.length ? all.subarray(0, claimed) : all;
  const reason = framing.judge(bytes);
  const request = rules.requests.find(({ template }) => template.recognise(bytes, parameters) !== undefined);
  if (request !== undefined && reason !== undefined) {
    const parts = request.template
      .describe(bytes, parameters)
      .map(({ from, to, name }) => ({ from, to, name, value: toHex(bytes, from, to), note: '' }));
    return { bytes: all, message: `request ${request.name}`, problem: undefined, parts, computed: [] };
  }
  const kind = framing.kindOf(bytes);
  const frameParts = partsOfFrame(bytes, kind, claimed, all.length);
  const memory = { numbers: w.numbers.slice(), texts: [...w.texts] };
  const located = locate(bytes, w);
  const trace: Trace[] = [];
  let problem = problemOf(bytes, rules, reason, claimed, all.length);
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
  if (all.length > bytes.length) {
    const note = 'behind the end that its length says';
    parts.push({
      from: bytes.length,
      to: all.length,
      name: 'beyond',
      value: toHex(all, bytes.length, all.length),
      note,
    });
  }
  const computed = trace.filter(({ from }) => from < 0).map(({ name, value }) => ({ name, value }));
  // To look at a frame is not to receive it.
  w.numbers.set(memory.numbers);
  w.texts.splice(0, w.texts.length, ...memory.texts);
  return { bytes: all, message: message?.name, problem, parts, computed };
}

/** How long the frame says that it is; undefined where it does not say, or says what no frame has. */
function claimedLength(bytes: Uint8Array, { fixed, length, min, max }: FrameKind): number | undefined {
  if (fixed !== undefined) return fixed;
  if (length === undefined || length.at + length.size > bytes.length) return undefined;
  const total = length.total(bytes, length.at);
  return total >= min && total <= max ? total : undefined;
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

function problemOf(
  bytes: Uint8Array,
  { framing }: CompiledProfile,
  reason: string | undefined,
  claimed: number | undefined,
  given: number,
): string | undefined {
  const problem =
    reason === undefined
      ? undefined
      : (wrongLength(bytes, framing.kindOf(bytes), reason, claimed) ?? REASONS[reason] ?? reason);
  const failure = reason === 'bad-checksum' ? framing.failedChecksum(bytes) : undefined;
  const said =
    failure === undefined
      ? problem
      : `the checksum is wrong: computed ${failure.computed}, received ${failure.received}`;
  if (claimed === undefined || given <= claimed) return said;
  return [`its length says ${claimed} bytes, there are ${given}`, said].filter((text) => text !== undefined).join('; ');
}

/** What is wrong with the length, in the words of a framing with a length, a tail or a marker. */
function wrongLength(
  bytes: Uint8Array,
  kind: FrameKind,
  reason: string,
  claimed: number | undefined,
): string | undefined {
  if (reason !== 'bad-length') return undefined;
  const { length } = bytes;
  if (claimed !== undefined) {
    return length < claimed ? `${length} of ${claimed} bytes: cut off, or the length is wrong` : undefined;
  }
  if (kind.length !== undefined) {
    const { at, size } = kind.length;
    if (at + size > length) return `cut off: the length field at byte ${at} is missing`;
    return `its length field says ${kind.length.total(bytes, at)} bytes: such frames there are none`;
  }
  if (kind.marker !== undefined) return `cut off: ${toHex(kind.marker.bytes)}, which ends a frame, is missing`;
  if (kind.tail.length > 0 && !isAt(bytes, length - kind.tail.length, kind.tail)) {
    return `cut off: it does not end with ${toHex(kind.tail)}`;
  }
  return length < kind.min ? `too short: ${length} bytes, at least ${kind.min} are a frame` : undefined;
}

function isAt(bytes: Uint8Array, at: number, wanted: Uint8Array, mask?: Uint8Array): boolean {
  return at >= 0 && wanted.every((byte, i) => (((bytes[at + i] ?? -1) ^ byte) & (mask?.[i] ?? 0xff)) === 0);
}

function partsOfFrame(bytes: Uint8Array, kind: FrameKind, claimed: number | undefined, given: number): ExplainedPart[] {
  const parts: ExplainedPart[] = [];
  const add = (from: number, size: number, name: string, value: string, note = '', wrong = false): void => {
    const to = Math.min(from + size, bytes.length);
    if (from >= 0 && from < to) parts.push({ from, to, name, value, note, ...(wrong ? { wrong } : {}) });
  };
  // What is there, and where it should be something else, what.
  const addKnown = (at: number, wanted: Uint8Array, name: string, mask?: Uint8Array): void => {
    if (at < 0 || at >= bytes.length) return;
    const right = isAt(bytes, at, wanted, mask);
    const value = toHex(bytes, at, Math.min(at + wanted.length, bytes.length));
    add(at, wanted.length, name, value, right ? '' : `should be ${toHex(wanted)}`, !right);
  };
  for (const { at, bytes: wanted, mask } of kind.known) addKnown(at, wanted, 'sync', mask);
  if (kind.length !== undefined && kind.length.at + kind.length.size <= bytes.length) {
    const total = kind.length.total(bytes, kind.length.at);
    add(
      kind.length.at,
      kind.length.size,
      'length',
      `${total} bytes in all`,
      total === given ? '' : `there are ${given}`,
      total !== given,
    );
  }
  // Of a frame that is cut off nobody knows where its end stands.
  if (claimed !== undefined && bytes.length < claimed) return parts;
  const { length } = bytes;
  if (kind.tail.length > 0) {
    const at = length - kind.tail.length;
    addKnown(at, kind.tail, 'tail');
    if (!isAt(bytes, at, kind.tail)) return parts;
  }
  if (kind.marker !== undefined) {
    const { bytes: wanted, plus } = kind.marker;
    const at = length - plus - wanted.length;
    addKnown(at, wanted, 'marker');
    if (!isAt(bytes, at, wanted)) return parts;
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
