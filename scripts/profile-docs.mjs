// Writes docs/profiles/ from the profile files and codecs: `npm run profile-docs`. One page a profile, and a list of all.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PROFILES = new URL('../protocol/profiles/', import.meta.url);
const DOCS = new URL('../docs/profiles/', import.meta.url);

/** File name → content, for all pages; `protocol` is the module protocol/index. */
export function generatePages(protocol) {
  const pages = new Map();
  const profiles = allProfiles(protocol);
  for (const profile of profiles) pages.set(`${profile.name}.md`, page(profile));
  pages.set('README.md', list(profiles));
  return pages;
}

function allProfiles(protocol) {
  const files = readdirSync(PROFILES).filter((name) => name.endsWith('.yaml'));
  const loaded = files.map((file) => {
    const result = protocol.loadProfile({
      name: file.slice(0, -'.yaml'.length),
      text: readFileSync(new URL(file, PROFILES), 'utf8'),
      file,
    });
    if (!result.ok) throw new Error(result.problems.map(protocol.formatProfileProblem).join('\n'));
    return result.profile;
  });
  const codecs = protocol.CODEC_NAMES.map((name) => protocol.profileCodec(name));
  return [...loaded, ...codecs].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function list(profiles) {
  return [
    '# Shipped device profiles',
    '',
    GENERATED,
    '',
    'How to write one of your own: [the profile language](../profiles.md).',
    '',
    table(
      ['profile', 'device', 'made by', 'models'],
      profiles.map(({ name, about }) => [
        `[\`${name}\`](${name}.md)`,
        about.title,
        about.vendor ?? '',
        about.models.join(', '),
      ]),
    ),
    '',
  ].join('\n');
}

const GENERATED = '<!-- generated from protocol/profiles by `npm run profile-docs` -->';

function page(profile) {
  const { about } = profile;
  const instance = profile.open();
  const generic = profile.channels.length === 0;
  const parts = [
    `# ${about.title}`,
    '',
    GENERATED,
    '',
    about.description ?? '',
    '',
    facts(about),
    section('Wiring', about.wiring),
    section('In the configuration', `\`\`\`yaml\n${example(profile)}\n\`\`\``),
    section('Parameters', parameters(profile)),
    section('What it reports', generic ? 'What the configuration lists under `registers`.' : channels(profile)),
    section(
      'What is sent to it',
      generic ? 'Requests for the registers, as few as their places allow.' : requests(instance),
    ),
    section('What can be set', commands(profile)),
    section('Data sheets', about.links.map((link) => `- ${link}`).join('\n')),
  ];
  return `${parts
    .filter((part) => part !== undefined)
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()}\n`;
}

function section(title, body) {
  return body === undefined || body === '' ? undefined : `\n## ${title}\n\n${body}\n`;
}

function facts({ vendor, models, serial, timeoutMs }) {
  const rows = [
    ['made by', vendor],
    ['models', models.join(', ')],
    [
      'serial port',
      serial && `${serial.baud} baud, ${serial.dataBits}${serial.parity[0].toUpperCase()}${serial.stopBits}`,
    ],
    ['unavailable after', timeoutMs && `${timeoutMs / 1000} s of silence`],
  ].filter(([, value]) => value);
  return rows.length === 0 ? '' : table(['', ''], rows);
}

function example({ name, about, parameters, channels }) {
  const line =
    {
      'modbus-tcp': 'connect: 192.168.1.50:502',
      datagram: 'udp: 0.0.0.0:5000',
    }[about.transport] ?? (about.serial === undefined ? 'tcp: 0.0.0.0:5027' : 'serial: /dev/ttyUSB0');
  const lines = ['sources:', `  - ${line}`, `    profile: ${name}`, `    device: my_${name}`];
  if (parameters.length > 0) {
    const given = parameters.map((parameter) => `${parameter.name}: ${parameter.default ?? '…'}`);
    lines.push(`    parameters: { ${given.join(', ')} }`);
  }
  if (channels.length === 0) {
    lines.push(
      '    registers:',
      '      temperature: { at: 0, table: input, type: i16, scale: 0.1, unit: °C, class: temperature }',
      '      setpoint: { at: 100, type: u16, scale: 0.1, unit: °C, writable: true, every_s: 60 }',
    );
  }
  return lines.join('\n');
}

function parameters({ parameters }) {
  if (parameters.length === 0) return undefined;
  return table(
    ['parameter', 'default', ''],
    parameters.map(({ name, default: value, description, range }) => [
      `\`${name}\``,
      value === undefined ? 'must be given' : `\`${value}\``,
      [description, range && `${range[0]} to ${range[1]}`].filter(Boolean).join('; '),
    ]),
  );
}

function channels({ channels }) {
  const rows = [];
  const seen = new Set();
  for (const channel of channels) {
    if (!channel.readable) continue;
    // A counted repeat is one row: its first element stands for all.
    const shape = channel.repeated ? channel.alias.replace(/\d+(?=\D*$)/, 'N') : channel.alias;
    if (seen.has(shape)) continue;
    seen.add(shape);
    const notes = [
      channel.options && channel.options.join(', '),
      channel.diagnostic && 'diagnostic',
      channel.totalIncreasing && 'only grows',
    ];
    rows.push([
      `\`${shape}\``,
      channel.repeated ? channel.title.replace(/\d+(?=\D*$)/, 'N') : channel.title,
      channel.unit || (channel.type === 'bool' ? 'true or false' : ''),
      channel.class === 'none' ? '' : `\`${channel.class}\``,
      notes.filter(Boolean).join('; '),
    ]);
  }
  return table(['channel', 'what it is', 'unit', 'class', ''], rows);
}

function requests({ init, polls }) {
  const rows = [
    ...init.map(({ request }) => [request.name, 'when the line opens', bytes(request)]),
    ...polls.map((poll) => [poll.name, `every ${poll.everyMs / 1000} s`, bytes(poll.request())]),
  ];
  if (rows.length === 0) return 'Nothing: it sends by itself.';
  return table(['request', 'when', 'bytes'], rows);
}

function bytes(request) {
  return request === undefined
    ? ''
    : `\`${Buffer.from(request.bytes)
        .toString('hex')
        .replace(/(..)(?=.)/g, '$1 ')}\``;
}

function commands({ commands }) {
  if (commands.length === 0) return undefined;
  return table(
    ['command', 'what it does', 'takes', 'shown by'],
    commands.map((command) => [
      `\`${command.alias}\``,
      command.title,
      takes(command),
      command.shows === undefined ? '' : `\`${command.shows}\``,
    ]),
  );
}

function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(escapeCell).join(' | ')} |`).join('\n');
}

function takes({ kind, options, range, unit }) {
  return {
    bool: '`true` or `false`',
    button: 'nothing: it is a button',
    text: 'text',
    option: options?.map((option) => `\`${option}\``).join(', '),
    number: `a number${range === undefined ? '' : ` from ${range[0]} to ${range[1]}`}${unit === '' ? '' : ` ${unit}`}`,
  }[kind];
}

function escapeCell(cell) {
  return String(cell).replaceAll('|', '\\|');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const pages = generatePages(await import('../dist/protocol/index.js'));
  mkdirSync(DOCS, { recursive: true });
  for (const [file, content] of pages) writeFileSync(new URL(file, DOCS), content);
}
