/**
 * A broker that only counts: accepts CONNECT, acknowledges SUBSCRIBE and QoS 1, throws the messages away. It takes the
 * broker's cost out of a measurement. Run as a child process; tells its port, and its counts when asked.
 */
import { createServer, type Socket } from 'node:net';

const CONNECT = 1;
const PUBLISH = 3;
const SUBSCRIBE = 8;
const PINGREQ = 12;

let messages = 0;
let bytes = 0;

/** Packets may be cut anywhere: what is left of one waits for the next chunk. */
function serve(socket: Socket): void {
  let rest: Buffer = Buffer.alloc(0);
  let version = 5;
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const acks: number[] = [];
    let at = 0;
    for (;;) {
      const packet = nextPacket(data, at);
      if (packet === undefined) break;
      const type = (data[at] as number) >> 4;
      if (type === CONNECT) {
        version = data[packet.body + 6] as number;
        socket.write(version === 5 ? Buffer.from([0x20, 3, 0, 0, 0]) : Buffer.from([0x20, 2, 0, 0]));
      } else if (type === PUBLISH) {
        messages++;
        if (((data[at] as number) & 6) !== 0) {
          const idAt = packet.body + 2 + data.readUInt16BE(packet.body);
          acks.push(0x40, 2, data[idAt] as number, data[idAt + 1] as number);
        }
      } else if (type === SUBSCRIBE) {
        const id = [data[packet.body] as number, data[packet.body + 1] as number];
        socket.write(version === 5 ? Buffer.from([0x90, 4, ...id, 0, 0]) : Buffer.from([0x90, 3, ...id, 0]));
      } else if (type === PINGREQ) {
        socket.write(Buffer.from([0xd0, 0]));
      }
      at = packet.end;
    }
    rest = data.subarray(at);
    if (acks.length > 0) socket.write(Buffer.from(acks));
  });
}

function nextPacket(data: Buffer, at: number): { body: number; end: number } | undefined {
  let length = 0;
  for (let i = 0; i < 4; i++) {
    const byte = data[at + 1 + i];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 128 ** i;
    if (byte < 0x80) {
      const body = at + 2 + i;
      return body + length <= data.length ? { body, end: body + length } : undefined;
    }
  }
  throw new Error('a remaining length of more than four bytes');
}

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
});
process.on('message', () => process.send?.({ messages, bytes }));
process.on('disconnect', () => process.exit());
