/** The gateway's link sessions as a whole: frames in any order over three carriers, time that jumps, a journal in memory. */
import { CRC_BYTES, encodeMessage, FRAME_OVERHEAD, MAX_DATAGRAM_BYTES, sealFrame } from '../../../protocol/index.ts';
import type { Random } from '../../../device-sim/random.ts';
import { CARRIERS, FIRST_SID, MAX_STEPS, type TestCarrier, World } from '../link-world.ts';
import { randomMessage } from '../messages.ts';
import { concat, must, noise, pick, type Target } from '../target.ts';

/**
 * One step of an input: `op u8 | length u16 | frame`. Of the op bits 0–1 choose the carrier, bit 2 makes the checksum
 * right again, bits 3–5 say what happens besides.
 */
const HEAD_BYTES = 3;
const RESEAL = 4;
const GOOD_DEVICE = 0xfeed_f00d_0000_0001n;
const GOOD_SEQ = 1;

/** A good device comes to a carrier of its own, and must be served whatever was before. */
function serveGoodDevice(world: World): void {
  const carrier = world.carriers[CARRIERS] as TestCarrier;
  world.drain();
  world.receive(
    encodeMessage(
      {
        type: 'HELLO',
        minVersion: 1,
        maxVersion: 1,
        device: GOOD_DEVICE,
        boot: 1,
        uptime: 0,
        firstSeq: GOOD_SEQ,
        capabilities: { commands: false, clock: false },
        maxFrame: 1_024,
        schemaCrc: 0,
      },
      { sid: 0, seq: 0 },
    ),
    carrier,
  );
  const [welcome] = carrier.sent;
  // All eight places may be taken by devices that are online.
  if (welcome?.type === 'ERROR' && welcome.code === 'busy') return;
  must(welcome?.type === 'WELCOME', `a good device was answered ${JSON.stringify(welcome)}`);
  const values = [{ channel: 1, type: 'u8' as const, quality: 'good' as const, value: 1 }];
  const samples = [{ timeKind: 'now' as const, time: 0, values }];
  const { lastSid: sid } = carrier;
  world.receive(encodeMessage({ type: 'READINGS', samples }, { sid, seq: GOOD_SEQ }), carrier);
  world.endOfTurn();
  const acknowledged = carrier.sent.some((message) => message.type === 'ACK' && message.seq === GOOD_SEQ);
  must(acknowledged, 'the reading of a good device was not acknowledged');
}

function step(random: Random): Uint8Array {
  const message = randomMessage(random);
  const known = pick(random, [1n, 2n, 3n]);
  const ours =
    message.type === 'HELLO' || message.type === 'REPORT'
      ? { ...message, device: known, boot: (message.type === 'REPORT' ? 1 : 0) + random.int(4) }
      : message;
  const sessionless = ours.type === 'HELLO' || ours.type === 'REPORT';
  const frame = encodeMessage(ours, {
    sid: sessionless ? 0 : FIRST_SID + random.int(6),
    seq: ours.type === 'HELLO' ? 0 : pick(random, [1, 2, 3, 4, 40, random.u32()]),
    ackWanted: random.int(2) === 0,
  });
  const bytes = random.int(20) === 0 ? noise(random, random.int(60)) : frame;
  return concat([Uint8Array.of(random.int(256), bytes.length >> 8, bytes.length), bytes]);
}

export const SESSION_TARGETS: readonly Target[] = [
  {
    name: 'link-session',
    about: 'link sessions as a whole; a good device that comes afterwards is served',
    generate: (random) => concat(Array.from({ length: 1 + random.int(12) }, () => step(random))),
    check: (input) => {
      const world = new World();
      let fed = 0;
      for (let at = 0; at + HEAD_BYTES <= input.length && fed < MAX_STEPS; ) {
        const op = input[at] as number;
        const length = ((input[at + 1] as number) << 8) | (input[at + 2] as number);
        const frame = input.slice(at + HEAD_BYTES, at + HEAD_BYTES + length);
        at += HEAD_BYTES + length;
        if ((op & RESEAL) !== 0 && frame.length >= FRAME_OVERHEAD && frame.length <= MAX_DATAGRAM_BYTES) {
          frame[0] = 0x20 | ((frame[0] as number) & 7);
          sealFrame(frame);
        }
        const carrier = world.carriers[op % CARRIERS] as TestCarrier;
        world.receive(frame, carrier);
        fed++;
        must(frame.length < CRC_BYTES || world.framesCounted === fed, 'a frame was not counted');
        const besides = (op >> 3) & 7;
        if (besides <= 2) world.endOfTurn();
        else if (besides === 3) world.drain();
        else if (besides === 4) world.lose(carrier);
        else if (besides === 5) world.pass(op * 1_000);
      }
      world.endOfTurn();
      serveGoodDevice(world);
    },
  },
];
