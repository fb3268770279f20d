/**
 * The devices on one line, and the connections through which others reach it: one for a cable or a client, any number
 * for a server.
 *
 * ```
 *   device 1 ┐             ┌─ connection ─ faults ─ transport
 *   device 2 ┼─ the line ──┤
 *   device 3 ┘             └─ connection …                  all hear all requests; each answers those that are its own
 * ```
 */
import { FaultInjector, type FaultCounts, type FaultRates } from '../faults.ts';
import type { Random } from '../random.ts';
import { type Scheduler, type Task, task } from '../scheduler.ts';
import type { Transport } from '../transports/transport.ts';
import type { PlayedDevice, SaidFrame } from './played-device.ts';

export interface LineOptions {
  readonly devices: readonly PlayedDevice[];
  /** Frames a second that each device says by itself. */
  readonly ratePerS: number;
  readonly baud: number;
  readonly faults: FaultRates;
  readonly faultCounts: FaultCounts;
  readonly random: Random;
  readonly scheduler: Scheduler;
  /** Called for every frame that was sent, once for each connection it went to. */
  readonly onSaid: (frame: SaidFrame) => void;
  /** Called for every request that one of the devices answers. */
  readonly onRequest: (device: PlayedDevice, name: string) => void;
}

/** A silence this long ends a request where nothing else does, at least: timers and pseudo-terminals are no better. */
const MIN_GAP_MS = 10;
/** Bits of a character on the wire, start and stop and parity included. */
const BITS_A_CHARACTER = 11;

export class ProfileLine {
  readonly #options: LineOptions;
  readonly #connections = new Set<LineConnection>();
  readonly #streamTasks: Task[] = [];
  readonly #startMs: number;

  constructor(options: LineOptions) {
    this.#options = options;
    this.#startMs = options.scheduler.now();
  }

  /** Starts the devices that speak by themselves, spread over the first period. */
  start(): void {
    const { devices, ratePerS, scheduler } = this.#options;
    const periodMs = 1_000 / ratePerS;
    for (const [index, device] of devices.entries()) {
      if (device.streamed.length === 0) continue;
      let dueMs = this.#startMs + (periodMs * (index + 1)) / (devices.length + 1);
      const stream = task((nowMs) => {
        this.#stream(device, nowMs);
        // Planned times, so that a late timer does not slow the device down; but never a burst to catch up.
        dueMs = Math.max(dueMs + periodMs, nowMs);
        scheduler.at(stream, dueMs);
      });
      this.#streamTasks.push(stream);
      scheduler.at(stream, dueMs);
    }
  }

  /** Takes a transport that is not open yet, and opens it. */
  attach(transport: Transport, onClosed: (cause: Error | undefined) => void): void {
    const { faults, random, scheduler, faultCounts } = this.#options;
    const faulty = Object.values(faults).some((rate) => rate > 0)
      ? new FaultInjector(transport, faults, random.fork('faults'), scheduler, faultCounts)
      : transport;
    const connection = new LineConnection(faulty, this.#options, this.#startMs, () => {
      this.#connections.delete(connection);
    });
    connection.open(onClosed, () => this.#connections.add(connection));
  }

  /** Silence, and the end of all connections. */
  stop(): void {
    for (const stream of this.#streamTasks) this.#options.scheduler.cancel(stream);
    for (const connection of this.#connections) connection.close();
  }

  #stream(device: PlayedDevice, nowMs: number): void {
    // Without anybody who listens it measures all the same, but says nothing.
    if (this.#connections.size === 0) return;
    const frame = device.next(nowMs - this.#startMs);
    if (frame === undefined) return;
    for (const connection of this.#connections) connection.say(frame);
  }
}

class LineConnection {
  readonly #transport: Transport;
  readonly #options: LineOptions;
  readonly #startMs: number;
  readonly #onGone: () => void;
  readonly #listeners: readonly { device: PlayedDevice; decoder: ReturnType<PlayedDevice['requestDecoder']> }[];
  readonly #gapMs: number;
  readonly #gapTask: Task;

  constructor(transport: Transport, options: LineOptions, startMs: number, onGone: () => void) {
    this.#transport = transport;
    this.#options = options;
    this.#startMs = startMs;
    this.#onGone = onGone;
    this.#listeners = options.devices.map((device) => ({ device, decoder: device.requestDecoder() }));
    this.#gapMs = Math.max(MIN_GAP_MS, ...options.devices.map(({ profile }) => gapOf(profile.about, options.baud)));
    this.#gapTask = task(() => {
      for (const { decoder } of this.#listeners) decoder.expire();
      this.#answer();
    });
  }

  open(onClosed: (cause: Error | undefined) => void, onOpen: () => void): void {
    const { scheduler, devices } = this.#options;
    this.#transport.open({
      onOpen: () => {
        onOpen();
        for (const device of devices) {
          const login = device.login(scheduler.now() - this.#startMs);
          if (login !== undefined) this.say(login);
        }
      },
      onBytes: (bytes) => this.#received(bytes),
      onDrain: () => undefined,
      onLoss: () => undefined,
      onClosed: (cause) => {
        scheduler.cancel(this.#gapTask);
        this.#onGone();
        onClosed(cause);
      },
    });
  }

  /** Sends a frame; a line that takes no more loses it, as a device without a buffer does. */
  say(frame: SaidFrame): void {
    if (!this.#transport.ready) return;
    this.#transport.send(frame.bytes);
    this.#options.onSaid(frame);
  }

  close(): void {
    this.#transport.close();
  }

  #received(bytes: Uint8Array): void {
    // A decoder keeps what it is given: each gets its own.
    for (const { decoder } of this.#listeners) decoder.push(this.#listeners.length === 1 ? bytes : bytes.slice());
    if (this.#transport.datagram) for (const { decoder } of this.#listeners) decoder.expire();
    this.#answer();
    this.#options.scheduler.at(this.#gapTask, this.#options.scheduler.now() + this.#gapMs);
  }

  #answer(): void {
    const { scheduler, onRequest } = this.#options;
    for (const { device, decoder } of this.#listeners) {
      for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
        if (item.kind !== 'frame') continue;
        const answers = device.answers(item.bytes.slice(), scheduler.now() - this.#startMs);
        const [first] = answers;
        if (first !== undefined) onRequest(device, first.why);
        for (const frame of answers) this.say(frame);
      }
    }
  }
}

function gapOf({ gapMs, gapChars }: PlayedDevice['profile']['about'], baud: number): number {
  return gapMs ?? (gapChars === undefined ? 0 : (gapChars * BITS_A_CHARACTER * 1_000) / baud);
}
