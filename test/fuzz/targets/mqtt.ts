/** What a broker and its clients send: acknowledgements, commands, requests. */
import { VALUE_TYPES } from '../../../protocol/index.ts';
import type { Random } from '../../../device-sim/random.ts';
import { convert, convertText } from '../../../gateway/mqtt/command-value.ts';
import { parseFlatObject } from '../../../gateway/mqtt/flat-json.ts';
import { PubackScanner } from '../../../gateway/mqtt/puback-scanner.ts';
import { concat, equal, must, noise, pick, type Target } from '../target.ts';

const MAX_ID = 100;
const MAX_INCOMING = 200;

/** One MQTT packet as a broker may send it, the length field sometimes a lie or longer than it need be. */
function packet(random: Random): Uint8Array {
  const kind = pick(random, [0x40, 0x40, 0x40, 0x30, 0x31, 0xd0, 0x90, random.int(256)]);
  const body =
    kind === 0x40
      ? Uint8Array.from([0, random.int(130), ...noise(random, random.int(3))])
      : noise(random, random.int(random.int(8) === 0 ? 400 : 40));
  const claimed = random.int(10) === 0 ? random.int(40_000) : body.length;
  const length: number[] = [];
  let rest = claimed;
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  if (random.int(30) === 0) length.splice(0, length.length, 0xff, 0xff, 0xff, 0xff, 1);
  return concat([Uint8Array.of(kind), Uint8Array.from(length), body]);
}

function scan(input: Uint8Array, chunk: () => number): { ids: string; passed: Uint8Array; oversize: number } {
  let ids = '';
  const passed: Uint8Array[] = [];
  const scanner = new PubackScanner({
    maxId: MAX_ID,
    maxIncomingBytes: MAX_INCOMING,
    onPuback: (id, code) => {
      must(id >= 1 && id <= MAX_ID, `an acknowledgement of ${id}`);
      ids += `${id}:${code} `;
    },
    pass: (bytes) => void passed.push(bytes.slice()),
  });
  for (let at = 0; at < input.length; ) {
    const length = Math.max(1, chunk());
    scanner.push(input.slice(at, at + length));
    at += length;
  }
  return { ids, passed: concat(passed), oversize: scanner.oversize };
}

const JSON_PIECES = [
  '{',
  '}',
  '"a"',
  '"__proto__"',
  ':',
  ',',
  '1',
  '-0.5e9',
  'null',
  'true',
  '[',
  ']',
  '"\\u00e9"',
  ' ',
];

export const MQTT_TARGETS: readonly Target[] = [
  {
    name: 'mqtt-puback',
    about: 'the stream from a broker, cut in two ways',
    generate: (random) => concat(Array.from({ length: 1 + random.int(6) }, () => packet(random))),
    check: (input, random) => {
      const whole = scan(input, () => input.length);
      const pieces = scan(input, () => 1 + random.int(12));
      must(whole.ids === pieces.ids, `${whole.ids}| ${pieces.ids}`);
      must(equal(whole.passed, pieces.passed), 'cut differently it passes other bytes on');
      must(whole.oversize === pieces.oversize, 'cut differently it counts otherwise');
      must(whole.passed.length <= input.length, 'it passes on more than has come');
    },
  },
  {
    name: 'mqtt-command',
    about: 'values that somebody sets, as text and as JSON, for every type of channel',
    generate: (random) => {
      const pieces =
        random.int(2) === 0 ? JSON_PIECES : ['1', '.', '5', 'e', '-', 'ON', 'true', '99999999999999999999'];
      const text = Array.from({ length: random.int(12) }, () => pick(random, pieces)).join('');
      return new TextEncoder().encode(text);
    },
    check: (input) => {
      const text = Buffer.from(input).toString('utf8');
      const members = parseFlatObject(text);
      // What we take JSON.parse takes, too, and with the same names.
      if (members !== undefined) {
        const keys = Object.keys(JSON.parse(text, (_, value: unknown) => value) as object);
        must(
          keys.every((key) => members.has(key)),
          'other members than JSON.parse has',
        );
      }
      for (const { name: type, size } of VALUE_TYPES) {
        for (const scale of [0, -2, 127, -128]) {
          const values = [convertText(text, type, scale)];
          for (const member of members?.values() ?? []) values.push(convert(member, type, scale));
          for (const converted of values) {
            if (!converted.ok) must(converted.error !== '', 'refused without a reason');
            else if (typeof converted.value === 'number' && size < 8 && type !== 'f32') {
              must(Number.isInteger(converted.value), `${converted.value} as ${type}`);
            }
          }
        }
      }
    },
  },
];
