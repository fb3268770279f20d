/**
 * A field that repeats: cell voltages, temperatures, registers.
 *
 * ```
 *   cells: { at: 4, type: u16, repeat: { count: { at: 3, type: u8, divisor: 2 }, max: 32 } }
 *   | dd 04 00 06 | 0c e4 | 0c e5 | 0c e3 | chk chk 77
 *              └ 6 / 2 = 3 of them: cells_1 … cells_3
 * ```
 */
import type { ChannelEntry } from './channel-table.ts';
import { conditionAt } from './context.ts';
import type { Context } from './context.ts';
import { compileElements, elementName } from './elements.ts';
import { fieldInfo, simpleField, told } from './fields.ts';
import type { FieldDraft } from './fields.ts';
import { givenValue } from './plan.ts';
import type { Plan } from './plan.ts';
import { emitter } from './reader-step.ts';
import { readSimple } from './simple-field.ts';
import type { Machine } from './machine.ts';

/** The channels of a repeated field, declared in order. */
export function declareRepeat(draft: FieldDraft, context: Context): (ChannelEntry | undefined)[] {
  const { spec, codec, path, name } = draft;
  const repeat = spec.repeat!;
  const max = repeat.max ?? (typeof repeat.count === 'number' ? repeat.count : 0);
  const base = typeof repeat.first === 'number' ? repeat.first : 1;
  const template = spec.name ?? `${name}_{n}`;
  if (!template.includes('{n}')) {
    context.problems.add([...path, 'name'], 'needs {n}, the number of each, such as cell_{n}');
    return [];
  }
  return Array.from({ length: max }, (_, i) => {
    if (spec.hidden) return undefined;
    const alias = elementName(template, base + i, name);
    return context.channels.declare(alias, codec, { ...spec, title: titleOfElement(spec.title, base + i) }, path, {
      repeated: true,
    });
  });
}

/** "Cell 3", of the title "Cell" or "Cell {n}". */
export function titleOfElement(title: string | undefined, n: number): string | undefined {
  if (title === undefined) return undefined;
  return title.includes('{n}') ? title.replaceAll('{n}', String(n)) : `${title} ${n}`;
}

/** Compiles a repeated field. */
export function compileRepeat(
  draft: FieldDraft,
  entries: readonly (ChannelEntry | undefined)[],
  context: Context,
): Plan | undefined {
  const { name, spec, codec, path } = draft;
  const { problems } = context;
  const repeat = spec.repeat!;
  const { at } = spec;
  const size = codec.fixedSize;
  if (at === undefined || at < 0 || size === undefined) {
    problems.add(
      path,
      at === undefined || at < 0 ? 'a repeat needs at, from the beginning' : 'a repeat needs a type of fixed size',
    );
    return undefined;
  }
  const elements = compileElements({ ...repeat, stride: repeat.stride ?? size }, size, [...path, 'repeat'], context);
  if (elements === undefined || entries.length !== elements.max) return undefined;
  const when = conditionAt(spec.when, [...path, 'when'], context);
  const template = spec.name ?? `${name}_{n}`;
  const names = entries.map((_, i) => elementName(template, elements.base + i, name));
  const emits = entries.map((channel, i) =>
    emitter({ name: names[i]!, codec, slot: -1, channel, spec, exponent: undefined }),
  );
  const fast = entries.map((channel) => simpleField(codec, spec, 0, channel, -1));
  const each = (w: Machine, index: number, from: number): void => {
    const field = fast[index];
    if (field !== undefined && w.trace === undefined) readSimple(w, field, from);
    else emits[index]!(w, from, from + size, 0);
  };
  const { optional } = spec;
  return {
    name,
    phase: 'many',
    run: (w) => {
      if (when !== undefined && !(Math.abs(when(w)) > 0)) return;
      const start = w.base + at;
      if (!elements.visit(w, start, each) && !optional && w.failedAt < 0) w.failedAt = Math.min(start, w.length);
    },
    write: (w, values) => {
      if (when !== undefined && !(Math.abs(when(w)) > 0)) return;
      const start = w.base + at;
      const { from, to } = elements.plan(w, start, (i) => givenValue(values, names[i]!) !== undefined);
      for (let i = from; i < to; i++) {
        const place = start + (i - from) * elements.stride;
        const given = givenValue(values, names[i]!);
        if (given !== undefined) told(names[i]!, () => codec.write(w.data, place, place + size, given));
        else codec.writeNone?.(w.data, place, place + size);
        w.reach = Math.max(w.reach, place + size);
      }
    },
    fields: names.map((alias, i) => fieldInfo({ name: alias, spec, codec }, true, i)),
    needs: 0,
  };
}
