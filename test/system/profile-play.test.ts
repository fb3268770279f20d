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
import { connectClient, type TestClient } from '../helpers/mqtt-client.ts';
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

interface Said {
  readonly hex: string;
  readonly message: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** One profile that is played. */
interface Player {
  readonly name: string;
  readonly profile: Profile;
  readonly source: Readonly<Record<string, unknown>>;
  readonly link: ProfileLink;
  readonly said: Said[];
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
      await client.waitForCount(3, ({ topic }) => isState(topic));
      await client.waitFor(
        ({ topic, payload }) => own(topic) && topic.endsWith('/availability') && payload === 'online',
      );
      const states = client.received
        .filter(({ topic }) => isState(topic))
        .map(({ payload }) => JSON.parse(payload) as Record<string, unknown>);
      const readable = new Set(one.profile.channels.map(({ alias }) => alias));
      const seen = new Set<string>();
      for (const state of states) {
        for (const [alias, value] of Object.entries(state)) {
          const given = one.said.flatMap(({ values }) => (alias in values ? [values[alias]] : []));
          if (given.length === 0 || !readable.has(alias)) continue;
          seen.add(alias);
          expect({ alias, value, given: given.some((said) => same(said, value)) || given }).toEqual({
            alias,
            value,
            given: true,
          });
        }
      }
      expect(seen.size).toBeGreaterThan(0);
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
  const base = { name, profile, said: [], stop: () => Promise.resolve() };
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
        if (said.hex !== undefined) one.said.push(said);
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
