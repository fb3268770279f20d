/**
 * The topics of the gateway (pure). Everything below one base:
 *
 * ```
 *   <base>/bridge/state | info | health | event | log | watermark
 *   <base>/bridge/request/<name>  →  <base>/bridge/response/<name>
 *   <base>/<device>                         state, newest values only
 *   <base>/<device>/availability | history | event | log | link
 *   <base>/<device>/set, /set/<channel>  →  <base>/<device>/result
 * ```
 *
 * Names from the wire reach a topic or a JSON key only through `aliasOf`.
 */

const MAX_ALIAS = 32;
const ALIAS = /^[a-z0-9_]{1,32}$/;

/** Keys that the state JSON uses itself; `<channel>_quality` carries a quality that is not good. */
const QUALITY_SUFFIX = '_quality';

/** A device must not be called so: the level belongs to the gateway. */
export const RESERVED_DEVICE_ALIAS = 'bridge';

/** Whether `text` may stand as the device's level of a topic. */
export function isDeviceAlias(text: string): boolean {
  return ALIAS.test(text) && text !== RESERVED_DEVICE_ALIAS;
}

/**
 * A name `[a-z0-9_]{1,32}` that is not in `taken` and collides with no key of the state JSON (`ts`, `id`,
 * `…_quality`). What is not a letter or digit becomes one underscore; accents are dropped. When the name is taken or
 * reserved, `fallback` is appended (`temperature_ch3`), after that a number.
 * @param fallback unique by itself, `[a-z0-9_]+`, at most 20 characters, e.g. `ch3`; used alone when nothing of `text` is left
 */
export function aliasOf(text: string, taken: ReadonlySet<string>, fallback: string): string {
  const plain = slug(text);
  const candidate = plain === '' ? fallback : plain;
  if (isFree(candidate, taken)) return candidate;
  const withFallback = append(candidate, fallback);
  if (isFree(withFallback, taken)) return withFallback;
  for (let number = 2; ; number++) {
    const numbered = append(withFallback, String(number));
    if (isFree(numbered, taken)) return numbered;
  }
}

function isFree(alias: string, taken: ReadonlySet<string>): boolean {
  return !taken.has(alias) && alias !== 'ts' && alias !== 'id' && !alias.endsWith(QUALITY_SUFFIX);
}

/** One pass over at most 256 characters: no expression that could backtrack on text from a peer. */
function slug(text: string): string {
  let out = '';
  for (const character of text.slice(0, 256).normalize('NFKD').toLowerCase()) {
    const isWord = (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9');
    if (isWord) out += character;
    else if (!isMark(character) && out !== '' && !out.endsWith('_')) out += '_';
    if (out.length >= MAX_ALIAS) break;
  }
  return out.endsWith('_') ? out.slice(0, -1) : out;
}

/** Combining accents, split off by NFKD: `é` is an `e` and one of these. */
function isMark(character: string): boolean {
  return character >= '\u0300' && character <= '\u036f';
}

function append(alias: string, suffix: string): string {
  return `${alias.slice(0, MAX_ALIAS - suffix.length - 1)}_${suffix}`;
}

// ---------------------------------------------------------------------------------------------------------------

/** MQTT allows 65,535 bytes; every topic of ours stays far below with this. */
const MAX_BASE_LENGTH = 128;

/** Why `base` cannot be used, or undefined when it can. */
export function baseProblem(base: string): string | undefined {
  if (base === '') return 'must not be empty';
  if (base.length > MAX_BASE_LENGTH) return `must have at most ${MAX_BASE_LENGTH} characters`;
  if (base.startsWith('$')) return 'must not start with $: such topics belong to the broker';
  if (/[+#]/.test(base)) return 'must not contain + or #: they are wildcards';
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(base)) return 'must not contain control characters';
  if (/\p{Surrogate}/u.test(base)) return 'must be valid Unicode';
  if (base.startsWith('/') || base.endsWith('/') || base.includes('//')) {
    return 'must not have empty levels: no / at either end, no //';
  }
  return undefined;
}

export type IncomingTopic =
  /** JSON object of channel aliases to values. */
  | { readonly kind: 'set'; readonly device: string }
  /** One plain value. */
  | { readonly kind: 'set-channel'; readonly device: string; readonly channel: string }
  | { readonly kind: 'request'; readonly name: string }
  | { readonly kind: 'watermark' }
  | { readonly kind: 'availability'; readonly device: string };

/** All topic names under one base. */
export class Topics {
  readonly base: string;
  readonly bridgeState: string;
  readonly bridgeInfo: string;
  readonly bridgeHealth: string;
  readonly bridgeEvent: string;
  readonly bridgeLog: string;
  readonly bridgeWatermark: string;
  /** What the gateway listens to. */
  readonly subscriptions: readonly string[];
  /** Retained availability of all devices, read once after connecting. */
  readonly allAvailability: string;
  readonly #prefix: string;

  /** @throws RangeError when `baseProblem(base)` has something to say */
  constructor(base: string) {
    const problem = baseProblem(base);
    if (problem !== undefined) throw new RangeError(`base topic ${problem}`);
    this.base = base;
    this.#prefix = `${base}/`;
    this.bridgeState = `${base}/bridge/state`;
    this.bridgeInfo = `${base}/bridge/info`;
    this.bridgeHealth = `${base}/bridge/health`;
    this.bridgeEvent = `${base}/bridge/event`;
    this.bridgeLog = `${base}/bridge/log`;
    this.bridgeWatermark = `${base}/bridge/watermark`;
    this.subscriptions = [`${base}/+/set`, `${base}/+/set/+`, `${base}/bridge/request/+`];
    this.allAvailability = `${base}/+/availability`;
  }

  response(name: string): string {
    return `${this.base}/bridge/response/${name}`;
  }

  state(device: string): string {
    return `${this.base}/${device}`;
  }

  history(device: string): string {
    return `${this.base}/${device}/history`;
  }

  availability(device: string): string {
    return `${this.base}/${device}/availability`;
  }

  event(device: string): string {
    return `${this.base}/${device}/event`;
  }

  log(device: string): string {
    return `${this.base}/${device}/log`;
  }

  /** How good the line to it is. */
  link(device: string): string {
    return `${this.base}/${device}/link`;
  }

  /** Where a value for one channel is written to. */
  setChannel(device: string, channel: string): string {
    return `${this.base}/${device}/set/${channel}`;
  }

  result(device: string): string {
    return `${this.base}/${device}/result`;
  }

  /** What an incoming topic means, or undefined when it is none of ours. Every part that comes back is an alias. */
  parse(topic: string): IncomingTopic | undefined {
    if (!topic.startsWith(this.#prefix)) return undefined;
    const [device, verb, last, ...rest] = topic.slice(this.#prefix.length).split('/', 4);
    if (device === undefined || verb === undefined || rest.length > 0) return undefined;
    if (device === RESERVED_DEVICE_ALIAS) {
      if (verb === 'watermark' && last === undefined) return { kind: 'watermark' };
      return verb === 'request' && last !== undefined && ALIAS.test(last) ? { kind: 'request', name: last } : undefined;
    }
    if (!ALIAS.test(device)) return undefined;
    if (verb === 'availability' && last === undefined) return { kind: 'availability', device };
    if (verb !== 'set') return undefined;
    if (last === undefined) return { kind: 'set', device };
    return ALIAS.test(last) ? { kind: 'set-channel', device, channel: last } : undefined;
  }
}
