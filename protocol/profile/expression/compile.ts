/**
 * From a tree to closures. Kinds are settled here, once: a number, true or false (1 and 0), or text. What has no value is
 * NaN or undefined, and so is everything computed from it.
 */
import type { Machine, Scope, SlotKind } from '../machine.ts';
import { suggest } from '../../suggest.ts';
import { FUNCTIONS } from './functions.ts';
import type { ExpressionError } from './lexer.ts';
import { parseExpression } from './parser.ts';
import type { Tree } from './parser.ts';

export type NumberExpression = (w: Machine) => number;
export type TextExpression = (w: Machine) => string | undefined;

export type Expression =
  | { readonly kind: 'number' | 'bool'; readonly run: NumberExpression }
  | { readonly kind: 'text'; readonly run: TextExpression };

/** Parses and compiles an expression over the names of `scope`. `uses` collects the names. */
export function compileExpression(source: string, scope: Scope, uses?: Set<string>): Expression | ExpressionError {
  const tree = parseExpression(source);
  if ('message' in tree) return tree;
  try {
    return build(tree, scope, uses ?? new Set());
  } catch (error) {
    if (error instanceof Stop) return error.error;
    throw error;
  }
}

class Stop extends Error {
  readonly error: ExpressionError;
  constructor(at: number, message: string) {
    super(message);
    this.error = { at, message };
  }
}

function build(tree: Tree, scope: Scope, uses: Set<string>): Expression {
  switch (tree.kind) {
    case 'number': {
      const { value } = tree;
      return { kind: 'number', run: () => value };
    }
    case 'text': {
      const { value } = tree;
      return { kind: 'text', run: () => value };
    }
    case 'name':
      return name(tree.name, tree.at, scope, uses);
    case 'unary':
      return unary(tree.symbol, number(tree.a, scope, uses));
    case 'binary':
      return binary(tree, scope, uses);
    case 'choice':
      return choice(tree, scope, uses);
    default:
      return call(tree, scope, uses);
  }
}

function number(tree: Tree, scope: Scope, uses: Set<string>): NumberExpression {
  const built = build(tree, scope, uses);
  if (built.kind === 'text') throw new Stop(tree.at, 'this is text, where a number is needed');
  return built.run;
}

function text(tree: Tree, scope: Scope, uses: Set<string>): TextExpression {
  const built = build(tree, scope, uses);
  if (built.kind !== 'text') throw new Stop(tree.at, 'this is a number, where text is needed');
  return built.run;
}

function name(wanted: string, at: number, scope: Scope, uses: Set<string>): Expression {
  if (wanted === 'true' || wanted === 'false') {
    const value = wanted === 'true' ? 1 : 0;
    return { kind: 'bool', run: () => value };
  }
  const known = scope.find(wanted);
  if (known === undefined) {
    const near = suggest(wanted, scope.names);
    const hint = near === undefined ? '' : `. Did you mean ${near}?`;
    throw new Stop(at, `there is no field or parameter ${wanted.slice(0, 40)}${hint}`);
  }
  uses.add(wanted);
  const { slot, kind } = known;
  if (kind === 'text') return { kind, run: (w) => w.texts[slot] };
  return { kind, run: (w) => w.numbers[slot]! };
}

function unary(symbol: string, a: NumberExpression): Expression {
  if (symbol === '-') return { kind: 'number', run: (w) => -a(w) };
  if (symbol === '~') {
    return {
      kind: 'number',
      run: (w) => {
        const value = a(w);
        return Number.isNaN(value) ? value : ~value >>> 0;
      },
    };
  }
  return {
    kind: 'bool',
    run: (w) => {
      const value = a(w);
      return Number.isNaN(value) ? value : value === 0 ? 1 : 0;
    },
  };
}

const TWO_32 = 2 ** 32;

/** Numbers in, a number out; NaN stays NaN. Bits are those of unsigned 32-bit numbers. */
const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  '/': (a, b) => (b === 0 ? Number.NaN : a / b),
  '%': (a, b) => a % b,
  '&': (a, b) => (Number.isNaN(a + b) ? Number.NaN : (a & b) >>> 0),
  '|': (a, b) => (Number.isNaN(a + b) ? Number.NaN : (a | b) >>> 0),
  '^': (a, b) => (Number.isNaN(a + b) ? Number.NaN : (a ^ b) >>> 0),
  '<<': (a, b) => (a * 2 ** b) % TWO_32,
  '>>': (a, b) => Math.floor(a / 2 ** b),
};

const COMPARISONS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
};

function binary(tree: Tree & { kind: 'binary' }, scope: Scope, uses: Set<string>): Expression {
  const { symbol } = tree;
  const left = build(tree.a, scope, uses);
  const right = build(tree.b, scope, uses);
  if (left.kind === 'text' && right.kind === 'text' && (symbol === '==' || symbol === '!=')) {
    const same = symbol === '==';
    return {
      kind: 'bool',
      run: (w) => {
        const a = left.run(w);
        const b = right.run(w);
        return a === undefined || b === undefined ? Number.NaN : (a === b) === same ? 1 : 0;
      },
    };
  }
  if (left.kind === 'text' || right.kind === 'text') {
    throw new Stop(tree.at, 'text can only be compared with text, by == and !=');
  }
  const a = left.run;
  const b = right.run;
  if (symbol === '&&') return { kind: 'bool', run: (w) => truth(a(w)) && truth(b(w)) };
  if (symbol === '||') return { kind: 'bool', run: (w) => truth(a(w)) || truth(b(w)) };
  const compare = COMPARISONS[symbol];
  if (compare !== undefined) {
    return {
      kind: 'bool',
      run: (w) => {
        const x = a(w);
        const y = b(w);
        return Number.isNaN(x + y) ? Number.NaN : compare(x, y) ? 1 : 0;
      },
    };
  }
  // The everyday ones without a call in between.
  if (symbol === '+') return { kind: 'number', run: (w) => a(w) + b(w) };
  if (symbol === '-') return { kind: 'number', run: (w) => a(w) - b(w) };
  if (symbol === '*') return { kind: 'number', run: (w) => a(w) * b(w) };
  const compute = ARITHMETIC[symbol]!;
  return { kind: 'number', run: (w) => compute(a(w), b(w)) };
}

/** What has no value holds for nothing. */
function truth(value: number): 0 | 1 {
  return value === 0 || Number.isNaN(value) ? 0 : 1;
}

function choice(tree: Tree & { kind: 'choice' }, scope: Scope, uses: Set<string>): Expression {
  const test = number(tree.test, scope, uses);
  const a = build(tree.a, scope, uses);
  const b = build(tree.b, scope, uses);
  if (a.kind === 'text' && b.kind === 'text') {
    return {
      kind: 'text',
      run: (w) => {
        const value = test(w);
        return Number.isNaN(value) ? undefined : value === 0 ? b.run(w) : a.run(w);
      },
    };
  }
  if (a.kind === 'text' || b.kind === 'text') {
    throw new Stop(tree.at, 'both sides of : must be text, or both numbers');
  }
  return {
    kind: a.kind === 'bool' && b.kind === 'bool' ? 'bool' : 'number',
    run: (w) => {
      const value = test(w);
      return Number.isNaN(value) ? value : value === 0 ? b.run(w) : a.run(w);
    },
  };
}

function call(tree: Tree & { kind: 'call' }, scope: Scope, uses: Set<string>): Expression {
  if (!Object.hasOwn(FUNCTIONS, tree.name)) {
    const near = suggest(tree.name, Object.keys(FUNCTIONS));
    const hint = near === undefined ? `; there are ${Object.keys(FUNCTIONS).join(', ')}` : `. Did you mean ${near}?`;
    throw new Stop(tree.at, `there is no function ${tree.name.slice(0, 40)}${hint}`);
  }
  const declared = FUNCTIONS[tree.name]!;
  const { takes } = declared;
  const most = declared.more === true ? 16 : takes.length;
  if (tree.args.length < (declared.least ?? takes.length) || tree.args.length > most) {
    throw new Stop(tree.at, `write it as ${declared.usage}`);
  }
  if (takes[0] === 'text') {
    const a = text(tree.args[0]!, scope, uses);
    if (declared.ofText === undefined) throw new Stop(tree.at, `write it as ${declared.usage}`);
    const compute = declared.ofText;
    return {
      kind: 'number',
      run: (w) => {
        const value = a(w);
        return value === undefined ? Number.NaN : compute(value);
      },
    };
  }
  const args = tree.args.map((arg) => number(arg, scope, uses));
  // Arguments are gathered in an array of the call's own; a decode never runs inside another one.
  const given = args.map(() => 0);
  const gather = (w: Machine): boolean => {
    for (let i = 0; i < args.length; i++) {
      const value = args[i]!(w);
      if (Number.isNaN(value)) return false;
      given[i] = value;
    }
    return true;
  };
  if (declared.gives === 'text') {
    const compute = declared.toText!;
    // A date of production never changes, the time of day seldom more than its seconds.
    const last = args.map(() => Number.NaN);
    let lastText: string | undefined;
    return {
      kind: 'text',
      run: (w) => {
        if (!gather(w)) return undefined;
        let same = true;
        for (let i = 0; i < given.length; i++) {
          if (given[i] !== last[i]) same = false;
          last[i] = given[i]!;
        }
        if (!same) lastText = compute(given);
        return lastText;
      },
    };
  }
  const compute = declared.ofNumbers!;
  const kind: SlotKind = declared.gives;
  return { kind, run: (w) => (gather(w) ? compute(given) : Number.NaN) };
}
