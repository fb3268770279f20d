/**
 * `bytes2mqtt explain --profile NAME HEX`: what the bytes of a device's frames mean by its profile, byte by byte.
 *
 * ```
 *   frame 1: basic, 36 bytes from byte 0: good
 *     byte  bytes    field     value     meaning
 *      0    dd       sync
 *      4    06 0b    voltage   15.47 V   raw 1547
 * ```
 */
import { type ExplainedPart, type FrameExplanation, type ProfileInstance, printable } from '../../protocol/index.ts';
import { EXIT } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { loadedProfile } from './loaded-profile.ts';
import { explainModbusStretches } from './modbus-stretches.ts';
import { readHex } from './read-hex.ts';
import { type Paint, paintFor, printError, printOut } from './terminal.ts';

export interface ExplainProfileOptions {
  readonly profile: string;
  readonly param?: Readonly<Record<string, string>>;
  readonly json?: boolean;
}

/** A frame, or a stretch that is none, of the bytes given. */
export interface ExplainedStretch {
  /** Offset in the bytes given. */
  readonly from: number;
  readonly length: number;
  /** Why it is no frame; undefined for a frame. */
  readonly skipped: string | undefined;
  readonly explanation: FrameExplanation;
  /** Of a stretch that fails its checksum. */
  readonly checksum: { readonly computed: string; readonly received: string; readonly at: number } | undefined;
  readonly ok: boolean;
}

/** Skips that never were a frame. */
const NOTHING: ReadonlySet<string> = new Set(['noise', 'fill', 'empty']);
/** Where the decoder's word would tell people little. */
const SKIPPED: Readonly<Record<string, string>> = { expired: 'incomplete' };
const SHOWN_BYTES = 8;
const MAX_CELL = 44;

export async function explainWithProfile(words: readonly string[], options: ExplainProfileOptions): Promise<ExitCode> {
  const profile = loadedProfile(options.profile);
  if (profile === undefined) return EXIT.usage;
  const parameters = options.param ?? {};
  const problems = profile.checkParameters(parameters);
  for (const { name, message } of problems) printError(`error: --param ${printable(name, 32)}: ${message}`);
  if (problems.length > 0) return EXIT.usage;
  const bytes = await readHex(words, `explain --profile ${profile.name} 42 4d 00 …`);
  if (bytes === undefined) return EXIT.usage;
  const stretches = explainStretches(profile.open(parameters), bytes);
  if (options.json === true) printOut(JSON.stringify({ profile: profile.name, stretches }, plain, 2));
  else printOut(stretches.map((stretch, index) => table(stretch, index, paintFor(process.stdout))).join('\n\n'));
  return stretches.every(({ ok }) => ok) ? EXIT.ok : EXIT.failed;
}

/** The frames in these bytes and what lies between them, each explained. */
export function explainStretches(instance: ProfileInstance, bytes: Uint8Array): ExplainedStretch[] {
  if (instance.profile.about.transport.startsWith('modbus-')) return explainModbusStretches(instance, bytes);
  const decoder = instance.createDecoder();
  decoder.push(bytes.slice());
  // Where only silence ends a frame, it has come now; anything else has its end.
  decoder.expire();
  decoder.end();
  const stretches: ExplainedStretch[] = [];
  let at = 0;
  for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
    stretches.push(
      item.kind === 'frame'
        ? explainFrame(instance, item.bytes.slice(), at, item.wireLength)
        : explainSkip(instance, item.bytes.slice(), at, item.reason),
    );
    at += item.wireLength;
  }
  return stretches;
}

function explainFrame(instance: ProfileInstance, frame: Uint8Array, from: number, length: number): ExplainedStretch {
  const explanation = instance.explain(frame);
  return { from, length, skipped: undefined, explanation, checksum: undefined, ok: explanation.problem === undefined };
}

/** Fill keeps a line busy and is no fault; everything else that is no frame is. */
function explainSkip(instance: ProfileInstance, bytes: Uint8Array, from: number, reason: string): ExplainedStretch {
  return {
    from,
    length: bytes.length,
    skipped: reason,
    explanation: instance.explain(bytes),
    // A frame that is cut off has no checksum yet.
    checksum: reason === 'bad-checksum' ? instance.failedChecksum(bytes) : undefined,
    ok: reason === 'fill',
  };
}

function table(stretch: ExplainedStretch, index: number, paint: Paint): string {
  const { explanation, from, length, skipped, checksum, ok } = stretch;
  const verdict = ok ? paint.green('good') : paint.red('bad');
  const name =
    skipped === undefined ? (explanation.message ?? 'unknown message') : `no frame (${SKIPPED[skipped] ?? skipped})`;
  const lines = [`${paint.bold(`${index + 1}: ${name}`)}, ${length} bytes from byte ${from}: ${verdict}`];
  // Noise has no fields: to name its bytes as if it had would only mislead.
  if (skipped !== undefined && NOTHING.has(skipped)) {
    lines.push(`  ${hexOf(explanation.bytes, { from: 0, to: explanation.bytes.length })}`);
    return lines.join('\n');
  }
  lines.push(...partRows(explanation, checksum?.at, paint));
  for (const { name: computed, value } of explanation.computed) lines.push(`  ${paint.bold(computed)} ${value}`);
  if (checksum !== undefined) {
    lines.push(
      `${paint.red('bad-checksum')} at byte ${checksum.at}: computed ${checksum.computed}, received ${checksum.received}`,
    );
  } else if (explanation.problem !== undefined) lines.push(`${paint.red('bad')}: ${explanation.problem}`);
  return lines.join('\n');
}

function partRows({ parts, bytes }: FrameExplanation, badAt: number | undefined, paint: Paint): string[] {
  const header = ['byte', 'bytes', 'field', 'value', 'meaning'];
  const rows = parts.map((part) => [String(part.from), hexOf(bytes, part), part.name, part.value, part.note]);
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const cell = (row: readonly string[], column: number): string => {
    const width = Math.min(widths[column] ?? 0, MAX_CELL);
    const text = row[column] ?? '';
    return column === 0 ? text.padStart(width) : text.padEnd(width);
  };
  if (rows.length === 0) return [];
  return [
    paint.dim(`  ${header.map((_, column) => cell(header, column)).join('  ')}`.trimEnd()),
    ...rows.map((row, index) => {
      const part = parts[index];
      const failed = badAt !== undefined && part !== undefined && badAt >= part.from && badAt < part.to;
      const bad = failed || part?.wrong === true;
      const cells = [
        paint.dim(cell(row, 0)),
        (bad ? paint.red : paint.cyan)(cell(row, 1)),
        paint.bold(cell(row, 2)),
        cell(row, 3),
        paint.dim(row[4] ?? ''),
      ];
      return `${bad ? paint.red('>') : ' '} ${cells.join('  ').trimEnd()}`;
    }),
  ];
}

function hexOf(bytes: Uint8Array, { from, to }: Pick<ExplainedPart, 'from' | 'to'>): string {
  const shown = Array.from(bytes.subarray(from, Math.min(to, from + SHOWN_BYTES)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  );
  return to - from > SHOWN_BYTES ? `${shown.join(' ')} … ${to - from} bytes` : shown.join(' ');
}

/** Bytes as hex. */
function plain(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return typeof value === 'bigint' ? value.toString() : value;
}
