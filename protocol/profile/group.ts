/**
 * A group of fields that repeats.
 *
 * ```
 *   groups: { phase: { from: 4, count: 3, stride: 6, fields: { voltage: { at: 0, … }, current: { at: 2, … } } } }
 *   | head | voltage current … | voltage current … | voltage current … |      voltage_1, current_1, voltage_2 …
 * ```
 */
import type { Context } from './context.ts';
import { compileElements, elementName } from './elements.ts';
import { compileComputed, compileField, declareField } from './fields.ts';
import type { FieldDraft } from './fields.ts';
import type { Machine } from './machine.ts';
import { givenValue, PHASES } from './plan.ts';
import type { Plan } from './plan.ts';
import type { Path } from './problems.ts';
import { titleOfElement } from './repeat.ts';
import { simpleSteps } from './simple-field.ts';
import type { FieldSpec, GroupSpec } from './spec.ts';

export interface GroupDraft {
  readonly name: string;
  readonly spec: GroupSpec;
  readonly path: Path;
  /** The fields of every element, under the names that they have there. */
  readonly elements: readonly (readonly ElementField[])[];
}

interface ElementField {
  readonly alias: string;
  readonly spec: FieldSpec;
  readonly path: Path;
  /** Undefined for a computed one. */
  readonly draft: FieldDraft | undefined;
}

/** Declares the channels of all elements, element by element. */
export function declareGroup(name: string, spec: GroupSpec, path: Path, context: Context): GroupDraft {
  const max = spec.max ?? (typeof spec.count === 'number' ? spec.count : 0);
  const base = typeof spec.first === 'number' ? spec.first : 1;
  const names = Object.keys(spec.fields);
  if (!spec.name.includes('{n}') || (!spec.name.includes('{field}') && names.length > 1)) {
    context.problems.add([...path, 'name'], 'needs {field} and {n}, such as {field}_{n}');
    return { name, spec, path, elements: [] };
  }
  const elements = Array.from({ length: max }, (_, i) =>
    Object.entries(spec.fields).map(([field, fieldSpec]) => {
      const alias = elementName(spec.name, base + i, field);
      const fieldPath = [...path, 'fields', field];
      if (fieldSpec.repeat !== undefined)
        context.problems.add([...fieldPath, 'repeat'], 'a group has no repeats inside');
      const own = { ...fieldSpec, title: titleOfElement(fieldSpec.title, base + i) };
      // Expressions call it by its own name: in an element they mean that element's.
      if (fieldSpec.value !== undefined) return { alias, spec: own, path: fieldPath, draft: undefined };
      const draft = declareField(field, own, fieldPath, context, false, false);
      if (draft === undefined) return { alias, spec: own, path: fieldPath, draft };
      const channel = own.hidden
        ? undefined
        : context.channels.declare(alias, draft.codec, own, fieldPath, { repeated: true });
      return { alias, spec: own, path: fieldPath, draft: { ...draft, channel } };
    }),
  );
  return { name, spec, path, elements };
}

/** Compiles a group. */
export function compileGroup(draft: GroupDraft, context: Context): Plan | undefined {
  const { spec, path } = draft;
  if (spec.from < 0) {
    context.problems.add([...path, 'from'], 'must count from the beginning');
    return undefined;
  }
  const compiled = draft.elements.map((fields) => compileElement(fields, context));
  const size = Math.max(1, ...compiled.flat().map(({ plan }) => plan.needs));
  const elements = compileElements(spec, size, path, context);
  if (elements === undefined || compiled.length !== elements.max) return undefined;
  const steps = compiled.map((plans) => inPhases(plans.map(({ plan }) => plan)));
  const each = (w: Machine, index: number, from: number): void => {
    const base = w.base;
    w.base = from;
    for (const step of steps[index]!) step(w);
    w.base = base;
  };
  return {
    name: draft.name,
    phase: 'many',
    run: (w) => {
      const start = w.base + spec.from;
      if (!elements.visit(w, start, each) && w.failedAt < 0) w.failedAt = Math.min(start, w.length);
    },
    write: (w, values) => {
      const start = w.base + spec.from;
      const base = w.base;
      const has = (i: number): boolean => compiled[i]!.some(({ alias }) => givenValue(values, alias) !== undefined);
      const { from, to } = elements.plan(w, start, has);
      for (let i = from; i < to; i++) {
        w.base = start + (i - from) * elements.stride;
        for (const { alias, plan } of compiled[i]!) plan.write(w, { [plan.name]: values[alias] });
        w.reach = Math.max(w.reach, w.base + size);
      }
      w.base = base;
    },
    fields: compiled.flatMap((plans, i) =>
      plans.flatMap(({ alias, plan }) =>
        plan.fields.map((field) => ({ ...field, name: alias, index: i, optional: true })),
      ),
    ),
    needs: 0,
  };
}

function compileElement(fields: readonly ElementField[], context: Context): { alias: string; plan: Plan }[] {
  const plans: { alias: string; plan: Plan }[] = [];
  for (const { alias, spec, path, draft } of fields) {
    const plan = draft === undefined ? computed(alias, spec, path, context) : compileField(draft, 'element', context);
    if (plan !== undefined) plans.push({ alias, plan });
  }
  return plans;
}

function computed(alias: string, spec: FieldSpec, path: Path, context: Context): Plan | undefined {
  return spec.value === undefined ? undefined : compileComputed(alias, spec, path, context);
}

/** The steps of plans in the order in which they can be done; those that are simple first, as one. */
export function inPhases(plans: readonly Plan[]): Plan['run'][] {
  const simple = plans.filter((plan) => plan.phase === 'plain' && plan.simple !== undefined);
  const rest = plans.filter((plan) => !simple.includes(plan));
  const steps = PHASES.flatMap((phase) => rest.filter((plan) => plan.phase === phase).map(({ run }) => run));
  if (simple.length === 0) return steps;
  const fields = simple.map((plan) => plan.simple!);
  return [
    simpleSteps(
      fields,
      simple.map(({ run }) => run),
    ),
    ...steps,
  ];
}
