/**
 * A profile file to begin with, written from a proposal: it loads, and it decodes the frames that were looked at. What
 * the numbers mean, their scales and units, is for the person who knows the device.
 */
import type { ChecksumFit } from './checksum-search.ts';
import type { Column } from './columns.ts';
import type { Framing, LengthField } from './framing.ts';
import type { Layout, Proposal } from './proposal.ts';
import type { TextKind, TextLayout } from './text-lines.ts';

export interface StarterFacts {
  /** Where the bytes came from, for the comment; one line. */
  readonly source: string;
  readonly baud: number | undefined;
  readonly parity: 'none' | 'even' | 'odd';
  /** The usual time between two frames. */
  readonly rhythmMs: number | undefined;
}

/** More channels than this are no starting point any more; what moves least interestingly is left out. */
const MAX_FIELDS = 60;

/** The text of the profile file. */
export function starterProfile(proposal: Proposal, facts: StarterFacts): string {
  const { framing, checksum, tail, frames, different } = proposal;
  const lines = [
    `# Begun by "bytes2mqtt lab" from ${facts.source}: ${frames.length} frames, ${different} of them different.`,
    '# Give the fields names, units and scales; docs/profiles.md has all keys. Then: bytes2mqtt profiles check FILE',
    'title: Unknown device',
  ];
  const parity = facts.parity === 'none' ? '' : `, parity: ${facts.parity}`;
  if (facts.baud !== undefined) lines.push(`serial: { baud: ${facts.baud}${parity} }`);
  lines.push(`framing: ${framingText(proposal)}`);
  for (const hint of proposal.lengthHints) {
    if (framing.length.kind === 'fixed')
      lines.push(`# Perhaps the length: ${lengthText(hint)} in place of ${framing.length.bytes}`);
  }
  if (checksum !== undefined) lines.push(`checksum: ${checksumText(checksum)}`);
  if (facts.rhythmMs !== undefined) lines.push(`timeout_s: ${Math.max(10, Math.ceil((facts.rhythmMs * 5) / 1000))}`);
  const bodies = proposal.text === undefined ? binaryBodies(proposal, tail.length) : textBodies(proposal.text);
  const [only] = bodies;
  if (bodies.length === 1 && only !== undefined && only.head.length === 0) lines.push(...only.body);
  else {
    lines.push('messages:');
    for (const { name, head, body } of bodies) {
      lines.push(`  ${name}:`, ...[...head, ...body].map((line) => `    ${line}`));
    }
  }
  return `${lines.join('\n')}\n`;
}

/** One kind of frames: its name, how it is told from others, and what it holds. */
interface Body {
  readonly name: string;
  readonly head: readonly string[];
  readonly body: readonly string[];
}

function framingText({ framing, tail, frames }: Proposal): string {
  const { sync, length, escape } = framing;
  const longest = frames.reduce((most, frame) => Math.max(most, frame.length), 0);
  const parts: string[] = [];
  if (sync !== undefined) {
    parts.push(
      sync.at === 0 ? `sync: ${quoted(sync.bytes)}` : `sync: { at: ${sync.at}, bytes: ${quoted(sync.bytes)} }`,
    );
  }
  if (escape !== undefined) parts.push(`escape: ${escape}`, `max: ${roomFor(longest)}`);
  else if (length.kind === 'fixed') parts.push(`length: ${length.bytes}`);
  else if (length.kind === 'field') parts.push(`length: ${lengthText(length.field)}`, `max: ${roomFor(longest)}`);
  else if (length.kind === 'tail') parts.push(`tail: ${quoted(length.bytes)}`, `max: ${roomFor(longest)}`);
  else parts.push('gap_ms: 20', `max: ${roomFor(longest)}`);
  if (escape === undefined && length.kind !== 'tail' && tail.length > 0) parts.push(`tail: ${quoted(tail)}`);
  return `{ ${parts.join(', ')} }`;
}

/** Twice what was seen, as a power of two. */
function roomFor(longest: number): number {
  return Math.max(64, 2 ** Math.ceil(Math.log2(longest * 2)));
}

function lengthText({ at, type, times, plus }: LengthField): string {
  const parts = [`at: ${at}`, `type: ${type === 'u8' ? 'u8' : 'u16'}`];
  if (type !== 'u8') parts.push(`order: ${type === 'u16' ? 'big' : 'little'}`);
  if (times !== 1) parts.push(`times: ${times}`);
  if (plus !== 0) parts.push(`plus: ${plus}`);
  return `{ ${parts.join(', ')} }`;
}

function checksumText(fit: ChecksumFit): string {
  const { algorithm, from, to, at, order, encoding, constant } = fit;
  const type = algorithm.name.startsWith('CRC-') ? `type: crc, crc: ${algorithm.name}` : `type: ${algorithm.name}`;
  const parts = [type, `from: ${from}`, `to: ${to}`, `at: ${at}`];
  if (encoding === 'hex') parts.push(`size: ${algorithm.size * 2}`, 'encoding: HEX');
  else if (algorithm.size > 1) parts.push(`order: ${order}`);
  if (algorithm.complement !== undefined) parts.push(`complement: ${algorithm.complement}`);
  if (constant !== 0) {
    // It goes in before the complement is taken.
    const modulus = 2 ** (algorithm.size * 8);
    const init = algorithm.constant === 'xor' || algorithm.complement === undefined ? constant : modulus - constant;
    parts.push(`init: 0x${init.toString(16)}`);
  }
  return `{ ${parts.join(', ')} }`;
}

function binaryBodies(proposal: Proposal, tail: number): Body[] {
  const { grouping, layouts, framing, checksum } = proposal;
  const behind = checksum === undefined ? tail : Math.max(-checksum.at, -checksum.to);
  const several = layouts.length > 1;
  let room = MAX_FIELDS;
  return layouts.map((layout) => {
    const { value, length } = layout.group;
    const name =
      value !== undefined ? `kind_${hexByte(value)}` : length !== undefined && several ? `long_${length}` : 'reading';
    const prefix = several ? `${value !== undefined ? `k${hexByte(value)}` : `l${length ?? 0}`}_` : '';
    const head: string[] = [];
    if (grouping.by.kind === 'byte' && value !== undefined)
      head.push(`match: { ${grouping.by.at}: "${hexByte(value)}" }`);
    if (grouping.by.kind === 'length' && length !== undefined) head.push(`length: ${length}`);
    const body = fieldsOf(layout, prefix, framing, behind, Math.max(4, Math.min(room, 40)));
    room -= body.length;
    return { name, head, body };
  });
}

function fieldsOf(layout: Layout, prefix: string, framing: Framing, behind: number, room: number): string[] {
  const { columns, group } = layout;
  const resting = columns.filter(({ kind }) => kind === 'constant');
  const moving = columns.filter(({ kind }) => kind !== 'constant');
  const order = ['measurement', 'counter', 'text', 'state', 'noise'];
  const chosen = new Set(moving.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind)).slice(0, room));
  const lines: string[] = [];
  if (resting.length > 0) lines.push(`# The same in every frame: ${constantsText(resting)}`);
  lines.push('fields:');
  for (const column of columns) if (chosen.has(column)) lines.push(`  ${fieldText(column, prefix)}`);
  const shortest = group.frames.reduce((least, frame) => Math.min(least, frame.length), Number.POSITIVE_INFINITY);
  const end = columns.reduce((most, { at, size }) => Math.max(most, at + size), headerEnd(framing));
  if (group.length === undefined && shortest - behind >= end) {
    lines.push(`  ${prefix}rest: { at: ${end}, type: hex, size: end, diagnostic: true, optional: true }`);
  } else if (moving.length === 0) {
    const from = Math.min(headerEnd(framing), Math.max(0, shortest - behind - 1));
    const size = Math.max(1, shortest - behind - from);
    lines.push(`  ${prefix}data: { at: ${from}, type: hex, size: ${Math.min(size, 255)}, diagnostic: true }`);
  }
  return lines;
}

function headerEnd({ sync, length }: Framing): number {
  const syncEnd = sync === undefined ? 0 : sync.at + sync.bytes.length;
  if (length.kind !== 'field') return syncEnd;
  return Math.max(syncEnd, length.field.at + (length.field.type === 'u8' ? 1 : 2));
}

function fieldText({ at, size, kind, type, order, note }: Column, prefix: string): string {
  const little = size > 1 && order === 'little' ? ', order: little' : '';
  const number = `type: ${type ?? 'u8'}${little}`;
  switch (kind) {
    case 'measurement':
      return `${prefix}value_${at}: { at: ${at}, ${number} } # ${note}`;
    case 'counter':
      return `${prefix}counter_${at}: { at: ${at}, ${number}, diagnostic: true } # ${note}`;
    case 'text':
      return `${prefix}text_${at}: { at: ${at}, type: ascii, size: ${size} }`;
    case 'state':
      return `${prefix}state_${at}: { at: ${at}, ${number} } # ${note}`;
    default:
      return `${prefix}byte_${at}: { at: ${at}, ${number}, diagnostic: true } # ${note}`;
  }
}

/** `4 = 00 1c, 9 = 02`: neighbours together. */
function constantsText(columns: readonly Column[]): string {
  const runs: { at: number; end: number; bytes: string[] }[] = [];
  for (const { at, note } of columns) {
    const last = runs.at(-1);
    if (last !== undefined && last.end === at) {
      last.bytes.push(note);
      last.end = at + 1;
    } else runs.push({ at, end: at + 1, bytes: [note] });
  }
  const shown = runs.slice(0, 16).map(({ at, bytes }) => {
    const first = bytes.slice(0, 12).join(' ');
    return `${at} = ${first}${bytes.length > 12 ? ' …' : ''}`;
  });
  return `${shown.join(', ')}${runs.length > 16 ? ' …' : ''}`;
}

function textBodies(text: TextLayout): Body[] {
  const parted = splitText(text.separator ?? '\t');
  const split =
    text.keySign === undefined ? `split: ${parted}` : `lines: ${parted}, separator: ${splitText(text.keySign)}`;
  const rule = `text: { ${split}, from: ${text.from}, to: ${text.to} }`;
  const names = new Set<string>();
  // A longer word first: the separator behind it makes it whole, but the order costs nothing.
  return text.kinds.map((kind) => {
    let name = kind.head === undefined ? 'line' : aliasOf(kind.head);
    while (names.has(name)) name = `${name.slice(0, 29)}_${names.size}`;
    names.add(name);
    const head =
      kind.head === undefined
        ? []
        : [`match: { ${text.from}: ${quoted(Buffer.from(`${kind.head}${text.separator ?? ''}`, 'latin1'))} }`];
    const prefix = kind.head === undefined ? '' : `${name.slice(0, 20)}_`;
    return { name, head, body: [rule, 'fields:', ...columnFields(kind, prefix)] };
  });
}

/** A sign as people read it; what nobody sees stays in hex. */
function splitText(separator: string): string {
  return separator.trim() === '' ? quoted(Buffer.from(separator)) : `'${JSON.stringify(separator)}'`;
}

function columnFields({ columns }: TextKind, prefix: string): string[] {
  const told = columns.filter(({ kind }) => kind === 'number' || kind === 'text').slice(0, 32);
  return (told.length > 0 ? told : columns.slice(0, 1)).map(({ index, kind, example, key }) => {
    const type = kind === 'number' ? 'number' : 'ascii';
    if (key !== undefined)
      return `  ${aliasOf(key)}_${index}: { key: ${JSON.stringify(key)}, type: ${type} } # such as ${example.slice(0, 40).replaceAll(/[^\x20-\x7e]/g, '.')}`;
    return `  ${prefix}column_${index}: { column: ${index}, type: ${type} } # such as ${example.slice(0, 40).replaceAll(/[^\x20-\x7e]/g, '.')}`;
  });
}

function aliasOf(word: string): string {
  const alias = word
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '')
    .slice(0, 24);
  return alias === '' ? 'line' : alias;
}

function quoted(bytes: Uint8Array): string {
  return `"${Array.from(bytes, hexByte).join(' ')}"`;
}

function hexByte(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
