/**
 * Who may ask (pure): decided before anything else of a request is looked at.
 *
 * ```
 *   Host ────→ a name of ours?        else 421: a page of somebody else whose name leads to us (DNS rebinding)
 *   Origin ──→ our own?               else 403: a page of somebody else sends a POST or opens a WebSocket
 *   token ───→ the right one?         else 401, and after too many wrong ones 429
 * ```
 *
 * A browser always says Origin with a POST and a WebSocket; who says none is no browser. Addresses as numbers are always
 * good as Host: no name in the DNS can be made to look like one.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { KeyedBuckets } from '../limits/keyed-buckets.ts';

/** What of a request is looked at; header values as node:http has them. */
export interface Asked {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly authorization: string | undefined;
  readonly cookie: string | undefined;
  /** Of the peer, as the socket tells it. */
  readonly address: string;
  /** Whether it may change something, or is a WebSocket: then Origin counts. */
  readonly acts: boolean;
}

export type Verdict = { readonly ok: true } | { readonly ok: false; readonly status: 401 | 403 | 421 | 429 };

export interface AccessOptions {
  /** Undefined: everybody who reaches the loopback address may. */
  readonly token: string | undefined;
  /** Names, besides localhost and addresses, by which the page may be called; lower case, without port. */
  readonly names: readonly string[];
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export const SESSION_COOKIE = 'bytes2mqtt_session';
/** Wrong tokens that one address may send at once, and a minute. */
const WRONG_BURST = 10;
const WRONG_PER_S = 10 / 60;

const GOOD: Verdict = { ok: true };

export class Access {
  readonly #token: Buffer | undefined;
  readonly #session: string | undefined;
  readonly #names: ReadonlySet<string>;
  readonly #wrong: KeyedBuckets;

  constructor({ token, names, now }: AccessOptions) {
    this.#token = token === undefined ? undefined : Buffer.from(token);
    this.#session = token === undefined ? undefined : sessionOf(token);
    this.#names = new Set(['localhost', ...names]);
    this.#wrong = new KeyedBuckets(WRONG_BURST, WRONG_PER_S, now);
  }

  /** What a browser keeps instead of the token; undefined: there is none to keep. */
  get session(): string | undefined {
    return this.#session;
  }

  check(asked: Asked): Verdict {
    const place = this.checkPlace(asked);
    if (!place.ok || this.#token === undefined) return place;
    const bearer = /^Bearer ([\x21-\x7e]{1,512})$/.exec(asked.authorization ?? '')?.[1];
    if (bearer !== undefined) return this.checkToken(bearer, asked.address);
    if (equal(cookieOf(asked.cookie), this.#session)) return GOOD;
    return { ok: false, status: 401 };
  }

  /** Host and Origin alone, for the request that brings the token. */
  checkPlace({ host, origin, acts }: Asked): Verdict {
    if (host === undefined || !this.#isOurs(nameOf(host))) return { ok: false, status: 421 };
    if (acts && origin !== undefined && !isSame(origin, host)) return { ok: false, status: 403 };
    return GOOD;
  }

  checkToken(token: string, address: string): Verdict {
    const wrong = this.#wrong.of(address);
    if (wrong.waitMs() > 0) return { ok: false, status: 429 };
    if (equal(token, this.#token?.toString())) return GOOD;
    wrong.take();
    return { ok: false, status: 401 };
  }

  #isOurs(name: string): boolean {
    return isIP(name) !== 0 || this.#names.has(name);
  }
}

/** `[::1]:2880` → `::1`, `Pi.local:2880` → `pi.local`. */
function nameOf(host: string): string {
  const name = /^\[([0-9a-fA-F:.]+)\](?::\d{1,5})?$/.exec(host)?.[1] ?? /^([^:[\]]+)(?::\d{1,5})?$/.exec(host)?.[1];
  return name?.toLowerCase() ?? '';
}

function isSame(origin: string, host: string): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}

/** From the token, so that it holds over a restart, and the token cannot be had from it. */
function sessionOf(token: string): string {
  return createHmac('sha256', token).update('bytes2mqtt dashboard session').digest('base64url');
}

function cookieOf(header: string | undefined): string | undefined {
  for (const part of (header ?? '').slice(0, 4_096).split(';')) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === SESSION_COOKIE) return part.slice(at + 1).trim();
  }
  return undefined;
}

/** In a time that does not tell how much of it is right. */
function equal(given: string | undefined, right: string | undefined): boolean {
  if (given === undefined || right === undefined) return false;
  const key = 'compare';
  const digest = (text: string): Buffer => createHmac('sha256', key).update(text).digest();
  return timingSafeEqual(digest(given), digest(right));
}
