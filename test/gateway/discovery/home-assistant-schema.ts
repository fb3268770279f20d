/**
 * What Home Assistant accepts as a device's discovery message, written down in zod from its own schemas (components/mqtt:
 * schemas.py, sensor.py, binary_sensor.py, switch.py, number.py, select.py, text.py, button.py, event.py). Stricter in
 * some things: keys that it would ignore are errors here, and so is what it only warns of.
 */
import { z } from 'zod';
import { BINARY, stateClassesOf, SWITCH, UNITS } from './home-assistant-tables.ts';

/** Neither wildcards nor NUL, and not empty. */
const topic = z.string().regex(/^[^+#\0]{1,65535}$/);
/**
 * Each template that the gateway has. Only `[a-z0-9_]` comes from outside, and only where it can end nothing.
 */
const template = z.union([
  z.string().regex(/^\{\{ value_json\['[a-z0-9_]{1,32}'\] \| default\(none\) \}\}$/),
  z.string().regex(/^\{\{ \(value_json\['[a-z0-9_]{1,32}'\] \| default\(none\) \| string\)\[:255\] \}\}$/),
  z
    .string()
    .regex(
      /^\{% set v = value_json\['[a-z0-9_]{1,32}'\] \| default\(none\) %\}\{\{ (none if v is none else \('ON' if v else 'OFF'\)|v \+ 0 if v is number else none) \}\}$/,
    ),
  z.string().regex(/^\{\{ value_json(\.[a-z_]+)+ \| default\(none\) \}\}$/),
  z.literal('{{ (value_json.memory_bytes / 1048576) | round(1) }}'),
  z.literal('{{ (value_json.last_seen / 1000) | timestamp_utc }}'),
  z.literal("{{ dict(value_json, event_type=value_json['type']) | tojson }}"),
]);

const availability = z.array(
  z.strictObject({
    topic,
    payload_available: z.string().optional(),
    payload_not_available: z.string().optional(),
    value_template: template.optional(),
  }),
);

const common = {
  unique_id: z.string().regex(/^[a-z0-9_-]+$/),
  default_entity_id: z.string(),
  // Without one it takes the device's name, with a long one it is hard to read.
  name: z.string().min(1).max(64),
  entity_category: z.enum(['config', 'diagnostic']).optional(),
  enabled_by_default: z.boolean().optional(),
  availability: availability.optional(),
};
const readable = { state_topic: topic, value_template: template.optional() };
const writable = {
  command_topic: topic,
  state_topic: topic.optional(),
  value_template: template.optional(),
  optimistic: z.boolean().optional(),
};
const deviceClass = z.enum(Object.keys(UNITS) as [string, ...string[]]);

const sensor = z
  .strictObject({
    platform: z.literal('sensor'),
    ...common,
    ...readable,
    entity_category: z.literal('diagnostic').optional(),
    device_class: z.union([deviceClass, z.literal('enum')]).optional(),
    state_class: z.enum(['measurement', 'total', 'total_increasing']).optional(),
    unit_of_measurement: z.string().min(1).optional(),
    suggested_display_precision: z.int().min(0).optional(),
    options: z.array(z.string().min(1)).min(1).optional(),
  })
  .superRefine((entity, context) => {
    const { device_class: kind, unit_of_measurement: unit, state_class: state, options } = entity;
    const fail = (message: string): void => context.addIssue({ code: 'custom', message });
    if ((kind === 'enum') !== (options !== undefined))
      fail('options belong to the class enum, and the other way round');
    if (kind === 'enum' && (unit !== undefined || state !== undefined))
      fail('an enum has neither unit nor state class');
    if (!fits(kind, unit)) fail(`${kind} has no unit ${unit}`);
    if (state !== undefined && !stateClassesOf(kind).includes(state)) fail(`${kind} has no state class ${state}`);
  });

function fits(kind: string | undefined, unit = ''): boolean {
  return kind === undefined || UNITS[kind]?.includes(unit) !== false;
}

const binarySensor = z.strictObject({
  platform: z.literal('binary_sensor'),
  ...common,
  ...readable,
  entity_category: z.literal('diagnostic').optional(),
  device_class: z.enum(BINARY as [string, ...string[]]).optional(),
  payload_on: z.string().optional(),
  payload_off: z.string().optional(),
});

const switchEntity = z.strictObject({
  platform: z.literal('switch'),
  ...common,
  ...writable,
  device_class: z.enum(SWITCH as [string, ...string[]]).optional(),
});

const number = z
  .strictObject({
    platform: z.literal('number'),
    ...common,
    ...writable,
    device_class: deviceClass.exclude(['timestamp']).optional(),
    unit_of_measurement: z.string().min(1).optional(),
    min: z.number(),
    max: z.number(),
    step: z.number().min(0.001),
    mode: z.enum(['auto', 'box', 'slider']),
  })
  .refine(({ min, max }) => min < max, 'max must be greater than min')
  .refine(({ device_class: kind, unit_of_measurement: unit }) => fits(kind, unit), 'unit');

const select = z.strictObject({
  platform: z.literal('select'),
  ...common,
  ...writable,
  options: z.array(z.string().min(1)).min(1),
});

const text = z.strictObject({
  platform: z.literal('text'),
  ...common,
  ...writable,
  max: z.int().min(0).max(255),
});

const button = z.strictObject({ platform: z.literal('button'), ...common, command_topic: topic });

const event = z.strictObject({
  platform: z.literal('event'),
  ...common,
  ...readable,
  event_types: z.array(z.string().min(1)).min(1),
});

const entity = z
  .discriminatedUnion('platform', [sensor, binarySensor, switchEntity, number, select, text, button, event])
  .superRefine((component, context) => {
    const { platform, default_entity_id: id } = component;
    const fail = (message: string): void => context.addIssue({ code: 'custom', message });
    if (!new RegExp(`^${platform}\\.[a-z0-9_]+$`).test(id)) fail(`${id} is no id of a ${platform}`);
    if (!('command_topic' in component) || !('state_topic' in component || 'optimistic' in component)) return;
    // With a state topic and without a template it would take the whole JSON for its state.
    if ('state_topic' in component !== 'value_template' in component) fail('state topic and template go together');
    if ('state_topic' in component === 'optimistic' in component) fail('optimistic is who has no state');
  });

/** A component that is to be removed. */
const removed = z.strictObject({ platform: z.string().min(1) });

/** The whole message. */
export const deviceDiscovery = z
  .strictObject({
    device: z.strictObject({
      identifiers: z.array(z.string().min(1)).min(1),
      name: z.string().min(1),
      manufacturer: z.string().min(1).optional(),
      model: z.string().min(1).optional(),
      sw_version: z.string().min(1).optional(),
      hw_version: z.string().min(1).optional(),
      serial_number: z.string().min(1).optional(),
      via_device: z.string().min(1).optional(),
    }),
    origin: z.strictObject({
      name: z.string().min(1),
      sw_version: z.string().optional(),
      support_url: z.url().optional(),
    }),
    availability: availability.min(1),
    availability_mode: z.enum(['all', 'any', 'latest']),
    components: z.record(z.string().regex(/^[a-zA-Z0-9_-]+$/), z.union([removed, entity])),
  })
  .refine(({ components }) => {
    const ids = Object.values(components).flatMap((one) => ('unique_id' in one ? [one.unique_id] : []));
    return new Set(ids).size === ids.length;
  }, 'a unique_id comes twice');

export type Entity = z.infer<typeof entity>;
