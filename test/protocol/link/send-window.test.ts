import { describe, expect, it } from 'vitest';
import { RetransmissionTimeout, SendWindow } from '../../../protocol/index.ts';
import type { Transmission } from '../../../protocol/index.ts';

const body = (size = 4): Uint8Array => new Uint8Array(size);
// 0.5 is no jitter.
const options = { maxFrames: 100, maxBytes: 10_000, random: () => 0.5, window: 8 };

function drain(window: SendWindow, nowMs: number): Transmission[] {
  const sent: Transmission[] = [];
  for (let t = window.next(nowMs); t !== undefined; t = window.next(nowMs)) sent.push(t);
  return sent;
}

const seqs = (sent: readonly { seq: number }[]): number[] => sent.map(({ seq }) => seq);
const gapOf = ({ body }: Transmission): [number, number] => {
  const view = new DataView(body.buffer, body.byteOffset);
  return [view.getUint32(0), view.getUint32(4)];
};

describe('SendWindow', () => {
  it('numbers from 1 without holes and sends in order, at most a window', () => {
    const window = new SendWindow({ ...options, window: 3 });
    expect([1, 2, 3, 4].map(() => window.push('READINGS', body()))).toEqual([1, 2, 3, 4]);
    expect(seqs(drain(window, 0))).toEqual([1, 2, 3]);
    expect(window.outstanding).toBe(3);
    expect(window.firstSeq).toBe(1);
    expect(window.onAck(2, 0, 10)).toEqual([
      { name: 'READINGS', seq: 1 },
      { name: 'READINGS', seq: 2 },
    ]);
    expect(seqs(drain(window, 10))).toEqual([4]);
    expect(window.firstSeq).toBe(3);
  });

  it('keeps newest − oldest below the window though the map has what lies between', () => {
    const window = new SendWindow({ ...options, window: 4 });
    for (let i = 0; i < 6; i++) window.push('READINGS', body());
    drain(window, 0);
    window.onAck(0, 0b1110, 5);
    // 1 was overtaken and is sent again; 5 is a window away from it.
    expect(seqs(drain(window, 5))).toEqual([1]);
    window.onAck(4, 0, 9);
    expect(seqs(drain(window, 9))).toEqual([5, 6]);
  });

  it('sends the oldest again when the timer runs out, ever later, up to 30 s', () => {
    const window = new SendWindow(options);
    window.push('READINGS', body());
    window.push('READINGS', body());
    drain(window, 0);
    const times: number[] = [];
    let now = 0;
    for (let i = 0; i < 8; i++) {
      now = window.nextAt;
      times.push(now);
      const sent = drain(window, now);
      expect(seqs(sent)).toEqual([1]);
      expect(sent[0]?.again).toBe(true);
    }
    expect(times.map((at, i) => at - (times[i - 1] ?? 0))).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000,
    ]);
  });

  it('goes on with the next of what was lost at each ACK after a timeout', () => {
    const window = new SendWindow(options);
    for (let i = 0; i < 4; i++) window.push('READINGS', body());
    drain(window, 0);
    expect(seqs(drain(window, 1_000))).toEqual([1]);
    window.onAck(1, 0, 1_010);
    expect(seqs(drain(window, 1_010))).toEqual([2]);
    window.onAck(2, 0, 1_020);
    expect(seqs(drain(window, 1_020))).toEqual([3]);
  });

  it('does not send again what the map has', () => {
    const window = new SendWindow(options);
    for (let i = 0; i < 3; i++) window.push('READINGS', body());
    drain(window, 0);
    window.onAck(0, 0b110, 10);
    expect(window.pending).toBe(3);
    expect(seqs(drain(window, 1_000))).toEqual([1]);
    expect(seqs(drain(window, 1_001))).toEqual([]);
    expect(seqs(window.onAck(3, 0, 1_100))).toEqual([1, 2, 3]);
    expect(window.nextAt).toBe(Infinity);
  });

  it('sends again at once what three later ones have overtaken', () => {
    const window = new SendWindow(options);
    for (let i = 0; i < 5; i++) window.push('READINGS', body());
    drain(window, 0);
    window.onAck(0, 0b110, 5);
    expect(drain(window, 5)).toEqual([]);
    window.onAck(0, 0b1110, 6);
    expect(seqs(drain(window, 6))).toEqual([1]);
    window.onAck(0, 0b11110, 7);
    expect(drain(window, 7)).toEqual([]);
  });

  it('ignores an ACK of what was never sent, and old ones', () => {
    const window = new SendWindow({ ...options, window: 2 });
    for (let i = 0; i < 4; i++) window.push('READINGS', body());
    expect(window.onAck(1, 0, 0)).toEqual([]);
    drain(window, 0);
    expect(window.onAck(3, 0, 1)).toEqual([]);
    expect(window.onAck(0xffff_ffff, 0xffff_ffff, 1)).toEqual([]);
    expect(seqs(window.onAck(2, 0, 1))).toEqual([1, 2]);
    expect(window.onAck(1, 0, 2)).toEqual([]);
  });

  it('learns the round trip time, but not from frames sent twice', () => {
    const window = new SendWindow(options);
    window.push('READINGS', body());
    drain(window, 0);
    drain(window, 1_000);
    window.onAck(1, 0, 1_500);
    expect(window.rtoMs).toBe(1_000);
    window.push('READINGS', body());
    drain(window, 2_000);
    window.onAck(2, 0, 2_100);
    expect(window.rtoMs).toBe(300);
  });

  it('is quiet while the gateway is busy, then sends all outstanding again', () => {
    const window = new SendWindow(options);
    window.push('READINGS', body());
    window.push('READINGS', body());
    drain(window, 0);
    window.push('READINGS', body());
    window.onBusy(5_000, 100);
    expect(window.nextAt).toBe(5_100);
    expect(drain(window, 5_099)).toEqual([]);
    expect(seqs(drain(window, 5_100))).toEqual([1, 2, 3]);
    window.resend();
    expect(seqs(drain(window, 5_200))).toEqual([1, 2, 3]);
  });

  it('begins a new session with what was not acknowledged, in order', () => {
    const window = new SendWindow(options);
    for (let i = 0; i < 4; i++) window.push('READINGS', body());
    drain(window, 0);
    window.onAck(1, 0b10, 10);
    window.restart(2);
    expect(window.firstSeq).toBe(2);
    const sent = drain(window, 50);
    expect(seqs(sent)).toEqual([2, 3]);
    expect(sent.every(({ again }) => again)).toBe(true);
    // The gateway may promise at once what it had before.
    expect(seqs(window.onAck(4, 0, 60))).toEqual([2, 3, 4]);
  });

  it('drops the oldest readings when full and says so with one GAP', () => {
    const window = new SendWindow({ ...options, maxFrames: 3 });
    for (let i = 0; i < 6; i++) window.push('READINGS', body());
    expect(window.dropped).toBe(3);
    expect(window.firstSeq).toBe(1);
    const sent = drain(window, 0);
    expect(seqs(sent)).toEqual([3, 4, 5, 6]);
    expect(sent[0]?.name).toBe('GAP');
    expect(gapOf(sent[0]!)).toEqual([1, 3]);
    expect(window.onAck(3, 0, 5)).toEqual([{ name: 'GAP', seq: 3 }]);
  });

  it('bounds bytes as well as frames', () => {
    const window = new SendWindow({ ...options, maxBytes: 100 });
    window.push('READINGS', body(60));
    window.push('READINGS', body(60));
    expect(window.dropped).toBe(1);
    expect(() => window.push('READINGS', body(101))).toThrow(RangeError);
  });

  it('leaves a GAP that was sent as it is, so that nothing is counted twice', () => {
    const window = new SendWindow({ ...options, maxFrames: 2 });
    for (let i = 0; i < 3; i++) window.push('READINGS', body());
    drain(window, 0);
    window.push('READINGS', body());
    window.push('READINGS', body());
    const sent = drain(window, 1);
    expect(sent.map((t) => [t.name, t.seq])).toEqual([
      ['GAP', 3],
      ['READINGS', 4],
      ['READINGS', 5],
    ]);
    expect(gapOf(sent[0]!)).toEqual([2, 2]);
  });

  it('never drops a RESULT: refuses the next one, or drops the new reading', () => {
    const window = new SendWindow({ ...options, maxFrames: 2 });
    window.push('READINGS', body());
    expect(window.push('RESULT', body())).toBe(2);
    expect(window.push('RESULT', body())).toBe(3);
    expect(window.push('RESULT', body())).toBeUndefined();
    expect(window.push('READINGS', body())).toBeUndefined();
    expect(window.push('READINGS', body())).toBeUndefined();
    const sent = drain(window, 0);
    expect(sent.map((t) => [t.name, t.seq])).toEqual([
      ['GAP', 1],
      ['RESULT', 2],
      ['RESULT', 3],
      ['GAP', 5],
    ]);
    expect(gapOf(sent[3]!)).toEqual([4, 2]);
    window.onAck(3, 0, 1);
    expect(window.push('RESULT', body())).toBe(6);
  });

  it('stops numbering at 2^32 − 1', () => {
    const window = new SendWindow({ ...options, nextSeq: 0xffff_ffff });
    expect(window.push('READINGS', body())).toBe(0xffff_ffff);
    expect(window.push('READINGS', body())).toBeUndefined();
    expect(seqs(drain(window, 0))).toEqual([0xffff_ffff]);
    expect(seqs(window.onAck(0xffff_ffff, 0, 1))).toEqual([0xffff_ffff]);
  });
});

describe('RetransmissionTimeout', () => {
  it('follows RFC 6298 within 200 ms and 30 s', () => {
    const timeout = new RetransmissionTimeout(() => 0.5);
    timeout.sample(400);
    expect(timeout.rtoMs).toBe(1_200);
    timeout.sample(400);
    expect(timeout.rtoMs).toBe(1_000);
    for (let i = 0; i < 100; i++) timeout.sample(5);
    expect(timeout.rtoMs).toBe(200);
    timeout.sample(100_000);
    expect(timeout.rtoMs).toBe(30_000);
  });

  it('varies by a quarter to both sides', () => {
    expect(new RetransmissionTimeout(() => 0).nextMs()).toBe(750);
    expect(new RetransmissionTimeout(() => 0.999_999).nextMs()).toBeCloseTo(1_250, 2);
  });
});
