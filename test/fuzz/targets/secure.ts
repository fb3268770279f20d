/** The secure channel: only what the other end has made is accepted, and only once. */
import {
  beginHandshake,
  HEADER_BYTES,
  isSealed,
  KEY_BYTES,
  KeyPair,
  readHandshake,
  SecureChannel,
} from '../../../protocol/index.ts';
import { AeadKey } from '../../../protocol/link/secure/primitives.ts';
import type { Random } from '../../../device-sim/random.ts';
import { concat, equal, must, noise, pick, type Target } from '../target.ts';

const KEY = new Uint8Array(KEY_BYTES).fill(7);
const SID = 0x1234;
const UP = new AeadKey(new Uint8Array(KEY_BYTES).fill(1));
const DOWN = new AeadKey(new Uint8Array(KEY_BYTES).fill(2));

/** Handshakes that a device has made, with ephemeral keys that are always the same. */
const HANDSHAKES = [1, 2, 3]
  .map((n) =>
    beginHandshake(
      KEY,
      {
        type: 'HELLO',
        minVersion: 1,
        maxVersion: 1,
        device: BigInt(n),
        boot: n,
        uptime: 1,
        firstSeq: 1,
        capabilities: { commands: true, clock: false },
        maxFrame: 1024,
        schemaCrc: 0,
      },
      0,
      new KeyPair(new Uint8Array(KEY_BYTES).fill(n)),
    ),
  )
  .map(({ frame }) => frame);

/** What a device has sent in one session: the numbers 1 to 100. */
const SENT: ReadonlyMap<string, number> = new Map(
  ((): [string, number][] => {
    const channel = new SecureChannel(SID, false, UP, DOWN);
    return Array.from({ length: 100 }, (_, n) => {
      const body = new Uint8Array(n % 40).fill(n);
      const frame = channel.seal(n % 3 === 0 ? { type: 4, seq: n + 1 } : { type: 7 }, body);
      return [Buffer.from(frame).toString('hex'), n + 1];
    });
  })(),
);
const FRAMES = [...SENT.keys()].map((hex) => new Uint8Array(Buffer.from(hex, 'hex')));

/** Frames one behind the other, each behind its length. */
function lengths(frames: readonly Uint8Array[]): Uint8Array {
  return concat(frames.flatMap((frame) => [Uint8Array.of(frame.length), frame]));
}

function damaged(random: Random, frame: Uint8Array): Uint8Array {
  const copy = frame.slice();
  const at = random.int(copy.length);
  copy[at] = (copy[at] as number) ^ (1 << random.int(8));
  return copy;
}

export const SECURE_TARGETS: readonly Target[] = [
  {
    name: 'secure-handshake',
    about: 'handshakes of a device, changed: none is accepted but the three that it made',
    generate: (random) => pick(random, HANDSHAKES),
    check: (input) => {
      const received = readHandshake(input);
      if (!received.ok) return;
      const opened = received.open(KEY);
      must(opened.ok === HANDSHAKES.some((frame) => equal(frame, input)), 'accepted what nobody made, or refused it');
    },
  },
  {
    name: 'secure-frames',
    about: 'sealed frames of a session, doubled, reordered, changed: each accepted at most once, none forged',
    generate: (random) => {
      const frames: Uint8Array[] = [];
      let next = random.int(20);
      for (let n = random.int(12); n > 0; n--) {
        next = Math.max(0, Math.min(FRAMES.length - 1, next + random.int(6) - 2));
        const frame = FRAMES[next] as Uint8Array;
        frames.push(pick(random, [frame, frame, frame, damaged(random, frame), noise(random, random.int(60))]));
      }
      return lengths(frames);
    },
    check: (input) => {
      const channel = new SecureChannel(SID, true, DOWN, UP);
      const taken = new Set<number>();
      let newest = 0;
      for (let at = 0; at < input.length; ) {
        const length = input[at] as number;
        const bytes = input.subarray(at + 1, at + 1 + length);
        at += 1 + length;
        const opened = channel.open(bytes);
        const number = SENT.get(Buffer.from(bytes).toString('hex'));
        // The window looks back over 64 numbers.
        const due = number !== undefined && !taken.has(number) && number > newest - 64;
        must(opened.ok === due, due ? `number ${number} was refused` : 'accepted what is forged, old or a copy');
        if (!opened.ok || number === undefined) continue;
        must(isSealed(bytes) && bytes.length >= HEADER_BYTES, 'opened what is not sealed');
        taken.add(number);
        newest = Math.max(newest, number);
      }
    },
  },
];
