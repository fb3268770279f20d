/** Names and texts from the wire: they may be shown, escaped, and never become a topic, a key or a line of their own. */
import { encodeSchemaParts, type Schema, schemaCrc } from '../../../protocol/index.ts';
import { sample } from '../../helpers/link-device.ts';
import { type AbuseCase, type CaseGroup, must } from '../case.ts';
import { within } from '../wait.ts';

const soon = <T>(work: Promise<T>, what: string): Promise<T> => within(work, 3_000, what);

const KEY = /^[a-z0-9_]{1,40}$/;

function channels(names: readonly string[], unit = ''): Schema['channels'] {
  return names.map((name, index) => ({
    number: index + 1,
    type: 'f64',
    class: 'none',
    scale: 0,
    writable: true,
    totalIncreasing: false,
    diagnostic: false,
    name,
    unit,
  }));
}

/**
 * A device of this name whose channels have these: it is published under aliases, one each, and bridge/info has the names
 * as values. What every case checks of topics, log and payloads besides, `judge.ts` says.
 */
function named(name: string, title: string, channelNames: readonly string[], unit = ''): AbuseCase {
  return {
    name,
    counted: { 'link.tcp.readings': 1 },
    async run(world) {
      const schema = { name: title, model: title, firmware: title, channels: channels(channelNames, unit) };
      const parts = encodeSchemaParts(schema, 200);
      const device = await world.device();
      await soon(device.hello({ schemaCrc: schemaCrc(parts) }), 'WELCOME');
      for (const [part, content] of parts.entries()) {
        device.send({ type: 'SCHEMA', crc: schemaCrc(parts), part, parts: parts.length, content });
      }
      await soon(device.next('ACK'), 'the ACK of the schema');
      const from = world.observer.seen.length;
      device.readings(1, sample(...channelNames.map((_, index) => index + 0.5)));
      await soon(device.acknowledged(1), 'ACK');
      const alias = world.aliasOf(device);
      const seen = await world.observer.message(({ topic }) => topic === `abuse/${alias}`, from);
      const state = JSON.parse(seen?.payload.toString() ?? '{}') as Record<string, unknown>;
      const keys = Object.keys(state).filter((key) => key !== 'ts' && key !== 'id');
      must(
        keys.length === channelNames.length,
        `${keys.length} keys for ${channelNames.length} channels: ${keys.join(' ')}`,
      );
      for (const key of keys) must(KEY.test(key), `the key ${JSON.stringify(key)}`);
      must(Object.getPrototypeOf(state) === Object.prototype, 'the prototype was changed');
      const told = (await world.observer.request('device_get', { device: alias })) as { name?: unknown } | undefined;
      must(told?.name === title, `bridge/request/device_get has the name ${JSON.stringify(told?.name)}`);
      return parts.reduce((sum, part) => sum + part.length, 0);
    },
  };
}

/** SCHEMA parts as they stand: refused with `bad_schema`. */
function badSchema(name: string, contents: readonly (readonly number[])[]): AbuseCase {
  return {
    name,
    counted: { 'link.tcp.rejected.bad-schema': 1 },
    async run(world) {
      const parts = contents.map((content) => Uint8Array.from(content));
      const device = await world.device();
      await soon(device.hello({ schemaCrc: schemaCrc(parts) }), 'WELCOME');
      for (const [part, content] of parts.entries()) {
        device.send({ type: 'SCHEMA', crc: schemaCrc(parts), part, parts: parts.length, content });
      }
      const error = await soon(device.next('ERROR'), 'ERROR');
      must(error.code === 'bad_schema', `ERROR ${error.code}`);
      return parts.reduce((sum, part) => sum + part.length, 0);
    },
  };
}

const text = (content: string): number[] => [Buffer.byteLength(content), ...Buffer.from(content)];
const channel = (number: number, name: string): number[] => [number, 10, 0, 0, 0, ...text(name), 0];

/** A text that a device says by itself, into the log and onto a topic. */
function said(name: string, content: string, how: 'LOG' | 'ERROR'): AbuseCase {
  return {
    name,
    counted: { 'link.tcp.frames': 2 },
    async run(world) {
      const device = await world.device();
      await soon(device.hello(), 'WELCOME');
      const from = world.observer.seen.length;
      if (how === 'ERROR') {
        device.send({ type: 'ERROR', code: 'malformed', retryAfter: 0, text: content });
        await soon(device.closed, 'the end of the session');
      } else {
        device.send({ type: 'LOG', level: 'error', text: content }, { seq: 1, ackWanted: true });
        const topic = `abuse/${world.aliasOf(device)}/log`;
        const seen = await world.observer.message((message) => message.topic === topic, from);
        const message = (JSON.parse(seen?.payload.toString() ?? '{}') as { message?: unknown }).message;
        must(message === content, `it says ${JSON.stringify(message)}`);
      }
      return Buffer.byteLength(content) + 20;
    },
  };
}

const ESCAPES = '\u001b]0;owned\u0007\u001b[2J\u001b[31m\u009b31m\u0000\u0008\u202egnp.exe';

const cases: AbuseCase[] = [
  named('a slash', 'a/b', ['a/b', '/', '//']),
  named('wildcards of MQTT', '#', ['#', '+', '+/#']),
  named('$SYS', '$SYS/broker/uptime', ['$SYS/broker', '$share/g/x']),
  named('__proto__ and constructor', '__proto__', ['__proto__', 'constructor', 'toString', 'hasOwnProperty']),
  named('names that we use ourselves', 'bridge', ['ts', 'id', 'bridge', 'set', 'ch1', 'temperature_quality']),
  named('one name for three channels', 'twin', ['same', 'same', 'SAME']),
  named('names that end alike after 32 characters', 'long', [`${'x'.repeat(60)}1`, `${'x'.repeat(60)}2`]),
  named('no letter of ours', '温度 🌡', ['温度', '🌡️', '…', '   ']),
  named('a path', '../../../etc/passwd', ['../../etc/passwd', '..', '.', 'C:\\con']),
  named('markup', '<script>alert(1)</script>', ['<img src=x onerror=alert(1)>', "';DROP TABLE x;--"], '"><svg>'),
  named('a template', '{{ states("sensor.x") }}', ['{% raw %}', '${jndi:ldap://x}']),
  named('what looks like JSON', '","admin":true,"x":"', ['","x":{"', '\\', '"']),
  named('newlines', 'a\n{"level":"fatal"}\r\nb', ['a\nb', 'a\r\nb', '\n']),
  named('terminal escapes', ESCAPES, [ESCAPES, '\u001b[31m'], '\u001b[0m'),
  named('text that is turned around', '\u202Eabc\u2066', ['\u202E1', '\u200B', '\uFEFF', '\u2028']),
  named('NUL', 'a\u0000b', ['a\u0000b', '\u0000']),
  named('64 bytes', 'n'.repeat(64), ['c'.repeat(64)], 'u'.repeat(16)),

  badSchema('a channel without a name', [[0, 0, 0, 1, ...channel(1, '')]]),
  badSchema('a name of 65 bytes', [[0, 0, 0, 1, ...channel(1, 'x'.repeat(65))]]),
  badSchema('a name that is not UTF-8', [[2, 0xff, 0xff, 0, 0, 0]]),
  badSchema('one number for two channels', [[0, 0, 0, 2, ...channel(7, 'a'), ...channel(7, 'b')]]),
  badSchema('a name in the second part', [
    [0, 0, 0, 0],
    [...text('late'), 0, 0, 0],
  ]),
  badSchema('a count past the end', [[0, 0, 0, 200, ...channel(1, 'a')]]),
  badSchema('an unknown type', [[0, 0, 0, 1, 1, 99, 0, 0, 0, 1, 65, 0]]),
  badSchema('65 channels', [
    [0, 0, 0, 33, ...Array.from({ length: 33 }, (_, i) => channel(i, `a${i}`)).flat()],
    [0, 0, 0, 32, ...Array.from({ length: 32 }, (_, i) => channel(33 + i, `b${i}`)).flat()],
  ]),
  {
    name: 'a schema of 16 KB',
    counted: { 'link.tcp.rejected.bad-schema': 1, 'limits.schema_bytes': 1 },
    async run(world) {
      const device = await world.device();
      await soon(device.hello({ schemaCrc: 1 }), 'WELCOME');
      const content = new Uint8Array(1_000);
      for (let part = 0; part < 16; part++) device.send({ type: 'SCHEMA', crc: 1, part, parts: 16, content });
      must((await soon(device.next('ERROR'), 'ERROR')).code === 'bad_schema', 'another ERROR');
      return 16_000;
    },
  },
  {
    name: 'a missing part, and readings',
    counted: { 'link.tcp.rejected.schema-missing': 1 },
    async run(world) {
      const device = await world.device();
      await soon(device.hello({ schemaCrc: 1 }), 'WELCOME');
      device.send({ type: 'SCHEMA', crc: 1, part: 0, parts: 2, content: Uint8Array.of(0, 0, 0, 0) });
      device.readings(1);
      const ack = await soon(device.next('ACK'), 'ACK');
      must(ack.seq === 0 && ack.flags.schemaWanted, 'it was acknowledged');
      return 50;
    },
  },
  {
    name: '300 schemas that are begun',
    counted: { 'link.tcp.frames': 303 },
    async run(world) {
      const device = await world.device();
      await soon(device.hello(), 'WELCOME');
      const content = new Uint8Array(900);
      for (let crc = 1; crc <= 300; crc++) device.send({ type: 'SCHEMA', crc, part: 0, parts: 16, content });
      await soon(device.settled(), 'the session to go on');
      return 300 * 920;
    },
  },
  said('a LOG of several lines', 'first\nsecond\r\n{"level":"fatal","msg":"forged"}', 'LOG'),
  said('a LOG with terminal escapes', ESCAPES, 'LOG'),
  said('an ERROR with terminal escapes', `${ESCAPES}\nforged`, 'ERROR'),
  {
    name: 'a RESULT with terminal escapes',
    counted: { 'mqtt.commands.sent': 1 },
    async run(world) {
      const parts = encodeSchemaParts({ name: 'x', model: '', firmware: '', channels: channels(['relay']) }, 200);
      const device = await world.device();
      await soon(device.hello({ schemaCrc: schemaCrc(parts) }), 'WELCOME');
      device.send({ type: 'SCHEMA', crc: schemaCrc(parts), part: 0, parts: 1, content: parts[0]! });
      await soon(device.next('ACK'), 'the ACK of the schema');
      const alias = world.aliasOf(device);
      const from = world.observer.seen.length;
      await world.observer.publish(`${alias}/set/relay`, '1');
      const { id } = await soon(device.next('COMMAND'), 'COMMAND');
      device.send({ type: 'RESULT', id, status: 'failed', text: ESCAPES }, { seq: 1 });
      const seen = await world.observer.message(({ topic }) => topic === `abuse/${alias}/result`, from);
      must(seen !== undefined, 'the result was not published');
      return ESCAPES.length;
    },
  },
];

export const names: CaseGroup = { family: 'names', cases };
