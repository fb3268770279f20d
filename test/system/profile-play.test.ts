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
import { findProfile, shippedNames } from '../../device-sim/profile/load.ts';
import { PlayedDevice } from '../../device-sim/profile/played-device.ts';
import { play, type ProfileLink } from '../../device-sim/profile/run.ts';
import type { Profile } from '../../protocol/index.ts';
import { freePort, type Mosquitto, startMosquitto } from '../helpers/broker.ts';
import { GatewayProgram } from '../helpers/gateway-program.ts';
import { connectClient, type Received, type TestClient } from '../helpers/mqtt-client.ts';
import { lacks } from '../helpers/programs.ts';
import { openPtyPair, type PtyPair } from '../helpers/pty.ts';

const BASE = 'played';
/** What a generic Modbus device has is for its user to say. */
const REGISTERS = {
  flow: { at: 0, type: 'u16', scale: 0.1, unit: '°C', class: 'temperature', writable: true },
  energy: { at: 2, type: 'u32', total_increasing: true },
  level: { at: 40, table: 'input', type: 'f32' },
  pump: { at: 3, table: 'coil', type: 'bool', writable: true },
};
const GENERIC: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  modbus_rtu: REGISTERS,
  modbus_tcp: REGISTERS,
};

/** A line of the simulator's JSON, as far as it matters here. */
interface Said {
  readonly hex?: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** One profile that is played. */
interface Player {
  readonly name: string;
  readonly profile: Profile;
  readonly source: Readonly<Record<string, unknown>>;
  readonly link: ProfileLink;
  /** What was said, by alias. */
  readonly said: Map<string, unknown[]>;
  stop: () => Promise<unknown>;
}

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
      start(one, link);
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

async function player(name: string, ptys: PtyPair[]): Promise<Player> {
  const registers = GENERIC[name];
  const found = findProfile(name, registers);
  if (!found.ok) throw new Error(found.message);
  const { profile } = found;
  const common = { name, profile: name, device: name, every_s: 0.5, ...(registers !== undefined && { registers }) };
  const base = { name, profile, said: new Map<string, unknown[]>(), stop: () => Promise.resolve() };
  // Trackers call the gateway.
  if (profile.about.identified) {
    return { ...base, source: { tcp: '127.0.0.1:0', ...common }, link: { kind: 'tcp', host: '127.0.0.1', port: 0 } };
  }
  if (profile.about.transport === 'modbus-tcp') {
    const port = await freePort();
    return {
      ...base,
      source: { connect: `127.0.0.1:${port}`, ...common },
      link: { kind: 'listen', host: '127.0.0.1', port },
    };
  }
  const pty = await openPtyPair();
  ptys.push(pty);
  return { ...base, source: { serial: pty.a, ...common }, link: { kind: 'serial', path: pty.b } };
}

function start(one: Player, link: ProfileLink): void {
  const stop = new AbortController();
  const done = play(
    {
      link,
      devices: (random) => [
        new PlayedDevice({
          label: one.name,
          profile: one.profile,
          parameters: {},
          fixed: {},
          messages: undefined,
          datagrams: false,
          random,
        }),
      ],
      ratePerS: 4,
      baud: one.profile.about.serial?.baud ?? 9_600,
      forS: undefined,
      count: undefined,
      seed: 11,
      faults: {},
      maxWaitS: 0.5,
      json: true,
    },
    {
      out: (line) => {
        const said = JSON.parse(line) as Said;
        if (said.hex === undefined) return;
        for (const [alias, value] of Object.entries(said.values)) {
          const values = one.said.get(alias);
          if (values === undefined) one.said.set(alias, [value]);
          else values.push(value);
        }
      },
      log: () => undefined,
    },
    stop.signal,
  );
  one.stop = async () => {
    stop.abort();
    await done;
  };
}

/** Floats and computed decimals are as near as a float of four bytes allows; anything else is equal. */
function same(said: unknown, published: unknown): boolean {
  if (typeof said === 'number' && typeof published === 'number') {
    return Math.abs(said - published) <= 1e-6 * Math.max(1, Math.abs(said));
  }
  return String(said) === String(published);
}
