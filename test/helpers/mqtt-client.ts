/** A subscriber for tests: collects what arrives, and waits for what should. */
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';

export interface Received {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
}

export interface TestClient {
  readonly client: MqttClient;
  readonly received: Received[];
  /** The first message, past or future, for which `matches` is true. */
  waitFor(matches: (message: Received) => boolean): Promise<Received>;
  /** Resolves when `count` messages that match have come. */
  waitForCount(count: number, matches?: (message: Received) => boolean): Promise<Received[]>;
  publish(topic: string, payload: string, options?: { qos?: 0 | 1; retain?: boolean }): Promise<void>;
  close(): Promise<void>;
}

/** Connects (MQTT 3.1.1 unless told otherwise) and subscribes with QoS 1. */
export async function connectClient(
  url: string,
  filters: readonly string[] = ['#'],
  options: IClientOptions = {},
): Promise<TestClient> {
  const client = await mqtt.connectAsync(url, { reconnectPeriod: 50, ...options });
  const received: Received[] = [];
  const waiting = new Set<() => void>();
  client.on('message', (topic, payload, packet) => {
    received.push({ topic, payload: payload.toString('utf8'), retain: packet.retain });
    for (const check of waiting) check();
  });
  if (filters.length > 0) await client.subscribeAsync([...filters], { qos: 1 });

  async function waitForCount(
    count: number,
    matches: (message: Received) => boolean = () => true,
  ): Promise<Received[]> {
    return await new Promise((resolve) => {
      const check = (): void => {
        const found = received.filter(matches);
        if (found.length < count) return;
        waiting.delete(check);
        resolve(found);
      };
      waiting.add(check);
      check();
    });
  }

  return {
    client,
    received,
    waitFor: async (matches) => (await waitForCount(1, matches))[0]!,
    waitForCount,
    publish: async (topic, payload, publishOptions = {}) => {
      await client.publishAsync(topic, payload, { qos: 1, ...publishOptions });
    },
    close: async () => {
      await client.endAsync(true);
    },
  };
}
