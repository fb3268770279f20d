/**
 * From a channel to an entity of Home Assistant (pure).
 *
 * ```
 *   bool                     binary_sensor      writable: switch
 *   number                   sensor             writable: number
 *   text                     sensor             writable: text
 *   text that is one of few  sensor (enum)      writable: select
 *   a command without value                               button
 * ```
 *
 * The state of all channels of a device is one JSON message, so an entity's template takes out its own key. A key that
 * is missing, and null, which stands for a fault, both become `None`: Home Assistant shows "unknown".
 */
import type { ValueType } from '../../protocol/index.ts';
import type { DeviceChannel } from '../devices/device.ts';
import { BINARY_CLASSES, sensorClass, stateClass, SWITCH_CLASSES } from './device-classes.ts';

/** One member of `components` in a discovery message. Keys are Home Assistant's. */
export type Component = Readonly<Record<string, unknown>> & { readonly platform: string };

/** Where an entity belongs. */
export interface EntityPlace {
  /** `bytes2mqtt_<device id>`: what unique ids begin with. */
  readonly nodeId: string;
  /** The device's alias, for entity ids that people can read. */
  readonly alias: string;
  /** Topic to which a value for this channel is written. */
  readonly commandTopic: (channel: string) => string;
}

/** Home Assistant takes no smaller one. */
const MIN_STEP = 0.001;
const MAX_TEXT = 255;
/** More than this is typed rather than dragged. */
const SLIDER_STEPS = 200;

const INTEGERS: Readonly<Partial<Record<ValueType, readonly [number, number]>>> = {
  u8: [0, 0xff],
  i8: [-0x80, 0x7f],
  u16: [0, 0xffff],
  i16: [-0x8000, 0x7fff],
  u32: [0, 0xffff_ffff],
  i32: [-0x8000_0000, 0x7fff_ffff],
  u64: [0, Number.MAX_SAFE_INTEGER],
  i64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};
/** What a float may be set to: Home Assistant wants bounds. */
const FLOAT_RANGE = [-1e9, 1e9] as const;

/** The entity of a channel. */
export function entityOf(channel: DeviceChannel, place: EntityPlace): Component {
  const kind = kindOf(channel);
  const platform = platformOf(channel, kind);
  return {
    platform,
    unique_id: `${place.nodeId}_${channel.alias}`,
    default_entity_id: `${platform}.${place.alias}_${channel.alias}`,
    name: channel.name,
    ...(channel.diagnostic && { entity_category: channel.writable ? 'config' : 'diagnostic' }),
    ...(channel.writable && { command_topic: place.commandTopic(channel.alias) }),
    ...detailsOf(channel, kind, platform),
  };
}

type Kind = 'bool' | 'number' | 'text' | 'option' | 'button';

function kindOf({ type, options, control }: DeviceChannel): Kind {
  if (control === 'button') return 'button';
  if (type === 'bool' || control === 'bool') return 'bool';
  if (options !== undefined || control === 'option') return 'option';
  if (type === 'string' || type === 'bytes' || control === 'text') return 'text';
  return 'number';
}

function platformOf({ writable }: DeviceChannel, kind: Kind): string {
  switch (kind) {
    case 'bool':
      return writable ? 'switch' : 'binary_sensor';
    case 'number':
      return writable ? 'number' : 'sensor';
    case 'text':
      return writable ? 'text' : 'sensor';
    case 'option':
      return writable ? 'select' : 'sensor';
    case 'button':
      return 'button';
  }
}

function detailsOf(channel: DeviceChannel, kind: Kind, platform: string): Readonly<Record<string, unknown>> {
  const { alias, readable = true, options = [] } = channel;
  // A channel that never says what it is: Home Assistant then believes what it has set.
  const state = (template: string): object =>
    readable ? { value_template: template } : platform === 'button' ? {} : { optimistic: true };
  switch (kind) {
    case 'bool': {
      const deviceClass = (platform === 'switch' ? SWITCH_CLASSES : BINARY_CLASSES)[channel.class];
      return { ...state(boolTemplate(alias)), ...(deviceClass !== undefined && { device_class: deviceClass }) };
    }
    case 'number':
      return { ...state(plainTemplate(alias)), ...(platform === 'number' ? numberDetails : sensorDetails)(channel) };
    case 'option':
      if (platform === 'select') return { ...state(plainTemplate(alias)), options };
      return { ...state(plainTemplate(alias)), device_class: 'enum', options };
    case 'text':
      if (platform === 'text') return { ...state(plainTemplate(alias)), max: MAX_TEXT };
      return { ...state(plainTemplate(alias)), ...(channel.class === 'timestamp' && { device_class: 'timestamp' }) };
    case 'button':
      return {};
  }
}

function sensorDetails(channel: DeviceChannel): object {
  const { unit, scale, precision, totalIncreasing } = channel;
  const found = sensorClass(channel.class, unit);
  const state = stateClass(found, totalIncreasing);
  const digits = precision ?? (isInteger(channel) && scale < 0 ? -scale : undefined);
  return {
    ...(found !== undefined && { device_class: found.name }),
    ...(unit !== '' && { unit_of_measurement: unit }),
    ...(state !== undefined && { state_class: state }),
    ...(digits !== undefined && { suggested_display_precision: digits }),
  };
}

function numberDetails(channel: DeviceChannel): object {
  const { unit, scale, type, range } = channel;
  const found = sensorClass(channel.class, unit);
  const factor = 10 ** scale;
  const [low, high] = (type && INTEGERS[type]) ?? FLOAT_RANGE;
  // As text and back, for 10 ** -3 × 7 is not 0.007.
  const whole = [rounded(low * factor, scale), rounded(high * factor, scale)] as const;
  const [min, max] = range ?? (whole[0] < whole[1] ? whole : FLOAT_RANGE);
  const step = Math.max(MIN_STEP, channel.step ?? (isInteger(channel) ? factor : MIN_STEP));
  return {
    ...(found !== undefined && found.states !== 'none' && { device_class: found.name }),
    ...(unit !== '' && { unit_of_measurement: unit }),
    min,
    max,
    step,
    mode: (max - min) / step > SLIDER_STEPS ? 'box' : 'slider',
  };
}

function isInteger({ type }: DeviceChannel): boolean {
  return type !== undefined && INTEGERS[type] !== undefined;
}

function rounded(value: number, scale: number): number {
  return scale < 0 ? Number(value.toFixed(Math.min(100, -scale))) : value;
}

/** Aliases are `[a-z0-9_]+`: nothing in them can end the string. */
function plainTemplate(alias: string): string {
  return `{{ value_json['${alias}'] | default(none) }}`;
}

function boolTemplate(alias: string): string {
  return `{% set v = value_json['${alias}'] | default(none) %}{{ none if v is none else ('ON' if v else 'OFF') }}`;
}
