/**
 * A browser is a client too, but it shows no answer that is not HTTP. So the text services look at the first bytes of a
 * stream: a HTTP request line gets the service's answer as a small HTTP page; everything else is the raw service.
 *
 * ```
 *   'GET /hi HTTP/1.1 CR LF' 'Host: …' CR LF CR LF
 *   └─ request line: HTTP ─┘ └─ head up to the empty line, at most 8 KiB, at most 2 s ─┘
 * ```
 *
 * - Bytes are held back only while they can still become a request line, and at most 200 ms; the first byte that does not
 *   fit gives them all to the raw service. What begins like no request is never delayed.
 * - Only GET and POST count: they are what a page can make a browser send to any port without asking it first. Both are
 *   answered alike, so that neither brings a browser bytes that the page's author chose, unless labelled as plain text.
 * - The answer is text/plain with `nosniff`, never text/html: what is reflected must not run as a script.
 */
import type { ServiceStream, StreamService } from './service-stream.ts';

/** How long a stream may hesitate on its way to a request line. */
export const SNIFF_MS = 200;
/** How long the rest of the head may take; then what has come is answered. */
export const HEAD_MS = 2_000;
/** More of a head is not kept; what has come is answered. */
export const MAX_HEAD_BYTES = 8_192;

const METHODS = ['GET /', 'POST /'];
const REQUEST_LINE = /^(?:GET|POST) \/[^ \r\n]* HTTP\/1\.\d\r?\n/;
const END_OF_HEAD = /\r?\n\r?\n/;

/**
 * `raw` for raw clients; for a browser `page` makes the body from the request head as received. A service that speaks
 * first (it has an `onStart`) waits `SNIFF_MS` for a first byte, or it could never tell a browser.
 */
export function withHttpCourtesy(raw: StreamService, page: (head: Uint8Array) => Uint8Array): StreamService {
  return new HttpCourtesy(raw, page);
}

class HttpCourtesy implements StreamService {
  readonly #raw: StreamService;
  readonly #page: (head: Uint8Array) => Uint8Array;
  #state: 'sniffing' | 'head' | 'raw' = 'sniffing';
  /** What is held back, a byte a character: simple to match, and never more than a head and a read. */
  #held = '';

  constructor(raw: StreamService, page: (head: Uint8Array) => Uint8Array) {
    this.#raw = raw;
    this.#page = page;
  }

  onStart(stream: ServiceStream): void {
    if (this.#raw.onStart !== undefined) stream.setDeadline(SNIFF_MS);
  }

  onBytes(bytes: Uint8Array, stream: ServiceStream): void {
    if (this.#state === 'raw') {
      this.#raw.onBytes(bytes, stream);
      return;
    }
    if (this.#held === '' && !mayBecomeRequest(latin1(bytes.subarray(0, 8)))) {
      // The usual case: no copy of what is not HTTP.
      this.#goRaw(bytes, stream);
      return;
    }
    if (this.#state === 'sniffing' && this.#held === '') stream.setDeadline(SNIFF_MS);
    this.#held += latin1(bytes);
    if (this.#state === 'sniffing') this.#sniff(stream);
    if (this.#state === 'head') this.#collectHead(stream);
  }

  onEnd(stream: ServiceStream): void {
    if (this.#state === 'head') {
      this.#answer(this.#held.length, stream);
      return;
    }
    if (this.#state === 'sniffing') this.#goRaw(fromLatin1(this.#held), stream);
    this.#raw.onEnd(stream);
  }

  onDeadline(stream: ServiceStream): void {
    if (this.#state === 'head') this.#answer(this.#held.length, stream);
    else if (this.#state === 'sniffing') this.#goRaw(fromLatin1(this.#held), stream);
  }

  #sniff(stream: ServiceStream): void {
    if (mayBecomeRequest(this.#held)) return;
    if (REQUEST_LINE.test(this.#held)) {
      this.#state = 'head';
      stream.setDeadline(HEAD_MS);
    } else {
      this.#goRaw(fromLatin1(this.#held), stream);
    }
  }

  #collectHead(stream: ServiceStream): void {
    const end = END_OF_HEAD.exec(this.#held);
    if (end !== null) this.#answer(end.index + end[0].length, stream);
    else if (this.#held.length >= MAX_HEAD_BYTES) this.#answer(this.#held.length, stream);
  }

  #goRaw(bytes: Uint8Array, stream: ServiceStream): void {
    this.#state = 'raw';
    this.#held = '';
    stream.setDeadline(undefined);
    this.#raw.onStart?.(stream);
    if (bytes.length > 0) this.#raw.onBytes(bytes, stream);
  }

  #answer(headLength: number, stream: ServiceStream): void {
    const body = this.#page(fromLatin1(this.#held.slice(0, Math.min(headLength, MAX_HEAD_BYTES))));
    this.#held = '';
    stream.send(wrapInHttp(body));
    stream.finish();
  }
}

/** Whether this is the beginning of a request line, and more bytes will tell. False once the line is whole. */
function mayBecomeRequest(start: string): boolean {
  if (start.length > MAX_HEAD_BYTES || start.includes('\n')) return false;
  return METHODS.some((method) => (start.length < method.length ? method.startsWith(start) : start.startsWith(method)));
}

/** HTTP/1.0 (RFC 1945), since it ends with the connection and needs nothing else. */
function wrapInHttp(body: Uint8Array): Uint8Array {
  const head = [
    'HTTP/1.0 200 OK',
    'Content-Type: text/plain; charset=utf-8',
    'X-Content-Type-Options: nosniff',
    `Content-Length: ${body.length}`,
    'Cache-Control: no-store',
    'Connection: close',
    '',
    '',
  ].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

function fromLatin1(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}
