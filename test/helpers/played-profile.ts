/** A shipped profile that the simulator plays for a test, and the source by which the gateway reads it. */
import { findProfile } from '../../device-sim/profile/load.ts';
import { PlayedDevice } from '../../device-sim/profile/played-device.ts';
import { play, type ProfileLink } from '../../device-sim/profile/run.ts';
import type { Profile } from '../../protocol/index.ts';
import { freePort } from './broker.ts';
import { openPtyPair, type PtyPair } from './pty.ts';

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
export interface Player {
  readonly name: string;
  readonly profile: Profile;
  readonly source: Readonly<Record<string, unknown>>;
  readonly link: ProfileLink;
  /** What was said, by alias. */
  readonly said: Map<string, unknown[]>;
  stop: () => Promise<unknown>;
}

/** The pseudo-terminals that it needs are added to `ptys`. */
export async function player(name: string, ptys: PtyPair[]): Promise<Player> {
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

/** Plays it until `one.stop`. */
export function startPlayer(one: Player, link: ProfileLink): void {
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
