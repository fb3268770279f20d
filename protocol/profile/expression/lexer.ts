/**
 * Words of an expression.
 *
 * ```
 *   adj & 0x40 ? vcal / vcycle : 0      name symbol number symbol name …      text: "N" or 'N'
 * ```
 */

export type Token =
  | { readonly kind: 'number'; readonly at: number; readonly value: number }
  | { readonly kind: 'text'; readonly at: number; readonly value: string }
  | { readonly kind: 'name'; readonly at: number; readonly value: string }
  | { readonly kind: 'symbol'; readonly at: number; readonly value: string }
  | { readonly kind: 'end'; readonly at: number; readonly value: '' };

/** Where an expression is wrong (index of the character, from 0), and what would be right. */
export interface ExpressionError {
  readonly at: number;
  readonly message: string;
}

// Longer ones first: `<=` is not `<` and `=`.
const SYMBOLS = [
  '<<',
  '>>',
  '<=',
  '>=',
  '==',
  '!=',
  '&&',
  '||',
  '+',
  '-',
  '*',
  '/',
  '%',
  '&',
  '|',
  '^',
  '~',
  '<',
  '>',
  '!',
  '?',
  ':',
  '(',
  ')',
  ',',
];

/** Cuts an expression into tokens, the last one being `end`. */
export function tokenize(source: string): Token[] | ExpressionError {
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const rest = source.slice(at, at + 80);
    const space = /^\s+/.exec(rest);
    if (space !== null) {
      at += space[0].length;
      continue;
    }
    const number = /^(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)/.exec(rest);
    if (number !== null) {
      tokens.push({ kind: 'number', at, value: Number(number[0]) });
      at += number[0].length;
      continue;
    }
    const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(rest);
    if (name !== null) {
      tokens.push({ kind: 'name', at, value: name[0] });
      at += name[0].length;
      continue;
    }
    const text = /^(?:"([^"]*)"|'([^']*)')/.exec(rest);
    if (text !== null) {
      tokens.push({ kind: 'text', at, value: text[1] ?? text[2] ?? '' });
      at += text[0].length;
      continue;
    }
    const symbol = SYMBOLS.find((candidate) => rest.startsWith(candidate));
    if (symbol === undefined) {
      const message =
        rest[0] === '='
          ? 'write == to compare'
          : 'an expression has numbers, names, "text", + - * / and the like; this is none';
      return { at, message };
    }
    tokens.push({ kind: 'symbol', at, value: symbol });
    at += symbol.length;
  }
  tokens.push({ kind: 'end', at: source.length, value: '' });
  return tokens;
}
