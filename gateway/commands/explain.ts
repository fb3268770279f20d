/** `bytes2mqtt explain`: what the bytes of link frames mean, and where and why a bad frame is bad. */
import { printable, type WireForm } from '../../protocol/index.ts';
import { EXIT } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { explanationTable } from './explain-table.ts';
import { parseHex } from './hex-input.ts';
import { explainFrames } from './split-frames.ts';
import { paintFor, printError, printOut } from './terminal.ts';

/** Far more than anybody pastes; keeps a wrong pipe from filling the memory. */
const MAX_INPUT = 4 * 1024 * 1024;

export interface ExplainOptions {
  readonly json?: boolean;
  readonly form: WireForm | 'auto';
}

export async function explain(words: readonly string[], options: ExplainOptions): Promise<ExitCode> {
  const fromStdin = words.length === 0 || (words.length === 1 && words[0] === '-');
  const text = fromStdin ? await readStdin() : words.join(' ');
  if (text === undefined) {
    printError('error: more than 4 MiB of text; give it in pieces');
    return EXIT.usage;
  }
  const parsed = parseHex(text);
  if (!parsed.ok) {
    const place = fromStdin ? `line ${parsed.line}, column ${parsed.column}` : `character ${parsed.column}`;
    printError(`error: ${place}: ${parsed.message}`);
    const line = text.split('\n')[parsed.line - 1] ?? '';
    const from = Math.max(0, parsed.column - 40);
    const before = printable(line.slice(from, parsed.column - 1));
    printError(`  ${before}${printable(line.slice(parsed.column - 1, parsed.column + 20))}`);
    printError(`  ${' '.repeat(before.length)}^`);
    return EXIT.usage;
  }
  if (parsed.bytes.length === 0) {
    printError('error: no bytes; give them in hex, for example: bytes2mqtt explain 03 20 07 …');
    return EXIT.usage;
  }
  const explanation = explainFrames(parsed.bytes, options.form);
  if (options.json === true) printOut(JSON.stringify(explanation, plain, 2));
  else printOut(explanationTable(explanation, paintFor(process.stdout)));
  return explanation.ok ? EXIT.ok : EXIT.failed;
}

/** Bytes as lowercase hex, 64-bit integers as strings: nothing is lost to whoever reads it. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value;
}

async function readStdin(): Promise<string | undefined> {
  if (process.stdin.isTTY) printError('Paste bytes in hex, then press Ctrl-D:');
  let text = '';
  process.stdin.setEncoding('utf8');
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length > MAX_INPUT) return undefined;
  }
  return text;
}
