/** All devices that the gateway knows, by id and by alias. */
import type { Sample, Schema } from '../../protocol/index.ts';
import type { DeviceState } from '../journal/journal.ts';
import { aliasOf } from '../mqtt/topics.ts';
import type { Device, DeviceChannel, Transport } from './device.ts';
import { type Amount, valueOf } from '../limits/token-bucket.ts';
import { DeviceNames, NO_NAMES, type SavedNames } from './device-names.ts';
import { profileDeviceId, storedAlias } from './profile-device-id.ts';

/** A device whose state the sessions change; everybody else sees it as a read-only `Device`. */
export class RegisteredDevice implements Device {
  readonly id: string;
  /** Changed by the registry only. */
  alias: string;
  /** The alias that it has when nobody has given it another. */
  readonly ownAlias: string;
  schema: Schema | undefined;
  readonly channels = new Map<number, DeviceChannel>();
  channelsVersion = 0;
  transport: Transport | undefined;
  online = false;
  lastSeen: number | undefined;
  newestLsn = 0;
  /** What the journal knew of it at the start, for whoever takes up the conversation. */
  restored: DeviceState | undefined;

  constructor(id: string, alias: string, ownAlias: string = alias) {
    this.id = id;
    this.alias = alias;
    this.ownAlias = ownAlias;
  }

  /** Takes the device's own declaration. Channels get aliases from their names, in the order declared. */
  declare(schema: Schema): void {
    this.schema = schema;
    this.channels.clear();
    const taken = new Set<string>();
    for (const channel of schema.channels) {
      const alias = aliasOf(channel.name, taken, `ch${channel.number}`);
      taken.add(alias);
      this.channels.set(channel.number, { ...channel, alias });
    }
    this.channelsVersion++;
  }

  /** Takes what its profile says: the schema, and all its channels with their aliases. */
  describe(schema: Schema, channels: readonly DeviceChannel[]): void {
    this.schema = schema;
    this.channels.clear();
    for (const channel of channels) this.channels.set(channel.number, channel);
    this.channelsVersion++;
  }

  /**
   * A channel that the device uses without having declared it appears all the same, as long as it has less than
   * `maxChannels`. Values beyond are taken out of the samples, and samples without values out of the list; returns how
   * many values that were.
   */
  declareByUse(samples: Sample[], maxChannels: number): number {
    let omitted = 0;
    for (const sample of samples) {
      for (const { channel } of sample.values) {
        if (this.channels.has(channel)) continue;
        if (this.channels.size < maxChannels) this.ensureChannel(channel);
        else omitted++;
      }
    }
    if (omitted === 0) return 0;
    for (const sample of samples) sample.values = sample.values.filter(({ channel }) => this.channels.has(channel));
    samples.splice(0, samples.length, ...samples.filter(({ values }) => values.length > 0));
    return omitted;
  }

  /** Makes sure that a channel exists: a device without a schema declares its channels by using them. */
  ensureChannel(number: number): void {
    if (this.channels.has(number)) return;
    const taken = new Set(Array.from(this.channels.values(), (channel) => channel.alias));
    this.channels.set(number, {
      number,
      alias: aliasOf(`ch${number}`, taken, `channel_${number}`),
      name: `channel ${number}`,
      type: undefined,
      class: 'none',
      scale: 0,
      unit: '',
      writable: false,
      totalIncreasing: false,
      diagnostic: false,
    });
    this.channelsVersion++;
  }
}

/** Devices removed by request of which it is known how far they had come. */
const MAX_FORGOTTEN = 1_000;

/** A device whose alias has changed. */
export interface Renamed {
  readonly device: RegisteredDevice;
  /** The alias that it had. */
  readonly before: string;
}

/**
 * The registry is bounded: when it is full, the device that has been offline the longest makes room, and when all are
 * online, a new one is refused. Who is named in the configuration is never removed.
 */
export class DeviceRegistry {
  readonly #names: DeviceNames;
  readonly #maxDevices: Amount;
  readonly #byId = new Map<string, RegisteredDevice>();
  readonly #byAlias = new Map<string, RegisteredDevice>();
  /** What the journal knows of devices that were removed by request. */
  readonly #forgotten = new Map<string, DeviceState>();
  /** Called with a device that had to make room, or was removed. */
  onRemoved: ((device: RegisteredDevice) => void) | undefined;

  /**
   * @param aliases device id (16 lowercase hex digits) to alias, from the configuration; the id itself where it names none
   * @param saved what was changed by request in earlier runs
   */
  constructor(aliases: ReadonlyMap<string, string>, maxDevices: Amount, saved: SavedNames = NO_NAMES) {
    this.#names = new DeviceNames(aliases, saved);
    this.#maxDevices = maxDevices;
    for (const id of aliases.keys()) this.#add(id, id);
  }

  get size(): number {
    return this.#byId.size;
  }

  /** What was changed by request, and what the configuration says. */
  get names(): DeviceNames {
    return this.#names;
  }

  get(id: string): RegisteredDevice | undefined {
    return this.#byId.get(id);
  }

  byAlias(alias: string): RegisteredDevice | undefined {
    return this.#byAlias.get(alias);
  }

  /**
   * The device with this id, made known if need be; undefined when the registry is full of devices that are online.
   * @param wanted its alias, unless it was given another, or another device has it
   */
  obtain(id: string, wanted: string = id): RegisteredDevice | undefined {
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    if (this.#byId.size >= valueOf(this.#maxDevices) && !this.#makeRoom()) return undefined;
    const device = this.#add(id, wanted);
    this.#names.returned(id);
    const state = this.#forgotten.get(id);
    this.#forgotten.delete(id);
    return state === undefined ? device : resume(device, state);
  }

  /**
   * The device as the journal knew it. When there is no room for it, or it was removed by request, it is one that only the
   * journal's records know: they are published, and then nothing of it is left.
   */
  restore(state: DeviceState): RegisteredDevice {
    const { id } = state;
    const alias = storedAlias(state) ?? id;
    if (this.#names.isRemoved(id) && !this.#byId.has(id)) {
      this.#remember(state);
      return resume(new RegisteredDevice(id, alias), state);
    }
    const device = this.#byId.get(id) ?? this.obtain(id, alias) ?? new RegisteredDevice(id, alias);
    return device.restored === undefined ? resume(device, state) : device;
  }

  /** Gives a device an alias that is free; its own takes an earlier one back. */
  rename(device: RegisteredDevice, alias: string): Renamed {
    const before = device.alias;
    this.#names.choose(device.id, alias === device.ownAlias ? undefined : alias);
    this.#byAlias.delete(before);
    this.#call(device, this.#aliasFor(device));
    return { device, before };
  }

  /** Forgets a device by request. It is known again when it comes back. */
  remove(device: RegisteredDevice): void {
    this.#names.remove(device.id);
    this.#forget(device);
    if (device.restored !== undefined) this.#remember(device.restored);
  }

  /**
   * The configuration has changed: names that it gives are taken from whoever else has them, and a device that it does not
   * name any more and that was never here is forgotten. Returns whose alias has changed.
   */
  configure(aliases: ReadonlyMap<string, string>): Renamed[] {
    const absent = Array.from(this.#byId.values()).filter(
      ({ id, lastSeen, restored }) =>
        this.#names.isConfigured(id) && !aliases.has(id) && lastSeen === undefined && restored === undefined,
    );
    this.#names.configure(aliases);
    for (const device of absent) this.#forget(device);
    const before = Array.from(this.#byId.values(), (device) => ({ device, before: device.alias }));
    this.#byAlias.clear();
    const devices = before.map(({ device }) => device);
    for (const device of this.#names.byPrecedence(devices)) this.#call(device, this.#aliasFor(device));
    for (const id of aliases.keys()) if (!this.#byId.has(id)) this.#add(id, id);
    return before.filter(({ device, before: old }) => device.alias !== old);
  }

  [Symbol.iterator](): Iterator<RegisteredDevice> {
    return this.#byId.values();
  }

  #add(id: string, wanted: string): RegisteredDevice {
    const named = this.#names.configured(id);
    // A device that goes by its name has no other alias of its own.
    const ownAlias = named !== undefined && profileDeviceId(named) === id ? named : wanted;
    const device = new RegisteredDevice(id, ownAlias);
    this.#byId.set(id, device);
    this.#call(device, this.#aliasFor(device));
    return device;
  }

  #call(device: RegisteredDevice, alias: string): void {
    device.alias = alias;
    this.#byAlias.set(alias, device);
  }

  #aliasFor({ id, ownAlias }: RegisteredDevice): string {
    for (const alias of [this.#names.configured(id), this.#names.chosen(id), ownAlias]) {
      if (alias === undefined) continue;
      if (!this.#byAlias.has(alias) && this.#names.mayBeCalled(id, alias)) return alias;
    }
    // An alias of the configuration may look like another device's id: that one then has to step aside.
    return `${id}_id`;
  }

  #remember(state: DeviceState): void {
    this.#forgotten.set(state.id, state);
    const [oldest] = this.#forgotten.keys();
    if (this.#forgotten.size > MAX_FORGOTTEN && oldest !== undefined) this.#forgotten.delete(oldest);
  }

  #makeRoom(): boolean {
    let oldest: RegisteredDevice | undefined;
    for (const device of this.#byId.values()) {
      if (device.online || this.#names.isConfigured(device.id)) continue;
      if (oldest === undefined || (device.lastSeen ?? 0) < (oldest.lastSeen ?? 0)) oldest = device;
    }
    if (oldest === undefined) return false;
    this.#forget(oldest);
    return true;
  }

  #forget(device: RegisteredDevice): void {
    this.#byId.delete(device.id);
    this.#byAlias.delete(device.alias);
    this.onRemoved?.(device);
  }
}

function resume(device: RegisteredDevice, state: DeviceState): RegisteredDevice {
  device.restored = state;
  if (state.schema !== undefined) device.declare(state.schema);
  return device;
}
