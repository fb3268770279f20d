import { describe, expect, it } from 'vitest';
import { Access, type Asked, SESSION_COOKIE } from '../../../gateway/http/access.ts';

const TOKEN = 'correct-horse-battery';
let now = 0;
const open = new Access({ token: undefined, names: ['pi.local'], now: () => now });
const closed = (): Access => new Access({ token: TOKEN, names: [], now: () => now });

function asked(more: Partial<Asked> = {}): Asked {
  return {
    host: '127.0.0.1:2880',
    origin: undefined,
    authorization: undefined,
    cookie: undefined,
    address: '192.168.1.9',
    acts: false,
    ...more,
  };
}

describe('the name by which the page is called', () => {
  it.each(['localhost', 'LOCALHOST:2880', '127.0.0.1', '[::1]:2880', '192.168.1.5:2880', 'pi.local', 'Pi.Local:2880'])(
    '%s is good',
    (host) => expect(open.check(asked({ host }))).toEqual({ ok: true }),
  );

  it.each([undefined, '', 'evil.example', 'pi.local.evil.example', 'localhost.', '[::1', 'a:b:c', '127.0.0.1:1:2'])(
    '%s is refused',
    (host) => expect(open.check(asked({ host }))).toEqual({ ok: false, status: 421 }),
  );
});

describe('the page that a request comes from', () => {
  it('is asked only of requests that may change something', () => {
    const origin = 'http://evil.example';
    expect(open.check(asked({ origin }))).toEqual({ ok: true });
    expect(open.check(asked({ origin, acts: true }))).toEqual({ ok: false, status: 403 });
  });

  it.each(['http://127.0.0.1:2880', 'https://127.0.0.1:2880', undefined])('%s is ours', (origin) =>
    expect(open.check(asked({ origin, acts: true }))).toEqual({ ok: true }),
  );

  it.each(['null', 'http://127.0.0.1', 'http://127.0.0.1:2881', 'http://127.0.0.1:2880.evil.example'])(
    '%s is not',
    (origin) => expect(open.check(asked({ origin, acts: true }))).toEqual({ ok: false, status: 403 }),
  );
});

describe('the token', () => {
  it('is wanted of everything once there is one', () => {
    expect(closed().check(asked())).toEqual({ ok: false, status: 401 });
    expect(closed().check(asked({ authorization: `Bearer ${TOKEN}` }))).toEqual({ ok: true });
    expect(closed().check(asked({ authorization: `Bearer ${TOKEN}x` }))).toEqual({ ok: false, status: 401 });
    expect(closed().check(asked({ authorization: `Basic ${TOKEN}` }))).toEqual({ ok: false, status: 401 });
  });

  it('may be replaced by the cookie of a browser that has sent it, and by no other', () => {
    const { session } = closed();
    const cookie = `a=b; ${SESSION_COOKIE}=${session}; c=d`;
    expect(closed().check(asked({ cookie }))).toEqual({ ok: true });
    expect(session).not.toContain(TOKEN);
    expect(closed().check(asked({ cookie: `${SESSION_COOKIE}=${TOKEN}` }))).toEqual({ ok: false, status: 401 });
    expect(closed().check(asked({ cookie: `x${SESSION_COOKIE}=${session}` }))).toEqual({ ok: false, status: 401 });
  });

  it('cannot be guessed at speed', () => {
    const access = closed();
    const guess = (n: number, address: string): unknown =>
      access.check(asked({ address, authorization: `Bearer guess${n}` }));
    for (let n = 0; n < 10; n++) expect(guess(n, '10.0.0.1')).toEqual({ ok: false, status: 401 });
    expect(guess(10, '10.0.0.1')).toEqual({ ok: false, status: 429 });
    // Not even the right one is told now, so that a guess says nothing.
    expect(access.check(asked({ address: '10.0.0.1', authorization: `Bearer ${TOKEN}` }))).toEqual({
      ok: false,
      status: 429,
    });
    expect(guess(0, '10.0.0.2')).toEqual({ ok: false, status: 401 });
    now += 60_000;
    expect(access.check(asked({ address: '10.0.0.1', authorization: `Bearer ${TOKEN}` }))).toEqual({ ok: true });
  });
});
