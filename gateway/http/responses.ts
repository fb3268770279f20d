/** What goes back over HTTP, always with the headers that keep a browser safe. */
import type { ServerResponse } from 'node:http';

/** A whole answer; `body` of an object is sent as JSON. */
export interface Answer {
  readonly status: number;
  readonly type?: string;
  readonly body?: string | Uint8Array | object;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Scripts, styles, images and connections of our own only, and no page of anybody else around ours. Styles that a script
 * sets by the CSSOM are allowed by it, text in a style attribute is not.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "manifest-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // Not no-referrer: with that, a browser says "Origin: null" when a form is sent, that of the login for one.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'cache-control': 'no-store',
};

export function problem(status: number, error: string): Answer {
  return { status, body: { error } };
}

/** Sends the answer; of one to HEAD the head alone. */
export function send(response: ServerResponse, answer: Answer, head = false): void {
  const { status, body = '', headers = {} } = answer;
  const isData = typeof body === 'object' && !(body instanceof Uint8Array);
  const bytes = isData ? Buffer.from(JSON.stringify(body)) : Buffer.from(body);
  const type = answer.type ?? (isData ? 'application/json; charset=utf-8' : 'text/plain; charset=utf-8');
  response.writeHead(status, { ...SAFE_HEADERS, 'content-type': type, 'content-length': bytes.length, ...headers });
  response.end(head ? undefined : bytes);
}
