/**
 * What the gateway says about itself and its devices, besides readings.
 *
 * ```
 *   bridge/state         online (retained); the last will says offline
 *   bridge/info          what it is made of (retained), soon after a change
 *   bridge/health        counters (retained), every minute and soon after a change
 *   bridge/event, /log   JSON, rate limited
 *   <device>/availability  online | offline (retained)
 *   <device>/event, /log   JSON, rate limited per device
 * ```
 */
import type { Device } from '../devices/device.ts';
import type { LimitWatch } from '../limits/limit-watch.ts';
import { type Amount, BURST_S, TokenBucket, valueOf } from '../limits/token-bucket.ts';
import type { DeviceEvent } from './device-events.ts';
import type { Topics } from './topics.ts';

/** The part of MqttConnection that is needed to say something. */
export interface ControlPlane {
  /** `keep: false`: a retained message that is not sent again by itself after a connect. */
  publish(topic: string, payload: string, options?: { qos?: 0 | 1; retain?: boolean; keep?: boolean }): void;
  subscribe(filter: string): void;
  unsubscribe(filter: string): void;
}

export interface BridgeOptions {
  readonly connection: ControlPlane;
  readonly topics: Topics;
  readonly devices: () => Iterable<Device>;
  /** JSON of bridge/info; gathered when it is sent. */
  readonly info: () => Readonly<Record<string, unknown>>;
  /** JSON of bridge/health. */
  readonly health: () => Readonly<Record<string, unknown>>;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** LOG messages and events of one device that are passed on, a second. */
  readonly logsPerS: Amount;
  readonly watch: LimitWatch;
  readonly healthIntervalMs?: number;
  /** How long changes are gathered before info and health are sent, default 1,000. */
  readonly settleMs?: number;
}

const ONLINE = 'online';
const OFFLINE = 'offline';
/** Retained messages follow a subscription at once; after this long, what comes is our own. */
const CLEAN_UP_MS = 5_000;

export class Bridge {
  readonly #options: BridgeOptions;
  readonly #logBucket: TokenBucket;
  readonly #eventBucket: TokenBucket;
  readonly #deviceBuckets = new WeakMap<Device, TokenBucket>();
  #healthTimer: NodeJS.Timeout | undefined;
  #infoSoon: NodeJS.Timeout | undefined;
  #healthSoon: NodeJS.Timeout | undefined;
  #cleanUp: NodeJS.Timeout | undefined;
  #limited = 0;

  constructor(options: BridgeOptions) {
    this.#options = options;
    this.#logBucket = new TokenBucket(30, 1, options.now);
    this.#eventBucket = new TokenBucket(200, 50, options.now);
  }

  /** Log lines and events not published because there were too many. */
  get limited(): number {
    return this.#limited;
  }

  start(): void {
    const { connection, topics, healthIntervalMs = 60_000 } = this.#options;
    connection.publish(topics.bridgeState, ONLINE, { retain: true });
    this.#publishInfo();
    this.#publishHealth();
    this.#healthTimer = setInterval(() => this.#publishHealth(), healthIntervalMs);
    this.#healthTimer.unref();
  }

  /** Call it after each connect: looks for devices that an earlier run has left as online. */
  connected(): void {
    const { connection, topics } = this.#options;
    // At once: a broker must not be told in its first message from us that we are not connected to it.
    this.#publishHealth();
    clearTimeout(this.#cleanUp);
    connection.subscribe(topics.allAvailability);
    this.#cleanUp = setTimeout(() => connection.unsubscribe(topics.allAvailability), CLEAN_UP_MS);
    this.#cleanUp.unref();
  }

  /** A retained availability has come: nobody but us may call a device online, and it is not. */
  availabilityFound(alias: string, payload: string, retain: boolean): void {
    if (!retain || payload !== ONLINE) return;
    for (const device of this.#options.devices()) if (device.alias === alias && device.online) return;
    this.#options.connection.publish(this.#options.topics.availability(alias), OFFLINE, { retain: true });
  }

  /** Call it when a device's `online` has changed. */
  availabilityChanged(device: Device): void {
    const { connection, topics } = this.#options;
    connection.publish(topics.availability(device.alias), device.online ? ONLINE : OFFLINE, { retain: true });
    this.healthChanged();
  }

  /** The device is forgotten: its retained messages are removed. */
  deviceRemoved(device: Device): void {
    const { connection, topics } = this.#options;
    connection.publish(topics.availability(device.alias), '', { retain: true });
    connection.publish(topics.state(device.alias), '', { retain: true });
    this.infoChanged();
  }

  /**
   * The device has another alias; `isFree`: nobody is called now as it was. States are not retained, so that availability is
   * all that has to move.
   */
  deviceRenamed(device: Device, before: string, isFree: boolean): void {
    const { connection, topics } = this.#options;
    if (isFree) connection.publish(topics.availability(before), '', { retain: true });
    this.availabilityChanged(device);
    this.infoChanged();
  }

  /** Sources, devices or names have changed: bridge/info follows soon. */
  infoChanged(): void {
    this.#infoSoon ??= setTimeout(() => this.#publishInfo(), this.#options.settleMs ?? 1_000).unref();
  }

  /** Something that somebody may wait for has changed: bridge/health follows soon. */
  healthChanged(): void {
    this.#healthSoon ??= setTimeout(() => this.#publishHealth(), this.#options.settleMs ?? 1_000).unref();
  }

  /** `type` is a word of ours in snake_case, e.g. `device_joined`. */
  event(type: string, data: Readonly<Record<string, unknown>> = {}): void {
    this.#say(this.#eventBucket, this.#options.topics.bridgeEvent, { type, ...data });
  }

  log(level: 'warning' | 'error', message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#say(this.#logBucket, this.#options.topics.bridgeLog, { level, message, ...fields });
  }

  deviceEvent(device: Device, type: DeviceEvent, data: Readonly<Record<string, unknown>> = {}): void {
    this.#say(this.#bucketOf(device), this.#options.topics.event(device.alias), { type, ...data });
  }

  /** A LOG message of the device; its text appears as a JSON value only. */
  deviceLog(device: Device, level: string, message: string): void {
    const said = this.#say(this.#bucketOf(device), this.#options.topics.log(device.alias), { level, message });
    if (!said) this.#options.watch.bite('logs_per_s', device.id, 'a LOG message of the device was not passed on');
  }

  /** Devices are offline when the gateway is. Call it before the connection is closed. */
  close(): void {
    const { connection, topics, devices } = this.#options;
    clearInterval(this.#healthTimer);
    clearTimeout(this.#infoSoon);
    clearTimeout(this.#healthSoon);
    clearTimeout(this.#cleanUp);
    for (const device of devices()) {
      if (device.online) connection.publish(topics.availability(device.alias), OFFLINE, { retain: true });
    }
  }

  // ---------------------------------------------------------------------------------------------------------------

  #publishInfo(): void {
    clearTimeout(this.#infoSoon);
    this.#infoSoon = undefined;
    const { connection, topics, info } = this.#options;
    connection.publish(topics.bridgeInfo, JSON.stringify(info()), { retain: true });
  }

  #publishHealth(): void {
    clearTimeout(this.#healthSoon);
    this.#healthSoon = undefined;
    const { connection, topics, health, now } = this.#options;
    connection.publish(topics.bridgeHealth, JSON.stringify({ ...health(), ts: now() }), { retain: true });
  }

  #say(bucket: TokenBucket, topic: string, data: Readonly<Record<string, unknown>>): boolean {
    if (!bucket.take()) {
      this.#limited++;
      return false;
    }
    this.#options.connection.publish(topic, JSON.stringify({ ...data, ts: this.#options.now() }));
    return true;
  }

  #bucketOf(device: Device): TokenBucket {
    let bucket = this.#deviceBuckets.get(device);
    if (bucket === undefined) {
      const { logsPerS, now } = this.#options;
      bucket = new TokenBucket(() => Math.max(1, valueOf(logsPerS) * BURST_S), logsPerS, now);
      this.#deviceBuckets.set(device, bucket);
    }
    return bucket;
  }
}
