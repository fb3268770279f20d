/**
 * How good the line to a device is, as entities (pure): what `<device>/link` says, and what the device tells of itself on
 * `<device>/event`. All of them are diagnostic; those that change all the time, or say something to few, are there but
 * not enabled until somebody enables them.
 *
 * A channel's alias has no hyphen, so the keys here are none of a channel.
 */
import { DEVICE_EVENTS } from '../mqtt/device-events.ts';
import type { Component } from './entities.ts';

export interface LinkPlace {
  /** What unique ids begin with. */
  readonly nodeId: string;
  readonly alias: string;
  readonly linkTopic: string;
  readonly eventTopic: string;
  /** It speaks a protocol of its own, by a profile; else the link protocol. */
  readonly hasProfile: boolean;
}

interface LinkValue {
  /** Member of the JSON. */
  readonly key: string;
  readonly name: string;
  readonly enabled?: boolean;
  readonly more?: Readonly<Record<string, unknown>>;
}

/** It starts again at 0 with a connection, which is what Home Assistant expects of a total that increases. */
const COUNT = { state_class: 'total_increasing' };

const ANY: readonly LinkValue[] = [
  { key: 'checksum_errors', name: 'Checksum errors', enabled: true, more: COUNT },
  { key: 'skipped_bytes', name: 'Skipped bytes', more: COUNT },
  {
    key: 'round_trip_ms',
    name: 'Round trip',
    more: {
      device_class: 'duration',
      unit_of_measurement: 'ms',
      state_class: 'measurement',
      suggested_display_precision: 0,
    },
  },
  { key: 'online_s', name: 'Online for', more: { device_class: 'duration', unit_of_measurement: 's' } },
];
const OF_LINK: readonly LinkValue[] = [
  { key: 'readings_lost', name: 'Readings lost', enabled: true, more: COUNT },
  { key: 'duplicates', name: 'Repeated readings', more: COUNT },
];
const OF_PROFILE: readonly LinkValue[] = [
  { key: 'timeouts', name: 'Requests without answer', more: COUNT },
  { key: 'frames_rejected', name: 'Frames not understood', more: COUNT },
];

/** The entities, by keys of their own. */
export function linkEntities(place: LinkPlace): Record<string, Component> {
  const { nodeId, alias, linkTopic, eventTopic, hasProfile } = place;
  const entities: Record<string, Component> = {};
  for (const { key, name, enabled = false, more } of [...ANY, ...(hasProfile ? OF_PROFILE : OF_LINK)]) {
    entities[`link-${key}`] = {
      ...common('sensor', `link_${key}`, name),
      state_topic: linkTopic,
      value_template: `{{ value_json['${key}'] | default(none) }}`,
      ...(!enabled && { enabled_by_default: false }),
      ...more,
    };
  }
  entities['link-last_seen'] = {
    ...common('sensor', 'link_last_seen', 'Last seen'),
    state_topic: linkTopic,
    device_class: 'timestamp',
    value_template: '{{ (value_json.last_seen / 1000) | timestamp_utc }}',
    enabled_by_default: false,
  };
  if (!hasProfile) {
    entities['link-event'] = {
      ...common('event', 'event', 'Event'),
      state_topic: eventTopic,
      event_types: DEVICE_EVENTS,
      value_template: "{{ dict(value_json, event_type=value_json['type']) | tojson }}",
    };
  }
  return entities;

  function common(platform: string, id: string, name: string): Component {
    return {
      platform,
      unique_id: `${nodeId}-${id}`,
      default_entity_id: `${platform}.${alias}_${id}`,
      name,
      entity_category: 'diagnostic',
    };
  }
}
