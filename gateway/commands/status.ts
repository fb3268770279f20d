/** `bytes2mqtt status`: how the running gateway is, by its own word over MQTT; else what its journal folder tells. */
import { randomBytes } from 'node:crypto';
import { setTimeout as setTimer } from 'node:timers';
import { setTimeout } from 'node:timers/promises';
import type { Config } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { deadLetterFolder } from '../journal-of.ts';
import { glanceAtJournal } from '../journal/open-journal.ts';
import { connectForCommand } from '../mqtt/command-connection.ts';
import type { MqttConnection } from '../mqtt/connection.ts';
import { countDeadLetters } from '../mqtt/dead-letters.ts';
import { Topics } from '../mqtt/topics.ts';
import { printProblems, readConfig } from './read-config.ts';
import type { ConfigOptions } from './read-config.ts';
import { glanceTable, healthTable } from './status-table.ts';
import { paintFor, printError, printOut } from './terminal.ts';

export interface StatusOptions extends ConfigOptions {
  readonly json?: boolean | undefined;
  readonly watch?: boolean | undefined;
}

type Json = Readonly<Record<string, unknown>>;

const ANSWER_MS = 3_000;
const WATCH_MS = 2_000;
/** Cursor to the upper left corner, and everything below it erased. */
const CLEAR = '\x1b[H\x1b[2J';

export async function status(options: StatusOptions): Promise<ExitCode> {
  const loaded = readConfig(options);
  if (!loaded.ok) {
    printProblems(loaded.problems, 'error');
    return EXIT.usage;
  }
  const { config } = loaded;
  if (options.watch !== true) return await once(config, options);
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  let exit: ExitCode = EXIT.ok;
  while (!stop.signal.aborted) {
    exit = await once(config, options);
    await setTimeout(WATCH_MS, undefined, { signal: stop.signal }).catch(() => undefined);
  }
  process.off('SIGINT', onSignal);
  process.off('SIGTERM', onSignal);
  return exit;
}

async function once(config: Config, options: StatusOptions): Promise<ExitCode> {
  const asked = await ask(config);
  const clear = options.watch === true && options.json !== true && process.stdout.isTTY ? CLEAR : '';
  if ('health' in asked) {
    printOut(
      options.json === true
        ? JSON.stringify(asked.health)
        : `${clear}${healthTable(asked.health, config.mqtt.base, paintFor(process.stdout))}`,
    );
    return EXIT.ok;
  }
  const { dir, durability } = config.journal;
  const journal = durability === 'memory' ? undefined : await glanceAtJournal(dir).catch(() => undefined);
  const deadLetters = durability === 'memory' ? 0 : await countDeadLetters(deadLetterFolder(dir)).catch(() => 0);
  if (options.json === true) {
    printOut(JSON.stringify({ error: asked.error, journal_on_disk: journal && { dir, ...journal, deadLetters } }));
    return EXIT.failed;
  }
  if (clear !== '') printOut(clear);
  printError(asked.error);
  if (journal !== undefined) printOut(glanceTable(journal, deadLetters, dir, paintFor(process.stdout)));
  return EXIT.failed;
}

async function ask(config: Config): Promise<{ health: Json } | { error: string }> {
  let connection: MqttConnection;
  try {
    connection = await connectForCommand(config.mqtt);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return { error: `The gateway cannot be asked: no way to the broker. ${error.message} (${error.code})` };
  }
  const topics = new Topics(config.mqtt.base);
  const transaction = randomBytes(8).toString('hex');
  const answer = new Promise<Json | undefined>((resolve) => {
    const timer = setTimer(() => resolve(undefined), ANSWER_MS);
    connection.onMessage = (_topic, payload) => {
      const health = healthIn(payload, transaction);
      if (health === undefined) return;
      clearTimeout(timer);
      resolve(health);
    };
    connection.subscribeOnce(topics.response('health'), () => {
      connection.publish(`${topics.base}/bridge/request/health`, JSON.stringify({ transaction }), { qos: 1 });
    });
  });
  const health = await answer;
  await connection.close();
  if (health !== undefined) return { health };
  return {
    error: `No gateway answers at ${connection.where} below ${config.mqtt.base}/. Is it running? After a broker was away it may take half a minute to come back.`,
  };
}

function healthIn(payload: Buffer, transaction: string): Json | undefined {
  try {
    const answer = JSON.parse(payload.toString('utf8')) as { data?: unknown; transaction?: unknown };
    if (answer.transaction !== transaction || typeof answer.data !== 'object' || answer.data === null) return undefined;
    return answer.data as Json;
  } catch {
    return undefined;
  }
}
