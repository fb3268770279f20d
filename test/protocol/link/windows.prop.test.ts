import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReceiveWindow, SendWindow } from '../../../protocol/index.ts';
import type { Transmission } from '../../../protocol/index.ts';

/** A small generator of numbers in [0, 1), so that a run can be repeated (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

describe('ReceiveWindow', () => {
  it('delivers all in order, once, under any loss, duplication and order that a sender within the window can cause', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 32 }),
        fc.integer({ min: 1, max: 200 }),
        (seed, size, total) => {
          const random = seeded(seed);
          const window = new ReceiveWindow<number>(1);
          const delivered: number[] = [];
          const line: number[] = [];
          let oldest = 1;
          while (delivered.length < total) {
            // The sender (re)sends any of its window; the line reorders, loses and doubles.
            const seq = oldest + Math.floor(random() * Math.min(size, total - oldest + 1));
            line.push(seq);
            if (random() < 0.2) line.push(seq);
            const [arrived] = line.splice(Math.floor(random() * line.length), 1);
            if (random() < 0.3 || arrived === undefined) continue;
            window.offer(arrived, arrived);
            for (let item = window.take(); item !== undefined; item = window.take()) delivered.push(item);
            if (random() < 0.7) oldest = window.next;
          }
          expect(delivered).toEqual(Array.from({ length: total }, (_, i) => i + 1));
          expect(window.givenUp).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('delivers in order, never twice, and stays bounded whatever comes', () => {
    const step = fc.oneof(
      fc.record({ seq: fc.integer({ min: 1, max: 120 }) }),
      fc.record({ seq: fc.integer({ min: 1, max: 120 }), back: fc.nat(60) }),
      fc.record({ seq: fc.integer({ min: 1, max: 0xffff_ffff }) }),
      fc.record({ skip: fc.integer({ min: 1, max: 120 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), fc.integer({ min: 1, max: 32 }), (steps, size) => {
        const window = new ReceiveWindow<number>(1, size);
        let last = 0;
        for (const step of steps) {
          const before = window.next;
          if ('skip' in step) window.skipTo(step.skip);
          else {
            if ('back' in step) window.gap(Math.max(1, step.seq - step.back), step.seq);
            window.offer(step.seq, step.seq);
          }
          expect(window.next).toBeGreaterThanOrEqual(before);
          for (let item = window.take(); item !== undefined; item = window.take()) {
            expect(item).toBeGreaterThan(last);
            expect(item).toBeLessThan(window.next);
            last = item;
          }
          expect(window.heldMap & 1).toBe(0);
        }
      }),
    );
  });
});

interface Faults {
  readonly loss: number;
  readonly duplication: number;
  /** Milliseconds on the way, at least and at most: the spread reorders. */
  readonly delay: readonly [number, number];
}

interface Run {
  readonly seed: number;
  readonly window: number;
  readonly maxFrames: number;
  readonly pushes: number;
  readonly everyMs: number;
  readonly faults: Faults;
  readonly restarts: boolean;
}

/** Device and gateway windows over a lossy line in simulated time; returns what both sides know in the end. */
function simulate(run: Run): {
  delivered: { name: string; seq: number }[];
  acknowledged: { name: string; seq: number }[];
  lost: number;
  device: SendWindow;
  gateway: ReceiveWindow<{ name: string; seq: number }>;
  pushed: Map<number, string>;
  sent: number;
} {
  const random = seeded(run.seed);
  const device = new SendWindow({ maxFrames: run.maxFrames, maxBytes: 1_000_000, random, window: run.window });
  const gateway = new ReceiveWindow<{ name: string; seq: number }>(1);
  const delivered: { name: string; seq: number }[] = [];
  const acknowledged: { name: string; seq: number }[] = [];
  const pushed = new Map<number, string>();
  type Event = { at: number; order: number; run: () => void };
  const line: Event[] = [];
  let now = 0;
  let lost = 0;
  let order = 0;
  let sent = 0;
  let session = 0;
  const schedule = (at: number, run: () => void): void => void line.push({ at, order: order++, run });
  const [fastest, slowest] = run.faults.delay;
  const carry = (arrive: () => void): void => {
    if (random() < run.faults.loss) return;
    const copies = random() < run.faults.duplication ? 2 : 1;
    for (let i = 0; i < copies; i++) schedule(now + fastest + random() * (slowest - fastest), arrive);
  };

  const receive = (frame: Transmission, of: number): void => {
    if (of !== session) return;
    if (frame.name === 'GAP') {
      const view = new DataView(frame.body.buffer, frame.body.byteOffset);
      const missing = gateway.gap(view.getUint32(0), frame.seq);
      const fresh = gateway.offer(frame.seq, frame) !== 'duplicate';
      if (missing > 0 || fresh) lost += view.getUint32(4);
    } else {
      gateway.offer(frame.seq, frame);
    }
    for (let item = gateway.take(); item !== undefined; item = gateway.take()) delivered.push(item);
    const seq = gateway.next - 1;
    const map = gateway.heldMap;
    carry(() => {
      if (of === session) acknowledged.push(...device.onAck(seq, map, now));
    });
  };
  const transmit = (): void => {
    for (let frame = device.next(now); frame !== undefined; frame = device.next(now)) {
      const copy = frame;
      const of = session;
      sent++;
      carry(() => receive(copy, of));
    }
  };

  for (let i = 0; i < run.pushes; i++) {
    schedule(i * run.everyMs, () => {
      const name = random() < 0.1 ? 'RESULT' : 'READINGS';
      const seq = device.push(name, new Uint8Array(8));
      if (seq !== undefined) pushed.set(seq, name);
    });
    if (run.restarts && random() < 0.05) {
      schedule(i * run.everyMs, () => {
        session++;
        gateway.skipTo(device.firstSeq);
        device.restart(run.window);
      });
    }
  }
  for (let steps = 0; steps < 200_000; steps++) {
    transmit();
    line.sort((a, b) => a.at - b.at || a.order - b.order);
    const next = line[0]?.at ?? Infinity;
    const timer = device.nextAt;
    if (next === Infinity && timer === Infinity) break;
    now = Math.max(now, Math.min(next, timer));
    if (next <= now) line.shift()?.run();
  }
  return { delivered, acknowledged, lost, device, gateway, pushed, sent };
}

const anyRun = fc.record<Run>({
  seed: fc.integer(),
  window: fc.integer({ min: 1, max: 32 }),
  maxFrames: fc.integer({ min: 1, max: 60 }),
  pushes: fc.integer({ min: 1, max: 150 }),
  everyMs: fc.constantFrom(0, 1, 20, 300),
  faults: fc.record({
    loss: fc.constantFrom(0, 0.1, 0.5),
    duplication: fc.constantFrom(0, 0.2),
    delay: fc.constantFrom([1, 1] as const, [1, 50] as const, [200, 3_000] as const),
  }),
  restarts: fc.boolean(),
});

describe('SendWindow and ReceiveWindow over a lossy line', () => {
  it('delivers everything in the end, in order and once; GAPs account for every drop', () => {
    fc.assert(
      fc.property(anyRun, (run) => {
        const { delivered, acknowledged, lost, device, gateway, pushed } = simulate(run);
        // All is through.
        expect(device.pending).toBe(0);
        // A frame behind a GAP may overtake it; the GAP then explains holes that were given up already.
        if (device.dropped === 0) expect(gateway.givenUp).toBe(0);
        // In order, once.
        for (let i = 1; i < delivered.length; i++) expect(delivered[i]!.seq).toBeGreaterThan(delivered[i - 1]!.seq);
        // What was acknowledged was delivered, as what it was pushed as.
        const names = new Map(delivered.map(({ seq, name }) => [seq, name]));
        for (const { name, seq } of acknowledged) if (name !== 'GAP') expect(names.get(seq)).toBe(name);
        for (const { name, seq } of delivered) if (name !== 'GAP') expect(pushed.get(seq)).toBe(name);
        // Results are never lost, and no reading is without being accounted for.
        let missing = 0;
        for (const [seq, name] of pushed) {
          if (name === 'RESULT') expect(names.get(seq)).toBe('RESULT');
          else if (names.get(seq) !== name) missing++;
        }
        expect(lost).toBeGreaterThanOrEqual(missing);
        expect(lost).toBeLessThanOrEqual(device.dropped);
        if (device.dropped === 0) expect(missing).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('wastes nothing on a line that loses nothing', () => {
    const quiet = { loss: 0, duplication: 0, delay: [5, 5] as const };
    const run = { seed: 1, window: 32, maxFrames: 200, pushes: 150, everyMs: 1, faults: quiet, restarts: false };
    const { sent, acknowledged } = simulate(run);
    expect(sent).toBe(150);
    expect(acknowledged).toHaveLength(150);
  });
});
