/**
 * The discovery messages (pure): one retained message for each device, and one for the gateway itself.
 *
 * ```
 *   <prefix>/device/bytes2mqtt_<device id>/config
 *     device        who it is; via_device: the gateway
 *     origin        who says so
 *     availability  bridge/state and <device>/availability; all of them must be online
 *     components    one entity a channel, by the channel's alias; those of the line to it by keys of their own
 * ```
 *
 * A channel goes by its alias, in unique ids too: it is what topics and JSON go by, and a number may mean something else
 * after the next change of a firmware. The device goes by its id, whatever its alias.
 *
 * Home Assistant removes a component that comes with nothing but its platform, and a device whose message is empty.
 */
import { createHash } from 'node:crypto';
import { printable } from '../../protocol/index.ts';
import type { Device } from '../devices/device.ts';
import type { Topics } from '../mqtt/topics.ts';
import { type Component, entityOf } from './entities.ts';
import { linkEntities } from './link-entities.ts';

/** What the messages need to know of the gateway. */
export interface DiscoveryOptions {
  /** First levels of the discovery topics, e.g. `homeassistant`. */
  readonly prefix: string;
  readonly version: string;
  readonly topics: Topics;
  /** What is known of a device that has a profile; undefined: it has none. */
  readonly profileOf?: (device: Device) => DeviceProfile | undefined;
}

export interface DeviceProfile {
  readonly vendor: string | undefined;
  readonly title: string;
  /** The models that it may be. */
  readonly models: readonly string[];
  /** Whether it has the channel of this number: an earlier form of the profile may have had it, and it has no values any more. */
  readonly uses: (number: number) => boolean;
}

/** As JSON; `components` by a key that is unique within the device. */
export interface DiscoveryMessage {
  readonly device: Readonly<Record<string, unknown>>;
  readonly origin: Readonly<Record<string, unknown>>;
  readonly availability: readonly { readonly topic: string }[];
  readonly availability_mode: 'all';
  readonly components: Readonly<Record<string, Component | { readonly platform: string }>>;
}

const NODE_PREFIX = 'bytes2mqtt_';
const MAX_NAME = 64;
/** `mqtt.base` when nothing else is configured. */
const USUAL_BASE = 'bytes2mqtt';

/**
 * The name of a device in topics and unique ids of discovery: `[a-z0-9_]+`, with the base unless that is the usual one. A
 * device with a profile has its id from its alias, and two gateways on one broker may both have a `meter`.
 */
export function nodeIdOf(base: string, deviceId: string): string {
  return base === USUAL_BASE ? NODE_PREFIX + deviceId : `${NODE_PREFIX}${baseName(base)}_${deviceId}`;
}

/** The gateway's own. Two gateways on one broker have different bases. */
export function bridgeNodeId(base: string): string {
  return `${NODE_PREFIX}bridge_${baseName(base)}`;
}

/** What cannot stand in a topic of discovery is replaced; a hash keeps `a/b` and `a_b` apart. */
function baseName(base: string): string {
  const plain = base.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_');
  if (plain === base) return plain;
  return `${plain}_${createHash('sha256').update(base).digest('hex').slice(0, 6)}`;
}

export function discoveryTopic(prefix: string, nodeId: string): string {
  return `${prefix}/device/${nodeId}/config`;
}

/** The message of a device. */
export function deviceMessage(device: Device, options: DiscoveryOptions): DiscoveryMessage {
  const { topics } = options;
  const { id, alias, schema } = device;
  const nodeId = nodeIdOf(topics.base, id);
  const profile = options.profileOf?.(device);
  const place = {
    nodeId,
    alias,
    stateTopic: topics.state(alias),
    commandTopic: (channel: string) => topics.setChannel(alias, channel),
    linkTopic: topics.link(alias),
    eventTopic: topics.event(alias),
    hasProfile: profile !== undefined,
  };
  const components: Record<string, Component> = {};
  for (const channel of device.channels.values()) {
    if (profile?.uses(channel.number) !== false) components[channel.alias] = entityOf(channel, place);
  }
  Object.assign(components, linkEntities(place));
  return {
    device: {
      identifiers: [nodeId],
      name: nameOf(device),
      ...textOf('manufacturer', profile?.vendor),
      ...textOf('model', profile === undefined ? schema?.model : modelOf(profile)),
      ...textOf('sw_version', schema?.firmware),
      // That of a device with a profile is made up by us.
      ...(profile === undefined && { serial_number: id }),
      via_device: bridgeNodeId(topics.base),
    },
    origin: originOf(options),
    availability: [{ topic: topics.bridgeState }, { topic: topics.availability(alias) }],
    availability_mode: 'all',
    components,
  };
}

/** The message that removes components, by key with their platform, before the one that has them no more. */
export function withoutGone(message: DiscoveryMessage, gone: ReadonlyMap<string, string>): DiscoveryMessage {
  const removed = Array.from(gone, ([key, platform]) => [key, { platform }] as const);
  return { ...message, components: { ...message.components, ...Object.fromEntries(removed) } };
}

/** What somebody has called it, else what it calls itself, with a piece of its id: there may be more of its kind. */
function nameOf({ id, alias, schema }: Device): string {
  if (!alias.startsWith(id)) return alias;
  const own = printable(schema?.name ?? '', MAX_NAME);
  return own === '' ? id : `${own} ${id.slice(-4)}`;
}

function modelOf({ title, models }: DeviceProfile): string {
  return models.length === 1 ? models[0]! : title;
}

/** The components of a message, with their platforms: what has to be removed when a later message has them no more. */
export function platformsOf(message: DiscoveryMessage): Map<string, string> {
  return new Map(Object.entries(message.components).map(([key, { platform }]) => [key, platform]));
}

/** The gateway as a device: is it there, and how is it? */
export function bridgeMessage(options: DiscoveryOptions): DiscoveryMessage {
  const { topics, version } = options;
  const nodeId = bridgeNodeId(topics.base);
  const health = (key: string, name: string, path: string, more: object = {}): [string, Component] => [
    key,
    {
      platform: 'sensor',
      unique_id: `${nodeId}_${key}`,
      default_entity_id: `sensor.${nodeId}_${key}`,
      name,
      entity_category: 'diagnostic',
      state_topic: topics.bridgeHealth,
      value_template: `{{ value_json.${path} | default(none) }}`,
      ...more,
    },
  ];
  const count = { state_class: 'measurement' };
  return {
    device: {
      identifiers: [nodeId],
      name: `bytes2mqtt ${topics.base === USUAL_BASE ? 'gateway' : topics.base}`,
      model: 'bytes2mqtt',
      sw_version: version,
    },
    origin: originOf(options),
    availability: [{ topic: topics.bridgeState }],
    availability_mode: 'all',
    components: Object.fromEntries([
      [
        'connectivity',
        {
          platform: 'binary_sensor',
          unique_id: `${nodeId}_connectivity`,
          default_entity_id: `binary_sensor.${nodeId}_connectivity`,
          name: 'Connection',
          entity_category: 'diagnostic',
          device_class: 'connectivity',
          state_topic: topics.bridgeState,
          payload_on: 'online',
          payload_off: 'offline',
          // The very entity that tells it must not become unavailable with the gateway.
          availability: [],
        },
      ],
      health('devices_online', 'Devices online', 'devices.online', count),
      health('waiting', 'Readings waiting', 'journal.depth', count),
      health('dead_letters', 'Dead letters', 'journal.dead_letters.count', count),
      health('uptime', 'Uptime', 'uptime_s', { device_class: 'duration', unit_of_measurement: 's' }),
      health('memory', 'Memory', 'memory_bytes', {
        device_class: 'data_size',
        unit_of_measurement: 'MiB',
        state_class: 'measurement',
        value_template: '{{ (value_json.memory_bytes / 1048576) | round(1) }}',
      }),
    ]),
  };
}

function originOf({ version }: DiscoveryOptions): Readonly<Record<string, unknown>> {
  return { name: 'bytes2mqtt', sw_version: version };
}

function textOf(key: string, text: string | undefined): Readonly<Record<string, string>> {
  return text === undefined || text === '' ? {} : { [key]: printable(text, MAX_NAME) };
}
