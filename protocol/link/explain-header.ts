/** The header of a frame, explained: the same for plain and sealed ones. */
import { isSealed, u32 } from './frame.ts';
import { hex } from './explain-body.ts';
import type { BodyRange } from './explain-body.ts';
import type { MessageDeclaration } from './messages.ts';

/** A named run of bytes of a frame, its place on the wire aside. */
export type Range = BodyRange;

/** A range of a frame, with its bytes in hex for a value unless `text` has a better one. */
export function range(
  bytes: Uint8Array,
  name: string,
  offset: number,
  length: number,
  meaning: string,
  text?: string,
): Range {
  return { offset, length, name, value: text ?? hex(bytes.subarray(offset, offset + length)), meaning };
}

/** As much of the header as is there; in a frame shorter than `overhead`, what is left is named as unread. */
export function headerRanges(
  bytes: Uint8Array,
  declaration: MessageDeclaration | undefined,
  overhead: number,
): Range[] {
  const ranges: Range[] = [];
  const length = bytes.length;
  if (length >= 1) {
    const vf = bytes[0]!;
    const words = [`version ${vf >> 5}`, `security ${(vf >> 3) & 3}`, (vf & 4) !== 0 ? 'down' : 'up'];
    if ((vf & 2) !== 0) words.push('ack wanted');
    if ((vf & 1) !== 0) words.push('critical');
    ranges.push(range(bytes, 'vf', 0, 1, 'Version and flags.', words.join(', ')));
  }
  if (length >= 2) {
    const text = `0x${bytes[1]!.toString(16).padStart(2, '0')} ${declaration?.name ?? 'unknown'}`;
    ranges.push(range(bytes, 'type', 1, 1, declaration?.note ?? 'Not assigned.', text));
  }
  if (length >= 6) {
    const sid = u32(bytes, 2);
    const meaning = sid === 0 ? 'No session.' : 'The session.';
    ranges.push(range(bytes, 'sid', 2, 4, meaning, `0x${sid.toString(16).padStart(8, '0')}`));
  }
  if (length >= 10) {
    ranges.push(range(bytes, 'seq', 6, 4, seqMeaning(bytes), `${u32(bytes, 6)}`));
  }
  const end = length >= 10 ? 10 : length >= 6 ? 6 : Math.min(length, 2);
  if (length < overhead && end < length) {
    ranges.push(range(bytes, 'unread', end, length - end, 'The frame ends too early.'));
  }
  return ranges;
}

function seqMeaning(bytes: Uint8Array): string {
  if (isSealed(bytes) && u32(bytes, 2) !== 0) return 'How many frames of this session its sender has sent; the nonce.';
  return (bytes[0]! & 2) !== 0
    ? 'Number from the reliable counter.'
    : 'Number from the counter of unacknowledged frames.';
}

/** A u32 as `0x` and eight digits. */
export function hex32(value = 0): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
