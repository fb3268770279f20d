/** What the configuration calls its devices. */
import { profileDeviceId } from '../devices/profile-device-id.ts';
import type { Config } from './schema.ts';

/** Device id to alias, also of the devices with a profile; the id itself where the configuration gives no alias. */
export function aliasesOf(config: Pick<Config, 'devices' | 'sources'>): Map<string, string> {
  const aliases = new Map(Array.from(config.devices, ([id, { alias }]) => [id, alias ?? id]));
  for (const { profile } of config.sources) {
    const known = profile?.devices.filter((device) => device.profile.about.identified !== true) ?? [];
    for (const alias of [...known.map((device) => device.alias), ...(profile?.names.values() ?? [])]) {
      aliases.set(profileDeviceId(alias), alias);
    }
  }
  return aliases;
}
