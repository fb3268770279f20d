/**
 * What has changed from the configuration that runs to a new one, and what of it can be applied while the gateway runs.
 *
 * ```
 *   running ─┐    sources, by name      added, removed, changed
 *            ├─→  devices, by id        whose way in has changed: key, plain
 *   new ─────┘    limits, log.level     the keys
 *                 all else              the keys, which need a restart
 * ```
 */
import { isDeepStrictEqual } from 'node:util';
import type { Config, DeviceConfig, SourceConfig } from './schema.ts';

export interface ConfigDiff {
  readonly sources: {
    readonly added: readonly SourceConfig[];
    readonly removed: readonly SourceConfig[];
    /** As they are to be. */
    readonly changed: readonly SourceConfig[];
  };
  /** Keys below `devices.<id>` that have changed, by id; none of them where only the device itself has come or gone. */
  readonly devices: ReadonlyMap<string, readonly (keyof DeviceConfig)[]>;
  /** Keys as in the file, e.g. `limits.frame_s`. */
  readonly limits: readonly string[];
  readonly logLevel: boolean;
  /** Keys that count from the next start on. */
  readonly restart: readonly string[];
}

/** Sections that are read at the start only. */
const AT_START = ['mqtt', 'journal', 'delivery', 'http', 'discovery'] as const;
const DEVICE_KEYS = ['alias', 'key', 'plain'] as const;

export function diffConfig(running: Config, next: Config): ConfigDiff {
  const before = new Map(running.sources.map((source) => [source.id, source]));
  const after = new Map(next.sources.map((source) => [source.id, source]));
  const restart = AT_START.flatMap((section) => changedKeys(section, running[section], next[section]));
  if (running.log.format !== next.log.format) restart.push('log.format');
  return {
    sources: {
      added: next.sources.filter(({ id }) => !before.has(id)),
      removed: running.sources.filter(({ id }) => !after.has(id)),
      changed: next.sources.filter((source) => {
        const old = before.get(source.id);
        return old !== undefined && !isDeepStrictEqual(comparable(old), comparable(source));
      }),
    },
    devices: changedDevices(running.devices, next.devices),
    limits: changedKeys('limits', running.limits, next.limits),
    logLevel: running.log.level !== next.log.level,
    restart,
  };
}

/** Without what is compiled, which is never equal, and what `limits` say, which a listener takes over as it runs. */
function comparable(source: SourceConfig): object {
  const { profile, ...plain } = source;
  const { devices = [], ...use } = profile ?? {};
  const tls = 'tls' in source ? source.tls?.files : undefined;
  return { ...plain, tls, use, devices: devices.map((device) => ({ ...device, profile: undefined })) };
}

function changedDevices(
  before: Config['devices'],
  after: Config['devices'],
): Map<string, readonly (keyof DeviceConfig)[]> {
  const changed = new Map<string, readonly (keyof DeviceConfig)[]>();
  for (const id of new Set([...before.keys(), ...after.keys()])) {
    const keys = DEVICE_KEYS.filter(
      (key) => !isDeepStrictEqual(valueOf(before.get(id), key), valueOf(after.get(id), key)),
    );
    if (keys.length > 0 || before.has(id) !== after.has(id)) changed.set(id, keys);
  }
  return changed;
}

function valueOf(device: DeviceConfig | undefined, key: keyof DeviceConfig): unknown {
  return device?.[key] ?? (key === 'plain' ? false : undefined);
}

/** Keys of a section as they are written in the file. A section that is turned off is undefined. */
function changedKeys(section: string, before: object | undefined, after: object | undefined): string[] {
  if (before === undefined && after === undefined) return [];
  if (before === undefined || after === undefined) return [`${section}.enabled`];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return Array.from(keys)
    .filter((key) => !isDeepStrictEqual(Reflect.get(before, key), Reflect.get(after, key)))
    .map((key) => `${section}.${fileKey(key)}`);
}

/** `handshakeMs` is `handshake_s` in the file: durations are seconds there, but for one. */
function fileKey(key: string): string {
  if (key === 'syncIntervalMs') return 'sync_interval_ms';
  return key.replace(/Ms$/, 'S').replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
