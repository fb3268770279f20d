/**
 * Applies a new configuration to the gateway as it runs:
 *
 * ```
 *   limits, log level ─→ keys ─→ sources that go ─→ names ─→ sources that come ─→ certificates
 *                         │            └ their sessions end; those of all others do not notice
 *                         └ sessions begun with an old key end
 * ```
 *
 * All else counts from the next start on, and is said to.
 */
import { aliasesOf } from '../config/aliases.ts';
import { diffConfig } from '../config/diff.ts';
import type { Config, DeviceConfig, LimitsConfig } from '../config/schema.ts';
import type { DeviceRegistry, Renamed } from '../devices/registry.ts';
import type { Log, LogLevel } from '../log.ts';
import type { LinkTable } from '../sessions/link/link-table.ts';
import type { SourceSet } from './source-set.ts';

export interface ReconfigurationOptions {
  /** Looked at by everybody who keeps to them. */
  readonly limits: { -readonly [Key in keyof LimitsConfig]: LimitsConfig[Key] };
  readonly credentials: Map<string, DeviceConfig>;
  readonly registry: DeviceRegistry;
  readonly links: LinkTable;
  readonly sources: SourceSet;
  /** Devices have other aliases: tells everybody who uses them. */
  readonly renamed: (devices: readonly Renamed[]) => void;
  readonly setLogLevel: (level: LogLevel) => void;
  readonly log: Log;
}

export interface Applied {
  /** What holds now: keys as in the file, and sources by name with what became of them. */
  readonly applied: readonly string[];
  /** Keys that hold from the next start on. */
  readonly needsRestart: readonly string[];
}

export class Reconfiguration {
  readonly #options: ReconfigurationOptions;
  /** With what was read at the start only as it was then. */
  #running: Config;

  constructor(running: Config, options: ReconfigurationOptions) {
    this.#running = running;
    this.#options = options;
  }

  /** Must not be called again before it is done. */
  async apply(next: Config): Promise<Applied> {
    const { limits, registry, sources, renamed, setLogLevel } = this.#options;
    const diff = diffConfig(this.#running, next);
    const { added, removed, changed } = diff.sources;
    const applied = [...diff.limits];
    this.#running = {
      ...this.#running,
      sources: next.sources,
      devices: next.devices,
      limits: next.limits,
      log: { ...this.#running.log, level: next.log.level },
    };

    Object.assign(limits, next.limits);
    if (diff.logLevel) {
      setLogLevel(next.log.level);
      applied.push('log.level');
    }
    applied.push(...this.#applyKeys(next, diff.devices));
    for (const { id } of [...removed, ...changed]) await sources.remove(id);
    const changedNames = registry.configure(aliasesOf(next));
    if (changedNames.length > 0) renamed(changedNames);
    tellConflicts(registry, this.#options.log);
    for (const config of [...changed, ...added]) sources.add(config);
    // One that cannot be opened is told and tried again, like any other.
    void sources.open();
    applied.push(...removed.map(told('removed')), ...changed.map(told('changed')), ...added.map(told('added')));
    applied.push(...this.#renewCertificates(next));
    return { applied, needsRestart: diff.restart };
  }

  /** A session stands on what its device was let in by: where that is no more, it has to begin a new one. */
  #applyKeys(next: Config, changed: ReadonlyMap<string, readonly (keyof DeviceConfig)[]>): string[] {
    const { credentials, links } = this.#options;
    const applied: string[] = [];
    for (const [id, keys] of changed) {
      const device = next.devices.get(id);
      if (device === undefined) credentials.delete(id);
      else credentials.set(id, device);
      if (keys.includes('key') || (keys.includes('plain') && device?.plain !== true)) links.revoke(id);
      applied.push(...(keys.length === 0 ? [`devices.${id}`] : keys.map((key) => `devices.${id}.${key}`)));
    }
    return applied;
  }

  #renewCertificates({ sources: all }: Config): string[] {
    const applied: string[] = [];
    for (const config of all) {
      const renewed = this.#options.sources.renew(config);
      if (renewed === 'renewed') applied.push(`certificate of ${config.id} renewed`);
      else if (renewed !== 'same') {
        const fields = { code: 'TLS_CERTIFICATE', source: config.id };
        this.#options.log.warn(fields, `${config.id} goes on with its old certificate: ${renewed.message}`);
      }
    }
    return applied;
  }
}

function told(verb: string): (source: { readonly id: string }) => string {
  return ({ id }) => `source ${id} ${verb}`;
}

/** Says which names given by request are not used. */
export function tellConflicts({ names }: DeviceRegistry, log: Log): void {
  for (const { id, alias, configuredFor } of names.conflicts) {
    const why =
      configuredFor === id
        ? `the configuration calls it "${names.configured(id)}"`
        : `that is the name of ${configuredFor} in the configuration`;
    log.warn({ device: id, alias }, `device ${id} is not called "${alias}", as a request had said: ${why}`);
  }
}
