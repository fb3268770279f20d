/** Bytes as people paste them: `03 22 04`, `03:22:04`, `0x03, 0x22`, `032204`, over several lines. */

export type HexInput =
  | { ok: true; bytes: Uint8Array }
  | {
      ok: false;
      /** Of the character that is wrong, from 1. */
      line: number;
      column: number;
      message: string;
    };

/** A token is what stands between separators; each has a whole number of bytes. */
const TOKEN = /[^\s:,;_-]+/g;

export function parseHex(text: string): HexInput {
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

function fault(text: string, index: number, message: string, whole = false): HexInput {
  const before = text.slice(0, index).split('\n');
  const position = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
  const character = String.fromCodePoint(text.codePointAt(index) ?? 0);
  return { ok: false, ...position, message: whole ? message : `${JSON.stringify(character)} ${message}` };
}
