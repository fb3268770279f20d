/** The services on a datagram socket in memory, with senders that no real socket lets a test have. */
import { describe, expect, test } from 'vitest';
import type { ServiceDatagrams } from '../../../../gateway/sessions/services/service-datagrams.ts';
import { serveDatagrams } from '../../../../gateway/sessions/services/services.ts';
import { SERVICES, type ServiceName } from '../../../../gateway/sessions/services/service-names.ts';
import { DatagramAnswers } from '../../../../gateway/limits/datagram-answers.ts';
import { LimitWatch } from '../../../../gateway/limits/limit-watch.ts';
import { rateLimited } from '../../../../gateway/log.ts';
import { GatewayError } from '../../../../gateway/errors.ts';
import { MemoryDatagrams, Stage } from './memory-channel.ts';

function start(name: ServiceName): { channel: MemoryDatagrams; stage: Stage<ServiceDatagrams> } {
  const channel = new MemoryDatagrams();
  const stage = new Stage(channel, (host) => {
    const watch = new LimitWatch(rateLimited(host.log, () => 0));
    // As limits.answers_per_s: 200, so 2,000 at once.
    return serveDatagrams(name, channel, host, new DatagramAnswers(200, () => host.now(), watch));
  });
  return { channel, stage };
}

function answers(name: ServiceName, ...requests: string[]): string[] {
  const { channel, stage } = start(name);
  for (const request of requests) channel.arrive(request);
  stage.settle();
  return channel.sent.map(({ bytes }) => Buffer.from(bytes).toString());
}

test('echo and upper answer with a datagram of the same size, discard with none', () => {
  expect(answers('echo', 'Ab', '', 'cde')).toEqual(['Ab', '', 'cde']);
  expect(answers('upper', 'aä', '')).toEqual(['Aä', '']);
  expect(answers('discard', 'x', '')).toEqual([]);
});

test('greet never says more than one and a half times the request', () => {
  expect(answers('greet', '', 'x', '1234', 'x'.repeat(100))).toEqual([
    '',
    'H',
    'Hello ',
    'Hello from bytes2mqtt. You are 192.0.2.7:50000.\r\n',
  ]);
});

test('greet writes an IPv6 address in brackets', () => {
  const { channel, stage } = start('greet');
  channel.arrive('x'.repeat(100), 50_000, 'fe80::1%eth0');
  stage.settle();
  expect(Buffer.from(channel.sent[0]?.bytes ?? []).toString()).toContain(' [fe80::1%eth0]:50000.');
});

test('time answers any datagram of three bytes and more with four bytes, and shorter ones not at all', () => {
  const { channel, stage } = start('time');
  for (const request of ['', 'ab', 'abc', 'any question']) channel.arrive(request);
  stage.settle();
  expect(channel.sent.map(({ bytes }) => bytes.length)).toEqual([4, 4]);
  expect(stage.session.refused).toBe(2);
});

test('two services that were set against each other fall silent', () => {
  const a = start('echo');
  const b = start('upper');
  // One datagram, forged to come from the other service; each answer is the next request.
  let [from, to] = [a, b];
  from.channel.arrive('ping', 40_007);
  let rounds = 0;
  for (; rounds < 10_000; rounds += 1) {
    const before = from.channel.sent.length;
    from.stage.settle();
    const answer = from.channel.sent[before];
    if (answer === undefined) break;
    to.channel.arrive(Buffer.from(answer.bytes).toString(), 40_008);
    [from, to] = [to, from];
  }
  expect(rounds).toBe(4_000);
});

describe('no loops', () => {
  test.each([0, 7, 13, 17, 19, 37])('nothing is sent to port %i, and that is counted', (port) => {
    for (const name of SERVICES) {
      const { channel, stage } = start(name);
      channel.arrive('ping', port);
      channel.arrive('ping', 50_000);
      stage.settle();
      expect(channel.sent.filter(({ peer }) => peer.port === port)).toEqual([]);
      if (name !== 'discard') expect([stage.session.refused, stage.session.datagramsOut]).toEqual([1, 1]);
    }
  });
});

test('a flood of empty datagrams is served within the budget of a turn', () => {
  const { channel, stage } = start('echo');
  for (let i = 0; i < 1_000; i += 1) channel.arrive('');
  stage.turn();
  expect(channel.sent.length).toBeGreaterThan(0);
  expect(channel.sent.length).toBeLessThan(100);
  stage.settle();
  expect(channel.sent).toHaveLength(1_000);
});

test('an answer that the socket has no room for is counted, not kept', () => {
  const { channel, stage } = start('echo');
  channel.full = true;
  channel.arrive('abc');
  stage.settle();
  expect([stage.session.unsent, stage.session.bytesIn, stage.session.bytesOut]).toEqual([1, 3, 0]);
});

test('an error of the socket ends the session, close() ends it without one', () => {
  const broken = start('echo');
  broken.channel.error = new GatewayError('IO_ERROR', 'memory');
  broken.stage.settle();
  expect([broken.stage.error?.code, broken.channel.closed]).toEqual(['IO_ERROR', true]);

  const stopped = start('echo');
  stopped.stage.session.close();
  stopped.stage.session.close();
  expect([stopped.stage.finished, stopped.stage.error, stopped.channel.closed]).toEqual([true, undefined, true]);
});
