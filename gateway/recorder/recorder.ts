/**
 * What each channel said last, and its last hours: for those who look, never for delivery.
 *
 * ```
 *   journal.append ─→ record() ─┬─→ latest value of each channel
 *                               └─→ history of the channels that are numbers
 * ```
 *
 * Bounded: histories of at most so many channels, the first that come; everything goes with its device.
 */
import type { Value } from '../../protocol/index.ts';
import type { Device } from '../devices/device.ts';
import type { JournalRecord } from '../journal/journal.ts';
import { ChannelHistory } from './channel-history.ts';

/** What a channel said last. */
export interface Latest {
  value: Value;
  /** Unix milliseconds of its sample. */
  at: number;
  /** Unix milliseconds of its arrival. */
  recordedAt: number;
  history: ChannelHistory | undefined;
}

export interface RecorderOptions {
  /** Channels with a history; each takes up to 23 KB. */
  readonly maxHistories: number;
}

export class Recorder {
  readonly #maxHistories: number;
  readonly #devices = new Map<Device, Map<number, Latest>>();
  #histories = 0;
  /** Called with each device that has said something. */
  onRecord: ((device: Device) => void) | undefined;

  constructor({ maxHistories }: RecorderOptions) {
    this.#maxHistories = maxHistories;
  }

  /** Channels with a history. */
  get histories(): number {
    return this.#histories;
  }

  record({ device, samples, receivedAt }: JournalRecord): void {
    let channels = this.#devices.get(device);
    if (channels === undefined) {
      channels = new Map();
      this.#devices.set(device, channels);
    }
    for (const { time, values } of samples) {
      for (const value of values) this.#take(device, channels, value, time, receivedAt);
    }
    this.onRecord?.(device);
  }

  /** By channel number; undefined when the device has said nothing in this run. */
  latest(device: Device): ReadonlyMap<number, Readonly<Latest>> | undefined {
    return this.#devices.get(device);
  }

  /** The device is forgotten. */
  forget(device: Device): void {
    for (const { history } of this.#devices.get(device)?.values() ?? []) if (history !== undefined) this.#histories--;
    this.#devices.delete(device);
  }

  #take(device: Device, channels: Map<number, Latest>, value: Value, time: number, recordedAt: number): void {
    let latest = channels.get(value.channel);
    if (latest === undefined) {
      latest = { value, at: time, recordedAt, history: undefined };
      channels.set(value.channel, latest);
    } else if (time >= latest.at) {
      latest.value = value;
      latest.at = time;
      latest.recordedAt = recordedAt;
    }
    const number = numberOf(value);
    if (number === undefined || value.quality === 'fault') return;
    if (latest.history === undefined) {
      if (this.#histories >= this.#maxHistories) return;
      this.#histories++;
      latest.history = new ChannelHistory();
    }
    const scale = device.channels.get(value.channel)?.scale ?? 0;
    latest.history.add(time, scale === 0 ? number : scale < 0 ? number / 10 ** -scale : number * 10 ** scale);
  }
}

/** A number for plots; yes and no are 1 and 0. */
function numberOf({ value }: Value): number | undefined {
  switch (typeof value) {
    case 'number':
      return value;
    case 'bigint':
      return Number(value);
    case 'boolean':
      return value ? 1 : 0;
    default:
      return undefined;
  }
}
