/** Devices that are asked: several on one line, and commands that change what they say. */
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { findProfile } from '../../../device-sim/profile/load.ts';
import { PlayedDevice } from '../../../device-sim/profile/played-device.ts';
import { play } from '../../../device-sim/profile/run.ts';
import { Random } from '../../../device-sim/random.ts';
import { formatProfileProblem, loadProfile, type Profile } from '../../../protocol/index.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function shipped(name: string, registers?: Record<string, unknown>): Profile {
  const found = findProfile(name, registers);
  if (!found.ok) throw new Error(found.message);
  return found.profile;
}

function device(profile: Profile, label: string, parameters: Record<string, unknown>, fixed = {}): PlayedDevice {
  const random = new Random(label);
  return new PlayedDevice({ label, profile, parameters, fixed, messages: undefined, datagrams: false, random });
}

/** The devices on one line that is reached over TCP. */
async function line(devices: PlayedDevice[]): Promise<Socket> {
  const stop = new AbortController();
  let listening: (port: number) => void;
  const port = new Promise<number>((resolve) => {
    listening = resolve;
  });
  const done = play(
    {
      link: { kind: 'listen', host: '127.0.0.1', port: 0 },
      devices: () => devices,
      ratePerS: 1,
      baud: 9_600,
      forS: undefined,
      count: undefined,
      seed: 1,
      faults: {},
      maxWaitS: 1,
      json: true,
    },
    {
      out: () => undefined,
      log: (text) => {
        const found = /^listening on .*:(\d+)$/.exec(text)?.[1];
        if (found !== undefined) listening(Number(found));
      },
    },
    stop.signal,
  );
  const socket = connect(await port, '127.0.0.1');
  socket.setNoDelay(true);
  await once(socket, 'connect');
  cleanups.push(async () => {
    socket.destroy();
    stop.abort();
    await done;
  });
  return socket;
}

async function ask(socket: Socket, request: Uint8Array): Promise<Uint8Array> {
  const answer = once(socket, 'data');
  socket.write(request);
  const [bytes] = (await answer) as [Buffer];
  return new Uint8Array(bytes);
}

test('a value for a name that stands in no frame is refused, with what may have been meant', () => {
  const file = `title: T
framing: { sync: aa, length: 4 }
fields:
  co2: { at: 2, type: u8 }
  secret: { at: 3, type: u8, hidden: true }
  double: { value: co2 * secret }
`;
  const loaded = loadProfile({ name: 't', text: file });
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProfileProblem).join('\n'));
  const made = (fixed: Record<string, number>): PlayedDevice => device(loaded.profile, 't', {}, fixed);
  expect(() => made({ c2o: 3 })).toThrow(new RangeError('t has no field c2o. Did you mean co2?'));
  expect(() => made({ pressure: 3 })).toThrow(/^t has no field pressure; it has co2, secret$/);
  expect(() => made({ double: 3 })).toThrow(/computed/);
  expect([...(made({ co2: 7, secret: 9 }).next(0)?.bytes ?? [])]).toEqual([0xaa, 0, 7, 9]);
});

test('two slaves on one line: each answers its own address, with its own values', async () => {
  const profile = shipped('modbus_rtu', { flow: { at: 0, type: 'u16' }, level: { at: 1, type: 'i16', scale: '0.1' } });
  const socket = await line([
    device(profile, 'one', { address: 1 }, { flow: 11, level: -1.5 }),
    device(profile, 'two', { address: 2 }, { flow: 22, level: 2.5 }),
  ]);
  for (const [address, flow, level] of [
    [2, 22, 25],
    [1, 11, -15],
    [2, 22, 25],
  ] as const) {
    const instance = profile.open({ address });
    const request = instance.polls[0]!.request()!;
    const bytes = await ask(socket, request.bytes);
    expect(request.answers(bytes)).toBe(true);
    const decoded = instance.decode(bytes, request);
    expect(decoded.ok && decoded.samples.flatMap(({ values }) => values.map(({ value }) => Number(value)))).toEqual([
      flow,
      level,
    ]);
  }
});

const SWITCH = `
title: A made-up switch
framing: { sync: a5, length: 4 }
checksum: { type: xor8, from: 0, to: -1, at: -1 }
messages:
  state:
    match: { 1: 01 }
    fields:
      relay: { at: 2, bit: 0 }
  done:
    match: { 1: 02 }
    fields:
      now: { at: 2, type: u8, hidden: true }
poll:
  state: { send: "a5 81 00 {checksum}", answer: state }
commands:
  relay: { type: bool, values: { on: "a5 82 01 {checksum}", off: "a5 82 00 {checksum}" }, answer: done }
`;

test('a command is answered, and from then on the device says what was set', async () => {
  const loaded = loadProfile({ name: 'switch', text: SWITCH });
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProfileProblem).join('\n'));
  const { profile } = loaded;
  const player = device(profile, 'switch', {});
  expect(player.streamed).toEqual([]);
  const socket = await line([player]);
  const instance = profile.open();
  for (const on of [true, false, true]) {
    const command = instance.command('relay', on);
    if (!command.ok) throw new Error(command.detail);
    expect(command.request.answers(await ask(socket, command.request.bytes))).toBe(true);
    const poll = instance.polls[0]!.request()!;
    const decoded = instance.decode(await ask(socket, poll.bytes), poll);
    expect(decoded.ok && decoded.samples[0]?.values[0]?.value).toBe(on);
  }
});

test('bytes that are no request, and requests to others, are not answered', async () => {
  const profile = shipped('sdm120');
  const socket = await line([device(profile, 'meter', { address: 7 })]);
  const other = profile.open({ address: 8 }).polls[0]!.request()!;
  const own = profile.open({ address: 7 }).polls[0]!.request()!;
  socket.write(Uint8Array.of(0x55, 0xaa, 0x01));
  socket.write(other.bytes);
  // Longer than the silence that ends a request, so that noise and request do not run together.
  await new Promise((resolve) => setTimeout(resolve, 60));
  const bytes = await ask(socket, own.bytes);
  expect(own.answers(bytes)).toBe(true);
});
