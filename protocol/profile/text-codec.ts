/** Text values: `ascii` characters, `hex` bytes as digits, and `bcd` of more digits than a number holds. */
import { encodeUtf8, utf8Length } from '../utf8.ts';
import type { Codec, CodecContext, GivenValue } from './codec.ts';
import type { ConvertSpec, Order } from './spec.ts';
import { fromHex, MAX_TEXT_BYTES, readText, toHex } from './text-value.ts';

const UNNAMED = '?';

/** The codec of a text; `size` says how many bytes, or is left to the place. */
export function textCodec(
  type: 'ascii' | 'hex' | 'bcd',
  spec: ConvertSpec,
  order: Order,
  { problems, path, inText }: CodecContext,
): Codec | undefined {
  if (spec.size === undefined && !inText) {
    problems.add(path, `${type} needs a size: a number of bytes, a place in the frame that says it, or end`);
    return undefined;
  }
  const fixedSize = typeof spec.size === 'number' && !inText ? spec.size : undefined;
  const characters = type === 'ascii';
  const names = spec.names === undefined ? undefined : new Map(Object.entries(spec.names));
  if (names !== undefined && !characters) problems.add([...path, 'names'], `${type} cannot have names`);
  // Half as many bytes as digits fit a text value.
  const maxBytes = Math.min(fixedSize ?? MAX_TEXT_BYTES, characters || inText ? MAX_TEXT_BYTES : MAX_TEXT_BYTES >> 1);
  const reversed = order === 'little';
  const readRaw = (data: Uint8Array, from: number, to: number): string => {
    if (characters || inText) return readText(data, from, to);
    return toHex(data, from, Math.min(to, from + (MAX_TEXT_BYTES >> 1)), reversed);
  };
  const other = names?.get('other');
  const read: Codec['read'] = (data, from, to) => {
    const text = readRaw(data, from, to);
    if (text === '') return undefined;
    if (type === 'bcd' && !/^\d*$/.test(text)) return undefined;
    return names === undefined ? text : (names.get(text) ?? other ?? text);
  };
  const toBytes = (value: GivenValue): Uint8Array => {
    let text = String(value);
    for (const [raw, name] of names ?? []) if (name === text && raw !== 'other') text = raw;
    // A text that has no name stands for all of them.
    if (names !== undefined && text === other && !names.has(UNNAMED)) text = UNNAMED;
    if (characters || inText) return encodeUtf8(text);
    const bytes = fromHex(type === 'bcd' && fixedSize !== undefined ? text.padStart(2 * fixedSize, '0') : text);
    if (bytes === undefined) throw new RangeError(`${text.slice(0, 40)} is no whole number of bytes in hex`);
    return reversed ? bytes.toReversed() : bytes;
  };
  return {
    kind: names === undefined ? 'text' : 'option',
    type: 'string',
    scale: 0,
    fixedSize,
    read,
    number: () => Number.NaN,
    raw: () => '',
    sizeOf: (value) => toBytes(value).length,
    write: (data, from, to, value) => {
      const bytes = toBytes(value);
      if (bytes.length > to - from)
        throw new RangeError(`${utf8Length(String(value))} bytes of text do not fit ${to - from}`);
      data.fill(0, from, to);
      data.set(bytes, from);
    },
    writeNone: undefined,
    limits: undefined,
    step: undefined,
    options: names === undefined ? undefined : [...new Set(names.values())],
    maxBytes,
    text: characters || inText ? 'any' : type === 'bcd' ? 'digits' : 'hex',
  };
}
