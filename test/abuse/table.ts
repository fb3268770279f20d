/** The table at the end of a run, in Markdown. */
import type { Counted, Family } from './case.ts';

export interface Row {
  readonly family: Family;
  readonly name: string;
  readonly bytes: number;
  readonly expected: Counted;
  readonly counted: string;
  /** Until every good device had its next reading acknowledged and published; undefined: not all had. */
  readonly goodMs: number | undefined;
  readonly problems: readonly string[];
}

const COLUMNS: readonly [title: string, cell: (row: Row) => string][] = [
  ['family', ({ family }) => family],
  ['case', ({ name }) => name],
  ['bytes', ({ bytes }) => String(bytes)],
  ['expected', ({ expected }) => reasons(expected)],
  ['counted', ({ counted }) => counted],
  ['next good frame', ({ goodMs }) => (goodMs === undefined ? 'NOT ACCEPTED' : `${Math.round(goodMs)} ms`)],
  ['verdict', ({ problems }) => (problems.length === 0 ? 'pass' : 'FAIL')],
];

function reasons(expected: Counted): string {
  return Object.entries(expected)
    .map(([path, by]) => `${path.split('.').at(-1)} ${by}`)
    .join(', ');
}

export function table(rows: readonly Row[]): string {
  const cells = [COLUMNS.map(([title]) => title), ...rows.map((row) => COLUMNS.map(([, cell]) => cell(row)))];
  const widths = COLUMNS.map((_, at) => Math.min(60, Math.max(...cells.map((line) => line[at]?.length ?? 0))));
  const lines = cells.map((line) => `| ${line.map((text, at) => text.padEnd(widths[at] ?? 0)).join(' | ')} |`);
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [lines[0], rule, ...lines.slice(1)].join('\n');
}
