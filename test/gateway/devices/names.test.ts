/** Names given by request: which of them hold, and how they are kept. */
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeviceRequests } from '../../../gateway/devices/device-requests.ts';
import { NamesFile } from '../../../gateway/devices/names-file.ts';
import { profileDeviceId } from '../../../gateway/devices/profile-device-id.ts';
import { DeviceRegistry } from '../../../gateway/devices/registry.ts';
import { createLog } from '../../../gateway/log.ts';
import { configFolder } from '../../helpers/config-folder.ts';

const id = (n: number): string => n.toString(16).padStart(16, '0');
const saved = (aliases: Record<string, string>, removed: string[] = []) => ({
  aliases: new Map(Object.entries(aliases)),
  removed: new Set(removed),
});
const state = (device: string) => ({ id: device, boot: 7, nextSeq: 9, schema: undefined, schemaCrc: 0 });

function namesFile(folder: string): { file: NamesFile; lines: string[] } {
  const lines: string[] = [];
  const log = createLog({ level: 'info', pretty: false, write: (line) => void lines.push(line) });
  return { file: new NamesFile(folder, log), lines };
}

describe('the registry with names by request', () => {
  it('calls a device so, whether it comes from the network, the journal or the configuration', () => {
    const names = saved({ [id(1)]: 'a', [id(2)]: 'b', [id(3)]: 'c' });
    const registry = new DeviceRegistry(new Map([[id(3), id(3)]]), 10, names);
    expect(registry.obtain(id(1))?.alias).toBe('a');
    expect(registry.restore(state(id(2))).alias).toBe('b');
    expect(registry.get(id(3))?.alias).toBe('c');
    expect(registry.names.conflicts).toEqual([]);
  });

  it('the configuration counts more, and what it takes away comes back with it', () => {
    const registry = new DeviceRegistry(new Map(), 10, saved({ [id(1)]: 'a', [id(2)]: 'b' }));
    for (const n of [1, 2]) Object.assign(registry.obtain(id(n))!, { lastSeen: 1 });
    const renamed = registry.configure(new Map([[id(1), 'b']])).map(({ device, before }) => [before, device.alias]);
    expect(renamed).toEqual([
      ['a', 'b'],
      ['b', id(2)],
    ]);
    expect(registry.names.conflicts).toEqual([
      { id: id(1), alias: 'a', configuredFor: id(1) },
      { id: id(2), alias: 'b', configuredFor: id(1) },
    ]);
    registry.configure(new Map());
    expect([registry.byAlias('a')?.id, registry.byAlias('b')?.id]).toEqual([id(1), id(2)]);
  });

  it('a device that was removed is not known after a restart, and goes on where it was when it is back', () => {
    const registry = new DeviceRegistry(new Map(), 10, saved({}, [id(1)]));
    const ghost = registry.restore(state(id(1)));
    expect(ghost.alias).toBe(id(1));
    expect(registry.size).toBe(0);
    let changes = 0;
    registry.names.onChanged = () => changes++;
    expect(registry.obtain(id(1))?.restored).toMatchObject({ boot: 7, nextSeq: 9 });
    expect([changes, registry.names.removed.size]).toEqual([1, 0]);
  });

  it('a device with a name of its own gets that back', () => {
    const registry = new DeviceRegistry(new Map(), 10);
    const tracker = registry.obtain(profileDeviceId('gt06_1'), 'gt06_1')!;
    registry.rename(tracker, 'van');
    expect([tracker.alias, tracker.ownAlias]).toEqual(['van', 'gt06_1']);
    registry.rename(tracker, 'gt06_1');
    expect(registry.names.aliases.size).toBe(0);
  });

  it('whatever is configured, chosen and renamed: every device has one alias, and no two have the same', () => {
    const alias = fc.constantFrom('a', 'b', 'c', id(1), id(2), id(3));
    const device = fc.constantFrom(id(1), id(2), id(3), id(4));
    const configuration = fc
      .uniqueArray(fc.tuple(device, alias), { selector: ([one]) => one })
      .filter((list) => new Set(list.map(([, name]) => name)).size === list.length)
      .map((list) => new Map(list));
    const step = fc.oneof(
      configuration.map((aliases) => ({ aliases })),
      fc.record({ rename: device, to: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ obtain: device }),
      fc.record({ remove: device }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const registry = new DeviceRegistry(new Map(), 10);
        const requests = new DeviceRequests({ registry, renamed: () => {}, removed: () => {}, save: () => true });
        for (const one of steps) {
          if ('aliases' in one) registry.configure(one.aliases);
          else if ('obtain' in one) registry.obtain(one.obtain);
          else {
            try {
              if ('rename' in one) requests.rename(one.rename, one.to);
              else requests.remove(one.remove);
            } catch (error) {
              expect(error).toMatchObject({ name: 'RequestError' });
            }
          }
          const devices = [...registry];
          expect(new Set(devices.map((known) => known.alias)).size).toBe(devices.length);
          for (const known of devices) expect(registry.byAlias(known.alias)).toBe(known);
          if (!('aliases' in one)) continue;
          for (const [key, name] of one.aliases) if (name !== key) expect(registry.byAlias(name)?.id).toBe(key);
        }
      }),
    );
  });
});

describe('DeviceRequests', () => {
  it.each([
    ['nobody', 'x', /no such device/],
    [id(1), 'UPPER', /must be/],
    [id(1), 'bridge', /bridge/],
    [id(1), '', /must be/],
    [id(1), id(2), /looks like the id/],
    [id(1), 'taken', /already the name of device 0000000000000003/],
    [id(1), 'asleep', /already the name of device 0000000000000009/],
    ['taken', 'x', /the configuration calls it "taken"/],
  ])('refuses to call %s "%s"', (name, alias, why) => {
    const registry = new DeviceRegistry(new Map([[id(3), 'taken']]), 10, saved({ [id(9)]: 'asleep' }));
    registry.obtain(id(1));
    const requests = new DeviceRequests({ registry, renamed: () => {}, removed: () => {}, save: () => true });
    expect(() => requests.rename(name, alias)).toThrow(why);
  });
});

describe('NamesFile', () => {
  it('gives back what it was given, for its owner alone', () => {
    const folder = configFolder();
    const { file } = namesFile(folder);
    expect(file.read().aliases.size).toBe(0);
    const names = saved({ [id(1)]: 'shed' }, [id(2)]);
    expect(file.write(names)).toBe(true);
    expect(namesFile(folder).file.read()).toEqual(names);
    expect(statSync(join(folder, 'devices.json')).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['{"version":1,"aliases":{', 'cut'],
    ['{"version":2,"aliases":{},"removed":[]}', 'newer'],
    ['{"version":1,"aliases":{"x":"y"},"removed":[]}', 'no id'],
    [`{"version":1,"aliases":{"${id(1)}":"../x"},"removed":[]}`, 'no alias'],
    ['{"version":1,"aliases":{},"removed":["x"]}', 'no id removed'],
    ['null', 'null'],
  ])('sets aside what it cannot use: %s (%s)', (text) => {
    const folder = configFolder({ 'devices.json': text });
    const { file, lines } = namesFile(folder);
    expect(file.read()).toEqual(saved({}));
    expect(lines).toHaveLength(1);
    expect(readFileSync(join(folder, 'devices.json.bad'), 'utf8')).toBe(text);
  });

  it('says when it cannot be written, and leaves the old one', () => {
    const folder = configFolder();
    const { file, lines } = namesFile(folder);
    file.write(saved({ [id(1)]: 'shed' }));
    mkdirSync(join(folder, 'devices.json.new'));
    expect(file.write(saved({}))).toBe(false);
    expect(lines).toHaveLength(1);
    expect(namesFile(folder).file.read()).toEqual(saved({ [id(1)]: 'shed' }));
  });
});
