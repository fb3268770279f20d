import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { convertText } from '../../../gateway/mqtt/command-value.ts';
import { LimitWatch } from '../../../gateway/limits/limit-watch.ts';
import { createLog, rateLimited } from '../../../gateway/log.ts';
import { type CommandLimits, Commands } from '../../../gateway/mqtt/commands.ts';
import { jsonText } from '../../../gateway/mqtt/payload.ts';
import { Topics } from '../../../gateway/mqtt/topics.ts';
import type { Value, ValueType } from '../../../protocol/index.ts';
import { channel, testDevice } from './fixtures.ts';

const device = testDevice([
  channel(1, 'relay', { type: 'bool', writable: true }),
  channel(2, 'setpoint', { type: 'i16', scale: -1, writable: true }),
  channel(3, 'counter', { type: 'u64', writable: true }),
  channel(4, 'label', { type: 'string', writable: true }),
  channel(5, 'temperature'),
  channel(6, 'unknown_type', { type: undefined, writable: true }),
]);

function setUp(limits: Partial<CommandLimits> = {}) {
  let nowMs = 0;
  const lines: string[] = [];
  const log = rateLimited(createLog({ level: 'warn', pretty: false, write: (line) => lines.push(line) }), () => nowMs);
  const watch = new LimitWatch(log);
  const unanswered: (() => void)[] = [];
  let answering = true;
  const sent: Value[] = [];
  const answers: string[] = [];
  const commands = new Commands({
    connection: { publish: (topic, payload) => answers.push(`${topic} ${payload}`) },
    topics: new Topics('b'),
    deviceByAlias: (alias) => (alias === device.alias ? device : undefined),
    send: (_device, value, done) => {
      sent.push(value);
      if (answering) done('done', '');
      else unanswered.push(() => done('done', ''));
    },
    limits: { commandsPerS: 1_000, commandsWaiting: 100, ...limits },
    watch,
    log,
    now: () => nowMs,
  });
  const stopAnswering = (): void => void (answering = false);
  const pass = (ms: number): void => void (nowMs += ms);
  const set = (text: string, alias: string = device.alias): void => commands.set(alias, Buffer.from(text), false);
  const setChannel = (name: string, text: string): void =>
    commands.setChannel(device.alias, name, Buffer.from(text), false);
  /** The JSON of the answers since the last call, all on the device's result topic. */
  const take = (): string[] => answers.splice(0).map((answer) => answer.replace('b/greenhouse/result ', ''));
  return { commands, sent, answers, set, setChannel, take, watch, lines, unanswered, stopAnswering, pass };
}

describe('Commands', () => {
  it('sends each value of an object and answers each, with the id given', () => {
    const { set, sent, take } = setUp();
    set('{"relay": true, "setpoint": 21.5, "counter": 18446744073709551615, "id": "abc"}');
    expect(sent).toEqual([
      { channel: 1, type: 'bool', quality: 'good', value: true },
      { channel: 2, type: 'i16', quality: 'good', value: 215 },
      { channel: 3, type: 'u64', quality: 'good', value: 18446744073709551615n },
    ]);
    expect(take()).toEqual([
      '{"id":"abc","channel":"relay","status":"done","value":true}',
      '{"id":"abc","channel":"setpoint","status":"done","value":21.5}',
      '{"id":"abc","channel":"counter","status":"done","value":18446744073709551615}',
    ]);
    set('{"relay":"OFF","transaction":12}');
    expect(take()).toEqual(['{"id":12,"channel":"relay","status":"done","value":false}']);
  });

  it('takes plain values', () => {
    const { setChannel, sent } = setUp();
    setChannel('relay', 'ON');
    setChannel('setpoint', ' -7.5 ');
    setChannel('label', 'Grüße "x"');
    expect(sent.map(({ value }) => value)).toEqual([true, -75, 'Grüße "x"']);
  });

  it.each([
    ['not JSON', 'bad_request'],
    ['[1]', 'bad_request'],
    ['{}', 'bad_request'],
    ['{"id":1}', 'bad_request'],
    [`{"label":"${'x'.repeat(9_000)}"}`, 'bad_request'],
    [`{${Array.from({ length: 65 }, (_, at) => `"k${at}":1`).join(',')}}`, 'bad_request'],
    ['{"nope":1}', 'unknown_channel'],
    ['{"__proto__":1}', 'unknown_channel'],
    ['{"temperature":1}', 'not_writable'],
    ['{"unknown_type":1}', 'not_writable'],
    ['{"relay":2}', 'bad_value'],
    ['{"relay":null}', 'bad_value'],
    ['{"setpoint":21.55}', 'bad_value'],
    ['{"setpoint":3276.8}', 'bad_value'],
    ['{"setpoint":true}', 'bad_value'],
    ['{"setpoint":1e9999}', 'bad_value'],
    ['{"counter":-1}', 'bad_value'],
    ['{"counter":18446744073709551616}', 'bad_value'],
    [`{"label":"${'x'.repeat(256)}"}`, 'bad_value'],
    ['{"label":"\\ud800"}', 'bad_value'],
  ])('answers %s with %s and sends nothing', (text, status) => {
    const { set, sent, take } = setUp();
    set(text);
    expect(sent).toEqual([]);
    const answers = take();
    expect(answers).toHaveLength(1);
    const answer = JSON.parse(answers[0]!) as Record<string, unknown>;
    expect(answer).toMatchObject({ status });
    expect(answer['error']).toBeTypeOf('string');
  });

  it('answers for devices that it does not know', () => {
    const { set, answers } = setUp();
    set('{"relay":1,"id":5}', 'nobody');
    expect(answers).toEqual([expect.stringContaining('b/nobody/result {"id":5,"status":"unknown_device"')]);
  });

  it('ignores retained commands', () => {
    const { commands, answers, sent } = setUp();
    commands.set('greenhouse', Buffer.from('{"relay":1}'), true);
    commands.setChannel('greenhouse', 'relay', Buffer.from('1'), true);
    expect([answers, sent, commands.stats.retained]).toEqual([[], [], 2]);
  });

  it('reads back exactly what the state JSON shows', () => {
    const integers: Partial<Record<ValueType, [bigint, bigint]>> = {
      u8: [0n, 255n],
      i16: [-32768n, 32767n],
      u32: [0n, 2n ** 32n - 1n],
      i64: [-(2n ** 63n), 2n ** 63n - 1n],
      u64: [0n, 2n ** 64n - 1n],
    };
    const scale = fc.integer({ min: -30, max: 30 });
    for (const [type, [min, max]] of Object.entries(integers) as [ValueType, [bigint, bigint]][]) {
      fc.assert(
        fc.property(fc.bigInt({ min, max }), scale, (raw, by) => {
          const value = type.endsWith('64') ? raw : Number(raw);
          expect(convertText(jsonText(type, value, by)!, type, by)).toEqual({ ok: true, value });
        }),
      );
    }
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), scale, (raw, by) => {
        expect(convertText(jsonText('f32', raw, by)!, 'f32', by)).toEqual({ ok: true, value: raw === 0 ? 0 : raw });
      }),
    );
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), scale, (raw, by) => {
        expect(convertText(jsonText('f64', raw, by)!, 'f64', by)).toEqual({ ok: true, value: raw === 0 ? 0 : raw });
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 255 }), (raw) => {
        expect(convertText(jsonText('bytes', raw, 0)!.slice(1, -1), 'bytes', 0)).toEqual({ ok: true, value: raw });
      }),
    );
  });

  it('never throws on any text', () => {
    const { set, setChannel } = setUp();
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        set(text);
        for (const name of ['relay', 'setpoint', 'counter', 'label']) setChannel(name, text);
      }),
    );
  });
});

const busy = (text: string): boolean => text.includes('"status":"busy"');

describe('a flood of commands', () => {
  it('is taken at the rate of limits.commands_per_s, ten seconds at once; the rest is told to be too much', () => {
    const { set, sent, take, commands, watch, lines, pass } = setUp({ commandsPerS: 2 });
    for (let i = 0; i < 1_000; i++) set('{"relay": true}');
    expect(sent).toHaveLength(20);
    const answers = take();
    // The answers to what is too much have the same rate.
    expect(answers.filter(busy)).toHaveLength(20);
    expect(answers).toHaveLength(40);
    expect(commands.stats).toMatchObject({ sent: 20, limited: 980 });
    expect(watch.counts.commands_per_s).toBe(980);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('limits.commands_per_s');
    pass(1_000);
    set('{"relay": true, "setpoint": 1, "counter": 2}');
    expect(sent).toHaveLength(22);
    expect(take().filter(busy)).toHaveLength(1);
  });

  it('counts each value of a message', () => {
    const { set, sent } = setUp({ commandsPerS: 0.2 });
    set('{"relay": true, "setpoint": 1, "counter": 2, "label": "x"}');
    expect(sent).toHaveLength(2);
  });

  it('waits for devices only so far', () => {
    const { set, sent, take, commands, watch, stopAnswering, unanswered } = setUp({ commandsWaiting: 3 });
    stopAnswering();
    for (let i = 0; i < 5; i++) set(`{"relay": true, "id": ${i}}`);
    expect(sent).toHaveLength(3);
    expect(commands.stats).toMatchObject({ waiting: 3, limited: 2 });
    expect(watch.counts.commands_waiting).toBe(2);
    expect(take().filter(busy)).toEqual([
      expect.stringContaining('"id":3,"channel":"relay"'),
      expect.stringContaining('"id":4,"channel":"relay"'),
    ]);
    for (const answer of unanswered) answer();
    expect(commands.stats.waiting).toBe(0);
    set('{"relay": true}');
    expect(sent).toHaveLength(4);
  });
});

it('a retained command is ignored, counted and told', () => {
  const { commands, sent, lines } = setUp();
  commands.set(device.alias, Buffer.from('{"relay": true}'), true);
  commands.setChannel(device.alias, 'relay', Buffer.from('ON'), true);
  expect([sent.length, commands.stats.retained, lines.length]).toEqual([0, 2, 1]);
  expect(lines[0]).toContain('without retain');
});

it('deep JSON is refused before it is looked into', () => {
  const { set, take, sent } = setUp();
  for (const text of [`{"relay":${'['.repeat(4_000)}`, '{"a":'.repeat(1_500), `{"relay":{"a":1}}`, '['.repeat(8_000)]) {
    set(text);
    expect(take()).toEqual([expect.stringContaining('bad_request')]);
  }
  expect(sent).toEqual([]);
});
