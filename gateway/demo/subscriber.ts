/** The subscriber of the demo: an ordinary MQTT client that knows nothing of the gateway but its topics. */
import { connectAsync, type MqttClient } from 'mqtt';

/** What is known of a device: from the readings, and from the answer to bridge/request/devices. */
export interface SeenDevice {
  readonly alias: string;
  id: string;
  name: string;
  transport: string;
  /** Units by channel alias. */
  readonly units: Map<string, string>;
  /** A writable channel, if there is one. */
  writable: string | undefined;
  /** Readings received, each once. */
  received: number;
  /** Latest values as JSON texts, by channel alias. */
  values: ReadonlyMap<string, string>;
  /** Unix milliseconds of the latest reading. */
  at: number;
}

interface Answer {
  readonly data?: readonly {
    readonly id: string;
    readonly alias: string;
    readonly name?: string;
    readonly transport?: string;
    readonly channels: readonly { readonly alias: string; readonly unit: string; readonly writable: boolean }[];
  }[];
}

/** `<device>-<boot>-<seq>`; what has an index behind it is one of several samples of the same reading. */
const READING_ID = /^([0-9a-f]{16})-(\d+)-(\d+)$/;

export class Subscriber {
  readonly devices = new Map<string, SeenDevice>();
  /** Called for each reading that came for the first time. */
  onReading: ((device: SeenDevice) => void) | undefined;
  readonly #client: MqttClient;
  readonly #base: string;
  /** Highest seq of each boot of each device: readings come in order, and again only after a lost connection. */
  readonly #newest = new Map<string, number>();

  private constructor(client: MqttClient, base: string) {
    this.#client = client;
    this.#base = base;
  }

  static async connect(url: string, base: string): Promise<Subscriber> {
    const client = await connectAsync(url);
    const subscriber = new Subscriber(client, base);
    client.on('message', (topic, payload) => subscriber.#received(topic, payload.toString()));
    await client.subscribeAsync([`${base}/+`, `${base}/+/history`, `${base}/bridge/response/devices`], { qos: 1 });
    return subscriber;
  }

  /** Asks the gateway for names, units and transports; the answer comes when it comes. */
  askForNames(): void {
    this.#client.publish(`${this.#base}/bridge/request/devices`, '');
  }

  async close(): Promise<void> {
    await this.#client.endAsync();
  }

  #received(topic: string, payload: string): void {
    const [alias = '', last] = topic.slice(this.#base.length + 1).split('/');
    if (alias === 'bridge') this.#named(JSON.parse(payload) as Answer);
    else this.#reading(alias, last === 'history', JSON.parse(payload) as Record<string, unknown>);
  }

  #reading(alias: string, late: boolean, { ts, id, ...channels }: Record<string, unknown>): void {
    const [, deviceId = '', boot = '', seq = ''] = READING_ID.exec(String(id)) ?? [];
    if (deviceId === '') return;
    const device = this.#device(alias);
    device.id = deviceId;
    const key = `${deviceId}-${boot}`;
    if (Number(seq) <= (this.#newest.get(key) ?? 0)) return;
    this.#newest.set(key, Number(seq));
    device.received++;
    if (device.name === '') this.askForNames();
    if (!late) {
      device.values = new Map(Object.entries(channels).map(([name, value]) => [name, JSON.stringify(value)]));
      device.at = Number(ts);
    }
    this.onReading?.(device);
  }

  #named(answer: Answer): void {
    for (const { id, alias, name, transport, channels } of answer.data ?? []) {
      const device = this.#device(alias);
      device.id = id;
      device.name = name ?? '';
      device.transport = transport ?? '';
      device.writable = channels.find(({ writable }) => writable)?.alias;
      for (const channel of channels) device.units.set(channel.alias, channel.unit);
    }
  }

  #device(alias: string): SeenDevice {
    let device = this.devices.get(alias);
    if (device === undefined) {
      device = {
        alias,
        id: '',
        name: '',
        transport: '',
        units: new Map(),
        writable: undefined,
        received: 0,
        values: new Map(),
        at: 0,
      };
      this.devices.set(alias, device);
    }
    return device;
  }
}
