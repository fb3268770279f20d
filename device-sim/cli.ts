/** The command line of `device-sim`. */
import { randomInt } from 'node:crypto';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import {
  DEFAULT_PORT,
  collectFaults,
  collectLinks,
  collectTexts,
  collectTls,
  fileContents,
  parseModels,
  positive,
  wholeNumber,
} from './arguments.ts';
import { FAULTS, type FaultRates } from './faults.ts';
import type { Identity, Link } from './fleet.ts';
import { parseId, parseKey, readIdentities } from './identities.ts';
import type { Model } from './models/model.ts';
import { MODELS } from './models/models.ts';
import { PLAY_EXAMPLES, type PlayArguments, addProfileOptions, playArguments } from './profile/options.ts';
import { type RunOutput, missing, run } from './run.ts';

/** What commander hands over. */
interface Arguments {
  tcp?: Link[];
  tls?: Link[];
  tlsCa?: Buffer;
  tlsCert?: Buffer;
  tlsKey?: Buffer;
  udp?: Link[];
  unix?: string[];
  serial?: string[];
  baud: number;
  devices?: number;
  id?: bigint;
  key?: string;
  keyFile?: Identity[];
  rate: number;
  for?: number;
  count?: number;
  seed?: number;
  models?: Model[];
  fault?: FaultRates;
  boot: number;
  buffer: number;
  maxWait?: number;
  ackLog?: string;
  drain: number;
  json?: boolean;
}

const RUN_EXAMPLES = `
Faults, as NAME=RATE, the probability that each write or piece received is struck:
${Object.entries(FAULTS)
  .map(([name, what]) => `  ${name.padEnd(10)} ${what}`)
  .join('\n')}

Examples:
  $ device-sim run                                     six devices over TCP to localhost:${DEFAULT_PORT}
  $ device-sim run --tcp localhost:${DEFAULT_PORT} --udp localhost:${DEFAULT_PORT} --devices 20 --rate 2 --for 30 --seed 7
  $ DEVICE_SIM_KEY=… device-sim run --id a1b2c3d4e5f60718 --tcp 192.168.1.10:${DEFAULT_PORT}
  $ device-sim run --serial /dev/ttyUSB0 --models thermometer --devices 1
  $ device-sim run --udp localhost --devices 100 --fault drop=0.1 --fault reorder=0.1 --count 50 --json

Exit codes: 0 ok, 1 readings were left unacknowledged at the end, 2 wrong usage.`;

/** Of a command line, or of what it asks for, that cannot be. */
const EXIT_USAGE = 2;

/**
 * Runs a command line without its first two words; resolves with the exit code. `stop` is aborted when the user has had
 * enough.
 */
export async function runCli(args: readonly string[], output: RunOutput, stop: AbortSignal): Promise<number> {
  let exit = 0;
  try {
    await buildProgram(output, stop, (code) => (exit = code)).parseAsync(args, { from: 'user' });
    return exit;
  } catch (error) {
    // Commander has already said what is wrong; for --help its code is 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    throw error;
  }
}

function buildProgram(output: RunOutput, stop: AbortSignal, done: (exit: number) => void): Command {
  const program = new Command('device-sim')
    .description(
      'Simulated devices that speak the bytes2mqtt link protocol: a fleet that behaves, and one that does not.',
    )
    .addHelpText('after', '\nExample:\n  $ device-sim run --devices 10 --rate 1 --for 30')
    .showHelpAfterError('(device-sim run --help shows the options and examples)')
    .exitOverride();

  const runCommand = program
    .command('run')
    .description(
      'run a fleet, the devices spread over the links given in turn; or, with --profile, devices of a kind that exists',
    )
    .option('--tcp <host:port>', 'a gateway over TCP; may be repeated, as all links', collectLinks('tcp'))
    .option('--tls <host:port>', 'a gateway over TLS', collectTls)
    .option('--tls-ca <file>', 'whom to trust; without it the certificate of the gateway is not checked', fileContents)
    .option('--tls-cert <file>', 'certificate that the devices show; needs --tls-key', fileContents)
    .option('--tls-key <file>', 'its private key', fileContents)
    .option('--udp <host:port>', 'a gateway over UDP', collectLinks('udp'))
    .option('--unix <path>', 'a gateway on a Unix-domain socket', collectTexts)
    .option('--serial <path>', 'a gateway at the other end of a serial line, which takes one device', collectTexts)
    .option('--baud <n>', 'speed of the serial lines', wholeNumber(50, 4_000_000), 115_200)
    .option(
      '--devices <n>',
      `how many devices; by default the one of --id, those of --key-file, or ${MODELS.length}`,
      wholeNumber(1, 100_000),
    )
    .option('--id <id>', 'id of the first device, 16 hex digits; the others follow from the seed', parseId)
    .addOption(
      new Option('--key <key>', 'the secure channel with this key, 64 hex digits or base64, for every device').env(
        'DEVICE_SIM_KEY',
      ),
    )
    .option('--key-file <file>', 'ids and keys of the first devices, one "id: key" a line', readIdentities)
    .option('--rate <r>', 'readings a second, each device', positive(1_000), 1)
    .option('--for <seconds>', 'how long readings are taken; without it, until Ctrl-C', positive(1e7))
    .option('--count <n>', 'readings each device takes instead', wholeNumber(1, 2 ** 32 - 1))
    .option('--seed <k>', 'same seed, same devices, values and faults', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .option('--models <a,b>', `kinds of devices: ${MODELS.map(({ name }) => name).join(', ')}`, parseModels)
    .addOption(new Option('--fault <name=rate...>', 'what goes wrong, see below').argParser(collectFaults))
    .option('--boot <n>', 'boot number of every device; 0 asks the gateway for one', wholeNumber(0, 2 ** 32 - 1), 0)
    .option('--buffer <n>', 'frames each device holds while it is not heard', wholeNumber(1, 1_000_000), 1_000)
    .option('--max-wait <seconds>', 'longest wait before it tries again to connect; 60 by default', positive(3_600))
    .option('--ack-log <file>', 'append "device boot seq" of every reading acknowledged')
    .option('--drain <seconds>', 'how long to wait for acknowledgements at the end', positive(1e6, true), 10)
    .option('--json', 'print the summary as one JSON object, the last line on stdout')
    .addHelpText('after', RUN_EXAMPLES + PLAY_EXAMPLES);
  addProfileOptions(runCommand).action(async (given: Arguments & PlayArguments, command: Command) => {
    const identities = identitiesOf(given);
    const key = keyOf(given.key, command);
    const seed = given.seed ?? randomInt(2 ** 32);
    try {
      if (given.profile !== undefined) {
        const baudGiven = command.getOptionValueSource('baud') === 'cli';
        await playArguments(given, { seed, baudGiven }, output, stop);
        return done(0);
      }
      if (given.listen !== undefined) throw new RangeError('--listen is for devices with a --profile');
      const summary = await run(
        {
          links: linksOf(given),
          devices: given.devices ?? (given.id === undefined ? identities.length || MODELS.length : 1),
          identities,
          key,
          ratePerS: given.rate,
          forS: given.for,
          count: given.count,
          seed,
          models: given.models,
          faults: given.fault,
          boot: given.boot,
          bufferFrames: given.buffer,
          maxWaitS: given.maxWait,
          ackLog: given.ackLog,
          drainS: given.drain,
          json: given.json === true,
        },
        output,
        stop,
      );
      done(missing(summary) > 0 ? 1 : 0);
    } catch (error) {
      // More devices than the links take, or an ack log that cannot be written: the user's to change.
      if (!(error instanceof RangeError || (error instanceof Error && 'code' in error))) throw error;
      command.error(`error: ${error.message}`);
    }
  });

  program
    .command('models')
    .description('list the kinds of devices and their channels')
    .addHelpText('after', '\nExample:\n  $ device-sim models')
    .action(() => {
      for (const model of MODELS) output.out(describe(model));
    });

  return program;
}

function linksOf(given: Arguments): Link[] {
  const { tcp = [], tls = [], udp = [], unix = [], serial = [], baud } = given;
  const tlsOptions = { ca: given.tlsCa, cert: given.tlsCert, key: given.tlsKey };
  const links: Link[] = [
    ...tcp,
    ...tls.map((link) => ({ ...link, tls: tlsOptions })),
    ...udp,
    ...unix.map((path) => ({ kind: 'unix', path }) as const),
    ...serial.map((path) => ({ kind: 'serial', path, baud }) as const),
  ];
  return links.length > 0 ? links : [{ kind: 'tcp', host: 'localhost', port: DEFAULT_PORT }];
}

function identitiesOf({ id, keyFile = [] }: Arguments): Identity[] {
  if (id === undefined) return keyFile;
  const first = keyFile.find((identity) => identity.id === id) ?? { id };
  return [first, ...keyFile.filter((identity) => identity.id !== id)];
}

/** Not an option's own parser: commander repeats what it refuses, and this may be a key but for one letter. */
function keyOf(text: string | undefined, command: Command): Uint8Array | undefined {
  try {
    return text === undefined ? undefined : parseKey(text);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    return command.error(`error: option '--key' (or DEVICE_SIM_KEY) is no key. ${error.message}`);
  }
}

function describe({ name, title, schema }: Model): string {
  const lines = schema.channels.map(({ number, name, type, scale, unit, writable }) => {
    const factor = scale === 0 ? '' : ` × 10^${scale}`;
    return `  ${String(number).padStart(2)}  ${name.padEnd(18)} ${`${type}${factor}`.padEnd(12)} ${unit}${writable ? '  (writable)' : ''}`.trimEnd();
  });
  return [`${name}: ${title}`, ...lines].join('\n');
}
