/**
 * What repeats and groups share: how many elements there are, which number the first one has, where each lies.
 *
 * ```
 *   | count | element 1 | element 2 | element 3 | . . .
 *           start       └ stride ┘                        numbers from `first` on: cell_1, cell_2 …
 * ```
 */
import type { Context } from './context.ts';
import { conditionAt } from './context.ts';
import type { NumberExpression } from './expression/compile.ts';
import type { Machine } from './machine.ts';
import { compileMeasure } from './measure.ts';
import type { Measure } from './measure.ts';
import type { Path } from './problems.ts';
import type { RepeatSpec } from './spec.ts';

export interface Elements {
  readonly max: number;
  /** Number of the element with index 0. */
  readonly base: number;
  /** The smallest piece of an element that must be there. */
  readonly size: number;
  readonly stride: number;
  /**
   * Calls `each` with the index and the place of every element; false: the frame contradicts itself (more elements than
   * fit or than there may be).
   */
  readonly visit: (w: Machine, start: number, each: (w: Machine, index: number, from: number) => void) => boolean;
  /** The elements to be written: indices `from..to`, of those for which `given` says that there are values. */
  readonly plan: (
    w: Machine,
    start: number,
    given: (index: number) => boolean,
  ) => { readonly from: number; readonly to: number };
}

interface ElementsSpec extends Omit<RepeatSpec, 'stride'> {
  readonly stride: number;
}

/** How many bytes a message may have before its content ends, when it is not known. */
export function compileElements(spec: ElementsSpec, size: number, path: Path, context: Context): Elements | undefined {
  const { problems, order } = context;
  const { stride } = spec;
  const fixed = typeof spec.count === 'number' ? spec.count : undefined;
  const counted: Measure | undefined = typeof spec.count === 'object' ? compileMeasure(spec.count, order) : undefined;
  const measuredFirst: Measure | undefined =
    typeof spec.first === 'object' ? compileMeasure(spec.first, order) : undefined;
  const base = typeof spec.first === 'number' ? spec.first : 1;
  const max = spec.max ?? fixed;
  if (max === undefined) {
    problems.add(path, 'needs max: the most there can be');
    return undefined;
  }
  if (fixed !== undefined && measuredFirst === undefined && fixed > max)
    problems.add([...path, 'max'], `is less than count (${fixed})`);
  if (stride < size) problems.add([...path, 'stride'], `is less than the ${size} bytes of one element`);
  const limit: NumberExpression | undefined = conditionAt(spec.limit, [...path, 'limit'], context);

  const room = (w: Machine, start: number): number => Math.max(0, Math.floor((w.end - start - size) / stride) + 1);
  const firstIndex = (w: Machine): number => (measuredFirst === undefined ? 0 : measuredFirst.read(w) - base);

  return {
    max,
    base,
    size,
    stride,
    visit: (w, start, each) => {
      const fits = room(w, start);
      let count = fixed ?? (counted === undefined ? Math.min(fits, max) : counted.read(w));
      if (count < 0 || count > fits || count > max) return false;
      const first = firstIndex(w);
      if (limit !== undefined) {
        const most = limit(w);
        // What is not known yet limits nothing.
        if (!Number.isNaN(most)) count = Math.min(count, Math.max(0, Math.floor(most) - first));
      }
      for (let i = 0; i < count; i++) {
        const index = first + i;
        const from = start + i * stride;
        if (index >= 0 && index < max) each(w, index, from);
        if (from + size > w.reach) w.reach = from + size;
      }
      return true;
    },
    plan: (w, start, given) => {
      let lowest = -1;
      let highest = -1;
      for (let i = 0; i < max; i++) {
        if (!given(i)) continue;
        if (lowest < 0) lowest = i;
        highest = i;
      }
      let from = 0;
      if (measuredFirst !== undefined) {
        from = firstIndex(w);
        if (!(from >= 0 && from < max)) {
          const step = fixed ?? 1;
          from = Math.max(0, lowest - (lowest % step));
          measuredFirst.write(w, from + base);
        }
      }
      let count = fixed ?? highest + 1 - from;
      if (counted !== undefined) {
        // A hidden field may have set the count already.
        const set = counted.read(w);
        if (set > 0 && set <= max) count = set;
        else counted.write(w, Math.max(0, count));
      }
      if (w.end > 0) count = Math.min(count, room(w, start));
      return { from, to: Math.min(from + Math.max(0, count), max) };
    },
  };
}

/** `cell_{n}` with the number of an element, `{field}_{n}` with the name of a field besides. */
export function elementName(template: string, n: number, field = ''): string {
  return template.replaceAll('{n}', String(n)).replaceAll('{field}', field);
}
