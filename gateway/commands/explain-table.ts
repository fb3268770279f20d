/**
 * An explanation as a table for people:
 *
 * ```
 *   frame 1: READINGS, 27 bytes at offset 0, COBS
 *     offset  bytes        field  value              meaning
 *          0  22           vf     version 1, up …    Version and flags.
 *          …
 *   bad: bad-crc at byte 23: CRC computed 0x…, received 0x…
 * ```
 */
import type { ExplainedFrame, ExplainedRange, Explanation } from '../../protocol/index.ts';
import type { Paint } from './terminal.ts';

/** Bytes of a range that are shown; the rest is counted. */
const SHOWN_BYTES = 8;

export function explanationTable(explanation: Explanation, paint: Paint): string {
  return explanation.frames.map((frame, index) => frameTable(frame, index, explanation, paint)).join('\n\n');
}

function frameTable(frame: ExplainedFrame, index: number, explanation: Explanation, paint: Paint): string {
  const unseen = frame.sealed === 'closed' ? paint.yellow('sealed, not checked') : paint.green('good');
  const verdict = frame.ok ? unseen : paint.red('bad');
  const form = explanation.form === 'cobs' ? `COBS${frame.delimited ? '' : ' without the 00 at the end'}` : 'bare';
  const place = `${frame.wireLength} bytes from byte ${frame.wireOffset}, ${form}`;
  const lines = [`${paint.bold(`frame ${index + 1}: ${frame.name}`)}, ${place}: ${verdict}`];

  const header = ['byte', 'bytes', 'field', 'value', 'meaning'];
  const rows = frame.ranges.map((range) => [
    String(range.wireOffset),
    hexOf(frame, range),
    range.name,
    range.value,
    range.meaning,
  ]);
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const cell = (row: readonly string[], column: number) => {
    const text = row[column] ?? '';
    const width = Math.min(widths[column] ?? 0, 44);
    return column === 0 ? text.padStart(width) : text.padEnd(width);
  };
  if (rows.length > 0)
    lines.push(paint.dim(`  ${header.map((_, column) => cell(header, column)).join('  ')}`.trimEnd()));
  const problem = frame.problem;
  for (const [i, row] of rows.entries()) {
    const range = frame.ranges[i];
    const bad =
      problem !== undefined &&
      range !== undefined &&
      problem.offset >= range.offset &&
      problem.offset < range.offset + range.length;
    const cells = [
      paint.dim(cell(row, 0)),
      (bad ? paint.red : paint.cyan)(cell(row, 1)),
      paint.bold(cell(row, 2)),
      cell(row, 3),
      paint.dim(row[4] ?? ''),
    ];
    lines.push(`${bad ? paint.red('>') : ' '} ${cells.join('  ').trimEnd()}`);
  }
  if (problem !== undefined) {
    const inFrame = explanation.form === 'cobs' ? ` (byte ${problem.offset} of the frame)` : '';
    lines.push(`${paint.red(problem.code)} at byte ${problem.wireOffset}${inFrame}: ${problem.text}`);
  }
  return lines.join('\n');
}

function hexOf(frame: ExplainedFrame, range: ExplainedRange): string {
  const bytes = frame.bytes.subarray(range.offset, range.offset + Math.min(range.length, SHOWN_BYTES));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return range.length > SHOWN_BYTES ? `${hex} … ${range.length} bytes` : hex;
}
