/** `bytes2mqtt explain`: what the bytes of link frames mean, and where and why a bad frame is bad. */
import type { WireForm } from '../../protocol/index.ts';
import { parseDeviceKey } from '../config/device-key.ts';
import { EXIT } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { explanationTable } from './explain-table.ts';
import { readHex } from './read-hex.ts';
import { explainFrames } from './split-frames.ts';
import { paintFor, printError, printOut } from './terminal.ts';

export interface ExplainOptions {
  readonly json?: boolean;
  readonly form: WireForm | 'auto';
  /** Of the device: opens its sealed HELLOs and REPORTs. */
  readonly key?: string;
}

export async function explain(words: readonly string[], options: ExplainOptions): Promise<ExitCode> {
  const bytes = await readHex(words, 'explain 03 20 07 …');
  if (bytes === undefined) return EXIT.usage;
  const key = options.key === undefined ? undefined : parseDeviceKey(options.key);
  if (key?.ok === false) {
    printError(`error: the key ${key.message}`);
    return EXIT.usage;
  }
  const explanation = explainFrames(bytes, options.form, key?.key);
  if (options.json === true) printOut(JSON.stringify(explanation, plain, 2));
  else printOut(explanationTable(explanation, paintFor(process.stdout)));
  return explanation.ok ? EXIT.ok : EXIT.failed;
}

/** Bytes as lowercase hex, 64-bit integers as strings: nothing is lost to whoever reads it. */
export function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value;
}
