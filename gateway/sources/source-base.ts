/**
 * What all sources share: their state, the failures that are tried again, and the channels that wait in `accept()`.
 *
 * ```
 *            open()                    it works
 *   closed ─────────→ opening ──────────────────────→ open
 *      ↑                 ↑ │ it fails                   │ it is lost
 *      │ close()   again │ └────────→ failed ←──────────┘
 *      └─ from any state └── retry ─────┘
 * ```
 *
 * The level of a source is READ while a channel waits, and never ERROR: a failure is `state` and `error`, and is
 * tried again, so it is nothing that a loop has to serve turn after turn.
 */
import type { GatewayError } from '../errors.ts';
import type { RateLimitedLog } from '../log.ts';
import type { Timer, TimerQueue } from '../timers.ts';
import { type Channel, READ, type Source, type SourceState } from './source.ts';

/** Time and chance, given from outside so that a test can use any. */
export interface SourceContext {
  /** Runs the retries and deadlines of sources and the linger deadline of closing channels. */
  readonly timers: TimerQueue;
  /**
   * Monotonic milliseconds, the clock of `timers`. Sources ask for it in the events of sockets, between two turns of
   * the loop, so it must be read anew at each call and not once a turn.
   */
  now(): number;
  /** 0 ≤ x < 1; jitter of retries. */
  random(): number;
  /** For what a source turns away by itself. */
  readonly log?: RateLimitedLog;
  /** 0: a peer of this address may begin a handshake that costs us something; else the seconds that it should wait. */
  readonly admitHandshake?: (address: string) => number;
  /** Bytes held per channel for a peer that reads slowly. Default 64 KiB. */
  readonly outputBytes?: number;
}

export abstract class SourceBase implements Source {
  readonly id: string;
  readonly transport: Source['transport'];
  onEdge: (() => void) | undefined;
  onState: (() => void) | undefined;
  protected readonly context: SourceContext;
  #state: SourceState = 'closed';
  #error: GatewayError | undefined;
  readonly #waiting: Channel[] = [];
  readonly #retry: Timer;
  #firstAttempt: (() => void) | undefined;

  constructor(id: string, transport: Source['transport'], context: SourceContext) {
    this.id = id;
    this.transport = transport;
    this.context = context;
    this.#retry = context.timers.schedule(Number.POSITIVE_INFINITY, () => this.#attempt());
    context.timers.cancel(this.#retry);
  }

  get state(): SourceState {
    return this.#state;
  }

  get error(): GatewayError | undefined {
    return this.#error;
  }

  get ready(): number {
    return this.#waiting.length > 0 ? READ : 0;
  }

  open(): Promise<void> {
    if (this.#state !== 'closed') return Promise.reject(new TypeError(`${this.id} is open already`));
    return new Promise((resolve) => {
      this.#firstAttempt = resolve;
      this.#attempt();
    });
  }

  accept(): Channel | undefined {
    return this.#waiting.shift();
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.context.timers.cancel(this.#retry);
    this.#change('closed', undefined);
    // Nobody will accept these.
    for (const channel of this.#waiting.splice(0)) channel.close();
    await this.stop();
  }

  /** Begins to open; ends in `opened` or `failed`, at once or later. */
  protected abstract start(): void;

  /** Lets go of what `start` has begun or opened. Channels that were accepted are not touched. */
  protected abstract stop(): Promise<void>;

  /** How many channels wait. */
  protected get waiting(): number {
    return this.#waiting.length;
  }

  /** Puts a channel where `accept()` finds it. */
  protected offer(channel: Channel): void {
    this.#waiting.push(channel);
    this.onEdge?.();
  }

  /** Takes back a channel that died before anybody accepted it. */
  protected withdraw(channel: Channel): void {
    const place = this.#waiting.indexOf(channel);
    if (place >= 0) this.#waiting.splice(place, 1);
  }

  protected opened(): void {
    this.#change('open', undefined);
  }

  /** It does not work, or no longer: told, and tried again in `retryMs`. Without an error it is just opened again. */
  protected failed(error: GatewayError | undefined, retryMs: number): void {
    if (this.#state === 'closed') return;
    this.context.timers.reschedule(this.#retry, this.context.now() + retryMs);
    this.#change(error === undefined ? 'opening' : 'failed', error);
  }

  #attempt(): void {
    // A failure stays visible until an attempt has ended otherwise, or every retry would look like a change.
    if (this.#state === 'closed') this.#change('opening', undefined);
    this.start();
  }

  #change(state: SourceState, error: GatewayError | undefined): void {
    const changed = state !== this.#state || error?.code !== this.#error?.code;
    this.#state = state;
    this.#error = error;
    const waiter = state === 'opening' ? undefined : this.#firstAttempt;
    if (waiter !== undefined) this.#firstAttempt = undefined;
    if (changed) this.onState?.();
    waiter?.();
  }
}
