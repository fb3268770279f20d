/** Shipped profiles on frames of theirs, damaged ones and noise; and the loader of profile files on damaged files. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CODEC_NAMES,
  type DecodedProfileFrame,
  loadProfile,
  type OutgoingRequest,
  type Profile,
  type ProfileInstance,
} from '../../../protocol/index.ts';
import { Random } from '../../../device-sim/random.ts';
import { findProfile, SHIPPED_FOLDER, shippedNames } from '../../../gateway/profiles/load.ts';
import { checkLine } from '../line.ts';
import { mutate } from '../mutate.ts';
import { plausibleValues } from '../plausible.ts';
import { concat, equal, must, noise, pick, type Target } from '../target.ts';

/** Generic Modbus profiles report what the configuration lists. */
const REGISTERS = {
  voltage: { at: 0, table: 'input', type: 'u16', scale: 0.1, unit: 'V' },
  current: { at: 1, table: 'input', type: 'i32', scale: 0.001, unit: 'A' },
  mode: { at: 40, table: 'holding', type: 'u16', names: { 0: 'idle', 1: 'busy' } },
  running: { at: 7, table: 'coil', type: 'bool' },
};
const SAMPLES_OF_EACH = 40;

/** A profile, and frames that a device of it would send. */
interface Known {
  readonly profile: Profile;
  readonly frames: readonly Uint8Array[];
}

function known(name: string): Known {
  const found = findProfile(name, '.', name.startsWith('modbus_') ? REGISTERS : undefined);
  if (!found.ok) throw new Error(`the shipped profile ${name} cannot be loaded`);
  const { profile } = found;
  const random = new Random(name);
  const frames = Array.from({ length: SAMPLES_OF_EACH }, () => sentBy(profile, random)).flat();
  must(frames.length > 0, `${name} sends nothing`);
  return { profile, frames };
}

/** What a device sends by itself and what it answers. */
function sentBy(profile: Profile, random: Random): Uint8Array[] {
  const device = profile.open();
  const up = profile.messages.filter(({ direction }) => direction === 'up');
  const frames: Uint8Array[] = [];
  if (!profile.about.transport.startsWith('modbus') && up.length > 0) {
    const { name, fields } = pick(random, up);
    frames.push(...thatFits(() => [device.encode(name, plausibleValues(fields, random))]));
  }
  const values = plausibleValues(
    up.flatMap(({ fields }) => fields),
    random,
  );
  for (const request of requestsOf(profile.open())) {
    const decoder = device.createRequestDecoder();
    decoder.push(request.bytes.slice());
    const item = decoder.next();
    if (item?.kind === 'frame') frames.push(...thatFits(() => device.answer(item.bytes, values)?.frames ?? []));
  }
  return frames;
}

/** Each value fits its field, and all of them together may be too long for a frame. */
function thatFits(make: () => readonly Uint8Array[]): readonly Uint8Array[] {
  try {
    return make();
  } catch (error) {
    if (error instanceof RangeError) return [];
    throw error;
  }
}

function requestsOf(instance: ProfileInstance): OutgoingRequest[] {
  return instance.polls.flatMap((poll) => poll.request() ?? []);
}

/** In the order of their names: the first byte of an input says which. */
const ALL = shippedNames().map(known);

function chosen(input: Uint8Array): Known {
  return ALL[(input[0] ?? 0) % ALL.length] as Known;
}

function line(random: Random): Uint8Array {
  const index = random.int(ALL.length);
  const { frames } = ALL[index] as Known;
  const parts: Uint8Array[] = [];
  for (let n = 1 + random.int(4); n > 0; n--) {
    const frame = pick(random, frames);
    parts.push(
      pick(random, [frame, frame, mutate(frame, pick(random, frames), random), noise(random, random.int(30))]),
    );
  }
  return concat([Uint8Array.of(index), ...parts]);
}

/** What `decode` says must fit the profile, and no byte of a frame may be left without a name. */
function checkFrame(instance: ProfileInstance, frame: Uint8Array, decoded: DecodedProfileFrame): void {
  const { profile } = instance;
  if (!decoded.ok) {
    must(decoded.at >= 0 && decoded.at <= frame.length, `a fault at ${decoded.at} of ${frame.length}`);
    must(decoded.detail !== '' && !decoded.detail.includes('\n'), 'a fault that is not told in one line');
    return;
  }
  const numbers = new Set([...profile.channels, ...decoded.newChannels].map(({ number }) => number));
  for (const { values } of decoded.samples) {
    must(values.length > 0, 'a sample without values');
    must(
      values.every(({ channel }) => numbers.has(channel)),
      'a value of a channel that is not declared',
    );
  }
}

function checkExplained(instance: ProfileInstance, frame: Uint8Array): void {
  const { bytes, parts } = instance.explain(frame);
  let named = 0;
  for (const { from, to } of parts) {
    must(from >= 0 && from <= to && to <= bytes.length, `a part from ${from} to ${to} of ${bytes.length}`);
    must(from <= named, `bytes ${named} to ${from} without a name`);
    named = Math.max(named, to);
  }
  must(named === bytes.length, `bytes ${named} to ${bytes.length} without a name`);
}

/** Files that are shipped, as text. */
const FILES = shippedNames()
  .filter((name) => !CODEC_NAMES.includes(name))
  .map((name) => readFileSync(join(SHIPPED_FOLDER, `${name}.yaml`)));

const WORDS = [
  'type: ',
  'u16',
  'at: ',
  '-1',
  '{ ',
  ' }',
  '[',
  ']',
  'count: ',
  '*x',
  '&x',
  '<<: ',
  'when: ',
  '1e9',
  '!!binary ',
];
WORDS.push(
  'expression: ',
  'a * b',
  '((((',
  'fields:\n',
  '  ',
  '\n',
  '"',
  '#',
  ': ',
  'repeat: ',
  'checksum: ',
  '0x',
  '~',
);

export const PROFILE_TARGETS: readonly Target[] = [
  {
    name: 'profile-line',
    about: 'lines of shipped profiles, damaged: every byte accounted for, each frame decoded and explained',
    generate: line,
    check: (input, random) => {
      const { profile } = chosen(input);
      const bytes = input.subarray(1);
      const { transport, maxFrameBytes } = profile.about;
      const cut = transport === 'datagram' ? 'whole' : 'frames';
      checkLine(() => profile.open().createDecoder(), maxFrameBytes, bytes, random, cut);
      checkLine(() => profile.open().createRequestDecoder(), Number.POSITIVE_INFINITY, bytes, random, cut);

      const instance = profile.open();
      const decoder = instance.createDecoder();
      decoder.push(bytes.slice());
      if (random.int(2) === 0) decoder.expire();
      for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
        if (item.kind === 'skip') {
          instance.failedChecksum(item.bytes);
          continue;
        }
        must(instance.failedChecksum(item.bytes) === undefined, 'a frame that fails its checksum');
        const frame = item.bytes.slice();
        const decoded = instance.decode(frame);
        must(equal(frame, item.bytes), 'decoding has changed the frame');
        checkFrame(instance, frame, decoded);
        checkExplained(instance, frame);
      }
    },
  },
  {
    name: 'profile-frame',
    about: 'frames given to decode as they are, with and without a request: never an exception, nothing undeclared',
    generate: (random) => {
      const index = random.int(ALL.length);
      const { frames } = ALL[index] as Known;
      const frame = pick(random, frames);
      return concat([Uint8Array.of(index), random.int(2) === 0 ? frame : mutate(frame, pick(random, frames), random)]);
    },
    check: (input, random) => {
      const { profile } = chosen(input);
      const frame = input.slice(1);
      const instance = profile.open();
      const requests: (OutgoingRequest | undefined)[] = [undefined, ...requestsOf(instance)];
      const request = pick(random, requests);
      const answers = request?.answers(frame) ?? false;
      const decoded = instance.decode(frame, request);
      checkFrame(instance, frame, decoded);
      // Checksums are the decoder's: `profile-line` looks at those. Here the frame may be any bytes.
      instance.failedChecksum(frame);
      if (request !== undefined && !answers && decoded.ok) {
        must(decoded.samples.length === 0 || !profile.about.onlyAnswers, 'values out of what is no answer');
      }
      checkExplained(instance, frame);
      instance.answer(frame, {});
    },
  },
  {
    name: 'profile-file',
    about: 'profile files, damaged: never an exception, and each problem has its line',
    generate: (random) => {
      const text = pick(random, FILES);
      const parts: Uint8Array[] = [];
      let at = 0;
      for (let n = 1 + random.int(3); n > 0; n--) {
        const next = at + random.int(text.length - at + 1);
        parts.push(text.subarray(at, next), Buffer.from(pick(random, WORDS)));
        at = next + random.int(30);
      }
      const whole = concat([...parts, text.subarray(at)]);
      return whole.subarray(0, 4_096);
    },
    check: (input) => {
      const loaded = loadProfile({ name: 'fuzzed', text: Buffer.from(input).toString('utf8'), file: 'fuzzed.yaml' });
      if (loaded.ok) {
        const instance = loaded.profile.open(defaults(loaded.profile));
        const decoder = instance.createDecoder();
        decoder.push(input.slice(0, 200));
        for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
          if (item.kind === 'frame') checkFrame(instance, item.bytes, instance.decode(item.bytes));
        }
        return;
      }
      must(loaded.problems.length > 0, 'refused without a reason');
      for (const { line: where, column, message } of loaded.problems) {
        must((where ?? 0) >= 1 && (column ?? 0) >= 1, `no place: ${message}`);
        must(message !== '' && !message.includes('\n'), 'a problem that is not told in one line');
      }
    },
  },
];

/** Parameters without a default need a value. */
function defaults(profile: Profile): Record<string, number | string> {
  const given: Record<string, number | string> = {};
  for (const { name, kind, default: value, range } of profile.parameters) {
    if (value === undefined) given[name] = kind === 'number' ? (range?.[0] ?? 1) : '00';
  }
  return given;
}
