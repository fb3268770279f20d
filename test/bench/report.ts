/** Tables for people. The targets stand beside the figures; nothing here judges. */
import type { CaseResult, Results } from './run.ts';
import type { Spread } from './statistics.ts';

const LATENCY_TARGET = '≤ 3';
const MEMORY_TARGET = '≤ 12';
const PROFILE_TARGET = '≥ 0.33';

export function report({ machine, rounds, cases, ratios, latency, memory, profiles, notes }: Results): string {
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${machine.system}; ${rounds} rounds; median (min–max)`,
    '',
    ...table(
      ['case', 'frames/s', 'CPU µs a frame', 'target', 'CPU load', 'lost', 'twice', 'resent', 'busy'],
      cases.map(caseRow),
    ),
    '',
    ...table(
      ['ratio of CPU a frame', 'QoS 0', 'QoS 1', 'target'],
      ratios.map(({ name, qos0, qos1, target }) => [name, fixed(qos0, 2), fixed(qos1, 2), target]),
    ),
  ];
  if (latency.length > 0) {
    lines.push(
      '',
      ...table(
        ['latency at 100 frames/s, mosquitto', 'frames', 'p50 ms', 'p99 ms', 'target', 'max ms', 'lost'],
        latency.map(({ relay, qos, frames, received, p50Ms, p99Ms, maxMs }) => [
          `${relay} QoS ${qos}`,
          `${frames}`,
          fixed(p50Ms, 2),
          fixed(p99Ms, 2),
          relay === 'gateway' ? LATENCY_TARGET : '',
          fixed(maxMs, 1),
          `${frames - received}`,
        ]),
      ),
    );
  }
  if (memory.length > 0) {
    lines.push(
      '',
      ...table(
        ['idle TCP connections', 'resident MB', 'KB a connection', 'target'],
        memory.map(({ connections, residentBytes, bytesPerConnection }) => [
          `${connections}`,
          fixed(residentBytes / 1e6, 1),
          fixed(bytesPerConnection === undefined ? undefined : bytesPerConnection / 1_024, 1),
          bytesPerConnection === undefined ? '' : MEMORY_TARGET,
        ]),
      ),
    );
  }
  if (profiles.length > 0) {
    lines.push(
      '',
      ...table(
        ['compiled profile', 'frames/s by hand', 'frames/s by profile', 'profile to hand', 'target'],
        profiles.map(({ name, byHand, byProfile, ratio }) => [
          name,
          spreadText(byHand, 0),
          spreadText(byProfile, 0),
          fixed(ratio, 2),
          PROFILE_TARGET,
        ]),
      ),
    );
  }
  if (notes.length > 0) lines.push('', ...notes);
  return lines.join('\n');
}

function caseRow({ name, target, outcome }: CaseResult): string[] {
  if (outcome === undefined) return [name, '', '', target ?? '', '', '', '', '', ''];
  const { framesPerS, cpuUsPerFrame, cpuLoad, lost, twice, resent, busy } = outcome;
  return [
    name,
    spreadText(framesPerS, 0),
    spreadText(cpuUsPerFrame, 2),
    target ?? '',
    fixed(cpuLoad.median, 2),
    `${lost}`,
    `${twice}`,
    `${resent}`,
    `${busy}`,
  ];
}

function spreadText({ median, min, max }: Spread, digits: number): string {
  return `${fixed(median, digits)} (${fixed(min, digits)}–${fixed(max, digits)})`;
}

function fixed(value: number | undefined, digits: number): string {
  return value === undefined ? '–' : value.toFixed(digits);
}

/** A Markdown table, aligned for a terminal, too. */
function table(head: string[], rows: string[][]): string[] {
  const widths = head.map((cell, i) => Math.max(...[head, ...rows].map((row) => (row[i] ?? cell).length)));
  const line = (cells: string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [line(head), rule, ...rows.map(line)];
}
