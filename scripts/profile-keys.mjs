// Writes the tables of keys of docs/profiles.md from the schema of profile files: `npm run profile-keys`.
//
//   <!-- keys: framing -->   replaced by the table of the keys there   <!-- /keys -->
//   <!-- functions -->       replaced by the table of functions        <!-- /functions -->
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const DOCS = new URL('../docs/profiles.md', import.meta.url);

/** Where in the file the keys of each table stand; `*` is any name or index. */
const SECTIONS = {
  top: [],
  serial: ['serial'],
  framing: ['framing'],
  sync: ['framing', 'sync'],
  length: ['framing', 'length'],
  end: ['framing', 'end'],
  escape: ['framing', 'escape'],
  checksum: ['checksum'],
  transform: ['transform'],
  message: ['messages', '*'],
  field: ['messages', '*', 'fields', '*'],
  repeat: ['messages', '*', 'fields', '*', 'repeat'],
  measure: ['messages', '*', 'fields', '*', 'repeat', 'count'],
  group: ['messages', '*', 'groups', '*'],
  records: ['messages', '*', 'records'],
  text: ['messages', '*', 'text'],
  parameter: ['parameters', '*'],
  poll: ['poll', '*'],
  init: ['init'],
  command: ['commands', '*'],
  modbus: ['modbus'],
  register: ['modbus', 'registers', '*'],
};

/** docs/profiles.md with its tables brought up to date; `protocol` is the module protocol/index. */
export function generate(text, protocol) {
  const schema = protocol.profileJsonSchema();
  const used = new Set();
  const result = text
    .replace(/(<!-- keys: ([a-z]+) -->\n)[\s\S]*?(\n?<!-- \/keys -->)/g, (_, open, name, close) => {
      if (!(name in SECTIONS)) throw new Error(`docs/profiles.md has a table that nothing generates: ${name}`);
      used.add(name);
      return `${open}${keyTable(schema, SECTIONS[name])}${close.startsWith('\n') ? close : `\n${close}`}`;
    })
    .replace(/(<!-- functions -->\n)[\s\S]*?(\n?<!-- \/functions -->)/g, (_, open, close) => {
      const rows = Object.values(protocol.PROFILE_FUNCTIONS).map(({ usage, note }) => [`\`${usage}\``, note]);
      return `${open}${table(['function', 'gives'], rows)}${close.startsWith('\n') ? close : `\n${close}`}`;
    });
  for (const name of Object.keys(SECTIONS))
    if (!used.has(name)) throw new Error(`docs/profiles.md lacks the table ${name}`);
  return result;
}

function keyTable(schema, path) {
  let nodes = forms(schema, schema);
  for (const part of path) {
    nodes = nodes.flatMap((node) => {
      const next = part === '*' ? node.additionalProperties : (node.properties?.[part] ?? undefined);
      const here = typeof next === 'object' ? forms(next, schema) : [];
      return here.flatMap((one) =>
        one.type === 'array' && one.items !== undefined ? forms(one.items, schema) : [one],
      );
    });
  }
  const rows = new Map();
  for (const node of nodes) {
    for (const [key, value] of Object.entries(node.properties ?? {})) {
      if (!rows.has(key))
        rows.set(key, [
          `\`${key}\``,
          describe(value, schema),
          mustBeGiven(node, key) ? 'required' : defaultOf(value, schema),
        ]);
    }
  }
  return table(['key', 'meaning', 'default'], [...rows.values()]);
}

function forms(node, schema, depth = 0) {
  if (depth > 12) return [];
  if (node.$ref !== undefined)
    return forms(schema.$defs[node.$ref.split('/').at(-1)], schema, depth + 1).map((one) => ({
      ...one,
      description: node.description ?? one.description,
      default: node.default ?? one.default,
    }));
  const inner = node.anyOf ?? node.oneOf;
  return inner === undefined ? [node] : inner.flatMap((one) => forms(one, schema, depth + 1));
}

function describe(node, schema) {
  const all = forms(node, schema);
  const text = ownText(node, schema) ?? all.find(({ description }) => description !== undefined)?.description ?? '';
  const words = all
    .flatMap(({ enum: values }) => values ?? [])
    .filter((word) => typeof word === 'string' && word !== 'true' && word !== 'false');
  const list =
    words.length > 1 && words.length <= 24 && !words.every((word) => text.includes(word))
      ? ` One of ${words.map((word) => `\`${word}\``).join(', ')}.`
      : '';
  return `${text}${list}`.trim();
}

/** The description of a node, or of what it refers to; that of one of its alternatives would say too little. */
function ownText(node, schema) {
  if (node.description !== undefined || node.$ref === undefined) return node.description;
  return ownText(schema.$defs[node.$ref.split('/').at(-1)], schema);
}

function mustBeGiven(node, key) {
  return node.required?.includes(key) === true;
}

function defaultOf(node, schema) {
  const value = node.default ?? forms(node, schema).find((one) => one.default !== undefined)?.default;
  return value === undefined || typeof value === 'object' ? '' : `\`${value}\``;
}

function cellText(cell) {
  return String(cell).replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cellText).join(' | ')} |`).join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const protocol = await import('../dist/protocol/index.js');
  writeFileSync(DOCS, generate(readFileSync(DOCS, 'utf8'), protocol));
}
