/** YAML text to a plain value of which every part knows its line. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Document, ErrorCode as YamlErrorCode, Node } from 'yaml';
import type { Path } from './keys.ts';

/** `!secret NAME` before it is looked up. */
export class SecretReference {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** Lines and columns count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface YamlFault extends Position {
  readonly message: string;
}

export type ParsedYaml =
  | {
      ok: true;
      value: unknown;
      /** Where the value (or with `key` the key) at a path is, or the nearest thing around it that is in the text. */
      locate(path: Path, what?: 'key' | 'value'): Position;
    }
  | { ok: false; faults: YamlFault[] };

/** Aliases may be used as shorthand; beyond this they are an attempt to blow the file up. */
const MAX_ALIASES = 50;

const MISSING_ANCHOR = 'a value that begins with * is an alias and its anchor is missing; put the value in quotes';

const UNCLOSED_QUOTE = 'this quote is never closed; put the same one behind the value';

/** What YAML says of text may quote it, and the text may hold a password; hence sentences of our own. */
const FAULTS: Partial<Record<YamlErrorCode, string>> = {
  BAD_ALIAS: MISSING_ANCHOR,
  BAD_INDENT: 'the indentation does not fit; keys of one map begin in the same column',
  BAD_SCALAR_START: 'a value cannot begin with this character; put the value in quotes',
  BAD_DQ_ESCAPE: 'an unknown escape in double quotes; write \\\\ for a backslash, or use single quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a second ": " in one line; put the value in quotes',
  DUPLICATE_KEY: 'this key is already there; keep only one of them',
  MISSING_CHAR: 'something is missing here: a closing quote or bracket, or a space or ":" after a key',
  MULTILINE_IMPLICIT_KEY: 'a key with ":" was expected in this line, or the value before it was not closed',
  MULTIPLE_DOCS: 'one file holds one configuration: remove the line "---"',
  NON_STRING_KEY: 'a key must be plain text',
  TAB_AS_INDENT: 'a tab indents this line; use spaces',
  TAG_RESOLVE_FAILED:
    'a tag (a word beginning with !) that cannot be used here; only "!secret NAME" can, and a value that begins with ! needs quotes',
  UNEXPECTED_TOKEN: 'this does not belong here; a value with [ ] { } , # or ": " needs quotes, for example "[::]:2883"',
};

export function parseYaml(text: string): ParsedYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // A device id such as 1122334455667788 would lose digits as a number, and 12e4567812345678 all of them.
    stringKeys: true,
    customTags: [{ tag: '!secret', resolve: (name: string) => new SecretReference(name) }],
  });

  function positionAt(offset: number): Position {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  const faults = [...document.errors, ...document.warnings].map((error) => ({
    ...positionAt(error.pos[0]),
    message: FAULTS[error.code] ?? 'this is not valid YAML',
  }));
  visit(document, {
    Scalar: (_, scalar) => {
      // A quote that is never closed is found at the end of the text; where it began is of more use.
      const unclosed = document.errors.findIndex(({ pos }) => pos[0] >= text.length);
      const isLast =
        scalar.range?.[1] === text.length && (scalar.type === 'QUOTE_DOUBLE' || scalar.type === 'QUOTE_SINGLE');
      if (unclosed < 0 || !isLast || document.errors[unclosed]?.code !== 'MISSING_CHAR') return;
      faults[unclosed] = { ...positionAt(scalar.range![0]), message: UNCLOSED_QUOTE };
    },
    Alias: (_, alias, parents) => {
      const target = alias.resolve(document);
      if (target !== undefined && !parents.includes(target)) return;
      const message =
        target === undefined ? MISSING_ANCHOR : 'this alias stands within what it stands for; write the value out';
      faults.push({ ...positionAt(alias.range?.[0] ?? 0), message });
    },
  });
  if (faults.length > 0) return { ok: false, faults };

  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch {
    // The only thing left that fails here.
    const message = `more than ${MAX_ALIASES} uses of aliases (*); write the values out`;
    return { ok: false, faults: [{ line: 1, column: 1, message }] };
  }
  return { ok: true, value, locate: (path, what = 'value') => positionAt(offsetOf(document, path, what)) };
}

function offsetOf(document: Document.Parsed, path: Path, what: 'key' | 'value'): number {
  let node: Node | null = document.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const [depth, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document) ?? null;
    const last = depth === path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === part);
      if (pair === undefined) return offset;
      const key = (pair.key as Node).range?.[0] ?? offset;
      const value = (pair.value as Node | null)?.range?.[0];
      offset = last && what === 'key' ? key : (value ?? key);
      node = pair.value as Node | null;
    } else if (isSeq(node)) {
      const item = node.items[Number(part)] as Node | undefined;
      if (item === undefined) return offset;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else {
      return offset;
    }
  }
  return offset;
}
