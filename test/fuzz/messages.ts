/** Random messages and schemas of the link protocol, made from its own declarations: a new message is fuzzed by itself. */
import {
  CHANNEL_CLASSES,
  type FieldDeclaration,
  type Message,
  MESSAGES,
  QUALITIES,
  type RawValue,
  type Sample,
  type Schema,
  type Value,
  VALUE_TYPES,
  type ValueType,
} from '../../protocol/index.ts';
import type { Random } from '../../device-sim/random.ts';
import { noise, pick } from './target.ts';

const TEXTS = ['', 'a', '温度', '\u0000', '<b>', '../..', '#/+', '__proto__', '\u001b[31m', 'x'.repeat(64)];

export function randomMessage(random: Random): Message {
  const { name, fields } = pick(random, MESSAGES);
  const message: Record<string, unknown> = { type: name };
  for (const field of fields as readonly FieldDeclaration[]) message[field.name] = randomField(random, field);
  if (name === 'SCHEMA' && (message['part'] as number) >= (message['parts'] as number)) message['part'] = 0;
  return message as Message;
}

export function randomSchema(random: Random): Schema {
  const text = (): string => pick(random, TEXTS).slice(0, 20);
  return {
    name: text(),
    model: text(),
    firmware: text(),
    channels: Array.from({ length: random.int(20) }, (_, number) => ({
      number,
      type: pick(random, VALUE_TYPES).name,
      class: pick(random, CHANNEL_CLASSES).name,
      scale: pick(random, [0, -1, 127, -128]),
      writable: random.int(2) === 0,
      totalIncreasing: random.int(2) === 0,
      diagnostic: random.int(2) === 0,
      name: `${text()}c`,
      unit: pick(random, ['', '°C', '%']),
    })),
  };
}

function randomField(random: Random, field: FieldDeclaration): unknown {
  const { type, min = 0 } = field;
  const whole = (most: number): number => {
    const max = Math.min(field.max ?? most, most);
    return pick(random, [min, max, Math.min(max, min + random.int(40)), min + random.int(max - min + 1)]);
  };
  switch (type) {
    case 'u8':
      return whole(0xff);
    case 'u16':
      return whole(0xffff);
    case 'u32':
      return whole(0xffff_ffff);
    case 'u64':
      return pick(random, [0n, 1n, random.u64(), 0xffff_ffff_ffff_ffffn]);
    case 'ms':
      return pick(random, [0, 1, 1_800_000_000_000, Number.MAX_SAFE_INTEGER]);
    case 'str8':
      return pick(random, TEXTS);
    case 'flags8':
    case 'flags16':
      return Object.fromEntries((field.bits ?? []).map(({ name }) => [name, random.int(2) === 0]));
    case 'code8':
      return pick(random, field.codes ?? []).name;
    case 'value':
      return randomValue(random);
    case 'samples':
      return randomSamples(random);
    case 'rest':
      return noise(random, random.int(60));
  }
}

function randomSamples(random: Random): Sample[] {
  return Array.from({ length: 1 + random.int(3) }, () => {
    const timeKind = pick(random, ['now', 'uptime', 'unix'] as const);
    return {
      timeKind,
      time: timeKind === 'now' ? 0 : timeKind === 'uptime' ? random.u32() : pick(random, [0, 1.8e12, 2 ** 53 - 1]),
      values: Array.from({ length: 1 + random.int(4) }, () => randomValue(random)),
    };
  });
}

function randomValue(random: Random): Value {
  const { name } = pick(random, VALUE_TYPES);
  return {
    channel: random.int(256),
    type: name,
    quality: pick(random, QUALITIES).name,
    value: randomRaw(random, name),
  };
}

function randomRaw(random: Random, type: ValueType): RawValue {
  switch (type) {
    case 'bool':
      return random.int(2) === 0;
    case 'string':
      return pick(random, TEXTS);
    case 'bytes':
      return noise(random, random.int(20));
    case 'u64':
      return pick(random, [0n, random.u64(), 0xffff_ffff_ffff_ffffn]);
    case 'i64':
      return BigInt.asIntN(64, random.u64());
    case 'f32':
      return Math.fround(pick(random, [0, 1.5, -1e30, Number.NaN, Number.POSITIVE_INFINITY]));
    case 'f64':
      return pick(random, [0, 0.1, -1e300, Number.NaN, Number.NEGATIVE_INFINITY]);
    default: {
      const bits = Number(type.slice(1));
      const half = type.startsWith('i') ? 2 ** (bits - 1) : 0;
      return pick(random, [0, 2 ** bits - 1, random.int(2 ** bits)]) - half;
    }
  }
}
