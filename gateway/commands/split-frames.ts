/**
 * Bare frames pasted one behind the other. Nothing in a bare frame says where it ends; the checksum does:
 *
 * ```
 *   20 07 … crc | 20 01 … crc | 22 04 …          at each place the shortest piece whose last four bytes are its CRC
 * ```
 */
import {
  CRC_BYTES,
  crc32,
  decodeFrame,
  type ExplainedFrame,
  type Explanation,
  explain,
  FRAME_OVERHEAD,
  MAX_DATAGRAM_BYTES,
  type WireForm,
} from '../../protocol/index.ts';

/** Explains bytes as `explain` does, and as several bare frames when they are no good frame as a whole. */
export function explainFrames(bytes: Uint8Array, form: WireForm | 'auto', key?: Uint8Array): Explanation {
  const whole = explain(bytes, form, key);
  if (form === 'cobs' || bytes.length === 0) return whole;
  if (whole.frames.some((frame) => decodeFrame(frame.bytes).ok)) return whole;
  const frames: ExplainedFrame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = frameLength(bytes, at) ?? bytes.length - at;
    // Not even the first one ends anywhere: then this is something else.
    if (at === 0 && length === bytes.length) return whole;
    const [frame] = explain(bytes.subarray(at, at + length), 'frame').frames;
    if (frame !== undefined) frames.push(shifted(frame, at));
    at += length;
  }
  return { form: 'frame', ok: frames.every(({ ok }) => ok), frames };
}

/** The shortest length from `at` on of which the last four bytes are the CRC of the rest. */
function frameLength(bytes: Uint8Array, at: number): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const most = Math.min(bytes.length - at, MAX_DATAGRAM_BYTES);
  for (let length = FRAME_OVERHEAD; length <= most; length++) {
    const crcAt = at + length - CRC_BYTES;
    if (crc32(bytes, at, crcAt) === view.getUint32(crcAt)) return length;
  }
  return undefined;
}

/** The same frame, with its places counted from the beginning of all bytes. */
function shifted(frame: ExplainedFrame, by: number): ExplainedFrame {
  const { problem } = frame;
  return {
    ...frame,
    wireOffset: frame.wireOffset + by,
    ranges: frame.ranges.map((range) => ({ ...range, wireOffset: range.wireOffset + by })),
    ...(problem !== undefined && { problem: { ...problem, wireOffset: problem.wireOffset + by } }),
  };
}
