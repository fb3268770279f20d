/**
 * `<device>/link`: how good the line to each device is.
 *
 * ```
 *   {"online_s":3605,"last_seen":1795224951921,"checksum_errors":1,"skipped_bytes":24,…,"ts":1795224952034}
 * ```
 *
 * Of each device that is online and heard: soon after it has come, then at most once a minute, and soon after the first
 * error. All devices are looked at every few seconds, so that nothing has to be done when something happens on a line.
 */
import type { Device } from '../devices/device.ts';
import type { ControlPlane } from './bridge.ts';
import type { Topics } from './topics.ts';

/** What is known of a line: counts, and milliseconds. */
export type LineFigures = Readonly<Record<string, number | undefined>>;

export interface LinkReportsOptions {
  readonly connection: Pick<ControlPlane, 'publish'>;
  readonly topics: Topics;
  readonly devices: () => Iterable<Device>;
  readonly figures: (device: Device) => LineFigures;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly monotonicNow: () => number;
}

interface Told {
  /** When it has come online, monotonic ms. */
  readonly since: number;
  /** When it was told last, monotonic ms; undefined: not yet. */
  at: number | undefined;
  /** `lastSeen` of then. */
  seen: number | undefined;
  errors: number;
}

const LOOK_EVERY_MS = 5_000;
const EVERY_MS = 60_000;
/** Messages in one go; with more devices the others follow at the next look. */
const MAX_PER_LOOK = 200;
/** Whatever should not happen on a line. */
const ERRORS = ['checksum_errors', 'skipped_bytes', 'readings_lost', 'timeouts', 'frames_rejected'];

export class LinkReports {
  readonly #options: LinkReportsOptions;
  /** Devices that are online. */
  readonly #told = new WeakMap<Device, Told>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LinkReportsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = this.#options.monotonicNow();
    let left = MAX_PER_LOOK;
    for (const device of this.#options.devices()) {
      if (!device.online) {
        this.#told.delete(device);
        continue;
      }
      const told = this.#told.get(device) ?? { since: now, at: undefined, seen: undefined, errors: 0 };
      this.#told.set(device, told);
      if (left === 0) continue;
      const figures = this.#options.figures(device);
      const errors = ERRORS.reduce((sum, name) => sum + (figures[name] ?? 0), 0);
      if (!isDue(told, device, errors, now)) continue;
      left--;
      told.at = now;
      told.seen = device.lastSeen;
      told.errors = errors;
      this.#tell(device, figures, now - told.since);
    }
  }

  #tell(device: Device, figures: LineFigures, onlineMs: number): void {
    const { connection, topics, now } = this.#options;
    const json = {
      online_s: Math.round(onlineMs / 1_000),
      last_seen: device.lastSeen,
      ...figures,
      ts: now(),
    };
    connection.publish(topics.link(device.alias), JSON.stringify(json));
  }
}

function isDue({ at, seen, errors: before }: Told, device: Device, errors: number, now: number): boolean {
  if (at === undefined) return device.lastSeen !== undefined;
  if (before === 0 && errors > 0) return true;
  return now - at >= EVERY_MS && device.lastSeen !== seen;
}
