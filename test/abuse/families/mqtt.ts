/** A hostile client at the broker. */
import { encodeSchemaParts, schemaCrc } from '../../../protocol/index.ts';
import type { LinkDevice } from '../../helpers/link-device.ts';
import { type AbuseCase, type CaseGroup, must } from '../case.ts';
import { sleep, until, within } from '../wait.ts';
import type { World } from '../world.ts';

const soon = <T>(work: Promise<T>, what: string): Promise<T> => within(work, 5_000, what);

/** A device with a switch, a level and a channel that cannot be written. */
async function lamp(world: World): Promise<LinkDevice> {
  const common = { class: 'none', scale: 0, totalIncreasing: false, diagnostic: false, unit: '' } as const;
  const channels = [
    { ...common, number: 1, type: 'bool', name: 'relay', writable: true },
    { ...common, number: 2, type: 'u8', name: 'level', writable: true },
    { ...common, number: 3, type: 'f64', name: 'watts', writable: false },
  ] as const;
  const parts = encodeSchemaParts({ name: 'Lamp', model: '', firmware: '', channels: [...channels] }, 200);
  const device = await world.device();
  await soon(device.hello({ schemaCrc: schemaCrc(parts) }), 'WELCOME');
  device.send({ type: 'SCHEMA', crc: schemaCrc(parts), part: 0, parts: 1, content: parts[0]! });
  await soon(device.next('ACK'), 'the ACK of the schema');
  return device;
}

/** A message to a device's set topic: nothing of it reaches the device, and the answer has this status. */
function refused(name: string, topic: string, payload: () => string | Buffer, status: string): AbuseCase {
  return {
    name,
    counted: { 'mqtt.commands.refused': 1 },
    async run(world) {
      const device = await lamp(world);
      const alias = world.aliasOf(device);
      const from = world.observer.seen.length;
      const bytes = payload();
      await world.observer.publish(`${alias}/${topic}`, bytes);
      const seen = await world.observer.message((message) => message.topic === `abuse/${alias}/result`, from);
      const result = JSON.parse(seen?.payload.toString() ?? '{}') as { status?: string };
      must(result.status === status, `the answer is ${seen?.payload.toString()}`);
      await soon(device.settled(), 'the device');
      must(device.of('COMMAND').length === 0, 'it reached the device');
      return Buffer.byteLength(bytes);
    },
  };
}

/** A request that is answered with an error. */
function badRequest(name: string, topic: string, payload: () => string | Buffer): AbuseCase {
  return {
    name,
    counted: { 'mqtt.requests.answered': 'some' },
    async run(world) {
      const from = world.observer.seen.length;
      const bytes = payload();
      await world.observer.publish(`bridge/request/${topic}`, bytes);
      const seen = await world.observer.message((message) => message.topic === `abuse/bridge/response/${topic}`, from);
      must(seen?.payload.includes('"status":"error"') === true, `the answer is ${seen?.payload.toString()}`);
      return Buffer.byteLength(bytes);
    },
  };
}

/** Nothing listens there: nothing is answered, counted or published. */
function ignored(name: string, topic: string): AbuseCase {
  return {
    name,
    counted: { 'mqtt.connects': 0 },
    async run(world) {
      const from = world.observer.seen.length;
      await world.observer.publish(topic, '1');
      await sleep(50);
      const answer = world.observer.seen.slice(from).find((seen) => /\/(result|response)/.test(seen.topic));
      must(answer === undefined, `answered on ${answer?.topic}`);
      return 1;
    },
  };
}

const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

const cases: AbuseCase[] = [
  refused('a command of 9 KB', 'set', () => JSON.stringify({ relay: 'x'.repeat(9_000) }), 'bad_request'),
  refused('a value of 9 KB', 'set/relay', () => 'x'.repeat(9_000), 'bad_request'),
  refused('JSON 10,000 deep', 'set', () => '['.repeat(10_000), 'bad_request'),
  refused('JSON 1,500 deep, within the size', 'set', () => nested(1_300), 'bad_request'),
  refused('no JSON', 'set', () => '{"relay":tru', 'bad_request'),
  refused('bytes that are not UTF-8', 'set', () => Buffer.from([0xff, 0xfe, 0x00, 0x80]), 'bad_request'),
  refused('nothing', 'set', () => '', 'bad_request'),
  refused(
    '100 values',
    'set',
    () => JSON.stringify(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`c${i}`, 1]))),
    'bad_request',
  ),
  refused('__proto__ as a channel', 'set', () => '{"__proto__":1}', 'unknown_channel'),
  refused('constructor as a channel', 'set/constructor', () => '1', 'unknown_channel'),
  refused('a channel that is not there', 'set/heater', () => 'ON', 'unknown_channel'),
  refused('a channel that cannot be written', 'set/watts', () => '5', 'not_writable'),
  refused('a number beyond the type', 'set/level', () => '256', 'bad_value'),
  refused('1e400', 'set/level', () => '1e400', 'bad_value'),
  refused('a number of 8,000 digits', 'set/level', () => '9'.repeat(8_000), 'bad_value'),
  refused('markup for a switch', 'set/relay', () => '<script>\u001b[31m', 'bad_value'),
  {
    name: 'a command for nobody',
    counted: { 'mqtt.commands.refused': 1 },
    async run(world) {
      await world.observer.publish('nobody/set', '{"relay":true}');
      return 14;
    },
  },
  {
    name: 'a retained command',
    needs: 'mosquitto',
    counted: { 'mqtt.commands.retained': 1 },
    async run(world) {
      const device = await lamp(world);
      const { observer } = world;
      const topic = `${world.aliasOf(device)}/set/relay`;
      // To those who have subscribed already it comes without the mark; so the gateway has to come back.
      await observer.publish(topic, '1', { retain: true });
      const command = await soon(device.next('COMMAND'), 'the command as it was given');
      device.send({ type: 'RESULT', id: command.id, status: 'done', text: '' }, { seq: 1 });
      world.proxy?.cut();
      await until(() => device.of('COMMAND').length > 1, 1_500);
      must(device.of('COMMAND').length === 1, 'it was carried out again');
      await observer.publish(topic, '', { retain: true });
      return 1;
    },
  },
  {
    name: '3,000 commands at once',
    counted: { 'limits.commands_per_s': 'some', 'mqtt.commands.limited': 'some' },
    also: ['limits.commands_'],
    async run(world) {
      const device = await lamp(world);
      const topic = `${world.aliasOf(device)}/set/level`;
      await world.observer.flood(topic, '7', 3_000);
      await soon(device.settled(), 'the device');
      must(device.of('COMMAND').length <= 600, `${device.of('COMMAND').length} reached the device`);
      return 3_000 * 3;
    },
  },
  badRequest('a request of 9 KB', 'info', () => JSON.stringify({ x: 'x'.repeat(9_000) })),
  badRequest('a request that is not JSON', 'info', () => '\u0000\u001b[2J'),
  badRequest('a request 4,000 deep', 'device_get', () => '['.repeat(4_000)),
  badRequest('an unknown request', 'shutdown', () => ''),
  badRequest('device_get of __proto__', 'device_get', () => '{"device":"__proto__"}'),
  badRequest('log_level of constructor', 'log_level', () => '{"level":"constructor"}'),
  {
    name: '12,000 requests at once',
    counted: { 'limits.requests_per_s': 'some', 'mqtt.requests.limited': 'some' },
    async run(world) {
      await world.observer.flood('bridge/request/ping', '', 12_000);
      // Until there is credit again for those of ours.
      await sleep(300);
      return 12_000;
    },
  },
  ignored('a topic with more levels', 'x/set/relay/more'),
  ignored('no device at all', '/set'),
  ignored('the bridge as a device', 'bridge/set'),
  ignored('letters that no alias has', 'x-Y.%2e/set'),
  ignored('request without a name', 'bridge/request/'),
  {
    // With MQTT 5 the broker knows what we take, and keeps the rest for itself; the connection must stand.
    name: 'a message of 1 MB',
    counted: { 'mqtt.connects': 0 },
    also: ['mqtt.oversize'],
    async run(world) {
      const payload = Buffer.alloc(1_000_000, 'x');
      await world.observer.publish('hostile/set', payload);
      return payload.length;
    },
  },
];

export const mqtt: CaseGroup = { family: 'mqtt', cases };
