/**
 * The messages of the link protocol, declared once as data. TypeScript's message types, the codec, `explain` and the
 * tables of SPEC.md all come from here.
 *
 * ```
 *   vf u8 | type u8 | sid u32 | seq u32 | body | crc32 u32
 *           └ number                      └ fields, in order, without padding, big-endian
 * ```
 *
 * Numbers, codes and bits are never given a second meaning. A later version may append fields to a body (the reader
 * ignores what it does not know), codes to a list and bits to flags.
 */

/**
 * Field types. `u8` … `u64`: unsigned, big-endian; `ms`: u64 milliseconds, at most 2^53 − 1; `str8`: u8 length and
 * UTF-8; `flags8`/`flags16`: named bits, the others sent as 0 and ignored; `code8`: u8 with named values, the others
 * understood as "unknown"; `value`: channel, type and quality, content; `samples`: to the end of the body, at least
 * one; `rest`: bytes to the end of the body.
 */
export type FieldType =
  | 'u8'
  | 'u16'
  | 'u32'
  | 'u64'
  | 'ms'
  | 'str8'
  | 'flags8'
  | 'flags16'
  | 'code8'
  | 'value'
  | 'samples'
  | 'rest';

export interface FieldDeclaration {
  readonly name: string;
  readonly type: FieldType;
  readonly unit?: string;
  /** Smallest and largest value allowed, where the type alone allows more. */
  readonly min?: number;
  readonly max?: number;
  readonly note: string;
  readonly bits?: readonly { readonly bit: number; readonly name: string; readonly note: string }[];
  readonly codes?: readonly { readonly code: number; readonly name: string; readonly note: string }[];
}

export interface MessageDeclaration {
  readonly number: number;
  readonly name: string;
  readonly direction: 'up' | 'down' | 'both';
  /** Whether it carries the ack-wanted bit and a number of the reliable counter. */
  readonly reliable: 'always' | 'never' | 'optional';
  /** The header's sid: `zero` before or without a session, `session` (never 0), or `either`. */
  readonly sid: 'zero' | 'session' | 'either';
  readonly note: string;
  readonly fields: readonly FieldDeclaration[];
}

/** All messages of version 1, by number. */
export const MESSAGES = [
  {
    number: 0x01,
    name: 'HELLO',
    direction: 'up',
    reliable: 'never',
    sid: 'zero',
    note: 'Asks for a session. Its seq is 0. Repeated with backoff until WELCOME or ERROR comes.',
    fields: [
      { name: 'minVersion', type: 'u8', note: 'Lowest protocol version that the device speaks.' },
      { name: 'maxVersion', type: 'u8', note: 'Highest protocol version that the device speaks.' },
      { name: 'device', type: 'u64', note: 'The device’s id, unique in the world: a MAC or chip number will do.' },
      { name: 'boot', type: 'u32', note: 'Number of this boot; 0 asks the gateway for one.' },
      {
        name: 'uptime',
        type: 'u32',
        unit: 'ms',
        note: 'The device’s uptime now; ties uptimes in samples to the clock.',
      },
      {
        name: 'firstSeq',
        type: 'u32',
        min: 1,
        note: 'Oldest reliable frame that it will still send: its oldest unacknowledged, else its next new one.',
      },
      {
        name: 'capabilities',
        type: 'flags16',
        note: 'What the device can do.',
        bits: [
          { bit: 0, name: 'commands', note: 'Takes COMMAND. Without it the gateway sends none.' },
          {
            bit: 1,
            name: 'clock',
            note: 'Has a clock of its own, set to the time of day. Changes nothing: samples may have Unix time without it.',
          },
        ],
      },
      { name: 'maxFrame', type: 'u16', unit: 'bytes', min: 64, note: 'Largest frame that the device takes.' },
      { name: 'schemaCrc', type: 'u32', note: 'CRC of its schema; 0 when it has none.' },
    ],
  },
  {
    number: 0x02,
    name: 'WELCOME',
    direction: 'down',
    reliable: 'never',
    sid: 'session',
    note: 'Grants a session; the header’s sid is its number.',
    fields: [
      { name: 'boot', type: 'u32', min: 1, note: 'The boot number that holds: the device’s, or the one it asked for.' },
      { name: 'unixMs', type: 'ms', unit: 'ms', note: 'Time of day, milliseconds since 1970 (UTC).' },
      {
        name: 'flags',
        type: 'flags8',
        note: 'What the gateway wants.',
        bits: [{ bit: 0, name: 'schemaWanted', note: 'It has not got the schema that HELLO’s schemaCrc names.' }],
      },
      { name: 'keepalive', type: 'u16', unit: 's', min: 1, note: 'Send something at least this often.' },
      { name: 'window', type: 'u8', min: 1, max: 32, note: 'Reliable frames that may be outstanding.' },
      { name: 'maxFrame', type: 'u16', unit: 'bytes', min: 64, note: 'Largest frame that the gateway takes.' },
    ],
  },
  {
    number: 0x03,
    name: 'SCHEMA',
    direction: 'up',
    reliable: 'never',
    sid: 'session',
    note: 'One part of the device’s declaration of itself and its channels.',
    fields: [
      { name: 'crc', type: 'u32', min: 1, note: 'CRC over the contents of all parts in order; names the schema.' },
      { name: 'part', type: 'u8', max: 15, note: 'Number of this part, from 0.' },
      { name: 'parts', type: 'u8', min: 1, max: 16, note: 'How many parts there are.' },
      { name: 'content', type: 'rest', note: 'See “Schema”.' },
    ],
  },
  {
    number: 0x04,
    name: 'READINGS',
    direction: 'up',
    reliable: 'always',
    sid: 'session',
    note: 'Measured values.',
    fields: [{ name: 'samples', type: 'samples', note: 'One or more samples, to the end of the body.' }],
  },
  {
    number: 0x05,
    name: 'REPORT',
    direction: 'up',
    reliable: 'always',
    sid: 'zero',
    note: 'Measured values in one shot, without a session. As every frame without one, at most 256 bytes.',
    fields: [
      { name: 'device', type: 'u64', note: 'The device’s id.' },
      { name: 'boot', type: 'u32', min: 1, note: 'Number of this boot.' },
      { name: 'uptime', type: 'u32', unit: 'ms', note: 'The device’s uptime now.' },
      { name: 'samples', type: 'samples', note: 'One or more samples, to the end of the body.' },
    ],
  },
  {
    number: 0x06,
    name: 'ACK',
    direction: 'down',
    reliable: 'never',
    sid: 'either',
    note: 'The promise: what it covers will not be lost. For a REPORT: sid 0, and `seq` means that report alone.',
    fields: [
      { name: 'seq', type: 'u32', note: 'Every reliable frame of this boot up to and including this one is durable.' },
      { name: 'map', type: 'u32', note: 'Bit i: seq + 1 + i has arrived and waits for a hole. Advisory.' },
      {
        name: 'flags',
        type: 'flags8',
        note: 'What the gateway wants.',
        bits: [
          {
            bit: 0,
            name: 'schemaWanted',
            note: 'It still has not got the schema. For a REPORT: it knows none of this device.',
          },
        ],
      },
    ],
  },
  {
    number: 0x07,
    name: 'PING',
    direction: 'both',
    reliable: 'never',
    sid: 'session',
    note: 'Asks for a PONG: are you there, and how late is it?',
    fields: [{ name: 'token', type: 'u32', note: 'Comes back in the PONG.' }],
  },
  {
    number: 0x08,
    name: 'PONG',
    direction: 'both',
    reliable: 'never',
    sid: 'session',
    note: 'Answers a PING.',
    fields: [
      { name: 'token', type: 'u32', note: 'The PING’s.' },
      { name: 'time', type: 'ms', unit: 'ms', note: 'Down: milliseconds since 1970 (UTC). Up: the device’s uptime.' },
    ],
  },
  {
    number: 0x09,
    name: 'COMMAND',
    direction: 'down',
    reliable: 'never',
    sid: 'session',
    note: 'Sets a channel. Repeated until its RESULT comes or its time to live is over.',
    fields: [
      { name: 'id', type: 'u32', note: 'Number of the command; the device executes each once.' },
      { name: 'ttl', type: 'u16', unit: 's', note: 'Not to be executed later than this after it was sent.' },
      { name: 'value', type: 'value', note: 'Channel, type and quality (good), content.' },
    ],
  },
  {
    number: 0x0a,
    name: 'RESULT',
    direction: 'up',
    reliable: 'always',
    sid: 'session',
    note: 'What became of a COMMAND.',
    fields: [
      { name: 'id', type: 'u32', note: 'The COMMAND’s.' },
      {
        name: 'status',
        type: 'code8',
        note: 'What became of it.',
        codes: [
          { code: 0, name: 'done', note: 'Executed.' },
          { code: 1, name: 'refused', note: 'The device will not do that (now).' },
          { code: 2, name: 'unknown_channel', note: 'There is no such channel.' },
          { code: 3, name: 'bad_value', note: 'The channel does not take this type or value.' },
          { code: 4, name: 'expired', note: 'Came after its time to live.' },
          { code: 5, name: 'failed', note: 'Tried, and it did not work.' },
        ],
      },
      { name: 'text', type: 'str8', note: 'For people; may be empty.' },
    ],
  },
  {
    number: 0x0b,
    name: 'LOG',
    direction: 'up',
    reliable: 'optional',
    sid: 'session',
    note: 'A line of the device’s log.',
    fields: [
      {
        name: 'level',
        type: 'code8',
        note: 'How grave it is.',
        codes: [
          { code: 0, name: 'debug', note: 'For developers.' },
          { code: 1, name: 'info', note: 'All is well.' },
          { code: 2, name: 'warning', note: 'Something to look at.' },
          { code: 3, name: 'error', note: 'Something failed.' },
        ],
      },
      { name: 'text', type: 'str8', note: 'The line, without a line end.' },
    ],
  },
  {
    number: 0x0c,
    name: 'BYE',
    direction: 'both',
    reliable: 'never',
    sid: 'session',
    note: 'Ends the session in good order.',
    fields: [
      {
        name: 'reason',
        type: 'code8',
        note: 'Why.',
        codes: [
          { code: 0, name: 'done', note: 'Nothing more to say.' },
          { code: 1, name: 'sleeping', note: 'Will be back; not a fault: it stays available.' },
          { code: 2, name: 'restarting', note: 'Will be back at once.' },
          { code: 3, name: 'shutting_down', note: 'Goes away.' },
        ],
      },
    ],
  },
  {
    number: 0x0d,
    name: 'ERROR',
    direction: 'both',
    reliable: 'never',
    sid: 'either',
    note: 'Something is wrong. All codes but `busy` and `rate_limited` end the session that the sid names.',
    fields: [
      {
        name: 'code',
        type: 'code8',
        note: 'What is wrong.',
        codes: [
          { code: 1, name: 'unsupported_version', note: 'No version in common.' },
          {
            code: 2,
            name: 'unknown_session',
            note: 'The sid names no session on this connection, or from this address: begin again with HELLO.',
          },
          { code: 3, name: 'busy', note: 'Cannot take more now: wait, keep the session, send again.' },
          { code: 4, name: 'malformed', note: 'A body that cannot be read, or a header that does not fit its type.' },
          { code: 5, name: 'too_large', note: 'A frame longer than allowed without a session.' },
          { code: 6, name: 'bad_schema', note: 'The schema cannot be used; the text says why.' },
          { code: 7, name: 'rate_limited', note: 'Too many frames: wait, keep the session, send again.' },
          {
            code: 8,
            name: 'authentication_required',
            note: 'Only the secure channel will do: for this device, or here.',
          },
          {
            code: 9,
            name: 'authentication_failed',
            note: 'The secure channel could not be set up: another key, or none for this device.',
          },
          {
            code: 10,
            name: 'replaced',
            note: 'A newer session of the same device took over, on another connection or from another address.',
          },
          { code: 11, name: 'unsupported_type', note: 'A critical frame of a type that is not known.' },
        ],
      },
      { name: 'retryAfter', type: 'u16', unit: 's', note: 'Do not try again before; 0 leaves it to the backoff.' },
      { name: 'text', type: 'str8', note: 'For people; may be empty.' },
    ],
  },
  {
    number: 0x0e,
    name: 'GAP',
    direction: 'up',
    reliable: 'always',
    sid: 'session',
    note: 'Takes the place of dropped readings: has the seq of the newest frame of the run that it stands for.',
    fields: [
      { name: 'first', type: 'u32', min: 1, note: 'Frames from this seq up to the GAP’s own will never come.' },
      {
        name: 'lost',
        type: 'u32',
        note: 'How many READINGS frames were among them, the one replaced included: an upper bound.',
      },
    ],
  },
] as const;

export type MessageName = (typeof MESSAGES)[number]['name'];
/** Types that carry the ack-wanted bit and a number of the reliable counter. */
export type ReliableName = Extract<(typeof MESSAGES)[number], { reliable: 'always' | 'optional' }>['name'];

// Holds the data to the shape (`satisfies` would not pass isolatedDeclarations).
const declarations: readonly MessageDeclaration[] = MESSAGES;
const byName = new Map(declarations.map((declaration) => [declaration.name, declaration]));

/** The declaration of a type number, or undefined when the number is not assigned. */
export function messageByNumber(number: number): MessageDeclaration | undefined {
  return declarations[number - 1];
}

/** The declaration of a message name. */
export function messageByName(name: MessageName): MessageDeclaration {
  const declaration = byName.get(name);
  if (declaration === undefined) throw new RangeError(`no such message: ${name}`);
  return declaration;
}
