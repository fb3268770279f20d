/**
 * One device with a profile: its readings on their way into the journal, its presence, its commands.
 *
 * ```
 *   decoded frame ─→ channel numbers, times ─→ journal.append ─→ lsn: replies that promise something wait for it
 *   command ─→ raw value → shown value ─→ the line that it was heard on
 * ```
 */
import { MAX_VALUES, type ProfileInstance, type Sample, type Value } from '../../../protocol/index.ts';
import type { Transport } from '../../devices/device.ts';
import type { RegisteredDevice } from '../../devices/registry.ts';
import type { ProfileDeviceUse } from '../../profiles/profile-use.ts';
import type { CommandDone } from '../link/command-queue.ts';
import type { SessionEnd } from '../link/link-context.ts';
import { mapTimes } from '../link/sample-times.ts';
import { ChannelMap } from './channel-map.ts';
import { createProfileCounters, type ProfileContext, type ProfileCounters } from './profile-context.ts';

/** A frame that was decoded. */
export type DecodedReadings = Extract<ReturnType<ProfileInstance['decode']>, { readonly ok: true }>;

/** Where a device is heard, and how it is reached. */
export interface ProfileLine {
  readonly id: string;
  readonly transport: Transport;
  /** Not read at present, so that silence means nothing. */
  readonly paused: boolean;
  /** Sends a command: `value` in shown units, undefined for a button. `done` is called once. */
  command(
    device: ProfileDevice,
    alias: string,
    value: boolean | number | bigint | string | undefined,
    ttlS: number,
    done: CommandDone,
  ): void;
  /** The device has come up on another connection. */
  replaced(device: ProfileDevice): void;
  /** The device has been silent for too long: what it was told at the start is told again. */
  setUpAgain(device: ProfileDevice): void;
}

const MAX_U32 = 2 ** 32 - 1;
/** A device that does not talk is set up again at most this often. */
const SET_UP_EVERY_MS = 60_000;

export class ProfileDevice {
  readonly device: RegisteredDevice;
  readonly use: ProfileDeviceUse;
  readonly counters: ProfileCounters = createProfileCounters();
  line: ProfileLine | undefined;
  /** From a request to its answer, milliseconds. */
  roundTripMs: number | undefined;
  readonly #context: ProfileContext;
  readonly #map: ChannelMap;
  readonly #timeoutMs: number;
  readonly boot: number;
  #seq = 0;
  /** The journal knows of this boot. */
  #noted = false;
  #heardAt: number;
  #setUpAt = 0;
  /** When a message was last passed on, by its name; with `every_s` only. */
  readonly #takenAt = new Map<string, number>();

  constructor(context: ProfileContext, device: RegisteredDevice, use: ProfileDeviceUse, timeoutMs: number) {
    this.#context = context;
    this.device = device;
    this.use = use;
    this.#timeoutMs = timeoutMs;
    this.#heardAt = context.now();
    // Later than any before, also where the clock of this machine was set back.
    const seconds = Math.floor(context.wallNow() / 1_000);
    this.boot = Math.min(MAX_U32, Math.max(seconds, (device.restored?.boot ?? 0) + 1));
    this.#map = new ChannelMap(device, use.profile);
  }

  /** It is known to be on this line, though nothing was heard of it yet. */
  expect(line: ProfileLine): void {
    this.line ??= line;
    this.#heardAt = this.#context.now();
  }

  /** Something right has come from it, at `line`. */
  heard(line: ProfileLine): void {
    const { device } = this;
    this.#heardAt = this.#context.now();
    device.lastSeen = this.#context.wallNow();
    device.transport = line.transport;
    const before = this.line;
    this.line = line;
    if (before !== undefined && before !== line) before.replaced(this);
    if (device.online) return;
    device.online = true;
    this.#context.listener.online(device, line.id);
  }

  /** Whether the profile has the channel of this number; of others, only the journal may have readings still. */
  uses(number: number): boolean {
    return this.#map.of(number) !== undefined;
  }

  /** The line is gone. */
  left(line: ProfileLine, why: SessionEnd): void {
    if (this.line !== line) return;
    this.line = undefined;
    this.#offline(why);
  }

  /** Its source is taken away. Whoever takes the device up again begins a boot of its own. */
  retire(): void {
    this.#offline('shutdown');
    const { device, boot } = this;
    const { stored } = this.#map;
    const nextSeq = this.#seq + 1;
    // As after a restart: the channels go by their aliases, which keep their numbers.
    device.declare(stored);
    // Otherwise nothing was said in this boot, and the device was never here.
    if (this.#noted) device.restored = { id: device.id, boot, nextSeq, schema: stored, schemaCrc: 1 };
  }

  /** Looks whether it has been silent for too long. */
  checkSilence(nowMs: number): void {
    if (this.line?.paused === true) this.#heardAt = nowMs;
    if (nowMs - this.#heardAt < this.#timeoutMs) return;
    this.#offline('silent');
    if (nowMs < this.#setUpAt) return;
    this.#setUpAt = nowMs + Math.max(SET_UP_EVERY_MS, this.#timeoutMs);
    this.line?.setUpAgain(this);
  }

  /** Whether a message that came unasked is to be passed over, because `every_s` wants fewer. */
  isTooEarly(message: string): boolean {
    const { everyMs } = this.use;
    if (everyMs === undefined) return false;
    const now = this.#context.now();
    const last = this.#takenAt.get(message);
    if (last !== undefined && now - last < everyMs) return true;
    this.#takenAt.set(message, now);
    return false;
  }

  /**
   * Puts the readings into the journal, which must not be full. Returns the lsn that has to be durable before the device
   * may be told that they are safe; `counters` are those of the source.
   */
  append(decoded: DecodedReadings, counters: ProfileCounters): number {
    const context = this.#context;
    for (const channel of decoded.newChannels) this.#map.learn(channel);
    const samples = this.#translated(decoded.samples, counters);
    if (this.#map.describe()) {
      this.#note();
      this.#context.listener.schema(this.device);
    } else if (!this.#noted) this.#note();
    if (samples.length === 0) return this.device.newestLsn;
    const receivedAt = context.wallNow();
    const wrong = mapTimes(samples, undefined, context.now(), receivedAt);
    counters.badTime += wrong;
    this.counters.badTime += wrong;
    this.#seq++;
    const lsn = context.journal.append({ device: this.device, boot: this.boot, seq: this.#seq, receivedAt, samples });
    if (lsn === undefined) throw new Error('the journal refused a record though it is not full');
    this.device.newestLsn = lsn;
    counters.readings++;
    this.counters.readings++;
    return lsn;
  }

  /** Sends a value to the device; `done` is called once. */
  command({ channel: number, value }: Value, ttlS: number, done: CommandDone): void {
    const channel = this.#map.of(number);
    const command = this.use.profile.commands.find(({ alias }) => alias === channel?.command);
    if (channel === undefined || command === undefined) done('unknown_channel', 'it cannot be set');
    else if (value instanceof Uint8Array) done('bad_value', 'bytes cannot be sent');
    else if (this.line === undefined) done('expired', 'the device cannot be reached');
    else {
      const shown = typeof value === 'number' && channel.scale !== 0 ? Number(`${value}e${channel.scale}`) : value;
      this.line.command(this, command.alias, command.kind === 'button' ? undefined : shown, ttlS, done);
    }
  }

  #offline(why: SessionEnd): void {
    if (!this.device.online) return;
    this.device.online = false;
    this.#context.listener.offline(this.device, why);
  }

  /** With the device's channel numbers, and no sample longer than the journal takes. */
  #translated(samples: readonly Sample[], counters: ProfileCounters): Sample[] {
    const out: Sample[] = [];
    for (const sample of samples) {
      const values = sample.values.filter((value) => this.#map.translate(value));
      const omitted = sample.values.length - values.length;
      counters.omitted += omitted;
      this.counters.omitted += omitted;
      for (let from = 0; from < values.length; from += MAX_VALUES) {
        out.push({ ...sample, values: values.slice(from, from + MAX_VALUES) });
      }
    }
    return out;
  }

  #note(): void {
    this.#noted = true;
    const { id } = this.device;
    const nextSeq = this.#seq + 1;
    this.#context.journal.noteDevice({ id, boot: this.boot, nextSeq, schema: this.#map.stored, schemaCrc: 1 });
  }
}
