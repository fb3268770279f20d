/**
 * Two ways to do the same work in Node without the link session, to compare with: plain frames in (see
 * device-speech.ts), one PUBLISH each out. Run as a child process: `mqttjs` or `node`, the broker's port, the QoS.
 *
 * - `mqttjs`: `publish` of MQTT.js as it comes, a payload of JSON.stringify
 * - `node`: PUBLISH packets of its own, written in batches
 */
import { connect as connectSocket, createServer, type Socket } from 'node:net';
import { connectAsync } from 'mqtt';
import { PacketScanner } from './packet-scanner.ts';

const FRAME_BYTES = 32;
const WINDOW = 1_000;
const BATCH_BYTES = 256 * 1024;
const PACKET_BYTES = 256;
const PUBACK = 4;

interface Reading {
  readonly topic: string;
  readonly id: string;
  readonly seq: number;
  readonly values: readonly [number, number, number, number];
}

interface Outlet {
  readonly full: boolean;
  publish(reading: Reading): void;
  /** The turn is over. */
  flush(): void;
  onRoom: (() => void) | undefined;
}

const [, , kind, brokerPort, qosText] = process.argv;
const qos = qosText === '1' ? 1 : 0;

async function mqttjs(port: number): Promise<Outlet> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5 });
  let ahead = 0;
  const outlet: Outlet = {
    get full() {
      return ahead >= WINDOW;
    },
    publish({ topic, id, seq, values }) {
      ahead++;
      const [ch0, ch1, ch2, ch3] = values;
      client.publish(
        topic,
        JSON.stringify({ ch0, ch1, ch2, ch3, ts: Date.now(), id: `${id}-1-${seq}` }),
        { qos },
        () => {
          if (ahead-- === WINDOW) outlet.onRoom?.();
        },
      );
    },
    flush: () => undefined,
    onRoom: undefined,
  };
  return outlet;
}

function node(port: number): Promise<Outlet> {
  return new Promise((resolve) => {
    const socket = connectSocket({ host: '127.0.0.1', port, noDelay: true });
    const scanner = new PacketScanner();
    let batch = Buffer.allocUnsafe(BATCH_BYTES);
    let length = 0;
    let inFlight = 0;
    let wasFull = false;
    let id = 0;
    const outlet: Outlet = {
      get full() {
        const full = inFlight >= WINDOW || length > BATCH_BYTES - PACKET_BYTES || socket.writableNeedDrain;
        if (full) wasFull = true;
        return full;
      },
      publish({ topic, id: device, seq, values }) {
        const json = `{"ch0":${values[0]},"ch1":${values[1]},"ch2":${values[2]},"ch3":${values[3]},"ts":${Date.now()},"id":"${device}-1-${seq}"}`;
        const rest = 2 + topic.length + 2 * qos + json.length;
        batch[length++] = 0x30 | (qos << 1);
        if (rest < 128) batch[length++] = rest;
        else {
          batch[length++] = (rest & 127) | 128;
          batch[length++] = rest >> 7;
        }
        batch[length++] = 0;
        batch[length++] = topic.length;
        length += batch.write(topic, length, 'latin1');
        if (qos === 1) {
          id = (id % 0xffff) + 1;
          batch[length++] = id >> 8;
          batch[length++] = id & 255;
          inFlight++;
        }
        length += batch.write(json, length, 'latin1');
      },
      flush() {
        if (length === 0) return;
        socket.write(batch.subarray(0, length));
        batch = Buffer.allocUnsafe(BATCH_BYTES);
        length = 0;
        room();
      },
      onRoom: undefined,
    };
    const room = (): void => {
      if (!wasFull || outlet.full) return;
      wasFull = false;
      outlet.onRoom?.();
    };
    socket.on('drain', room);
    socket.on('data', (chunk: Buffer) => {
      scanner.push(chunk, (type) => {
        if (type === PUBACK) inFlight--;
        else resolve(outlet);
      });
      room();
    });
    socket.write(Buffer.from([0x10, 15, 0, 4, ...Buffer.from('MQTT'), 4, 2, 0, 0, 0, 3, ...Buffer.from('ref')]));
  });
}

const outlet = await (kind === 'node' ? node(Number(brokerPort)) : mqttjs(Number(brokerPort)));
const waiting = new Set<() => void>();
let flushSoon = false;

outlet.onRoom = () => {
  const again = Array.from(waiting);
  waiting.clear();
  for (const go of again) go();
};

function serve(socket: Socket): void {
  let rest: Buffer = Buffer.alloc(0);
  let taken = 0;
  let topic = '';
  let id = '';
  const work = (): void => {
    let at = 0;
    while (rest.length - at >= FRAME_BYTES && !outlet.full) {
      if (id === '') {
        id = rest
          .readBigUInt64BE(at + 2)
          .toString(16)
          .padStart(16, '0');
        topic = `bytes2mqtt/${id}`;
      }
      outlet.publish({
        topic,
        id,
        seq: rest.readUInt32BE(at + 10),
        values: [
          rest.readInt16BE(at + 14),
          rest.readInt16BE(at + 16),
          rest.readInt16BE(at + 18),
          rest.readInt16BE(at + 20),
        ],
      });
      taken++;
      at += FRAME_BYTES;
    }
    rest = rest.subarray(at);
    if (rest.length >= FRAME_BYTES) {
      socket.pause();
      waiting.add(work);
    } else socket.resume();
    if (at > 0) {
      const back = Buffer.allocUnsafe(4);
      back.writeUInt32BE(taken);
      socket.write(back);
    }
    if (flushSoon) return;
    flushSoon = true;
    setImmediate(() => {
      flushSoon = false;
      outlet.flush();
    });
  };
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    work();
  });
}

const server = createServer(serve);
server.listen({ host: '127.0.0.1', port: 0, backlog: 511 }, () => {
  const address = server.address();
  process.send?.({ ports: [typeof address === 'object' ? address?.port : undefined] });
});
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuUs: user + system, rssBytes: process.memoryUsage.rss() });
});
process.on('disconnect', () => process.exit());
