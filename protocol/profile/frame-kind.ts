/**
 * One kind of frame: how it begins, how long it is, how it ends.
 *
 * ```
 *   | sync | … | length | … body … | checksum | tail |      total = value × times + plus, or fixed
 *   | sync | … body … | tail |                              up to the tail
 *   | sync | … body … | marker | plus bytes |               some bytes behind a marker
 * ```
 */
import { BAD_LENGTH, BAD_TRAILER, NEED_MORE, NOT_HERE, TOO_LONG } from '../framing/resync-decoder.ts';
import type { Check } from './checksum.ts';
import { integerFormat } from './numbers.ts';
import type { Path, Problems } from './problems.ts';
import type { FrameSpec, LengthSpec, Order, SyncSpec } from './spec.ts';

/** Bytes that are known beforehand. */
export interface Known {
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly mask: Uint8Array | undefined;
}

export interface FrameKind {
  readonly known: readonly Known[];
  /** What every frame of this kind begins with, without masks. */
  readonly prefix: Uint8Array;
  readonly fixed: number | undefined;
  readonly length: LengthField | undefined;
  readonly tail: Uint8Array;
  readonly marker: { readonly bytes: Uint8Array; readonly plus: number } | undefined;
  readonly min: number;
  readonly max: number;
  readonly checks: readonly Check[];
  /** Bytes at the end that are no content: checksum, tail, marker. */
  readonly trailer: number;
  /** True when nothing but silence or a datagram ends it. */
  readonly open: boolean;
  /** The length of the frame at `data[at]`, or a code of the resync decoder. */
  readonly probe: (data: Uint8Array, at: number, end: number) => number;
  /** The same without a look at the tail, for a decoder that does that itself. */
  readonly measure: (data: Uint8Array, at: number, end: number) => number;
  /** The same where `prefix` has been found and is all that is known. */
  readonly claim: (data: Uint8Array, at: number, end: number) => number;
}

export interface LengthField {
  readonly at: number;
  readonly size: number;
  /** The length of the whole frame, −1 when it is no number. */
  readonly total: (data: Uint8Array, at: number) => number;
  /** Puts the length in; RangeError when it does not fit. */
  readonly put: (data: Uint8Array, total: number) => void;
}

export const DEFAULT_MAX = 1_024;
/** Runs of bytes that are jumped over while the end is looked for. */
export type Runs = readonly { readonly from: number; readonly to: number }[];

export function compileFrameKind(
  spec: FrameSpec,
  checks: readonly Check[],
  order: Order,
  runs: Runs,
  path: Path,
  problems: Problems,
): FrameKind | undefined {
  const known = knownBytes(spec, path, problems);
  const fixed = typeof spec.length === 'number' ? spec.length : undefined;
  const length = typeof spec.length === 'object' ? lengthField(spec.length, order) : undefined;
  const tail = spec.tail ?? new Uint8Array(0);
  const ways = [spec.length !== undefined, spec.end !== undefined].filter(Boolean).length;
  if (ways > 1) problems.add([...path, 'end'], 'cannot stand together with length');
  if (spec.end !== undefined && spec.tail !== undefined)
    problems.add([...path, 'tail'], 'cannot stand together with end');
  const marker = spec.end === undefined ? undefined : { bytes: spec.end.marker, plus: spec.end.plus };
  const checked = Math.max(0, ...checks.map(({ trailer }) => trailer));
  const trailer = Math.max(checked, tail.length, marker === undefined ? 0 : marker.bytes.length + marker.plus);
  const head = Math.max(
    0,
    ...known.map(({ at, bytes }) => at + bytes.length),
    length === undefined ? 0 : length.at + length.size,
  );
  const max = fixed ?? spec.max ?? DEFAULT_MAX;
  const min = Math.max(spec.min ?? 1, head, trailer);
  if (fixed !== undefined && spec.max !== undefined)
    problems.add([...path, 'max'], 'says nothing beside a fixed length');
  if (max < min) {
    problems.add(
      [...path, fixed === undefined ? 'max' : 'length'],
      `must be at least ${min}: sync, length, checksum and tail have so many bytes`,
    );
    return undefined;
  }
  const prefix = known.find(({ at, mask }) => at === 0 && mask === undefined)?.bytes ?? new Uint8Array(0);
  const open = fixed === undefined && length === undefined && marker === undefined && tail.length === 0;
  const ending = marker?.bytes ?? tail;
  const behind = marker?.plus ?? 0;
  const finder = endFinder(ending, runs);

  const measure = (data: Uint8Array, at: number, end: number): number => {
    // What is there must fit before more is waited for.
    for (const { at: offset, bytes, mask } of known) {
      for (let i = 0; i < bytes.length; i++) {
        const place = at + offset + i;
        if (place >= end) break;
        if (((data[place]! ^ bytes[i]!) & (mask === undefined ? 0xff : mask[i]!)) !== 0) return NOT_HERE;
      }
    }
    return claim(data, at, end);
  };
  const claim = (data: Uint8Array, at: number, end: number): number => {
    if (at + head > end) return NEED_MORE;
    let total = fixed ?? 0;
    if (length !== undefined) {
      total = length.total(data, at + length.at);
      if (total < 0) return BAD_LENGTH;
    } else if (fixed === undefined) {
      const found = finder(data, at + head, Math.min(end, at + max));
      if (found < 0) return end - at >= max ? TOO_LONG : NEED_MORE;
      total = found + ending.length + behind - at;
    }
    if (total > max) return TOO_LONG;
    return total < min ? BAD_LENGTH : total;
  };
  const probe = (data: Uint8Array, at: number, end: number): number => {
    const total = measure(data, at, end);
    if (total > 0 && tail.length > 0 && at + total <= end) {
      const from = at + total - tail.length;
      for (let i = 0; i < tail.length; i++) if (data[from + i] !== tail[i]) return BAD_TRAILER;
    }
    return total;
  };
  return { known, prefix, fixed, length, tail, marker, min, max, checks, trailer, open, probe, measure, claim };
}

function knownBytes(spec: FrameSpec, path: Path, problems: Problems): Known[] {
  const known: Known[] = [];
  const add = (entry: SyncSpec | Uint8Array, key: string): void => {
    const one: SyncSpec = entry instanceof Uint8Array ? { at: 0, bytes: entry } : entry;
    if (one.mask !== undefined && one.mask.length !== one.bytes.length) {
      problems.add([...path, key], 'a mask has as many bytes as the bytes it is for');
      return;
    }
    known.push({ at: one.at, bytes: one.bytes, mask: one.mask });
  };
  for (const entry of spec.sync ?? []) add(entry, 'sync');
  for (const entry of spec.match ?? []) add(entry, 'match');
  return known;
}

function lengthField(spec: LengthSpec, order: Order): LengthField {
  const { at, times, plus, type } = spec;
  if (type === 'ascii') {
    const { digits } = spec;
    return {
      at,
      size: digits,
      total: (data, from) => {
        let value = 0;
        for (let i = from; i < from + digits; i++) {
          const digit = data[i]! - 0x30;
          if (digit < 0 || digit > 9) return -1;
          value = value * 10 + digit;
        }
        return value * times + plus;
      },
      put: (data, total) => {
        const text = String(fieldValue(total, times, plus, 10 ** digits - 1)).padStart(digits, '0');
        for (let i = 0; i < digits; i++) data[at + i] = text.charCodeAt(i);
      },
    };
  }
  const format = integerFormat(type, spec.order ?? order);
  return {
    at,
    size: format.size,
    total: (data, from) => format.read(data, from) * times + plus,
    put: (data, total) => format.write(data, at, fieldValue(total, times, plus, format.max)),
  };
}

function fieldValue(total: number, times: number, plus: number, max: number): number {
  const value = (total - plus) / times;
  if (Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw new RangeError(`a frame of ${total} bytes cannot be said in its length field`);
}

/**
 * Finds the bytes that end a frame, jumping over runs. What was looked through once is not looked through again while
 * more arrives, nor for the next place where a frame may begin: without this, noise full of syncs would cost its square.
 */
function endFinder(ending: Uint8Array, runs: Runs): (data: Uint8Array, from: number, end: number) => number {
  let known: Uint8Array | undefined;
  /** From here on nothing was found up to `looked`, or `found` was. */
  let since = 0;
  let looked = 0;
  let found = -1;
  const first = ending[0];
  return (data, from, end) => {
    const same = data === known && from >= since && from <= looked;
    if (same && found >= from) return found + ending.length <= end ? found : -1;
    let at = same && found < 0 ? Math.max(from, looked) : from;
    if (!same) since = from;
    known = data;
    found = -1;
    for (; at < end; at++) {
      const byte = data[at]!;
      const run = runs.length === 0 ? undefined : runs.find(({ from }) => from === byte);
      if (run !== undefined) {
        const stop = data.indexOf(run.to, at + 1);
        if (stop < 0 || stop >= end) break;
        at = stop;
        continue;
      }
      if (byte !== first) continue;
      let match = 1;
      while (match < ending.length && at + match < end && data[at + match] === ending[match]) match++;
      if (match === ending.length) {
        found = at;
        looked = at;
        return at;
      }
      if (at + match === end) break;
    }
    looked = at;
    return -1;
  };
}
