/**
 * What MQTT.js takes for its connection: a thin layer on the socket, so that the data plane can use the same socket.
 *
 * ```
 *   MQTT.js ── whole control packets ──→ ┐
 *                                        ├─ socket.write ─→ broker
 *   outbox ──── batches of PUBLISH ────→ ┘
 *
 *   MQTT.js ←── everything else ───────┬── scanner ←── socket 'data' ←── broker
 *   outbox  ←── PUBACK of its own ids ─┘
 * ```
 *
 * No packet lands inside another: MQTT.js corks the stream while it writes the pieces of its packets, so `write` and
 * `writev` only ever see whole ones, and they are handed to the socket at once, as the outbox hands over its batches.
 */
import { Duplex } from 'node:stream';
import type { PubackScanner } from './puback-scanner.ts';

/**
 * @param socket TCP or TLS, connecting or connected
 * @param onChunk called after each chunk that came from the broker was scanned
 */
export function createBrokerStream(
  socket: Duplex,
  scanner: (pass: (bytes: Uint8Array) => void) => PubackScanner,
  onChunk: () => void,
): Duplex {
  const stream = new Duplex({
    read: () => {
      socket.resume();
    },
    write: (chunk: Buffer, _encoding, done) => {
      socket.write(chunk);
      done();
    },
    writev: (chunks, done) => {
      socket.write(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)));
      done();
    },
    final: (done) => {
      socket.end(done);
    },
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  const scan = scanner((bytes) => {
    if (!stream.push(bytes)) socket.pause();
  });
  socket.on('data', (chunk: Buffer) => {
    scan.push(chunk);
    onChunk();
  });
  socket.on('end', () => stream.push(null));
  socket.on('error', (error) => stream.destroy(error));
  socket.on('close', () => stream.destroy());
  return stream;
}
