import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { serveStream } from '../../../../gateway/sessions/services/services.ts';
import { MemoryStream, Stage } from './memory-channel.ts';

/** Bytes that are often the beginning of a HTTP request, or nearly. */
const bytes = fc
  .array(
    fc.oneof(
      fc.constantFrom('GET', 'POST', ' ', '/', 'HTTP/1.', '1', '\r\n', '\n', '\r\n\r\n', 'Host: x'),
      fc.constantFrom('GET / HTTP/1.1\r\n', 'POST /form HTTP/1.0\n', 'GET /a', ' HTTP/1.1\r\n'),
      fc.uint8Array({ maxLength: 40 }).map((piece) => Buffer.from(piece).toString('latin1')),
    ),
    { maxLength: 12 },
  )
  .map((pieces) => Buffer.from(pieces.join(''), 'latin1'));

/** What echo sends for `input`, which comes in pieces of these sizes, to a peer that reads as slowly as it likes. */
function echo(input: Buffer, sizes: readonly number[], capacity: number, budget: number): Buffer {
  const channel = new MemoryStream(capacity);
  const stage = new Stage(channel, (host) => serveStream('echo', channel, host), budget);
  for (let at = 0, i = 0; at < input.length; i += 1) {
    const size = sizes[i % sizes.length] ?? 1;
    channel.arrive(input.subarray(at, at + size));
    at += size;
    stage.settle();
    if (i % 3 === 0) channel.take(capacity);
  }
  channel.arriveEnd();
  for (let turns = 0; !stage.finished && turns < 10_000; turns += 1) {
    channel.take(capacity);
    stage.settle();
  }
  channel.take();
  expect([stage.finished, stage.error, channel.closed]).toEqual([true, undefined, true]);
  return channel.taken;
}

test('echo returns exactly what was sent, or a HTTP page when it began with a request line, however it is cut', () => {
  fc.assert(
    fc.property(
      bytes,
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 1, max: 100 }),
      (input, sizes, capacity, budget) => {
        const answer = echo(input, sizes, capacity, budget);
        if (/^(GET|POST) \/[^ \r\n]* HTTP\/1\.\d\r?\n/.test(input.toString('latin1'))) {
          const page = answer.toString('latin1');
          const body = page.slice(page.indexOf('\r\n\r\n') + 4);
          expect(page).toMatch(/^HTTP\/1\.0 200 OK\r\nContent-Type: text\/plain;/);
          expect(input.toString('latin1').startsWith(body)).toBe(true);
          expect(body).toBe(/^[^]*?\r?\n\r?\n/.exec(input.toString('latin1'))?.[0] ?? input.toString('latin1'));
        } else {
          expect(answer.equals(input)).toBe(true);
        }
      },
    ),
    { numRuns: 500 },
  );
});
