/**
 * The profile language, version 1, as a schema: what keys there are and what may stand behind them. What they mean
 * together (a field that lies beyond its frame, a name that does not exist) is judged where it is compiled.
 */
import { z } from 'zod';
import { CHANNEL_CLASSES } from '../link/value.ts';
import type { ChannelClass } from '../link/value.ts';
import { checksum, framing, order } from './schema-framing.ts';
import type { ProfileFile, RegisterSpec } from './spec.ts';
import {
  alias,
  bool,
  byte,
  bytes,
  expression,
  int,
  listOf,
  num,
  offset,
  oneOf,
  seconds,
  text,
  word,
} from './schema-leaves.ts';

const INTEGER_TYPES = [
  'u8',
  'u16',
  'u24',
  'u32',
  'u40',
  'u48',
  'u56',
  'u64',
  'i8',
  'i16',
  'i24',
  'i32',
  'i40',
  'i48',
  'i56',
  'i64',
] as const;
const FIELD_TYPES = [...INTEGER_TYPES, 'f32', 'f64', 'bool', 'bcd', 'ascii', 'hex', 'number', 'hexnumber'] as const;
const TABLES = ['input', 'holding', 'coil', 'discrete'] as const;

/** A whole number that the frame itself holds: value × times / divisor + plus. */
const measure = z.strictObject({
  at: offset.describe('Where it stands.'),
  type: oneOf(INTEGER_TYPES).default('u8').describe('Its type.'),
  order: order.optional(),
  times: int(1, 65_536).prefault(1).describe('Factor.'),
  divisor: int(1, 65_536).prefault(1).describe('Divisor, rounded down.'),
  plus: int(-65_536, 65_536).default(0).describe('Added at the end.'),
});

const size = z
  .union([int(1, 1_024), z.literal('end'), measure])
  .describe(
    'How many bytes; or the place in the frame that says it; or `end`: up to the end (before checksum and tail).',
  );

const span = z
  .tuple([num(), num()])
  .refine(([least, most]) => least <= most, 'must be the least and then the greatest, such as [0, 100]');

const CHANNEL = {
  title: text(64).optional().describe('For people; default: made from the name.'),
  unit: text(16).optional().describe('Unit as Home Assistant writes it: °C, %, µg/m³, W, kWh …'),
  class: oneOf(CHANNEL_CLASSES.map(({ name }) => name) as unknown as readonly [ChannelClass, ...ChannelClass[]])
    .optional()
    .describe('What it is: a device class of Home Assistant.'),
  precision: int(0, 12).optional().describe('Decimals worth showing; a computed value is rounded to them.'),
  diagnostic: bool.default(false).describe('About the device rather than its surroundings.'),
  total_increasing: bool.default(false).describe('A meter: only grows.'),
  range: span
    .optional()
    .describe(
      'The least and the greatest plausible value; outside, the quality is out_of_range. Also what the simulator makes up.',
    ),
};

const CONVERT = {
  type: oneOf(FIELD_TYPES).optional().describe('Type of the bytes; number and hexnumber are digits as text.'),
  size: size.optional(),
  digits: int(1, 18).optional().describe('With type bcd: how many digits, when not two a byte.'),
  order: order.optional(),
  signed: bool.optional().describe('With type bcd: the highest bit is the sign.'),
  scale: num().optional().describe('value = raw × scale + offset, in exact decimals.'),
  divisor: num().optional().describe('value = raw / divisor + offset.'),
  offset: num().optional().describe('Added to the scaled value.'),
  bit: int(0, 63).optional().describe('One bit as true or false; 0 is the lowest.'),
  bits: z
    .string()
    .regex(/^\d{1,2}\s*\.\.\s*\d{1,2}$/, 'must be two bit numbers, such as 9..15')
    .optional()
    .describe('Some bits as a number: lowest..highest, such as 9..15.'),
  mask: int(0, 0xffff_ffff).optional().describe('Which bits count; the rest is shifted out to the right.'),
  shift: int(0, 31).optional().describe('With mask: how far to shift, when not by the zeros at its end.'),
  names: z
    .record(z.string(), word(64))
    .optional()
    .describe('Number → text; `other` for all the rest (default: the number as text).'),
  flags: z
    .union([z.array(word(64)).min(1).max(64), z.record(z.string(), word(64))])
    .optional()
    .describe('Names of the bits from bit 0 on, or bit → name; the value is the names of those set, comma separated.'),
  none: listOf(num(), 16).optional().describe('This raw value, or one of these, means: no reading.'),
};

const repeat = z.strictObject({
  count: z
    .union([int(1, 255), z.literal('until_end'), measure])
    .describe('How many there are: a number, the place in the frame that says it, or until_end.'),
  stride: int(1, 1_024).optional().describe('Bytes from one to the next; default: the size of one.'),
  max: int(1, 255).optional().describe('The most there can be. Needed unless `count` is a number.'),
  first: z
    .union([int(0, 255), measure])
    .prefault(1)
    .describe('The number of the first one.'),
  limit: expression.optional().describe('How many of them are meant, as an expression (cell_count).'),
});

const field = z.strictObject({
  at: offset.optional().describe('Offset of the first byte; negative from the end.'),
  ...CONVERT,
  ...CHANNEL,
  exponent: z
    .strictObject({ at: offset, type: oneOf(['u8', 'i8', 'i16']).default('i8'), order: order.optional() })
    .optional()
    .describe('value × 10 to the power of what stands there.'),
  flags_as: oneOf(['text', 'bools']).default('text').describe('bools: a channel for every flag instead of one text.'),
  value: expression.optional().describe('Computed from other fields instead of read.'),
  when: expression.optional().describe('Only when this holds.'),
  repeat: repeat.optional().describe('Several in a row.'),
  name: text(48).optional().describe('With repeat: names of the channels, such as cell_{n}. Default: NAME_{n}.'),
  column: int(0, 127).optional().describe('In split text: which column, 0 being the first.'),
  key: text(64).optional().describe('In text of lines: the word at the beginning of the line.'),
  group: int(1, 16).optional().describe('In lines with values in parentheses: which of them. Default 1.'),
  hidden: bool.default(false).describe('Not a channel; for expressions and templates only.'),
  optional: bool.default(false).describe('The frame may end before it; then it is left out.'),
});
const fields = z.record(alias, field).describe('Name → field. The name is the name of the channel.');

const group = z.strictObject({
  from: offset.describe('Where the first element begins.'),
  count: repeat.shape.count,
  stride: int(1, 1_024).describe('Bytes from one element to the next.'),
  max: int(1, 255).optional().describe('The most there can be. Needed unless `count` is a number.'),
  first: repeat.shape.first,
  limit: expression.optional(),
  name: text(48).default('{field}_{n}').describe('Names of the channels.'),
  fields: fields.describe('The fields of one element; offsets count from its first byte.'),
});

const records = z.strictObject({
  from: offset.describe('Where the first record begins.'),
  to: offset.optional().describe('Where the last one ends; negative from the end. Default: before checksum and tail.'),
  tag: z
    .strictObject({ type: oneOf(['u8', 'u16', 'u24', 'u32']).default('u8'), order: order.optional() })
    .default({ type: 'u8' })
    .describe('Every record begins with its tag.'),
  kind: z
    .strictObject({
      type: oneOf(['u8']).default('u8'),
      kinds: z.record(
        z.string(),
        oneOf(['hex', 'bool', 'u8', 'u16', 'u32', 'i8', 'i16', 'i32', 'ascii', 'uint', 'int']),
      ),
    })
    .optional()
    .describe('Behind the tag a byte says what kind of value follows; used for tags that are not listed.'),
  length: z
    .union([
      z.literal('none'),
      z.strictObject({
        type: oneOf(['u8', 'u16']).default('u8'),
        order: order.optional(),
        plus: int(-64, 64).default(0),
      }),
    ])
    .default('none')
    .describe('The field that says how long the value is; none: the fields of the tag tell.'),
  tags: z
    .record(z.string(), fields)
    .default({})
    .describe('Tag → its fields; offsets count from the first byte of the value.'),
  others: text(48)
    .default('stop')
    .describe(
      'Tags that are not listed: stop (no more records), skip (needs length), or a name such as dp_{tag} for a channel each.',
    ),
});

const textRule = z.strictObject({
  from: offset.default(0).describe('Where the text begins.'),
  to: offset.optional().describe('Where it ends. Default: before checksum and tail.'),
  split: bytes(1, 4).optional().describe('Columns are separated by this.'),
  lines: bytes(1, 4).optional().describe('Lines are separated by this.'),
  separator: bytes(1, 4)
    .optional()
    .describe('In a line: what separates key and value. With "(" values stand in parentheses.'),
});

const matchAt = z.union([bytes(1, 64), z.strictObject({ bytes: bytes(1, 64), mask: bytes(1, 64).optional() })]);
const match = z.record(z.string(), matchAt).describe('Offset → bytes, maybe with a mask; all must hold.');

const template = text(1_024).describe(
  'Bytes in hex, text in quotes, {name} or {name:u16} for a parameter or a field, {checksum}, {length}.',
);

const BODY = {
  match: match.optional(),
  fields: fields.optional(),
  groups: z.record(alias, group).optional().describe('Repeated groups of fields.'),
  records: records.optional().describe('A list of tags with values.'),
  text: textRule.optional().describe('The content is text.'),
  drop_if: expression.optional().describe('Frames for which this holds are dropped and counted.'),
  time: expression.optional().describe('When the frame was measured, in Unix seconds.'),
  reply: template.optional().describe('What is answered to such a frame.'),
  fill: byte.optional().describe('What the simulator puts where no field is. Default: 00, in text the letter P.'),
  reply_after: oneOf(['now', 'durable']).default('now').describe('durable: only once the readings are safe.'),
};

const message = z.strictObject({
  ...BODY,
  length: int(1, 65_536).optional().describe('Its length in all; frames of another length do not match.'),
  title: text(64).optional(),
  direction: oneOf(['up', 'down']).default('up').describe('down: sent to the device.'),
});

const parameter = z.strictObject({
  type: oneOf([...INTEGER_TYPES, 'text', 'hex'])
    .default('u8')
    .describe('Its type; hex is bytes in hex.'),
  size: int(1, 64).optional().describe('With type hex: how many bytes.'),
  order: order.optional(),
  default: word(128).optional().describe('When the configuration does not say; without a default it must.'),
  range: span.optional().describe('The least and the greatest value.'),
  description: text(400).optional().describe('For people.'),
});

const answer = listOf(alias, 16).describe(
  'The message, or messages, that answer it. A poll of a file with one kind of frame needs none: that one.',
);
const REQUEST = {
  answer: answer.optional(),
  where: expression.optional().describe('What must hold in the answer besides, such as addr == address.'),
  frames: int(0, 255).prefault(1).describe('How many frames answer; 0: as many as come until timeout_ms of quiet.'),
  timeout_ms: int(1, 60_000).prefault(500).describe('How long to wait for the answer.'),
  retries: int(0, 10).prefault(1).describe('How often to ask again.'),
};

const poll = z.strictObject({
  send: template,
  ...REQUEST,
  every_s: seconds().prefault(10).describe('How often, in seconds.'),
});

const initStep = z.strictObject({
  send: template,
  ...REQUEST,
  wait_ms: int(0, 60_000).default(0).describe('Pause behind it.'),
});

const command = z.strictObject({
  ...CHANNEL,
  type: oneOf(['bool', 'number', 'option', 'text', 'button']).default('number').describe('What is set.'),
  send: template.optional().describe('The request, with {value:u16}.'),
  values: z
    .record(z.string(), template)
    .optional()
    .describe('Instead of send: a request for each value (on, off, names of options).'),
  raw: z.record(z.string(), num()).optional().describe('With send: what {value} is for on, off, or an option.'),
  scale: num().optional().describe('As of the field: raw = (value − offset) / scale.'),
  divisor: num().optional().describe('As of the field: raw = (value − offset) × divisor.'),
  offset: num().optional().describe('As of the field.'),
  step: num({ min: 0 }).optional().describe('The smallest step.'),
  shows: alias.optional().describe('The field that shows what is set; default: the field of the same name.'),
  ...REQUEST,
});

const register = z.strictObject({
  at: int(0, 65_535).describe('Address of the register as on the wire, from 0.'),
  table: oneOf(TABLES)
    .optional()
    .describe('input (function 4), holding (3), coil (1) or discrete (2). Default: holding.'),
  ...CONVERT,
  ...CHANNEL,
  every_s: seconds().optional().describe('How often it is read, in seconds; default: as `modbus` says.'),
  writable: bool.default(false).describe('Can be set (holding and coil).'),
  hidden: bool.default(false).describe('Not a channel; for computed fields only.'),
  step: num({ min: 0 }).optional().describe('With writable: the smallest step.'),
});
/** The registers of a generic Modbus device, also as a configuration lists them. */
export const registersSchema: z.ZodType<Record<string, RegisterSpec>> = z.record(alias, register);

const modbus = z.strictObject({
  variant: oneOf(['rtu', 'tcp', 'ascii'])
    .default('rtu')
    .describe('rtu also holds on TCP connections to a serial bridge.'),
  address: int(0, 255).prefault(1).describe('Unit address; the parameter `address` overrides it.'),
  order: order.optional().describe('Of values of several registers.'),
  table: oneOf(TABLES).default('holding').describe('Default of the registers.'),
  max_gap: int(0, 64).prefault(8).describe('Registers nobody asked for that may be read along to save a request.'),
  max_registers: int(1, 125).prefault(80).describe('The most registers of one request.'),
  every_s: seconds().prefault(10).describe('How often registers are read unless they say, in seconds.'),
  timeout_ms: int(1, 60_000).prefault(500).describe('How long to wait for an answer.'),
  retries: int(0, 10).prefault(1).describe('How often to ask again.'),
  registers: registersSchema.default({}).describe('Name → register.'),
});

/** The whole file. */
export const profileSchema: z.ZodType<ProfileFile> = z.strictObject({
  title: text(100).describe('Name of the device for people.'),
  vendor: text(100).optional().describe('Who makes it.'),
  models: z.array(word(100)).max(64).default([]).describe('Models that the file fits.'),
  description: text(4_000).optional().describe('What it measures.'),
  wiring: text(4_000).optional().describe('How to wire it.'),
  links: z.array(text(400)).max(32).default([]).describe('Data sheets.'),
  serial: z
    .strictObject({
      baud: int(50, 4_000_000).prefault(9_600).describe('Bits a second.'),
      data_bits: oneOf(['7', '8']).default('8').describe('Bits of a character.'),
      parity: oneOf(['none', 'even', 'odd']).default('none').describe('Parity bit.'),
      stop_bits: oneOf(['1', '2']).default('1').describe('Stop bits.'),
    })
    .optional()
    .describe('Settings of the serial port.'),
  order: order.default('big'),
  framing: framing.optional(),
  ignore: z
    .array(z.strictObject({ from: byte, to: byte }))
    .max(4)
    .default([])
    .describe('Runs of bytes that are taken out wherever they stand.'),
  preamble: byte.optional().describe('A byte that may be sent before a frame, any number of times.'),
  checksum: checksum.optional().describe('How frames are checked; of a list all must hold.'),
  requests_checksum: checksum.optional().describe('How {checksum} in requests is computed; default: as `checksum`.'),
  transform: listOf(
    z.strictObject({
      subtract: byte.optional().describe('Subtracted from every byte on reception.'),
      xor: byte.optional().describe('XORed with every byte.'),
      from: offset.default(0).describe('The first byte that is changed.'),
      to: offset
        .optional()
        .describe('The first byte that is not changed any more; negative from the end of the frame. Default: the end.'),
    }),
    4,
  )
    .optional()
    .describe('Undone after the checksum is checked and before fields are read.'),
  device: z
    .union([
      z.strictObject({
        at: offset,
        type: oneOf([...INTEGER_TYPES, 'hex', 'ascii', 'bcd']).default('hex'),
        size: int(1, 32).optional(),
        order: order.optional(),
      }),
      expression,
    ])
    .optional()
    .describe('Identity of the device in the frame, where several send on one line: a place, or an expression.'),
  timeout_s: seconds(604_800).optional().describe('After so much silence the device counts as unavailable.'),
  only_answers: bool.default(false).describe('Frames that were not asked for are not decoded.'),
  parameters: z.record(alias, parameter).default({}).describe('What the configuration may set.'),
  messages: z.record(alias, message).optional().describe('Name → kind of frame, the first that matches counts.'),
  ...BODY,
  init: z.array(initStep).max(32).default([]).describe('Sent when the line opens.'),
  poll: z.record(alias, poll).default({}).describe('Name → request that is sent again and again.'),
  commands: z.record(alias, command).default({}).describe('Name → what can be set.'),
  modbus: modbus.optional().describe('A Modbus device; instead of framing, checksum, messages and poll.'),
});

/** The JSON Schema of a profile file, for editors. */
export function profileJsonSchema(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(profileSchema, { io: 'input', target: 'draft-2020-12', reused: 'ref' }),
    title: 'bytes2mqtt device profile',
  };
}
