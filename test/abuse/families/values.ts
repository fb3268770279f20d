/** READINGS whose values cannot be, or are at the edge of what can. */
import { crc32, encodeSchemaParts, type Schema, type Sample, schemaCrc, type Value } from '../../../protocol/index.ts';
import { type LinkDevice, sample } from '../../helpers/link-device.ts';
import { raw } from '../bytes.ts';
import { type AbuseCase, type CaseGroup, must } from '../case.ts';
import { within } from '../wait.ts';
import { unique, type World } from '../world.ts';

const soon = <T>(work: Promise<T>, what: string): Promise<T> => within(work, 3_000, what);

async function session(world: World): Promise<LinkDevice> {
  const device = await world.device();
  await soon(device.hello(), 'WELCOME');
  return device;
}

/** The body of READINGS as it stands: the session ends with `malformed`, and nothing is published. */
function refused(name: string, reason: string, body: readonly number[]): AbuseCase {
  return {
    name,
    counted: { [`link.tcp.rejected.${reason}`]: 1 },
    async run(world) {
      const device = await session(world);
      device.sendFrame(raw('READINGS', { sid: device.sid, seq: 1, ackWanted: true }, body));
      const error = await soon(device.next('ERROR'), 'ERROR');
      must(error.code === 'malformed', `ERROR ${error.code}`);
      must(device.of('ACK').length === 0, 'it was acknowledged');
      return body.length + 14;
    },
  };
}

const value = (type: Value['type'], content: Value['value'], channel = 1): Value => ({
  channel,
  type,
  quality: 'good',
  value: content,
});
const now = (...values: Value[]): Sample => ({ timeKind: 'now', time: 0, values });

/** READINGS that are accepted and published; `json` must stand in what is published. */
function published(
  name: string,
  samples: () => Sample[],
  json: string | RegExp,
  counted: Record<string, number> = {},
): AbuseCase {
  return {
    name,
    counted: { 'link.tcp.readings': 1, ...counted },
    async run(world) {
      const device = await session(world);
      const from = world.observer.seen.length;
      device.readings(1, ...samples());
      await soon(device.acknowledged(1), 'ACK');
      const alias = world.aliasOf(device);
      const seen = await world.observer.message(
        ({ topic }) => topic === `abuse/${alias}` || topic === `abuse/${alias}/history`,
        from,
      );
      const text = seen?.payload.toString() ?? 'nothing';
      must(typeof json === 'string' ? text.includes(json) : json.test(text), `published: ${text}`);
      return device.frame({ type: 'READINGS', samples: samples() }, { seq: 1 }).length;
    },
  };
}

/** A device that declares this channel 1, and sends this value on it. */
function declared(name: string, schema: Partial<Schema['channels'][number]>, content: Value, json: RegExp): AbuseCase {
  return {
    name,
    counted: { 'link.tcp.readings': 1 },
    async run(world) {
      const channel = {
        number: 1,
        type: 'f64',
        class: 'none',
        scale: 0,
        writable: false,
        totalIncreasing: false,
        diagnostic: false,
        name: `v${unique()}`,
        unit: '',
        ...schema,
      } as const;
      const parts = encodeSchemaParts({ name: '', model: '', firmware: '', channels: [channel] }, 200);
      const device = await world.device();
      await soon(device.hello({ schemaCrc: schemaCrc(parts) }), 'WELCOME');
      for (const [part, bytes] of parts.entries()) {
        device.send({ type: 'SCHEMA', crc: schemaCrc(parts), part, parts: parts.length, content: bytes });
      }
      await soon(device.next('ACK'), 'the ACK of the schema');
      const from = world.observer.seen.length;
      device.readings(1, now(content));
      await soon(device.acknowledged(1), 'ACK');
      const seen = await world.observer.message(({ topic }) => topic === `abuse/${world.aliasOf(device)}`, from);
      must(json.test(seen?.payload.toString() ?? ''), `published: ${seen?.payload.toString()}`);
      return parts.reduce((sum, part) => sum + part.length, 0);
    },
  };
}

/** Time kind in bits 7–6 of the first byte, the number of values below. */
const cases: AbuseCase[] = [
  refused('an unknown type', 'unknown-value-type', [1, 1, 13, 0]),
  refused('a length past the end', 'short-read', [1, 1, 11, 200, 65]),
  refused('more values than there are', 'short-read', [5, 1, 1, 1]),
  refused('no readings at all', 'no-samples', []),
  refused('a sample without values', 'no-values', [0]),
  refused('time kind 3', 'reserved-time-kind', [0xc1, 1, 1, 1]),
  refused('a Unix time beyond 2^53', 'bad-time', [0x81, 0x00, 0x20, 0, 0, 0, 0, 0, 0, 1, 1, 1]),
  refused('bool = 2', 'bad-bool', [1, 1, 0, 2]),
  refused('text that is not UTF-8', 'bad-utf8', [1, 1, 11, 2, 0xff, 0xfe]),
  refused('half of a surrogate pair', 'bad-utf8', [1, 1, 11, 3, 0xed, 0xa0, 0x80]),
  refused('an overlong NUL', 'bad-utf8', [1, 1, 11, 2, 0xc0, 0x80]),
  refused('bytes behind the last sample', 'no-values', [1, 1, 1, 1, 0]),

  published('NaN', () => [now(value('f32', Number.NaN))], '"ch1":null,"ch1_quality":"fault"'),
  published(
    'infinities',
    () => [now(value('f64', Infinity), value('f32', -Infinity, 2))],
    '"ch1":null,"ch1_quality":"fault","ch2":null',
  ),
  published(
    'beyond 2^53',
    () => [now(value('u64', 18_446_744_073_709_551_615n), value('i64', -9_223_372_036_854_775_808n, 2))],
    '"ch1":18446744073709551615,"ch2":-9223372036854775808',
  ),
  published(
    'the smallest double, and minus zero',
    () => [now(value('f64', 5e-324), value('f64', -0, 2))],
    /"ch1":5e-324,"ch2":-?0/,
  ),
  published('the largest double', () => [now(value('f64', 1.7976931348623157e308))], '1.7976931348623157e+308'),
  published('NUL in a text', () => [now(value('string', 'a\u0000b'))], '"a\\u0000b"'),
  published(
    'controls, quotes and terminal escapes in a text',
    () => [now(value('string', '"\\\n\r\t\u001b[31m\u009b'))],
    '\\u001b[31m',
  ),
  published('what looks like JSON', () => [now(value('string', '","ch1":1,"id":"x'))], '"\\",\\"ch1\\":1'),
  published('255 bytes of text', () => [now(value('string', '"'.repeat(255)))], '\\"'.repeat(255)),
  published('bytes', () => [now(value('bytes', Uint8Array.of(0, 255, 27)))], '"00ff1b"'),
  published('a channel twice in one sample', () => [now(value('u8', 1), value('u8', 2))], '"ch1":2'),
  published('a channel that nobody has declared', () => [now(value('u8', 7, 255))], '"ch255":7'),
  published('time 0', () => [{ ...sample(1), timeKind: 'unix', time: 0 }], /"ts":1[6-9]\d{11}|"ts":[2-9]\d{12}/, {
    'link.tcp.badTime': 1,
  }),
  published('the far future', () => [{ ...sample(1), timeKind: 'unix', time: 2 ** 53 - 1 }], /"ts":\d{13},/, {
    'link.tcp.badTime': 1,
  }),
  published(
    'an uptime ahead of the clock',
    () => [{ ...sample(1), timeKind: 'uptime', time: 0x7fff_ffff }],
    /"ts":\d{13},/,
  ),
  published(
    'out of range, fault and stale',
    () => [now({ ...value('u8', 1), quality: 'fault' }, { ...value('u8', 2, 2), quality: 'stale' })],
    '"ch1":null,"ch1_quality":"fault","ch2":2,"ch2_quality":"stale"',
  ),

  declared('text where a number was declared', { type: 'f64' }, value('string', 'warm'), /:"warm"/),
  declared('scale 127', { type: 'u8', scale: 127 }, value('u8', 255), /:2\.?55e\+?129|:255(0{127}|e\+?127)/),
  declared('scale −128', { type: 'u8', scale: -128 }, value('u8', 255), /:(2\.55e-126|255e-128|0\.0+255)/),
  declared('scale 127 on the largest double', { scale: 127 }, value('f64', 1.7e308), /:(null|1\.7e\+?435)/),
  {
    name: '256 channels, one a frame',
    counted: { 'link.tcp.omitted': 192, 'limits.channels': 192 },
    async run(world) {
      const device = await session(world);
      for (let channel = 0; channel < 256; channel++) device.readings(channel + 1, now(value('u8', 1, channel)));
      await soon(device.acknowledged(256), 'ACK');
      return 256 * 18;
    },
  },
  {
    name: '63 values of 14 bytes',
    counted: { 'link.tcp.readings': 1 },
    async run(world) {
      const device = await session(world);
      const values = Array.from({ length: 63 }, (_, i) => value('string', `${i}`.padEnd(11, '"'), i));
      const frame = device.frame({ type: 'READINGS', samples: [now(...values)] }, { seq: 1 });
      device.sendFrame(frame);
      await soon(device.acknowledged(1), 'ACK');
      return frame.length;
    },
  },
  {
    name: 'a schema with another CRC than it says',
    counted: { 'link.tcp.rejected.bad-schema': 1 },
    async run(world) {
      const device = await world.device();
      const content = Uint8Array.of(0, 0, 0, 0);
      const crc = crc32(content) ^ 1;
      await soon(device.hello({ schemaCrc: crc >>> 0 }), 'WELCOME');
      device.send({ type: 'SCHEMA', crc: crc >>> 0, part: 0, parts: 1, content });
      must((await soon(device.next('ERROR'), 'ERROR')).code === 'bad_schema', 'another ERROR');
      return 24;
    },
  },
];

export const values: CaseGroup = { family: 'values', cases };
