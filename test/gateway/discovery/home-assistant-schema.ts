/**
 * What Home Assistant accepts as a device's discovery message, written down in zod from its documentation and its own
 * schemas (components/mqtt: schemas.py, sensor.py, binary_sensor.py, switch.py, number.py, select.py, text.py, button.py;
 * components/sensor/const.py). Stricter in one thing: keys that it would ignore are errors here.
 */
import { z } from 'zod';
import { BINARY_CLASSES, SENSOR_CLASSES, SWITCH_CLASSES } from '../../../gateway/discovery/device-classes.ts';

/** Neither wildcards nor NUL, and not empty. */
const topic = z.string().regex(/^[^+#\0]{1,65535}$/);
const template = z.string().regex(/\{[{%].*[}%]\}/s);

const availability = z.array(
  z.strictObject({
    topic,
    payload_available: z.string().optional(),
    payload_not_available: z.string().optional(),
    value_template: template.optional(),
  }),
);

const common = {
  unique_id: z.string().min(1),
  default_entity_id: z.string().regex(/^[a-z_]+\.[a-z0-9_]+$/),
  name: z.string().min(1),
  entity_category: z.enum(['config', 'diagnostic']).optional(),
  enabled_by_default: z.boolean().optional(),
  availability: availability.optional(),
  state_topic: topic.optional(),
};
const readable = { value_template: template.optional() };
const writable = { command_topic: topic, optimistic: z.boolean().optional() };
const sensorClasses = [...Object.values(SENSOR_CLASSES).map(({ name }) => name), 'enum', 'data_size'] as const;
const unitsOf = new Map(Object.values(SENSOR_CLASSES).map(({ name, units }) => [name, units]));
const statesOf = new Map(Object.values(SENSOR_CLASSES).map(({ name, states }) => [name, states]));
const ALLOWED_STATES = {
  measurement: ['measurement'],
  total: ['total', 'total_increasing'],
  any: ['measurement', 'total', 'total_increasing'],
  none: [],
} as const;

const sensor = z
  .strictObject({
    platform: z.literal('sensor'),
    ...common,
    ...readable,
    device_class: z.enum(sensorClasses).optional(),
    state_class: z.enum(['measurement', 'total', 'total_increasing']).optional(),
    unit_of_measurement: z.string().min(1).optional(),
    suggested_unit_of_measurement: z.string().min(1).optional(),
    suggested_display_precision: z.int().min(0).optional(),
    options: z.array(z.string()).min(1).optional(),
  })
  .superRefine((entity, context) => {
    const { device_class: kind, unit_of_measurement: unit, state_class: state, options } = entity;
    const fail = (message: string): void => context.addIssue({ code: 'custom', message });
    if ((kind === 'enum') !== (options !== undefined))
      fail('options belong to the class enum, and the other way round');
    if (kind === 'enum' && (unit !== undefined || state !== undefined))
      fail('an enum has neither unit nor state class');
    const units = unitOf(kind);
    if (units !== undefined && !units.includes(unit ?? '')) fail(`${kind} has no unit ${unit}`);
    const states = kind === undefined ? undefined : statesOf.get(kind);
    if (states !== undefined && state !== undefined && !(ALLOWED_STATES[states] as readonly string[]).includes(state))
      fail(`${kind} has no state class ${state}`);
  });

function unitOf(kind: string | undefined): readonly string[] | undefined {
  return kind === undefined ? undefined : unitsOf.get(kind);
}

const binarySensor = z.strictObject({
  platform: z.literal('binary_sensor'),
  ...common,
  ...readable,
  device_class: z.enum(Object.values(BINARY_CLASSES) as [string, ...string[]]).optional(),
  payload_on: z.string().optional(),
  payload_off: z.string().optional(),
});

const switchEntity = z.strictObject({
  platform: z.literal('switch'),
  ...common,
  ...readable,
  ...writable,
  device_class: z.enum(Object.values(SWITCH_CLASSES) as [string, ...string[]]).optional(),
});

const number = z
  .strictObject({
    platform: z.literal('number'),
    ...common,
    ...readable,
    ...writable,
    device_class: z.enum(sensorClasses).optional(),
    unit_of_measurement: z.string().min(1).optional(),
    min: z.number(),
    max: z.number(),
    step: z.number().min(0.001),
    mode: z.enum(['auto', 'box', 'slider']),
  })
  .refine(({ min, max }) => min < max, 'max must be greater than min')
  .refine(({ device_class: kind, unit_of_measurement: unit }) => unitOf(kind)?.includes(unit ?? '') !== false, 'unit');

const select = z.strictObject({
  platform: z.literal('select'),
  ...common,
  ...readable,
  ...writable,
  options: z.array(z.string()),
});

const text = z.strictObject({
  platform: z.literal('text'),
  ...common,
  ...readable,
  ...writable,
  max: z.int().min(0).max(255),
});

const button = z.strictObject({ platform: z.literal('button'), ...common, command_topic: topic });

/** A component that is to be removed. */
const removed = z.strictObject({ platform: z.string().min(1) });

/** The whole message. */
export const deviceDiscovery = z.strictObject({
  device: z.strictObject({
    identifiers: z.array(z.string().min(1)).min(1),
    name: z.string().min(1),
    manufacturer: z.string().optional(),
    model: z.string().optional(),
    sw_version: z.string().optional(),
    hw_version: z.string().optional(),
    serial_number: z.string().optional(),
    via_device: z.string().optional(),
  }),
  origin: z.strictObject({
    name: z.string().min(1),
    sw_version: z.string().optional(),
    support_url: z.url().optional(),
  }),
  availability,
  availability_mode: z.enum(['all', 'any', 'latest']),
  state_topic: topic,
  components: z.record(
    z.string().regex(/^[a-zA-Z0-9_-]+$/),
    z.union([
      removed,
      z.discriminatedUnion('platform', [sensor, binarySensor, switchEntity, number, select, text, button]),
    ]),
  ),
});
