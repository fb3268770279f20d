/**
 * A network for datagrams that loses, doubles and overtakes, with the same luck for the same seed.
 *
 * ```
 *   device ─→ [ drop? copy? delay? ] ─→ gateway
 *          ←─ [ drop? copy? delay? ] ←─
 * ```
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Random } from '../../device-sim/random.ts';

export interface RelayRates {
  readonly drop: number;
  readonly duplicate: number;
  /** So many are held back for a while, so that later ones overtake them. */
  readonly reorder: number;
}

export interface LossyRelay {
  readonly port: number;
  readonly counts: { datagrams: number; dropped: number; duplicated: number; reordered: number };
  close(): void;
}

const HELD_BACK_MS = { from: 5, to: 40 };

export async function startLossyRelay(targetPort: number, rates: RelayRates, random: Random): Promise<LossyRelay> {
  const counts = { datagrams: 0, dropped: 0, duplicated: 0, reordered: 0 };
  const upstreams = new Map<number, Socket>();
  const chance = { up: random.fork('up'), down: random.fork('down') };
  const server = createSocket({ type: 'udp4', recvBufferSize: 4_194_304 });
  let closed = false;

  function pass(luck: Random, send: () => void): void {
    counts.datagrams++;
    // All are drawn each time: what happens to one datagram does not move the luck of the others.
    const dropped = luck.chance(rates.drop);
    const copies = luck.chance(rates.duplicate) ? 2 : 1;
    const heldMs = luck.chance(rates.reorder) ? luck.between(HELD_BACK_MS.from, HELD_BACK_MS.to) : 0;
    if (dropped) {
      counts.dropped++;
      return;
    }
    if (copies > 1) counts.duplicated++;
    if (heldMs > 0) counts.reordered++;
    for (let copy = 0; copy < copies; copy++) {
      if (heldMs === 0) send();
      else setTimeout(() => closed || send(), heldMs);
    }
  }

  /** A socket of its own for each device, so that the gateway tells them apart. */
  function upstreamOf(port: number): Socket {
    const known = upstreams.get(port);
    if (known !== undefined) return known;
    const socket = createSocket('udp4');
    socket.on('error', () => undefined);
    socket.on('message', (bytes) => pass(chance.down, () => server.send(bytes, port, '127.0.0.1')));
    upstreams.set(port, socket);
    return socket;
  }

  server.on('error', () => undefined);
  server.on('message', (bytes, { port }) => {
    const upstream = upstreamOf(port);
    pass(chance.up, () => upstream.send(bytes, targetPort, '127.0.0.1'));
  });
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    counts,
    close: () => {
      closed = true;
      server.close();
      for (const socket of upstreams.values()) socket.close();
    },
  };
}
