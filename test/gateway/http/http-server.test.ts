import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayError } from '../../../gateway/errors.ts';
import { SESSION_COOKIE } from '../../../gateway/http/access.ts';
import { HttpServer, type HttpServerOptions, type Route } from '../../../gateway/http/http-server.ts';
import { StaticFiles } from '../../../gateway/http/static-files.ts';

const TOKEN = 'correct-horse-battery';
const LONG = `console.log(${'1+'.repeat(600)}1)`;

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  readonly text: string;
}

let folder: string;
let servers: HttpServer[];
let faults: unknown[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'b2m-http-'));
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>dashboard</title>');
  writeFileSync(join(folder, 'app-0a1b2c3d.js'), LONG);
  writeFileSync(join(folder, 'secret.pem'), 'no type of the dashboard');
  servers = [];
  faults = [];
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()));
  rmSync(folder, { recursive: true, force: true });
});

const ROUTES: Route[] = [
  { method: 'GET', path: '/api/state', answer: () => ({ status: 200, body: { up: true } }) },
  {
    method: 'GET',
    path: '/api/devices/:device/history',
    answer: ({ levels, query }) => ({ status: 200, body: { ...levels, channel: query.get('channel') } }),
  },
  { method: 'POST', path: '/api/devices/:device/set', answer: ({ data }) => ({ status: 200, body: data }) },
  {
    method: 'GET',
    path: '/api/broken',
    answer: () => {
      throw new TypeError('ours');
    },
  },
];

async function open(more: Partial<HttpServerOptions> = {}): Promise<HttpServer> {
  const server = new HttpServer({
    host: '127.0.0.1',
    port: 0,
    token: undefined,
    names: [],
    files: new StaticFiles(folder),
    routes: ROUTES,
    onUpgrade: (_request, socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n'),
    now: () => performance.now(),
    onState: () => undefined,
    onFault: (error) => faults.push(error),
    ...more,
  });
  servers.push(server);
  await server.open();
  return server;
}

function ask(
  server: HttpServer,
  path: string,
  more: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Reply> {
  const { method = 'GET', headers = {}, body } = more;
  const port = Number(server.where?.split(':').at(-1));
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        const whole = Buffer.concat(parts);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: whole, text: whole.toString() });
      });
    });
    asking.on('error', reject);
    asking.end(body);
  });
}

/** The request for a WebSocket, from a page of this origin. */
function upgrade(origin: string, more = ''): string {
  return `GET /ws HTTP/1.1\r\nhost: localhost\r\norigin: ${origin}\r\nconnection: upgrade\r\nupgrade: websocket\r\n${more}\r\n`;
}

/** Bytes as they are, and all that comes back until the connection ends. */
function raw(server: HttpServer, text: string): Promise<string> {
  const port = Number(server.where?.split(':').at(-1));
  return new Promise((resolve) => {
    let received = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (part: Buffer) => (received += part.toString()));
    socket.on('error', () => resolve(received));
    socket.on('close', () => resolve(received));
  });
}

describe('files', () => {
  it('serves the page, and hashed names for ever, compressed', async () => {
    const server = await open();
    const page = await ask(server, '/');
    expect(page).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
    expect(page.headers['cache-control']).toBe('no-cache');
    const script = await ask(server, '/app-0a1b2c3d.js', { headers: { 'accept-encoding': 'gzip, br' } });
    expect(script.headers).toMatchObject({ 'content-encoding': 'br', 'cache-control': /immutable/ });
    expect(brotliDecompressSync(script.body).toString()).toBe(LONG);
    expect((await ask(server, '/app-0a1b2c3d.js')).text).toBe(LONG);
    const head = await ask(server, '/app-0a1b2c3d.js', { method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, text: '', headers: { 'content-length': String(LONG.length) } });
  });

  it.each([
    '/../package.json',
    '/..%2fpackage.json',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/secret.pem',
    '//index.html',
    '/index.html/',
    '/app-0a1b2c3d.js%00',
    '/etc/passwd',
    '/__proto__',
  ])('has nothing at %s', async (path) => {
    const reply = await ask(await open(), path);
    expect(reply.status).toBeGreaterThanOrEqual(400);
    expect(reply.text).not.toContain('root:');
  });

  it('sends the headers that keep a browser safe with everything', async () => {
    const server = await open();
    for (const path of ['/', '/api/state', '/nothing']) {
      const { headers } = await ask(server, path);
      expect(headers['content-security-policy']).toContain("default-src 'none'");
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
      expect(headers['content-security-policy']).not.toContain('unsafe');
      expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'same-origin' });
    }
  });
});

describe('routes', () => {
  it('answers JSON, with levels decoded', async () => {
    const reply = await ask(await open(), '/api/devices/a%20b/history?channel=t');
    expect(JSON.parse(reply.text)).toEqual({ device: 'a b', channel: 't' });
  });

  it('changes nothing by GET, and takes JSON alone', async () => {
    const server = await open();
    const json = { 'content-type': 'application/json' };
    expect((await ask(server, '/api/devices/a/set')).status).toBe(405);
    expect((await ask(server, '/api/devices/a/set', { method: 'DELETE' })).status).toBe(405);
    const set = (headers: Record<string, string>, body: string): Promise<Reply> =>
      ask(server, '/api/devices/a/set', { method: 'POST', headers, body });
    expect((await set({ 'content-type': 'text/plain' }, '{"x":1}')).status).toBe(415);
    expect((await set(json, '[1]')).status).toBe(400);
    expect((await set(json, '{')).status).toBe(400);
    expect((await set(json, JSON.stringify({ x: 'y'.repeat(20_000) }))).status).toBe(400);
    expect(JSON.parse((await set(json, '{"channel":"x","value":1}')).text)).toEqual({ channel: 'x', value: 1 });
  });

  it('survives its own mistakes and tells of them', async () => {
    const server = await open();
    expect((await ask(server, '/api/broken')).status).toBe(500);
    expect(faults).toHaveLength(1);
    expect((await ask(server, '/api/state')).status).toBe(200);
  });

  it('says that it does not understand what is no HTTP', async () => {
    const server = await open();
    expect(await raw(server, '\u0000\u0001garbage\r\n\r\n')).toContain('400 Bad Request');
    expect(await raw(server, `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)).toContain('400');
    expect((await ask(server, '/')).status).toBe(200);
  });
});

describe('access', () => {
  it('is refused under a name that is not ours', async () => {
    const server = await open();
    expect((await ask(server, '/api/state', { headers: { host: 'evil.example' } })).status).toBe(421);
  });

  it('is refused to a page of somebody else that would change something', async () => {
    const server = await open();
    const headers = { 'content-type': 'application/json', origin: 'http://evil.example' };
    expect((await ask(server, '/api/devices/a/set', { method: 'POST', headers, body: '{}' })).status).toBe(403);
  });

  it.each(['/', '/api/state', '/metrics', '/app-0a1b2c3d.js', '/nothing'])('wants the token for %s', async (path) => {
    const server = await open({ token: TOKEN });
    const refused = await ask(server, path);
    expect(refused.status).toBe(401);
    expect(refused.text).not.toContain('dashboard');
    expect((await ask(server, path, { headers: { authorization: `Bearer ${TOKEN}` } })).status).not.toBe(401);
  });

  it('lets a browser in by a form, and remembers it in a cookie that scripts cannot read', async () => {
    const server = await open({ token: TOKEN });
    const form = await ask(server, '/');
    expect(form.text).toContain('<form method="post" action="/login">');
    expect((await ask(server, '/login.css')).status).toBe(200);
    const login = (body: string, headers: Record<string, string> = {}): Promise<Reply> =>
      ask(server, '/login', { method: 'POST', headers, body });
    expect((await login('token=wrong')).status).toBe(401);
    expect((await login(`token=${TOKEN}`, { origin: 'http://evil.example' })).status).toBe(403);
    const entered = await login(`token=${TOKEN}`);
    expect(entered).toMatchObject({ status: 303, headers: { location: '/' } });
    const cookie = String(entered.headers['set-cookie']);
    expect(cookie).toMatch(/; HttpOnly; SameSite=Strict/);
    const session = new RegExp(`${SESSION_COOKIE}=[^;]+`).exec(cookie)?.[0] ?? '';
    expect((await ask(server, '/', { headers: { cookie: session } })).text).toContain('dashboard');
  });

  it('checks who opens a WebSocket', async () => {
    const server = await open();
    expect(await raw(server, upgrade('http://localhost'))).toContain('101');
    expect(await raw(server, upgrade('http://evil.example'))).toContain('403');
    expect(await raw(server, upgrade('http://localhost').replace('/ws', '/other'))).toContain('404');
    const closed = await open({ token: TOKEN });
    expect(await raw(closed, upgrade('http://localhost'))).toContain('401');
    expect(await raw(closed, upgrade('http://localhost', `authorization: Bearer ${TOKEN}\r\n`))).toContain('101');
  });
});

describe('the port', () => {
  it('that is taken is told', async () => {
    const first = await open();
    const port = Number(first.where?.split(':').at(-1));
    const errors: (GatewayError | undefined)[] = [];
    const second = await open({ port, onState: (error) => errors.push(error) });
    expect(second.where).toBeUndefined();
    expect(errors[0]).toMatchObject({ code: 'ADDRESS_IN_USE' });
  });
});
