/**
 * The lab's proposals for people: what was found with its evidence, and a frame with every byte marked.
 *
 * ```
 *      0  42 4d 00 1c 00 08 00 00 …      S sync  L length  K kind  M measurement  + counter  = constant
 *         S  S  L  L  M  M  =  =         T text  ? unclear  C checksum  E end
 * ```
 */
import { printable } from '../../protocol/index.ts';
import type { Capture } from '../lab/capture.ts';
import type { ChecksumFit } from '../lab/checksum-search.ts';
import type { Column } from '../lab/columns.ts';
import { lengthBytes } from '../lab/framing.ts';
import { countsWhat } from '../lab/length-search.ts';
import type { Layout, Proposal } from '../lab/proposal.ts';
import type { TextLayout } from '../lab/text-lines.ts';
import type { KnownProfile } from '../lab/known-profiles.ts';
import type { Paint } from './terminal.ts';

const A_ROW = 16;
const SHOWN_BYTES = 96;
const SHOWN_KINDS = 6;
const SHOWN_COLUMNS = 24;
const LEGEND =
  'S sync  L length  K kind  M measurement  + counter  B state  = constant  T text  ? unclear  C checksum  E end';

type Mark = 'S' | 'L' | 'K' | 'M' | '+' | 'B' | '=' | 'T' | '?' | 'C' | 'E';

const MARKS: Readonly<Record<Column['kind'], Mark>> = {
  constant: '=',
  counter: '+',
  measurement: 'M',
  state: 'B',
  text: 'T',
  noise: '?',
};

export function labTable(
  capture: Capture,
  known: readonly KnownProfile[],
  proposals: readonly Proposal[],
  paint: Paint,
): string {
  const from = { lines: 'lines', silence: 'pieces with silence between them', datagrams: 'datagrams', none: '' }[
    capture.borders
  ];
  const pieces = capture.borders === 'none' ? '' : ` in ${capture.pieces.length} ${from}`;
  const lines = [`${capture.size} bytes${pieces}${capture.cut ? '; what came after that is left out' : ''}`];
  for (const { name, title, frames, share, doubts } of known) {
    const verdict = doubts.length === 0 ? paint.green('may be') : paint.yellow('hardly');
    lines.push(
      `${verdict}: the profile ${paint.bold(name)} (${title}) reads ${frames} frames, ${percent(share)} of the bytes`,
      ...doubts.map((doubt) => `  ${paint.yellow('but')} ${doubt}`),
    );
  }
  if (known.length > 0) {
    lines.push(
      '  Other devices may have the same framing: compare its values with what the device shows or should measure.',
    );
  }
  const [first, ...others] = proposals;
  if (first === undefined) return [...lines, 'Nothing in them repeats: there is nothing to propose.'].join('\n');
  lines.push('', ...proposalLines(first, paint));
  if (others.length > 0) {
    lines.push('', paint.bold('less likely'));
    for (const other of others) lines.push(`  ${inShort(other)}`);
  }
  return lines.join('\n');
}

function proposalLines(proposal: Proposal, paint: Paint): string[] {
  const { frames, different, share, bits, checksum, otherChecksums, framing, tail } = proposal;
  const name = (text: string): string => paint.bold(text.padEnd(9));
  const lines = [
    `${paint.bold('proposal')}: ${countOf(frames.length, different)}, ${percent(share)} of the bytes; ${odds(bits, paint)}`,
  ];
  if (framing.escape !== undefined)
    lines.push(`  ${name('framing')} ${framing.escape.toUpperCase()}: flags and escapes`);
  const { sync } = framing;
  lines.push(
    `  ${name('sync')} ${sync === undefined ? 'none found' : `${paint.cyan(hexOf(sync.bytes))} at byte ${sync.at}`}`,
    `  ${name('length')} ${lengthLine(proposal)}`,
  );
  for (const hint of proposal.lengthHints) {
    const { at, type } = hint;
    lines.push(
      `  ${''.padEnd(9)} perhaps ${type} at ${at}: ${countsWhat(hint, checkSize(proposal), tail.length)}; frames of another length would tell`,
    );
  }
  lines.push(
    `  ${name('checksum')} ${checksum === undefined ? 'none fits' : `${paint.green(checksumInWords(checksum))}; ${odds(checksum.bits, paint)}`}`,
  );
  for (const other of otherChecksums.filter(({ bits: b }) => b > 0)) {
    lines.push(`  ${''.padEnd(9)} or ${checksumInWords(other)}; ${odds(other.bits, paint)}`);
  }
  if (tail.length > 0) lines.push(`  ${name('tail')} ${hexOf(tail)}`);
  if (different === 1) {
    const few = frames.length === 1 ? 'This is one frame' : 'All frames are the same';
    lines.push(paint.yellow(`  ${few}: what moves, and which checksum it is, only different frames can tell.`));
  }
  if (proposal.text !== undefined) return [...lines, ...textLines(proposal.text, proposal, paint)];
  const { by } = proposal.grouping;
  if (by.kind === 'byte')
    lines.push(`  ${name('kinds')} byte ${by.at} tells ${proposal.layouts.length} kinds of frames apart`);
  if (by.kind === 'length') lines.push(`  ${name('kinds')} ${proposal.layouts.length} lengths`);
  lines.push('');
  for (const layout of proposal.layouts.slice(0, SHOWN_KINDS)) lines.push(...layoutLines(layout, proposal, paint));
  if (proposal.layouts.length > SHOWN_KINDS) lines.push(`  … ${proposal.layouts.length - SHOWN_KINDS} more kinds`);
  lines.push(paint.dim(`  ${LEGEND}`));
  return lines;
}

function lengthLine({ framing, tail, checksum }: Proposal): string {
  const { length } = framing;
  switch (length.kind) {
    case 'fixed':
      return `always ${length.bytes} bytes`;
    case 'tail':
      return `up to ${hexOf(length.bytes)}`;
    case 'piece':
      return framing.escape === undefined ? 'up to the next silence' : 'up to the next flag';
    case 'field': {
      const { at, type, times, plus } = length.field;
      const order = type === 'u8' ? 'u8' : type === 'u16' ? 'u16, big-endian' : 'u16, little-endian';
      const check = checksum === undefined ? 0 : -checksum.at - tail.length;
      const formula = `${times === 1 ? '' : `${times} × `}value${plus === 0 ? '' : ` + ${plus}`}`;
      return `${order}, at byte ${at}: the frame has ${formula} bytes; it counts the ${countsWhat(length.field, check, tail.length)}`;
    }
  }
}

function checkSize({ checksum, tail }: Proposal): number {
  return checksum === undefined ? 0 : -checksum.at - tail.length;
}

/** `sum16 over 0 … -2, at -2: 7 of 7 frames fit`. */
function checksumInWords({ algorithm, from, to, at, order, encoding, constant, fits, of }: ChecksumFit): string {
  const complement = { none: '', ones: ", one's complement", twos: ", two's complement" }[
    algorithm.complement ?? 'none'
  ];
  const form = encoding === 'hex' ? ' as hex digits' : algorithm.size === 1 ? '' : `, ${order}-endian`;
  const plus =
    constant === 0 ? '' : `, with 0x${constant.toString(16)} ${algorithm.constant === 'xor' ? 'XORed' : 'added'}`;
  return `${algorithm.name}${complement}${plus}, over bytes ${from} to ${to}, at ${at}${form}: ${fits} of ${of} different frames fit`;
}

function odds(bits: number, paint: Paint): string {
  if (bits < 3) return paint.yellow('chance would do as well');
  if (bits < 24) return `chance does this once in ${Math.round(2 ** bits).toLocaleString('en-US')}`;
  return `chance does this once in 2^${Math.min(999, Math.floor(bits))}`;
}

function layoutLines({ group, columns }: Layout, proposal: Proposal, paint: Paint): string[] {
  const [frame] = group.frames;
  if (frame === undefined) return [];
  const lines: string[] = [];
  const { by } = proposal.grouping;
  if (proposal.layouts.length > 1) {
    const kind = group.value === undefined ? '' : `kind ${hexByte(group.value)}, `;
    lines.push(
      `  ${paint.bold(`${kind}${group.frames.length === 1 ? 'one frame' : `${group.frames.length} frames`}${group.length === undefined ? '' : ` of ${group.length} bytes`}`)}`,
    );
  }
  const marks = marksOf(frame, columns, proposal, by.kind === 'byte' ? by.at : undefined);
  const shown = Math.min(frame.length, SHOWN_BYTES);
  for (let at = 0; at < shown; at += A_ROW) {
    const row = Array.from(frame.subarray(at, Math.min(shown, at + A_ROW)));
    lines.push(
      `  ${paint.dim(String(at).padStart(4))}  ${row.map((byte, i) => tint(marks[at + i] ?? '?', hexByte(byte), paint)).join(' ')}`,
      `        ${row.map((_, i) => tint(marks[at + i] ?? '?', (marks[at + i] ?? '?').padEnd(2), paint)).join(' ')}`.trimEnd(),
    );
  }
  if (frame.length > shown) lines.push(`        … ${frame.length - shown} more bytes`);
  const moving = columns.filter(({ kind }) => kind !== 'constant');
  for (const { at, size, kind, type, order, note } of moving.slice(0, SHOWN_COLUMNS)) {
    const place = size === 1 ? `byte ${at}` : `bytes ${at}–${at + size - 1}`;
    const number = type === undefined ? 'text' : size === 1 ? type : `${type} ${order === 'big' ? 'BE' : 'LE'}`;
    lines.push(`        ${place.padEnd(14)} ${number.padEnd(8)} ${kind === 'noise' ? 'unclear' : kind}, ${note}`);
  }
  if (moving.length > SHOWN_COLUMNS) lines.push(`        … ${moving.length - SHOWN_COLUMNS} more`);
  return lines;
}

function marksOf(
  frame: Uint8Array,
  columns: readonly Column[],
  { framing, checksum, tail }: Proposal,
  kindAt: number | undefined,
): Mark[] {
  const marks: Mark[] = Array.from(frame, () => '?' as const);
  const put = (from: number, size: number, mark: Mark): void => {
    for (let at = from; at < Math.min(marks.length, from + size); at++) marks[at] = mark;
  };
  for (const { at, size, kind } of columns) put(at, size, MARKS[kind]);
  if (framing.sync !== undefined) put(framing.sync.at, framing.sync.bytes.length, 'S');
  if (framing.length.kind === 'field') put(framing.length.field.at, lengthBytes(framing.length.field.type), 'L');
  if (kindAt !== undefined) put(kindAt, 1, 'K');
  if (checksum !== undefined) put(frame.length + checksum.at, checksum.algorithm.size, 'C');
  put(frame.length - tail.length, tail.length, 'E');
  return marks;
}

function tint(mark: Mark, text: string, paint: Paint): string {
  switch (mark) {
    case 'S':
    case 'E':
      return paint.cyan(text);
    case 'L':
    case 'K':
      return paint.yellow(text);
    case 'C':
      return paint.green(text);
    case '=':
      return paint.dim(text);
    case 'M':
    case '+':
    case 'T':
    case 'B':
      return paint.bold(text);
    case '?':
      return text;
  }
}

function textLines({ separator, keySign, kinds }: TextLayout, { frames }: Proposal, paint: Paint): string[] {
  const lines = [
    `  ${paint.bold('text'.padEnd(9))} lines${separator === undefined ? '' : `, columns parted by ${JSON.stringify(separator)}`}${keySign === undefined ? '' : `, each a key, ${JSON.stringify(keySign)} and a value`}`,
    '',
    ...frames.slice(0, 3).map((frame) => `  ${paint.dim(printable(Buffer.from(frame).toString('latin1'), 100))}`),
  ];
  for (const { head, columns, lines: count } of kinds.slice(0, 16)) {
    const told = columns.filter(({ kind }) => kind === 'number' || kind === 'text');
    const shown = told
      .slice(0, 12)
      .map(
        ({ index, kind, example, key }) => `${printable(key ?? String(index), 16)} ${kind} (${printable(example, 16)})`,
      );
    lines.push(
      `  ${paint.bold(head === undefined ? 'columns' : printable(head, 16))} ${count} lines: ${shown.join(', ')}${told.length > 12 ? ' …' : ''}`,
    );
  }
  if (kinds.length > 16) lines.push(`  … ${kinds.length - 16} more kinds of lines`);
  return lines;
}

function inShort(proposal: Proposal): string {
  const { framing, frames, share, checksum, bits } = proposal;
  const sync =
    framing.sync === undefined
      ? 'no sync'
      : `sync ${hexOf(framing.sync.bytes)}${framing.sync.at === 0 ? '' : ` at ${framing.sync.at}`}`;
  const escape = framing.escape === undefined ? '' : `${framing.escape.toUpperCase()}, `;
  const length =
    framing.length.kind === 'fixed'
      ? `${framing.length.bytes} bytes`
      : framing.length.kind === 'field'
        ? `length at ${framing.length.field.at}`
        : framing.length.kind === 'tail'
          ? `tail ${hexOf(framing.length.bytes)}`
          : 'pieces as they are';
  return `${escape}${sync}, ${length}: ${frames.length} frames, ${percent(share)} of the bytes, ${checksum === undefined ? 'no checksum' : checksum.algorithm.name}, ${Math.max(0, Math.floor(bits))} bits of evidence`;
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, hexByte).join(' ');
}

function hexByte(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

function countOf(frames: number, different: number): string {
  return frames === 1 ? 'one frame' : `${frames} frames, ${different} of them different`;
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}
