/**
 * Every shipped profile from end to end: the simulator plays it, the built gateway reads it, a broker delivers it, and
 * what arrives is what was said.
 *
 * ```
 *   device-sim ── pseudo-terminals ── bytes2mqtt run ── mosquitto ── this test
 *              └─ TCP (trackers, Modbus TCP) ─┘
 * ```
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shippedNames } from '../../device-sim/profile/load.ts';
import { type Mosquitto, startMosquitto } from '../helpers/broker.ts';
import { GatewayProgram } from '../helpers/gateway-program.ts';
import { connectClient, type Received, type TestClient } from '../helpers/mqtt-client.ts';
import { type Player, player, startPlayer } from '../helpers/played-profile.ts';
import { lacks } from '../helpers/programs.ts';
import type { PtyPair } from '../helpers/pty.ts';

const BASE = 'played';
const lacking = lacks('mosquitto', 'socat');

describe.skipIf(lacking)('every shipped profile, played and read', () => {
  const players: Player[] = [];
  const ptys: PtyPair[] = [];
  let broker: Mosquitto;
  let gateway: GatewayProgram;
  let client: TestClient;

  beforeAll(async () => {
    broker = await startMosquitto();
    client = await connectClient(broker.url, [`${BASE}/#`]);
    for (const name of shippedNames()) players.push(await player(name, ptys));
    gateway = new GatewayProgram(
      players.map(({ source }) => source),
      { mqtt: { url: broker.url, base: BASE } },
    );
    for (const one of players) {
      // The trackers and bridges of this machine know where the gateway listens only when it does.
      const link = one.link.kind === 'tcp' ? { ...one.link, port: await gateway.port(one.name) } : one.link;
      startPlayer(one, link);
    }
  }, 60_000);

  afterAll(async () => {
    await Promise.all(players.map(({ stop }) => stop()));
    await gateway?.stop();
    await client?.close();
    await broker?.close();
    await Promise.all(ptys.map((pty) => pty.close()));
  }, 30_000);

  test.each(shippedNames())(
    '%s',
    async (name) => {
      const one = players.find((candidate) => candidate.name === name)!;
      const own = (topic: string): boolean => topic.split('/')[1]?.startsWith(name) === true;
      const isState = (topic: string): boolean => own(topic) && topic.split('/').length === 2;
      await client.waitFor(
        ({ topic, payload }) => own(topic) && topic.endsWith('/availability') && payload === 'online',
      );
      const readable = new Set(one.profile.channels.map(({ alias }) => alias));
      const seen = new Set<string>();
      const looked = new WeakSet<Received>();
      // Each message that comes is looked at once; it is over when everything that was said has arrived.
      await client.waitFor((message) => {
        if (looked.has(message) || !isState(message.topic)) return false;
        looked.add(message);
        for (const [alias, value] of Object.entries(JSON.parse(message.payload) as Record<string, unknown>)) {
          const given = readable.has(alias) ? one.said.get(alias) : undefined;
          if (given === undefined) continue;
          seen.add(alias);
          const right = given.some((said) => same(said, value));
          expect({ alias, value, right: right || given }).toEqual({ alias, value, right: true });
        }
        return seen.size > 0 && [...one.said.keys()].every((alias) => seen.has(alias) || !readable.has(alias));
      });
    },
    45_000,
  );
});

/** Floats and computed decimals are as near as a float of four bytes allows; anything else is equal. */
function same(said: unknown, published: unknown): boolean {
  if (typeof said === 'number' && typeof published === 'number') {
    return Math.abs(said - published) <= 1e-6 * Math.max(1, Math.abs(said));
  }
  return String(said) === String(published);
}
