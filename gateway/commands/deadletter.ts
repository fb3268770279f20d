/** `bytes2mqtt deadletter list|retry|drop`: readings that the broker has refused. Works beside a running gateway. */
import { printable } from '../../protocol/index.ts';
import type { Config } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { deadLetterFolder } from '../journal-of.ts';
import { connectForCommand } from '../mqtt/command-connection.ts';
import { type DeadLetter, readDeadLetters, removeDeadLetters } from '../mqtt/dead-letters.ts';
import { retryLetters } from '../mqtt/retry-letters.ts';
import { printProblems, readConfig } from './read-config.ts';
import type { ConfigOptions } from './read-config.ts';
import { printError, printOut } from './terminal.ts';

export interface DeadLetterOptions extends ConfigOptions {
  readonly json?: boolean | undefined;
}

export interface ChosenOptions extends DeadLetterOptions {
  readonly all?: boolean | undefined;
}

export async function listDeadLetters(options: DeadLetterOptions): Promise<ExitCode> {
  const found = await open(options);
  if (found === undefined) return EXIT.usage;
  const { letters, dir } = found;
  if (options.json === true) {
    printOut(JSON.stringify(letters, undefined, 2));
    return EXIT.ok;
  }
  if (letters.length === 0) printOut(`No dead letters in ${dir}.`);
  for (const { id, device, reason, receivedAt, messages } of letters) {
    printOut(
      `${id}  ${timeText(receivedAt)}  ${printable(device, 32)}  refused with ${reason}, ${messages.length} messages`,
    );
  }
  return EXIT.ok;
}

export async function dropDeadLetters(ids: readonly string[], options: ChosenOptions): Promise<ExitCode> {
  const found = await open(options);
  const chosen = found && choose(found.letters, ids, options);
  if (found === undefined || chosen === undefined) return EXIT.usage;
  const count = await removeDeadLetters(found.dir, new Set(chosen.map(({ id }) => id)));
  report(options, { dropped: count }, `${count} dropped.`);
  return EXIT.ok;
}

export async function retryDeadLetters(ids: readonly string[], options: ChosenOptions): Promise<ExitCode> {
  const found = await open(options);
  const chosen = found && choose(found.letters, ids, options);
  if (found === undefined || chosen === undefined) return EXIT.usage;
  if (chosen.length === 0) {
    report(options, { published: 0, refused: {}, unanswered: 0 }, 'There are no dead letters.');
    return EXIT.ok;
  }
  const connection = await connectForCommand(found.config.mqtt).catch((error: unknown) => {
    if (!(error instanceof GatewayError)) throw error;
    printError(`error: ${error.message} (${error.code})`);
    return undefined;
  });
  if (connection === undefined) return EXIT.failed;
  if (connection.version === '3.1.1') {
    printError('warning: this broker speaks MQTT 3.1.1 only and cannot say that it refuses something');
  }
  const { accepted, refused, unanswered } = await retryLetters(connection, chosen);
  await connection.close();
  await removeDeadLetters(found.dir, new Set(accepted));
  const reasons = Object.entries(refused).map(([reason, count]) => `${count} refused again with ${reason}`);
  const waiting = unanswered === 0 ? [] : [`${unanswered} not answered`];
  report(
    options,
    { published: accepted.length, refused, unanswered },
    `${[`${accepted.length} published`, ...reasons, ...waiting].join(', ')}.`,
  );
  return accepted.length === chosen.length ? EXIT.ok : EXIT.failed;
}

// ---------------------------------------------------------------------------------------------------------------------

interface Found {
  readonly config: Config;
  readonly dir: string;
  readonly letters: readonly DeadLetter[];
}

async function open(options: ConfigOptions): Promise<Found | undefined> {
  const loaded = readConfig(options);
  if (!loaded.ok) {
    printProblems(loaded.problems, 'error');
    return undefined;
  }
  const dir = deadLetterFolder(loaded.config.journal.dir);
  const { letters, problems } = await readDeadLetters(dir);
  for (const problem of problems) printError(`warning: ${printable(problem)} cannot be read; it is left alone`);
  return { config: loaded.config, dir, letters };
}

/** The letters that are meant; undefined when that is not clear, which is told. */
function choose(
  letters: readonly DeadLetter[],
  ids: readonly string[],
  options: ChosenOptions,
): readonly DeadLetter[] | undefined {
  if (options.all === true && ids.length === 0) return letters;
  if (options.all === true || ids.length === 0) {
    printError('error: name the ids, as "bytes2mqtt deadletter list" shows them, or --all');
    return undefined;
  }
  const wanted = new Set(ids);
  const chosen = letters.filter(({ id }) => wanted.delete(id));
  for (const id of wanted) printError(`error: there is no dead letter ${printable(id, 64)}`);
  return wanted.size === 0 ? chosen : undefined;
}

function report(options: DeadLetterOptions, json: Readonly<Record<string, unknown>>, text: string): void {
  printOut(options.json === true ? JSON.stringify(json) : text);
}

function timeText(unixMs: number): string {
  const date = new Date(unixMs);
  return Number.isNaN(date.getTime()) ? String(unixMs) : date.toISOString();
}
