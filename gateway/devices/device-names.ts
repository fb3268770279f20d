/**
 * What devices are to be called, and by whose wish:
 *
 * ```
 *   1  the configuration         devices.<id>.alias, device and names of a source
 *   2  a request                 bridge/request/device_rename; kept in a file
 *   3  the device                its id, or what its frames say
 * ```
 *
 * What a request has said is kept also where the configuration says otherwise: it holds again when that is gone.
 */

/** What was changed by request: it has to hold over a restart. */
export interface SavedNames {
  /** By device id. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Ids of devices that are not to be known again before they come back. The oldest first. */
  readonly removed: ReadonlySet<string>;
}

export const NO_NAMES: SavedNames = { aliases: new Map(), removed: new Set() };

/** What is kept of each of the two; the oldest goes first. */
const MAX_SAVED = 10_000;

/** A name that was given by request and is not used, as the configuration says otherwise. */
export interface NameConflict {
  readonly id: string;
  readonly alias: string;
  /** Whom the configuration calls so; its own id: the device has another name there. */
  readonly configuredFor: string;
}

export class DeviceNames implements SavedNames {
  /** Called when what has to hold over a restart has changed. */
  onChanged: (() => void) | undefined;
  /** By id; the id itself where the configuration names the device without an alias. */
  #configured: ReadonlyMap<string, string>;
  #configuredAliases = new Map<string, string>();
  readonly #aliases: Map<string, string>;
  /** Whose each of them is. */
  readonly #chosenBy = new Map<string, string>();
  readonly #removed: Set<string>;

  constructor(configured: ReadonlyMap<string, string>, saved: SavedNames) {
    this.#configured = configured;
    this.#aliases = new Map(saved.aliases);
    this.#removed = new Set(saved.removed);
    for (const [id, alias] of saved.aliases) this.#chosenBy.set(alias, id);
    this.configure(configured);
  }

  get aliases(): ReadonlyMap<string, string> {
    return this.#aliases;
  }

  get removed(): ReadonlySet<string> {
    return this.#removed;
  }

  configure(configured: ReadonlyMap<string, string>): void {
    this.#configured = configured;
    this.#configuredAliases = new Map(Array.from(configured, ([id, alias]) => [alias, id]));
  }

  /** Whether the configuration names the device, with an alias or without. */
  isConfigured(id: string): boolean {
    return this.#configured.has(id);
  }

  /** The alias that the configuration gives it. */
  configured(id: string): string | undefined {
    const alias = this.#configured.get(id);
    return alias === id ? undefined : alias;
  }

  /** The alias that was given by request. */
  chosen(id: string): string | undefined {
    return this.#aliases.get(id);
  }

  /** Whose name this is by the configuration or a request, also of a device that is not known at present. */
  ownerOf(alias: string): string | undefined {
    return this.#configuredAliases.get(alias) ?? this.#chosenBy.get(alias);
  }

  /** Whether neither the configuration nor a request calls another device so. */
  mayBeCalled(id: string, alias: string): boolean {
    return (this.ownerOf(alias) ?? id) === id;
  }

  /** Names that are not used because of the configuration. */
  get conflicts(): NameConflict[] {
    const found: NameConflict[] = [];
    for (const [id, alias] of this.#aliases) {
      const configuredFor = this.#configuredAliases.get(alias) ?? (this.configured(id) === undefined ? undefined : id);
      if (configuredFor !== undefined && this.configured(id) !== alias) found.push({ id, alias, configuredFor });
    }
    return found;
  }

  /** Those first whose names count more. */
  byPrecedence<D extends { readonly id: string }>(devices: readonly D[]): D[] {
    const rank = ({ id }: D): number => (this.configured(id) !== undefined ? 0 : this.#aliases.has(id) ? 1 : 2);
    return devices.toSorted((a, b) => rank(a) - rank(b));
  }

  /** Gives a device an alias by request; undefined takes an earlier one back. */
  choose(id: string, alias: string | undefined): void {
    this.#unchoose(id);
    if (alias !== undefined) {
      this.#aliases.set(id, alias);
      this.#chosenBy.set(alias, id);
      const [oldest] = this.#aliases.keys();
      if (this.#aliases.size > MAX_SAVED && oldest !== undefined) this.#unchoose(oldest);
    }
    this.onChanged?.();
  }

  isRemoved(id: string): boolean {
    return this.#removed.has(id);
  }

  /** A device was removed by request: its name goes, too. */
  remove(id: string): void {
    this.#unchoose(id);
    this.#removed.add(id);
    const [oldest] = this.#removed;
    if (this.#removed.size > MAX_SAVED && oldest !== undefined) this.#removed.delete(oldest);
    this.onChanged?.();
  }

  /** A device is known. */
  returned(id: string): void {
    if (this.#removed.delete(id)) this.onChanged?.();
  }

  #unchoose(id: string): void {
    const before = this.#aliases.get(id);
    if (before === undefined) return;
    this.#aliases.delete(id);
    this.#chosenBy.delete(before);
  }
}
