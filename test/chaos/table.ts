/** The table at the end of a run. */
import type { Outcome, Scenario } from './scenario.ts';

export interface Row {
  readonly scenario: Scenario;
  readonly outcome: Outcome;
  readonly seconds: number;
}

const COLUMNS: readonly [title: string, cell: (row: Row) => string][] = [
  ['fault', ({ scenario }) => scenario.fault],
  ['rounds', ({ outcome }) => count(outcome.rounds)],
  ['readings', ({ outcome }) => count(outcome.readings)],
  ['acknowledged', ({ outcome }) => count(outcome.acknowledged)],
  ['missing', ({ outcome }) => count(outcome.missing)],
  ['duplicates', ({ outcome }) => count(outcome.duplicates)],
  ['foreign ids', ({ outcome }) => count(outcome.foreign)],
  [
    'worst ACK gap',
    ({ outcome }) => (outcome.worstAckGapMs === undefined ? '' : `${(outcome.worstAckGapMs / 1000).toFixed(2)} s`),
  ],
  ['time', ({ seconds }) => `${Math.round(seconds)} s`],
  ['pass', ({ outcome }) => (outcome.failures.length === 0 ? 'yes' : 'NO')],
];

/** In Markdown, with the figures of each row below. */
export function table(rows: readonly Row[]): string {
  const cells = [COLUMNS.map(([title]) => title), ...rows.map((row) => COLUMNS.map(([, cell]) => cell(row)))];
  const widths = COLUMNS.map((_, at) => Math.max(...cells.map((line) => (line[at] as string).length)));
  const lines = cells.map((line) => `| ${line.map((text, at) => pad(text, widths[at] as number, at)).join(' | ')} |`);
  const rule = `|${widths.map((width, at) => `${'-'.repeat(width + 1)}${at === 0 ? '-' : ':'}`).join('|')}|`;
  const figures = rows
    .map(({ scenario, outcome }) => [scenario.name, Object.entries(outcome.figures)] as const)
    .filter(([, figures]) => figures.length > 0)
    .map(([name, figures]) => `${name}: ${figures.map(([what, value]) => `${what} ${value}`).join(', ')}`);
  return [lines[0], rule, ...lines.slice(1), '', ...figures].join('\n');
}

function pad(text: string, width: number, column: number): string {
  return column === 0 ? text.padEnd(width) : text.padStart(width);
}

function count(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}
