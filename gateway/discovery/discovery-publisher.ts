/**
 * Keeps Home Assistant's picture of the devices true.
 *
 * ```
 *   channels or name changed  ─→ soon: what is gone, then the device's message, then its state
 *   device forgotten          ─→ an empty message
 *   connected                 ─→ all messages; what an earlier run has left is removed
 *   Home Assistant has started ("online") ─→ all messages, then availability and the last state of each
 * ```
 *
 * Whatever concerns many devices goes out a few a turn of a timer. A device's state follows some time after its message:
 * Home Assistant has to subscribe first.
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
  withoutGone,
} from './discovery-message.ts';
import { parseEarlier } from './earlier-message.ts';
import { Turns } from './turns.ts';

export interface DiscoveryPublisherOptions extends DiscoveryOptions {
  readonly connection: ControlPlane;
  /** Where Home Assistant says that it has started. */
  readonly statusTopic: string;
  readonly devices: () => Iterable<Device>;
  /** Publishes availability and the last state of a device again. */
  readonly restate: (device: Device) => void;
  /**
   * Whether devices are still known after a restart of the gateway. If not, what is there of a device that is unknown
   * stays there: it may come back any time.
   */
  readonly remembers: boolean;
  /** How long changes are gathered, default 1,000. */
  readonly settleMs?: number;
}

/** Between a device's message and its state. */
const STATE_AFTER_MS = 2_000;
/** Between the removal of components and the message without them: Home Assistant takes one after the other. */
const REMOVAL_MS = 1_000;
/** Retained messages follow a subscription at once; after this long, what comes is our own. */
const CLEAN_UP_MS = 5_000;
/** Earlier messages of devices that are not known yet, at the most. */
const MAX_EARLIER = 1_000;

export class DiscoveryPublisher {
  readonly #options: DiscoveryPublisherOptions;
  /** What was told of each device last: components by key, with their platform. */
  readonly #told = new WeakMap<Device, Map<string, string>>();
  /** `channelsVersion` of what was told. */
  readonly #versions = new WeakMap<Device, number>();
  /** What an earlier run has told of devices that are not known yet, by node id. */
  readonly #earlier = new Map<string, Map<string, string>>();
  readonly #due = new Turns((device) => this.#announce(device));
  readonly #stateDue: Turns;
  /** Devices whose state is to follow their message. */
  readonly #withState = new Set<Device>();
  #connected = false;
  #cleanUp: NodeJS.Timeout | undefined;
  readonly #allConfigs: string;

  constructor(options: DiscoveryPublisherOptions) {
    this.#options = options;
    this.#stateDue = new Turns((device) => options.restate(device));
    this.#allConfigs = discoveryTopic(options.prefix, '+');
    options.connection.subscribe(options.statusTopic);
  }

  /** Call it after each connect. */
  connected(): void {
    const { connection } = this.#options;
    this.#connected = true;
    clearTimeout(this.#cleanUp);
    connection.subscribe(this.#allConfigs);
    this.#cleanUp = setTimeout(() => connection.unsubscribe(this.#allConfigs), CLEAN_UP_MS).unref();
    this.#all(false);
  }

  /** Nothing can be told; with the next connection everything is. */
  disconnected(): void {
    this.#connected = false;
    this.#due.clear();
    this.#stateDue.clear();
  }

  /** Call it when a device may have other channels. */
  deviceChanged(device: Device): void {
    if (this.#versions.get(device) !== device.channelsVersion) this.#add(device, true);
  }

  /** The device has another alias, and so other topics. */
  deviceRenamed(device: Device): void {
    this.#add(device, true);
  }

  /** The device is not known any longer. */
  deviceRemoved(device: Device): void {
    this.#due.delete(device);
    this.#stateDue.delete(device);
    this.#withState.delete(device);
    this.#remove(this.#nodeId(device));
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
    this.disconnected();
    clearTimeout(this.#cleanUp);
  }

  // ---------------------------------------------------------------------------------------------------------------

  #all(withState: boolean): void {
    const { connection, prefix, topics } = this.#options;
    const bridge = JSON.stringify(bridgeMessage(this.#options));
    connection.publish(discoveryTopic(prefix, bridgeNodeId(topics.base)), bridge, { qos: 1, retain: true });
    for (const device of this.#options.devices()) this.#add(device, withState);
  }

  #add(device: Device, withState: boolean): void {
    if (withState) this.#withState.add(device);
    if (this.#connected) this.#due.add(device, this.#options.settleMs ?? 1_000);
  }

  #announce(device: Device): void {
    // A device whose channels are not known yet is not announced.
    if (device.channels.size === 0) return;
    const nodeId = this.#nodeId(device);
    const message = deviceMessage(device, this.#options);
    const platforms = platformsOf(message);
    const told = this.#told.get(device) ?? this.#earlier.get(nodeId) ?? new Map<string, string>();
    this.#earlier.delete(nodeId);
    this.#told.set(device, platforms);
    const gone = new Map([...told].filter(([key, platform]) => platforms.get(key) !== platform));
    if (gone.size > 0) {
      // Not retained: whoever comes later is told what there is.
      this.#publish(nodeId, withoutGone(message, gone), false);
      this.#due.add(device, REMOVAL_MS);
      return;
    }
    this.#publish(nodeId, message);
    this.#versions.set(device, device.channelsVersion);
    if (this.#withState.delete(device)) this.#stateDue.add(device, STATE_AFTER_MS);
  }

  /** A retained message that was there already, of an earlier run or of another gateway. */
  #found(nodeId: string, payload: Buffer): void {
    const { topics, remembers } = this.#options;
    const bridge = bridgeNodeId(topics.base);
    if (nodeId === bridge) return;
    const earlier = parseEarlier(payload);
    // Another gateway on this broker has devices of its own: ours are those that hang on this bridge.
    if (earlier?.viaDevice !== bridge) return;
    const device = this.#deviceOf(nodeId);
    if (device === undefined) {
      if (remembers) this.#remove(nodeId);
      else if (this.#earlier.size < MAX_EARLIER) this.#earlier.set(nodeId, earlier.platforms);
      return;
    }
    const told = this.#told.get(device);
    this.#told.set(device, new Map([...earlier.platforms, ...(told ?? [])]));
    if (told !== undefined) this.#add(device, false);
  }

  #deviceOf(nodeId: string): Device | undefined {
    for (const device of this.#options.devices()) if (this.#nodeId(device) === nodeId) return device;
    return undefined;
  }

  #nodeId(device: Device): string {
    return nodeIdOf(this.#options.topics.base, device.id);
  }

  #nodeOf(topic: string): string | undefined {
    const [head, tail] = this.#allConfigs.split('+') as [string, string];
    if (!topic.startsWith(head) || !topic.endsWith(tail)) return undefined;
    const nodeId = topic.slice(head.length, topic.length - tail.length);
    return nodeId.includes('/') ? undefined : nodeId;
  }

  /** All devices are told again with each connection, so that nothing has to be kept for the next. */
  #publish(nodeId: string, message: object, retain = true): void {
    const topic = discoveryTopic(this.#options.prefix, nodeId);
    this.#options.connection.publish(topic, JSON.stringify(message), { qos: 1, retain, keep: false });
  }

  #remove(nodeId: string): void {
    this.#options.connection.publish(discoveryTopic(this.#options.prefix, nodeId), '', { qos: 1, retain: true });
  }
}
