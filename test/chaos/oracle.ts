/**
 * The judge of every row: what devices were promised against what a persistent subscriber got (pure).
 *
 * ```
 *   ack log     device boot seq ─────────→ acknowledged ─┐
 *                                                        ├─→ acknowledged ⊆ received, content, order, copies
 *   subscriber  <base>/<device>[/history] ─→ received ───┘
 * ```
 *
 * The sensors are seeded, so the content of every reading is known beforehand: a reading that arrives with another
 * value is found although nobody ever told the oracle what was sent.
 */

/** What a reading must say, by the names of its channels; a number as it stands in the JSON, within half of `step`. */
export type Expectation = ReadonlyMap<string, { readonly value: number; readonly step: number }>;

/** Knows what the fleet measures. */
export interface Expectations {
  /** Undefined when the device is none of the fleet. */
  reading(device: string, seq: number): Expectation | undefined;
}

/** What was found. All counts but the first four must be 0, `duplicates` too where nothing was killed. */
export interface Verdict {
  /** Different readings acknowledged, and different readings received. */
  acknowledged: number;
  received: number;
  /** Received more than once, with the same content. */
  duplicates: number;
  /** Received and never acknowledged: the ACK was lost or came after the end. */
  unacknowledged: number;
  /** Acknowledged and not received. */
  missing: number;
  /** Ids that no device of the fleet has given, or in a form that none has. */
  foreign: number;
  /** Copies of one id whose content differs. */
  changed: number;
  /** Content that is not what the device has measured. */
  corrupt: number;
  /** First receptions behind a later reading of the same device on the same topic. */
  disordered: number;
  /** The first few of what must not be, for people. */
  examples: string[];
}

/** The readings of one boot of one device, by seq. */
interface Stream {
  readonly device: string;
  readonly boot: string;
  readonly payloads: (string | undefined)[];
  readonly acknowledged: boolean[];
  readonly highest: { state: number; history: number };
}

const ID = /^([0-9a-f]{16})-(\d+)-(\d+)(-\d+)?$/;
const MAX_EXAMPLES = 8;

export class Oracle {
  readonly #expectations: Expectations | undefined;
  readonly #streams = new Map<string, Stream>();
  readonly #examples: string[] = [];
  #acknowledged = 0;
  #received = 0;
  #duplicates = 0;
  #outstanding = 0;
  #both = 0;
  #foreign = 0;
  #changed = 0;
  #corrupt = 0;
  #disordered = 0;

  constructor(expectations?: Expectations) {
    this.#expectations = expectations;
  }

  /** Readings acknowledged that have not been received yet. */
  get outstanding(): number {
    return this.#outstanding;
  }

  get acknowledgedCount(): number {
    return this.#acknowledged;
  }

  /** Different readings received. */
  get receivedCount(): number {
    return this.#received;
  }

  /** One line of the ack log. */
  acknowledged(device: string, boot: string, seq: number): void {
    const stream = this.#stream(device, boot);
    if (stream.acknowledged[seq] === true) return;
    stream.acknowledged[seq] = true;
    this.#acknowledged++;
    if (stream.payloads[seq] === undefined) this.#outstanding++;
    else this.#both++;
  }

  /** One message of the subscriber. Returns true when its reading came for the first time. */
  received(topic: string, payload: string): boolean {
    const json = parse(payload);
    const id = typeof json?.['id'] === 'string' ? ID.exec(json['id']) : null;
    const history = topic.endsWith('/history');
    const device = topic.split('/').at(history ? -2 : -1);
    if (json === undefined || id === null || id[1] !== device) {
      this.#foreign++;
      this.#example(`foreign: ${topic} ${payload}`);
      return false;
    }
    // An older sample of the same reading; the plain id follows when all of it was sent.
    if (id[4] !== undefined) return false;
    const stream = this.#stream(device as string, id[2] as string);
    const seq = Number(id[3]);
    const before = stream.payloads[seq];
    if (before !== undefined) {
      this.#duplicates++;
      if (before !== payload && !sameContent(parse(before), json)) {
        this.#changed++;
        this.#example(`changed: ${before} became ${payload}`);
      }
      return false;
    }
    stream.payloads[seq] = payload;
    this.#received++;
    if (stream.acknowledged[seq] === true) {
      this.#outstanding--;
      this.#both++;
    }
    this.#checkContent(device as string, seq, json, payload);
    const kind = history ? 'history' : 'state';
    if (seq < stream.highest[kind]) {
      this.#disordered++;
      this.#example(`out of order: ${kind} ${payload} after seq ${stream.highest[kind]}`);
    } else stream.highest[kind] = seq;
    return true;
  }

  /** What was received of each reading, in no order: for checks of a row's own. */
  *payloads(): Iterable<{ device: string; seq: number; payload: string }> {
    for (const { device, payloads } of this.#streams.values()) {
      for (const [seq, payload] of payloads.entries()) if (payload !== undefined) yield { device, seq, payload };
    }
  }

  verdict(): Verdict {
    const examples = [...this.#examples];
    for (const { device, boot, payloads, acknowledged } of this.#streams.values()) {
      for (const [seq, promised] of acknowledged.entries()) {
        if (examples.length >= MAX_EXAMPLES) break;
        if (promised && payloads[seq] === undefined) examples.push(`missing: ${device}-${boot}-${seq}`);
      }
    }
    return {
      acknowledged: this.#acknowledged,
      received: this.#received,
      duplicates: this.#duplicates,
      unacknowledged: this.#received - this.#both,
      missing: this.#outstanding,
      foreign: this.#foreign,
      changed: this.#changed,
      corrupt: this.#corrupt,
      disordered: this.#disordered,
      examples,
    };
  }

  #checkContent(device: string, seq: number, json: Readonly<Record<string, unknown>>, payload: string): void {
    if (this.#expectations === undefined) return;
    const expected = seq >= 1 ? this.#expectations.reading(device, seq) : undefined;
    if (expected === undefined) {
      this.#foreign++;
      this.#example(`foreign: ${payload}`);
      return;
    }
    for (const [name, { value, step }] of expected) {
      const got = json[name];
      if (typeof got === 'number' && Math.abs(got - value) < step / 2) continue;
      this.#corrupt++;
      this.#example(`corrupt: ${name} should be ${value} in ${payload}`);
      return;
    }
  }

  #stream(device: string, boot: string): Stream {
    const key = `${device}-${boot}`;
    let stream = this.#streams.get(key);
    if (stream === undefined) {
      stream = { device, boot, payloads: [], acknowledged: [], highest: { state: 0, history: 0 } };
      this.#streams.set(key, stream);
    }
    return stream;
  }

  #example(text: string): void {
    if (this.#examples.length < MAX_EXAMPLES) this.#examples.push(text);
  }
}

function parse(payload: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const json: unknown = JSON.parse(payload);
    return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The order of the keys is no content. */
function sameContent(a: Readonly<Record<string, unknown>> = {}, b: Readonly<Record<string, unknown>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
