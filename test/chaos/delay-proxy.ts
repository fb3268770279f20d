/** A TCP proxy in front of the broker whose way back is slow: PUBACKs come late, and nothing is lost. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface DelayProxy {
  readonly port: number;
  /** What comes from the broker from now on waits so long. */
  delayMs: number;
  close(): Promise<void>;
}

export async function startDelayProxy(targetPort: number): Promise<DelayProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const broker = connect(targetPort, '127.0.0.1');
    // One queue and one timer: timers of their own could overtake each other by a millisecond.
    const waiting: { readonly chunk: Buffer; readonly dueAt: number }[] = [];
    const pass = (): void => {
      for (let head = waiting[0]; head !== undefined; head = waiting[0]) {
        const waitMs = Math.ceil(head.dueAt - performance.now());
        if (waitMs > 0) {
          setTimeout(pass, waitMs);
          return;
        }
        waiting.shift();
        client.write(head.chunk);
      }
    };
    client.on('data', (chunk) => broker.write(chunk));
    broker.on('data', (chunk) => {
      waiting.push({ chunk, dueAt: performance.now() + proxy.delayMs });
      if (waiting.length === 1) pass();
    });
    for (const [socket, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: DelayProxy = {
    port: (server.address() as AddressInfo).port,
    delayMs: 0,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return proxy;
}
