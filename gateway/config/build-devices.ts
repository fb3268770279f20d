/** The section `devices`: names that are told apart, keys that are keys. */
import { parseDeviceKey } from './device-key.ts';
import type { Finding } from './problem.ts';
import type { DeviceConfig, FileConfig } from './schema.ts';

type FileDevice = FileConfig['devices'][string];

export function buildDevices(
  devices: FileConfig['devices'],
  problems: Finding[],
  warnings: Finding[],
): Map<string, DeviceConfig> {
  const built = new Map<string, DeviceConfig>();
  const aliases = new Map<string, string>();
  const keys = new Map<string, string>();
  for (const [written, device] of Object.entries(devices)) {
    const id = written.toLowerCase();
    if (built.has(id)) {
      const message = 'this device is already there, in other letters; keep only one of them';
      problems.push({ code: 'CONFIG_CONFLICT', path: ['devices', written], message, atKey: true });
    }
    checkAlias(id, device.alias, aliases, (message) =>
      problems.push({ code: 'CONFIG_CONFLICT', path: ['devices', written, 'alias'], message }),
    );
    const key = buildKey(written, device, keys, problems, warnings);
    built.set(id, { alias: device.alias, key, plain: device.plain });
  }
  return built;
}

function checkAlias(
  id: string,
  alias: string | undefined,
  aliases: Map<string, string>,
  clash: (message: string) => void,
): void {
  if (alias === undefined || alias === id) return;
  const other = aliases.get(alias);
  if (alias === 'bridge') clash('"bridge" is the name of the gateway itself in topics; choose another');
  else if (other !== undefined) clash(`is already the alias of device ${other}`);
  else if (/^[0-9a-f]{16}$/.test(alias)) clash('looks like the id of another device; choose another');
  aliases.set(alias, id);
}

/** `keys`: whose each key is, in hex. */
function buildKey(
  written: string,
  device: FileDevice,
  keys: Map<string, string>,
  problems: Finding[],
  warnings: Finding[],
): Uint8Array | undefined {
  if (device.key === undefined) return undefined;
  const path = ['devices', written, 'key'];
  const parsed = parseDeviceKey(device.key);
  if (!parsed.ok) {
    problems.push({ code: 'CONFIG_INVALID', path, message: parsed.message });
    return undefined;
  }
  if (device.plain) {
    const message = 'a device with a key is never let in without it; remove either "key" or "plain: true"';
    problems.push({ code: 'CONFIG_CONFLICT', path: ['devices', written, 'plain'], message });
  }
  const hex = Buffer.from(parsed.key).toString('hex');
  const other = keys.get(hex);
  if (other !== undefined) {
    const message = `is the key of device ${other}, too: whoever takes it from one of them can be both`;
    warnings.push({ code: 'CONFIG_CONFLICT', path, message });
  }
  keys.set(hex, written.toLowerCase());
  return parsed.key;
}
