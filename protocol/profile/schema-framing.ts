/**
 * The part of the profile language that finds and checks frames: byte order, framing, checksum.
 */
import { z } from 'zod';
import { bool, byte, bytes, int, listOf, num, offset, oneOf, text } from './schema-leaves.ts';
import type { ChecksumSpec, FramingSpec, Order } from './spec.ts';

const ORDERS = ['big', 'little', 'word-swapped', 'byte-swapped'] as const;
const SUMS = [
  'sum8',
  'sum16',
  'sum24',
  'sum32',
  'sum16le',
  'sum16be',
  'xor8',
  'lrc',
  'crc',
  'fletcher8',
  'fletcher16',
  'fletcher32',
  'adler32',
] as const;

/** A byte order. */
export const order: z.ZodType<Order, string> = oneOf(ORDERS).describe(
  'Byte order: big (the highest byte first), little, word-swapped (16-bit words big-endian inside, the low word first: some Modbus devices) or byte-swapped (as big, the bytes of each 16-bit word swapped).',
);
const lengthType = oneOf(['u8', 'u16', 'u24', 'u32', 'ascii']);

const lengthField = z.strictObject({
  at: int(0, 256).describe('Where the length field stands, counted from the first byte of the frame.'),
  type: lengthType.default('u8').describe('u8, u16, u24, u32, or ascii: decimal digits, `digits` of them.'),
  digits: int(1, 8).prefault(4).describe('With type ascii: how many digits.'),
  order: order.optional(),
  times: int(1, 256).prefault(1).describe('What one counts: 2 when the field counts 16-bit words.'),
  plus: int(-65_536, 65_536)
    .default(0)
    .describe('Everything that the field does not count: whole frame = value × times + plus.'),
});

const syncAt = z.strictObject({
  at: int(0, 64).default(0).describe('Where the bytes stand in the frame.'),
  bytes: bytes(1, 16).describe('The bytes.'),
  mask: bytes(1, 16).optional().describe('Which bits count; as many bytes as `bytes`.'),
});
const sync = z
  .union([listOf(z.union([syncAt, bytes(1, 16)]), 8)])
  .describe('What a frame begins with, or known bytes inside; of a list all must hold.');

const CHECKSUM = {
  type: oneOf([...SUMS, 'none']).describe(
    'Which one. sum16le and sum16be add 16-bit words, the other sums add bytes; lrc is the two’s complement of sum8.',
  ),
  crc: z
    .union([
      text(40),
      z.strictObject({
        width: oneOf(['8', '16', '32']),
        poly: int(0, 0xffff_ffff),
        init: int(0, 0xffff_ffff).default(0),
        refin: bool.default(false),
        refout: bool.default(false),
        xorout: int(0, 0xffff_ffff).default(0),
      }),
    ])
    .optional()
    .describe('With type crc: a name of the CRC catalogue such as CRC-16/MODBUS, or its parameters.'),
  from: offset.default(0).describe('The first byte that is summed up.'),
  to: offset
    .optional()
    .describe(
      'The first byte that is not summed up any more; negative from the end. Default: where the checksum stands.',
    ),
  at: offset.optional().describe('Where the checksum stands. Not with `zero`.'),
  size: int(1, 8).optional().describe('How many bytes it has, when not as many as its type says; what is more is 0.'),
  order: order.optional(),
  encoding: oneOf(['binary', 'hex', 'HEX'])
    .default('binary')
    .describe(
      'hex or HEX: written as hex digits in lower or upper case; `size` counts the digits. Either case is taken.',
    ),
  complement: oneOf(['ones', 'twos']).optional().describe('ones: all bits turned over; twos: the negative.'),
  init: int(0, 0xffff_ffff).default(0).describe('Start value of sums and XOR, added or XORed.'),
  xorout: int(0, 0xffff_ffff).default(0).describe('XORed with the result.'),
  zero: bool
    .default(false)
    .describe('The result over the range must be 0: the checksum is a byte inside it, the last one unless `at` says.'),
};
/** One rule or several. */
export const checksum: z.ZodType<ChecksumSpec[]> = z.union([
  listOf(z.strictObject(CHECKSUM), 4),
  z.literal('none').transform(() => []),
]);

const escapeBytes = z.union([
  oneOf(['hdlc', 'slip', 'cobs']),
  z.strictObject({
    flag: byte.describe('Stands before and behind every frame.'),
    escape: byte.describe('Announces a byte that is changed.'),
    xor: byte.optional().describe('What the byte behind an escape is XORed with.'),
    map: z
      .record(z.string(), byte)
      .optional()
      .describe('Instead of xor: which byte behind an escape stands for which.'),
  }),
]);

const FRAME = {
  sync: sync.optional(),
  match: z
    .union([listOf(syncAt, 8)])
    .optional()
    .describe('More bytes that a frame of this kind has; as `sync`.'),
  length: z
    .union([int(1, 65_536), lengthField])
    .optional()
    .describe('How long a frame is in all: a number of bytes, or the field that says so.'),
  min: int(1, 65_536).optional().describe('The shortest frame.'),
  max: int(1, 65_536).optional().describe('The longest frame; a longer one is taken for noise. Default 1024.'),
  tail: bytes(1, 16).optional().describe('What a frame ends with. Without `length`: what ends it.'),
  end: z
    .strictObject({
      marker: bytes(1, 32).describe('These bytes announce the end.'),
      plus: int(0, 256).default(0).describe('So many bytes follow behind them.'),
    })
    .optional()
    .describe('Without `length`: the frame ends some bytes behind a marker.'),
};

const framingMap = z.strictObject({
  ...FRAME,
  escape: escapeBytes
    .optional()
    .describe(
      'Byte stuffing: hdlc (7E, 7D XOR 20), slip, cobs, or bytes of its own. It is undone first; all offsets count in what comes out, flags left out.',
    ),
  gap_ms: num({ min: 0.1, max: 10_000 }).optional().describe('Silence of so many milliseconds ends a frame.'),
  gap_chars: num({ min: 1, max: 1_000 })
    .optional()
    .describe('The same in characters at the baud rate (Modbus RTU: 3.5).'),
});
/** How frames are found. */
export const framing: z.ZodType<FramingSpec> = z
  .union([
    z.literal('datagram').transform(() => ({ datagram: true as const })),
    z
      .array(z.strictObject({ ...FRAME, checksum: checksum.optional() }))
      .min(1)
      .max(8),
    framingMap,
  ])
  .describe(
    'How frames are found in the bytes. A list: kinds of frames told apart by `sync` and `match`, the first that fits counts. `datagram`: one frame a UDP datagram.',
  );
