/** All devices that the gateway knows, by id and by alias. */
import type { Sample, Schema } from '../../protocol/index.ts';
import type { DeviceState } from '../journal/journal.ts';
import { aliasOf } from '../mqtt/topics.ts';
import type { Device, DeviceChannel, Transport } from './device.ts';
import { storedAlias } from './profile-device-id.ts';

/** A device whose state the sessions change; everybody else sees it as a read-only `Device`. */
export class RegisteredDevice implements Device {
  readonly id: string;
  readonly alias: string;
  schema: Schema | undefined;
  readonly channels = new Map<number, DeviceChannel>();
  channelsVersion = 0;
  transport: Transport | undefined;
  online = false;
  lastSeen: number | undefined;
  newestLsn = 0;
  /** What the journal knew of it at the start, for whoever takes up the conversation. */
  restored: DeviceState | undefined;

  constructor(id: string, alias: string) {
    this.id = id;
    this.alias = alias;
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

/**
 * The registry is bounded: when it is full, the device that has been offline the longest makes room, and when all are
 * online, a new one is refused. Who is named in the configuration is never removed.
 */
export class DeviceRegistry {
  readonly #configured: ReadonlyMap<string, string>;
  readonly #maxDevices: number;
  readonly #byId = new Map<string, RegisteredDevice>();
  readonly #byAlias = new Map<string, RegisteredDevice>();
  /** Called with a device that had to make room. */
  onRemoved: ((device: RegisteredDevice) => void) | undefined;

  /** `aliases`: device id (16 lowercase hex digits) to alias, from the configuration. */
  constructor(aliases: ReadonlyMap<string, string>, maxDevices: number) {
    this.#configured = aliases;
    this.#maxDevices = maxDevices;
    for (const [id, alias] of aliases) this.#add(new RegisteredDevice(id, alias));
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): RegisteredDevice | undefined {
    return this.#byId.get(id);
  }

  byAlias(alias: string): RegisteredDevice | undefined {
    return this.#byAlias.get(alias);
  }

  /**
   * The device with this id, made known if need be; undefined when the registry is full of devices that are online.
   * @param wanted its alias, unless another device has it
   */
  obtain(id: string, wanted: string = id): RegisteredDevice | undefined {
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    if (this.#byId.size >= this.#maxDevices && !this.#makeRoom()) return undefined;
    // An alias of the configuration may look like another device's id: that one then has to step aside.
    const alias = this.#byAlias.has(wanted) ? `${id}_id` : wanted;
    return this.#add(new RegisteredDevice(id, alias));
  }

  /**
   * The device as the journal knew it. When there is no room for it, it is one that only the journal's records know: they
   * are published, and then nothing of it is left.
   */
  restore(state: DeviceState): RegisteredDevice {
    const known = this.#byId.get(state.id);
    const alias = storedAlias(state) ?? state.id;
    const device = known ?? this.obtain(state.id, alias) ?? new RegisteredDevice(state.id, alias);
    if (device.restored === undefined) {
      device.restored = state;
      if (state.schema !== undefined) device.declare(state.schema);
    }
    return device;
  }

  [Symbol.iterator](): Iterator<RegisteredDevice> {
    return this.#byId.values();
  }

  #add(device: RegisteredDevice): RegisteredDevice {
    this.#byId.set(device.id, device);
    this.#byAlias.set(device.alias, device);
    return device;
  }

  #makeRoom(): boolean {
    let oldest: RegisteredDevice | undefined;
    for (const device of this.#byId.values()) {
      if (device.online || this.#configured.has(device.id)) continue;
      if (oldest === undefined || (device.lastSeen ?? 0) < (oldest.lastSeen ?? 0)) oldest = device;
    }
    if (oldest === undefined) return false;
    this.#byId.delete(oldest.id);
    this.#byAlias.delete(oldest.alias);
    this.onRemoved?.(oldest);
    return true;
  }
}
