import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { identityAlias, profileDeviceId, storedAlias } from '../../gateway/devices/profile-device-id.ts';
import { DeviceRegistry } from '../../gateway/devices/registry.ts';

const schema = (name: string) => ({ name, model: '', firmware: '', channels: [] });

describe('who a device with a profile is', () => {
  it('is in its alias: the first 8 bytes of a hash', () => {
    expect(profileDeviceId('meter')).toMatch(/^[0-9a-f]{16}$/);
    expect(profileDeviceId('meter')).not.toBe(profileDeviceId('meter2'));
  });

  it('is known again from the journal, and no other device passes for one', () => {
    const state = { id: profileDeviceId('van_7'), boot: 1, nextSeq: 1, schema: schema('van_7'), schemaCrc: 1 };
    expect(storedAlias(state)).toBe('van_7');
    expect(storedAlias({ ...state, id: '0123456789abcdef' })).toBeUndefined();
    expect(storedAlias({ ...state, schema: undefined })).toBeUndefined();
    const bridge = { ...state, id: profileDeviceId('bridge'), schema: schema('bridge') };
    expect(storedAlias(bridge)).toBeUndefined();
    const registry = new DeviceRegistry(new Map(), 10);
    expect(registry.restore(state).alias).toBe('van_7');
    expect(registry.obtain(profileDeviceId('van_7'), 'van_7')?.alias).toBe('van_7');
  });

  it('is told apart however odd its identity is', () => {
    expect(identityAlias('van', '352093081234567')).toBe('van_352093081234567');
    expect(identityAlias('m', 'AB12')).toBe('m_ab12');
    fc.assert(
      fc.property(
        fc.string({ maxLength: 64, unit: 'binary' }),
        fc.string({ maxLength: 64, unit: 'binary' }),
        (a, b) => {
          const [one, two] = [identityAlias('prefix', a), identityAlias('prefix', b)];
          expect(one).toMatch(/^[a-z0-9_]{1,32}$/);
          expect(one === two).toBe(
            a === b || (a.toLowerCase() === b.toLowerCase() && one === `prefix_${a.toLowerCase()}`),
          );
        },
      ),
    );
  });
});
