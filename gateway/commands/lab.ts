/** `bytes2mqtt lab`: what an unknown protocol may be, from its bytes; and a profile to begin with. */
import { readFileSync, writeFileSync } from 'node:fs';
import { printable } from '../../protocol/index.ts';
import { EXIT } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { type Capture, captureOf, piecesBySilence, rhythmMs } from '../lab/capture.ts';
import { hexCapture } from '../lab/hex-capture.ts';
import { knownProfiles } from '../lab/known-profiles.ts';
import { propose, type Proposal } from '../lab/proposal.ts';
import { starterProfile } from '../lab/starter.ts';
import { parseHex } from './hex-input.ts';
import { listenSerial, listenTcp, type ListenOptions, type TimedChunk } from './lab-port.ts';
import { labTable } from './lab-table.ts';
import { shippedProfiles } from './loaded-profile.ts';
import { isStdin, readStdin, sayHexProblem, TOO_MUCH } from './read-hex.ts';
import { paintFor, printError, printOut } from './terminal.ts';

export interface LabOptions {
  readonly file?: string;
  readonly serial?: string;
  readonly baud: number;
  readonly parity: 'none' | 'even' | 'odd';
  readonly connect?: { readonly host: string; readonly port: number };
  readonly for: number;
  readonly gap: number;
  readonly send?: string;
  readonly every?: number;
  readonly write?: string;
  readonly json?: boolean;
}

interface Source {
  readonly capture: Capture;
  readonly name: string;
}

export async function lab(words: readonly string[], options: LabOptions): Promise<ExitCode> {
  const source = await readSource(words, options);
  if (typeof source === 'number') return source;
  const { capture, name } = source;
  if (capture.size === 0) {
    printError(
      'No bytes came. Is it the right port and speed, and does the device speak without being asked (--send)?',
    );
    return EXIT.failed;
  }
  const proposals = propose(capture);
  const known = knownProfiles(capture, shippedProfiles());
  if (options.json === true)
    printOut(JSON.stringify({ bytes: capture.size, known, proposals: proposals.map(plain) }, undefined, 2));
  else printOut(labTable(capture, known, proposals, paintFor(process.stdout)));
  const [best] = proposals;
  if (options.write === undefined) return best === undefined ? EXIT.failed : EXIT.ok;
  if (best === undefined) {
    printError('There is nothing to write a profile from.');
    return EXIT.failed;
  }
  const baud = options.serial === undefined ? undefined : options.baud;
  const text = starterProfile(best, { source: name, baud, parity: options.parity, rhythmMs: rhythmMs(capture) });
  try {
    writeFileSync(options.write, text, { flag: 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    printError(`error: ${options.write}: ${code === 'EEXIST' ? 'is there already; give another name' : String(code)}`);
    return EXIT.failed;
  }
  printError(
    `Written: ${options.write}. Try it: bytes2mqtt explain --profile ${options.write} ${hexOf(best.frames[0])}`,
  );
  return EXIT.ok;
}

async function readSource(words: readonly string[], options: LabOptions): Promise<Source | ExitCode> {
  if (options.serial !== undefined || options.connect !== undefined) return listenLive(options);
  let text: string | undefined;
  let name = 'the command line';
  if (options.file !== undefined) {
    try {
      text = readFileSync(options.file, 'utf8');
    } catch (error) {
      printError(`error: ${options.file}: ${String((error as NodeJS.ErrnoException).code)}`);
      return EXIT.usage;
    }
    name = printable(options.file, 80);
  } else if (isStdin(words)) {
    text = await readStdin();
    name = 'standard input';
    if (text === undefined) {
      printError(TOO_MUCH);
      return EXIT.usage;
    }
  } else {
    // Words of several bytes each are pieces; single bytes are one piece together.
    text = words.some((word) => word.length <= 4) ? words.join(' ') : words.join('\n');
  }
  const parsed = hexCapture(text);
  if (parsed.ok) return { capture: parsed.capture, name };
  sayHexProblem(text, parsed, name !== 'the command line');
  printError(
    "The lab takes bytes in hex. For lines of text: printf 'T=21.5\\r\\n' | xxd -p | bytes2mqtt lab (or xxd -p FILE | …)",
  );
  return EXIT.usage;
}

async function listenLive({
  serial,
  baud,
  parity,
  connect,
  gap,
  send,
  every,
  for: forS,
}: LabOptions): Promise<Source | ExitCode> {
  const request = send === undefined ? undefined : parseHex(send);
  if (request !== undefined && !request.ok) {
    printError(`error: --send: character ${request.column}: ${request.message}`);
    return EXIT.usage;
  }
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.once('SIGINT', onSignal);
  const where = serial ?? `${connect?.host ?? ''}:${connect?.port ?? 0}`;
  printError(`Listening on ${printable(where)} for ${forS} s (Ctrl-C: enough) …`);
  const options: ListenOptions = {
    forS,
    stop: stop.signal,
    onProgress: (bytes) => printError(`  ${bytes} bytes`),
    send: request?.bytes,
    everyS: every,
  };
  try {
    let chunks: TimedChunk[] = [];
    if (serial !== undefined) chunks = await listenSerial(serial, { baud, parity }, options);
    else if (connect !== undefined) chunks = await listenTcp(connect.host, connect.port, options);
    const name = `${printable(where, 80)}${serial === undefined ? '' : ` at ${baud} baud`}`;
    return { capture: captureOf(piecesBySilence(chunks, gap), 'silence'), name };
  } catch (error) {
    printError(`error: ${printable(where)}: ${error instanceof Error ? error.message : String(error)}`);
    return EXIT.failed;
  } finally {
    process.removeListener('SIGINT', onSignal);
  }
}

/** A proposal for programs: bytes as hex, functions by name, of the frames only the first ones. */
function plain({ frames, grouping, layouts, checksum, otherChecksums, framing, tail, ...rest }: Proposal): unknown {
  const { sync, length, escape } = framing;
  return {
    ...rest,
    framing: {
      escape,
      sync: sync === undefined ? undefined : { at: sync.at, bytes: hexOf(sync.bytes) },
      length: length.kind === 'tail' ? { kind: 'tail', bytes: hexOf(length.bytes) } : length,
    },
    tail: hexOf(tail),
    checksum: checksum === undefined ? undefined : plainChecksum(checksum),
    otherChecksums: otherChecksums.map(plainChecksum),
    by: grouping.by,
    kinds: layouts.map(({ group, columns }) => ({
      value: group.value,
      length: group.length,
      frames: group.frames.length,
      columns,
    })),
    frames: frames.length,
    examples: frames.slice(0, 5).map(hexOf),
  };
}

function plainChecksum({ algorithm, ...rest }: NonNullable<Proposal['checksum']>): unknown {
  return { name: algorithm.name, complement: algorithm.complement, size: algorithm.size, ...rest };
}

function hexOf(bytes: Uint8Array = new Uint8Array(0)): string {
  return Buffer.from(bytes).toString('hex');
}
