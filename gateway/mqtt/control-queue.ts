/**
 * What the gateway says besides readings: state, info, availability, events, answers. Few messages, so MQTT.js sends
 * them. Retained ones are kept, the newest of each topic, and sent again after every connect, so that a broker that has
 * lost them has them again; the others are only for who listens now.
 */
import type { Qos } from './outbox.ts';

export interface ControlMessage {
  readonly topic: string;
  readonly payload: string;
  readonly qos: Qos;
  readonly retain: boolean;
  /** False: a retained message that is not sent again by itself after a connect. */
  readonly keep?: boolean | undefined;
  /** What the broker has said to it: 0 or a reason code. Not called when the connection is lost before. */
  readonly done?: ((reasonCode: number) => void) | undefined;
}

/** Hands a message to MQTT.js; `done` is called when it is acknowledged (QoS 1) or written (QoS 0), or not at all. */
export type TransmitControl = (message: ControlMessage, done: () => void) => void;

const MAX_RETAINED = 16_384;
const MAX_TRANSIENT = 1_000;

export class ControlQueue {
  /** Messages dropped because a limit was reached or, when not retained, there was no connection. */
  dropped = 0;
  readonly #now: () => number;
  readonly #retained = new Map<string, ControlMessage>();
  /** Topics of retained messages that the broker does not have yet. */
  #due = new Set<string>();
  #transient: ControlMessage[] = [];
  #transmit: TransmitControl | undefined;
  #window = 0;
  /** When each message in flight was sent; the oldest first. */
  #inFlight = new Set<{ readonly sentAt: number }>();

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  publish(message: ControlMessage): void {
    if (message.retain && message.keep !== false) {
      if (!this.#retained.has(message.topic) && this.#retained.size >= MAX_RETAINED) {
        this.dropped++;
        return;
      }
      this.#retained.set(message.topic, message);
      this.#due.add(message.topic);
    } else {
      if (this.#transmit === undefined || this.#transient.length >= MAX_TRANSIENT) {
        this.dropped++;
        return;
      }
      this.#transient.push(message);
    }
    this.#pump();
  }

  /** There is a connection: at most `window` messages are in flight on it. */
  start(transmit: TransmitControl, window: number): void {
    this.#transmit = transmit;
    this.#window = window;
    this.#inFlight = new Set();
    this.#due = new Set(this.#retained.keys());
    this.#pump();
  }

  stop(): void {
    this.#transmit = undefined;
    this.dropped += this.#transient.length;
    this.#transient = [];
  }

  /** Nothing waits and nothing is in flight. */
  get idle(): boolean {
    return this.#due.size === 0 && this.#transient.length === 0 && this.#inFlight.size === 0;
  }

  /** When the oldest message in flight was sent, or undefined. */
  get oldestSentAt(): number | undefined {
    const [oldest] = this.#inFlight;
    return oldest?.sentAt;
  }

  #pump(): void {
    while (this.#transmit !== undefined && this.#inFlight.size < this.#window) {
      const message = this.#transient.shift() ?? this.#nextRetained();
      if (message === undefined) return;
      const inFlight = this.#inFlight;
      const flight = { sentAt: this.#now() };
      inFlight.add(flight);
      this.#transmit(message, () => {
        // A late answer of an earlier connection is not counted here.
        if (inFlight.delete(flight) && inFlight === this.#inFlight) this.#pump();
      });
    }
  }

  #nextRetained(): ControlMessage | undefined {
    const [topic] = this.#due;
    if (topic === undefined) return undefined;
    this.#due.delete(topic);
    const message = this.#retained.get(topic);
    // An empty payload removes the retained message; nothing is left to be sent again.
    if (message?.payload === '') this.#retained.delete(topic);
    return message;
  }
}
