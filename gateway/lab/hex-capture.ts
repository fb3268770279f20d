/**
 * Hex as people have it, as a capture: dumps, log lines, one frame a line.
 *
 * ```
 *   42 4d 00 1c …                          a line of hex is a piece
 *   [12:03:11][D][uart]: <<< 42:4D:00:1C   so is the hex at the end of a line of a log
 * ```
 */
import { type HexInput, parseHex } from '../commands/hex-input.ts';
import { type Capture, captureOf, type Piece } from './capture.ts';

/** What hex and what parts it is made of. */
const HEX_CHARACTER = /[0-9a-fx :,\t\r]/i;

export type HexCapture = { ok: true; capture: Capture } | Extract<HexInput, { ok: false }>;

/** The capture in a text; lines that begin with # are comments. Where the text is wrong it says so, as parseHex does. */
export function hexCapture(text: string): HexCapture {
  const lines = text.split('\n').map((line) => (line.trimStart().startsWith('#') ? '' : line));
  const pieces: Piece[] = [];
  for (const [index, line] of lines.entries()) {
    const parsed = parseHex(line);
    if (parsed.ok) {
      pieces.push({ bytes: parsed.bytes, atMs: undefined });
      continue;
    }
    const rest = parseHex(hexAtEnd(line));
    if (!rest.ok || rest.bytes.length < 2) return { ...parsed, line: index + 1 };
    pieces.push({ bytes: rest.bytes, atMs: undefined });
  }
  // A dump of xxd or hexdump only makes sense as a whole: its lines end anywhere.
  const whole = parseHex(lines.join('\n'));
  const size = pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (whole.ok && isWrapped(pieces) && whole.bytes.length === size) {
    return { ok: true, capture: captureOf([{ bytes: whole.bytes, atMs: undefined }], 'none') };
  }
  return { ok: true, capture: captureOf(pieces, 'lines') };
}

/** What stands behind the last character that cannot be part of hex; a word that is cut by that is left out whole. */
function hexAtEnd(line: string): string {
  let at = line.length;
  while (at > 0 && HEX_CHARACTER.test(line[at - 1] ?? '')) at -= 1;
  const rest = line.slice(at);
  return at > 0 && /[0-9a-z_]/i.test(line[at - 1] ?? '') ? rest.replace(/^[0-9a-fx]+/i, '') : rest;
}

/** Lines of 8, 16, 24 … bytes that begin differently were wrapped by a program, not by a device. */
function isWrapped(pieces: readonly Piece[]): boolean {
  const filled = pieces.filter(({ bytes }) => bytes.length > 0);
  const [first, ...others] = filled;
  if (first === undefined || others.length === 0) return true;
  const width = first.bytes.length;
  const last = others.at(-1) as Piece;
  const even = others.every(({ bytes }) => bytes.length === width || (bytes === last.bytes && bytes.length < width));
  return even && width % 8 === 0 && others.some(({ bytes }) => bytes[0] !== first.bytes[0]);
}
