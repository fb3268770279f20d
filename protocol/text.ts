/** Text from the wire, made fit to be shown. */

// Control, format (bidi overrides among them), surrogate, private and unassigned code points, line and paragraph
// separators, and whatever is drawn as nothing. The backslash is escaped too, so that an escape cannot be forged.
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\\]/gu;

/**
 * `text` with everything that a terminal, a log or a page could take as more than text written as `\xNN` or
 * `\u{NNNN}`, cut after `max` characters of the original with `…` in place of the rest. One line, always.
 */
export function printable(text: string, max = 200): string {
  // A code point is at most two units: never look at more of a long text than can be shown.
  const characters = Array.from(text.slice(0, 2 * max + 2));
  const shown = characters.slice(0, max).join('').replace(HIDDEN, escapeCharacter);
  return characters.length > max ? `${shown}…` : shown;
}

function escapeCharacter(character: string): string {
  if (character === '\\') return '\\\\';
  if (character === '\n') return '\\n';
  if (character === '\r') return '\\r';
  if (character === '\t') return '\\t';
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  return code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`;
}
