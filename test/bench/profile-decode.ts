/**
 * How fast a compiled profile decodes, as a share of TypeScript written by hand for the same frame in the same run.
 *
 * ```
 *   decode    a verified frame ─→ values
 *   stream    bytes ─→ frames, verified ─→ values         32 frames a chunk
 * ```
 */
import { deepStrictEqual } from 'node:assert';
import { readFileSync } from 'node:fs';
import { loadProfile } from '../../protocol/index.ts';
import type { ProfileInstance, Value } from '../../protocol/index.ts';
import { jbd, PMS5003 } from './hand-written.ts';
import type { HandWritten } from './hand-written.ts';
import { spread } from './statistics.ts';
import type { Spread } from './statistics.ts';

export interface ProfileSpeed {
  readonly name: string;
  /** Frames a second, by hand and by the profile. */
  readonly byHand: Spread;
  readonly byProfile: Spread;
  /** The median of profile to hand over the rounds. */
  readonly ratio: number;
}

const FRAMES_A_CHUNK = 32;

/** Measures both devices, in `rounds` rounds of `measureMs` for each way. Throws when the ways do not give the same. */
export function measureProfiles(rounds: number, measureMs: number): ProfileSpeed[] {
  const pms = open('pms5003');
  const pmsFrame = pms.encode('data', {
    pm1_0_cf1: 5,
    pm2_5_cf1: 13,
    pm10_cf1: 22,
    pm1_0: 5,
    pm2_5: 13,
    pm10: 22,
    particles_0_3: 7.65,
    particles_0_5: 2.52,
    version: 151,
  });
  const battery = open('jbd_bms');
  const errors = battery.profile.messages.flatMap(({ fields }) => fields).find(({ name }) => name === 'errors');
  const byHand = jbd(
    new Map(battery.profile.channels.map(({ alias, number }) => [alias, number])),
    errors?.options ?? [],
  );
  const batteryFrame = battery.encode('basic', {
    voltage: 52.37,
    current: -11.52,
    remaining: 171.2,
    nominal: 200,
    cycles: 42,
    made_year: 2023,
    made_month: 6,
    made_day: 17,
    version_high: 2,
    version_low: 1,
    soc: 86,
    charging: true,
    discharging: true,
    cell_count: 16,
    temperature_1: 21.3,
    temperature_2: 20.8,
    temperature_3: 24.1,
  });
  return [
    ...measure('pms5003', pms, PMS5003, pmsFrame, rounds, measureMs),
    ...measure('jbd_bms', battery, byHand, batteryFrame, rounds, measureMs),
  ];
}

function open(name: string): ProfileInstance {
  // From dist/test/bench/ as well as from test/bench/.
  const root = import.meta.url.includes('/dist/') ? '../../../' : '../../';
  const text = readFileSync(new URL(`${root}protocol/profiles/${name}.yaml`, import.meta.url), 'utf8');
  const loaded = loadProfile({ name, text });
  if (!loaded.ok) throw new Error(`${name} does not load: ${loaded.problems[0]?.message}`);
  return loaded.profile.open();
}

function measure(
  name: string,
  instance: ProfileInstance,
  hand: HandWritten,
  frame: Uint8Array,
  rounds: number,
  measureMs: number,
): ProfileSpeed[] {
  const valuesOf = (one: Uint8Array): readonly Value[] => {
    const decoded = instance.decode(one);
    return decoded.ok ? (decoded.samples[0]?.values ?? []) : [];
  };
  deepStrictEqual(inOrder(hand.decode(frame)), inOrder(valuesOf(frame)));

  const chunk = new Uint8Array(frame.length * FRAMES_A_CHUNK);
  for (let i = 0; i < FRAMES_A_CHUNK; i++) chunk.set(frame, i * frame.length);
  const decoder = instance.createDecoder();
  // What is decoded must stay reachable: values that nobody keeps are not even made.
  let kept: readonly Value[] = [];
  const ways = {
    decode: [
      () => {
        for (let i = 0; i < FRAMES_A_CHUNK; i++) kept = hand.decode(frame);
      },
      () => {
        for (let i = 0; i < FRAMES_A_CHUNK; i++) kept = valuesOf(frame);
      },
    ],
    stream: [
      () => hand.frames(chunk, (one) => (kept = hand.decode(one))),
      () => {
        decoder.push(chunk);
        for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
          if (item.kind === 'frame') kept = valuesOf(item.bytes);
        }
      },
    ],
  } as const;
  return Object.entries(ways).map(([way, [byHand, byProfile]]) => {
    rate(byHand, measureMs);
    rate(byProfile, measureMs);
    const pairs = Array.from({ length: rounds }, () => [rate(byHand, measureMs), rate(byProfile, measureMs)] as const);
    if (kept.length === 0) throw new Error('nothing was decoded');
    return {
      name: `${name} ${way}`,
      byHand: spread(pairs.map(([hand]) => hand)),
      byProfile: spread(pairs.map(([, profile]) => profile)),
      ratio: spread(pairs.map(([hand, profile]) => profile / hand)).median,
    };
  });
}

function inOrder(values: readonly Value[]): Value[] {
  return values.toSorted((a, b) => a.channel - b.channel);
}

/** Frames a second. */
function rate(chunkOf: () => void, measureMs: number): number {
  const begin = performance.now();
  let chunks = 0;
  let elapsed = 0;
  do {
    for (let i = 0; i < 64; i++) chunkOf();
    chunks += 64;
    elapsed = performance.now() - begin;
  } while (elapsed < measureMs);
  return (chunks * FRAMES_A_CHUNK * 1_000) / elapsed;
}
