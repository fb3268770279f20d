/**
 * The brokers that are measured against. Each tells how many readings have reached it: the sink counts them
 * itself, mosquitto is asked by a subscriber of ours.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../../gateway/demo/find-program.ts';
import { Child, LineChild } from './child.ts';
import { isReadings, PacketScanner } from './packet-scanner.ts';

/** `mosquitto-20`: with its default of 20 messages in flight; `mosquitto`: unlimited. */
export type BrokerKind = 'sink' | 'mosquitto' | 'mosquitto-20';

export interface Broker {
  readonly port: number;
  readings(): Promise<number>;
  end(): Promise<void>;
}

const PUBLISH = 3;
const SUBACK = 9;
const START_MS = 5_000;

export async function startBroker(kind: BrokerKind): Promise<Broker> {
  return kind === 'sink' ? startSink() : startMosquitto(kind === 'mosquitto-20' ? 20 : 0);
}

async function startSink(): Promise<Broker> {
  const { child, first } = await Child.start<{ port: number }>('sink');
  return {
    port: first.port,
    readings: async () => (await child.ask<{ readings: number }>('readings')).readings,
    end: () => child.end(),
  };
}

async function startMosquitto(maxInflight: number): Promise<Broker> {
  const program = findProgram('mosquitto');
  if (program === undefined) throw new Error('mosquitto is not installed');
  const folder = mkdtempSync(join(tmpdir(), 'bytes2mqtt-bench-'));
  const port = await freePort();
  const file = join(folder, 'mosquitto.conf');
  // Unbounded queues: a subscriber that is slow for a moment is to lose nothing.
  writeFileSync(
    file,
    `listener ${port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence false\nlog_type error\n` +
      `max_inflight_messages ${maxInflight}\nmax_queued_messages 0\n`,
  );
  // The shell ends it when our end of the pipe closes, however we end.
  const broker = new LineChild('/bin/sh', ['-c', '"$0" -c "$1" & read -r _; kill $!', program, file]);
  const end = async (): Promise<void> => {
    await broker.end();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    let readings = 0;
    const subscriber = await subscribe(port, () => readings++);
    return {
      port,
      readings: async () => readings,
      end: async () => {
        subscriber.destroy();
        await end();
      },
    };
  } catch (cause) {
    await end();
    throw cause;
  }
}

/** Subscribes to all readings with QoS 0; `take` gets the bytes of each payload, lent. */
export async function subscribe(port: number, take: (data: Buffer, from: number, to: number) => void): Promise<Socket> {
  const socket = await connectSoon(port);
  socket.setNoDelay(true);
  const scanner = new PacketScanner();
  const filters = ['bytes2mqtt/+', 'bytes2mqtt/+/history'].flatMap((filter) => [
    0,
    filter.length,
    ...Buffer.from(filter),
    0,
  ]);
  socket.write(Buffer.from([0x10, 15, 0, 4, ...Buffer.from('MQTT'), 4, 2, 0, 0, 0, 3, ...Buffer.from('sub')]));
  socket.write(Buffer.from([0x82, 2 + filters.length, 0, 1, ...filters]));
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      scanner.push(chunk, (type, _flags, data, body, end) => {
        if (type === SUBACK) resolve(socket);
        if (type !== PUBLISH) return;
        const topicBytes = data.readUInt16BE(body);
        if (isReadings(topicBytes)) take(data, body + 2 + topicBytes, end);
      });
    });
  });
}

/** A broker that was just started needs a moment until it listens. */
async function connectSoon(port: number): Promise<Socket> {
  const giveUpAt = performance.now() + START_MS;
  for (;;) {
    const socket = connect({ host: '127.0.0.1', port });
    try {
      await once(socket, 'connect');
      return socket;
    } catch (cause) {
      if (performance.now() > giveUpAt) throw cause;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
