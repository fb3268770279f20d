/** Every framing strategy: whatever comes, each byte ends in one frame, one skip or the buffer, however it is cut. */
import {
  cobsDecoder,
  cobsEncoder,
  datagramDecoder,
  delimitedDecoder,
  delimitedEncoder,
  fixedDecoder,
  type FrameDecoder,
  type FrameEncoder,
  gapDecoder,
  hdlcDecoder,
  hdlcEncoder,
  lengthDecoder,
  lengthEncoder,
  slipDecoder,
  slipEncoder,
  sum8,
  typeLengthDecoder,
  untilCloseDecoder,
} from '../../../protocol/index.ts';
import type { Random } from '../../../device-sim/random.ts';
import { checkLine } from '../line.ts';
import { concat, noise, pick, type Target } from '../target.ts';

interface Strategy {
  readonly name: string;
  readonly decoder: () => FrameDecoder;
  /** Makes a good frame of any content of at most 60 bytes. */
  readonly encode: FrameEncoder;
  /** Bytes that mean something to it. */
  readonly alphabet: readonly number[];
}

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));
const MAX = 100;

/** `aa len … sum`. */
function summed(content: Uint8Array): Uint8Array {
  const frame = Uint8Array.from([0xaa, content.length + 3, ...content, 0]);
  frame[frame.length - 1] = sum8(frame, 0, frame.length - 1);
  return frame;
}

const sumOption = {
  sync: Uint8Array.of(0xaa),
  field: { at: 1, type: 'u8' },
  maxBytes: MAX,
  verify: (frame: Uint8Array) => frame.length > 2 && sum8(frame, 0, frame.length - 1) === frame[frame.length - 1],
} as const;
const escaped = { delimiter: ascii('\n;'), escape: 0x5c, maxBytes: MAX };
const lengthU16 = {
  sync: ascii('BM'),
  field: { at: 2, type: 'u16', little: true },
  trailer: ascii('!'),
  plus: 5,
  maxBytes: MAX,
  content: 'body',
} as const;
const netstring = {
  field: { at: 0, type: 'ascii', maxDigits: 3, terminator: 0x3a },
  trailer: ascii(','),
  plus: 1,
  maxBytes: MAX,
  content: 'body',
} as const;

const STRATEGIES: readonly Strategy[] = [
  {
    name: 'cobs',
    decoder: () => cobsDecoder({ maxBytes: MAX }),
    encode: cobsEncoder({ maxBytes: MAX }),
    alphabet: [0, 1, 2, 3, 0xff],
  },
  {
    name: 'slip',
    decoder: () => slipDecoder({ maxBytes: MAX }),
    encode: slipEncoder({ maxBytes: MAX }),
    alphabet: [0xc0, 0xdb, 0xdc, 0xdd],
  },
  {
    name: 'hdlc',
    decoder: () => hdlcDecoder({ maxBytes: MAX }),
    encode: hdlcEncoder({ maxBytes: MAX }),
    alphabet: [0x7e, 0x7d, 0x5e, 0x5d],
  },
  {
    name: 'delimited',
    decoder: () => delimitedDecoder({ delimiter: ascii('aab'), maxBytes: MAX }),
    encode: (content) => concat([content.map((byte) => byte | 0x80), ascii('aab')]),
    alphabet: [0x61, 0x62, 0x63],
  },
  {
    name: 'delimited-escaped',
    decoder: () => delimitedDecoder(escaped),
    encode: delimitedEncoder({ ...escaped, maxBytes: 2 * MAX }),
    alphabet: [0x0a, 0x3b, 0x5c],
  },
  {
    name: 'length-u16',
    decoder: () => lengthDecoder(lengthU16),
    encode: lengthEncoder(lengthU16),
    alphabet: [0x42, 0x4d, 0, 5, 0x21],
  },
  {
    name: 'netstring',
    decoder: () => lengthDecoder(netstring),
    encode: lengthEncoder(netstring),
    alphabet: [...ascii('0123456789:,')],
  },
  { name: 'length-checksum', decoder: () => lengthDecoder(sumOption), encode: summed, alphabet: [0xaa, 3, 4, 100] },
  {
    name: 'type-length',
    decoder: () => typeLengthDecoder({ lengths: { 1: 1, 2: 4, 9: 30 }, maxBytes: MAX }),
    encode: (content) => Uint8Array.from([2, ...content.subarray(0, 3), 0, 0, 0].slice(0, 4)),
    alphabet: [1, 2, 9],
  },
  {
    name: 'fixed',
    decoder: () => fixedDecoder({ bytes: 7, sync: Uint8Array.of(0xaa, 0x55) }),
    encode: (content) => Uint8Array.from([0xaa, 0x55, ...content, 0, 0, 0, 0, 0].slice(0, 7)),
    alphabet: [0xaa, 0x55],
  },
  { name: 'gap', decoder: () => gapDecoder({ maxBytes: MAX }), encode: (content) => content, alphabet: [0] },
  {
    name: 'until-close',
    decoder: () => untilCloseDecoder({ maxBytes: MAX }),
    encode: (content) => content,
    alphabet: [0],
  },
  { name: 'datagram', decoder: () => datagramDecoder({ maxBytes: MAX }), encode: (content) => content, alphabet: [0] },
];

/** For the decoders to which a push means more than its bytes. */
const CUT_MATTERS = new Set(['datagram']);

export const FRAMING_TARGETS: readonly Target[] = STRATEGIES.map((strategy) => ({
  name: `framing-${strategy.name}`,
  about: `a line through the ${strategy.name} decoder, cut in two ways`,
  generate: (random) => line(strategy, random),
  check: (input, random) =>
    checkLine(strategy.decoder, MAX, input, random, CUT_MATTERS.has(strategy.name) ? 'whole' : 'items'),
}));

/** Good frames, noise, and noise of bytes that mean something. */
function line({ encode, alphabet }: Strategy, random: Random): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let n = 1 + random.int(6); n > 0; n--) {
    const kind = random.int(4);
    if (kind <= 1) parts.push(encode(noise(random, 1 + random.int(random.int(3) === 0 ? 60 : 8))));
    else if (kind === 2) parts.push(noise(random, random.int(40)));
    else parts.push(Uint8Array.from({ length: random.int(40) }, () => pick(random, alphabet)));
  }
  return concat(parts);
}
