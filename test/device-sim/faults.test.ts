import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { AckLog } from '../../device-sim/ack-log.ts';
import { FaultInjector, type FaultName, type FaultRates, noFaultsYet } from '../../device-sim/faults.ts';
import { Fleet, type Link } from '../../device-sim/fleet.ts';
import { Random } from '../../device-sim/random.ts';
import { Scheduler } from '../../device-sim/scheduler.ts';
import type { Transport, TransportEvents } from '../../device-sim/transports/transport.ts';
import { LinkServer } from '../helpers/link-server.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** The other end of the wire in this process: keeps what was written, and delivers what it is told to. */
class MemoryWire implements Transport {
  readonly kind: 'tcp' | 'udp';
  readonly datagram: boolean;
  readonly ready = true;
  readonly written: Uint8Array[] = [];
  readonly ended: string[] = [];
  events: TransportEvents | undefined;

  constructor(kind: 'tcp' | 'udp') {
    this.kind = kind;
    this.datagram = kind === 'udp';
  }

  open(events: TransportEvents): void {
    this.events = events;
    setImmediate(() => events.onOpen());
  }

  send(bytes: Uint8Array): void {
    this.written.push(bytes);
  }

  endWrite(): void {
    this.ended.push('endWrite');
  }

  close(): void {
    this.ended.push('close');
    setImmediate(() => this.events?.onClosed(undefined));
  }

  abort(): void {
    this.ended.push('abort');
    setImmediate(() => this.events?.onClosed(undefined));
  }
}

/** A wire behind an injector; `closed` resolves when the injector reports the end. */
async function faulty(kind: 'tcp' | 'udp', rates: FaultRates, seed = 1) {
  const wire = new MemoryWire(kind);
  const scheduler = new Scheduler();
  cleanups.push(() => scheduler.stop());
  const counts = noFaultsYet();
  const injector = new FaultInjector(wire, rates, new Random(seed), scheduler, counts);
  const received: Uint8Array[] = [];
  let closed!: Promise<void>;
  await new Promise<void>((opened) => {
    closed = new Promise((resolve) => {
      injector.open({
        onOpen: opened,
        onBytes: (bytes) => received.push(bytes),
        onDrain: () => undefined,
        onLoss: () => undefined,
        onClosed: () => resolve(),
      });
    });
  });
  return { wire, injector, counts, received, closed };
}

const messages = Array.from({ length: 40 }, (_, n) => Uint8Array.from({ length: 20 }, (_, i) => (n * 20 + i) & 0xff));

describe('what leaves a stream', () => {
  // A stall lasts up to two seconds: fewer messages for it.
  test.each([
    ['split', 40, 0.4],
    ['merge', 40, 0.4],
    ['stall', 3, 1],
  ] as const)('%s moves the bytes in time, and neither loses nor reorders them', async (fault, n, rate) => {
    const { wire, injector, counts, closed } = await faulty('tcp', { [fault]: rate });
    for (const message of messages.slice(0, n)) injector.send(message);
    injector.close();
    await closed;
    expect(Buffer.concat(wire.written)).toEqual(Buffer.concat(messages.slice(0, n)));
    expect(counts[fault]).toBeGreaterThan(1);
    expect(wire.ended).toEqual(['close']);
    if (fault === 'merge') expect(wire.written.length).toBeLessThan(n);
    else expect(wire.written.some(({ length }) => length % 20 !== 0)).toBe(true);
  });

  test('a stalled line says that it is not ready, and takes only so much', async () => {
    const { injector } = await faulty('tcp', { stall: 1 });
    for (let i = 0; i < 10_000; i++) injector.send(new Uint8Array(100));
    expect(injector.ready).toBe(false);
    injector.abort();
  });
});

describe('datagrams', () => {
  test('corrupt changes bits, never lengths, and leaves the sender’s bytes alone', async () => {
    const { wire, injector, counts } = await faulty('udp', { corrupt: 0.5 });
    const sent = messages.map((message) => message.slice());
    for (const message of sent) injector.send(message);
    expect(sent).toEqual(messages);
    const changed = wire.written.filter((bytes, n) => !Buffer.from(bytes).equals(messages[n]!));
    expect(changed.length).toBeGreaterThan(5);
    expect(changed.length).toBeLessThanOrEqual(counts.corrupt);
    expect(wire.written.every(({ length }) => length === 20)).toBe(true);
  });

  test('cut takes bytes out and noise puts some before, of streams only', async () => {
    const { injector, wire, counts } = await faulty('tcp', { cut: 1, noise: 1 });
    const sent = Uint8Array.from({ length: 64 }, (_, index) => index);
    injector.send(sent);
    const [written] = wire.written;
    expect(written).toBeDefined();
    // Noise is 1 to 16 bytes, and 1 to 8 are missing.
    expect(written!.length).toBeGreaterThanOrEqual(64 - 8 + 1);
    expect(written!.length).toBeLessThanOrEqual(64 - 1 + 16);
    expect(sent).toEqual(Uint8Array.from({ length: 64 }, (_, index) => index));
    expect({ cut: counts.cut, noise: counts.noise }).toEqual({ cut: 1, noise: 1 });
    const datagrams = await faulty('udp', { cut: 1, noise: 1 });
    datagrams.injector.send(sent);
    expect(datagrams.wire.written).toEqual([sent]);
  });

  test('drop, duplicate and reorder are counted exactly', async () => {
    const { wire, injector, counts, closed } = await faulty('udp', { drop: 0.2, duplicate: 0.2, reorder: 0.2 });
    for (const message of messages) injector.send(message);
    injector.close();
    await closed;
    const kinds = new Set(wire.written.map((bytes) => Buffer.from(bytes).toString('hex')));
    expect(kinds.size).toBe(messages.length - counts.drop);
    expect(wire.written.length).toBe(messages.length - counts.drop + counts.duplicate);
    expect(wire.written.map((bytes) => bytes[0]!)).not.toEqual(
      wire.written.map((bytes) => bytes[0]!).toSorted((a, b) => a - b),
    );
    expect(counts.reorder).toBeGreaterThan(0);
  });

  test('what arrives suffers too', async () => {
    const { wire, received, counts } = await faulty('udp', { drop: 0.5 });
    for (const message of messages) wire.events!.onBytes(message);
    expect(received.length).toBe(messages.length - counts.drop);
    expect(counts.drop).toBeGreaterThan(5);
  });
});

test('half-open: silence in both directions, and no word about it', async () => {
  const { wire, injector, received } = await faulty('tcp', { 'half-open': 1 });
  injector.send(messages[0]!);
  wire.events!.onBytes(messages[1]!);
  injector.send(messages[2]!);
  expect(wire.written).toEqual([]);
  expect(received).toEqual([]);
  expect(wire.ended).toEqual([]);
});

test('death aborts', async () => {
  const { wire, injector, closed } = await faulty('tcp', { death: 1 });
  injector.send(messages[0]!);
  await closed;
  expect(wire.ended).toEqual(['abort']);
});

test('equal seeds, equal faults', async () => {
  const written = [];
  for (const seed of [5, 5, 6]) {
    const { wire, injector } = await faulty('udp', { drop: 0.3, corrupt: 0.3, duplicate: 0.3 }, seed);
    for (const message of messages) injector.send(message);
    written.push(wire.written);
  }
  expect(written[0]).toEqual(written[1]);
  expect(written[0]).not.toEqual(written[2]);
});

describe('a fleet with faults on its way', () => {
  const STREAMS = ['tcp', 'unix'] as const;
  const cases: [string, FaultRates, readonly Link['kind'][]][] = [
    ['split', { split: 0.5 }, STREAMS],
    ['merge', { merge: 0.3 }, STREAMS],
    ['corrupt', { corrupt: 0.03 }, ['tcp', 'udp', 'unix']],
    ['drop', { drop: 0.04 }, ['tcp', 'udp', 'unix']],
    ['duplicate', { duplicate: 0.3 }, ['tcp', 'udp', 'unix']],
    ['reorder', { reorder: 0.3 }, ['udp']],
    ['stall', { stall: 0.02 }, STREAMS],
    ['half-open', { 'half-open': 0.01 }, ['tcp', 'udp', 'unix']],
    ['death', { death: 0.05 }, ['tcp', 'udp', 'unix']],
    [
      'all at once',
      {
        split: 0.1,
        merge: 0.1,
        corrupt: 0.02,
        drop: 0.02,
        duplicate: 0.02,
        reorder: 0.05,
        stall: 0.01,
        'half-open': 0.003,
        death: 0.01,
      },
      ['tcp', 'udp', 'unix'],
    ],
  ];

  test.concurrent.each(cases)(
    '%s: everything arrives, in order, once; and what is acknowledged was promised',
    async (name, rates, kinds) => {
      const folder = mkdtempSync(join(tmpdir(), 'device-sim-'));
      const server = new LinkServer({ keepaliveS: 1, noisy: true });
      const ackLog = new AckLog(join(folder, 'acks'));
      const links: Link[] = [];
      for (const kind of kinds) {
        if (kind === 'tcp') links.push({ kind, host: '127.0.0.1', port: await server.listenTcp() });
        if (kind === 'udp') links.push({ kind, host: '127.0.0.1', port: await server.listenUdp() });
        if (kind === 'unix') {
          await server.listenUnix(join(folder, 'sock'));
          links.push({ kind, path: join(folder, 'sock') });
        }
      }
      const timing = {
        helloMs: 200,
        helloTries: 3,
        reconnectMs: 20,
        maxReconnectMs: 200,
        schemaMs: 100,
        reportMs: 200,
        reportTries: 3,
      };
      const fleet = new Fleet({
        links,
        devices: 6 * links.length,
        ratePerS: 30,
        seed: 4,
        count: 60,
        faults: rates,
        ackLog,
        timing,
      });
      fleet.start();
      await fleet.done();
      await fleet.finish(1_000);
      ackLog.close();
      await server.close();

      for (const { idText, sent, acknowledged, boot } of fleet.devices) {
        const delivered = server.readings.filter(({ device }) => device === idText);
        expect(delivered.map(({ seq }) => seq)).toEqual(Array.from({ length: sent }, (_, i) => i + 1));
        // A first WELCOME that was lost with its connection gave a boot that no reading has.
        expect(delivered.every((reading) => reading.boot === boot)).toBe(true);
        expect([sent, acknowledged]).toEqual([60, 60]);
      }
      const logged = readFileSync(join(folder, 'acks'), 'utf8').trimEnd().split('\n');
      expect(logged.length).toBe(60 * fleet.devices.length);
      expect(new Set(logged)).toEqual(server.promised);
      expect(server.violations).toEqual([]);
      expect(server.lost).toBe(0);
      for (const fault of Object.keys(rates) as FaultName[])
        expect([name, fault, fleet.faults[fault] > 0]).toEqual([name, fault, true]);
      rmSync(folder, { recursive: true });
    },
  );
});
