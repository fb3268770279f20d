/**
 * A broker that only counts: accepts CONNECT, acknowledges SUBSCRIBE and QoS 1, throws the messages away (but returns what
 * the gateway says to itself). It takes the
 * broker's cost out of a measurement. Run as a child process; tells its port, and its counts when asked.
 */
import { createServer, type Socket } from 'node:net';
import { isReadings, PacketScanner } from './packet-scanner.ts';

const CONNECT = 1;
const PUBLISH = 3;
const SUBSCRIBE = 8;
const PINGREQ = 12;
const WATERMARK = 'bytes2mqtt/bridge/watermark';

let readings = 0;

/**
 * The gateway asks a broker what it remembers by publishing to a topic that it has subscribed to, and waits for that to
 * come back. Devices are called by 16 hex digits, of which `r` is none.
 */
function isWatermark(data: Buffer, body: number, topicBytes: number): boolean {
  return topicBytes === WATERMARK.length && data[body + 2 + WATERMARK.indexOf('r')] === 0x72;
}

/** The same message, to the one who sent it, with QoS 0. */
function echo(data: Buffer, body: number, idAt: number, end: number, flags: number): Buffer {
  const rest = data.subarray((flags & 6) === 0 ? idAt : idAt + 2, end);
  const length = idAt - body + rest.length;
  const head = length < 0x80 ? [length] : [(length & 0x7f) | 0x80, length >> 7];
  return Buffer.concat([Buffer.from([0x30, ...head]), data.subarray(body, idAt), rest]);
}

function serve(socket: Socket): void {
  const scanner = new PacketScanner();
  let version = 5;
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    const acks: number[] = [];
    scanner.push(chunk, (type, flags, data, body, end) => {
      if (type === PUBLISH) {
        const topicBytes = data.readUInt16BE(body);
        const idAt = body + 2 + topicBytes;
        if (isWatermark(data, body, topicBytes)) socket.write(echo(data, body, idAt, end, flags));
        else if (isReadings(topicBytes)) readings++;
        if ((flags & 6) !== 0) acks.push(0x40, 2, data[idAt] as number, data[idAt + 1] as number);
      } else if (type === CONNECT) {
        version = data[body + 6] as number;
        socket.write(version === 5 ? Buffer.from([0x20, 3, 0, 0, 0]) : Buffer.from([0x20, 2, 0, 0]));
      } else if (type === SUBSCRIBE) {
        const id = [data[body] as number, data[body + 1] as number];
        socket.write(version === 5 ? Buffer.from([0x90, 4, ...id, 0, 0]) : Buffer.from([0x90, 3, ...id, 0]));
      } else if (type === PINGREQ) {
        socket.write(Buffer.from([0xd0, 0]));
      }
    });
    if (acks.length > 0) socket.write(Buffer.from(acks));
  });
}

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
});
process.on('message', () => process.send?.({ readings }));
process.on('disconnect', () => process.exit());
