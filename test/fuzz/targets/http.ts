/** Who is let in to the pages and the API: headers of any content. */
import { isIP } from 'node:net';
import { Access, SESSION_COOKIE } from '../../../gateway/http/access.ts';
import type { Random } from '../../../device-sim/random.ts';
import { must, pick, type Target } from '../target.ts';

const TOKEN = 'a-token-of-24-characters';
const NAME = 'pi.local';
const access = new Access({ token: TOKEN, names: [NAME], now: () => 0 });
const SESSION = access.session ?? '';

const PIECES = [
  '127.0.0.1',
  '[::1]',
  'localhost',
  NAME,
  'evil.example',
  ':2880',
  'http://',
  'https://',
  'null',
  ' ',
  ';',
  '=',
];
PIECES.push(
  'Bearer ',
  TOKEN,
  SESSION_COOKIE,
  `${SESSION_COOKIE}=${SESSION}`,
  SESSION,
  '[',
  ']',
  '@',
  '%',
  '.',
  '1',
  '',
);

/** Host, origin, authorization and cookie, a line each. */
function headers(random: Random): Uint8Array {
  const header = (): string => Array.from({ length: random.int(4) }, () => pick(random, PIECES)).join('');
  return Buffer.from([pick(random, ['localhost', header()]), header(), header(), header()].join('\n'));
}

export const HTTP_TARGETS: readonly Target[] = [
  {
    name: 'http-access',
    about: 'headers of a request: nobody is let in without token, by another name, or from another page',
    generate: headers,
    check: (input, random) => {
      const [host, origin, authorization, cookie] = Buffer.from(input).toString('latin1').split('\n');
      const acts = random.int(2) === 0;
      // Another address each time: wrong tokens are counted by address.
      const address = `10.${random.int(256)}.${random.int(256)}.${random.int(256)}`;
      const { ok } = access.check({ host, origin, authorization, cookie, address, acts });
      if (!ok) return;
      must(authorization?.includes(TOKEN) === true || cookie?.includes(SESSION) === true, 'let in without the token');
      const name = (host ?? '')
        .replace(/:\d+$/, '')
        .replace(/^\[|\]$/g, '')
        .toLowerCase();
      must(isIP(name) !== 0 || name === 'localhost' || name === NAME, `let in under the name ${name}`);
      must(
        !acts || origin === undefined || origin === `http://${host}` || origin === `https://${host}`,
        'another page',
      );
    },
  },
];
