/**
 * A serial line that flips bits, simulated with the protocol's own parts, so that a million frames are enough of them.
 *
 * ```
 *   SendWindow ─→ frame, CRC, COBS ─→ flipped bits ─→ COBS, CRC ─→ ReceiveWindow ─→ compared, byte by byte
 *        ↑                                                              │
 *        └──────── COBS, CRC ←── flipped bits ←── ACK ──────────────────┘
 * ```
 */
import {
  decodeBody,
  decodeFrame,
  encodeBody,
  encodeFrame,
  encodeMessage,
  encodeStreamFrame,
  type FrameDecoder,
  linkStreamDecoder,
  type LinkFrame,
  ReceiveWindow,
  SendWindow,
} from '../../../protocol/index.ts';
import type { Random } from '../../../device-sim/random.ts';
import type { Context, Outcome, Scenario } from '../scenario.ts';

const BIT_ERROR_RATES = [1e-4, 1e-3];
const WINDOW = 32;
/** How long bytes are on the line, one way. */
const LINE_MS = 5;
const SID = 0x5e71a1;
const BODIES = 251;

interface Result {
  /** READINGS frames put on the line, repetitions included. */
  transmitted: number;
  flippedBits: number;
  delivered: number;
  acknowledged: number;
  /** Delivered with other bytes than were pushed, twice or not in order. */
  corrupt: number;
  /** What the decoders threw away. */
  skippedBytes: number;
}

export const serialNoise: Scenario = {
  name: 'serial-noise',
  fault: 'serial line, bit error rates 1e-4 and 1e-3 (simulated)',
  rounds: { full: 1_000_000, short: 50_000 },
  run(context: Context): Promise<Outcome> {
    const figures: Record<string, number | string> = {};
    const failures: string[] = [];
    const sum = { delivered: 0, acknowledged: 0, corrupt: 0, missing: 0 };
    for (const rate of BIT_ERROR_RATES) {
      const result = simulate(context.rounds, rate, context.random.fork(String(rate)));
      const missing = context.rounds - result.acknowledged;
      context.log(`bit error rate ${rate}: ${JSON.stringify(result)}`);
      if (result.corrupt > 0) failures.push(`${rate}: ${result.corrupt} frames were not what was sent, in order`);
      if (missing > 0) failures.push(`${rate}: ${missing} frames were not acknowledged`);
      if (result.delivered < result.acknowledged) failures.push(`${rate}: acknowledged without having arrived`);
      if (result.flippedBits === 0) failures.push(`${rate}: no bit was flipped`);
      figures[`transmitted_${rate}`] = result.transmitted;
      figures[`flipped_bits_${rate}`] = result.flippedBits;
      sum.delivered += result.delivered;
      sum.acknowledged += result.acknowledged;
      sum.corrupt += result.corrupt;
      sum.missing += missing;
    }
    const readings = context.rounds * BIT_ERROR_RATES.length;
    return Promise.resolve({
      rounds: BIT_ERROR_RATES.length,
      readings,
      acknowledged: sum.acknowledged,
      missing: sum.missing,
      duplicates: 0,
      foreign: sum.corrupt,
      worstAckGapMs: undefined,
      figures,
      failures,
    });
  },
};

function simulate(frames: number, bitErrorRate: number, random: Random): Result {
  const result = { transmitted: 0, flippedBits: 0, delivered: 0, acknowledged: 0, corrupt: 0, skippedBytes: 0 };
  const jitter = random.fork('jitter');
  const sender = new SendWindow({ maxFrames: 64, maxBytes: 64 * 256, random: () => jitter.float() });
  sender.restart(WINDOW);
  const receiver = new ReceiveWindow<{ seq: number; body: Uint8Array }>(1, WINDOW);
  const up = new NoisyLine(bitErrorRate, random.fork('up'));
  const down = new NoisyLine(bitErrorRate, random.fork('down'));
  const bodies = Array.from({ length: BODIES }, (_, index) => bodyOf(index, random.fork('bodies')));
  let now = 0;
  let pushed = 0;
  let lastProgress = 0;

  while (result.acknowledged < frames) {
    while (pushed < frames && sender.pending < 48) sender.push('READINGS', bodies[++pushed % BODIES] as Uint8Array);
    for (let out = sender.next(now); out !== undefined; out = sender.next(now)) {
      result.transmitted++;
      up.send(encodeStreamFrame(encodeFrame({ type: out.type, sid: SID, seq: out.seq, ackWanted: true }, out.body)));
    }
    now += LINE_MS;
    let heard = false;
    for (const frame of up.receive()) {
      heard = true;
      receiver.offer(frame.seq, { seq: frame.seq, body: frame.body.slice() });
      for (let next = receiver.take(); next !== undefined; next = receiver.take()) {
        result.delivered++;
        const right = next.seq === result.delivered && sameBytes(next.body, bodies[next.seq % BODIES] as Uint8Array);
        if (!right) result.corrupt++;
      }
    }
    if (heard) {
      const ack = {
        type: 'ACK',
        seq: receiver.next - 1,
        map: receiver.heldMap,
        flags: { schemaWanted: false },
      } as const;
      down.send(encodeStreamFrame(encodeMessage(ack, { sid: SID, seq: 1, down: true })));
    }
    now += LINE_MS;
    for (const frame of down.receive()) {
      const decoded = decodeBody(frame);
      if (!decoded.ok || decoded.message.type !== 'ACK') continue;
      result.acknowledged += sender.onAck(decoded.message.seq, decoded.message.map, now).length;
      lastProgress = now;
    }
    // Nothing to send before the timer: time passes at once.
    if (sender.nextAt > now && sender.nextAt !== Number.POSITIVE_INFINITY) now = sender.nextAt;
    if (now - lastProgress > 600_000) break;
  }
  result.flippedBits = up.flippedBits + down.flippedBits;
  result.skippedBytes = up.skippedBytes + down.skippedBytes;
  return result;
}

/** READINGS of some values: with many zero bytes, which COBS has to hide, and with few. */
function bodyOf(index: number, random: Random): Uint8Array {
  const own = random.fork(index);
  const values = Array.from({ length: 1 + (index % 5) }, (_, channel) => ({
    channel,
    type: 'u32' as const,
    quality: 'good' as const,
    value: index % 3 === 0 ? own.int(4) : own.u32(),
  }));
  return encodeBody({ type: 'READINGS', samples: [{ timeKind: 'uptime', time: own.u32(), values }] });
}

/** One direction of the line: every bit is flipped with the same small probability. */
class NoisyLine {
  flippedBits = 0;
  skippedBytes = 0;
  readonly #rate: number;
  readonly #random: Random;
  readonly #decoder: FrameDecoder = linkStreamDecoder();
  /** Bits that pass before the next one is flipped. */
  #untilFlip: number;

  constructor(bitErrorRate: number, random: Random) {
    this.#rate = bitErrorRate;
    this.#random = random;
    this.#untilFlip = this.#distance();
  }

  send(bytes: Uint8Array): void {
    const bits = bytes.length * 8;
    let at = this.#untilFlip;
    for (; at < bits; at += 1 + this.#distance()) {
      bytes[at >> 3] = (bytes[at >> 3] as number) ^ (0x80 >> (at & 7));
      this.flippedBits++;
    }
    this.#untilFlip = at - bits;
    this.#decoder.push(bytes);
  }

  /** The frames that have come through; each is good until the next is taken. */
  *receive(): Iterable<LinkFrame> {
    for (let item = this.#decoder.next(); item !== undefined; item = this.#decoder.next()) {
      if (item.kind === 'skip') {
        this.skippedBytes += item.wireLength;
        continue;
      }
      const decoded = decodeFrame(item.bytes);
      if (decoded.ok) yield decoded.frame;
    }
  }

  /** Good bits between two flips: geometric. */
  #distance(): number {
    return Math.floor(Math.log(1 - this.#random.float()) / Math.log(1 - this.#rate));
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
