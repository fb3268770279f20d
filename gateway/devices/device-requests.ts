/**
 * What people may do with devices by request: give them another name, and have them forgotten.
 *
 * ```
 *   device_rename ─→ may it be called so? ─→ registry ─→ topics, discovery, dashboard ─→ file
 *   device_remove ─→ offline, and not of the configuration? ─→ registry ─→ retained messages are removed ─→ file
 * ```
 */
import { RequestError } from '../mqtt/requests.ts';
import { isDeviceAlias } from '../mqtt/topics.ts';
import type { SavedNames } from './device-names.ts';
import type { DeviceRegistry, RegisteredDevice, Renamed } from './registry.ts';

export interface DeviceRequestsOptions {
  readonly registry: DeviceRegistry;
  /** Devices have other aliases: tells everybody who uses them. */
  readonly renamed: (devices: readonly Renamed[]) => void;
  /** A device was removed by request. */
  readonly removed: (device: RegisteredDevice) => void;
  /** Keeps what has changed over a restart; false when it could not. */
  readonly save: (names: SavedNames) => boolean;
}

export interface RenameAnswer {
  readonly id: string;
  readonly alias: string;
  readonly before: string;
  /** Whether it holds over a restart. */
  readonly kept: boolean;
}

export interface RemoveAnswer {
  readonly id: string;
  readonly alias: string;
  readonly kept: boolean;
}

const LIKE_AN_ID = /^[0-9a-f]{16}$/;

export class DeviceRequests {
  readonly #options: DeviceRequestsOptions;
  #kept = true;

  constructor(options: DeviceRequestsOptions) {
    this.#options = options;
    const { names } = options.registry;
    names.onChanged = () => (this.#kept = options.save(names));
  }

  /** @throws RequestError when it cannot be called so */
  rename(name: string, alias: string): RenameAnswer {
    const { registry, renamed } = this.#options;
    const device = this.#device(name);
    const { id, alias: before } = device;
    if (alias === before) return { id, alias, before, kept: this.#kept };
    const configured = registry.names.configured(id);
    if (configured !== undefined) {
      throw new RequestError(`the configuration calls it "${configured}", and counts more; change it there`);
    }
    if (!isDeviceAlias(alias)) {
      throw new RequestError('"alias" must be 1 to 32 of a-z, 0-9 and _, and not "bridge"');
    }
    if (LIKE_AN_ID.test(alias) && alias !== id) throw new RequestError('"alias" looks like the id of another device');
    const other = registry.byAlias(alias)?.id ?? registry.names.ownerOf(alias) ?? id;
    if (other !== id) throw new RequestError(`"${alias}" is already the name of device ${other}`);
    const change = registry.rename(device, alias);
    renamed([change]);
    return { id, alias: device.alias, before, kept: this.#kept };
  }

  /** @throws RequestError when it cannot be removed */
  remove(name: string): RemoveAnswer {
    const { registry, removed } = this.#options;
    const device = this.#device(name);
    const { id, alias } = device;
    if (registry.names.isConfigured(id)) {
      throw new RequestError(`"${alias}" is named in the configuration; remove it there first`);
    }
    if (device.online) {
      throw new RequestError(`"${alias}" is online, and would be known again at once; turn it off first`);
    }
    registry.remove(device);
    removed(device);
    return { id, alias, kept: this.#kept };
  }

  #device(name: string): RegisteredDevice {
    const { registry } = this.#options;
    const device = registry.byAlias(name) ?? registry.get(name);
    if (device === undefined) throw new RequestError('no such device');
    return device;
  }
}
