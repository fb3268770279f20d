/** From the device's send to the subscriber's reception, both in this process, so by one monotonic clock. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { linkStreamDecoder } from '../../protocol/index.ts';
import { startBroker, subscribe } from './brokers.ts';
import { LinkSpeech, PlainSpeech } from './device-speech.ts';
import { type RelayKind, startRelay } from './relays.ts';
import { percentile } from './statistics.ts';

export interface Latency {
  readonly relay: RelayKind;
  readonly qos: 0 | 1;
  readonly frames: number;
  readonly received: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const INTERVAL_MS = 10;
/** Left out at the beginning: a process that has done nothing yet is slower. */
const WARM_UP = 100;
const ARRIVAL_MS = 1_000;

/** One TCP device sends 100 frames a second through mosquitto. */
export async function measureLatency(kind: RelayKind, qos: 0 | 1, frames: number): Promise<Latency> {
  const broker = await startBroker('mosquitto');
  try {
    const relay = await startRelay(kind, broker.port, qos);
    try {
      return { relay: kind, qos, ...(await run(kind, relay.ports.tcp, broker.port, frames)) };
    } finally {
      await relay.end();
    }
  } finally {
    await broker.end();
  }
}

async function run(
  kind: RelayKind,
  port: number,
  brokerPort: number,
  frames: number,
): Promise<Omit<Latency, 'relay' | 'qos'>> {
  const sentAt = new Map<number, number>();
  const latencies: number[] = [];
  const subscriber = await subscribe(brokerPort, (data, from, to) => {
    const now = performance.now();
    // {…,"id":"<device>-<boot>-<seq>"}
    const seq = Number(/-(\d+)"}$/.exec(data.toString('latin1', Math.max(from, to - 16), to))?.[1]);
    const sent = sentAt.get(seq);
    if (sent === undefined) return;
    sentAt.delete(seq);
    if (seq > WARM_UP) latencies.push(now - sent);
  });
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  try {
    await once(socket, 'connect');
    const speech = kind === 'gateway' ? await openSession(socket) : new PlainSpeech(0);
    socket.resume();
    const begin = performance.now();
    for (let seq = 1; seq <= frames + WARM_UP; seq++) {
      await new Promise((resolve) => setTimeout(resolve, begin + seq * INTERVAL_MS - performance.now()));
      speech.frames(seq, 1, (bytes) => {
        sentAt.set(seq, performance.now());
        socket.write(bytes);
      });
    }
    const giveUpAt = performance.now() + ARRIVAL_MS;
    while (sentAt.size > 0 && performance.now() < giveUpAt) await new Promise((resolve) => setTimeout(resolve, 10));
  } finally {
    socket.destroy();
    subscriber.destroy();
  }
  return {
    frames,
    received: latencies.length,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: Math.max(...latencies),
  };
}

async function openSession(socket: Socket): Promise<LinkSpeech> {
  const speech = new LinkSpeech(0, 'stream');
  const decoder = linkStreamDecoder();
  const standing = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      decoder.push(chunk);
      for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
        if (item.kind === 'frame' && speech.read(item.bytes).kind === 'welcome') resolve();
      }
    });
  });
  socket.write(speech.hello());
  await standing;
  return speech;
}
