/** A TCP proxy between a client and a broker that a test can make misbehave. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Connections accepted so far. */
  readonly connections: number;
  /** What the broker sends goes through this; return undefined to swallow the chunk. Default: unchanged. */
  fromBroker: (chunk: Buffer) => Buffer | undefined;
  fromClient: (chunk: Buffer) => Buffer | undefined;
  /** Cuts all connections. */
  cut(): void;
  close(): Promise<void>;
}

/** Both ports of 127.0.0.1; `ownPort` is a free one unless given. */
export async function startTcpProxy(targetPort: number, ownPort = 0): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((client) => {
    connections++;
    const broker = connect(targetPort, '127.0.0.1');
    for (const [from, to] of [
      [client, broker],
      [broker, client],
    ] as const) {
      sockets.add(from);
      from.on('data', (chunk) => {
        const passed = from === broker ? proxy.fromBroker(chunk) : proxy.fromClient(chunk);
        if (passed !== undefined) to.write(passed);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  server.listen(ownPort, '127.0.0.1');
  await once(server, 'listening');
  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    fromBroker: (chunk) => chunk,
    fromClient: (chunk) => chunk,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      proxy.cut();
      await closed;
    },
  };
  return proxy;
}
