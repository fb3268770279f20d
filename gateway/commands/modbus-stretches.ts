/**
 * What was heard on a Modbus line, taken apart: requests and answers in turn, so that each answer is read as that to the
 * request before it.
 *
 * ```
 *   01 04 31 00 00 08 ff 30 │ 01 04 10 06 b0 … crc │ 01 04 10 06        request, its answer, and what is no frame,
 *   request                 │ answer to it         │ cut off            in one piece
 * ```
 */
import type { FrameDecoder, ProfileInstance } from '../../protocol/index.ts';
import type { ExplainedStretch } from './explain-profile.ts';

/** The longest frame is one of Modbus ASCII. */
const MAX_FRAME = 520;

/** The frames in these bytes, requests too, and what lies between them, each explained. */
export function explainModbusStretches(instance: ProfileInstance, bytes: Uint8Array): ExplainedStretch[] {
  const stretches: ExplainedStretch[] = [];
  let asked: Uint8Array | undefined;
  let from = 0;
  const flush = (to: number): void => {
    if (to === from) return;
    const explanation = instance.explain(bytes.slice(from, to));
    stretches.push({ from, length: to - from, skipped: 'unreadable', explanation, checksum: undefined, ok: false });
  };
  for (let at = 0; at < bytes.length; ) {
    const frame = frameAt(instance.createDecoder(), bytes, at) ?? frameAt(instance.createRequestDecoder(), bytes, at);
    if (frame === undefined) {
      at += 1;
      continue;
    }
    flush(at);
    const explanation = instance.explain(frame, asked);
    const ok = explanation.problem === undefined;
    stretches.push({ from: at, length: frame.length, skipped: undefined, explanation, checksum: undefined, ok });
    asked = explanation.message?.startsWith('request ') === true ? frame : undefined;
    at += frame.length;
    from = at;
  }
  flush(bytes.length);
  return stretches;
}

/** The frame that begins exactly here. */
function frameAt(decoder: FrameDecoder, bytes: Uint8Array, at: number): Uint8Array | undefined {
  decoder.push(bytes.slice(at, at + MAX_FRAME));
  const item = decoder.next();
  return item?.kind === 'frame' ? item.bytes.slice() : undefined;
}
