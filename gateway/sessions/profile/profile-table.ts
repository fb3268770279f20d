/**
 * All devices with a profile: finds whose command it is, watches their silence, and tells the lines when the journal has
 * room or has become durable.
 */
import type { Value } from '../../../protocol/index.ts';
import type { SourceConfig } from '../../config/schema.ts';
import type { Device } from '../../devices/device.ts';
import type { Channel } from '../../sources/source.ts';
import type { Timer } from '../../timers.ts';
import type { CommandDone } from '../link/command-queue.ts';
import { type Pausable, PausedCarriers } from '../link/paused-carriers.ts';
import type { Session, SessionHost } from '../session.ts';
import { PeerChannel } from './peer-channel.ts';
import {
  type ProfileContext,
  type ProfileCounters,
  type ProfileCountersView,
  profileCountersView,
} from './profile-context.ts';
import { ProfileDatagrams } from './profile-datagrams.ts';
import type { ProfileDevice } from './profile-device.ts';
import { ProfileSource } from './profile-source.ts';
import { ProfileStream } from './profile-stream.ts';

const CHECK_EVERY_MS = 1_000;

/** Something that has told devices to wait until their readings are safe. */
export interface AwaitsDurable {
  onDurable(durable: number): void;
}

/** What can be said of the line to one device. */
export interface ProfileLineView {
  readonly profile: string;
  readonly peer: string | undefined;
  readonly boot: number;
  readonly round_trip_ms: number | undefined;
  readonly link_quality: ProfileCountersView;
}

export class ProfileTable {
  readonly context: ProfileContext;
  readonly #sources = new Map<string, ProfileSource>();
  readonly #devices = new Map<string, { readonly device: ProfileDevice; readonly source: ProfileSource }>();
  readonly #paused: PausedCarriers;
  readonly #awaiting = new Set<AwaitsDurable>();
  readonly #check: Timer;
  /** The gateway stops: nothing is taken any more. */
  closed = false;

  /** Devices that are named in the configuration are known from now on. */
  constructor(context: ProfileContext, sources: readonly SourceConfig[]) {
    this.context = context;
    this.#paused = new PausedCarriers(context.journal);
    this.#check = context.timers.schedule(Number.POSITIVE_INFINITY, () => this.#checkSilence());
    context.timers.cancel(this.#check);
    for (const config of sources) this.addSource(config);
  }

  /** Does nothing for a source without a profile. */
  addSource(config: SourceConfig): void {
    const { context } = this;
    const { profile: use } = config;
    if (use === undefined) return;
    const source = new ProfileSource(context, config, use, (device) =>
      this.#devices.set(device.device.id, { device, source }),
    );
    if (this.#sources.size === 0) context.timers.reschedule(this.#check, context.now() + CHECK_EVERY_MS);
    this.#sources.set(config.id, source);
    for (const one of use.devices) if (!one.profile.about.identified) source.deviceOf(one, undefined);
    for (const device of source.named()) if (!device.online) context.listener.expected(device);
  }

  /** The channels of the source are closed. Its devices stay known, and may come back with another one. */
  removeSource(sourceId: string): void {
    const source = this.#sources.get(sourceId);
    if (source === undefined) return;
    this.#sources.delete(sourceId);
    if (this.#sources.size === 0) this.context.timers.cancel(this.#check);
    for (const [id, known] of this.#devices) {
      if (known.source !== source) continue;
      known.device.retire();
      this.#devices.delete(id);
    }
  }

  /** The session of a channel of a source that has profiles. */
  createSession(config: SourceConfig, channel: Channel, host: SessionHost): Session {
    const source = this.#sources.get(config.id);
    if (source === undefined) throw new TypeError(`${config.id} has no profile`);
    if (channel.kind === 'stream') return new ProfileStream(channel, host, source, this);
    const { peer } = source.use;
    if (peer === undefined) return new ProfileDatagrams(channel, host, source, this);
    return new ProfileStream(new PeerChannel(channel, peer), host, source, this);
  }

  has(device: Device): boolean {
    return this.#devices.has(device.id);
  }

  get(device: Device): ProfileDevice | undefined {
    return this.#devices.get(device.id)?.device;
  }

  /** Sends a value to a device; `done` is called once. */
  command(device: Device, value: Value, ttlS: number, done: CommandDone): void {
    const known = this.get(device);
    if (known === undefined) done('expired', 'the device is not known any longer');
    else known.command(value, ttlS, done);
  }

  /** The device is not known any longer. */
  forget(device: Device): void {
    const known = this.#devices.get(device.id);
    if (known === undefined) return;
    this.#devices.delete(device.id);
    known.source.forget(known.device);
  }

  /** Whether a line has to stop reading because the way onward is full. */
  mustWait(line: Pausable): boolean {
    return this.closed || this.#paused.mustWait(line);
  }

  /** Answers of this one wait for the journal. */
  awaitDurable(line: AwaitsDurable): void {
    this.#awaiting.add(line);
  }

  /** A line that has ended waits for nothing any more. */
  stopsWaiting(line: Pausable & AwaitsDurable): void {
    this.#paused.forget(line);
    this.#awaiting.delete(line);
  }

  /** The journal has made more durable. */
  onDurable(): void {
    if (this.#awaiting.size === 0) return;
    const lines = [...this.#awaiting];
    this.#awaiting.clear();
    for (const line of lines) line.onDurable(this.context.journal.durable);
  }

  /** The journal has room; also called at the end of each turn. */
  onRoom(): void {
    this.#paused.resume();
  }

  /** Devices are offline from now on; their lines are closed with their channels. */
  close(): void {
    this.closed = true;
    this.context.timers.cancel(this.#check);
    for (const { device } of this.#devices.values())
      if (device.line !== undefined) device.left(device.line, 'shutdown');
  }

  /** The counters of a source as JSON; undefined where there is no profile. */
  viewOf(sourceId: string): ProfileCountersView | undefined {
    const source = this.#sources.get(sourceId);
    return source && profileCountersView(source.counters);
  }

  /** The counters of a source that speaks a profile. */
  countersOf(sourceId: string): ProfileCounters | undefined {
    return this.#sources.get(sourceId)?.counters;
  }

  /** The counters of the source that a device is on. */
  countersOfLine(device: Device): ProfileCounters | undefined {
    return this.#devices.get(device.id)?.source.counters;
  }

  /** What can be said of one device's line. */
  linkQuality(device: Device): ProfileLineView | undefined {
    const known = this.get(device);
    if (known === undefined) return undefined;
    const { profile } = known.use;
    return {
      profile: profile.name,
      peer: known.line?.id,
      boot: known.boot,
      round_trip_ms: known.roundTripMs,
      link_quality: profileCountersView(known.counters),
    };
  }

  #checkSilence(): void {
    const now = this.context.now();
    for (const { device } of this.#devices.values()) device.checkSilence(now);
    for (const source of this.#sources.values()) source.checkSense(now);
    this.context.timers.reschedule(this.#check, now + CHECK_EVERY_MS);
  }
}
