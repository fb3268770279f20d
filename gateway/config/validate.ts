/** The schema over a value, with every fault told as its user needs it: the path and what would be right there. */
import type { z } from 'zod';
import { printable, suggest } from '../../protocol/index.ts';
import { describeType, findKey, formatPath, KEYS, namesBelow, SECTIONS } from './keys.ts';
import type { Path } from './keys.ts';
import type { Finding } from './problem.ts';
import { fileSchema, SOURCE_KINDS, SOURCE_SCHEMAS } from './schema.ts';
import type { FileConfig, SourceKind } from './schema.ts';

type Issue = z.core.$ZodIssue;

export type Validation = { ok: true; config: FileConfig } | { ok: false; findings: Finding[] };

/** `value` may be changed: sections that are there without content are taken as left out. */
export function validate(value: unknown): Validation {
  if (!isRecord(value)) {
    return {
      ok: false,
      findings: [{ code: 'CONFIG_INVALID', path: [], message: 'the file must be a map of keys, such as "mqtt:"' }],
    };
  }
  // "devices:" with nothing but comments below it is how a starter file looks.
  for (const { name } of SECTIONS) if (value[name] === null) delete value[name];

  const sources = checkSources(value['sources']);
  const result = fileSchema.safeParse(value);
  if (result.success && sources.length === 0) return { ok: true, config: result.data };
  const others = (result.error?.issues ?? []).filter(
    // The entries of a list are judged by their kind above, more exactly than a union of schemas can.
    (issue) => !(issue.path[0] === 'sources' && issue.path.length > 1),
  );
  return { ok: false, findings: [...others.flatMap((issue) => toFindings(issue, [], value)), ...sources] };
}

function checkSources(sources: unknown): Finding[] {
  if (!Array.isArray(sources)) return [];
  return sources.flatMap((entry: unknown, index) => checkSource(entry, ['sources', index]));
}

function checkSource(entry: unknown, path: Path): Finding[] {
  const wanted = `exactly one of ${SOURCE_KINDS.join(', ')}, for example "tcp: 0.0.0.0:2883"`;
  if (!isRecord(entry)) return [{ code: 'CONFIG_INVALID', path, message: `a source must be a map with ${wanted}` }];
  const kinds = SOURCE_KINDS.filter((kind) => Object.hasOwn(entry, kind));
  const [kind] = kinds;
  if (kind === undefined) {
    const others = Object.keys(entry).filter((name) => findKey([...path, name]) === undefined);
    const findings = others.map((name) => unknownKey(path, name, undefined));
    // A misspelt or future kind says it all; only an entry without one lacks something.
    if (findings.length > 0) return findings;
    return [{ code: 'CONFIG_INVALID', path, message: `a source must have ${wanted}`, found: false }];
  }
  if (kinds.length > 1) {
    const message = `a source must have ${wanted}; this one has ${kinds.join(' and ')}: write a source for each`;
    return [{ code: 'CONFIG_CONFLICT', path, message, found: false }];
  }
  const issues = SOURCE_SCHEMAS[kind].safeParse(entry).error?.issues ?? [];
  return issues.flatMap((issue) => toFindings(issue, path, entry, kind));
}

function toFindings(issue: Issue, base: Path, value: unknown, kind?: SourceKind): Finding[] {
  const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((name) => unknownKey(path, name, kind));
  const finding = { code: 'CONFIG_INVALID', path, message: messageOf(issue, path, value) } as const;
  return [issue.code === 'invalid_key' ? { ...finding, atKey: true } : finding];
}

function messageOf(issue: Issue, path: Path, value: unknown): string {
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message;
  const key = findKey(path);
  if (key === undefined) return sectionMessage(path, issue);
  const found = valueAt(value, issue.path);
  if (found === null) return `has no value; it must be ${describeType(key)}, or be left out`;
  if (typeof found === 'string' && key.values !== undefined) {
    const near = suggest(
      found,
      key.values.map((allowed) => String(allowed)),
    );
    return `must be ${describeType(key)}${near === undefined || key.secret ? '' : `. Did you mean ${near}?`}`;
  }
  const last = path.at(-1);
  if (typeof found === 'number' && (last === 'tcp' || last === 'udp' || last === 'connect')) {
    return `must be HOST:PORT, e.g. 127.0.0.1:${isPort(found) ? found : 2883}`;
  }
  if (issue.code === 'invalid_type' && key.type === 'string') {
    return Array.isArray(found)
      ? 'must be text; put it in quotes because of the [ ]'
      : 'must be text; put it in quotes';
  }
  if (issue.code === 'custom' || issue.code === 'invalid_format') return issue.message;
  if (key.type === 'string' && issue.code === 'too_big') return `must be at most ${issue.maximum} characters long`;
  if (key.type === 'string') return 'must not be empty';
  return `must be ${describeType(key)}`;
}

function sectionMessage(path: Path, issue: Issue): string {
  if (issue.code === 'too_small') return issue.message;
  if (path[0] === 'sources') return 'must be a list: each source begins with "- " on a line of its own';
  const names = namesBelow(path);
  return `must be a map of keys${names[0] === undefined || names[0] === '*' ? '' : `, such as "${names[0]}:"`}`;
}

function unknownKey(parent: Path, name: string, kind: SourceKind | undefined): Finding {
  const path = [...parent, name];
  return {
    code: 'CONFIG_UNKNOWN_KEY',
    path,
    message: `there is no such key here${hint(parent, name, kind)}`,
    atKey: true,
  };
}

function hint(parent: Path, name: string, kind: SourceKind | undefined): string {
  const siblings = namesBelow(parent, kind);
  const near = suggest(name, siblings);
  if (near !== undefined) return `. Did you mean ${near}?`;
  const elsewhere = KEYS.filter((key) => key.path.at(-1) === name);
  const [first] = elsewhere;
  if (first !== undefined && kind !== undefined && first.path[0] === 'sources') {
    return `: ${name} is for ${first.kinds.join(' and ')} sources`;
  }
  if (first !== undefined) return `: it belongs to ${first.path.slice(0, -1).join('.').replace('.*', '')}`;
  if (SECTIONS.some((section) => section.name === name)) {
    return `: ${name} belongs to the first column of the file`;
  }
  return `; there ${siblings.length === 1 ? 'is' : 'are'} ${siblings.join(', ')}${parent.length === 0 ? '' : ` in ${printable(formatPath(parent), 60)}`}`;
}

function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 65_535;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let node = value;
  for (const part of path) {
    if (typeof node !== 'object' || node === null) return undefined;
    node = (node as Record<PropertyKey, unknown>)[part];
  }
  return node;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
