/**
 * From tokens to a tree, by precedence as in C and JavaScript but for one thing: & | ^ bind tighter than comparisons, so
 * that `adj & 0x40 == 0x40` means what it looks like.
 *
 * ```
 *   ?:   ||   &&   == !=   < <= > >=   |   ^   &   << >>   + -   * / %   - ! ~   call, name, number, ( )
 *   loosest                                                                        tightest
 * ```
 */
import { tokenize } from './lexer.ts';
import type { ExpressionError, Token } from './lexer.ts';

export type Tree =
  | { readonly kind: 'number'; readonly at: number; readonly value: number }
  | { readonly kind: 'text'; readonly at: number; readonly value: string }
  | { readonly kind: 'name'; readonly at: number; readonly name: string }
  | { readonly kind: 'call'; readonly at: number; readonly name: string; readonly args: readonly Tree[] }
  | { readonly kind: 'unary'; readonly at: number; readonly symbol: string; readonly a: Tree }
  | { readonly kind: 'binary'; readonly at: number; readonly symbol: string; readonly a: Tree; readonly b: Tree }
  | { readonly kind: 'choice'; readonly at: number; readonly test: Tree; readonly a: Tree; readonly b: Tree };

const LEVELS: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['==', '!='],
  ['<', '<=', '>', '>='],
  ['|'],
  ['^'],
  ['&'],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];
/** Parentheses and the like within one another; no honest formula has more. */
const MAX_DEPTH = 40;

/** Parses an expression. */
export function parseExpression(source: string): Tree | ExpressionError {
  const tokens = tokenize(source);
  if (!Array.isArray(tokens)) return tokens;
  try {
    const parser = new Parser(tokens);
    return parser.whole();
  } catch (error) {
    if (error instanceof Stop) return error.error;
    throw error;
  }
}

/** Gets the parser out of its recursion; never leaves this file. */
class Stop extends Error {
  readonly error: ExpressionError;
  constructor(at: number, message: string) {
    super(message);
    this.error = { at, message };
  }
}

class Parser {
  private readonly tokens: readonly Token[];
  private next = 0;
  private depth = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  whole(): Tree {
    const tree = this.choice();
    const { kind, at } = this.peek();
    if (kind !== 'end') throw new Stop(at, 'an operator such as + is missing before this');
    return tree;
  }

  private peek(): Token {
    return this.tokens[this.next]!;
  }

  private take(symbol: string): boolean {
    const token = this.peek();
    if (token.kind !== 'symbol' || token.value !== symbol) return false;
    this.next++;
    return true;
  }

  private expect(symbol: string): void {
    if (!this.take(symbol)) throw new Stop(this.peek().at, `${symbol} is missing here`);
  }

  private choice(): Tree {
    const { at } = this.peek();
    if (++this.depth > MAX_DEPTH) throw new Stop(at, 'too deeply nested');
    const test = this.binary(0);
    let tree = test;
    if (this.take('?')) {
      const a = this.choice();
      this.expect(':');
      tree = { kind: 'choice', at, test, a, b: this.choice() };
    }
    this.depth--;
    return tree;
  }

  private binary(level: number): Tree {
    const symbols = LEVELS[level];
    if (symbols === undefined) return this.unary();
    let a = this.binary(level + 1);
    for (;;) {
      const token = this.peek();
      if (token.kind !== 'symbol' || !symbols.includes(token.value)) return a;
      this.next++;
      a = { kind: 'binary', at: token.at, symbol: token.value, a, b: this.binary(level + 1) };
    }
  }

  private unary(): Tree {
    const token = this.peek();
    if (token.kind === 'symbol' && (token.value === '-' || token.value === '!' || token.value === '~')) {
      this.next++;
      if (++this.depth > MAX_DEPTH) throw new Stop(token.at, 'too deeply nested');
      const a = this.unary();
      this.depth--;
      return { kind: 'unary', at: token.at, symbol: token.value, a };
    }
    return this.primary();
  }

  private primary(): Tree {
    const token = this.peek();
    this.next++;
    if (token.kind === 'number') return { kind: 'number', at: token.at, value: token.value };
    if (token.kind === 'text') return { kind: 'text', at: token.at, value: token.value };
    if (token.kind === 'name') {
      if (!this.take('(')) return { kind: 'name', at: token.at, name: token.value };
      const args: Tree[] = [];
      if (!this.take(')')) {
        do args.push(this.choice());
        while (this.take(','));
        this.expect(')');
      }
      return { kind: 'call', at: token.at, name: token.value, args };
    }
    if (token.kind === 'symbol' && token.value === '(') {
      const tree = this.choice();
      this.expect(')');
      return tree;
    }
    const message = token.kind === 'end' ? 'the expression ends too early' : 'a number, a name or ( is missing here';
    throw new Stop(token.at, message);
  }
}
