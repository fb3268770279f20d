import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { rateLimited } from '../../../gateway/log.ts';
import type { Log } from '../../../gateway/log.ts';
import { select } from '../../../gateway/select.ts';
import type { StreamChannel } from '../../../gateway/sources/source.ts';
import { LINGER_MS, OUTPUT_LIMIT } from '../../../gateway/sources/stream-channel.ts';
import { loadTlsCredentials, type TlsFiles, validityWarning } from '../../../gateway/sources/tls-credentials.ts';
import { type TlsServerOptions, TlsServerSource } from '../../../gateway/sources/tls-server.ts';
import { type Certificates, makeCertificates } from '../../helpers/certificates.ts';
import { lacks } from '../../helpers/programs.ts';
import { acceptStream, type FakeContext, fakeContext, readBytes, untilState } from './context.ts';

const withoutOpenssl = lacks('openssl');
let pem: Certificates;
beforeAll(() => {
  if (!withoutOpenssl) pem = makeCertificates();
});
afterAll(() => pem?.remove());

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** A context whose log is a list of lines. */
function loggingContext(): { context: FakeContext; lines: string[] } {
  const lines: string[] = [];
  const say = (_first: string | object, message?: string): void => void lines.push(message ?? '');
  const log: Log = {
    debug: say,
    info: say,
    warn: say,
    error: say,
    fatal: say,
    child: () => log,
    isLevelEnabled: () => true,
  };
  const plain = fakeContext();
  return { context: { ...plain, log: rateLimited(log, () => plain.now()) }, lines };
}

interface Given extends Partial<TlsServerOptions> {
  readonly clientCa?: boolean;
}

async function listen({ clientCa, ...given }: Given = {}, context = fakeContext()): Promise<TlsServerSource> {
  const files = { ...pem.server, clientCa: clientCa === true ? pem.ca.cert : undefined };
  const fixed = { host: '127.0.0.1', port: 0, handshakeMs: 5_000, maxHandshakes: 64 };
  const source = new TlsServerSource({ ...fixed, files, ...given }, context);
  cleanups.push(() => source.close());
  await source.open();
  return source;
}

function call(source: TlsServerSource, options: ConnectionOptions = {}): TLSSocket {
  const where = { host: '127.0.0.1', port: source.address!.port, servername: 'localhost' };
  // The types of Node leave out that options go on to the socket below.
  const all: ConnectionOptions = { ...where, ca: readFileSync(pem.ca.cert), ...options };
  const client = connectTls(Object.assign(all, { allowHalfOpen: true }));
  client.on('error', () => undefined);
  cleanups.push(() => client.destroy());
  return client;
}

function callPlain(source: TlsServerSource): Socket {
  const client = connect({ port: source.address!.port, host: '127.0.0.1' });
  client.on('error', () => undefined);
  cleanups.push(() => client.destroy());
  return client;
}

async function pair(source: TlsServerSource, options: ConnectionOptions = {}): Promise<[TLSSocket, StreamChannel]> {
  const client = call(source, options);
  const channel = await acceptStream(source);
  cleanups.push(() => channel.abort());
  return [client, channel];
}

async function textUntilEnd(client: Socket): Promise<string> {
  const parts: Buffer[] = [];
  client.on('data', (part: Buffer) => parts.push(part));
  await once(client, 'end');
  return Buffer.concat(parts).toString();
}

/** Resolves when the source has turned somebody away. */
async function untilRefused(source: TlsServerSource, count = 1): Promise<Record<string, number>> {
  for (;;) {
    const total = [...source.refusals.values()].reduce((sum, n) => sum + n, 0);
    if (total >= count) return Object.fromEntries(source.refusals);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const closed = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.once('close', resolve));

describe.skipIf(withoutOpenssl)('a channel over TLS is a channel', () => {
  test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: bytes, names, half-close, answer after the end', async (version) => {
    const source = await listen();
    const [client, channel] = await pair(source, { minVersion: version, maxVersion: version });
    client.write('question');
    expect((await readBytes(channel, 8)).toString()).toBe('question');
    expect(client.getProtocol()).toBe(version);
    expect(channel.peer).toBe(`127.0.0.1:${client.localPort}`);
    expect(channel.id).toBe(`tcp:127.0.0.1:0/${channel.peer}`);
    client.end();
    await select([channel], [], [], undefined);
    expect(channel.read(10)).toEqual(new Uint8Array(0));
    const answer = Buffer.alloc(OUTPUT_LIMIT - 1, 'x');
    expect(channel.write(answer)).toBe(answer.length);
    channel.endWrite();
    expect(await textUntilEnd(client)).toBe(answer.toString());
    expect([channel.bytesRead, channel.bytesWritten]).toEqual([8, answer.length]);
    expect(channel.error).toBeUndefined();
    expect(source.refusals.size).toBe(0);
  });

  test('output to a peer that does not read is bounded; close cuts it in the end', async () => {
    const context = fakeContext();
    const source = await listen({}, context);
    const [client, channel] = await pair(source);
    client.pause();
    const chunk = Buffer.alloc(OUTPUT_LIMIT);
    while ((await select([], [channel], [], 50))[1].length > 0) channel.write(chunk);
    expect(channel.room).toBe(0);
    channel.close();
    const gone = closed(client);
    client.on('end', () => client.destroy());
    context.advance(LINGER_MS);
    client.resume();
    await gone;
  });

  test('abort ends it at once; a peer that vanishes is an error', async () => {
    const source = await listen();
    const [client, channel] = await pair(source);
    const gone = closed(client);
    channel.abort();
    channel.abort();
    client.resume();
    client.on('end', () => client.destroy());
    await gone;
    const raw = callPlain(source);
    await once(raw, 'connect');
    const second = call(source, { socket: raw });
    second.write('here');
    const other = await acceptStream(source);
    expect((await readBytes(other, 4)).toString()).toBe('here');
    raw.resetAndDestroy();
    await select([], [], [other], undefined);
    expect(other.error?.code).toBe('PEER_RESET');
  });
});

describe.skipIf(withoutOpenssl)('the handshake', () => {
  test('with a client CA only a certificate that it has signed gets in', async () => {
    const { context, lines } = loggingContext();
    const source = await listen({ clientCa: true }, context);
    const [client, channel] = await pair(source, pem.read(pem.device));
    client.write('in');
    expect((await readBytes(channel, 2)).toString()).toBe('in');

    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const only = { minVersion: version, maxVersion: version };
      const stranger = call(source, { ...only, ...pem.read(pem.stranger) });
      stranger.on('end', () => stranger.destroy());
      stranger.resume();
      await closed(stranger);
      const nobody = call(source, only);
      nobody.on('end', () => nobody.destroy());
      nobody.resume();
      await closed(nobody);
    }
    expect(await untilRefused(source, 4)).toEqual({ 'bad-certificate': 2, 'no-certificate': 2 });
    expect(source.accept()).toBeUndefined();
    // One line for each cause, with the way out in it.
    expect(lines).toHaveLength(2);
    expect(lines.join('\n')).toContain('not signed by client_ca');
    expect(lines.join('\n')).toContain('client_ca demands one');
  });

  test('a session that was refused cannot be resumed', async () => {
    const source = await listen({ clientCa: true });
    const first = call(source, pem.read(pem.stranger));
    const sessions: Buffer[] = [];
    first.on('session', (session) => sessions.push(session));
    first.on('end', () => first.destroy());
    first.resume();
    await closed(first);
    await untilRefused(source);
    for (const session of sessions) {
      const again = call(source, { session });
      again.on('end', () => again.destroy());
      again.resume();
      await closed(again);
    }
    await untilRefused(source, 1 + sessions.length);
    expect(source.accept()).toBeUndefined();
  });

  test('what is not TLS, an old version, and a peer that does not trust us are told apart', async () => {
    const { context, lines } = loggingContext();
    const source = await listen({}, context);
    const http = callPlain(source);
    http.write('GET / HTTP/1.1\r\n\r\n');
    http.resume();
    await closed(http);
    const frame = callPlain(source);
    frame.write(Buffer.from('032001010101010101010b0101a1b2c3d4e5f60718010200', 'hex'));
    frame.resume();
    await closed(frame);
    expect(await untilRefused(source, 2)).toEqual({ 'no-tls': 2 });

    const old = call(source, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    await closed(old);
    // Unlike Node, openssl looks at the certificate before it completes the handshake.
    const trust = ['-CAfile', pem.stranger.cert, '-verify_return_error'];
    const s_client = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${source.address!.port}`, ...trust]);
    s_client.stdin.end();
    await once(s_client, 'close');
    expect(await untilRefused(source, 4)).toEqual({ 'no-tls': 2, 'old-version': 1, 'refused-by-peer': 1 });
    expect(lines[0]).toMatch(/the TLS handshake with 127\.0\.0\.1:\d+ failed: the peer does not speak TLS/);
    // Nothing of what was sent is in them.
    expect(lines.join('')).not.toContain('GET');
  });

  test('one that is not complete in time is cut, also when the peer has sent FIN', async () => {
    const context = fakeContext();
    const source = await listen({ handshakeMs: 5_000 }, context);
    const silent = callPlain(source);
    const ended = callPlain(source);
    ended.end();
    const byteByByte = callPlain(source);
    byteByByte.write(Buffer.from([0x16, 0x03]));
    while (source.handshakes < 3) await new Promise((resolve) => setImmediate(resolve));
    context.advance(4_999);
    expect(source.refusals.size).toBe(0);
    context.advance(1);
    for (const client of [silent, ended, byteByByte]) if (!client.closed) await closed(client);
    // What node:tls says about a socket that we have cut is not counted again.
    const [, channel] = await pair(source);
    expect(channel.error).toBeUndefined();
    expect(Object.fromEntries(source.refusals)).toEqual({ timeout: 3 });
    expect(source.handshakes).toBe(0);
    expect(context.timers.size).toBe(1);
  });

  test('too many at once: the oldest of the address that has the most goes', async () => {
    const source = await listen({ maxHandshakes: 2 });
    const first = callPlain(source);
    await once(first, 'connect');
    while (source.handshakes < 1) await new Promise((resolve) => setImmediate(resolve));
    const others = [callPlain(source), callPlain(source)];
    await closed(first);
    expect(others.every((other) => !other.destroyed)).toBe(true);
    // An honest one gets through though the slow ones go on.
    const [, channel] = await pair(source);
    expect(channel.error).toBeUndefined();
    expect(source.refusals.get('too-many')).toBe(2);
  });

  test('the handshake rate is asked before anything is computed', async () => {
    const asked: string[] = [];
    const admitHandshake = (address: string): number => asked.push(address);
    const source = await listen({}, { ...fakeContext(), admitHandshake });
    await closed(callPlain(source));
    expect(asked).toEqual(['127.0.0.1']);
    expect(Object.fromEntries(source.refusals)).toEqual({ 'rate-limited': 1 });
  });

  test('closing the source ends those under way', async () => {
    const context = fakeContext();
    const source = await listen({}, context);
    const client = callPlain(source);
    while (source.handshakes < 1) await new Promise((resolve) => setImmediate(resolve));
    const gone = closed(client);
    await source.close();
    await gone;
    expect(context.timers.size).toBe(0);
  });
});

function faultOf(files: Partial<TlsFiles>): string {
  const loaded = loadTlsCredentials({ ...pem.server, clientCa: undefined, ...files });
  return loaded.ok ? 'ok' : loaded.file;
}

describe.skipIf(withoutOpenssl)('certificate and key', () => {
  test('are tried together', () => {
    const junk = join(pem.folder, 'junk.pem');
    writeFileSync(junk, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    expect(faultOf({})).toBe('ok');
    expect(faultOf({ clientCa: pem.ca.cert })).toBe('ok');
    expect(faultOf({ key: pem.device.key })).toBe('key');
    expect(faultOf({ key: pem.server.cert })).toBe('key');
    expect(faultOf({ cert: pem.server.key })).toBe('cert');
    expect(faultOf({ cert: junk })).toBe('cert');
    expect(faultOf({ clientCa: junk })).toBe('clientCa');
    expect(faultOf({ cert: join(pem.folder, 'missing.pem') })).toBe('cert');
    expect(faultOf({ clientCa: pem.folder })).toBe('clientCa');
  });

  test('the end of a certificate is told a month before', () => {
    const loaded = loadTlsCredentials({ ...pem.signed('short', 10), clientCa: undefined });
    if (!loaded.ok) throw new Error(loaded.message);
    expect(validityWarning(loaded, loaded.validFrom + 1)).toContain('expires in');
    expect(validityWarning(loaded, loaded.validTo)).toContain('has expired');
    expect(validityWarning(loaded, loaded.validFrom - 1)).toContain('valid only from');
    const long = loadTlsCredentials({ ...pem.server, clientCa: undefined });
    expect(long.ok && validityWarning(long, Date.now())).toBeUndefined();
  });

  test('and once a day by a gateway that runs on', async () => {
    const { context, lines } = loggingContext();
    const files = { ...pem.signed('soon', 31), clientCa: undefined };
    // Not before: a certificate is valid from the full second on in which it was made.
    let wall = Date.now();
    await listen({ files, wallNow: () => wall }, context);
    expect(lines).toEqual([]);
    wall += 2 * 86_400_000;
    context.advance(86_400_000);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('expires in');
  });

  test('a listener whose files are no good fails, and is tried again', async () => {
    const context = fakeContext();
    const key = join(pem.folder, 'late.key');
    const source = await listen({ files: { cert: pem.server.cert, key, clientCa: undefined } }, context);
    expect(source.state).toBe('failed');
    expect(source.error?.code).toBe('TLS_CERTIFICATE');
    writeFileSync(key, readFileSync(pem.server.key));
    context.advance(10_000);
    await untilState(source, ({ state }) => state === 'open');
    await pair(source);
  });
});
