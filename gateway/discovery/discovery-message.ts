/**
 * The discovery messages (pure): one retained message for each device, and one for the gateway itself.
 *
 * ```
 *   <prefix>/device/bytes2mqtt_<device id>/config
 *     device        who it is; via_device: the gateway
 *     origin        who says so
 *     availability  bridge/state and <device>/availability; all of them must be online
 *     components    one entity a channel, by the channel's alias
 * ```
 *
 * Home Assistant removes a component that comes with nothing but its platform, and a device whose message is empty.
 */
import { printable } from '../../protocol/index.ts';
import type { Device } from '../devices/device.ts';
import type { Topics } from '../mqtt/topics.ts';
import { type Component, entityOf } from './entities.ts';

/** What the messages need to know of the gateway. */
export interface DiscoveryOptions {
  /** First levels of the discovery topics, e.g. `homeassistant`. */
  readonly prefix: string;
  readonly version: string;
  readonly topics: Topics;
}

/** As JSON; `components` by a key that is unique within the device. */
export interface DiscoveryMessage {
  readonly device: Readonly<Record<string, unknown>>;
  readonly origin: Readonly<Record<string, unknown>>;
  readonly availability: readonly { readonly topic: string }[];
  readonly availability_mode: 'all';
  readonly state_topic: string;
  readonly components: Readonly<Record<string, Component | { readonly platform: string }>>;
}

const NODE_PREFIX = 'bytes2mqtt_';
const MAX_NAME = 64;

/** The name of a device in topics and unique ids of discovery: `[a-z0-9_]+`. */
export function nodeIdOf(deviceId: string): string {
  return NODE_PREFIX + deviceId;
}

/** The gateway's own. Two gateways on one broker have different bases. */
export function bridgeNodeId(base: string): string {
  return `${NODE_PREFIX}bridge_${base.replaceAll(/[^A-Za-z0-9]/g, '_').toLowerCase()}`;
}

export function discoveryTopic(prefix: string, nodeId: string): string {
  return `${prefix}/device/${nodeId}/config`;
}

/**
 * The message of a device. `gone`: components of an earlier message that are no more, by key, with their platform; told
 * once, so that Home Assistant removes them.
 */
export function deviceMessage(
  device: Device,
  options: DiscoveryOptions,
  gone: ReadonlyMap<string, string> = new Map(),
): DiscoveryMessage {
  const { topics } = options;
  const nodeId = nodeIdOf(device.id);
  const { schema } = device;
  const place = {
    nodeId,
    alias: device.alias,
    commandTopic: (channel: string) => topics.setChannel(device.alias, channel),
  };
  const components: Record<string, Component | { platform: string }> = {};
  for (const [key, platform] of gone) components[key] = { platform };
  for (const channel of device.channels.values()) components[channel.alias] = entityOf(channel, place);
  return {
    device: {
      identifiers: [nodeId],
      name: printable(schema?.name ?? '', MAX_NAME) || device.alias,
      ...textOf('model', schema?.model),
      ...textOf('sw_version', schema?.firmware),
      serial_number: device.id,
      via_device: bridgeNodeId(topics.base),
    },
    origin: originOf(options),
    availability: [{ topic: topics.bridgeState }, { topic: topics.availability(device.alias) }],
    availability_mode: 'all',
    state_topic: topics.state(device.alias),
    components,
  };
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
      value_template: `{{ value_json.${path} | default(none) }}`,
      ...more,
    },
  ];
  const count = { state_class: 'measurement' };
  return {
    device: {
      identifiers: [nodeId],
      name: `bytes2mqtt ${topics.base === 'bytes2mqtt' ? 'gateway' : topics.base}`,
      model: 'bytes2mqtt',
      sw_version: version,
    },
    origin: originOf(options),
    availability: [{ topic: topics.bridgeState }],
    availability_mode: 'all',
    state_topic: topics.bridgeHealth,
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
          availability: [{ topic: topics.bridgeState, payload_not_available: 'never' }],
        },
      ],
      health('devices_online', 'Devices online', 'devices.online', count),
      health('waiting', 'Readings waiting', 'journal.depth', count),
      health('dead_letters', 'Dead letters', 'journal.dead_letters.count', count),
      health('uptime', 'Uptime', 'uptime_s', { device_class: 'duration', unit_of_measurement: 's' }),
      health('memory', 'Memory', 'memory_bytes', {
        device_class: 'data_size',
        unit_of_measurement: 'B',
        suggested_unit_of_measurement: 'MiB',
        suggested_display_precision: 0,
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
