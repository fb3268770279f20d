/**
 * Keeps Home Assistant's picture of the devices true.
 *
 * ```
 *   channels changed  ─→ soon: the device's message, with what is gone
 *   device forgotten  ─→ an empty message
 *   connected         ─→ all messages; what an earlier run has left of devices that are no more is removed
 *   Home Assistant says "online" (it was started) ─→ all messages, then availability and the last state of each
 * ```
 *
 * Whatever concerns many devices goes out a few a turn of a timer: a fleet must not fill the connection at once.
 */
import type { Device } from '../devices/device.ts';
import type { ControlPlane } from '../mqtt/bridge.ts';
import {
  bridgeMessage,
  bridgeNodeId,
  deviceMessage,
  type DiscoveryOptions,
  discoveryTopic,
  nodeIdOf,
  platformsOf,
} from './discovery-message.ts';

export interface DiscoveryPublisherOptions extends DiscoveryOptions {
  readonly connection: ControlPlane;
  /** Where Home Assistant says that it has started. */
  readonly statusTopic: string;
  readonly devices: () => Iterable<Device>;
  /** A device whose channels are not known yet is not announced: an entity cannot be renamed by us later. */
  readonly isDescribed?: (device: Device) => boolean;
  /** Publishes availability and the last state of a device again. */
  readonly restate: (device: Device) => void;
  /** How long changes are gathered, default 1,000. */
  readonly settleMs?: number;
}

/** Messages in one go, and the pause until the next. */
const PER_STEP = 10;
const STEP_MS = 200;
/** Retained messages follow a subscription at once; after this long, what comes is our own. */
const CLEAN_UP_MS = 5_000;

export class DiscoveryPublisher {
  readonly #options: DiscoveryPublisherOptions;
  /** What was told of each device last: components by key, with their platform. */
  readonly #told = new WeakMap<Device, Map<string, string>>();
  /** `channelsVersion` of what was told. */
  readonly #versions = new WeakMap<Device, number>();
  /** Devices whose message is due, and whether their state is to follow. */
  readonly #due = new Map<Device, boolean>();
  #soon: NodeJS.Timeout | undefined;
  #cleanUp: NodeJS.Timeout | undefined;
  readonly #allConfigs: string;

  constructor(options: DiscoveryPublisherOptions) {
    this.#options = options;
    this.#allConfigs = discoveryTopic(options.prefix, '+');
    options.connection.subscribe(options.statusTopic);
  }

  /** Call it after each connect. */
  connected(): void {
    const { connection } = this.#options;
    clearTimeout(this.#cleanUp);
    connection.subscribe(this.#allConfigs);
    this.#cleanUp = setTimeout(() => connection.unsubscribe(this.#allConfigs), CLEAN_UP_MS).unref();
    this.#all(false);
  }

  /** Call it when a device may have other channels, or another name. */
  deviceChanged(device: Device): void {
    if (this.#versions.get(device) === device.channelsVersion) return;
    this.#add(device, false);
  }

  /** The device is not known any longer. */
  deviceRemoved(device: Device): void {
    this.#due.delete(device);
    this.#publish(nodeIdOf(device.id), '');
  }

  /** Whether a topic that has come is one of discovery; it is then dealt with. */
  received(topic: string, payload: Buffer, retain: boolean): boolean {
    if (topic === this.#options.statusTopic) {
      // A retained one says nothing about now.
      if (!retain && payload.toString('utf8') === 'online') this.#all(true);
      return true;
    }
    const nodeId = this.#nodeOf(topic);
    if (nodeId === undefined) return false;
    if (retain && payload.length > 0) this.#found(nodeId, payload);
    return true;
  }

  close(): void {
    clearTimeout(this.#soon);
    clearTimeout(this.#cleanUp);
  }

  // ---------------------------------------------------------------------------------------------------------------

  #all(withState: boolean): void {
    const { topics } = this.#options;
    this.#publish(bridgeNodeId(topics.base), JSON.stringify(bridgeMessage(this.#options)));
    for (const device of this.#options.devices()) this.#add(device, withState);
  }

  #add(device: Device, withState: boolean): void {
    this.#due.set(device, withState || this.#due.get(device) === true);
    this.#soon ??= setTimeout(() => this.#step(), this.#options.settleMs ?? 1_000).unref();
  }

  #step(): void {
    this.#soon = undefined;
    let left = PER_STEP;
    for (const [device, withState] of this.#due) {
      if (left-- === 0) break;
      this.#due.delete(device);
      this.#announce(device);
      if (withState) this.#options.restate(device);
    }
    if (this.#due.size > 0) this.#soon = setTimeout(() => this.#step(), STEP_MS).unref();
  }

  #announce(device: Device): void {
    const { isDescribed = hasChannels } = this.#options;
    if (!isDescribed(device)) return;
    const told = this.#told.get(device) ?? new Map<string, string>();
    const now = deviceMessage(device, this.#options);
    const platforms = platformsOf(now);
    const gone = new Map([...told].filter(([key, platform]) => platforms.get(key) !== platform));
    const nodeId = nodeIdOf(device.id);
    // What is retained in the end must not hold components that are only there to be removed.
    if (gone.size > 0) this.#publish(nodeId, JSON.stringify(deviceMessage(device, this.#options, gone)));
    this.#publish(nodeId, JSON.stringify(now));
    this.#told.set(device, platforms);
    this.#versions.set(device, device.channelsVersion);
  }

  /** A retained message that is there already, perhaps of an earlier run. */
  #found(nodeId: string, payload: Buffer): void {
    if (nodeId === bridgeNodeId(this.#options.topics.base)) return;
    for (const device of this.#options.devices()) if (nodeIdOf(device.id) === nodeId) return;
    if (this.#isOurs(payload)) this.#publish(nodeId, '');
  }

  /** Another gateway on this broker has devices of its own: ours are those that hang on this bridge. */
  #isOurs(payload: Buffer): boolean {
    try {
      const message = JSON.parse(payload.toString('utf8')) as { device?: { via_device?: unknown } };
      return message.device?.via_device === bridgeNodeId(this.#options.topics.base);
    } catch {
      return false;
    }
  }

  #nodeOf(topic: string): string | undefined {
    const [head, tail] = this.#allConfigs.split('+') as [string, string];
    if (!topic.startsWith(head) || !topic.endsWith(tail)) return undefined;
    const nodeId = topic.slice(head.length, topic.length - tail.length);
    return nodeId.includes('/') ? undefined : nodeId;
  }

  #publish(nodeId: string, payload: string): void {
    const topic = discoveryTopic(this.#options.prefix, nodeId);
    this.#options.connection.publish(topic, payload, { qos: 1, retain: true });
  }
}

function hasChannels(device: Device): boolean {
  return device.channels.size > 0;
}
