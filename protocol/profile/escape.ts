/**
 * Byte stuffing of a profile: what stands between the flags is the frame.
 *
 * ```
 *   hdlc    7E  11 7D 5E  7E      content 11 7E
 *   own     C0  DB DC 22  C0      escape DB, map DC → C0, DD → DB
 * ```
 */
import { cobsDecoder, cobsEncoder } from '../framing/cobs.ts';
import { FlagDecoder } from '../framing/flag-decoder.ts';
import type { FrameDecoder } from '../framing/frame-decoder.ts';
import { hdlcDecoder, hdlcEncoder } from '../framing/hdlc.ts';
import { slipDecoder, slipEncoder } from '../framing/slip.ts';
import type { Path, Problems } from './problems.ts';
import { parseBytes } from './schema-leaves.ts';
import type { EscapeSpec } from './spec.ts';

export interface Escape {
  readonly createDecoder: (maxBytes: number) => FrameDecoder;
  /** A frame as it goes over the wire. */
  readonly wrap: (content: Uint8Array) => Uint8Array;
  /** What stands before and behind; undefined for COBS, which has none before. */
  readonly flag: number | undefined;
}

const LARGEST = 65_536;

/** Compiles an escape rule; undefined after telling what is wrong. */
export function compileEscape(spec: EscapeSpec, path: Path, problems: Problems): Escape | undefined {
  if (spec === 'hdlc') {
    return {
      createDecoder: (maxBytes) => hdlcDecoder({ maxBytes }),
      wrap: hdlcEncoder({ maxBytes: LARGEST }),
      flag: 0x7e,
    };
  }
  if (spec === 'slip') {
    return {
      createDecoder: (maxBytes) => slipDecoder({ maxBytes }),
      wrap: slipEncoder({ maxBytes: LARGEST }),
      flag: 0xc0,
    };
  }
  if (spec === 'cobs') {
    return {
      createDecoder: (maxBytes) => cobsDecoder({ maxBytes }),
      wrap: cobsEncoder({ maxBytes: LARGEST }),
      flag: undefined,
    };
  }
  return ownEscape(spec, path, problems);
}

function ownEscape(spec: Exclude<EscapeSpec, string>, path: Path, problems: Problems): Escape | undefined {
  const { flag, escape, xor } = spec;
  /** What a byte behind an escape stands for, −1 for nothing; and the other way round. */
  const meaning = new Int16Array(256).fill(-1);
  const stuffed = new Int16Array(256).fill(-1);
  if ((xor === undefined) === (spec.map === undefined)) {
    problems.add(path, 'needs either xor (what the byte behind an escape is XORed with) or map');
    return undefined;
  }
  if (flag === escape) problems.add([...path, 'escape'], 'must differ from the flag');
  for (const [key, value] of Object.entries(spec.map ?? {})) {
    const code = parseBytes(key);
    if (code === undefined || code.length !== 1) {
      problems.add([...path, 'map', key], 'must be a byte in hex, such as dc', true);
      continue;
    }
    meaning[code[0]!] = value;
    stuffed[value] = code[0]!;
  }
  if (xor !== undefined) {
    // Any byte may be escaped; we escape what must be.
    for (let byte = 0; byte < 256; byte++) meaning[byte] = byte ^ xor;
    stuffed[flag] = flag ^ xor;
    stuffed[escape] = escape ^ xor;
  }
  if (stuffed[flag]! < 0 || stuffed[escape]! < 0) {
    problems.add([...path, 'map'], 'must say how the flag and the escape themselves are written');
    return undefined;
  }
  const unstuff = (data: Uint8Array, from: number, to: number, target: Uint8Array, at: number): number => {
    let end = at;
    for (let i = from; i < to; i++) {
      let byte = data[i]!;
      if (byte === escape) {
        if (++i === to) return -1;
        byte = meaning[data[i]!]!;
        if (byte < 0) return -1;
      }
      target[end++] = byte;
    }
    return end;
  };
  return {
    flag,
    createDecoder: (maxBytes) => new FlagDecoder(flag, maxBytes, unstuff),
    wrap: (content) => {
      const wire = new Uint8Array(2 * content.length + 2);
      let at = 0;
      wire[at++] = flag;
      for (const byte of content) {
        const code = stuffed[byte]!;
        if (code >= 0) wire[at++] = escape;
        wire[at++] = code >= 0 ? code : byte;
      }
      wire[at++] = flag;
      return wire.subarray(0, at);
    },
  };
}
