/**
 * From the channel numbers of a profile to those of one device.
 *
 * ```
 *   profile   0 voltage | 1 current | 2–33 cell_{n} | 34 … dp_{tag}, as they appear
 *                 │           └ new in the file
 *   device    0 voltage | 7 current | 2–17 cell_1 … cell_16
 * ```
 *
 * They are mostly the same. But a number must mean the same for as long as the journal has readings under it, whatever
 * becomes of the file and in whatever order channels appear: so the names that the journal knows keep their numbers.
 * Where the scale of a name has changed, it is another channel.
 */
import type { ChannelDeclaration, Profile, ProfileChannel, Schema, Value } from '../../../protocol/index.ts';
import { MAX_NAME_BYTES, MAX_UNIT_BYTES } from '../../../protocol/index.ts';
import type { DeviceChannel } from '../../devices/device.ts';
import type { RegisteredDevice } from '../../devices/registry.ts';
import { aliasOf } from '../../mqtt/topics.ts';

const NUMBERS = 256;
const UNKNOWN = -1;
/** All numbers are taken: its values are left out. */
const NO_ROOM = -2;

export class ChannelMap {
  readonly #device: RegisteredDevice;
  readonly #profile: Profile;
  /** By the profile's number. */
  readonly #numbers = new Int16Array(NUMBERS).fill(UNKNOWN);
  readonly #byProfileNumber = new Map<number, ProfileChannel>();
  /** What each of the device's numbers is in the profile. */
  readonly #used = new Map<number, ProfileChannel>();
  /** Channels have been added since `describe`. */
  #changed = true;

  /** Gives the device the channels that it is sure to have, and those that the journal has seen of it. */
  constructor(device: RegisteredDevice, profile: Profile) {
    this.#device = device;
    this.#profile = profile;
    const seen = new Set(Array.from(device.channels.values(), ({ name }) => name));
    for (const channel of profile.channels) {
      this.#byProfileNumber.set(channel.number, channel);
      if (!channel.repeated || seen.has(channel.alias)) this.#add(channel);
    }
    this.describe();
  }

  /** A channel that is not in the profile's list. */
  learn(channel: ProfileChannel): void {
    if (this.#numbers[channel.number] === UNKNOWN) this.#byProfileNumber.set(channel.number, channel);
  }

  /** Gives a value the device's number; false: there is none for it. */
  translate(value: Value): boolean {
    let number = this.#numbers[value.channel] ?? NO_ROOM;
    if (number === UNKNOWN) {
      const channel = this.#byProfileNumber.get(value.channel);
      if (channel === undefined) return false;
      number = this.#add(channel);
    }
    if (number < 0) return false;
    if (number !== value.channel) value.channel = number;
    return true;
  }

  /** The profile's channel behind a number of the device. */
  of(number: number): ProfileChannel | undefined {
    return this.#used.get(number);
  }

  /** Tells the device's schema if channels were added: true then. */
  describe(): boolean {
    if (!this.#changed) return false;
    this.#changed = false;
    const { about } = this.#profile;
    const sorted = Array.from(this.#device.channels.values()).toSorted((a, b) => a.number - b.number);
    this.#device.describe(
      {
        name: this.#device.ownAlias,
        model: clipped(about.title, MAX_NAME_BYTES),
        firmware: '',
        channels: sorted.map(toDeclaration),
      },
      sorted,
    );
    return true;
  }

  /** What the journal keeps: as the schema, but with aliases for names, which is what a restart needs. */
  get stored(): Schema {
    const { schema, ownAlias, channels } = this.#device;
    const declared = Array.from(channels.values(), (channel) => ({ ...toDeclaration(channel), name: channel.alias }));
    return { name: ownAlias, model: schema?.model ?? '', firmware: '', channels: declared };
  }

  #add(channel: ProfileChannel): number {
    const number = this.#place(channel);
    this.#numbers[channel.number] = number;
    if (number < 0) return number;
    const { channels } = this.#device;
    channels.delete(number);
    const taken = new Set(Array.from(channels.values(), ({ alias }) => alias));
    channels.set(number, toDeviceChannel(channel, number, aliasOf(channel.alias, taken, `ch${number}`), this.#profile));
    this.#used.set(number, channel);
    this.#changed = true;
    return number;
  }

  #place(channel: ProfileChannel): number {
    const { channels } = this.#device;
    // What comes from the journal goes by its alias, and is not in use yet.
    const before = Array.from(channels.values()).find(
      ({ name, number }) => name === channel.alias && !this.#used.has(number),
    );
    if (before !== undefined) {
      if (before.scale === channel.scale) return before.number;
      channels.delete(before.number);
    }
    if (!channels.has(channel.number) && channel.number !== before?.number) return channel.number;
    for (let number = 0; number < NUMBERS; number++) {
      if (!channels.has(number) && number !== before?.number) return number;
    }
    // What is no longer in the profile makes room.
    for (const number of channels.keys()) if (!this.#used.has(number)) return number;
    return NO_ROOM;
  }
}

function toDeviceChannel(channel: ProfileChannel, number: number, alias: string, profile: Profile): DeviceChannel {
  const { title, type, scale, unit, class: kind, totalIncreasing, diagnostic, options, range, precision } = channel;
  const command = profile.commands.find((one) => one.alias === channel.command);
  return {
    number,
    alias,
    name: clipped(title === '' ? alias : title, MAX_NAME_BYTES),
    type,
    class: kind,
    scale,
    unit: clipped(unit, MAX_UNIT_BYTES),
    writable: command !== undefined,
    totalIncreasing,
    diagnostic,
    readable: channel.readable,
    ...(command !== undefined && { control: command.kind, ...(command.step !== undefined && { step: command.step }) }),
    ...pick('options', command?.options ?? (channel.closed === true ? options : undefined)),
    ...pick('range', command?.range ?? range),
    ...pick('precision', precision),
  };
}

function pick<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: V });
}

function toDeclaration(channel: DeviceChannel): ChannelDeclaration {
  const { number, type, class: kind, scale, writable, totalIncreasing, diagnostic, name, unit } = channel;
  return { number, type: type ?? 'f64', class: kind, scale, writable, totalIncreasing, diagnostic, name, unit };
}

/** At most so many bytes of UTF-8, cut between characters. */
function clipped(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  let out = '';
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) return out;
    out += character;
  }
  return out;
}
