/**
 * The environment over the file: `BYTES2MQTT_` and the path of the key in capitals, joined by `_`.
 *
 * ```
 *   mqtt.client_id                  BYTES2MQTT_MQTT_CLIENT_ID
 *   sources[0].tcp                  BYTES2MQTT_SOURCES_0_TCP
 *   devices.a1b2c3d4e5f60718.alias  BYTES2MQTT_DEVICES_A1B2C3D4E5F60718_ALIAS
 *   !secret broker                  BYTES2MQTT_SECRET_BROKER
 * ```
 *
 * An empty variable counts as not set, as `${NAME:-}` in a compose file makes it.
 */
import { printable, suggest } from '../../protocol/index.ts';
import { formatPath, KEYS } from './keys.ts';
import type { Key, Path } from './keys.ts';
import { SOURCE_KINDS } from './schema.ts';
import type { SourceKind } from './schema.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export const PREFIX = 'BYTES2MQTT_';
export const SECRET_PREFIX = `${PREFIX}SECRET_`;

export interface EnvironmentFinding {
  readonly variable: string;
  readonly path: Path;
  readonly message: string;
}

export interface Overlay {
  /** The file's value with the environment's on top; the file's own is not touched. */
  readonly value: unknown;
  /** The variable that a path comes from, by `formatPath`. */
  readonly variables: ReadonlyMap<string, string>;
  readonly problems: readonly EnvironmentFinding[];
  /** Variables with our prefix that name no key. */
  readonly unknown: readonly EnvironmentFinding[];
}

/** The variable of a key, with `<N>` for an index and `<ID>` for a device id. */
export function variableName(key: Key): string {
  const parts = key.path.map((part) =>
    part !== '*' ? part.toUpperCase() : key.path[0] === 'sources' ? '<N>' : '<ID>',
  );
  return PREFIX + parts.join('_');
}

/** Whether the environment can set it: lists and maps other than those of sources and devices cannot be. */
export function hasVariable(key: Key): boolean {
  const wild = key.path.filter((part) => part === '*').length;
  return wild === 0 || (wild === 1 && (key.path[0] === 'sources' || key.path[0] === 'devices'));
}

const PATTERNS = KEYS.filter(hasVariable).map((key) => {
  const source = variableName(key).replace('<N>', '(\\d{1,3})').replace('<ID>', '([0-9A-Fa-f]{16})');
  return { key, pattern: new RegExp(`^${source}$`) };
});

interface Setting {
  readonly variable: string;
  readonly path: Path;
  readonly value: unknown;
}

export function overlayEnvironment(fileValue: unknown, env: Environment): Overlay {
  const value: unknown = structuredCloneOfPlain(fileValue ?? {});
  const variables = new Map<string, string>();
  const problems: EnvironmentFinding[] = [];
  const unknown: EnvironmentFinding[] = [];
  const settings: Setting[] = [];

  // Sorted, so that sources grow from 0 up and messages come in the same order each time.
  for (const variable of Object.keys(env).toSorted(byNumberAndName)) {
    const written = env[variable];
    if (!variable.startsWith(PREFIX) || variable.startsWith(SECRET_PREFIX) || written === undefined || written === '') {
      continue;
    }
    const match = matchVariable(variable);
    if (match === undefined)
      unknown.push({ variable: printable(variable, 100), path: [], message: unknownMessage(variable) });
    else settings.push({ variable, path: match.path, value: convert(written, match.key) });
  }
  // A file that is no map is told as such; there is nothing to put on top of it.
  if (!isRecord(value)) return { value, variables, problems, unknown };

  clearOtherKinds(value, settings);
  for (const { variable, path, value: setting } of settings) {
    const message = set(value, path, setting);
    if (message === undefined) variables.set(formatPath(path), variable);
    else problems.push({ variable, path, message });
  }
  return { value, variables, problems, unknown };
}

function matchVariable(variable: string): { key: Key; path: Path } | undefined {
  for (const { key, pattern } of PATTERNS) {
    const match = pattern.exec(variable);
    if (match === null) continue;
    const wild = match[1] ?? '';
    const part = key.path[0] === 'sources' ? Number(wild) : wild.toLowerCase();
    return { key, path: key.path.map((name) => (name === '*' ? part : name)) };
  }
  return undefined;
}

/** Text that is not what the key wants stays text: the schema then says what would be right. */
function convert(written: string, key: Key): unknown {
  if (key.type === 'boolean') return written === 'true' ? true : written === 'false' ? false : written;
  if (key.type === 'string') return written;
  return /^-?\d+(\.\d+)?$/.test(written) ? Number(written) : written;
}

/** An entry of the file that the environment gives another kind is replaced: `serial` beside `tcp` would be an error. */
function clearOtherKinds(value: Record<string, unknown>, settings: readonly Setting[]): void {
  if (!Array.isArray(value['sources'])) return;
  for (const { path } of settings) {
    const [section, index, kind] = path;
    if (section !== 'sources' || typeof index !== 'number' || !SOURCE_KINDS.includes(kind as SourceKind)) continue;
    const entry: unknown = value['sources'][index];
    if (isRecord(entry) && !Object.hasOwn(entry, String(kind))) value['sources'][index] = {};
  }
}

/** Puts a value at a path; returns what is wrong when it cannot. */
function set(root: Record<string, unknown>, path: Path, value: unknown): string | undefined {
  const [section, part, name = '', inner] = path as [string, string | number, string?, string?];
  if (path.length === 2) return put(root, section, String(part), value);
  if (typeof part === 'number') {
    const list: unknown = root[section] ?? [];
    if (!Array.isArray(list)) return undefined;
    if (part > list.length) return `source ${part} is named and source ${list.length} is not: number them without gaps`;
    root[section] = list;
    const entry: unknown = (list[part] ??= {});
    if (!isRecord(entry)) return undefined;
    if (inner !== undefined) return put(entry, name, inner, value);
    entry[name] = value;
    return undefined;
  }
  const devices = (root[section] ??= {});
  if (!isRecord(devices)) return undefined;
  const id = Object.keys(devices).find((known) => known.toLowerCase() === part) ?? part;
  return put(devices, id, name, value);
}

function put(parent: Record<string, unknown>, section: string, name: string, value: unknown): undefined {
  const map = (parent[section] ??= {});
  if (isRecord(map)) map[name] = value;
}

function unknownMessage(variable: string): string {
  const names = KEYS.map((key) => variableName(key).replace('<N>', '0'));
  const near = suggest(variable, names);
  return `no key has this variable; it is ignored${near === undefined ? '' : `. Did you mean ${near}?`}`;
}

function byNumberAndName(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Maps and lists are copied, everything else (secret references among it) is kept. */
function structuredCloneOfPlain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(structuredCloneOfPlain);
  if (!isRecord(value) || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, structuredCloneOfPlain(item)]));
}
