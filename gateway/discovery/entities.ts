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
 *
 * The state topic stands at each entity, not once for the device: Home Assistant would give it to those without a state,
 * too, and they would take the whole JSON for their value.
 */
import { printable, type ValueType } from '../../protocol/index.ts';
import type { DeviceChannel } from '../devices/device.ts';
import { BINARY_CLASSES, type SensorClass, sensorClass, stateClass, SWITCH_CLASSES } from './device-classes.ts';

/** One member of `components` in a discovery message. Keys are Home Assistant's. */
export type Component = Readonly<Record<string, unknown>> & { readonly platform: string };

/** Where an entity belongs. */
export interface EntityPlace {
  /** `bytes2mqtt_<device id>`: what unique ids begin with. */
  readonly nodeId: string;
  /** The device's alias, for entity ids that people can read. */
  readonly alias: string;
  /** Where the JSON with the values of all channels comes. */
  readonly stateTopic: string;
  /** Topic to which a value for this channel is written. */
  readonly commandTopic: (channel: string) => string;
}

/** Home Assistant takes no smaller one. */
const MIN_STEP = 0.001;
/** Longer states Home Assistant refuses. */
const MAX_TEXT = 255;
const MAX_NAME = 64;
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
  const { alias, writable, diagnostic } = channel;
  return {
    platform,
    unique_id: `${place.nodeId}_${alias}`,
    default_entity_id: `${platform}.${place.alias}_${alias}`,
    name: printable(channel.name, MAX_NAME) || alias,
    ...(diagnostic && { entity_category: writable ? 'config' : 'diagnostic' }),
    ...(writable && { command_topic: place.commandTopic(alias) }),
    ...stateOf(channel, kind, platform, place),
    ...detailsOf(channel, kind, platform),
  };
}

type Kind = 'bool' | 'number' | 'text' | 'option' | 'button';

function kindOf({ type, options = [], control }: DeviceChannel): Kind {
  if (control === 'button') return 'button';
  if (type === 'bool' || control === 'bool') return 'bool';
  // Home Assistant refuses an empty list.
  if (options.length > 0) return 'option';
  if (type === 'string' || type === 'bytes' || control === 'text' || control === 'option') return 'text';
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

/** Where its state is; nothing for what has none, and Home Assistant then believes what it has set. */
function stateOf(channel: DeviceChannel, kind: Kind, platform: string, { stateTopic }: EntityPlace): object {
  if (platform === 'button') return {};
  const { readable = true, writable } = channel;
  if (!readable && writable) return { optimistic: true };
  return { state_topic: stateTopic, value_template: templateOf(channel, kind) };
}

function detailsOf(channel: DeviceChannel, kind: Kind, platform: string): object {
  const { options = [], class: channelClass } = channel;
  switch (kind) {
    case 'bool': {
      const found = (platform === 'switch' ? SWITCH_CLASSES : BINARY_CLASSES)[channelClass];
      return found === undefined ? {} : { device_class: found };
    }
    case 'number':
      return (platform === 'number' ? numberDetails : sensorDetails)(channel);
    case 'option':
      return platform === 'select' ? { options } : { device_class: 'enum', options };
    case 'text':
      if (platform === 'text') return { max: MAX_TEXT };
      return channelClass === 'timestamp' ? { device_class: 'timestamp' } : {};
    case 'button':
      return {};
  }
}

function sensorDetails(channel: DeviceChannel): object {
  const { unit, scale, precision, totalIncreasing } = channel;
  const found = numericClass(channel);
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
  const found = numericClass(channel);
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

/** A point in time is a text there. */
function numericClass({ class: channelClass, unit }: DeviceChannel): SensorClass | undefined {
  return channelClass === 'timestamp' ? undefined : sensorClass(channelClass, unit);
}

function isInteger({ type }: DeviceChannel): boolean {
  return type !== undefined && INTEGERS[type] !== undefined;
}

function rounded(value: number, scale: number): number {
  return scale < 0 ? Number(value.toFixed(Math.min(100, -scale))) : value;
}

/** Aliases are `[a-z0-9_]+`: nothing in them can end the string. */
function templateOf({ alias, type }: DeviceChannel, kind: Kind): string {
  const value = `value_json['${alias}'] | default(none)`;
  if (kind === 'bool') return `{% set v = ${value} %}{{ none if v is none else ('ON' if v else 'OFF') }}`;
  // Hex has two digits a byte.
  if (type === 'bytes') return `{{ (${value} | string)[:${MAX_TEXT}] }}`;
  // Nobody has declared what it is. A number, most likely; a text would be an error there.
  if (type === undefined && kind === 'number') return `{% set v = ${value} %}{{ v + 0 if v is number else none }}`;
  return `{{ ${value} }}`;
}
