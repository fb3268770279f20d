/** The services on a stream in memory, where a send takes what the test says and time passes when it says so. */
import { describe, expect, test } from 'vitest';
import { HEAD_MS, MAX_HEAD_BYTES, SNIFF_MS } from '../../../../gateway/sessions/services/http-courtesy.ts';
import { IDLE_MS } from '../../../../gateway/sessions/services/service-stream.ts';
import type { ServiceStream } from '../../../../gateway/sessions/services/service-stream.ts';
import { serveStream } from '../../../../gateway/sessions/services/services.ts';
import { SERVICES, type ServiceName } from '../../../../gateway/sessions/services/service-names.ts';
import { READ, WRITE } from '../../../../gateway/sources/source.ts';
import { MemoryStream, Stage } from './memory-channel.ts';

function start(
  name: ServiceName,
  channel = new MemoryStream(),
  idleMs?: number,
): { channel: MemoryStream; stage: Stage<ServiceStream> } {
  const options = idleMs === undefined ? {} : { idleMs };
  return { channel, stage: new Stage(channel, (host) => serveStream(name, channel, host, options)) };
}

function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 8)) % 256));
}

/** What a browser sees that sends `request` in pieces. */
function answerTo(name: ServiceName, request: string, piece = request.length): { head: string; body: string } {
  const { channel, stage } = start(name);
  for (let at = 0; at < request.length; at += piece) {
    channel.arrive(request.slice(at, at + piece));
    stage.settle();
  }
  channel.take();
  expect(channel.closed).toBe(true);
  const [head = '', ...body] = channel.taken.toString('latin1').split('\r\n\r\n');
  return { head, body: body.join('\r\n\r\n') };
}

describe('echo', () => {
  test('returns every byte value, however the stream is cut', () => {
    const { channel, stage } = start('echo');
    const bytes = pattern(600);
    for (const byte of bytes) {
      channel.arrive(Uint8Array.of(byte));
      stage.settle();
    }
    channel.take();
    expect(channel.taken.equals(bytes)).toBe(true);
    expect([stage.session.bytesIn, stage.session.bytesOut]).toEqual([600, 600]);
  });

  test('does not read while output waits, keeps at most one budget, and loses nothing', () => {
    const { channel, stage } = start('echo', new MemoryStream(1_000));
    const bytes = pattern(100_000);
    channel.arrive(bytes);
    channel.arriveEnd();
    stage.settle();
    expect(stage.interest).toBe(WRITE);
    expect(channel.unread).toBe(100_000 - 4_096);
    while (!stage.finished) {
      channel.take(333);
      stage.settle();
      expect(stage.session.bytesIn - stage.session.bytesOut).toBeLessThanOrEqual(4_096);
    }
    channel.take();
    expect(channel.taken.equals(bytes)).toBe(true);
    expect(channel.longestRead).toBe(4_096);
    expect([channel.closed, stage.error]).toEqual([true, undefined]);
  });

  test('reads again once the peer has taken the answer', () => {
    const { channel, stage } = start('echo', new MemoryStream(10));
    channel.arrive('0123456789abcdef');
    stage.settle();
    expect(stage.interest).toBe(WRITE);
    channel.take();
    stage.settle();
    expect(stage.interest).toBe(READ);
  });

  test('a half-closed peer gets its last bytes before the close', () => {
    const { channel, stage } = start('echo', new MemoryStream(4));
    channel.arrive('half closed');
    channel.arriveEnd();
    stage.settle();
    channel.take();
    stage.settle();
    expect([channel.closed, stage.finished]).toEqual([false, false]);
    channel.take();
    stage.settle();
    expect([channel.closed, stage.finished]).toEqual([true, true]);
    channel.take();
    expect(channel.taken.toString()).toBe('half closed');
  });
});

describe('upper', () => {
  test('turns a–z only, and a character cut in half meets again unchanged', () => {
    const { channel, stage } = start('upper');
    for (const byte of Buffer.from('grüße, 25 °C — @`{|} ΩЖ\n')) {
      channel.arrive(Uint8Array.of(byte));
      stage.settle();
    }
    channel.take();
    expect(channel.taken.toString()).toBe('GRüßE, 25 °C — @`{|} ΩЖ\n');
  });
});

describe('greet', () => {
  const line = 'Hello from bytes2mqtt. You are 192.0.2.7:50122.\r\n';

  test('waits a moment for a browser, then says its line and closes without RST', () => {
    const { channel, stage } = start('greet');
    stage.settle();
    stage.pass(SNIFF_MS - 1);
    expect(stage.session.bytesOut).toBe(0);
    stage.pass(1);
    channel.take();
    expect(channel.taken.toString()).toBe(line);
    expect([channel.closed, channel.aborted, stage.finished, stage.error]).toEqual([true, false, true, undefined]);
  });

  test('greets at once who speaks first', () => {
    const { channel, stage } = start('greet');
    channel.arrive('hello?\r\n');
    stage.settle();
    channel.take();
    expect(channel.taken.toString()).toBe(line);
    expect(channel.closed).toBe(true);
  });

  test('greets a peer that half-closes at once', () => {
    const { channel, stage } = start('greet');
    channel.arriveEnd();
    stage.settle();
    channel.take();
    expect(channel.taken.toString()).toBe(line);
    expect(stage.finished).toBe(true);
  });
});

describe('discard', () => {
  test('says nothing, counts, and closes after FIN', () => {
    const { channel, stage } = start('discard');
    channel.arrive(pattern(50_000));
    stage.settle();
    expect([stage.session.bytesIn, stage.session.bytesOut, stage.finished]).toEqual([50_000, 0, false]);
    channel.arriveEnd();
    stage.settle();
    expect([channel.closed, stage.finished]).toEqual([true, true]);
  });
});

describe('a browser', () => {
  const head = 'GET /hi?a=<script> HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n';

  test.each([1, 7, 1_000])('gets its own request as plain text, in pieces of %i', (piece) => {
    const answer = answerTo('echo', head, piece);
    expect(answer.head.split('\r\n')).toEqual([
      'HTTP/1.0 200 OK',
      'Content-Type: text/plain; charset=utf-8',
      'X-Content-Type-Options: nosniff',
      `Content-Length: ${head.length}`,
      'Cache-Control: no-store',
      'Connection: close',
    ]);
    expect(answer.body).toBe(head);
  });

  test('gets it in upper case from upper, and the line from greet', () => {
    expect(answerTo('upper', head).body).toBe(head.toUpperCase());
    expect(answerTo('greet', head, 5).body).toBe('Hello from bytes2mqtt. You are 192.0.2.7:50122.\r\n');
  });

  test('a form that a page posts comes back labelled as plain text too, without its body', () => {
    const post = 'POST / HTTP/1.1\r\nHost: x\r\n\r\n';
    const answer = answerTo('echo', `${post}<script>alert(1)</script>`);
    expect(answer.head).toContain('text/plain');
    expect(answer.body).toBe(post);
  });

  test('a head without end is answered as far as it came: at its limit, at the deadline, at FIN', () => {
    const line = 'GET / HTTP/1.1\r\n';
    expect(answerTo('echo', `${line}Cookie: ${'x'.repeat(20_000)}`, 3_000).body).toHaveLength(MAX_HEAD_BYTES);

    const late = start('echo');
    late.channel.arrive(line);
    late.stage.settle();
    late.stage.pass(HEAD_MS - 1);
    expect(late.stage.session.bytesOut).toBe(0);
    late.stage.pass(1);
    late.channel.take();
    expect(late.channel.taken.toString()).toMatch(/^HTTP\/1\.0 200 OK\r\n[^]*\r\n\r\nGET \/ HTTP\/1\.1\r\n$/);

    const closed = start('echo');
    closed.channel.arrive(line);
    closed.channel.arriveEnd();
    closed.stage.settle();
    closed.channel.take();
    expect(closed.channel.taken.toString()).toMatch(/^HTTP\/1\.0 200 OK/);
  });
});

describe('what only begins like HTTP', () => {
  test.each([
    'GET\n',
    'GETTING /',
    'GET http',
    'get / HTTP/1.1\r\n',
    'GET / HTTP\n',
    'GET /a b HTTP/1.1\r\n',
    'P',
    ' GET /',
  ])('%j is raw', (text) => {
    const { channel, stage } = start('echo');
    for (const byte of Buffer.from(text)) {
      channel.arrive(Uint8Array.of(byte));
      stage.settle();
    }
    stage.pass(SNIFF_MS);
    channel.arrive('then more');
    stage.settle();
    channel.take();
    expect(channel.taken.toString()).toBe(`${text}then more`);
  });

  test('is held at most for a moment, and given back at FIN', () => {
    const slow = start('echo');
    slow.channel.arrive('GET /never');
    slow.stage.settle();
    expect(slow.stage.session.bytesOut).toBe(0);
    slow.stage.pass(SNIFF_MS);
    expect(slow.stage.session.bytesOut).toBe(10);

    const ended = start('upper');
    ended.channel.arrive('GET /x');
    ended.channel.arriveEnd();
    ended.stage.settle();
    ended.channel.take();
    expect([ended.channel.taken.toString(), ended.stage.finished]).toEqual(['GET /X', true]);
  });

  test('a request line longer than a head is raw, and whole', () => {
    const { channel, stage } = start('echo');
    const text = `GET /${'y'.repeat(30_000)}`;
    channel.arrive(text);
    stage.settle();
    channel.take();
    expect(channel.taken.toString()).toBe(text);
  });
});

describe('deadlines and ends', () => {
  test('a silent stream is closed after five minutes; a byte within them starts them anew', () => {
    const { channel, stage } = start('echo');
    stage.pass(IDLE_MS - 10);
    channel.arrive('x');
    stage.settle();
    stage.pass(10);
    stage.pass(IDLE_MS - 11);
    expect(stage.finished).toBe(false);
    stage.pass(1);
    expect([stage.error?.code, channel.closed, channel.aborted]).toEqual(['PEER_SILENT', true, false]);
  });

  test('a peer that does not read is dropped after five minutes', () => {
    const { channel, stage } = start('echo', new MemoryStream(10));
    channel.arrive('more than ten bytes');
    stage.settle();
    stage.pass(IDLE_MS);
    expect([stage.error?.code, channel.aborted]).toEqual(['PEER_SILENT', true]);
  });

  test('a stream without an idle limit stays', () => {
    const { stage } = start('echo', new MemoryStream(), Infinity);
    stage.pass(IDLE_MS * 1_000);
    expect(stage.finished).toBe(false);
    expect(stage.timers.nextAt).toBeUndefined();
  });

  test.each(SERVICES)('%s: the reset of a peer ends the session with its error and leaves no timer', (name) => {
    const { channel, stage } = start(name);
    channel.arrive('some bytes');
    channel.arriveReset();
    stage.settle();
    expect([stage.finished, stage.error?.code, channel.aborted]).toEqual([true, 'PEER_RESET', true]);
    expect(stage.timers.nextAt).toBeUndefined();
  });

  test.each(SERVICES)('%s: close() sends what it can, once, and leaves no timer', (name) => {
    const { channel, stage } = start(name);
    stage.session.close();
    stage.session.close();
    stage.session.onReady(READ);
    expect([stage.finished, stage.error, channel.closed]).toEqual([true, undefined, true]);
    expect(stage.timers.nextAt).toBeUndefined();
  });
});
