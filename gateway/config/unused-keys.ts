/** Keys in `secrets.yaml` that wait for a line in the configuration: who has made one needs no other. */
import { join } from 'node:path';
import { parseDeviceKey } from './device-key.ts';
import { DEVICE_ID, type FileConfig } from './schema.ts';
import { readSecrets, SECRETS_FILE } from './secrets.ts';
import { SecretReference } from './yaml-file.ts';

/** Device id, in lower case, to the name of the secret that is its key. */
export type UnusedKeys = ReadonlyMap<string, string>;

/** The names that `!secret NAME` asks for; to be called before they are resolved. */
export function secretsUsed(value: unknown, used = new Set<string>()): ReadonlySet<string> {
  if (value instanceof SecretReference) used.add(value.name);
  else if (typeof value === 'object' && value !== null)
    for (const item of Object.values(value)) secretsUsed(item, used);
  return used;
}

/** The keys under the id or the alias of a device that has none and does not go without. */
export function unusedKeys(folder: string, used: ReadonlySet<string>, devices: FileConfig['devices']): UnusedKeys {
  const unused = new Map<string, string>();
  const secrets = readSecrets(join(folder, SECRETS_FILE));
  if (typeof secrets === 'string') return unused;
  const known = Object.entries(devices);
  for (const [name, value] of secrets) {
    if (used.has(name) || typeof value !== 'string' || !parseDeviceKey(value).ok) continue;
    const [written, device] = known.find(
      ([id, { alias }]) => alias === name || id.toLowerCase() === name.toLowerCase(),
    ) ?? [name];
    if (!DEVICE_ID.test(written) || device?.key !== undefined || device?.plain === true) continue;
    unused.set(written.toLowerCase(), name);
  }
  return unused;
}
