/** What must hold after every case, whatever it was about; and how the counters are compared. */
import type { Counted } from './case.ts';
import type { World } from './world.ts';

/** By how much the memory may have grown since the family began, garbage that nobody has collected yet included. */
const MAX_GROWTH_BYTES = 64 * 1_048_576;

/** Counters that are reasons: what grows here and was not expected is a case counted under a wrong one. */
const REASONS = /^(link\.\w+\.(rejected|skipped_bytes)\.|limits\.|sources\.\w+\.refusals\.)/;
/** Harmless, and from any line. */
const HARMLESS = /\.skipped_bytes\.fill$/;

export type Growth = ReadonlyMap<string, number>;

export function growth(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): Growth {
  const grown = new Map<string, number>();
  for (const [path, value] of after) {
    const by = value - (before.get(path) ?? 0);
    if (by !== 0) grown.set(path, by);
  }
  return grown;
}

/** The expected counters that have not grown as they should. */
export function missing(counted: Counted, grown: Growth): string[] {
  return Object.entries(counted)
    .filter(([path, by]) => (by === 'some' ? (grown.get(path) ?? 0) <= 0 : (grown.get(path) ?? 0) !== by))
    .map(([path, by]) => `${path} by ${by}, and it grew by ${grown.get(path) ?? 0}`);
}

/** Reasons that have grown and are not the case's. */
export function unexpected(counted: Counted, also: readonly string[], grown: Growth): string[] {
  return [...grown]
    .filter(([path]) => REASONS.test(path) && !HARMLESS.test(path) && counted[path] === undefined)
    .filter(([path]) => !also.some((start) => path.startsWith(start)))
    .map(([path, by]) => `${path} by ${by}`);
}

/** What of the growth is worth a cell of the table. */
export function shown(counted: Counted, grown: Growth): string {
  return [...grown]
    .filter(([path]) => counted[path] !== undefined || (REASONS.test(path) && !HARMLESS.test(path)))
    .map(([path, by]) => `${path.replace('.rejected.', '.').replace('.skipped_bytes.', '.')} +${by}`)
    .join(', ');
}

/** How far a world has been looked at. */
export interface Watermark {
  log: number;
  seen: number;
  /** When the family began. */
  readonly rssBytes: number;
  /** The most by which it has grown since. */
  grownBytes: number;
}

export function watermark(world: World): Watermark {
  return { log: 0, seen: 0, rssBytes: world.gateway.rssBytes, grownBytes: 0 };
}

/** Where the observer itself writes: what comes back from there is no word of the gateway. */
const OWN_TOPICS = /^abuse\/(bridge\/request\/|bridge\/watermark$|[^/]*\/set(\/|$))/;
const TOPIC = /^(abuse(\/[a-z0-9_]+)+|homeassistant\/device\/bytes2mqtt_[a-z0-9_]+\/config)$/;
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;
const strict = new TextDecoder('utf-8', { fatal: true });

/** Looks at what was logged and published since the last time. Throws at the first thing that must not be. */
export function inspect(world: World, mark: Watermark): void {
  const { gateway, observer } = world;
  if (gateway.ended !== undefined) throw new Error(`${gateway.ended}:\n${gateway.log.slice(-2_000)}`);
  const text = gateway.log.slice(mark.log);
  mark.log += text.length;
  const unsafe = CONTROLS.exec(text);
  if (unsafe !== null) throw new Error(`the log has a raw ${code(unsafe[0])}: ${around(text, unsafe.index)}`);
  if (/unhandled|uncaught|a bug in the gateway/i.test(text)) throw new Error(`the log says: ${text.slice(0, 500)}`);

  while (mark.seen < observer.seen.length) {
    const { topic, payload } = observer.seen[mark.seen++]!;
    // What we have sent ourselves comes back to us, too.
    if (OWN_TOPICS.test(topic)) continue;
    if (!TOPIC.test(topic)) throw new Error(`a message on ${JSON.stringify(topic)}`);
    let json: string;
    try {
      json = strict.decode(payload);
    } catch {
      throw new Error(`a payload on ${topic} is not UTF-8`);
    }
    // Escaped, as JSON wants it, or a terminal that shows it would obey. (U+2028 and the like are JSON's to keep.)
    // oxlint-disable-next-line no-control-regex
    const control = /[\u0000-\u001f]/.exec(json);
    if (control !== null) throw new Error(`a payload on ${topic} has a raw ${code(control[0])}`);
    if (json.startsWith('{')) JSON.parse(json);
  }

  const grown = gateway.rssBytes - mark.rssBytes;
  mark.grownBytes = Math.max(mark.grownBytes, grown);
  if (grown > MAX_GROWTH_BYTES) throw new Error(`memory has grown by ${Math.round(grown / 1_048_576)} MiB`);
}

function code(character: string): string {
  return `U+${character.codePointAt(0)!.toString(16).padStart(4, '0')}`;
}

function around(text: string, at: number): string {
  return JSON.stringify(text.slice(Math.max(0, at - 60), at + 60));
}
