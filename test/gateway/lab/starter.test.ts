/** The starter profile loads without errors and decodes the frames that it was made from. */
import { describe, expect, test } from 'vitest';
import { captureOf, joined } from '../../../gateway/lab/capture.ts';
import { propose, type Proposal } from '../../../gateway/lab/proposal.ts';
import { starterProfile } from '../../../gateway/lab/starter.ts';
import { findProfile } from '../../../device-sim/profile/load.ts';
import { PlausibleValues } from '../../../device-sim/profile/values.ts';
import { Random } from '../../../device-sim/random.ts';
import { formatProfileProblem, loadProfile, type Profile } from '../../../protocol/index.ts';
import { SHAPES } from './shapes.ts';

function starter(frames: readonly Uint8Array[], asStream = false): { profile: Profile; text: string; best: Proposal } {
  const capture = captureOf(
    frames.map((bytes) => ({ bytes, atMs: undefined })),
    'lines',
  );
  const [best] = propose(asStream ? joined(capture) : capture);
  expect(best).toBeDefined();
  const text = starterProfile(best!, { source: 'a test', baud: 9_600, parity: 'none', rhythmMs: 1_000 });
  const loaded = loadProfile({ name: 'starter', text });
  if (!loaded.ok) throw new Error(`${loaded.problems.map(formatProfileProblem).join('\n')}\n\n${text}`);
  return { profile: loaded.profile, text, best: best! };
}

/** Messages and number of readings of every frame that comes out of the profile's decoder. */
function decodeAll(profile: Profile, wire: Uint8Array): { messages: string[]; values: number; skipped: number } {
  const instance = profile.open();
  const decoder = instance.createDecoder();
  decoder.push(wire.slice());
  decoder.expire();
  decoder.end();
  const outcome = { messages: [] as string[], values: 0, skipped: 0 };
  for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
    if (item.kind === 'skip') {
      if (item.reason !== 'fill') outcome.skipped += item.wireLength;
      continue;
    }
    const decoded = instance.decode(item.bytes);
    outcome.messages.push(decoded.ok ? decoded.message : decoded.code);
    if (decoded.ok) for (const { values } of decoded.samples) outcome.values += values.length;
  }
  return outcome;
}

const FAILURES = ['unknown-message', 'short-frame', 'bad-checksum', 'bad-content', 'unexpected', 'dropped'];

describe.each(SHAPES.map((make, index) => [make(index + 20).name, make, index + 20] as const))(
  '%s',
  (_, make, seed) => {
    test.each([false, true])('loads and decodes (as a stream: %s)', (asStream) => {
      const { frames } = make(seed);
      const { profile, text } = starter(frames, asStream);
      const { messages, values, skipped } = decodeAll(profile, Buffer.concat(frames));
      expect({ frames: messages.length, skipped, text }).toEqual({ frames: frames.length, skipped: 0, text });
      expect(messages.filter((message) => FAILURES.includes(message))).toEqual([]);
      expect(values).toBeGreaterThanOrEqual(frames.length);
    });
  },
);

/** Frames of a shipped profile as the simulator makes them, of one message. */
function simulated(name: string, message: string, count: number): Uint8Array[] {
  const found = findProfile(name);
  if (!found.ok) throw new Error(found.message);
  const instance = found.profile.open();
  const values = new PlausibleValues(found.profile, new Random(name), {});
  return Array.from({ length: count }, (_, index) => instance.encode(message, values.at(index * 1_000)));
}

test.each([
  ['pms5003', 'sum16'],
  ['sds011', 'sum8'],
  ['jbd_bms', 'sum16'],
  ['daly_bms', 'sum8'],
  ['tfmini', 'sum8'],
  ['sps30', 'sum8'],
  ['mhz19', 'sum8'],
])('found out again from what the simulator sends: %s', (name, checksum) => {
  const found = findProfile(name);
  if (!found.ok) throw new Error(found.message);
  const messages = found.profile.messages.filter(({ direction }) => direction === 'up').slice(0, 1);
  const frames = messages.flatMap((message) => simulated(name, message.name, 30));
  const { profile, best, text } = starter(frames, true);
  expect({ name, checksum: best.checksum?.algorithm.name, text }).toEqual({ name, checksum, text });
  const wire = Buffer.concat(frames);
  const { messages: decoded, skipped } = decodeAll(profile, wire);
  expect({ frames: decoded.length, skipped, text }).toEqual({ frames: frames.length, skipped: 0, text });
  expect(decoded.filter((message) => FAILURES.includes(message))).toEqual([]);
});

test('a broken frame does not get through the profile that was written', () => {
  const { frames } = SHAPES[0]!(3);
  const { profile } = starter(frames);
  const broken = frames.map((frame, index) =>
    index === 7 ? frame.map((byte, at) => (at === 5 ? byte ^ 4 : byte)) : frame,
  );
  const { messages, skipped } = decodeAll(profile, Buffer.concat(broken));
  expect(messages.length).toBe(frames.length - 1);
  expect(skipped).toBe(frames[7]!.length);
});

test('keys and values in a line', () => {
  const lines = Array.from({ length: 12 }, (_, i) => Buffer.from(`T=${21.5 + i / 10};H=${40 + (i % 5)}\r\n`));
  const { text, profile } = starter([Buffer.concat(lines)]);
  expect(text).toContain(`text: { lines: '";"', separator: '"="', from: 0, to: -2 }`);
  expect(text).toContain('t_0: { key: "T", type: number }');
  const { values, skipped } = decodeAll(profile, Buffer.concat(lines));
  expect({ values, skipped }).toEqual({ values: 2 * lines.length, skipped: 0 });
});

test('a separator that people can read is written so', () => {
  const lines = Array.from({ length: 12 }, (_, i) => Buffer.from(`${21.5 + i / 10};${40 + (i % 5)}\r\n`));
  expect(starter([Buffer.concat(lines)]).text).toContain(`text: { split: '";"', from: 0, to: -2 }`);
});
