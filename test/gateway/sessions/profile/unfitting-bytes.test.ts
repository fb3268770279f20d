import { describe, expect, it } from 'vitest';
import type { Item } from '../../../../protocol/index.ts';
import type { SourceConfig } from '../../../../gateway/config/schema.ts';
import type { ProfileContext } from '../../../../gateway/sessions/profile/profile-context.ts';
import { ProfileSource } from '../../../../gateway/sessions/profile/profile-source.ts';
import { UnfittingBytes } from '../../../../gateway/sessions/profile/unfitting-bytes.ts';
import { meterProfile } from '../../../helpers/meter-profile.ts';

const frame = { kind: 'frame', wireLength: 9, bytes: new Uint8Array(9) } as Item;
const skip = (wireLength: number, reason = 'noise'): Item =>
  ({ kind: 'skip', reason, wireLength, bytes: new Uint8Array(wireLength) }) as Item;

describe('bytes that fit nothing', () => {
  it('are told after a while, and then seldom', () => {
    const unfitting = new UnfittingBytes();
    unfitting.take(skip(50), 1_000);
    expect(unfitting.due(15_999)).toBeUndefined();
    unfitting.take(skip(54, 'too-long'), 9_000);
    expect(unfitting.due(16_000)).toEqual({ bytes: 104, seconds: 15 });
    expect(unfitting.due(16_000)).toBeUndefined();
    unfitting.take(skip(10), 17_000);
    expect(unfitting.due(76_999)).toBeUndefined();
    expect(unfitting.due(77_000)).toEqual({ bytes: 10, seconds: 60 });
  });

  it('are nothing when a frame comes after them, when they are few, or the idle line', () => {
    const unfitting = new UnfittingBytes();
    for (const item of [skip(500), frame, skip(7), skip(90, 'fill')]) unfitting.take(item, 1_000);
    expect(unfitting.due(60_000)).toBeUndefined();
    unfitting.take(frame, 60_000);
    unfitting.take(skip(20), 61_000);
    expect(unfitting.due(76_000)).toEqual({ bytes: 20, seconds: 15 });
  });

  it.each([
    ['serial', 'a wrong baud rate, parity or profile?'],
    ['connect', 'a wrong baud rate, parity or profile?'],
    ['tcp', 'another device, or a wrong profile?'],
  ])('are told with the source and its profile (%s)', (kind, guess) => {
    const said: string[] = [];
    const journal = { full: false };
    const log = { warn: (cause: string, _: object, message: string) => said.push(`${cause}: ${message}`) };
    const device = { profile: meterProfile(), alias: 'm', parameters: {}, fingerprint: '', everyMs: 0, timeoutMs: 0 };
    const source = new ProfileSource(
      { journal, log } as unknown as ProfileContext,
      { id: 'garage', kind } as SourceConfig,
      { devices: [device, { ...device, alias: 'n' }], names: new Map(), onlyNamed: false, peer: undefined },
      () => undefined,
    );
    source.unfitting.take(skip(7_710), 0);
    journal.full = true;
    source.checkSense(30_000);
    expect(said).toEqual([]);
    journal.full = false;
    source.checkSense(30_000);
    source.checkSense(31_000);
    expect(said).toEqual([
      `no-frame garage: garage: 7710 bytes have come in 30 s, and none of them is a frame of meter: ${guess} "bytes2mqtt lab" may tell`,
    ]);
  });
});
