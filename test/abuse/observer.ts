/** An MQTT client beside the gateway: sees every message, asks for bridge/health, and sends what a hostile one would. */
import mqtt, { type MqttClient } from 'mqtt';
import { until } from './wait.ts';

export interface Seen {
  readonly topic: string;
  readonly payload: Buffer;
}

const ANSWER_MS = 5_000;
const ATTEMPTS = 8;
const ATTEMPT_MS = 1_000;
/** Messages handed over at once. */
const BURST = 200;

export class Observer {
  /** All that has come, in order. */
  readonly seen: Seen[] = [];
  readonly #client: MqttClient;
  readonly #base: string;
  #transaction = 0;

  private constructor(client: MqttClient, base: string) {
    this.#client = client;
    this.#base = base;
    client.on('message', (topic, payload) => void this.seen.push({ topic, payload }));
  }

  static async connect(url: string, base: string): Promise<Observer> {
    const client = await mqtt.connectAsync(url, { reconnectPeriod: 50 });
    const observer = new Observer(client, base);
    await client.subscribeAsync('#', { qos: 1 });
    return observer;
  }

  /** The first message from place `from` on that `wanted` takes. */
  async message(wanted: (seen: Seen) => boolean, from = 0, limitMs = ANSWER_MS): Promise<Seen | undefined> {
    let found: Seen | undefined;
    let next = from;
    await until(() => {
      for (; found === undefined && next < this.seen.length; next++) {
        const seen = this.seen[next];
        if (seen !== undefined && wanted(seen)) found = seen;
      }
      return found !== undefined;
    }, limitMs);
    return found;
  }

  /** The state of a device published from place `from` on whose text `wanted` takes, parsed. */
  async state(
    alias: string,
    wanted: (json: string) => boolean,
    from: number,
    limitMs = ANSWER_MS,
  ): Promise<Record<string, unknown> | undefined> {
    const topics = [`${this.#base}/${alias}`, `${this.#base}/${alias}/history`];
    const isWanted = ({ topic, payload }: Seen): boolean => topics.includes(topic) && wanted(payload.toString());
    const seen = await this.message(isWanted, from, limitMs);
    return seen === undefined ? undefined : (JSON.parse(seen.payload.toString()) as Record<string, unknown>);
  }

  /** `data` of the gateway's answer to a request; undefined when there is none. */
  async request(name: string, data: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const transaction = `t${++this.#transaction}`;
    const mark = `"transaction":"${transaction}"`;
    const topic = `${this.#base}/bridge/response/${name}`;
    const from = this.seen.length;
    // The gateway may have lost its broker a moment ago, and nobody keeps a question for it.
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await this.publish(`bridge/request/${name}`, JSON.stringify({ ...data, transaction }));
      const isAnswer = (seen: Seen): boolean => seen.topic === topic && seen.payload.includes(mark);
      const answer = await this.message(isAnswer, from, ATTEMPT_MS);
      if (answer !== undefined) return (JSON.parse(answer.payload.toString()) as { data?: unknown }).data;
    }
    return undefined;
  }

  /** The numbers of bridge/health by their paths, e.g. `link.tcp.rejected.bad-crc`. */
  async health(): Promise<Map<string, number>> {
    const health = await this.request('health');
    if (health === undefined) throw new Error('bridge/health does not answer');
    const numbers = new Map<string, number>();
    flatten('', health, numbers);
    return numbers;
  }

  /** Below the base topic. */
  async publish(
    topic: string,
    payload: string | Buffer,
    options: { qos?: 0 | 1; retain?: boolean } = {},
  ): Promise<void> {
    await this.#client.publishAsync(`${this.#base}/${topic}`, payload, { qos: 1, ...options });
  }

  /** The same message `count` times, as fast as the broker takes it. */
  async flood(topic: string, payload: string, count: number): Promise<void> {
    for (let sent = 0; sent < count; sent += BURST) {
      const burst = Array.from({ length: Math.min(BURST, count - sent) }, () =>
        this.publish(topic, payload, { qos: 0 }),
      );
      await Promise.all(burst);
    }
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true);
  }
}

function flatten(path: string, value: unknown, into: Map<string, number>): void {
  if (typeof value === 'number') into.set(path, value);
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) flatten(path === '' ? name : `${path}.${name}`, inner, into);
}
