/**
 * Bytes as people paste them: `03 22 04`, `03:22:04`, `0x03, 0x22`, `032204`, `\x03\x22`, over several lines; and the
 * dumps of xxd and hexdump -C:
 *
 * ```
 *   00000000: 2007 0000 0007   .....                  offset and text are left out
 *   00000000  20 07 00 00 00 07       | .....|
 * ```
 */
import { printable } from '../../protocol/index.ts';

export type HexInput =
  | { ok: true; bytes: Uint8Array }
  | {
      ok: false;
      /** Of the character that is wrong, from 1. */
      line: number;
      column: number;
      message: string;
    };

/** A token is what stands between separators, or begins with `\x`; each has a whole number of bytes. */
const TOKEN = /\\x[^\s:,;_\\-]*|[^\s:,;_\\-]+|\\/gi;

/** Offset, and bytes up to the first gap. */
const XXD_LINE = /^([0-9a-f]{8,}): ((?:[0-9a-f]{2,} )*[0-9a-f]{2,})(?: {2,}.*)?$/i;
/** Offset, and bytes up to the text between two bars. */
const HEXDUMP_LINE = /^([0-9a-f]{7,}) {2}([0-9a-f ]+)\|.*\|$/i;
/** How hexdump ends. */
const END_OFFSET = /^[0-9a-f]{7,}$/i;

// What a text has, but not the separators, and what decoding makes of bytes that are no text.
// oxlint-disable-next-line no-control-regex
const BINARY = /[\u0000-\u0008\u000e-\u001f\u007f\ufffd]/;

export function parseHex(original: string): HexInput {
  const text = withoutDump(original);
  const bytes: number[] = [];
  for (const match of text.matchAll(TOKEN)) {
    const token = match[0];
    const prefix = /^(0x|\\x)/i.test(token) ? 2 : 0;
    const digits = token.slice(prefix);
    const bad = /[^0-9a-f]/i.exec(digits);
    const at = match.index + prefix;
    if (bad !== null) return fault(text, at + bad.index, 'is not a hex digit');
    if (digits === '') return fault(text, match.index, 'a byte is missing after 0x', true);
    if (digits.length === 1) bytes.push(Number.parseInt(digits, 16));
    else if (digits.length % 2 === 1) {
      return fault(text, at + digits.length - 1, 'half a byte: an odd number of digits stands together', true);
    } else for (let i = 0; i < digits.length; i += 2) bytes.push(Number.parseInt(digits.slice(i, i + 2), 16));
  }
  return { ok: true, bytes: Uint8Array.from(bytes) };
}

/** The same text, every byte at its place, with blanks for offsets and text where lines are those of a dump. */
function withoutDump(text: string): string {
  let dumped = false;
  return text
    .split('\n')
    .map((line) => {
      const content = line.trimEnd();
      const match = XXD_LINE.exec(content) ?? HEXDUMP_LINE.exec(content);
      if (match === null) {
        const isEnd = dumped && END_OFFSET.test(content);
        dumped &&= !isEnd;
        return isEnd ? ' '.repeat(line.length) : line;
      }
      dumped = content.endsWith('|') && !XXD_LINE.test(content);
      const [, offset = '', digits = ''] = match;
      return `${' '.repeat(offset.length + 2)}${digits}`.padEnd(line.length);
    })
    .join('\n');
}

function fault(text: string, index: number, message: string, whole = false): HexInput {
  const before = text.slice(0, index).split('\n');
  const position = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
  const character = String.fromCodePoint(text.codePointAt(index) ?? 0);
  return {
    ok: false,
    ...position,
    message: whole ? message : `"${printable(character)}" ${reason(character, message)}`,
  };
}

function reason(character: string, message: string): string {
  if (character === '*') return 'stands for lines that are left out; dump them too: hexdump -vC';
  if (BINARY.test(character)) return `${message}; these look like the bytes themselves, so dump them first: xxd -p`;
  return message;
}
