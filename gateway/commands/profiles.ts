/**
 * `bytes2mqtt profiles`: the device profiles that are shipped; one of them in full; whether a profile of one's own is right.
 */
import { existsSync } from 'node:fs';
import { formatProfileProblem, type Profile, type ProfileChannel, printable } from '../../protocol/index.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { profileDoubts } from '../profiles/doubts.ts';
import { findProfile, isProfilePath, shippedNames } from '../profiles/load.ts';
import { type Paint, paintFor, printError, printOut } from './terminal.ts';

export interface ProfilesOptions {
  readonly json?: boolean;
}

/** Lists the shipped profiles, or shows the one that is named. */
export function profiles(name: string | undefined, options: ProfilesOptions): ExitCode {
  return name === undefined ? list(options) : show(name, options);
}

/** Says what is wrong with a profile file, line by line, or what it is good for. */
export function checkProfile(file: string, options: ProfilesOptions): ExitCode {
  const wanted = isProfilePath(file) ? file : `./${file}`;
  const found = load(wanted, options);
  if (found === undefined) return EXIT.failed;
  const { channels, messages, commands, about } = found.profile;
  const warnings = profileDoubts(found.profile);
  if (options.json === true)
    printOut(JSON.stringify({ ok: true, warnings, profile: view(found.profile, found.file) }, undefined, 2));
  else {
    const parts = [
      count(messages.length, 'message'),
      count(channels.length, 'channel'),
      count(commands.length, 'command'),
    ];
    printOut(`${printable(file, 200)} is right: "${about.title}" with ${parts.join(', ')}`);
    for (const warning of warnings) printError(`warning: ${warning}`);
  }
  return EXIT.ok;
}

function list(options: ProfilesOptions): ExitCode {
  const rows: { name: string; title: string; line: string }[] = [];
  for (const name of shippedNames()) {
    const found = findProfile(name, process.cwd());
    if (found.ok) rows.push({ name, title: found.profile.about.title, line: lineOf(found.profile) });
    else printError(`${name}: this shipped profile cannot be read; the installation is damaged`);
  }
  if (options.json === true) {
    printOut(JSON.stringify(rows, undefined, 2));
    return EXIT.ok;
  }
  const colours = paintFor(process.stdout);
  const width = (key: 'name' | 'title'): number => Math.max(...rows.map((row) => row[key].length));
  for (const { name, title, line } of rows) {
    printOut(`${colours.bold(name.padEnd(width('name')))}  ${title.padEnd(width('title'))}  ${colours.dim(line)}`);
  }
  return EXIT.ok;
}

function show(name: string, options: ProfilesOptions): ExitCode {
  const found = load(name, options);
  if (found === undefined) return EXIT.usage;
  const { profile, file } = found;
  if (options.json === true) printOut(JSON.stringify(view(profile, file), undefined, 2));
  else printOut(page(profile, file, writtenAs(name), paintFor(process.stdout)));
  return EXIT.ok;
}

function load(
  wanted: string,
  options: ProfilesOptions,
): { readonly profile: Profile; readonly file: string | undefined } | undefined {
  const found = findProfile(wanted, process.cwd());
  if (found.ok) return found;
  const missing = isProfilePath(wanted) && !existsSync(wanted);
  const lines =
    found.code === 'invalid'
      ? found.problems.map(formatProfileProblem)
      : [missing ? `${printable(wanted, 200)}: no such file` : `${printable(wanted, 200)} ${found.message}`];
  if (options.json === true) printOut(JSON.stringify({ ok: false, problems: lines }, undefined, 2));
  else for (const line of lines) printError(line);
  return undefined;
}

/** `9600 8N1`, or what carries it. */
function lineOf({ about }: Profile): string {
  const { serial, transport } = about;
  if (serial === undefined) return transport === 'stream' ? 'TCP or UDP' : transport;
  return `${serial.baud} ${serial.dataBits}${serial.parity.charAt(0).toUpperCase()}${serial.stopBits}`;
}

function view(profile: Profile, file: string | undefined): Record<string, unknown> {
  const { name, about, channels, commands, parameters } = profile;
  return { name, file, ...about, parameters, channels, commands };
}

/** How a configuration names it: a file by its path, which there begins at the folder of the configuration file. */
function writtenAs(name: string): string {
  return isProfilePath(name) && !/[/\\]/.test(name) ? `./${name}` : name;
}

function page(profile: Profile, file: string | undefined, written: string, colours: Paint): string {
  const { name, about, channels, commands, parameters } = profile;
  const { title, vendor, models, description, wiring, links } = about;
  const out: string[] = [colours.bold(`${name}: ${title}`)];
  const fact = (what: string, text: string | undefined): void => {
    if (text !== undefined && text !== '')
      out.push(`${colours.dim(what.padEnd(12))}${text.trim().replaceAll('\n', `\n${' '.repeat(12)}`)}`);
  };
  fact('vendor', vendor);
  fact('models', models.join(', '));
  fact('line', lineOf(profile));
  fact('description', description);
  fact('wiring', wiring);
  fact('read', links.join('\n'));
  fact('file', file ?? 'built in');
  if (parameters.length > 0) {
    out.push('', colours.bold('Parameters'));
    for (const one of parameters) {
      const fallback = one.default === undefined ? 'has to be given' : `default ${one.default}`;
      out.push(`  ${one.name.padEnd(16)}${one.description ?? one.kind} (${fallback})`);
    }
  }
  out.push('', colours.bold('Channels'));
  for (const channel of channels.filter(({ readable, repeated }) => readable && !repeated))
    out.push(channelLine(channel));
  const repeated = channels.filter((channel) => channel.repeated);
  if (repeated.length > 0) out.push(`  and as many as the device has of ${families(repeated)}`);
  if (commands.length > 0) {
    out.push('', colours.bold('Commands'));
    for (const one of commands) {
      const values = one.options?.join(', ') ?? one.range?.join(' to ') ?? one.kind;
      out.push(
        `  ${(one.shows ?? one.alias).padEnd(28)}${one.title}: ${values}${one.unit === '' ? '' : ` ${one.unit}`}`,
      );
    }
  }
  out.push(
    '',
    colours.bold('In the configuration'),
    'sources:',
    `  - ${whereOf(profile)}`,
    `    profile: ${written}`,
    '    device: my_device',
  );
  return out.join('\n');
}

function channelLine({ alias, title, type, unit, class: kind }: ProfileChannel): string {
  const about = [unit === '' ? type : unit, kind === 'none' ? '' : kind].filter((part) => part !== '').join(', ');
  return `  ${alias.padEnd(28)}${title} (${about})`;
}

/** `cell_1 … cell_32, temperature_1 … temperature_8` */
function families(repeated: readonly ProfileChannel[]): string {
  const lasts = new Map<string, { first: string; last: string }>();
  for (const { alias } of repeated) {
    const family = alias.split('_').slice(0, -1).join('_');
    lasts.set(family, { first: lasts.get(family)?.first ?? alias, last: alias });
  }
  return Array.from(lasts.values(), ({ first, last }) => (first === last ? first : `${first} … ${last}`)).join(', ');
}

function whereOf({ about }: Profile): string {
  if (about.transport === 'modbus-tcp') return 'connect: 192.168.1.50:502';
  if (about.transport === 'datagram') return 'udp: 0.0.0.0:5027';
  return about.serial === undefined ? 'tcp: 0.0.0.0:5027' : 'serial: /dev/ttyUSB0';
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
