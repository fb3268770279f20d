/**
 * The broker inside the gateway, for a first run without one: aedes on the loopback address. It speaks MQTT 3.1.1 and
 * keeps nothing over a restart.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { GatewayError } from '../errors.ts';

export interface EmbeddedBroker {
  readonly port: number;
  /** `mqtt://127.0.0.1:<port>`; connect with version 3.1.1. */
  readonly url: string;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';
const FIRST_PORT = 1883;
const PORTS_TRIED = 20;

/**
 * Starts on `firstPort` or, if that is taken, on the next free one of twenty; 0 takes any free one.
 * @throws GatewayError ADDRESS_IN_USE when none is free
 */
export async function startEmbeddedBroker(firstPort: number = FIRST_PORT): Promise<EmbeddedBroker> {
  // Who has a broker needs none of this in memory.
  const { Aedes } = await import('aedes');
  const broker = await Aedes.createBroker();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.once('close', () => sockets.delete(socket));
    broker.handle(socket);
  });
  const port = await listen(server, firstPort);
  if (port === undefined) {
    broker.close();
    throw new GatewayError(
      'ADDRESS_IN_USE',
      `${HOST}:${firstPort}`,
      `ports ${firstPort} to ${firstPort + PORTS_TRIED - 1} are all taken; set mqtt.url to a broker of your own`,
    );
  }
  // Accept has failed, for want of file descriptors for one: it goes on.
  server.on('error', () => undefined);
  return {
    port,
    url: `mqtt://${HOST}:${port}`,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => {
        broker.close(resolve);
      });
      await closed;
    },
  };
}

async function listen(server: Server, firstPort: number): Promise<number | undefined> {
  const tries = firstPort === 0 ? 1 : PORTS_TRIED;
  for (let port = firstPort; port < firstPort + tries && port <= 65_535; port++) {
    server.listen(port, HOST);
    try {
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error;
    }
  }
  return undefined;
}
