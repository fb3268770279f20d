/**
 * Everything MQTT of the gateway, put together:
 *
 * ```
 *   journal ─→ Publisher ─→ outbox ┐
 *                  └─→ DeadLetters │
 *              Watermark ←───────→ │
 *  Bridge, LinkReports ─────────→  ├─ MqttConnection ─→ broker
 *              Discovery ←──────→  │
 *   device ←── Commands ←────────  │
 *              Requests ←────────→ ┘
 * ```
 */
import type { Device } from '../devices/device.ts';
import type { Journal } from '../journal/journal.ts';
import type { LimitWatch } from '../limits/limit-watch.ts';
import { type Log, rateLimited } from '../log.ts';
import type { Value } from '../../protocol/index.ts';
import type { DiscoveryConfig } from '../config/schema.ts';
import type { DeviceProfile } from '../discovery/discovery-message.ts';
import { DiscoveryPublisher } from '../discovery/discovery-publisher.ts';
import { Bridge } from './bridge.ts';
import { type CommandLimits, Commands } from './commands.ts';
import { type BrokerOddity, MqttConnection, type MqttConnectionOptions } from './connection.ts';
import type { DeadLetters } from './dead-letters.ts';
import { type LineFigures, LinkReports } from './link-reports.ts';
import type { Qos } from './outbox.ts';
import { Publisher, type Refusal } from './publisher.ts';
import { type GatewayView, Requests, standardRequests } from './requests.ts';
import { Topics } from './topics.ts';
import { Watermark } from './watermark.ts';

export interface MqttServiceOptions {
  /** The last will is added here. */
  readonly connection: Omit<MqttConnectionOptions, 'will'>;
  /** Base topic; see `baseProblem`. */
  readonly base: string;
  readonly qos: Qos;
  readonly retainState?: (device: Device) => boolean;
  readonly journal: Journal;
  /** Messages of the backlog a second. */
  readonly replayRate?: number;
  /** Where refused readings are kept; without it they are given up. */
  readonly deadLetters?: DeadLetters;
  readonly log: Log;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Monotonic milliseconds. */
  readonly monotonicNow: () => number;
  readonly devices: () => Iterable<Device>;
  readonly deviceByAlias: (alias: string) => Device | undefined;
  /** Sends a COMMAND; `done` is called once. */
  readonly sendCommand: (device: Device, value: Value, done: (status: string, text: string) => void) => void;
  readonly view: GatewayView;
  /** How good the line to a device is. */
  readonly figures: (device: Device) => LineFigures;
  /** What is known of a device that has a profile. */
  readonly profileOf: (device: Device) => DeviceProfile | undefined;
  /** Undefined: devices are not announced to Home Assistant. */
  readonly discovery: DiscoveryConfig | undefined;
  readonly version: string;
  readonly limits: CommandLimits & { readonly requestsPerS: number; readonly logsPerS: number };
  readonly watch: LimitWatch;
}

export interface MqttService {
  readonly connection: MqttConnection;
  readonly publisher: Publisher;
  readonly watermark: Watermark;
  readonly bridge: Bridge;
  readonly commands: Commands;
  readonly requests: Requests;
  readonly topics: Topics;
  /** Undefined when it is turned off. */
  readonly discovery: DiscoveryPublisher | undefined;
  /** The device has another alias; `isFree`: nobody is called now as it was `before`. */
  deviceRenamed(device: Device, before: string, isFree: boolean): void;
  /** Begins to connect, once the journal is open; what is published before is sent when the broker is there. */
  start(): void;
  /** Says offline for the devices and the bridge, and closes. */
  close(): Promise<void>;
}

/** `journal.onDurable` is left to the caller, who acknowledges to the devices and then calls `publisher.pump()`. */
export function createMqttService(options: MqttServiceOptions): MqttService {
  const { journal, log, now, view, deadLetters, limits, watch } = options;
  const topics = new Topics(options.base);
  const limited = rateLimited(log, options.monotonicNow);
  const connection = new MqttConnection({
    ...options.connection,
    will: { topic: topics.bridgeState, payload: 'offline' },
  });
  const publisher = new Publisher({
    journal,
    outbox: connection.outbox,
    topics,
    qos: options.qos,
    now: options.monotonicNow,
    ...(options.replayRate !== undefined && { replayRate: options.replayRate }),
    ...(options.retainState !== undefined && { retainState: options.retainState }),
    bury,
  });
  const watermark = new Watermark({
    connection,
    topic: topics.bridgeWatermark,
    journal,
    accepted: () => publisher.accepted,
    now,
  });
  const bridge = new Bridge({
    connection,
    topics,
    devices: options.devices,
    info: view.info,
    health: view.health,
    now,
    logsPerS: () => limits.logsPerS,
    watch,
  });
  const { devices, figures, monotonicNow } = options;
  const linkReports = new LinkReports({ connection, topics, devices, figures, now, monotonicNow });
  const { deviceByAlias, sendCommand: send } = options;
  const shared = { connection, topics, watch, now: options.monotonicNow };
  const commands = new Commands({ ...shared, deviceByAlias, send, limits, log: limited });
  const handlers = standardRequests(view, now);
  const requests = new Requests({ ...shared, handlers, log, requestsPerS: () => limits.requestsPerS });

  async function bury({ record, reasonCode, messages }: Refusal): Promise<void> {
    const { device, boot, seq, receivedAt } = record;
    const reason = hexCode(reasonCode);
    const fields = { device: device.alias, boot, seq, reason };
    if (deadLetters !== undefined) {
      const letter = { id: `${device.id}-${boot}-${seq}`, device: device.alias, receivedAt, refusedAt: now(), reason };
      try {
        await deadLetters.add({ ...letter, messages });
      } catch (error) {
        limited.error('dead-letter', { ...fields, err: error }, 'a dead letter could not be written; tried again');
        throw error;
      }
    }
    bridge.event('publish_refused', fields);
    const fate = deadLetters === undefined ? 'they are given up' : 'see them with: bytes2mqtt deadletter list';
    limited.warn(
      `PUBLISH_REFUSED ${device.id}`,
      { code: 'PUBLISH_REFUSED', ...fields },
      `the broker has refused readings of ${device.alias} with reason ${reason}; ${fate}`,
    );
  }

  const discovery =
    options.discovery &&
    new DiscoveryPublisher({
      ...options.discovery,
      connection,
      topics,
      version: options.version,
      devices: options.devices,
      profileOf: options.profileOf,
      // Without a journal on disk there are no dead letters either.
      remembers: deadLetters !== undefined,
      restate,
    });

  /** Says once more how a device is, and what it said last. */
  function restate(device: Device): void {
    bridge.availabilityChanged(device);
    const latest = publisher.latestState(device);
    if (latest !== undefined) connection.publish(topics.state(device.alias), latest);
  }

  function received(topic: string, payload: Buffer, retain: boolean): void {
    if (discovery?.received(topic, payload, retain) === true) return;
    const incoming = topics.parse(topic);
    switch (incoming?.kind) {
      case 'set':
        commands.set(incoming.device, payload, retain);
        break;
      case 'set-channel':
        commands.setChannel(incoming.device, incoming.channel, payload, retain);
        break;
      case 'request':
        requests.request(incoming.name, payload, retain);
        break;
      case 'availability':
        bridge.availabilityFound(incoming.device, payload.toString('utf8'), retain);
        break;
      case 'watermark':
        watermark.received(payload);
        break;
      case undefined:
        break;
    }
  }

  connection.onMessage = received;
  connection.onConnected = ({ version }) => {
    log.info({ broker: connection.where, version }, 'connected to the broker');
    bridge.connected();
    discovery?.connected();
  };
  connection.prepare = async (connected) => {
    const attempt = connection.stats.connects;
    const memory = await watermark.read(connected);
    // Another connection may stand by now, which has asked for itself.
    if (!connection.connected || connection.stats.connects !== attempt) return;
    const before = publisher.stats.replayed;
    publisher.begin(memory);
    const replayed = publisher.stats.replayed - before;
    if (replayed > 0)
      log.info({ replayed }, 'the broker may have lost readings that it had accepted: it gets them again');
  };
  connection.onDisconnected = (error) => {
    discovery?.disconnected();
    limited.warn(
      error.code,
      { code: error.code, broker: connection.where },
      `no connection to the broker; readings wait in the journal (${error.message})`,
    );
  };
  connection.onRefused = (topic, reasonCode) => {
    limited.warn('MQTT_REFUSED control', { topic, reason: hexCode(reasonCode) }, 'the broker has refused a topic');
  };
  connection.onOddity = (what) => limited.warn(`mqtt ${what}`, { broker: connection.where }, ODDITIES[what]);
  for (const filter of topics.subscriptions) connection.subscribe(filter);

  return {
    connection,
    publisher,
    watermark,
    bridge,
    commands,
    requests,
    topics,
    discovery,
    deviceRenamed: (device, before, isFree) => {
      publisher.renamed(device);
      bridge.deviceRenamed(device, before, isFree);
      discovery?.deviceRenamed(device);
    },
    start: () => {
      publisher.open();
      bridge.start();
      linkReports.start();
      watermark.start();
      connection.start();
    },
    close: async () => {
      discovery?.close();
      linkReports.close();
      bridge.close();
      publisher.pump();
      watermark.close();
      await connection.close();
      publisher.close();
      await deadLetters?.close();
      limited.flush(true);
    },
  };
}

const ODDITIES: Readonly<Record<BrokerOddity, string>> = {
  oversize: 'a message of more than 64 KiB from the broker was dropped: no command is so long',
  'unknown-puback': 'the broker has acknowledged something that was not on its way, or twice; it was ignored',
};

function hexCode(reasonCode: number): string {
  return `0x${reasonCode.toString(16)}`;
}
