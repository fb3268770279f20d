/** Small changes to an input: what turns a good frame into one that is nearly good. */
import type { Random } from '../../device-sim/random.ts';
import { MAX_INPUT_BYTES } from './target.ts';

/** Bytes at which decoders decide something. */
const INTERESTING = [0x00, 0x01, 0x02, 0x7f, 0x80, 0xfe, 0xff, 0x7d, 0x7e, 0xc0, 0xdb, 0x0a, 0x0d, 0x20, 0x22, 0x24];

/** One to four changes; `other` is another input, to splice with. The input stays as it is. */
export function mutate(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  let bytes = input;
  for (let n = 1 + random.int(4); n > 0; n--) bytes = change(bytes, other, random);
  return bytes.length <= MAX_INPUT_BYTES ? bytes : bytes.slice(0, MAX_INPUT_BYTES);
}

function change(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const at = random.int(bytes.length + 1);
  const length = 1 + random.int(8);
  switch (random.int(8)) {
    case 0:
      return withByte(bytes, at, (byte) => byte ^ (1 << random.int(8)));
    case 1:
      return withByte(bytes, at, () => INTERESTING[random.int(INTERESTING.length)] as number);
    case 2:
      return withByte(bytes, at, (byte) => byte + random.int(9) - 4);
    case 3:
      return spliced(
        bytes,
        at,
        at,
        Uint8Array.from({ length }, () => random.u32()),
      );
    case 4:
      return spliced(bytes, at, at + length, new Uint8Array(0));
    case 5:
      // The same again, as a line that stutters.
      return spliced(bytes, at, at, bytes.subarray(Math.max(0, at - length * 4), at));
    case 6: {
      const from = random.int(other.length + 1);
      return spliced(bytes, at, at + random.int(length), other.subarray(from, from + length * 8));
    }
    default:
      return bytes.slice(0, at);
  }
}

function withByte(bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  if (at >= bytes.length) return bytes;
  const copy = bytes.slice();
  copy[at] = change(copy[at] as number);
  return copy;
}

function spliced(bytes: Uint8Array, from: number, to: number, middle: Uint8Array): Uint8Array {
  const head = bytes.subarray(0, from);
  const tail = bytes.subarray(Math.min(to, bytes.length));
  const result = new Uint8Array(head.length + middle.length + tail.length);
  result.set(head);
  result.set(middle, head.length);
  result.set(tail, head.length + middle.length);
  return result;
}
