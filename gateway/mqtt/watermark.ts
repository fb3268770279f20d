/**
 * What the broker remembers of the journal: a retained message at the broker itself.
 *
 * ```
 *   <base>/bridge/watermark   {"journal":"9f3c…","lsn":4711,"beyond":[[5000,5200]],"ts":1767225600000}
 *                                              │         └ ranges accepted beyond it: live ones during a backlog
 *                                              └ everything up to here was accepted
 *   written   at most once a second, while it moves, after the broker has accepted what it says
 *   read      at each connect, before readings: subscribe, retained message, and an echo of our own behind it
 * ```
 *
 * A broker writes what it keeps now and then, in one piece. So when its watermark is there, all that it had accepted
 * before is there, too; when it comes back with an older one, what came after is gone and is sent again.
 */
import { performance } from 'node:perf_hooks';
import type { Journal } from '../journal/journal.ts';
import type { Connected, PublishOptions } from './connection.ts';
import type { AcceptedSet, LsnRange } from './lsn-ranges.ts';
import type { BrokerMemory } from './publisher.ts';

/** At most one in this time. */
const INTERVAL_MS = 1_000;
/** How often it is looked whether there is one to write: the first after a connect shall not wait for a whole interval. */
const LOOK_MS = 100;
/** How long the broker has to say what it has; a broker that may not let us read never does. */
const READ_MS = 2_000;
const MAX_RANGES = 64;

/** The part of MqttConnection that is needed. */
export interface WatermarkPlane {
  publish(topic: string, payload: string, options?: PublishOptions): void;
  subscribeOnce(filter: string, done: (allowed: boolean) => void): void;
  unsubscribe(filter: string): void;
  readonly connected: boolean;
}

export interface WatermarkOptions {
  readonly connection: WatermarkPlane;
  readonly topic: string;
  readonly journal: Journal;
  /** What was accepted by now. */
  readonly accepted: () => AcceptedSet;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly readMs?: number;
}

export interface WatermarkStats {
  /** What the broker has acknowledged last. */
  lsn: number | undefined;
  /** Watermarks written. */
  written: number;
  /** What the last connect has found. */
  found: 'same' | 'lower' | 'higher' | 'forgotten' | 'unknown' | undefined;
}

export class Watermark {
  readonly stats: WatermarkStats = { lsn: undefined, written: 0, found: undefined };
  readonly #options: WatermarkOptions;
  #timer: NodeJS.Timeout | undefined;
  #reading: ((payload: string) => void) | undefined;
  /** The last that was sent in this connection. */
  #sent: string | undefined;
  /** The broker keeps it and lets us read it. */
  #usable = true;
  #echoes = 0;
  /** Monotonic milliseconds. */
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(options: WatermarkOptions) {
    this.#options = options;
  }

  /** Asks the broker what it remembers. Resolves always; 'unknown' when the connection is lost meanwhile. */
  async read({ retainAvailable }: Connected): Promise<BrokerMemory> {
    this.#sent = undefined;
    this.#writtenAt = Number.NEGATIVE_INFINITY;
    this.#usable = retainAvailable;
    const memory = retainAvailable ? await this.#ask() : 'unknown';
    this.#usable = memory !== 'unknown';
    const { accepted } = this.#options.journal;
    if (typeof memory === 'string') this.stats.found = memory;
    else this.stats.found = memory.lsn === accepted ? 'same' : memory.lsn < accepted ? 'lower' : 'higher';
    return memory;
  }

  /** A message on our topic. */
  received(payload: Buffer): void {
    this.#reading?.(payload.toString('utf8'));
  }

  start(): void {
    this.#timer = setInterval(() => {
      if (performance.now() - this.#writtenAt >= INTERVAL_MS) this.write();
    }, LOOK_MS);
    this.#timer.unref();
  }

  /** Writes it when it has moved, however short ago the last was. */
  write(): void {
    const { connection, topic, journal, accepted, now } = this.#options;
    if (!connection.connected || this.#reading !== undefined) return;
    if (!this.#usable) {
      // Nothing will ever be compared with it.
      journal.setConfirmed(journal.accepted);
      return;
    }
    const { lsn, beyond } = accepted();
    const text = `"journal":"${journal.id}","lsn":${lsn},"beyond":${rangesText(beyond)}`;
    if (text === this.#sent) return;
    this.#sent = text;
    this.#writtenAt = performance.now();
    connection.publish(topic, `{${text},"ts":${now()}}`, {
      qos: 1,
      retain: true,
      keep: false,
      done: (reasonCode) => this.#written(lsn, reasonCode),
    });
  }

  close(): void {
    clearInterval(this.#timer);
    this.write();
  }

  // ---------------------------------------------------------------------------------------------------------------

  #written(lsn: number, reasonCode: number): void {
    if (reasonCode >= 0x80) {
      this.#usable = false;
      return;
    }
    this.stats.written++;
    this.stats.lsn = lsn;
    this.#options.journal.setConfirmed(lsn);
  }

  #ask(): Promise<BrokerMemory> {
    const { connection, topic, journal, readMs = READ_MS } = this.#options;
    const echo = `{"echo":"${journal.id}-${this.#echoes++}"}`;
    return new Promise((resolve) => {
      let found: BrokerMemory = 'forgotten';
      const reading = (payload: string): void => {
        // Answers come in the order of the questions: behind the echo there is nothing retained any more.
        if (payload === echo) done(found);
        else found = parseWatermark(payload, journal.id) ?? found;
      };
      const done = (memory: BrokerMemory): void => {
        clearTimeout(timer);
        // A later connection may be asking by now.
        if (this.#reading === reading) {
          this.#reading = undefined;
          connection.unsubscribe(topic);
        }
        resolve(memory);
      };
      const timer = setTimeout(() => done('unknown'), readMs);
      this.#reading = reading;
      connection.subscribeOnce(topic, (allowed) => {
        if (allowed) connection.publish(topic, echo);
        else done('unknown');
      });
    });
  }
}

function rangesText(ranges: readonly LsnRange[]): string {
  return JSON.stringify(ranges.map(({ from, to }) => [from, to]));
}

/** What a watermark of this journal says; undefined when it is of another one, or none at all. */
export function parseWatermark(payload: string, journalId: string): AcceptedSet | undefined {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { journal, lsn, beyond } = value as Record<string, unknown>;
  if (journal !== journalId || !isLsn(lsn)) return undefined;
  const ranges: LsnRange[] = [];
  let last = lsn;
  // What is wrong in the ranges only costs that some readings are sent twice.
  for (const pair of Array.isArray(beyond) ? (beyond as unknown[]).slice(0, MAX_RANGES) : []) {
    const [from, to] = Array.isArray(pair) ? (pair as unknown[]) : [];
    if (!isLsn(from) || !isLsn(to) || from <= last || to < from) break;
    ranges.push({ from, to });
    last = to;
  }
  return { lsn, beyond: ranges };
}

function isLsn(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
