/** Hex that people give on the command line or on standard input, and what is said when it is wrong. */
import { printable } from '../../protocol/index.ts';
import { type HexInput, parseHex } from './hex-input.ts';
import { printError } from './terminal.ts';

/** Far more than anybody pastes; keeps a wrong pipe from filling the memory. */
const MAX_INPUT = 4 * 1024 * 1024;

/**
 * The bytes in the words of a command line, or of standard input where there are none or `-`; undefined when that is
 * wrong, which has been said.
 */
export async function readHex(words: readonly string[], example: string): Promise<Uint8Array | undefined> {
  const fromStdin = isStdin(words);
  const text = fromStdin ? await readStdin() : words.join(' ');
  if (text === undefined) {
    printError(TOO_MUCH);
    return undefined;
  }
  const parsed = parseHex(text);
  if (!parsed.ok) {
    sayHexProblem(text, parsed, fromStdin);
    return undefined;
  }
  if (parsed.bytes.length > 0) return parsed.bytes;
  printError(`error: no bytes; give them in hex, for example: bytes2mqtt ${example}`);
  return undefined;
}

export const TOO_MUCH = 'error: more than 4 MiB of text; give it in pieces';

/** Whether the words of a command line mean standard input. */
export function isStdin(words: readonly string[]): boolean {
  return words.length === 0 || (words.length === 1 && words[0] === '-');
}

/** All of standard input; undefined when it is too much. */
export async function readStdin(): Promise<string | undefined> {
  if (process.stdin.isTTY) printError('Paste bytes in hex, then press Ctrl-D:');
  let text = '';
  process.stdin.setEncoding('utf8');
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length > MAX_INPUT) return undefined;
  }
  return text;
}

/** Says where in `text` it is wrong; `byLines` when it has lines. */
export function sayHexProblem(text: string, problem: Extract<HexInput, { ok: false }>, byLines: boolean): void {
  const place = byLines ? `line ${problem.line}, column ${problem.column}` : `character ${problem.column}`;
  printError(`error: ${place}: ${problem.message}`);
  const line = text.split('\n')[problem.line - 1] ?? '';
  const from = Math.max(0, problem.column - 40);
  const before = printable(line.slice(from, problem.column - 1));
  printError(`  ${before}${printable(line.slice(problem.column - 1, problem.column + 20))}`);
  printError(`  ${' '.repeat(before.length)}^`);
}
