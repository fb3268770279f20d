import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { startEmbeddedBroker } from '../../../gateway/mqtt/embedded-broker.ts';
import { connectClient } from '../../helpers/mqtt-client.ts';

describe('embedded broker', () => {
  it('takes the next free port and names it', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const broker = await startEmbeddedBroker(port);
    expect(broker.port).toBeGreaterThan(port);
    expect(broker.port).toBeLessThan(port + 20);
    await broker.close();
    taken.close();
  });

  it('passes messages on, keeps retained ones, and closes under its clients', async () => {
    const broker = await startEmbeddedBroker(0);
    const publisher = await connectClient(broker.url, [], { reconnectPeriod: 0 });
    await publisher.publish('a/b', 'x', { retain: true });
    const sub = await connectClient(broker.url, ['a/#'], { reconnectPeriod: 0 });
    expect(await sub.waitFor(() => true)).toEqual({ topic: 'a/b', payload: 'x', retain: true });
    await broker.close();
    await Promise.all([publisher.close(), sub.close()]);
  });
});
