/** The words and columns of `bytes2mqtt status`. The gateway may be of another version: what is missing reads as 0. */
import { printable } from '../../protocol/index.ts';
import type { JournalGlance } from '../journal/open-journal.ts';
import type { Paint } from './terminal.ts';

type Json = Readonly<Record<string, unknown>>;

const LABEL_WIDTH = 12;
const MAX_SOURCES = 50;

export function healthTable(health: Json, base: string, paint: Paint): string {
  const journal = part(health, 'journal');
  const watermark = part(journal, 'watermark');
  const letters = part(journal, 'dead_letters');
  const mqtt = part(health, 'mqtt');
  const devices = part(health, 'devices');
  const link = Object.values(part(health, 'link')).map((counters) => record(counters));
  const sum = (key: string): number => link.reduce((total, counters) => total + number(counters, key), 0);
  const trouble = text(journal, 'trouble');
  const waits = number(journal, 'depth');
  const backlog = number(mqtt, 'backlog');
  const rows: [string, string][] = [
    [
      'gateway',
      `below ${base}/, up ${duration(number(health, 'uptime_s') * 1_000)}, ${bytes(number(health, 'memory_bytes'))} of memory`,
    ],
    [
      'journal',
      `${readings(waits)}${waits === 0 ? '' : `, the oldest for ${duration(number(journal, 'oldest_age_ms'))}`}`,
    ],
    [
      '',
      `${count(number(journal, 'held'))} held, ${bytes(number(journal, 'bytesOnDisk'))} on disk, durability ${text(journal, 'durability')}`,
    ],
    [
      '',
      `${count(number(journal, 'syncs'))} syncs, ${bytes(number(journal, 'bytesWritten'))} written, ${count(number(journal, 'refused'))} refused for space, ${count(number(journal, 'damaged'))} damaged`,
    ],
    ...(trouble === '' ? [] : [['', paint.red(`trouble: ${trouble}`)] as [string, string]]),
    ['broker', mqtt['connected'] === true ? paint.green('connected') : paint.red('not connected')],
    [
      '',
      `${count(number(mqtt, 'published'))} published, ${count(number(mqtt, 'inFlight'))} in flight${backlog === 0 ? '' : `, backlog of ${count(backlog)} goes to history`}`,
    ],
    [
      '',
      `${count(number(mqtt, 'resent'))} resent, ${count(number(mqtt, 'replayed'))} replayed, ${count(number(mqtt, 'late'))} late, watermark ${watermark['lsn'] === undefined ? 'none' : count(number(watermark, 'lsn'))}`,
    ],
    [
      '',
      `${count(number(mqtt, 'refused'))} refused${reasons(part(mqtt, 'refusedBy'))}, ${count(number(mqtt, 'setAside'))} set aside, ${count(number(letters, 'count'))} dead letters`,
    ],
    ['devices', `${count(number(devices, 'known'))} known, ${count(number(devices, 'online'))} online`],
    [
      '',
      `${count(sum('readings'))} frames of readings, ${count(sum('duplicates'))} duplicates, ${count(sum('busy'))} told to wait`,
    ],
    ...sources(part(health, 'sources'), paint),
  ];
  return layOut(rows, paint);
}

export function glanceTable(journal: JournalGlance, deadLetters: number, dir: string, paint: Paint): string {
  return layOut(
    [
      ['journal', `${printable(dir)}, as it is on disk`],
      ['', `${readings(journal.depth)}, or a little less; ${count(journal.held)} held`],
      ['', `${count(journal.segments)} segments, ${bytes(journal.bytesOnDisk)}, ${count(journal.damaged)} damaged`],
      ['', `${count(deadLetters)} dead letters`],
    ],
    paint,
  );
}

function sources(all: Json, paint: Paint): [string, string][] {
  const entries = Object.entries(all).slice(0, MAX_SOURCES);
  const width = Math.max(0, ...entries.map(([id]) => id.length));
  return entries.map(([id, value], index) => {
    const source = record(value);
    const state = text(source, 'state');
    const shown = state === 'open' ? paint.green(state) : paint.red(`${state} ${text(source, 'error')}`.trim());
    const open = `${count(number(source, 'channels'))} open, ${bytes(number(source, 'bytes_read'))} read`;
    return [index === 0 ? 'sources' : '', `${printable(id).padEnd(width)}  ${shown}  ${open}`];
  });
}

function layOut(rows: readonly (readonly [string, string])[], paint: Paint): string {
  return rows.map(([label, value]) => `${paint.bold(label.padEnd(LABEL_WIDTH))}${value}`).join('\n');
}

// --- values ----------------------------------------------------------------------------------------------------------

function record(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function part(of: Json, key: string): Json {
  return record(of[key]);
}

function number(of: Json, key: string): number {
  const value = of[key];
  return typeof value === 'number' ? value : 0;
}

function text(of: Json, key: string): string {
  const value = of[key];
  return typeof value === 'string' ? printable(value, 64) : '';
}

function reasons(by: Json): string {
  const shown = Object.keys(by).map((reason) => `${count(number(by, reason))} with ${printable(reason, 8)}`);
  return shown.length === 0 ? '' : ` (${shown.join(', ')})`;
}

function readings(waiting: number): string {
  return waiting === 1 ? '1 reading waits' : `${count(waiting)} readings wait`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let shown = value;
  let unit = 0;
  while (shown >= 1_024 && unit < units.length - 1) {
    shown /= 1_024;
    unit++;
  }
  return `${unit === 0 ? shown : shown.toFixed(1)} ${units[unit]}`;
}

export function duration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}
