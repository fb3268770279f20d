/** Text from outside: UTF-8, what is shown of it, hex on the command line, aliases for topics. */
import { decodeUtf8, encodeUtf8, invalidUtf8At, printable, utf8Length } from '../../../protocol/index.ts';
import type { Random } from '../../../device-sim/random.ts';
import { parseHex } from '../../../gateway/commands/hex-input.ts';
import { aliasOf } from '../../../gateway/mqtt/topics.ts';
import { concat, equal, must, noise, pick, type Target } from '../target.ts';

const PIECES = [
  'a',
  'é',
  '温',
  '😀',
  '\u0000',
  '\u202e',
  '\\',
  '\n',
  '\u001b[2J',
  '#',
  '/',
  '+',
  '$SYS',
  '__proto__',
  '..',
];

function text(random: Random): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let n = random.int(8); n > 0; n--) {
    if (random.int(3) === 0) parts.push(noise(random, random.int(4)));
    else parts.push(new TextEncoder().encode(pick(random, PIECES)));
  }
  return concat(parts);
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** As the platform reads it, to compare. */
function reference(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

export const TEXT_TARGETS: readonly Target[] = [
  {
    name: 'utf8',
    about: 'our UTF-8 against that of the platform; printable text has one line and nothing hidden',
    generate: text,
    check: (input) => {
      const ours = decodeUtf8(input);
      must(ours === reference(input), 'another reading than the platform’s');
      must(ours === undefined || invalidUtf8At(input, 0, input.length) < 0, 'valid and invalid at once');
      const shown = printable(ours ?? Buffer.from(input).toString('latin1'), 40);
      // oxlint-disable-next-line no-control-regex
      must(!/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.test(shown), 'something hidden is shown');
      if (ours === undefined) return;
      must(equal(encodeUtf8(ours), input), 'it encodes to other bytes');
      must(utf8Length(ours) === input.length, 'another length');
    },
  },
  {
    name: 'alias',
    about: 'names from the wire on their way into topics',
    generate: text,
    check: (input) => {
      const name = Buffer.from(input).toString('utf8');
      const taken = new Set(['a', 'ch1']);
      const alias = aliasOf(name, taken, 'ch1');
      must(/^[a-z0-9_]{1,32}$/.test(alias), `"${alias}" is no level of a topic`);
      must(!taken.has(alias), 'an alias twice');
    },
  },
  {
    name: 'hex-input',
    about: 'what people paste as hex',
    generate: (random) => {
      const list = ['00', 'ff', ' ', '\n', '0x1', ',', 'g', '00000000: ', '|abc|', '*', '\\x41', '-'];
      return new TextEncoder().encode(Array.from({ length: random.int(20) }, () => pick(random, list)).join(''));
    },
    check: (input) => {
      const given = Buffer.from(input).toString('utf8');
      const result = parseHex(given);
      if (result.ok) must(result.bytes.length <= given.length, 'more bytes than digits');
      else must(result.line >= 1 && result.column >= 1 && result.message !== '', 'a fault without a place');
    },
  },
];
