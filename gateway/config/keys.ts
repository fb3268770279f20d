/** The keys of the configuration as a flat list, read off the JSON Schema: for environment variables, messages and docs. */
import { jsonSchema, SOURCE_KINDS } from './schema.ts';
import type { SourceKind } from './schema.ts';

/** `sources[1].tcp` is `['sources', 1, 'tcp']`. */
export type Path = readonly (string | number)[];

export interface Key {
  /** `*` stands for an index or a device id. */
  readonly path: readonly string[];
  /** `any`: whatever else says what is right there. */
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'any';
  readonly description: string;
  readonly default: unknown;
  /** When only these are right. */
  readonly values: readonly (string | number)[] | undefined;
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  /** May come from `!secret`, and is never shown. */
  readonly secret: boolean;
  /** For a key of a source: the kinds that have it. */
  readonly kinds: readonly SourceKind[];
}

/** A map or list that holds keys: `mqtt`, `sources`, `devices` … */
export interface Section {
  readonly name: string;
  readonly description: string;
}

interface Node {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: (string | number)[];
  minimum?: number;
  maximum?: number;
  writeOnly?: boolean;
  properties?: Record<string, Node>;
  items?: Node & { anyOf?: Node[] };
  additionalProperties?: Node | false;
}

const root = jsonSchema() as Node;

export const SECTIONS: readonly Section[] = Object.entries(root.properties ?? {}).map(([name, node]) => ({
  name,
  description: node.description ?? '',
}));

/** Every key that holds a value. */
export const KEYS: readonly Key[] = collectKeys();

function collectKeys(): Key[] {
  const keys = new Map<string, Key>();

  function visit(node: Node, path: readonly string[], kind: SourceKind | undefined): void {
    if (node.properties !== undefined) {
      for (const [name, child] of Object.entries(node.properties)) visit(child, [...path, name], kind);
    } else if (node.items !== undefined) {
      const { anyOf } = node.items;
      if (anyOf === undefined) visit({ description: node.description ?? '', ...node.items }, [...path, '*'], kind);
      else anyOf.forEach((item, index) => visit(item, [...path, '*'], SOURCE_KINDS[index]));
    } else if (typeof node.additionalProperties === 'object') {
      const { description = '' } = node;
      visit({ description, ...node.additionalProperties }, [...path, '*'], kind);
    } else {
      const name = path.join('.');
      const known = keys.get(name)?.kinds ?? [];
      keys.set(name, toKey(node, path, kind === undefined ? known : [...known, kind]));
    }
  }

  visit(root, [], undefined);
  return [...keys.values()];
}

function toKey(node: Node, path: readonly string[], kinds: readonly SourceKind[]): Key {
  return {
    path,
    type: (node.type ?? 'any') as Key['type'],
    description: node.description ?? '',
    default: node.default,
    values: node.enum,
    minimum: node.minimum,
    maximum: node.maximum,
    secret: node.writeOnly === true,
    kinds,
  };
}

/** The key at a path, if it is one that holds a value. */
export function findKey(path: Path): Key | undefined {
  return KEYS.find(
    (key) => key.path.length === path.length && key.path.every((part, i) => part === '*' || part === path[i]),
  );
}

/** The names that are right below a path, e.g. those of `mqtt`; for a source only those of its kind. */
export function namesBelow(path: Path, kind?: SourceKind): string[] {
  const names = KEYS.filter(
    (key) =>
      key.path.length > path.length &&
      path.every((part, i) => key.path[i] === '*' || key.path[i] === part) &&
      (kind === undefined || key.kinds.includes(kind)),
  ).map((key) => key.path[path.length] ?? '');
  return [...new Set(names)];
}

/** What would be right, e.g. `a whole number from 1 to 32`. */
export function describeType(key: Key): string {
  if (key.values !== undefined) return `one of ${key.values.join(', ')}`;
  if (key.type === 'string') return 'text';
  if (key.type === 'boolean') return 'true or false';
  if (key.type === 'any') return 'a number, text, or what belongs there';
  const noun = key.type === 'integer' ? 'a whole number' : 'a number';
  return key.minimum === undefined || key.maximum === undefined
    ? noun
    : `${noun} from ${key.minimum} to ${key.maximum}`;
}

/** `sources[1].tcp` */
export function formatPath(path: Path): string {
  return path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`)).join('');
}
