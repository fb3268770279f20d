/**
 * Lines of text: what they begin and end with, how they are split, whether they carry a checksum in hex digits.
 *
 * ```
 *   $GPGGA,080247.00,5327.04300,N*60 CR LF        columns by a separator, lines of several kinds by their first column
 * ```
 */
import type { Capture } from './capture.ts';
import { MAX_FRAMES } from './capture.ts';
import { distinct, fitHolds, searchChecksums } from './checksum-search.ts';
import type { Sync } from './framing.ts';
import type { Group, Grouping } from './groups.ts';
import type { Proposal } from './proposal.ts';

export interface TextLayout {
  /** What parts the columns; undefined when a line is one value. */
  readonly separator: string | undefined;
  /** What stands between key and value in every column (`T=21.5;H=40`); undefined when columns go by their place. */
  readonly keySign: string | undefined;
  /** Where the columns begin, and where they end, counted from the end of the line. */
  readonly from: number;
  readonly to: number;
  readonly kinds: readonly TextKind[];
}

/** Lines with the same word in the first column. */
export interface TextKind {
  /** The word; undefined when the lines do not begin with one of a few. */
  readonly head: string | undefined;
  readonly columns: readonly TextColumn[];
  readonly lines: number;
}

export interface TextColumn {
  readonly index: number;
  readonly kind: 'number' | 'text' | 'constant' | 'empty';
  readonly example: string;
  /** The word before the sign between key and value. */
  readonly key?: string;
}

const KEY_SIGNS = ['=', ':'] as const;
const SEPARATORS = ['\t', ',', ';', '|', '=', ':', ' '] as const;
const MIN_PRINTABLE = 0.97;
const LONGEST_LINE = 1_024;
const MAX_KINDS = 32;
const MAX_COLUMNS = 64;

/** The proposal for a capture (of one piece) that is lines of text; undefined when it is not. */
export function textProposal(capture: Capture): Proposal | undefined {
  const bytes = capture.pieces[0]?.bytes ?? new Uint8Array(0);
  const end = lineEnd(bytes);
  if (end === undefined || !isText(bytes)) return undefined;
  const all = linesOf(bytes, end);
  // The first one may be the rest of a line, unless it begins as the others do.
  const lines = all.length > 2 && !sharesStart(all) ? all.slice(1) : all;
  if (lines.length < 2) return undefined;
  const start = commonStart(lines);
  const fits = searchChecksums(lines, true).filter(({ bits }) => bits >= 4);
  const [checksum] = fits;
  const frames = checksum === undefined ? lines : lines.filter((line) => fitHolds(checksum, line));
  const to = checksum === undefined ? -end.length : checksum.to;
  const { separator, keySign, kinds, grouping } = splitLines(frames, start === undefined ? 0 : start.bytes.length, to);
  const covered = frames.reduce((sum, { length }) => sum + length, 0);
  return {
    framing: { escape: undefined, sync: start, length: { kind: 'tail', bytes: end } },
    tail: end,
    checksum,
    otherChecksums: fits.slice(1, 3),
    lengthHints: [],
    frames,
    different: distinct(frames).length,
    share: capture.size === 0 ? 0 : covered / capture.size,
    bits: Math.min(frames.length, 50) * 8 + (checksum?.bits ?? 0),
    grouping,
    layouts: grouping.groups.map((group) => ({ group, columns: [] })),
    text: { separator, keySign, from: start === undefined ? 0 : start.bytes.length, to, kinds },
  };
}

function isText(bytes: Uint8Array): boolean {
  let printable = 0;
  for (const byte of bytes) {
    if ((byte >= 0x20 && byte < 0x7f) || byte === 0x0d || byte === 0x0a || byte === 0x09) printable += 1;
  }
  return printable >= MIN_PRINTABLE * bytes.length;
}

/** CR LF, LF or CR, whichever ends lines here. */
function lineEnd(bytes: Uint8Array): Uint8Array | undefined {
  const at = bytes.indexOf(0x0a);
  if (at > 0 && bytes[at - 1] === 0x0d) return Uint8Array.of(0x0d, 0x0a);
  if (at >= 0) return Uint8Array.of(0x0a);
  return bytes.includes(0x0d) ? Uint8Array.of(0x0d) : undefined;
}

/** Whole lines with their ends; empty ones are left out. */
function linesOf(bytes: Uint8Array, end: Uint8Array): Uint8Array[] {
  const last = end.at(-1) as number;
  const lines: Uint8Array[] = [];
  for (let from = 0; from < bytes.length && lines.length < MAX_FRAMES; ) {
    const at = bytes.indexOf(last, from);
    if (at === -1) break;
    const line = bytes.subarray(from, at + 1);
    if (line.length > end.length && line.length <= LONGEST_LINE && line.at(-end.length) === end[0]) lines.push(line);
    from = at + 1;
  }
  return lines;
}

function sharesStart(lines: readonly Uint8Array[]): boolean {
  return lines.every((line) => line[0] === lines[1]?.[0]);
}

/** A sign that begins every line; a letter or a digit is content. */
function commonStart(lines: readonly Uint8Array[]): Sync | undefined {
  const first = lines[0]?.[0];
  if (first === undefined || first <= 0x20 || /[0-9A-Za-z+.-]/.test(String.fromCharCode(first))) return undefined;
  return lines.every((line) => line[0] === first) ? { at: 0, bytes: Uint8Array.of(first) } : undefined;
}

function splitLines(
  lines: readonly Uint8Array[],
  from: number,
  to: number,
): { separator: string | undefined; keySign: string | undefined; kinds: TextKind[]; grouping: Grouping } {
  const texts = lines.map((line) =>
    Buffer.from(line.subarray(from, Math.max(from, line.length + to))).toString('latin1'),
  );
  const separator = SEPARATORS.map((sign) => ({ sign, worth: evenness(texts, sign) })).toSorted(
    (a, b) => b.worth - a.worth,
  )[0];
  const sign = separator !== undefined && separator.worth >= 0.5 ? separator.sign : undefined;
  const rows = texts.map((text) => (sign === undefined ? [text] : text.split(sign).slice(0, MAX_COLUMNS)));
  const keySign = KEY_SIGNS.find((candidate) => candidate !== sign && isKeyed(rows, candidate));
  if (keySign !== undefined) {
    const kind = { head: undefined, columns: columnsOfKeys(rows, keySign), lines: rows.length };
    const group: Group = { value: undefined, length: undefined, frames: lines };
    return { separator: sign, keySign, kinds: [kind], grouping: { by: { kind: 'none' }, groups: [group] } };
  }
  const heads = headsOf(rows, from > 0);
  const groups = new Map<string, { rows: string[][]; frames: Uint8Array[] }>();
  for (const [index, row] of rows.entries()) {
    const head = heads === undefined ? '' : (row[0] ?? '');
    const group = groups.get(head) ?? { rows: [], frames: [] };
    group.rows.push(row);
    group.frames.push(lines[index] as Uint8Array);
    groups.set(head, group);
  }
  const kinds = [...groups].map(([head, group]) => ({
    head: heads === undefined ? undefined : head,
    columns: columnsOfRows(group.rows, heads === undefined ? 0 : 1),
    lines: group.rows.length,
  }));
  const members: Group[] = [...groups.values()].map(({ frames }) => ({ value: undefined, length: undefined, frames }));
  return { separator: sign, keySign: undefined, kinds, grouping: { by: { kind: 'none' }, groups: members } };
}

/** The share of lines that have the commonest number of this sign, if that is not none. */
function evenness(texts: readonly string[], sign: string): number {
  const counts = new Map<number, number>();
  for (const text of texts) {
    const count = text.split(sign).length - 1;
    counts.set(count, (counts.get(count) ?? 0) + 1);
  }
  const withAny = texts.length - (counts.get(0) ?? 0);
  const common = Math.max(0, ...[...counts].filter(([count]) => count > 0).map(([, lines]) => lines));
  // Lines of several kinds have several numbers of columns: what counts is that nearly all have some.
  return (0.7 * withAny + 0.3 * common) / Math.max(1, texts.length);
}

/** The words of the first column, when they are a few words and no numbers; behind a mark (`$`) any word will do. */
function headsOf(rows: readonly string[][], marked: boolean): Set<string> | undefined {
  const heads = new Set(rows.map((row) => row[0] ?? ''));
  const words = [...heads].every((head) => /^[A-Za-z!#$%&_./-][\w!#$%&./-]{0,15}$/.test(head));
  const few = heads.size <= (marked ? MAX_KINDS : Math.min(MAX_KINDS, Math.max(1, rows.length / 2)));
  const enough = few && rows.every((row) => row.length > 1);
  return words && enough ? heads : undefined;
}

/** Whether every column of every row is a word, the sign and a value; one pair alone is no table. */
function isKeyed(rows: readonly (readonly string[])[], sign: string): boolean {
  const pair = (cell: string): boolean =>
    /^[A-Za-z][\w.]{0,15}$/.test(cell.split(sign)[0] ?? '') && cell.includes(sign);
  return rows.every((row) => row.length > 1 && row.every((cell, i) => pair(cell) || (i > 0 && cell === '')));
}

/** One column for each key, in the order in which they first came. */
function columnsOfKeys(rows: readonly (readonly string[])[], sign: string): TextColumn[] {
  const keys = [...new Set(rows.flat().flatMap((cell) => (cell === '' ? [] : [cell.slice(0, cell.indexOf(sign))])))];
  const values = keys.slice(0, MAX_COLUMNS).map((key) => {
    const start = `${key}${sign}`;
    return rows.map((row) => [row.find((cell) => cell.startsWith(start))?.slice(start.length) ?? '']);
  });
  return values.flatMap((column, index) =>
    columnsOfRows(column, 0).map((found) => ({ ...found, index, key: keys[index] ?? '' })),
  );
}

function columnsOfRows(rows: readonly string[][], from: number): TextColumn[] {
  const width = rows.reduce((most, row) => Math.max(most, row.length), 0);
  return Array.from({ length: Math.max(0, width - from) }, (_, i): TextColumn => {
    const index = from + i;
    const values = rows.flatMap((row) => (row[index] === undefined || row[index] === '' ? [] : [row[index]]));
    const [example] = values;
    if (example === undefined) return { index, kind: 'empty', example: '' };
    const numbers = values.every((value) => /^\s*[+-]?(\d+\.?\d*|\.\d+)\s*$/.test(value));
    if (numbers) return { index, kind: 'number', example };
    const constant = rows.length > 1 && values.length === rows.length && values.every((value) => value === example);
    return { index, kind: constant ? 'constant' : 'text', example };
  });
}
