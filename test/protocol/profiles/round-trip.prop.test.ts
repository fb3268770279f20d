import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { FrameDecoder, Profile, ProfileMessage } from '../../../protocol/index.ts';
import { profileFiles, profileFolder, shippedProfile, shippedProfiles } from '../../conformance/profile-source.ts';
import { shownValues } from '../../conformance/shown.ts';
import { plausibleValues } from './plausible.ts';
import type { Plausible } from './plausible.ts';

const RUNS = { numRuns: 30 };

/** Generic Modbus profiles report what the configuration lists. */
const REGISTERS = {
  voltage: { at: 0, table: 'input', type: 'u16', scale: 0.1, unit: 'V' },
  current: { at: 1, table: 'input', type: 'i32', scale: 0.001, unit: 'A' },
  mode: { at: 40, table: 'holding', type: 'u16', names: { 0: 'idle', 1: 'busy' } },
  running: { at: 7, table: 'coil', type: 'bool' },
  alarm: { at: 3, table: 'discrete', type: 'bool' },
};

interface Exceptions {
  /** May be missing though it was given: it has a condition, a raw value for no reading, or a place in a counted repeat. */
  readonly optional: ReadonlySet<string>;
  /** Counts the elements of a repeat: the encoder writes how many were given. */
  readonly counts: ReadonlySet<string>;
}

/** What the file says of its fields that the contract does not. */
function exceptionsOf(name: string): Exceptions {
  const optional = new Set<string>();
  const counts = new Set<string>();
  const visitFields = (fields: Readonly<Record<string, Record<string, unknown>>>): void => {
    const places = new Set<unknown>();
    for (const [key, field] of Object.entries(fields)) {
      const repeat = field['repeat'] as { count?: { at?: unknown } } | undefined;
      if ('when' in field || 'none' in field || repeat !== undefined) optional.add(key);
      if (repeat?.count?.at !== undefined) places.add(repeat.count.at);
    }
    for (const [key, field] of Object.entries(fields)) if (places.has(field['at'])) counts.add(key);
  };
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [key, inner] of Object.entries(node)) {
      if (key === 'fields') visitFields(inner as Record<string, Record<string, unknown>>);
      else if (key === 'tags') for (const fields of Object.values(inner as object)) visitFields(fields as never);
      else visit(inner);
    }
  };
  if (profileFiles().includes(name))
    visit(parse(readFileSync(join(profileFolder(), `${name}.yaml`), 'utf8'), { merge: true }));
  return { optional, counts };
}

function frames(decoder: FrameDecoder): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
    if (item.kind === 'frame') found.push(new Uint8Array(item.bytes));
    else expect(item.reason).toBe('fill');
  }
  return found;
}

/** The one frame in these bytes, in one piece and byte by byte. */
function oneFrame(make: () => FrameDecoder, bytes: Uint8Array): Uint8Array {
  const whole = make();
  whole.push(bytes.slice());
  const found = frames(whole);
  const slow = make();
  const cut: Uint8Array[] = [];
  for (const byte of bytes) {
    slow.push(Uint8Array.of(byte));
    cut.push(...frames(slow));
  }
  expect(cut).toEqual(found);
  expect(found).toHaveLength(1);
  return found[0]!;
}

/** Every value that comes out is the one that went in, and all that must come out do. */
function expectSame(
  shown: ReadonlyMap<string, unknown>,
  given: Plausible,
  message: ProfileMessage,
  { optional, counts }: Exceptions,
): void {
  for (const field of message.fields) {
    if (field.hidden || counts.has(field.name)) continue;
    const wanted = given[field.name];
    const got = shown.get(field.name);
    if (got === undefined) {
      const base = field.name.replace(/_\d+$/, '');
      if (!optional.has(field.name) && !optional.has(base)) expect.unreachable(`${field.name} is missing`);
      continue;
    }
    if (typeof wanted === 'number')
      expect(Number(got), field.name).toBeCloseTo(wanted, 6 - Math.ceil(Math.log10(Math.abs(wanted) + 1)));
    else expect(got, field.name).toBe(wanted);
  }
}

describe.each(shippedProfiles())('%s', (name) => {
  const profile: Profile = shippedProfile(name, name.startsWith('modbus_') ? REGISTERS : undefined);
  const exceptions = exceptionsOf(name);
  const upward = profile.messages.filter(({ direction, fields }) => direction === 'up' && fields.length > 0);
  const modbus = profile.about.transport.startsWith('modbus');

  // Modbus answers are frames only together with their request: below.
  it.each((modbus ? [] : upward).map((message) => [message.name, message] as const))(
    'encodes and decodes %s',
    (_, message) => {
      fc.assert(
        fc.property(plausibleValues(message), plausibleValues(message), (given, other) => {
          const device = profile.open();
          const gateway = profile.open();
          const bytes = device.encode(message.name, given);
          // Nothing of one frame is left in the next.
          const again = profile.open();
          again.encode(message.name, other);
          if (profile.name !== 'gt06') expect(again.encode(message.name, given)).toEqual(bytes);
          const frame = oneFrame(() => gateway.createDecoder(), bytes);
          expect(gateway.failedChecksum(frame)).toBeUndefined();
          const decoded = gateway.decode(frame);
          if (!decoded.ok) throw new Error(`${decoded.code} at ${decoded.at}: ${decoded.detail}`);
          expect(decoded.message).toBe(message.name);
          expectSame(shownValues(profile, decoded), given, message, exceptions);
          const explained = gateway.explain(frame);
          expect(explained.problem).toBeUndefined();
          const named = new Set(
            explained.parts.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i)),
          );
          expect(named.size, 'every byte is named').toBe(explained.bytes.length);
        }),
        RUNS,
      );
    },
  );

  it('answers its own polls, each answer bound to its request', () => {
    const fields = upward.flatMap((message) => message.fields);
    fc.assert(
      fc.property(plausibleValues({ name: 'all', direction: 'up', fields }), (given) => {
        const device = profile.open();
        const gateway = profile.open();
        const requests = gateway.polls.flatMap((poll) => poll.request() ?? []);
        for (const request of requests) {
          const asked = oneFrame(() => device.createRequestDecoder(), request.bytes);
          const answer = device.answer(asked, given);
          if (request.silent || request.frames === 0) continue;
          expect(answer?.frames.length, request.name).toBeGreaterThan(0);
          for (const bytes of answer!.frames) {
            const frame = oneFrame(() => gateway.createDecoder(), bytes);
            expect(request.answers(frame), request.name).toBe(true);
            const decoded = gateway.decode(frame, request);
            expect(decoded, request.name).toMatchObject({ ok: true });
            if (modbus) expectAnswer(profile, decoded, given);
            // Modbus RTU answers tell only their length; all others say what they answer.
            const others = modbus ? [] : requests.filter((other) => other !== request && other.name !== request.name);
            expect(others.filter((other) => other.answers(frame)).map((other) => other.name)).toEqual([]);
          }
        }
      }),
      { numRuns: 5 },
    );
  });

  it('declares channels that fit the rest of the gateway', () => {
    const numbers = profile.channels.map(({ number }) => number);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(new Set(profile.channels.map(({ alias }) => alias)).size).toBe(numbers.length);
    for (const channel of profile.channels) {
      expect(channel.number).toBeLessThan(256);
      expect(channel.alias).toMatch(/^[a-z0-9_]{1,32}$/);
      expect(Buffer.byteLength(channel.title)).toBeLessThanOrEqual(64);
      expect(Buffer.byteLength(channel.unit)).toBeLessThanOrEqual(16);
    }
    expect(profile.about.title).not.toBe('');
    expect(profile.about.wiring, 'a wiring hint').toBeDefined();
  });

  it('makes the bytes of every command', () => {
    const instance = profile.open();
    for (const { alias, kind, options, range } of profile.commands) {
      const values =
        kind === 'bool'
          ? [true, false]
          : kind === 'button'
            ? [undefined]
            : kind === 'number'
              ? [range?.[0] ?? 0]
              : (options ?? ['status']);
      for (const value of values) expect(instance.command(alias, value), alias).toMatchObject({ ok: true });
    }
  });
});

/** What an answer says of what was given is the same. */
function expectAnswer(profile: Profile, decoded: Parameters<typeof shownValues>[1], given: Plausible): void {
  const shown = shownValues(profile, decoded);
  expect(shown.size).toBeGreaterThan(0);
  for (const [alias, got] of shown) {
    const wanted = given[alias];
    if (typeof wanted === 'number')
      expect(Number(got), alias).toBeCloseTo(wanted, 6 - Math.ceil(Math.log10(Math.abs(wanted) + 1)));
    else if (wanted !== undefined) expect(got, alias).toBe(wanted);
  }
}
