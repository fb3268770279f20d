/** One configured source with profiles: which device a frame is of, and what is counted there. */
import type { Profile } from '../../../protocol/index.ts';
import type { SourceConfig } from '../../config/schema.ts';
import type { RegisteredDevice } from '../../devices/registry.ts';
import { identityAlias, profileDeviceId } from '../../devices/profile-device-id.ts';
import { isDeviceAlias } from '../../mqtt/topics.ts';
import type { ProfileDeviceUse, ProfileUse } from '../../profiles/profile-use.ts';
import { count } from '../link/link-context.ts';
import { createProfileCounters, type ProfileContext, type ProfileCounters } from './profile-context.ts';
import { ProfileDevice } from './profile-device.ts';
import { UnfittingBytes } from './unfitting-bytes.ts';

/** Devices that may name themselves on one source. */
const MAX_IDENTITIES = 1_024;
/** Longer ones are no identity. */
const MAX_IDENTITY_LENGTH = 64;
const MIN_TIMEOUT_MS = 30_000;
const STREAM_TIMEOUT_MS = 60_000;
/** Who comes to us by himself may come seldom. */
const VISITOR_TIMEOUT_MS = 900_000;

export class ProfileSource {
  readonly config: SourceConfig;
  readonly use: ProfileUse;
  readonly counters: ProfileCounters = createProfileCounters();
  readonly unfitting = new UnfittingBytes();
  readonly #context: ProfileContext;
  readonly #devices = new Map<string, ProfileDevice>();
  readonly #add: (device: ProfileDevice) => void;

  /** `add` is told of every device, once. Those that do not name themselves are known from the start. */
  constructor(context: ProfileContext, config: SourceConfig, use: ProfileUse, add: (device: ProfileDevice) => void) {
    this.#context = context;
    this.config = config;
    this.use = use;
    this.#add = add;
  }

  /** How long a device may be silent. */
  timeoutOf(use: ProfileDeviceUse): number {
    const stated = use.timeoutMs ?? use.profile.about.timeoutMs;
    if (stated !== undefined) return stated;
    // Without a word of its own nothing can be missed.
    if (isMute(use.profile)) return Number.POSITIVE_INFINITY;
    const polls = use.profile.open(use.parameters).polls.map(({ everyMs }) => use.everyMs ?? everyMs);
    if (polls.length > 0) return Math.max(MIN_TIMEOUT_MS, 3 * Math.min(...polls));
    const silence = isVisited(this.config) ? VISITOR_TIMEOUT_MS : STREAM_TIMEOUT_MS;
    return Math.max(silence, 3 * (use.everyMs ?? 0));
  }

  /**
   * The device that a frame is of; undefined: nothing is taken from it, which is counted.
   * @param identity what the frame says of it
   */
  deviceOf(use: ProfileDeviceUse, identity: string | undefined): ProfileDevice | undefined {
    const alias = identity === undefined ? use.alias : this.#aliasOf(use, identity);
    if (alias === undefined) return undefined;
    const known = this.#devices.get(alias);
    if (known !== undefined) return known;
    const id = profileDeviceId(alias);
    const registered = this.#devices.size < MAX_IDENTITIES ? this.#context.registry.obtain(id, alias) : undefined;
    if (registered === undefined) {
      count(this.counters.rejected, 'too-many-devices');
      this.#context.watch.bite('devices', this.config.id, 'a device was not taken');
      return undefined;
    }
    const device = new ProfileDevice(this.#context, registered, use, this.timeoutOf(use));
    this.#devices.set(alias, device);
    this.#add(device);
    return device;
  }

  /** The devices that the configuration calls by a name. */
  *named(): Iterable<RegisteredDevice> {
    const own = this.use.devices.filter(({ profile }) => profile.about.identified !== true).map(({ alias }) => alias);
    for (const alias of [...own, ...this.use.names.values()]) {
      const device = this.#context.registry.get(profileDeviceId(alias));
      if (device !== undefined) yield device;
    }
  }

  /** Looks whether bytes come of which none is a frame. */
  checkSense(nowMs: number): void {
    const { config, use } = this;
    // What is not read on for want of room may be a frame.
    if (this.#context.journal.full) return;
    const found = this.unfitting.due(nowMs);
    if (found === undefined) return;
    const profiles = [...new Set(use.devices.map(({ profile }) => profile.name))].join(' or ');
    const guess = isVisited(config) ? 'another device, or a wrong profile' : 'a wrong baud rate, parity or profile';
    this.#context.log.warn(
      `no-frame ${config.id}`,
      { source: config.id, profile: profiles, ...found },
      `${config.id}: ${found.bytes} bytes have come in ${found.seconds} s, and none of them is a frame of ${profiles}: ${guess}? "bytes2mqtt lab" may tell`,
    );
  }

  /** The device is not known any longer. */
  forget(device: ProfileDevice): void {
    for (const [alias, known] of this.#devices) if (known === device) this.#devices.delete(alias);
  }

  #aliasOf(use: ProfileDeviceUse, identity: string): string | undefined {
    const named = this.use.names.get(identity);
    if (named !== undefined) return named;
    if (this.use.onlyNamed) {
      count(this.counters.rejected, 'not-named');
      this.#context.log.warn(
        `not-named ${this.config.id}`,
        { source: this.config.id },
        `${this.config.id}: a device that is not in names was not taken`,
      );
      return undefined;
    }
    if (identity.length > MAX_IDENTITY_LENGTH) {
      count(this.counters.rejected, 'bad-identity');
      return undefined;
    }
    const alias = identityAlias(use.alias, identity);
    return isDeviceAlias(alias) ? alias : undefined;
  }
}

/** Whether devices come to us, rather than we to them. */
export function isVisited(config: SourceConfig): boolean {
  return config.kind === 'tcp' || config.kind === 'udp' || config.kind === 'unix';
}

/** Whether devices of this kind say nothing at all, and are only told things. */
export function isMute(profile: Profile): boolean {
  const isSpoken = profile.messages.some(({ direction }) => direction === 'up');
  return profile.messages.length > 0 && !isSpoken && !profile.channels.some(({ readable }) => readable);
}
