/** A line through a decoder: every byte that goes in comes out once, and it does not matter how it is cut. */
import type { FrameDecoder, SkipReason } from '../../protocol/index.ts';
import type { Random } from '../../device-sim/random.ts';
import { must } from './target.ts';

/**
 * What must be the same when the line is cut: all items; the frames and how much was skipped between them; or nothing,
 * because a push means more than its bytes.
 */
export type Cut = 'items' | 'frames' | 'whole';

/** Runs it in one piece and, where it must not matter, in many. */
export function checkLine(
  decoder: () => FrameDecoder,
  maxBytes: number,
  input: Uint8Array,
  random: Random,
  cut: Cut,
): void {
  const whole = pull(decoder(), maxBytes, input, () => input.length, random.int(3), cut);
  if (cut === 'whole') return;
  const pieces = pull(decoder(), maxBytes, input, () => 1 + random.int(1 + random.int(24)), whole.last, cut);
  must(whole.text === pieces.text, `cut differently it gives other items:\n${whole.text}\n${pieces.text}`);
}

/** Runs a line through a decoder; what came out in one text, neighbouring skips of one reason together. */
function pull(
  decoder: FrameDecoder,
  maxBytes: number,
  input: Uint8Array,
  chunkLength: () => number,
  last: number,
  cut: Cut,
): { text: string; last: number } {
  let returned = 0;
  let text = '';
  let skipped: { reason: SkipReason | 'skip'; length: number } | undefined;
  const drain = (pushed: number): void => {
    // At most one item a byte, and one more question.
    for (let guard = input.length + 2; ; guard--) {
      must(guard > 0, 'it gives more items than it was given bytes');
      const item = decoder.next();
      if (item === undefined) break;
      must(item.wireLength > 0, 'an item of no bytes');
      if (item.kind === 'skip') {
        must(item.bytes.length === item.wireLength, 'a skip that does not hold the bytes as they were received');
        for (let i = 0; i < item.wireLength; i++) {
          must(item.bytes[i] === input[returned + i], `a skip with other bytes at ${returned + i}`);
        }
        const reason = cut === 'frames' ? 'skip' : item.reason;
        if (skipped?.reason === reason) skipped.length += item.wireLength;
        else {
          if (skipped !== undefined) text += `${skipped.reason} ${skipped.length}\n`;
          skipped = { reason, length: item.wireLength };
        }
      } else {
        must(item.bytes.length <= maxBytes, 'a frame above the limit');
        if (skipped !== undefined) text += `${skipped.reason} ${skipped.length}\n`;
        skipped = undefined;
        text += `frame ${item.wireLength} ${item.bytes.join(' ')}\n`;
      }
      returned += item.wireLength;
    }
    must(decoder.buffered === pushed - returned, `${decoder.buffered} bytes buffered of ${pushed - returned}`);
  };
  for (let at = 0; at < input.length; ) {
    const length = Math.min(Math.max(1, chunkLength()), input.length - at);
    decoder.push(input.slice(at, at + length));
    at += length;
    drain(at);
  }
  if (last === 1) decoder.expire();
  if (last === 2) decoder.end();
  drain(input.length);
  if (skipped !== undefined) text += `${skipped.reason} ${skipped.length}\n`;
  return { text, last };
}
