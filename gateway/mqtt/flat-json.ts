/**
 * A JSON object of plain values, with the numbers as they were written: JSON.parse would round 64-bit integers.
 * Nested objects and arrays are refused, so there is no depth to limit. Nothing in here backtracks.
 */

export type PlainValue =
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'null' };

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// oxlint-disable-next-line no-control-regex
const STRING = /"(?:[^"\\\u0000-\u001f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"/y;
const WORD = /true|false|null/y;

/** The members in the order written (of a repeated key, the last value counts), or undefined when it is no such object. */
export function parseFlatObject(text: string): Map<string, PlainValue> | undefined {
  const members = new Map<string, PlainValue>();
  let at = 0;

  function match(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  }

  function symbol(character: string): boolean {
    match(SPACE);
    if (text[at] !== character) return false;
    at++;
    match(SPACE);
    return true;
  }

  function value(): PlainValue | undefined {
    const string = match(STRING);
    if (string !== undefined) return { kind: 'string', text: JSON.parse(string) as string };
    const number = match(NUMBER);
    if (number !== undefined) return { kind: 'number', text: number };
    const word = match(WORD);
    if (word === undefined) return undefined;
    return word === 'null' ? { kind: 'null' } : { kind: 'bool', value: word === 'true' };
  }

  if (!symbol('{')) return undefined;
  if (!symbol('}')) {
    do {
      const key = match(STRING);
      if (key === undefined || !symbol(':')) return undefined;
      const member = value();
      if (member === undefined) return undefined;
      members.set(JSON.parse(key) as string, member);
    } while (symbol(','));
    if (!symbol('}')) return undefined;
  }
  return at === text.length ? members : undefined;
}
