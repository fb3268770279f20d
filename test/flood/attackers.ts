/**
 * Peers that cost: connections that never come to the end of a frame, and noise as fast as it is taken. A process of
 * its own, so that what it does with a core is not taken for the gateway's latency.
 *
 * ```
 *   slow      127.0.1.x   one byte of a HELLO every 3 s, for ever; closed: again after a second
 *   garbage   127.0.2.x   random bytes, so many a second over all connections, as far as the gateway reads
 * ```
 */
import { connect, type Socket } from 'node:net';
import { randomBytes } from 'node:crypto';

export interface Attack {
  readonly port: number;
  readonly slow: number;
  /** Connections that send noise. */
  readonly garbage: number;
  readonly garbageBytesPerS: number;
}

/** What has happened so far; sent to the parent once a second. */
export interface AttackReport {
  /** Slow connections that stand now. */
  readonly standing: number;
  readonly closed: number;
  readonly garbageBytes: number;
}

const SLOW_PERIOD_MS = 3_000;
const RECONNECT_MS = 1_000;
const TICK_MS = 20;
const PER_ADDRESS = 50;
/** The beginning of a frame that is longer than what will ever be sent of it. */
const ENDLESS = 0xff;

const attack = JSON.parse(process.argv[2] ?? '') as Attack;
const report = { standing: 0, closed: 0, garbageBytes: 0 };

function dial(localAddress: string, onClosed: () => void): Socket {
  const socket = connect({ port: attack.port, host: '127.0.0.1', localAddress, noDelay: true });
  socket.on('error', () => undefined);
  socket.on('data', () => undefined);
  socket.once('close', onClosed);
  return socket;
}

function slow(index: number): void {
  let socket: Socket;
  let sent = 0;
  const begin = (): void => {
    sent = 0;
    socket = dial(`127.0.1.${1 + Math.floor(index / PER_ADDRESS)}`, () => {
      if (sent > 0) report.standing--;
      report.closed++;
      setTimeout(begin, RECONNECT_MS);
    });
    socket.once('connect', () => send());
  };
  const send = (): void => {
    if (socket.destroyed) return;
    if (sent === 0) report.standing++;
    socket.write(Uint8Array.of(sent++ === 0 ? ENDLESS : 0x21));
  };
  setInterval(() => {
    if (sent > 0) send();
  }, SLOW_PERIOD_MS);
  // Not all of them in one moment: the queue of a listener is no subject here.
  setTimeout(begin, (index * 2_000) / attack.slow);
}

function garbage(index: number): void {
  const bytes = randomBytes(Math.ceil((attack.garbageBytesPerS * TICK_MS) / 1_000 / attack.garbage));
  let socket: Socket;
  let blocked = true;
  const begin = (): void => {
    blocked = true;
    socket = dial(`127.0.2.${1 + index}`, () => {
      blocked = true;
      report.closed++;
      setTimeout(begin, RECONNECT_MS);
    });
    socket.once('connect', () => (blocked = false));
    socket.on('drain', () => (blocked = false));
  };
  setInterval(() => {
    if (blocked) return;
    blocked = !socket.write(bytes);
    report.garbageBytes += bytes.length;
  }, TICK_MS);
  begin();
}

for (let index = 0; index < attack.slow; index++) slow(index);
for (let index = 0; index < attack.garbage; index++) garbage(index);
setInterval(() => process.send?.({ ...report }), 1_000);
// The parent is gone: nobody wants this any more.
process.on('disconnect', () => process.exit(0));
