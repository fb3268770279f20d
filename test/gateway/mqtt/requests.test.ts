import { describe, expect, it } from 'vitest';
import { LimitWatch } from '../../../gateway/limits/limit-watch.ts';
import { createLog, type LogLevel, rateLimited } from '../../../gateway/log.ts';
import { RequestError, Requests, standardRequests } from '../../../gateway/mqtt/requests.ts';
import { Topics } from '../../../gateway/mqtt/topics.ts';

function setUp() {
  const answers: string[] = [];
  const lines: string[] = [];
  const levels: LogLevel[] = [];
  let waiting: (() => void) | undefined;
  const handlers = standardRequests(
    {
      info: () => ({ version: '1' }),
      health: () => {
        throw new Error('secret detail');
      },
      sources: () => [{ id: 'tcp' }],
      devices: () => [],
      device: (name) => (name === 'greenhouse' ? { alias: name } : undefined),
      setLogLevel: (level) => levels.push(level),
      renameDevice: (name, alias) => ({ id: name, alias }),
      removeDevice: (name) => {
        throw new RequestError(`${name} is online`);
      },
      reload: async () => ({ applied: ['log.level'], needs_restart: [] }),
    },
    () => 42,
  );
  let nowMs = 0;
  const log = createLog({ level: 'error', pretty: false, write: (line) => lines.push(line) });
  const watch = new LimitWatch(rateLimited(log, () => nowMs));
  const pass = (ms: number): void => void (nowMs += ms);
  const requests = new Requests({
    connection: {
      publish: (topic, payload) => {
        answers.push(`${topic} ${payload}`);
        waiting?.();
      },
    },
    topics: new Topics('b'),
    handlers,
    log,
    requestsPerS: 2,
    watch,
    now: () => nowMs,
  });
  const ask = async (name: string, text: string): Promise<unknown> => {
    const answered = new Promise<void>((resolve) => {
      waiting = resolve;
    });
    requests.request(name, Buffer.from(text), false);
    await answered;
    const [topic, payload] = answers.pop()!.split(/ (.*)/s);
    expect(topic).toBe(`b/bridge/response/${name}`);
    return JSON.parse(payload!);
  };
  return { ask, requests, answers, lines, levels, watch, pass };
}

describe('Requests', () => {
  it.each([
    ['ping', '', { status: 'ok', data: { ts: 42 } }],
    ['info', '{"transaction":"t"}', { status: 'ok', data: { version: '1' }, transaction: 't' }],
    ['sources', '{"transaction":7}', { status: 'ok', data: [{ id: 'tcp' }], transaction: 7 }],
    ['device_get', '{"device":"greenhouse"}', { status: 'ok', data: { alias: 'greenhouse' } }],
    ['device_get', '{"device":"x"}', { status: 'error', error: 'no such device' }],
    ['log_level', '{"level":"debug"}', { status: 'ok', data: { level: 'debug' } }],
    ['device_rename', '{"device":"a","alias":"b"}', { status: 'ok', data: { id: 'a', alias: 'b' } }],
    ['device_remove', '{"device":"a"}', { status: 'error', error: 'a is online' }],
    ['reload', '', { status: 'ok', data: { applied: ['log.level'], needs_restart: [] } }],
  ])('answers %s %s', async (name, text, answer) => {
    expect(await setUp().ask(name, text)).toEqual(answer);
  });

  it.each([
    ['nope', '{"transaction":1}'],
    ['toString', ''],
    ['ping', 'not JSON'],
    ['ping', '[]'],
    ['ping', `"${'x'.repeat(9_000)}"`],
    ['device_get', '{}'],
    ['device_get', '{"device":{"__proto__":1}}'],
    ['log_level', '{"level":"loud"}'],
    ['device_rename', '{"device":"a"}'],
    ['device_rename', '{"alias":"a"}'],
    ['device_remove', '{}'],
  ])('answers %s %s with an error', async (name, text) => {
    expect(await setUp().ask(name, text)).toMatchObject({ status: 'error', error: expect.any(String) as string });
  });

  it('keeps the details of its own failures to the log', async () => {
    const { ask, lines } = setUp();
    expect(JSON.stringify(await ask('health', ''))).not.toContain('secret');
    expect(lines.join('')).toContain('secret detail');
  });

  it('ignores retained requests', () => {
    const { requests, answers } = setUp();
    requests.request('ping', Buffer.of(), true);
    expect([answers, requests.retained]).toEqual([[], 1]);
  });
});

it('a flood of requests is answered at the rate of limits.requests_per_s, ten seconds at once', async () => {
  const { ask, requests, answers, watch, pass } = setUp();
  for (let i = 0; i < 100; i++) requests.request('ping', Buffer.from(''), false);
  await new Promise((resolve) => setImmediate(resolve));
  expect(answers).toHaveLength(20);
  expect([requests.answered, requests.limited, watch.counts.requests_per_s]).toEqual([20, 80, 80]);
  pass(500);
  expect(await ask('ping', '')).toMatchObject({ status: 'ok' });
});

it('deep JSON is an error, or an empty answer, and nothing worse', async () => {
  const { ask } = setUp();
  expect(await ask('ping', '['.repeat(8_000))).toMatchObject({ status: 'error' });
  expect(await ask('ping', `{"a":${'['.repeat(4_000)}${']'.repeat(4_000)}}`)).toMatchObject({ status: 'ok' });
});
