/**
 * Whoever wants every reading: a subscriber with a persistent session and QoS 1, which writes each message to a file
 * before it acknowledges it, and comes back whenever the broker does.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import mqtt, { type MqttClient } from 'mqtt';

export interface SubscriberOptions {
  readonly url: string;
  readonly base: string;
  /** Gets a line `topic payload` for each message. */
  readonly file: string;
  readonly onMessage: (topic: string, payload: string) => void;
}

export class Subscriber {
  readonly #client: MqttClient;
  readonly #file: number;
  #lastAt = performance.now();

  private constructor(client: MqttClient, file: number) {
    this.#client = client;
    this.#file = file;
  }

  /** Resolves when the subscriptions stand. */
  static async open(options: SubscriberOptions): Promise<Subscriber> {
    const { url, base, file, onMessage } = options;
    const client = mqtt.connect(url, {
      clientId: 'chaos-subscriber',
      protocolVersion: 4,
      clean: false,
      reconnectPeriod: 100,
      connectTimeout: 5_000,
      keepalive: 10,
    });
    const subscriber = new Subscriber(client, openSync(file, 'a'));
    // PUBACK goes out when the callback is called: after the write.
    client.handleMessage = ({ topic, payload }, done) => {
      const text = payload.toString();
      writeSync(subscriber.#file, `${topic} ${text}\n`);
      subscriber.#lastAt = performance.now();
      onMessage(topic, text);
      done();
    };
    // The broker may be away; the client comes back by itself.
    client.on('error', () => undefined);
    await new Promise<void>((resolve) => client.once('connect', () => resolve()));
    await client.subscribeAsync([`${base}/+`, `${base}/+/history`], { qos: 1 });
    return subscriber;
  }

  /** It goes without a word, and its broker has to keep what comes for it. */
  leave(): void {
    this.#client.end(true);
  }

  /** It comes back to its session, as soon as there is a broker. */
  comeBack(): void {
    this.#client.reconnect();
  }

  /** Milliseconds since the last message. */
  get quietMs(): number {
    return performance.now() - this.#lastAt;
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true);
    closeSync(this.#file);
  }
}
