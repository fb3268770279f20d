import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import * as protocol from '../../../protocol/index.ts';
import type { Message, MessageHeader } from '../../../protocol/index.ts';
import { lacks } from '../../helpers/programs.ts';

const { cobsEncode, crc32, decodeBody, decodeFrame, encodeMessage, encodeStreamFrame, linkStreamDecoder } = protocol;

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const spec = read('protocol/SPEC.md');

describe('SPEC.md', () => {
  it('says what the declarations say: run `npm run spec` when this fails', async () => {
    const script = new URL('../../../scripts/spec-tables.mjs', import.meta.url).href;
    const { generate } = (await import(script)) as {
      generate: (spec: string, module: unknown, vectors: unknown, secureVectors: unknown) => string;
    };
    const vectors = ['link', 'link-secure'].map((name) => JSON.parse(read(`test/vectors/${name}.json`)) as unknown);
    expect(generate(spec, protocol, vectors[0], vectors[1])).toBe(spec);
  });

  it('has a table and a good example for every message', () => {
    for (const { name } of protocol.MESSAGES) {
      const section = spec.split(`\n### ${name}\n`)[1]?.split('\n### ')[0] ?? '';
      const frame = Buffer.from(/^frame {2}([0-9a-f]+)$/m.exec(section)?.[1] ?? '', 'hex');
      const wire = Buffer.from(/^COBS {3}([0-9a-f]+)$/m.exec(section)?.[1] ?? '', 'hex');
      const decoded = decodeFrame(frame);
      expect(decoded.ok && decodeBody(decoded.frame), name).toMatchObject({ ok: true, message: { type: name } });
      expect(Buffer.from(encodeStreamFrame(frame)).equals(wire), name).toBe(true);
    }
  });

  it('encodes COBS as the code does', () => {
    const rows = [...spec.matchAll(/^\| `([0-9a-f]+)` \| `([0-9a-f]+) 00` \|$/gm)];
    expect(rows).toHaveLength(4);
    for (const [, frame = '', wire] of rows) {
      expect(Buffer.from(cobsEncode(Buffer.from(frame, 'hex'))).toString('hex')).toBe(wire);
    }
  });

  it('has the check value of the CRC', () => {
    expect(spec).toContain(`is \`${crc32(Buffer.from('123456789')).toString(16)}\``);
  });

  it('links to headings that exist', () => {
    const anchors = [...spec.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w\s-]/g, '')
        .replaceAll(' ', '-'),
    );
    for (const [, anchor] of spec.matchAll(/\]\(#([^)]+)\)/g)) expect(anchors).toContain(anchor);
  });
});

const client = /```python\n([\s\S]*?)```/.exec(spec)?.[1] ?? '';

type Send = (message: Message, header: MessageHeader) => void;
interface Result {
  messages: Message[];
  output: string;
  code: number;
}

/** A gateway just big enough; the client's messages come back in order. Noise and stale frames in between, as in life. */
async function run(answer: (message: Message, seq: number, send: Send) => void): Promise<Result> {
  const messages: Message[] = [];
  const server = createServer((socket: Socket) => {
    const decoder = linkStreamDecoder();
    const send: Send = (message, header) => socket.write(encodeStreamFrame(encodeMessage(message, header)));
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      decoder.push(Uint8Array.from(chunk));
      for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
        const decoded = item.kind === 'frame' ? decodeFrame(item.bytes) : undefined;
        const body = decoded?.ok ? decodeBody(decoded.frame) : undefined;
        if (!decoded?.ok || !body?.ok) throw new Error(`a bad frame: ${JSON.stringify(body ?? decoded)}`);
        messages.push(body.message);
        socket.write(Uint8Array.of(0, 5, 1, 2, 0));
        answer(body.message, decoded.frame.seq, send);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = String((server.address() as AddressInfo).port);
  const child = spawn('python3', ['-c', client, '127.0.0.1', port, '21.5', '-3.25', '0']);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  server.close();
  return { messages, output, code };
}

describe('the client in SPEC.md', () => {
  it('has at most 35 lines', () => {
    expect(client.trimEnd().split('\n').length).toBeLessThanOrEqual(35);
  });

  it.skipIf(lacks('python3'))('gets its readings acknowledged', async () => {
    const sid = 0x0100_0002;
    const { messages, output, code } = await run((message, seq, send) => {
      const flags = { schemaWanted: false };
      // Late answers to an earlier session: an ERROR that must not end this one, an ACK that acknowledges nothing here.
      send({ type: 'ERROR', code: 'unknown_session', retryAfter: 0, text: '' }, { sid: 7, seq: 0, down: true });
      send({ type: 'ACK', seq: 9, map: 0, flags }, { sid: 7, seq: 3 });
      if (message.type === 'HELLO') {
        const welcome = { boot: 9, unixMs: 1_767_225_600_000, flags, keepalive: 30, window: 8, maxFrame: 1024 };
        send({ type: 'WELCOME', ...welcome }, { sid, seq: 1 });
        return;
      }
      send({ type: 'PING', token: 0 }, { sid, seq: 2, down: true });
      send({ type: 'ACK', seq: seq - 1, map: 0, flags }, { sid, seq: 3 });
      send({ type: 'ACK', seq, map: 0, flags }, { sid, seq: 4 });
    });
    expect({ output, code }).toEqual({ output: 'acknowledged 1\nacknowledged 2\nacknowledged 3\n', code: 0 });
    expect(messages[0]).toMatchObject({
      type: 'HELLO',
      device: 0xa1b2c3d4e5f60718n,
      boot: 0,
      firstSeq: 1,
      schemaCrc: 0,
    });
    const values = messages.slice(1).map((message) => message.type === 'READINGS' && message.samples[0]?.values);
    expect(values).toEqual([21.5, -3.25, 0].map((value) => [{ channel: 1, type: 'f32', quality: 'good', value }]));
  });

  it.skipIf(lacks('python3'))('ends with the code of an ERROR that ends its session', async () => {
    const sid = 0x0100_0002;
    const { output, code } = await run((message, _seq, send) => {
      const flags = { schemaWanted: false };
      const welcome = { boot: 9, unixMs: 1_767_225_600_000, flags, keepalive: 30, window: 8, maxFrame: 1024 };
      if (message.type === 'HELLO') send({ type: 'WELCOME', ...welcome }, { sid, seq: 1 });
      else send({ type: 'ERROR', code: 'malformed', retryAfter: 0, text: '' }, { sid, seq: 2, down: true });
    });
    expect({ output, code }).toEqual({ output: 'ERROR code 4\n', code: 1 });
  });

  it.skipIf(lacks('python3'))('ends with the code of an ERROR that refuses its HELLO', async () => {
    const { output, code } = await run((_message, _seq, send) => {
      send(
        { type: 'ERROR', code: 'rate_limited', retryAfter: 5, text: 'x'.repeat(255) },
        { sid: 0, seq: 0, down: true },
      );
    });
    expect({ output, code }).toEqual({ output: 'ERROR code 7\n', code: 1 });
  });
});
