/**
 * The connection to the broker: MQTT.js for connecting, keepalive, subscriptions and control messages; the batch outbox
 * for readings, on the same socket.
 *
 * ```
 *   start ─→ connecting ─ CONNACK 0 ─→ connected ─ lost ─→ waiting (1–30 s, doubling, with jitter) ─→ connecting …
 *               └ CONNACK 0x84 or 0x01 in MQTT 5: at once again in 3.1.1
 * ```
 *
 * Every attempt has a client of its own with a clean session: what must not be lost is in the journal, what is retained
 * in the control queue, and MQTT.js' own queues never hold anything over from an earlier connection.
 */
import { performance } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import { type IClientOptions, type IConnackPacket, MqttClient } from 'mqtt';
import { GatewayError } from '../errors.ts';
import { BatchOutbox, type BrokerLimits, MAX_WINDOW } from './batch-outbox.ts';
import { type BrokerAddress, type BrokerTlsOptions, openBrokerSocket, parseBrokerUrl } from './broker-socket.ts';
import { createBrokerStream } from './broker-stream.ts';
import { ControlMessageIds } from './control-message-ids.ts';
import { type ControlMessage, ControlQueue } from './control-queue.ts';
import type { Outbox, Qos } from './outbox.ts';
import { PubackScanner } from './puback-scanner.ts';

export type MqttVersion = '5' | '3.1.1';

export interface MqttConnectionOptions extends BrokerTlsOptions {
  /** See `parseBrokerUrl`. */
  readonly url: string;
  readonly clientId: string;
  readonly username?: string;
  readonly password?: string;
  /** Last will: retained, QoS 1, published by the broker when the connection dies, and by `close`. */
  readonly will?: { readonly topic: string; readonly payload: string };
  /** The version to begin with, default '5'. */
  readonly version?: MqttVersion;
  /** Seconds, default 30. */
  readonly keepaliveS?: number;
  /** Messages in flight on the data plane, default 1,000. */
  readonly window?: number;
  /** A QoS 1 message that is not acknowledged for so long costs the connection, default 20,000. */
  readonly ackTimeoutMs?: number;
  /** From TCP connect to CONNACK, default 10,000. */
  readonly connectTimeoutMs?: number;
  /** First and longest wait between attempts, default 1,000 and 30,000. */
  readonly minBackoffMs?: number;
  readonly maxBackoffMs?: number;
}

/** What no broker should do, and what is ignored and counted. */
export type BrokerOddity = 'oversize' | 'unknown-puback';

export type MqttState = 'closed' | 'connecting' | 'connected' | 'waiting';

export interface Connected {
  readonly version: MqttVersion;
  readonly sessionPresent: boolean;
  /** Whether it keeps retained messages. */
  readonly retainAvailable: boolean;
}

export interface PublishOptions {
  readonly qos?: Qos;
  readonly retain?: boolean;
  /** Of a retained message: false when it is not to be sent again after a connect. Default true. */
  readonly keep?: boolean;
  /** The broker's answer: 0 or a reason code. Not called when the connection is lost before. */
  readonly done?: (reasonCode: number) => void;
}

/** Incoming messages beyond this are dropped and counted; commands and requests are far below. */
const MAX_INCOMING_BYTES = 64 * 1024;
/** A connection that lived this long was a good one: the next wait is short again. */
const STABLE_MS = 10_000;
const CONTROL_WINDOW = 4;
const UNLIMITED = 65_535;
/** CONNACK codes for a version that the broker does not speak: MQTT 5 section 3.2.2.2, MQTT 3.1.1 section 3.2.2.3. */
const UNSUPPORTED_VERSION = new Set([0x84, 0x01]);

/** One attempt to be connected, and the connection when it succeeds. */
interface Attempt {
  readonly client: MqttClient;
  readonly socket: Duplex;
  readonly scanner: PubackScanner;
  connectedAt: number | undefined;
  over: boolean;
}

export class MqttConnection {
  onConnected: ((connected: Connected) => void) | undefined;
  /** A connection was lost, or an attempt failed. It is tried again by itself. */
  onDisconnected: ((error: GatewayError) => void) | undefined;
  /** `payload` is only valid during the call. */
  onMessage: ((topic: string, payload: Buffer, retain: boolean) => void) | undefined;
  /** Called for each. */
  onOddity: ((what: BrokerOddity) => void) | undefined;
  /** The broker has refused a control message or a subscription. */
  onRefused: ((topic: string, reasonCode: number) => void) | undefined;

  /** Called after `onConnected`; readings wait until it resolves. It must, also when the connection is lost meanwhile. */
  prepare: ((connected: Connected) => Promise<void>) | undefined;

  /** For the publisher. */
  readonly outbox: Outbox;

  readonly #options: MqttConnectionOptions;
  readonly #address: BrokerAddress;
  readonly #outbox: BatchOutbox;
  readonly #control = new ControlQueue(() => performance.now());
  readonly #filters = new Set<string>();
  #version: MqttVersion;
  /** 3.1.1 was chosen without being told: MQTT 5 is tried again after this connection. */
  #guessedVersion = false;
  #spokeMqtt5 = false;
  #state: MqttState = 'closed';
  #attempt: Attempt | undefined;
  #retry: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #failures = 0;
  #error: GatewayError | undefined;
  #connects = 0;
  #oversize = 0;

  /** @throws RangeError when the URL is none of a broker */
  constructor(options: MqttConnectionOptions) {
    const address = parseBrokerUrl(options.url);
    if (address === undefined) throw new RangeError('the URL must look like mqtt://host:1883 or mqtts://host:8883');
    this.#options = options;
    this.#address = address;
    this.#version = options.version ?? '5';
    this.#outbox = new BatchOutbox({
      now: () => performance.now(),
      ...(options.window !== undefined && { window: options.window }),
      ...(options.ackTimeoutMs !== undefined && { ackTimeoutMs: options.ackTimeoutMs }),
    });
    this.#outbox.onTimeout = () => this.#drop('PUBLISH_TIMEOUT', 'a publication was not acknowledged in time');
    this.#outbox.onUnknownAck = () => this.onOddity?.('unknown-puback');
    this.outbox = this.#outbox;
  }

  get state(): MqttState {
    return this.#state;
  }

  get connected(): boolean {
    return this.#state === 'connected';
  }

  /** The version spoken, or tried at present. */
  get version(): MqttVersion {
    return this.#version;
  }

  /** Why there is no connection, while there is none. */
  get error(): GatewayError | undefined {
    return this.#error;
  }

  /** `host:port` for people. */
  get where(): string {
    const { host, port } = this.#address;
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  }

  get stats(): { connects: number; inFlight: number; unknownAcks: number; oversize: number; controlDropped: number } {
    return {
      connects: this.#connects,
      inFlight: this.#outbox.inFlight,
      unknownAcks: this.#outbox.unknownAcks,
      oversize: this.#oversize + (this.#attempt?.scanner.oversize ?? 0),
      controlDropped: this.#control.dropped,
    };
  }

  /** Begins to connect, and goes on trying until `close`. Never throws for a broker that is not there. */
  start(): void {
    if (this.#state !== 'closed') throw new TypeError('started already');
    this.#connect();
  }

  /**
   * Sends a message that is not a reading. A retained one is kept and sent (again) after each connect, the newest of
   * each topic; another one is dropped and counted while there is no connection.
   */
  publish(topic: string, payload: string, options: PublishOptions = {}): void {
    const { retain = false, qos = retain ? 1 : 0, keep, done } = options;
    this.#control.publish({ topic, payload, qos, retain, keep, done });
  }

  /** Subscribes with QoS 0, now and after each connect, until `unsubscribe`. */
  subscribe(filter: string): void {
    this.#filters.add(filter);
    if (this.connected) this.#subscribe(filter);
  }

  /** Subscribes with QoS 0 in the present connection only; `done` learns whether the broker allows it. */
  subscribeOnce(filter: string, done: (allowed: boolean) => void): void {
    this.#subscribe(filter, done);
  }

  unsubscribe(filter: string): void {
    this.#filters.delete(filter);
    if (this.connected) this.#attempt?.client.unsubscribe(filter);
  }

  /**
   * Publishes the last will's message itself, as DISCONNECT takes it back, gives what is queued and in flight
   * `timeoutMs`, and closes.
   */
  async close(timeoutMs = 2_000): Promise<void> {
    clearTimeout(this.#retry);
    const attempt = this.#attempt;
    if (attempt === undefined || !this.connected) {
      this.#state = 'closed';
      if (attempt !== undefined) this.#finish(attempt);
      return;
    }
    const { will } = this.#options;
    if (will !== undefined) this.publish(will.topic, will.payload, { retain: true });
    const giveUpAt = performance.now() + timeoutMs;
    // The publisher goes on meanwhile, so what the journal holds goes out too, as far as the time allows.
    const isDone = (): boolean => this.#control.idle && this.#outbox.inFlight === 0;
    while (!attempt.over && !isDone() && performance.now() < giveUpAt) await pause();
    this.#state = 'closed';
    clearTimeout(this.#retry);
    if (this.#attempt !== undefined && this.#attempt !== attempt) this.#finish(this.#attempt);
    if (attempt.over) return;
    attempt.over = true;
    this.#release(attempt);
    const closed = new Promise<void>((resolve) => attempt.socket.once('close', () => resolve()));
    attempt.client.end(false);
    const force = setTimeout(() => attempt.socket.destroy(), Math.max(100, giveUpAt - performance.now()));
    await closed;
    clearTimeout(force);
  }

  // ---------------------------------------------------------------------------------------------------------------

  #connect(): void {
    this.#state = 'connecting';
    const socket = openBrokerSocket(this.#address, this.#options);
    let scanner: PubackScanner | undefined;
    const stream = createBrokerStream(
      socket,
      (pass) => {
        scanner = new PubackScanner({
          maxId: MAX_WINDOW,
          maxIncomingBytes: MAX_INCOMING_BYTES,
          onOversize: () => this.onOddity?.('oversize'),
          onPuback: (id, reasonCode) => this.#outbox.puback(id, reasonCode),
          pass,
        });
        return scanner;
      },
      () => this.#outbox.settle(),
    );
    // MQTT.js connects in its constructor, but its events come later, from the socket.
    const client = new MqttClient(() => stream, this.#clientOptions());
    const attempt: Attempt = { client, socket, scanner: scanner!, connectedAt: undefined, over: false };
    this.#attempt = attempt;
    let reason: Error | undefined;
    socket.on('error', (error: Error) => {
      reason ??= error;
    });
    client.on('connect', (connack) => this.#connackAccepted(attempt, connack));
    client.on('message', (topic, payload, packet) => this.onMessage?.(topic, payload, packet.retain));
    client.on('disconnect', (packet) => {
      reason ??= new Error(
        `the broker has ended the connection with reason 0x${(packet.reasonCode ?? 0).toString(16)}`,
      );
    });
    client.on('error', (error) => this.#failed(attempt, error));
    client.on('close', () => this.#failed(attempt, reason));
  }

  #clientOptions(): IClientOptions {
    const { clientId, username, password, will, keepaliveS = 30, connectTimeoutMs = 10_000 } = this.#options;
    const mqtt5 = this.#version === '5';
    return {
      protocolId: 'MQTT',
      protocolVersion: mqtt5 ? 5 : 4,
      clientId,
      clean: true,
      keepalive: keepaliveS,
      connectTimeout: connectTimeoutMs,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      reschedulePings: false,
      // A buffer for each of 65,536 numbers is 7 MB for the few packets that MQTT.js writes here.
      writeCache: false,
      log: () => {},
      messageIdProvider: new ControlMessageIds(MAX_WINDOW + 1),
      ...(mqtt5 && { properties: { maximumPacketSize: MAX_INCOMING_BYTES } }),
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(will !== undefined && {
        will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: true },
      }),
    };
  }

  #connackAccepted(attempt: Attempt, connack: IConnackPacket): void {
    if (attempt.over) return;
    attempt.connectedAt = performance.now();
    this.#state = 'connected';
    this.#error = undefined;
    this.#connects++;
    if (this.#version === '5') this.#spokeMqtt5 = true;
    const properties = connack.properties ?? {};
    const receiveMaximum = properties.receiveMaximum ?? UNLIMITED;
    const maxPacketBytes = properties.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    const maxQos: Qos = properties['maximumQoS'] === 0 ? 0 : 1;
    const retainAvailable = properties.retainAvailable ?? true;
    // What the broker takes in flight (MQTT 5 section 3.3.4) is shared by both planes.
    const controlWindow = Math.min(CONTROL_WINDOW, receiveMaximum >> 1);
    const controlQos = controlWindow === 0 ? 0 : maxQos;
    this.#watchdog = setInterval(() => this.#checkControl(), 1_000);
    this.#watchdog.unref();

    const connected = { version: this.#version, sessionPresent: connack.sessionPresent, retainAvailable };
    for (const filter of this.#filters) this.#subscribe(filter);
    // Before anything goes out, so that what is retained goes out as it is now.
    this.onConnected?.(connected);
    if (attempt.over) return;
    this.#control.start(
      (message, done) =>
        this.#transmit(
          attempt,
          { ...message, retain: message.retain && retainAvailable },
          {
            qos: message.qos === 1 ? controlQos : 0,
            maxPacketBytes,
            done,
          },
        ),
      Math.max(1, controlWindow),
    );
    const limits = {
      mqtt5: this.#version === '5',
      window: receiveMaximum - controlWindow,
      maxPacketBytes,
      maxQos,
      retainAvailable,
    };
    void this.#attachWhenPrepared(attempt, connected, limits);
  }

  async #attachWhenPrepared(attempt: Attempt, connected: Connected, limits: BrokerLimits): Promise<void> {
    if (this.prepare !== undefined && !attempt.over) await this.prepare(connected);
    if (!attempt.over) this.#outbox.attach(attempt.socket, limits);
  }

  #transmit(
    attempt: Attempt,
    message: ControlMessage,
    how: { qos: Qos; maxPacketBytes: number; done: () => void },
  ): void {
    const { topic, payload, retain } = message;
    // 16 bytes cover the headers. MQTT.js would wait forever for the answer to a packet that is too large.
    if (Buffer.byteLength(topic) + Buffer.byteLength(payload) + 16 > how.maxPacketBytes) {
      how.done();
      message.done?.(0x95);
      this.onRefused?.(topic, 0x95);
      return;
    }
    attempt.client.publish(topic, payload, { qos: how.qos, retain }, (error) => {
      const reasonCode = reasonOf(error);
      if (reasonCode !== undefined && !attempt.over) this.onRefused?.(topic, reasonCode);
      if (!attempt.over && (reasonCode !== undefined || !(error instanceof Error))) message.done?.(reasonCode ?? 0);
      how.done();
    });
  }

  #subscribe(filter: string, done?: (allowed: boolean) => void): void {
    const attempt = this.#attempt;
    // Retained messages come with each subscription (rh 0), and each message says whether it is one (rap).
    attempt?.client.subscribe(filter, { qos: 0 }, (error) => {
      const reasonCode = reasonOf(error);
      if (reasonCode !== undefined && !attempt.over) this.onRefused?.(filter, reasonCode);
      if (!attempt.over) done?.(!(error instanceof Error));
    });
  }

  #checkControl(): void {
    const sentAt = this.#control.oldestSentAt;
    if (sentAt !== undefined && performance.now() - sentAt > (this.#options.ackTimeoutMs ?? 20_000)) {
      this.#drop('PUBLISH_TIMEOUT', 'a control message was not acknowledged in time');
    }
  }

  #drop(code: 'PUBLISH_TIMEOUT', detail: string): void {
    const attempt = this.#attempt;
    if (attempt !== undefined) this.#failed(attempt, new GatewayError(code, this.where, detail));
  }

  /** The attempt is over, whatever the reason; the first one told counts. */
  #failed(attempt: Attempt, cause: unknown): void {
    if (attempt.over) return;
    this.#finish(attempt);
    const reasonCode = attempt.connectedAt === undefined ? reasonOf(cause) : undefined;
    const otherVersion = this.#fallBack(attempt, cause, reasonCode);
    if (this.#state === 'closed') return;
    if (otherVersion && reasonCode !== undefined) {
      this.#connect();
      return;
    }
    const lived = attempt.connectedAt === undefined ? 0 : performance.now() - attempt.connectedAt;
    this.#failures = lived >= STABLE_MS ? 1 : this.#failures + 1;
    this.#state = 'waiting';
    this.#retry = setTimeout(() => this.#connect(), this.#backoffMs());
    this.#error = this.#describe(cause, reasonCode);
    this.onDisconnected?.(this.#error);
  }

  #finish(attempt: Attempt): void {
    attempt.over = true;
    this.#release(attempt);
    attempt.client.end(true);
    attempt.socket.destroy();
  }

  /** Ends what stands on the connection. */
  #release(attempt: Attempt): void {
    if (this.#attempt === attempt) this.#attempt = undefined;
    this.#oversize += attempt.scanner.oversize;
    clearInterval(this.#watchdog);
    this.#control.stop();
    this.#outbox.detach();
  }

  /**
   * Chooses the version of the next attempt. A broker without MQTT 5 says so, or it just closes the connection on the
   * unknown CONNECT; after that one both versions are tried in turn until one is accepted.
   * @returns whether the version has changed
   */
  #fallBack(attempt: Attempt, cause: unknown, reasonCode: number | undefined): boolean {
    if (this.#options.version === '3.1.1') return false;
    const told = reasonCode !== undefined && UNSUPPORTED_VERSION.has(reasonCode);
    const closedSilently = cause === undefined && attempt.connectedAt === undefined;
    if (this.#version === '5' && (told || (closedSilently && !this.#spokeMqtt5))) {
      this.#version = '3.1.1';
      this.#guessedVersion = !told;
    } else if (this.#guessedVersion && (closedSilently || attempt.connectedAt !== undefined)) {
      this.#version = '5';
      this.#guessedVersion = false;
    } else {
      return false;
    }
    return true;
  }

  /** 1, 2, 4 … 30 s, each between a half and the whole of it, so that many gateways do not come back at once. */
  #backoffMs(): number {
    const { minBackoffMs = 1_000, maxBackoffMs = 30_000 } = this.#options;
    const full = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(this.#failures - 1, 16));
    return Math.max(minBackoffMs, full * (0.5 + Math.random() / 2));
  }

  #describe(cause: unknown, reasonCode: number | undefined): GatewayError {
    if (cause instanceof GatewayError) return cause;
    const text = cause instanceof Error ? messageOf(cause) : 'the broker has closed the connection';
    if (reasonCode === undefined) return new GatewayError('MQTT_UNREACHABLE', this.where, text, { cause });
    return new GatewayError('MQTT_REFUSED', this.where, text, { cause });
  }
}

/** The MQTT reason code of an error of MQTT.js; other errors have none, or a text such as ECONNREFUSED. */
function reasonOf(error: unknown): number | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'number' ? code : undefined;
}

/** When a name has several addresses and none answers, Node's error has a list instead of a message. */
function messageOf(error: Error): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  return first instanceof Error ? first.message : error.message;
}

function pause(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 5);
  });
}
