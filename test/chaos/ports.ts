/**
 * Ports for servers that die and come back: below those that the system gives to outgoing connections. Else, while the
 * server is down, a client's own port could be the server's, or a client could even connect to itself.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Random } from '../../device-sim/random.ts';

const LOWEST = 20_000;
const HIGHEST = 32_000;

/** A port of 127.0.0.1 that is free at the moment. */
export async function stablePort(random: Random): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = LOWEST + random.int(HIGHEST - LOWEST);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${HIGHEST}`);
}
