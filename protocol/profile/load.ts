/**
 * The text of a profile file to a `Profile`, or to everything that is wrong with it: where, and what would be right.
 *
 * ```
 *   text ─ YAML ─→ values as text, with their lines ─ schema ─→ file ─ compile ─→ Profile
 *              └──────────── problems: line, column, path, message ────────────┘
 * ```
 *
 * Scalars stay text until the schema says what they are: `tail: 77` is a byte, `off` a word.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Document, Node } from 'yaml';
import { printable } from '../text.ts';
import { compileProfile } from './compile.ts';
import { formatPath, Problems } from './problems.ts';
import type { Finding, Path } from './problems.ts';
import type { Profile } from './profile.ts';
import { findingsOf } from './schema-findings.ts';
import { profileSchema, registersSchema } from './schema.ts';
import { ALIAS } from './schema-leaves.ts';
import type { ProfileFile, RegisterSpec } from './spec.ts';

export interface ProfileText {
  /** The name of the profile: `[a-z0-9_]{1,32}`. */
  readonly name: string;
  /** The content of the file. */
  readonly text: string;
  /** The name of the file for messages. */
  readonly file?: string;
  /** Registers out of a configuration, for a profile with `modbus`: added to its own. */
  readonly registers?: unknown;
}

/** One thing that is wrong. */
export interface ProfileProblem {
  readonly file: string | undefined;
  /** Line and column count from 1; undefined for registers, whose place only the caller knows. */
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** `messages.basic.fields.soc.at`; empty for the file as a whole. */
  readonly path: string;
  readonly keys: Path;
  /** Whether the path is in the file, or in `registers`. */
  readonly origin: 'file' | 'registers';
  /** What would be right. */
  readonly message: string;
}

export type LoadedProfile =
  | { readonly ok: true; readonly profile: Profile }
  | { readonly ok: false; readonly problems: readonly ProfileProblem[] };

/** A profile is a page of text; anything like this much is something else. */
const MAX_TEXT = 1_048_576;
const MAX_ALIASES = 1_000;

/** Loads a profile. Never throws, whatever the text. */
export function loadProfile({ name, text, file, registers }: ProfileText): LoadedProfile {
  const whole = (message: string, line = 1, column = 1): LoadedProfile => ({
    ok: false,
    problems: [{ file, line, column, path: '', keys: [], origin: 'file', message }],
  });
  if (!ALIAS.test(name)) return whole('the name of a profile (of its file) has 1 to 32 of a-z, 0-9 and _');
  if (text.length > MAX_TEXT) return whole('this is too long for a profile');
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    schema: 'failsafe',
    merge: true,
    stringKeys: true,
  });
  const positionAt = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const [fault] = document.errors;
  if (fault !== undefined) {
    const { line, column } = positionAt(fault.pos[0]);
    return whole(yamlMessage(fault.code, fault.message), line, column);
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch {
    return whole('an alias (*) has no anchor (&), or there are far too many of them');
  }
  const problem = (finding: Finding, origin: 'file' | 'registers'): ProfileProblem => {
    const place =
      origin === 'file'
        ? positionAt(offsetOf(document, finding.path, finding.atKey))
        : { line: undefined, column: undefined };
    return {
      file,
      ...place,
      path: printable(formatPath(finding.path), 200),
      keys: finding.path,
      origin,
      message: finding.message,
    };
  };
  const read = profileSchema.safeParse(value);
  if (!read.success) {
    return { ok: false, problems: findingsOf(read.error, value).map((finding) => problem(finding, 'file')) };
  }
  let spec: ProfileFile = read.data;
  let extra: ReadonlySet<string> = new Set();
  if (registers !== undefined) {
    const added = registersSchema.safeParse(registers);
    if (!added.success) {
      return {
        ok: false,
        problems: findingsOf(added.error, registers).map((finding) => problem(finding, 'registers')),
      };
    }
    if (spec.modbus === undefined) return whole('registers are for a profile with modbus');
    spec = withRegisters(spec, added.data);
    extra = new Set(Object.keys(added.data));
  }
  const problems = new Problems();
  const profile = compileProfile(spec, name, problems);
  if (profile !== undefined && problems.findings.length === 0) return { ok: true, profile };
  return {
    ok: false,
    problems: problems.findings.map((finding) => {
      const [first, second, third] = finding.path;
      const isExtra = first === 'modbus' && second === 'registers' && extra.has(String(third));
      return isExtra ? problem({ ...finding, path: finding.path.slice(2) }, 'registers') : problem(finding, 'file');
    }),
  };
}

function withRegisters(spec: ProfileFile, added: Readonly<Record<string, RegisterSpec>>): ProfileFile {
  const modbus = spec.modbus!;
  return { ...spec, modbus: { ...modbus, registers: { ...modbus.registers, ...added } } };
}

/** `jbd.yaml:12:9: messages.basic.fields.soc.at: must be …` */
export function formatProfileProblem({ file, line, column, path, message }: ProfileProblem): string {
  const place = [file, line, column].filter((part) => part !== undefined).join(':');
  return [place, path, message].filter((part) => part !== '').join(': ');
}

const YAML_MESSAGES: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'an alias (*) has no anchor (&); a value that begins with * needs quotes',
  BAD_INDENT: 'the indentation does not fit; keys of one map begin in the same column',
  BLOCK_IN_FLOW: 'inside { } and [ ] a comma is missing, or a value with ": " or "- " needs quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a second ": " in one line; put the value in quotes',
  DUPLICATE_KEY: 'this key is already there; keep only one of them',
  MISSING_CHAR: 'something is missing here: a closing quote or bracket, or a space or ":" after a key',
  MULTILINE_IMPLICIT_KEY: 'a key with ":" was expected in this line, or the value before it was not closed',
  MULTIPLE_DOCS: 'one file holds one profile: remove the line "---"',
  NON_STRING_KEY: 'a key must be plain text',
  TAB_AS_INDENT: 'a tab indents this line; use spaces',
  UNEXPECTED_TOKEN: 'this does not belong here; a value with [ ] { } , # or ": " needs quotes',
};

function yamlMessage(code: string, message: string): string {
  return YAML_MESSAGES[code] ?? `this is not valid YAML: ${printable(message.split('\n')[0] ?? '', 120)}`;
}

/** Where a path stands in the text, or the nearest thing around it that does. */
function offsetOf(document: Document.Parsed, path: Path, atKey: boolean): number {
  let node: Node | null = document.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const [depth, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document) ?? null;
    const last = depth === path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part));
      if (pair === undefined) return offset;
      const key = (pair.key as Node).range?.[0] ?? offset;
      const value = (pair.value as Node | null)?.range?.[0];
      offset = last && atKey ? key : (value ?? key);
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
