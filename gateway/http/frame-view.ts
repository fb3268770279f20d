/** A frame as a page shows it: hex, and what each run of bytes means. */
import type { TappedFrame } from '../tap/frame-tap.ts';
import type { FrameView } from './api-types.ts';

/** Bytes of one frame that are shown; the length is told all the same. */
const MAX_SHOWN_BYTES = 512;

export function frameView(frame: TappedFrame): FrameView {
  const { at: ts, source, peer, device, direction, kind, reason, bytes } = frame;
  const { message, parts, problem } = frame.explain();
  const shown = bytes.subarray(0, MAX_SHOWN_BYTES);
  return {
    ts,
    source,
    peer,
    device,
    direction,
    kind,
    reason,
    hex: Buffer.from(shown.buffer, shown.byteOffset, shown.length).toString('hex'),
    length: bytes.length,
    message,
    parts: parts
      .filter((part) => part.at < MAX_SHOWN_BYTES)
      .map(({ at, length, name, value, meaning }) => [at, length, name, value, meaning] as const),
    problem,
  };
}
