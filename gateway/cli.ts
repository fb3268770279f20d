/** The command line: commands, options and their help. What a command does is in commands/, loaded when it is called. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { CheckOptions } from './commands/check.ts';
import type { ChosenOptions, DeadLetterOptions } from './commands/deadletter.ts';
import type { InstallServiceOptions } from './commands/install-service.ts';
import type { NewKeyOptions } from './commands/key.ts';
import type { ExplainOptions } from './commands/explain.ts';
import type { ExplainProfileOptions } from './commands/explain-profile.ts';
import type { LabOptions } from './commands/lab.ts';
import type { ProfilesOptions } from './commands/profiles.ts';
import type { ConfigOptions } from './commands/read-config.ts';
import type { StatusOptions } from './commands/status.ts';
import { EXIT } from './exit-codes.ts';
import { VERSION } from './version.ts';

const CONFIG = ['-c, --config <file>', 'configuration file (default: bytes2mqtt.yaml here, else defaults)'] as const;
const EXIT_CODES = '\nExit codes: 0 ok, 1 failed, 2 wrong usage or configuration.';

/** Runs a command line without its first two words; resolves with the exit code when the command is over. */
export async function runCli(args: readonly string[]): Promise<number> {
  let exit: number = EXIT.ok;
  const program = buildProgram((code) => (exit = code));
  try {
    await program.parseAsync(args, { from: 'user' });
    return exit;
  } catch (error) {
    // Commander has already said what is wrong; for --help and --version its code is 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    throw error;
  }
}

function buildProgram(done: (exit: number) => void): Command {
  const program = new Command('bytes2mqtt')
    .description('Devices that speak bytes over TCP, UDP and serial lines in, MQTT out.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .showHelpAfterError('"bytes2mqtt --help" shows what there is.')
    .exitOverride()
    .addHelpText('after', `\nExample:\n  $ bytes2mqtt init && bytes2mqtt check && bytes2mqtt run\n${EXIT_CODES}`);

  command(program, 'run', 'start the gateway; SIGINT or SIGTERM stops it', 'run --config /etc/bytes2mqtt.yaml')
    .option(...CONFIG)
    .action(async (options: ConfigOptions) => {
      const { run } = await import('./commands/run.ts');
      done(await run(options));
    });

  command(program, 'demo', 'broker, gateway and simulated devices in one, to look at', 'demo --for 10 --json')
    .option('--for <seconds>', 'end by itself after so long', positiveNumber)
    .option('--json', 'print one JSON summary as the last line')
    .option('--seed <number>', 'seed of the simulated devices', wholeNumber)
    .action(async (options: { for?: number; json?: boolean; seed?: number }) => {
      const { runDemo } = await import('./commands/demo.ts');
      done(await runDemo(options));
    });

  command(program, 'check', 'check configuration, ports, devices and broker without running', 'check --no-resources')
    .option(...CONFIG)
    .option('--no-resources', 'check the file only, try no ports, devices or broker')
    .option('--json', 'print the findings as JSON')
    .action(async (options: CheckOptions) => {
      const { check } = await import('./commands/check.ts');
      done(await check(options));
    });

  command(program, 'status', 'ask the running gateway how it is', 'status --watch')
    .option(...CONFIG)
    .option('--json', 'print what it says as JSON')
    .option('--watch', 'ask again every two seconds')
    .action(async (options: StatusOptions) => {
      const { status } = await import('./commands/status.ts');
      done(await status(options));
    });

  const deadletter = command(
    program,
    'deadletter',
    'look after readings that the broker has refused',
    'deadletter retry --all',
  );
  command(deadletter, 'list', 'list them, the oldest first', 'deadletter list')
    .option(...CONFIG)
    .option('--json', 'print them as JSON, with what would be published')
    .action(async (options: DeadLetterOptions) => {
      const { listDeadLetters } = await import('./commands/deadletter.ts');
      done(await listDeadLetters(options));
    });
  command(deadletter, 'retry', 'publish them again; what the broker takes is removed', 'deadletter retry --all')
    .argument('[id...]', 'which ones')
    .option('--all', 'all of them')
    .option(...CONFIG)
    .option('--json', 'print the outcome as JSON')
    .action(async (ids: string[], options: ChosenOptions) => {
      const { retryDeadLetters } = await import('./commands/deadletter.ts');
      done(await retryDeadLetters(ids, options));
    });
  command(deadletter, 'drop', 'delete them for good', 'deadletter drop a1b2c3d4e5f60718-4-17')
    .argument('[id...]', 'which ones')
    .option('--all', 'all of them')
    .option(...CONFIG)
    .option('--json', 'print the outcome as JSON')
    .action(async (ids: string[], options: ChosenOptions) => {
      const { dropDeadLetters } = await import('./commands/deadletter.ts');
      done(await dropDeadLetters(ids, options));
    });

  command(
    program,
    'schema',
    'print the JSON Schema of the configuration, for editors',
    'schema > bytes2mqtt.schema.json',
  ).action(async () => {
    const { schema } = await import('./commands/schema.ts');
    done(schema());
  });

  command(program, 'init', 'write a commented configuration to begin with', 'init bytes2mqtt.yaml')
    .argument('[file]', 'where to write it (default: bytes2mqtt.yaml here)')
    .option('-f, --force', 'write over a file that exists')
    .action(async (file: string | undefined, options: { force?: boolean }) => {
      const { init } = await import('./commands/init.ts');
      done(init(file, options));
    });

  command(
    program,
    'install-service',
    'make the gateway a service of systemd that starts at every boot',
    'install-service --dry-run',
  )
    .option('-c, --config <file>', 'configuration of the service (default: one in /etc/bytes2mqtt, written if need be)')
    .option('--user <name>', 'who it runs as (default: a user bytes2mqtt, made for it)')
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--print', 'print the unit file, and do nothing')
    .action(async (options: InstallServiceOptions) => {
      const { installService } = await import('./commands/install-service.ts');
      done(installService(options));
    });

  const key = command(program, 'key', 'look after the keys of devices', 'key new a1b2c3d4e5f60718 --print');
  command(
    key,
    'new',
    'make a key for a device, into secrets.yaml beside the configuration',
    'key new greenhouse --print',
  )
    .argument('<device>', 'its id (16 hex digits), or its alias in the configuration')
    .option('-c, --config <file>', 'configuration file, which may still lack the key (default: bytes2mqtt.yaml here)')
    .option('--print', 'show the key, for the device')
    .option('-f, --force', 'replace the key that it has')
    .action(async (device: string, options: NewKeyOptions) => {
      const { newKey } = await import('./commands/key.ts');
      done(newKey(device, options));
    });

  command(program, 'ports', 'list the serial ports of this machine', 'ports --json')
    .option('--json', 'print them as JSON')
    .action(async (options: { json?: boolean }) => {
      const { ports } = await import('./commands/ports.ts');
      done(await ports(options));
    });

  command(
    program,
    'explain',
    'say what the bytes of link frames, or of a device with a profile, mean, and why a bad one is bad',
    'explain 20 07 00 00 00 07 00 00 00 01 00 00 00 2a e3 16 8a e8',
  )
    .argument('[hex...]', 'bytes in hex, with spaces, colons, commas, 0x or nothing between; none or "-": from stdin')
    .option('--json', 'print the explanation as JSON')
    .addOption(
      new Option('--form <form>', 'frame: bare, as in a datagram; cobs: as in a stream')
        .choices(['auto', 'frame', 'cobs'])
        .default('auto'),
    )
    .option('--key <key>', 'key of the device, in hex or base64: opens its sealed HELLOs and REPORTs')
    .option('--profile <name|file>', 'the bytes are those of a device with this profile')
    .option('--param <name=value>', 'a parameter of the profile, such as address=3; may be repeated', collectPair)
    .action(async (words: string[], options: ExplainOptions & Partial<ExplainProfileOptions>) => {
      const { profile } = options;
      if (profile === undefined) {
        const { explain } = await import('./commands/explain.ts');
        done(await explain(words, options));
      } else {
        const { explainWithProfile } = await import('./commands/explain-profile.ts');
        done(await explainWithProfile(words, { ...options, profile }));
      }
    });

  const profiles = command(
    program,
    'profiles',
    'list the device profiles that are shipped, or show one of them',
    'profiles pms5003',
  )
    .argument('[name]', 'the profile to show, or the path of one of your own')
    .option('--json', 'print it as JSON')
    .action(async (name: string | undefined, options: ProfilesOptions) => {
      const { profiles } = await import('./commands/profiles.ts');
      done(profiles(name, options));
    });
  command(profiles, 'check', 'check a profile of your own', 'profiles check ./my_meter.yaml')
    .argument('<file>', 'the profile')
    .option('--json', 'print the findings as JSON')
    .action(async (file: string, options: ProfilesOptions) => {
      const { checkProfile } = await import('./commands/profiles.ts');
      done(checkProfile(file, options));
    });

  command(
    program,
    'lab',
    'find out what unknown bytes are: framing, checksum, fields; write a profile to begin with',
    'lab --serial /dev/ttyUSB0 --baud 9600 --for 20 --write my_sensor.yaml',
  )
    .argument('[hex...]', 'frames in hex, each in one word; none or "-": lines from stdin')
    .addOption(
      new Option('--file <file>', 'hex from a file: dumps, logs, a frame a line').conflicts(['serial', 'connect']),
    )
    .addOption(new Option('--serial <path>', 'listen on a serial port').conflicts(['file', 'connect']))
    .option('--baud <n>', 'its speed', wholeNumber, 9_600)
    .addOption(new Option('--parity <parity>', 'its parity').choices(['none', 'even', 'odd']).default('none'))
    .addOption(
      new Option('--connect <host:port>', 'listen on a TCP connection')
        .argParser(hostAndPort)
        .conflicts(['file', 'serial']),
    )
    .option('--for <seconds>', 'how long to listen', positiveNumber, 15)
    .option('--gap <ms>', 'silence that parts two frames', positiveNumber, 25)
    .option('--send <hex>', 'a request that makes the device talk')
    .option('--every <seconds>', 'send it again so often', positiveNumber)
    .option('--write <file>', 'write a starter profile')
    .option('--json', 'print the proposals as JSON')
    .action(async (words: string[], options: LabOptions) => {
      const { lab } = await import('./commands/lab.ts');
      done(await lab(words, options));
    });

  return program;
}

function command(parent: Command, name: string, description: string, example: string): Command {
  const path = parent.parent === null ? name : `${parent.name()} ${name}`;
  return parent
    .command(name)
    .description(description)
    .showHelpAfterError(`"bytes2mqtt ${path} --help" shows what there is.`)
    .addHelpText('after', `\nExample:\n  $ bytes2mqtt ${example}\n${EXIT_CODES}`);
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0)
    throw new InvalidArgumentError('Expected a number above 0.');
  return value;
}

/** Several `NAME=VALUE`. */
function collectPair(text: string, pairs: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at <= 0) throw new InvalidArgumentError('Expected NAME=VALUE.');
  return { ...pairs, [text.slice(0, at)]: text.slice(at + 1) };
}

function hostAndPort(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port >= 1 && port <= 65_535)) {
    throw new InvalidArgumentError('Expected HOST:PORT, such as 192.168.1.50:8899.');
  }
  return { host, port };
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0) {
    throw new InvalidArgumentError('Expected a whole number, 0 or more.');
  }
  return value;
}
