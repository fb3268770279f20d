/** The link protocol's own parsers: the frame, its body, schemas, and the explanation of whatever bytes. */
import {
  CRC_BYTES,
  decodeBody,
  decodeFrame,
  encodeBody,
  encodeMessage,
  encodeSchemaParts,
  explain,
  FRAME_OVERHEAD,
  type Message,
  SchemaAssembler,
  schemaCrc,
  sealFrame,
} from '../../../protocol/index.ts';
import type { Random } from '../../../device-sim/random.ts';
import { explainFrames } from '../../../gateway/commands/split-frames.ts';
import { randomMessage, randomSchema } from '../messages.ts';
import { concat, equal, must, noise, pick, type Target } from '../target.ts';

/** A frame of any message, sometimes with a byte changed under a checksum that is right again. */
export function frame(random: Random): Uint8Array {
  const message = randomMessage(random);
  const bytes = encodeMessage(message, {
    sid: pick(random, [0, 1, random.u32()]),
    seq: pick(random, [0, 1, 2, random.u32(), 0xffffffff]),
    down: random.int(8) === 0,
    ackWanted: random.int(2) === 0,
  });
  if (random.int(2) === 0) {
    for (let n = random.int(4); n > 0; n--) {
      bytes[10 + random.int(Math.max(1, bytes.length - FRAME_OVERHEAD))] = pick(random, [0, 1, 0xff, random.u32()]);
    }
    sealFrame(bytes);
  }
  return bytes;
}

export const LINK_TARGETS: readonly Target[] = [
  {
    name: 'link-frame',
    about: 'a frame, and the body of a good one; what decodes encodes to the same bytes',
    generate: frame,
    check: (input) => {
      resealed(input, (bytes) => {
        const decoded = decodeFrame(bytes);
        if (!decoded.ok) {
          must(decoded.offset >= 0 && decoded.offset <= bytes.length, `offset ${decoded.offset}`);
          return;
        }
        const body = decodeBody(decoded.frame);
        if (!body.ok) {
          must(body.offset >= 0 && body.offset <= bytes.length, `offset ${body.offset} of ${bytes.length}`);
          return;
        }
        // Codes, flags and fields that this version does not know are read past; these messages have none.
        const { message } = body;
        if (!isExact(message)) return;
        const again = encodeBody(message);
        must(equal(again, decoded.frame.body.subarray(0, again.length)), `${message.type} encodes to other bytes`);
      });
    },
  },
  {
    name: 'link-schema',
    about: 'parts of a schema in any order',
    generate: (random) => {
      const parts = encodeSchemaParts(randomSchema(random), 200 + random.int(300));
      return concat(parts.flatMap((part) => [Uint8Array.of(part.length >> 8, part.length), part]));
    },
    check: (input, random) => {
      const parts: Uint8Array[] = [];
      for (let at = 0; at + 2 <= input.length && parts.length < 16; ) {
        const length = ((input[at] as number) << 8) | (input[at + 1] as number);
        parts.push(input.subarray(at + 2, at + 2 + length));
        at += 2 + length;
      }
      if (parts.length === 0) return;
      const crc = random.int(16) === 0 ? random.u32() : schemaCrc(parts);
      const assembler = new SchemaAssembler();
      for (let n = parts.length * 2; n > 0; n--) {
        const part = random.int(parts.length);
        assembler.add({ crc, part, parts: parts.length, content: parts[part] as Uint8Array });
      }
      parts.forEach((content, part) => assembler.add({ crc, part, parts: parts.length, content }));
      const { schema } = assembler;
      if (schema === undefined) return;
      must(schema.channels.length <= 64, 'more channels than the limit');
      must(new Set(schema.channels.map(({ number }) => number)).size === schema.channels.length, 'a number twice');
    },
  },
  {
    name: 'link-explain',
    about: 'explain, on frames and on streams of them: every byte explained once',
    generate: (random) => {
      const frames = Array.from({ length: 1 + random.int(3) }, () => frame(random));
      return random.int(2) === 0 ? concat(frames) : concat([...frames, noise(random, random.int(20))]);
    },
    check: (input) => {
      for (const form of ['auto', 'frame', 'cobs'] as const) {
        for (const explanation of [explain(input, form), explainFrames(input, form)]) {
          must(explanation.frames.length > 0, 'nothing explained');
          for (const { ranges, ok, problem, bytes } of explanation.frames) {
            must(ok === (problem === undefined), 'neither good nor told why');
            must(
              ranges.every(({ offset, length }) => offset >= 0 && offset + length <= bytes.length),
              'a range outside',
            );
          }
        }
      }
    },
  },
];

/** As it is, and with a checksum that is right: else chance would let nothing pass it. */
function resealed(input: Uint8Array, check: (bytes: Uint8Array) => void): void {
  check(input);
  if (input.length < FRAME_OVERHEAD || input.length > 1_200) return;
  const good = input.slice();
  good[0] = 0x20 | ((good[0] as number) & 7);
  sealFrame(good);
  check(good);
  must(good.length >= CRC_BYTES, 'sealed');
}

/** Whether it has one encoding only: no codes or flags, and no NaN, whose payload JavaScript does not keep. */
function isExact(message: Message): boolean {
  if (message.type === 'READINGS') {
    return message.samples.every(({ values }) => values.every(({ value }) => !Number.isNaN(value)));
  }
  return message.type === 'PING' || message.type === 'PONG' || message.type === 'GAP';
}
