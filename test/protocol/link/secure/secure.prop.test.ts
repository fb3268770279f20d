import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beginHandshake, decodeBody, explain, KeyPair, readHandshake } from '../../../../protocol/index.ts';
import type {
  AnsweredHandshake,
  Beginning,
  DeviceHandshake,
  OpenedHandshake,
  SecureChannel,
} from '../../../../protocol/index.ts';
import { REPLAY_WINDOW, ReplayWindow } from '../../../../protocol/link/secure/replay-window.ts';

const DEVICE = 0xa1b2_c3d4_e5f6_0718n;
const key = new Uint8Array(32).map((_, i) => i * 7);
const hello: Beginning = {
  type: 'HELLO',
  minVersion: 1,
  maxVersion: 1,
  device: DEVICE,
  boot: 7,
  uptime: 4200,
  firstSeq: 1,
  capabilities: { commands: true, clock: false },
  maxFrame: 1024,
  schemaCrc: 0,
};
const welcome = {
  type: 'WELCOME',
  boot: 7,
  unixMs: 1_767_225_600_000,
  flags: { schemaWanted: false },
  keepalive: 30,
  window: 8,
  maxFrame: 1024,
} as const;
const SID = 0x5eed0001;

interface Begun {
  readonly handshake: DeviceHandshake;
  readonly opened: OpenedHandshake;
  readonly answered: AnsweredHandshake;
}

/** A handshake up to its answer, which has not arrived. */
function begun(sid = SID): Begun {
  const handshake = beginHandshake(key, hello);
  const received = readHandshake(handshake.frame);
  const opened = received.ok ? received.open(key) : received;
  if (!opened.ok) throw new Error(opened.code);
  const answered = opened.answer(welcome, sid);
  if (!answered.ok) throw new Error(answered.code);
  return { handshake, opened, answered };
}

function session(sid = SID): { device: SecureChannel; gateway: SecureChannel } {
  const { handshake, answered } = begun(sid);
  const answer = handshake.complete(answered.frame);
  if (!answer.ok) throw new Error(answer.code);
  return { device: answer.channel!, gateway: answered.channel! };
}

const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
  const copy = bytes.slice();
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
};

describe('every flipped bit', () => {
  const { handshake, answered } = begun();
  const { device, gateway } = session();

  it('of a handshake up is refused', () => {
    for (let bit = 0; bit < handshake.frame.length * 8; bit++) {
      const received = readHandshake(flipped(handshake.frame, bit));
      expect(received.ok && received.open(key).ok, `bit ${bit}`).toBe(false);
    }
  });

  it('of an answer is refused, and the genuine one taken afterwards', () => {
    for (let bit = 0; bit < answered.frame.length * 8; bit++) {
      expect(handshake.complete(flipped(answered.frame, bit)).ok, `bit ${bit}`).toBe(false);
    }
    expect(handshake.complete(answered.frame).ok).toBe(true);
  });

  it('of a frame of a session is refused, and moves nothing', () => {
    for (const [from, to] of [
      [device, gateway],
      [gateway, device],
    ] as const) {
      for (const header of [{ type: 4, seq: 1 }, { type: 7 }]) {
        const frame = from.seal(header, Uint8Array.of(1, 1, 0, 1));
        for (let bit = 0; bit < frame.length * 8; bit++) {
          expect(to.open(flipped(frame, bit)).ok, `bit ${bit}`).toBe(false);
        }
        expect(to.open(frame).ok).toBe(true);
      }
    }
  });
});

describe('sealed frames', () => {
  const { device, gateway } = session();

  it('come back as they went, in both directions', () => {
    const sent = fc.record({
      type: fc.integer({ min: 0, max: 255 }),
      seq: fc.option(fc.integer({ min: 0, max: 0xffff_ffff }), { nil: undefined }),
      critical: fc.boolean(),
      body: fc.uint8Array({ maxLength: 1170 }),
      up: fc.boolean(),
    });
    fc.assert(
      fc.property(sent, ({ type, seq, critical, body, up }) => {
        const [from, to] = up ? [device, gateway] : [gateway, device];
        const frame = from.seal(seq === undefined ? { type, critical } : { type, seq, critical }, body);
        const opened = to.open(frame);
        if (!opened.ok) throw new Error(opened.code);
        expect(opened.frame).toMatchObject({ type, critical, down: !up, sid: SID, ackWanted: seq !== undefined });
        if (seq !== undefined) expect(opened.frame.seq).toBe(seq);
        expect(Buffer.from(opened.frame.body).equals(body)).toBe(true);
        // Nothing of it shows, and the same again would look otherwise.
        if (body.length >= 8) expect(Buffer.from(frame).includes(Buffer.from(body))).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('of one session are nothing to another, with the same key and sid', () => {
    const other = session();
    const frame = device.seal({ type: 7 }, Uint8Array.of(1, 2, 3, 4));
    expect(other.gateway.open(frame)).toEqual({ ok: false, code: 'bad-tag' });
    expect(session(7).gateway.open(frame)).toEqual({ ok: false, code: 'wrong-session' });
  });

  it('end when the numbers do', () => {
    const { device, gateway } = session();
    const counter = device as unknown as { following: number };
    expect(device.spent).toBe(false);
    counter.following = 0xffff_ffff - 999;
    expect(device.spent).toBe(true);
    counter.following = 0xffff_ffff;
    expect(gateway.open(device.seal({ type: 7 }, new Uint8Array(4))).ok).toBe(true);
    expect(() => device.seal({ type: 7 }, new Uint8Array(4))).toThrow(RangeError);
  });
});

describe('bytes that nobody has sealed', () => {
  const { handshake, opened } = begun();
  const { device, gateway } = session();
  const good = [handshake.frame, device.seal({ type: 4, seq: 9 }, Uint8Array.of(1, 1, 0, 1))];
  const mangled = fc
    .tuple(fc.constantFrom(...good), fc.nat(), fc.uint8Array({ maxLength: 40 }))
    .map(([frame, at, put]) => {
      const from = at % (frame.length + 1);
      return Uint8Array.from([...frame.subarray(0, from), ...put, ...frame.subarray(from + put.length)]);
    });
  const headed = fc
    .tuple(fc.constantFrom(0x28, 0x29, 0x2a, 0x2c, 0x48), fc.uint8Array({ maxLength: 300 }))
    .map(([vf, rest]) => Uint8Array.of(vf, ...rest));
  const anything = fc.oneof(fc.uint8Array({ maxLength: 300 }), headed, mangled);

  it('are refused with a code, and never thrown at anybody', () => {
    const waiting = beginHandshake(key, hello);
    fc.assert(
      fc.property(anything, (bytes) => {
        const received = readHandshake(bytes);
        if (received.ok) {
          const inside = received.open(key);
          // Only the genuine one passes.
          if (inside.ok) expect(Buffer.from(bytes).equals(handshake.frame)).toBe(true);
          else expect(inside.code).toMatch(/^[a-z-]+$/);
        }
        expect(waiting.complete(bytes).ok).toBe(false);
        expect(device.open(bytes).ok).toBe(false);
        const data = gateway.open(bytes);
        if (data.ok) expect(Buffer.from(bytes).equals(good[1]!)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('are explained byte by byte all the same, with and without the key', () => {
    fc.assert(
      fc.property(anything, fc.option(fc.constant(key), { nil: undefined }), (bytes, key) => {
        const [frame] = explain(bytes, 'frame', key).frames;
        let at = 0;
        for (const { offset, length } of frame!.ranges) {
          expect(offset).toBe(at);
          expect(length).toBeGreaterThan(0);
          at += length;
        }
        expect(at).toBe(bytes.length);
        expect(frame!.bytes).toHaveLength(bytes.length);
        expect(frame!.ok).toBe(frame!.problem === undefined);
      }),
      { numRuns: 1_000 },
    );
  });

  it('can be a body that only the key’s owner could have sealed: a failure of its own', () => {
    const body = decodeBody(opened.frame);
    expect(body).toMatchObject({ ok: true, message: { type: 'HELLO' } });
    // A HELLO whose fields are out of range goes through the same checks as a plain one.
    const impossible = { ...hello, minVersion: 2 };
    const received = readHandshake(beginHandshake(key, impossible, 0, new KeyPair()).frame);
    const inside = received.ok ? received.open(key) : received;
    expect(inside.ok && decodeBody(inside.frame)).toMatchObject({ ok: false, code: 'out-of-range', offset: 1 });
  });
});

describe('the replay window', () => {
  it('says what a list of all numbers would say', () => {
    // Steps around the newest number, and jumps.
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: -70, max: 5 }) },
      { weight: 2, arbitrary: fc.integer({ min: 20, max: 70 }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 0x7fff_ffff }) },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 200 }), (steps) => {
        const window = new ReplayWindow();
        const come = new Set<number>();
        let newest = 0;
        for (const [by, genuine] of steps) {
          const seq = Math.min(0xffff_ffff, Math.max(0, newest + by));
          const fresh = seq > 0 && seq > newest - REPLAY_WINDOW && !come.has(seq);
          expect(window.isFresh(seq)).toBe(fresh);
          if (!fresh || !genuine) continue;
          window.take(seq);
          come.add(seq);
          newest = Math.max(newest, seq);
        }
      }),
      { numRuns: 500 },
    );
  });
});
