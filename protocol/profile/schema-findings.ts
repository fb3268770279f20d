/** What the schema found, told as the writer of a profile needs it: the path, and what would be right there. */
import type { z } from 'zod';
import { suggest } from '../suggest.ts';
import { printable } from '../text.ts';
import { formatPath } from './problems.ts';
import type { Finding, Path } from './problems.ts';
import { profileJsonSchema } from './schema.ts';

type Issue = z.core.$ZodIssue;

/** All findings of a failed parse, in the order of the file. */
export function findingsOf(error: z.ZodError, value: unknown): Finding[] {
  const findings = error.issues.flatMap((issue) => ofIssue(issue, [], value));
  // A key that is misspelt is also missing; that says nothing new.
  return findings.filter(({ path, message }) => {
    if (!message.includes(' is missing')) return true;
    const place = formatPath(path.slice(0, -1));
    return !findings.some(
      (other) =>
        formatPath(other.path.slice(0, -1)) === place && other.message.endsWith(`Did you mean ${String(path.at(-1))}?`),
    );
  });
}

function ofIssue(issue: Issue, base: Path, value: unknown): Finding[] {
  const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  const found = valueAt(value, path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], message: unknownKey(path, key, found), atKey: true }));
  }
  if (issue.code === 'invalid_union') return ofUnion(issue, path, value, found);
  if (issue.code === 'invalid_key') {
    return [{ path, message: issue.issues[0]?.message ?? 'must be a name of 1 to 32 of a-z, 0-9 and _', atKey: true }];
  }
  return [{ path, message: messageOf(issue, path, found), atKey: false }];
}

/** Of the forms that a value may have, the one it comes nearest to. */
function ofUnion(issue: Issue & { code: 'invalid_union' }, path: Path, value: unknown, found: unknown): Finding[] {
  const branches = issue.errors.map((issues) => issues.flatMap((inner) => ofIssue(inner, path, value)));
  const inner = issue.errors
    .map((issues, i) => ({ findings: branches[i]!, near: issues.every((one) => !missesShape(one)) }))
    .filter(({ near, findings }) => near && findings.length > 0);
  if (typeof found === 'object' && found !== null && inner.length > 0) {
    // The deepest finding belongs to the form that was meant.
    return inner.toSorted((a, b) => depth(b.findings) - depth(a.findings) || a.findings.length - b.findings.length)[0]!
      .findings;
  }
  if (issue.message !== '' && issue.message !== 'Invalid input') {
    const message = found === undefined ? missing(path, issue.message) : issue.message;
    return [{ path, message, atKey: false }];
  }
  const own = [...inner.map(({ findings }) => findings), ...branches]
    .flat()
    .find(({ message }) => message.startsWith('must be') && message !== NOT_A_MAP && message !== NOT_A_LIST);
  return [own ?? { path, message: found === '' ? 'has no value' : messageForShape(found), atKey: false }];
}

function depth(findings: readonly Finding[]): number {
  return Math.max(...findings.map(({ path }) => path.length));
}

/** The value is not even of the kind (map, list, text) that this form has. */
function missesShape(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  return (
    issue.code === 'invalid_type' ||
    issue.code === 'invalid_value' ||
    (issue.code === 'invalid_union' && issue.errors.every((issues) => issues.some(missesShape)))
  );
}

const NOT_A_MAP = 'must be a map of keys';
const NOT_A_LIST = 'must be a list';

function messageForShape(found: unknown): string {
  return `${describe(found)} cannot stand here`;
}

function describe(found: unknown): string {
  if (Array.isArray(found)) return 'a list';
  if (typeof found === 'object' && found !== null) return 'a map';
  return 'this value';
}

function messageOf(issue: Issue, path: Path, found: unknown): string {
  if (found === undefined && (issue.code === 'invalid_type' || issue.code === 'invalid_value')) {
    return missing(path, issue.message);
  }
  if (issue.code === 'invalid_value' && typeof found === 'string') {
    const near = suggest(found, issue.values.map(String));
    return `${issue.message}${near === undefined ? '' : `. Did you mean ${near}?`}`;
  }
  if (issue.code === 'invalid_type') {
    if (issue.expected === 'object' || issue.expected === 'record') return NOT_A_MAP;
    if (issue.expected === 'array' || issue.expected === 'tuple') return NOT_A_LIST;
  }
  if (issue.code === 'too_big' && issue.origin === 'array') return `must have at most ${issue.maximum} entries`;
  if (issue.code === 'too_small' && issue.origin === 'array') return `must have at least ${issue.minimum} entries`;
  return issue.message;
}

/** Keys that people look for at a register, because fields have them. */
const OF_FIELDS_ONLY: ReadonlySet<string> = new Set(['value', 'when']);

function missing(path: Path, wanted: string): string {
  return `${String(path.at(-1) ?? 'this')} is missing${wanted.startsWith('must') ? `: it ${wanted}` : ''}`;
}

function unknownKey(path: Path, key: string, found: unknown): string {
  if (path.at(-2) === 'registers' && OF_FIELDS_ONLY.has(key)) {
    return 'registers are read, not computed; what is computed from them stands in fields, beside modbus';
  }
  const siblings = keysAt(path, found);
  const near = suggest(key, siblings);
  if (near !== undefined) return `there is no such key here. Did you mean ${near}?`;
  return siblings.length === 0
    ? 'there is no such key here'
    : `there is no such key here; there are ${printable(siblings.join(', '), 400)}`;
}

interface Node {
  $ref?: string;
  properties?: Record<string, Node>;
  additionalProperties?: Node | boolean;
  items?: Node;
  anyOf?: Node[];
  $defs?: Record<string, Node>;
}

let root: Node | undefined;

/** The keys that a map at a path may have, read off the JSON Schema; of several forms the one with most of what is there. */
function keysAt(path: Path, found: unknown): string[] {
  root ??= profileJsonSchema() as Node;
  let nodes = forms(root);
  for (const part of path) {
    nodes = nodes.flatMap((node) => {
      const next: (Node | undefined)[] =
        typeof part === 'number'
          ? [node.items]
          : [
              node.properties?.[part],
              typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined,
            ];
      return next.flatMap((one) => (one === undefined ? [] : forms(one)));
    });
  }
  const present = typeof found === 'object' && found !== null ? Object.keys(found) : [];
  const candidates = nodes.map((node) => Object.keys(node.properties ?? {})).filter((keys) => keys.length > 0);
  const score = (keys: string[]): number => present.filter((key) => keys.includes(key)).length;
  return candidates.toSorted((a, b) => score(b) - score(a))[0] ?? [];
}

/** A node with its references and alternatives followed. */
function forms(node: Node, depth = 0): Node[] {
  if (depth > 12) return [];
  if (node.$ref !== undefined) {
    const target = root?.$defs?.[node.$ref.split('/').at(-1) ?? ''];
    return target === undefined ? [] : forms(target, depth + 1);
  }
  return node.anyOf === undefined ? [node] : node.anyOf.flatMap((one) => forms(one, depth + 1));
}

function valueAt(value: unknown, path: Path): unknown {
  let node = value;
  for (const part of path) {
    if (typeof node !== 'object' || node === null) return undefined;
    node = (node as Record<PropertyKey, unknown>)[part];
  }
  return node;
}
