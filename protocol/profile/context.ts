/** What is shared while one profile is compiled. */
import type { ChannelTable } from './channel-table.ts';
import { compileExpression } from './expression/compile.ts';
import type { Expression, NumberExpression } from './expression/compile.ts';
import type { Scope } from './machine.ts';
import type { Path, Problems } from './problems.ts';
import type { Order } from './spec.ts';

export interface Context {
  readonly problems: Problems;
  readonly scope: Scope;
  readonly channels: ChannelTable;
  readonly order: Order;
  /** Names that an expression or a template looks at: only these have their slot filled. */
  readonly used: Set<string>;
}

/** Compiles an expression; undefined after telling what is wrong, and where in it. */
export function expressionAt(source: string, path: Path, { problems, scope, used }: Context): Expression | undefined {
  const compiled = compileExpression(source, scope, used);
  if (!('message' in compiled)) return compiled;
  problems.add(path, `${compiled.message} (character ${compiled.at + 1} of the expression)`);
  return undefined;
}

/** The same for one that must be a number, or true or false. */
export function conditionAt(source: string | undefined, path: Path, context: Context): NumberExpression | undefined {
  if (source === undefined) return undefined;
  const compiled = expressionAt(source, path, context);
  if (compiled === undefined) return undefined;
  if (compiled.kind !== 'text') return compiled.run;
  context.problems.add(path, 'must be something true or false, such as state == 1');
  return undefined;
}
