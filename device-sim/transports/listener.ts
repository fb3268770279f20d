/** Devices that others connect to, as behind a serial-to-network bridge: each connection is a transport. */
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { StreamSocket } from './stream-socket.ts';
import type { Transport } from './transport.ts';

export interface Listener {
  readonly port: number;
  /** Takes no more connections; those that stand are their owners'. */
  close(): void;
}

/** Listens on a TCP port (0: any); rejects with what the system says. The transports are not opened yet. */
export function listenTcp(host: string, port: number, onTransport: (transport: Transport) => void): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const server = createServer({ noDelay: true }, (socket) => onTransport(accepted(socket)));
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.removeListener('error', reject);
      // Whatever goes wrong from here on concerns one connection that was not made.
      server.on('error', () => undefined);
      resolve({ port: (server.address() as AddressInfo).port, close: () => void server.close() });
    });
  });
}

function accepted(socket: Socket): Transport {
  return new StreamSocket('tcp', () => {
    // It is connected already, and tells its new owner once more.
    process.nextTick(() => socket.emit('connect'));
    return socket;
  });
}
