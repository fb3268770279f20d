// Writes the generated parts of protocol/SPEC.md from the declarations in protocol/ and the vectors: `npm run spec`.
//
//   <!-- generated: NAME -->   replaced by what `blocks` has under NAME   <!-- /generated -->
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SPEC = new URL('../protocol/SPEC.md', import.meta.url);
const VECTORS = new URL('../test/vectors/link.json', import.meta.url);
const SECURE_VECTORS = new URL('../test/vectors/link-secure.json', import.meta.url);

/** SPEC.md with every generated part brought up to date; `protocol` is the module protocol/index. */
export function generate(spec, protocol, vectors, secureVectors) {
  const blocks = {
    'secure-example': secureExample(protocol, secureVectors),
    messages: messageSections(protocol, vectors),
    'message-list': messageList(protocol),
    'value-types': table(
      ['code', 'type', 'bytes', 'content'],
      protocol.VALUE_TYPES.map(({ code, name, size, note }) => [code, `\`${name}\``, size || '1 + n', note]),
    ),
    qualities: table(
      ['code', 'quality', 'meaning'],
      protocol.QUALITIES.map(({ code, name, note }) => [code, `\`${name}\``, note]),
    ),
    classes: protocol.CHANNEL_CLASSES.map(({ code, name }) => `${code} \`${name}\``).join(', ') + '.',
    limits: limits(protocol),
  };
  const used = new Set();
  const result = spec.replace(
    /(<!-- generated: ([a-z-]+) -->\n)[\s\S]*?(\n?<!-- \/generated -->)/g,
    (_, open, name) => {
      if (!(name in blocks)) throw new Error(`SPEC.md has a part that nothing generates: ${name}`);
      used.add(name);
      return `${open}${blocks[name]}\n<!-- /generated -->`;
    },
  );
  for (const name of Object.keys(blocks)) if (!used.has(name)) throw new Error(`SPEC.md lacks the part ${name}`);
  return result;
}

const RELIABLE = { always: 'yes', never: 'no', optional: 'if the sender wants' };
const SID = { zero: '0', session: 'the session', either: 'the session, or 0 without one' };
const DIRECTION = { up: 'up', down: 'down', both: 'both ways' };

function limits(protocol) {
  return table(
    ['what', 'at most'],
    [
      ['frame on a stream, header and CRC or tag included', `${protocol.MAX_FRAME_BYTES} bytes`],
      ['datagram', `${protocol.MAX_DATAGRAM_BYTES} bytes`],
      ['frame before the session stands', `${protocol.MAX_FRAME_BEFORE_SESSION} bytes`],
      ['reliable frames outstanding', '32, or less as WELCOME says'],
      ['values in a sample', protocol.MAX_VALUES],
      ['text or bytes in a value, text in a message', '255 bytes'],
      ['channels', protocol.MAX_CHANNELS],
      ['parts of a schema', protocol.MAX_SCHEMA_PARTS],
      ['contents of a schema, all parts together', `${protocol.MAX_SCHEMA_BYTES} bytes`],
      ['name, model, firmware, name of a channel', `${protocol.MAX_NAME_BYTES} bytes of UTF-8`],
      ['unit', `${protocol.MAX_UNIT_BYTES} bytes of UTF-8`],
      [
        'retransmission timeout',
        `${protocol.MAX_RTO_MS / 1000} s (first ${protocol.FIRST_RTO_MS / 1000} s, at least ${protocol.MIN_RTO_MS} ms)`,
      ],
    ],
  );
}

function messageList({ MESSAGES }) {
  return table(
    ['type', 'name', 'direction', 'reliable', 'sid', 'what it is for'],
    MESSAGES.map(({ number, name, direction, reliable, sid, note }) => [
      hex8(number),
      `[${name}](#${name.toLowerCase()})`,
      DIRECTION[direction],
      RELIABLE[reliable],
      SID[sid],
      note,
    ]),
  );
}

function messageSections(protocol, vectors) {
  return protocol.MESSAGES.map((message) => messageSection(message, protocol, vectors)).join('\n\n');
}

function messageSection({ number, name, direction, note, fields }, protocol, vectors) {
  const parts = [
    `### ${name}`,
    `Type ${hex8(number)}, ${DIRECTION[direction]}. ${note}`,
    table(['field', 'type', 'unit', 'allowed', 'meaning'], fields.map(fieldRow)),
  ];
  for (const field of fields) {
    if (field.bits !== undefined) {
      const rows = field.bits.map(({ bit, name, note }) => [bit, `\`${name}\``, note]);
      parts.push(`Bits of \`${field.name}\`:`, table(['bit', 'name', 'meaning'], rows));
    }
    if (field.codes !== undefined) {
      const rows = field.codes.map(({ code, name, note }) => [code, `\`${name}\``, note]);
      parts.push(`Codes of \`${field.name}\`:`, table(['code', 'name', 'meaning'], rows));
    }
  }
  parts.push(
    example(
      vectors.frames.find((frame) => frame.name === name),
      protocol,
    ),
  );
  return parts.join('\n\n');
}

function fieldRow({ name, type, unit, min, max, note }) {
  const allowed = max !== undefined ? `${min ?? 0} … ${max}` : min !== undefined ? `from ${min}` : '';
  return [`\`${name}\``, type, unit ?? '', allowed, note];
}

/** A frame of the vectors, byte range by byte range. */
function example({ hex, cobs, note }, { explain }) {
  const bytes = bytesOf(hex);
  const [frame] = explain(bytes, 'frame').frames;
  const ranges = frame.ranges.map(({ offset, length, name, value }) => [
    String(offset).padStart(4),
    hexOf(bytes, offset, length),
    name,
    value,
  ]);
  const width = (column) => Math.max(...ranges.map((range) => range[column].length));
  const lines = ranges.map(
    ([offset, hex, name, value]) => `${offset}  ${hex.padEnd(width(1))}  ${name.padEnd(width(2))}  ${value}`,
  );
  return ['```text', note, '', `frame  ${hex}`, `COBS   ${cobs}`, '', ...lines, '```'].join('\n');
}

/** The first handshake of the vectors and the first frame each way behind it. */
function secureExample({ explain, encodeStreamFrame }, { handshakes, frames }) {
  const [handshake] = handshakes;
  const section = (note, hex, plaintext) => {
    const bytes = bytesOf(hex);
    const [frame] = explain(bytes, 'frame').frames;
    const cobs = Buffer.from(encodeStreamFrame(bytes)).toString('hex');
    const lines = frame.ranges.map(({ offset, length, name, value }) => {
      const at = `${String(offset).padStart(4)}  ${name.padEnd(10)}`;
      if (length <= 8) return `${at}  ${hexOf(bytes, offset, length).padEnd(16)}  ${length < 8 ? value : ''}`.trimEnd();
      return `${at}  ${hexOf(bytes, offset, length)}`;
    });
    return ['```text', note, '', `frame  ${hex}`, `COBS   ${cobs}`, '', ...lines, '', `plaintext  ${plaintext}`, '```'];
  };
  const answer = `${hex8(handshake.answerType).slice(2)}${hex32(handshake.sid)}${handshake.answerBody}`;
  const [up, down] = ['device', 'gateway'].map((from) => frames.find((frame) => frame.from === from));
  const inside = ({ seq, body }) => (seq === undefined ? body : `${hex32(seq)}${body}`);
  return [
    '```text',
    `key        ${handshake.key}   the device’s`,
    `e.private  ${handshake.deviceEphemeral}   made by the device for this handshake`,
    `f.private  ${handshake.gatewayEphemeral}   made by the gateway`,
    `prologue   ${handshake.prologue}`,
    '```',
    '',
    ...section('HELLO of section 6, sealed.', handshake.up, handshake.body),
    '',
    ...section('The answer: WELCOME of section 6, with its type and sid in front.', handshake.down, answer),
    '',
    '```text',
    'What both ends have now.',
    '',
    `h          ${handshake.handshakeHash}`,
    `up key     ${handshake.upKey}`,
    `down key   ${handshake.downKey}`,
    '```',
    '',
    ...section('READINGS of section 6, number 1, in the first frame up.', up.hex, inside(up)),
    '',
    ...section('ACK of section 6, in the first frame down.', down.hex, inside(down)),
  ].join('\n');
}

function bytesOf(hex) {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

function hexOf(bytes, offset, length) {
  return Buffer.from(bytes.subarray(offset, offset + length)).toString('hex');
}

function hex32(number) {
  return number.toString(16).padStart(8, '0');
}

function table(head, rows) {
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function line(cells) {
  return `| ${cells.join(' | ')} |`;
}

function hex8(number) {
  return `0x${number.toString(16).padStart(2, '0')}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const protocol = await import('../dist/protocol/index.js');
  const [vectors, secureVectors] = [VECTORS, SECURE_VECTORS].map((file) => JSON.parse(readFileSync(file, 'utf8')));
  writeFileSync(SPEC, generate(readFileSync(SPEC, 'utf8'), protocol, vectors, secureVectors));
}
