/**
 * The HTTP server: dashboard, API, live feed, metrics, health.
 *
 * ```
 *   request ─→ access (Host, Origin, token) ─┬─ GET  /            files of the dashboard
 *                                            ├─ GET  /api/…       JSON            POST /api/…  acts
 *                                            ├─ GET  /metrics /healthz /readyz
 *                                            └─ upgrade /ws       live feed
 * ```
 *
 * Nothing changes by GET. A port that is taken is told and tried again: readings do not depend on this server.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { GatewayError } from '../errors.ts';
import { listenError } from '../sources/io-errors.ts';
import { Access, type Asked, SESSION_COOKIE } from './access.ts';
import { LOGIN_ICON_PATH, LOGIN_STYLE, LOGIN_STYLE_PATH, loginPage } from './login-page.ts';
import { type Answer, problem, send } from './responses.ts';
import type { StaticFiles } from './static-files.ts';

export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Undefined: none is wanted; for the loopback address only. */
  readonly token: string | undefined;
  readonly names: readonly string[];
  readonly files: StaticFiles;
  readonly routes: readonly Route[];
  /** Takes over a connection that has asked for `/ws` and may. */
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Listening (no error), or not, and tried again. */
  readonly onState: (error: GatewayError | undefined) => void;
  /** A mistake of ours met while answering; the asker got a 500. */
  readonly onFault: (error: unknown) => void;
}

/** One address of the API. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** Levels; one that begins with a colon takes any text: `/api/devices/:device/history`. */
  readonly path: string;
  readonly answer: (call: Call) => Answer | Promise<Answer>;
}

export interface Call {
  /** What stood for the levels with a colon, decoded. */
  readonly levels: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Of POST: the JSON object that was sent. */
  readonly data: Readonly<Record<string, unknown>>;
}

const MAX_BODY_BYTES = 16_384;
const MAX_HEADER_BYTES = 8_192;
const MAX_CONNECTIONS = 128;
const HEADERS_MS = 10_000;
const REQUEST_MS = 15_000;
const RETRY_MS = 10_000;

export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #access: Access;
  readonly #server: Server;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const { token, names, now } = options;
    this.#access = new Access({ token, names, now });
    this.#server = createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      connectionsCheckingInterval: HEADERS_MS / 2,
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on('request', (request, response) => void this.#handle(request, response));
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    // While it listens: accept has failed, for want of file descriptors for one. It goes on.
    this.#server.on('error', () => undefined);
    this.#server.on('clientError', (_error, socket) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n');
    });
  }

  /** `host:port`, or undefined while it does not listen. */
  get where(): string | undefined {
    const address = this.#server.address() as AddressInfo | null;
    if (address === null) return undefined;
    return address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
  }

  /** Resolves when the first attempt is over, whether it succeeded or not. */
  async open(): Promise<void> {
    const { host, port, onState } = this.#options;
    await new Promise<void>((resolve) => {
      const failed = (cause: Error): void => {
        this.#server.off('listening', listening);
        onState(listenError('http', `${host}:${port}`, cause));
        if (!this.#closed) this.#retry = setTimeout(() => void this.open(), RETRY_MS).unref();
        resolve();
      };
      const listening = (): void => {
        this.#server.off('error', failed);
        onState(undefined);
        resolve();
      };
      this.#server.once('error', failed);
      this.#server.once('listening', listening);
      this.#server.listen({ host, port });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const head = request.method === 'HEAD';
    try {
      send(response, await this.#answer(request), head);
    } catch (error) {
      // A peer that hangs up in the middle is no mistake of ours, and nobody is left to answer.
      if (!request.complete || response.destroyed) response.destroy();
      else {
        send(response, problem(500, 'internal error'), head);
        this.#options.onFault(error);
      }
    }
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const { method = '', url = '/' } = request;
    if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') {
      return { ...problem(405, 'only GET, HEAD and POST'), headers: { allow: 'GET, HEAD, POST' } };
    }
    // Taken as it is: a URL parser would find a host in `//name/path`.
    const mark = url.indexOf('?');
    const pathname = mark === -1 ? url : url.slice(0, mark);
    const query = new URLSearchParams(mark === -1 ? '' : url.slice(mark));
    const asked = askedOf(request);
    if (method === 'POST' && pathname === '/login') return this.#login(request, asked);
    const verdict = this.#access.check(asked);
    if (!verdict.ok) return this.#refuse(verdict.status, pathname, method);
    if (method !== 'POST') {
      const file = this.#options.files.answer(pathname, request.headers['accept-encoding'] ?? '');
      if (file !== undefined) return file;
    }
    return this.#route(request, method === 'POST' ? 'POST' : 'GET', pathname, query);
  }

  async #route(
    request: IncomingMessage,
    method: Route['method'],
    path: string,
    query: URLSearchParams,
  ): Promise<Answer> {
    let known = false;
    for (const route of this.#options.routes) {
      const levels = match(route.path, path);
      if (levels === undefined) continue;
      known = true;
      if (route.method !== method) continue;
      if (method === 'GET') return route.answer({ levels, query, data: {} });
      if (!/^application\/json\b/.test(request.headers['content-type'] ?? '')) {
        return problem(415, 'the body must be JSON: content-type: application/json');
      }
      const body = await readBody(request);
      const data = body === undefined ? undefined : parseObject(body);
      if (data === undefined) return problem(400, `the body must be a JSON object of at most ${MAX_BODY_BYTES} bytes`);
      return route.answer({ levels, query, data });
    }
    if (path === '/' && this.#options.files.size === 0) return problem(404, 'the dashboard is not built');
    return known ? problem(405, 'not with this method') : problem(404, 'there is nothing here');
  }

  #refuse(status: 401 | 403 | 421 | 429, path: string, method: string): Answer {
    if (status === 401) {
      const isPage = method === 'GET' && path === '/';
      if (method === 'GET' && path === LOGIN_STYLE_PATH) return { status: 200, type: 'text/css', body: LOGIN_STYLE };
      const icon = path === LOGIN_ICON_PATH ? this.#options.files.answer(path, '') : undefined;
      if (icon !== undefined && method === 'GET') return icon;
      const headers = { 'www-authenticate': 'Bearer realm="bytes2mqtt"' };
      if (isPage) return { status, type: 'text/html; charset=utf-8', body: loginPage(false), headers };
      return { ...problem(status, 'a token is needed: authorization: Bearer TOKEN'), headers };
    }
    const sentences = {
      403: 'this request comes from another page',
      421: 'this page is not known by that name; add it to http.allowed_hosts',
      429: 'too many wrong tokens; wait a minute',
    };
    return problem(status, sentences[status]);
  }

  async #login(request: IncomingMessage, asked: Asked): Promise<Answer> {
    const place = this.#access.checkPlace(asked);
    if (!place.ok) return this.#refuse(place.status, '/login', 'POST');
    const body = await readBody(request);
    const token = body === undefined ? '' : (new URLSearchParams(body).get('token') ?? '');
    const { session } = this.#access;
    if (session === undefined) return { status: 303, headers: { location: '/' } };
    const verdict = this.#access.checkToken(token, asked.address);
    if (!verdict.ok) {
      const { status } = verdict;
      return { status, type: 'text/html; charset=utf-8', body: loginPage(status === 401) };
    }
    const cookie = `${SESSION_COOKIE}=${session}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000`;
    return { status: 303, headers: { location: '/', 'set-cookie': cookie } };
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => undefined);
    const verdict = this.#access.check({ ...askedOf(request), acts: true });
    const status = !verdict.ok ? verdict.status : request.url === '/ws' ? undefined : 404;
    if (status === undefined) this.#options.onUpgrade(request, socket, head);
    else socket.end(`HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  }
}

function askedOf(request: IncomingMessage): Asked {
  const { host, origin, authorization, cookie } = request.headers;
  const address = request.socket.remoteAddress ?? '';
  return { host, origin, authorization, cookie, address, acts: request.method === 'POST' };
}

/** The texts that stand for the levels with a colon, or undefined when the path is another one. */
function match(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/');
  const given = path.split('/', wanted.length + 1);
  if (given.length !== wanted.length) return undefined;
  const levels: Record<string, string> = {};
  for (const [at, level] of wanted.entries()) {
    const text = given[at] as string;
    if (!level.startsWith(':')) {
      if (level !== text) return undefined;
      continue;
    }
    try {
      levels[level.slice(1)] = decodeURIComponent(text);
    } catch {
      return undefined;
    }
  }
  return levels;
}

/** The body as text, or undefined when it is too long. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > MAX_BODY_BYTES) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // no JSON
  }
  return undefined;
}
