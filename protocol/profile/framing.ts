/**
 * How frames of a profile are found in the bytes, and put together.
 *
 * ```
 *   bytes ─ (unescape) ─→ sync ─ length or end ─→ tail ─→ checksum ─→ frame
 *                          └ fails: one byte on, look again
 * ```
 */
import { datagramDecoder } from '../framing/datagram.ts';
import type { FrameDecoder, SkipReason } from '../framing/frame-decoder.ts';
import { gapDecoder } from '../framing/gap.ts';
import {
  BAD_LENGTH,
  BAD_TRAILER,
  IDLE,
  NEED_MORE,
  NOT_HERE,
  ResyncDecoder,
  TOO_LONG,
} from '../framing/resync-decoder.ts';
import type { Check } from './checksum.ts';
import { compileChecks } from './checksum.ts';
import { compileEscape } from './escape.ts';
import type { Escape } from './escape.ts';
import { compileFrameKind } from './frame-kind.ts';
import type { FrameKind, Runs } from './frame-kind.ts';
import type { Path, Problems } from './problems.ts';
import type { FailedChecksum } from './profile.ts';
import type { ChecksumSpec, FrameAlternative, FramingMap, ProfileFile } from './spec.ts';
import { toHex } from './text-value.ts';
import { VerifiedDecoder } from './verified-decoder.ts';

export interface Framing {
  readonly kinds: readonly [FrameKind, ...FrameKind[]];
  readonly escape: Escape | undefined;
  readonly datagram: boolean;
  readonly gapMs: number | undefined;
  readonly gapChars: number | undefined;
  readonly max: number;
  readonly createDecoder: () => FrameDecoder;
  /** A frame without the runs that are to be ignored; mostly the frame itself. */
  readonly strip: (frame: Uint8Array) => Uint8Array;
  /** The kind of a whole frame, as the decoder would say. */
  readonly kindOf: (frame: Uint8Array) => FrameKind;
  /** Why a whole frame is none, or undefined. */
  readonly judge: (frame: Uint8Array) => SkipReason | undefined;
  readonly failedChecksum: (bytes: Uint8Array) => FailedChecksum | undefined;
}

const NOTHING = new Uint8Array(0);

export function compileFraming(file: ProfileFile, problems: Problems): Framing | undefined {
  const { order, ignore, preamble } = file;
  const spec = file.framing;
  if (spec === undefined) {
    problems.add(['framing'], 'is missing: how are frames found? For example framing: { sync: 42 4d, length: 32 }');
    return undefined;
  }
  const checksOf = (specs: readonly ChecksumSpec[] | undefined, path: Path): Check[] =>
    compileChecks(specs ?? [], order, path, problems);
  const common = checksOf(file.checksum, ['checksum']);
  const runs: Runs = ignore;
  if ('datagram' in spec) {
    const kind = compileFrameKind({ max: 1_472 }, common, order, [], ['framing'], problems);
    return kind === undefined ? undefined : build([kind], { datagram: true }, {}, undefined, []);
  }
  if (Array.isArray(spec)) {
    const kinds = spec.map((one: FrameAlternative, i) => {
      const checks = one.checksum === undefined ? common : checksOf(one.checksum, ['framing', i, 'checksum']);
      return compileFrameKind(one, checks, order, runs, ['framing', i], problems);
    });
    if (kinds.some((kind) => kind === undefined)) return undefined;
    kinds.forEach((kind, i) => {
      if (kind!.open) problems.add(['framing', i], 'needs a length, a tail or an end');
    });
    return build(kinds as [FrameKind, ...FrameKind[]], { datagram: false }, {}, preamble, runs);
  }
  const kind = compileFrameKind(spec, common, order, runs, ['framing'], problems);
  const escape = spec.escape === undefined ? undefined : compileEscape(spec.escape, ['framing', 'escape'], problems);
  if (kind === undefined || (spec.escape !== undefined && escape === undefined)) return undefined;
  const silent = spec.gap_ms !== undefined || spec.gap_chars !== undefined;
  if (kind.open && escape === undefined && !silent) {
    problems.add(['framing'], 'needs length, tail, end, escape or gap_ms: where does a frame end?');
    return undefined;
  }
  if (runs.length > 0 && (kind.fixed !== undefined || kind.length !== undefined || escape !== undefined)) {
    problems.add(['ignore'], 'needs framing that looks for its end (tail or end)');
  }
  return build([kind], { datagram: false, ...(escape === undefined ? {} : { escape }) }, spec, preamble, runs);
}

function build(
  kinds: readonly [FrameKind, ...FrameKind[]],
  { datagram, escape }: { datagram: boolean; escape?: Escape },
  spec: FramingMap,
  preamble: number | undefined,
  runs: Runs,
): Framing {
  const max = Math.max(...kinds.map((kind) => kind.max));
  const strip = runs.length === 0 ? (frame: Uint8Array) => frame : runStripper(kinds[0], runs);
  const single = kinds.length === 1;
  const kindOf = (frame: Uint8Array): FrameKind => {
    if (single) return kinds[0];
    for (const kind of kinds) {
      const total = kind.probe(frame, 0, frame.length);
      if (total === frame.length) return kind;
    }
    return kinds.find((kind) => kind.probe(frame, 0, frame.length) !== NOT_HERE) ?? kinds[0];
  };
  // Mostly there is one kind with one checksum.
  const oneCheck = single && runs.length === 0 && kinds[0].checks.length === 1 ? kinds[0].checks[0]!.holds : undefined;
  const verified = (frame: Uint8Array): boolean => {
    const plain = strip(frame);
    for (const check of kindOf(frame).checks) if (!check.holds(plain)) return false;
    return true;
  };
  // Where all end alike the decoder looks at the tail, and can say which bytes the frame claimed.
  const common = kinds.every(({ tail }) => toHex(tail) === toHex(kinds[0].tail));
  const onlyPrefix = single && kinds[0].known.length === 1 && kinds[0].prefix.length > 0;
  const searching = preamble !== undefined || runs.length > 0;
  const probes = kinds.map((kind) => (onlyPrefix && !searching ? kind.claim : common ? kind.measure : kind.probe));
  const probe =
    single && runs.length === 0 && preamble === undefined
      ? probes[0]!
      : joinedProbe(kinds, probes, preamble, runs, max);
  const judge = (frame: Uint8Array): SkipReason | undefined => {
    const kind = kindOf(frame);
    if (!kind.open || kind.known.length > 0) {
      const total = kind.open ? openTotal(kind, frame) : kind.probe(frame, 0, frame.length);
      if (total === TOO_LONG) return 'too-long';
      if (total === BAD_TRAILER) return 'bad-trailer';
      if (total === NOT_HERE) return 'noise';
      if (total === BAD_LENGTH || total === NEED_MORE || total !== frame.length) return 'bad-length';
    } else if (frame.length < kind.min) {
      return 'bad-length';
    }
    return verified(frame) ? undefined : 'bad-checksum';
  };
  const createDecoder = (): FrameDecoder => {
    if (datagram) return new VerifiedDecoder(datagramDecoder({ maxBytes: max }), judge);
    if (escape !== undefined) return new VerifiedDecoder(escape.createDecoder(max), judge);
    if (kinds[0].open) return new VerifiedDecoder(gapDecoder({ maxBytes: max }), judge);
    return new ResyncDecoder({
      sync: single && !searching ? kinds[0].prefix : NOTHING,
      probe,
      trailer: common ? kinds[0].tail : NOTHING,
      verify: kinds.some(({ checks }) => checks.length > 0) ? (oneCheck ?? verified) : undefined,
      contentFrom: (_, at) => at,
      contentTo: (at, total) => at + total,
    });
  };
  return {
    kinds,
    escape,
    datagram,
    gapMs: spec.gap_ms,
    gapChars: spec.gap_chars,
    max,
    createDecoder,
    strip,
    kindOf,
    judge,
    failedChecksum: (bytes) => {
      // A frame may be given as it came out of the decoder, or with all that was on the wire.
      if (judge(bytes) === undefined) return undefined;
      const frame = wholeFrame(bytes, kinds, escape, max, preamble);
      const plain = strip(frame);
      for (const check of kindOf(frame).checks) {
        const failure = check.failure(plain);
        if (failure !== undefined) return failure;
      }
      return undefined;
    },
  };
}

/** With framing by silence or flags alone the length is that of the bytes; what is known must still be there. */
function openTotal(kind: FrameKind, frame: Uint8Array): number {
  if (frame.length < kind.min) return BAD_LENGTH;
  for (const { at, bytes, mask } of kind.known) {
    for (let i = 0; i < bytes.length; i++) {
      if (((frame[at + i]! ^ bytes[i]!) & (mask === undefined ? 0xff : mask[i]!)) !== 0) return NOT_HERE;
    }
  }
  return frame.length;
}

/** The frame that a skip with a bad checksum begins with. */
function wholeFrame(
  bytes: Uint8Array,
  kinds: readonly FrameKind[],
  escape: Escape | undefined,
  max: number,
  preamble: number | undefined,
): Uint8Array {
  if (escape !== undefined) {
    if (escape.flag !== undefined && bytes[0] !== escape.flag) return bytes;
    const decoder = escape.createDecoder(max);
    decoder.push(bytes.slice());
    for (let item = decoder.next(); item !== undefined; item = decoder.next())
      if (item.kind === 'frame') return item.bytes;
    return bytes;
  }
  let start = 0;
  if (preamble !== undefined) while (start < bytes.length && bytes[start] === preamble) start++;
  for (const kind of kinds) {
    const total = kind.open ? 0 : kind.probe(bytes, start, bytes.length);
    if (total > 0 && start + total <= bytes.length) return bytes.subarray(start, start + total);
  }
  return bytes.subarray(start);
}

/** The first kind that fits here; bytes of a preamble and of ignored runs are idle. */
function joinedProbe(
  kinds: readonly FrameKind[],
  probes: readonly FrameKind['probe'][],
  preamble: number | undefined,
  runs: Runs,
  max: number,
): FrameKind['probe'] {
  // A run is looked through once; its bytes are then idle one by one.
  let known: Uint8Array | undefined;
  let idleFrom = 0;
  let idleTo = 0;
  return (data, at, end) => {
    if (data === known && at >= idleFrom && at < idleTo) return IDLE;
    const byte = data[at]!;
    if (byte === preamble && !kinds.some(({ prefix }) => prefix[0] === preamble)) return IDLE;
    const run = runs.find(({ from }) => from === byte);
    if (run !== undefined) {
      const stop = data.indexOf(run.to, at + 1);
      if (stop < 0 || stop >= end) return end - at > max ? NOT_HERE : NEED_MORE;
      known = data;
      idleFrom = at;
      idleTo = stop + 1;
      return IDLE;
    }
    for (const probe of probes) {
      const total = probe(data, at, end);
      if (total !== NOT_HERE) return total;
    }
    return NOT_HERE;
  };
}

/** Takes runs out of a frame, which costs a copy only where there are some. What follows the marker is left alone. */
function runStripper(kind: FrameKind, runs: Runs): (frame: Uint8Array) => Uint8Array {
  const behind = kind.marker === undefined ? kind.tail.length : kind.marker.plus;
  return (frame) => {
    const stop = frame.length - behind;
    let out: Uint8Array | undefined;
    let to = 0;
    for (let at = 0; at < frame.length; at++) {
      const byte = frame[at]!;
      const run = at < stop ? runs.find(({ from }) => from === byte) : undefined;
      const last = run === undefined ? -1 : frame.indexOf(run.to, at + 1);
      if (last >= 0 && last < stop) {
        if (out === undefined) {
          out = new Uint8Array(frame.length);
          out.set(frame.subarray(0, at));
          to = at;
        }
        at = last;
      } else if (out !== undefined) {
        out[to++] = byte;
      }
    }
    return out === undefined ? frame : out.subarray(0, to);
  };
}

/** Which bits of the frame's bytes this one sets; for choosing the kind of a frame that is to be put together. */
export function conflicts(
  kind: FrameKind,
  match: readonly { at: number; bytes: Uint8Array; mask: Uint8Array | undefined }[],
): boolean {
  return kind.known.some(({ at, bytes, mask }) =>
    match.some((other) => {
      for (let i = 0; i < bytes.length; i++) {
        const j = at + i - other.at;
        if (other.at < 0 || j < 0 || j >= other.bytes.length) continue;
        const bits = (mask === undefined ? 0xff : mask[i]!) & (other.mask === undefined ? 0xff : other.mask[j]!);
        if (((bytes[i]! ^ other.bytes[j]!) & bits) !== 0) return true;
      }
      return false;
    }),
  );
}
