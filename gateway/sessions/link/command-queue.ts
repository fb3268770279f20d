/**
 * The commands on their way to one device: each is repeated until the device gives its RESULT or its time to live is
 * over. The device executes an id once, however often it comes.
 */
import type { Value } from '../../../protocol/index.ts';
import type { Timer, TimerQueue } from '../../timers.ts';

/** How a command ended; the first six are the device's own words, `busy` is ours. */
export type CommandStatus = 'done' | 'refused' | 'unknown_channel' | 'bad_value' | 'expired' | 'failed' | 'busy';

export type CommandDone = (status: CommandStatus, text: string) => void;

/** Sends the command once, if the device can be reached now; `too-large`: the device takes no frame of this size. */
export type TransmitCommand = (id: number, ttlS: number, value: Value) => 'sent' | 'unsent' | 'too-large';

const FIRST_REPEAT_MS = 1_000;
const MAX_REPEAT_MS = 8_000;

interface Pending {
  readonly id: number;
  readonly value: Value;
  readonly expiresAt: number;
  readonly done: CommandDone;
  repeatMs: number;
  timer: Timer;
}

export class CommandQueue {
  readonly #timers: TimerQueue;
  readonly #now: () => number;
  readonly #transmit: TransmitCommand;
  readonly #maxPending: number;
  readonly #onFull: () => void;
  readonly #pending = new Map<number, Pending>();
  #nextId: number;

  /**
   * `firstId`: ids count up from here; a random start keeps them apart from those of an earlier run. `onFull` is called
   * for each command that was refused because `maxPending` wait already.
   */
  constructor(
    timers: TimerQueue,
    now: () => number,
    firstId: number,
    transmit: TransmitCommand,
    maxPending: number,
    onFull: () => void,
  ) {
    this.#maxPending = maxPending;
    this.#onFull = onFull;
    this.#timers = timers;
    this.#now = now;
    this.#nextId = firstId >>> 0;
    this.#transmit = transmit;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Sends `value` and repeats it for `ttlS` seconds; `done` is called exactly once. */
  send(value: Value, ttlS: number, done: CommandDone): void {
    if (this.#pending.size >= this.#maxPending) {
      this.#onFull();
      done('busy', `${this.#maxPending} commands are already waiting for this device`);
      return;
    }
    const id = this.#nextId;
    this.#nextId = (id + 1) >>> 0;
    const now = this.#now();
    const pending: Pending = {
      id,
      value,
      expiresAt: now + ttlS * 1_000,
      done,
      repeatMs: FIRST_REPEAT_MS,
      timer: this.#timers.schedule(now + Math.min(FIRST_REPEAT_MS, ttlS * 1_000), () => this.#due(pending)),
    };
    this.#pending.set(id, pending);
    this.#transmitOne(pending, now);
  }

  /** A new session stands: everything that waits goes out again. */
  restart(): void {
    const now = this.#now();
    for (const pending of this.#pending.values()) {
      pending.repeatMs = FIRST_REPEAT_MS;
      if (this.#transmitOne(pending, now)) this.#rearm(pending, now);
    }
  }

  /** The device's RESULT. False when no command with this id waits (a repeated RESULT). */
  result(id: number, status: CommandStatus, text: string): boolean {
    const pending = this.#pending.get(id);
    if (pending === undefined) return false;
    this.#finish(pending, status, text);
    return true;
  }

  /** Gives up everything that waits. */
  close(text: string): void {
    for (const pending of this.#pending.values()) this.#finish(pending, 'expired', text);
  }

  #due(pending: Pending): void {
    const now = this.#now();
    if (now >= pending.expiresAt) {
      this.#finish(pending, 'expired', 'the device did not answer in time');
      return;
    }
    if (!this.#transmitOne(pending, now)) return;
    pending.repeatMs = Math.min(pending.repeatMs * 2, MAX_REPEAT_MS);
    this.#rearm(pending, now);
  }

  #rearm(pending: Pending, now: number): void {
    this.#timers.reschedule(pending.timer, Math.min(now + pending.repeatMs, pending.expiresAt));
  }

  /** False when it never can be: then it is finished. */
  #transmitOne(pending: Pending, now: number): boolean {
    const ttlS = Math.max(1, Math.ceil((pending.expiresAt - now) / 1_000));
    if (this.#transmit(pending.id, ttlS, pending.value) !== 'too-large') return true;
    this.#finish(pending, 'refused', 'the device takes no frame that is large enough for this value');
    return false;
  }

  #finish(pending: Pending, status: CommandStatus, text: string): void {
    this.#timers.cancel(pending.timer);
    this.#pending.delete(pending.id);
    pending.done(status, text);
  }
}
