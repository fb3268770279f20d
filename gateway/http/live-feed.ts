/**
 * The live feed: a WebSocket for each page that is open.
 *
 * ```
 *   page → {"watch":["values","frames"],"source":"…","device":"…"}        again whenever it wants something else
 *   us   → {"t":"values","d":{"<device>":{"<channel>":[value,ts,quality?]}}}    what has changed, ten times a second
 *          {"t":"devices","d":[…]} {"t":"sources","d":[…]} {"t":"gateway","d":{…}}          once a second
 *          {"t":"frame",…}  {"t":"dropped","n":17}                        frames, at most a hundred a second
 *          {"t":"log","d":{…}}
 * ```
 *
 * Nothing is gathered while no page is open. A page that does not read is closed rather than held in memory.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Device } from '../devices/device.ts';
import { TokenBucket } from '../limits/token-bucket.ts';
import type { FrameTap, TappedFrame } from '../tap/frame-tap.ts';
import { frameView } from './frame-view.ts';

type Json = Readonly<Record<string, unknown>>;

export interface LiveFeedOptions {
  readonly tap: FrameTap;
  /** Channels of a device that have said something since `sinceMs` (Unix), by alias. */
  readonly values: (device: Device, sinceMs: number) => object;
  /** What changes by the second. */
  readonly devices: () => readonly object[];
  readonly sources: () => readonly object[];
  readonly silent: () => readonly object[];
  readonly gateway: () => object;
  /** Sets who is told of readings; undefined: nobody need be. */
  readonly onReadings: (listener: ((device: Device) => void) | undefined) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
}

const TOPICS = ['values', 'devices', 'sources', 'silent', 'gateway', 'frames', 'log'] as const;
type Topic = (typeof TOPICS)[number];

const VALUES_MS = 100;
const SLOW_MS = 1_000;
const MAX_CLIENTS = 32;
const MAX_MESSAGE_BYTES = 2_048;
/** More than this waiting for one page: it does not read. */
const MAX_WAITING_BYTES = 1_048_576;
const FRAMES_PER_S = 100;

class Client {
  readonly socket: WebSocket;
  watched: ReadonlySet<Topic> = new Set();
  source: string | undefined;
  device: string | undefined;
  readonly frames: TokenBucket;
  dropped = 0;

  constructor(socket: WebSocket, now: () => number) {
    this.socket = socket;
    this.frames = new TokenBucket(FRAMES_PER_S, FRAMES_PER_S, now);
  }
}

export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false });
  readonly #clients = new Set<Client>();
  /** Devices that have said something since the last values went out. */
  readonly #changed = new Set<Device>();
  #valuesFrom = 0;
  #fast: NodeJS.Timeout | undefined;
  #slow: NodeJS.Timeout | undefined;
  #unwatch: (() => void) | undefined;
  /** Pages closed because they did not read. */
  overrun = 0;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** Takes over a connection whose access was checked. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#clients.size >= MAX_CLIENTS) {
      socket.end('HTTP/1.1 503 Too many pages\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#open(webSocket));
  }

  /** Tells a line of the log to whom wants it. */
  log(line: object): void {
    if (this.#clients.size > 0) this.#broadcast('log', () => ({ t: 'log', d: line }));
  }

  close(): void {
    for (const { socket } of this.#clients) socket.close(1001);
    for (const { socket } of this.#clients) socket.terminate();
    this.#server.close();
  }

  #open(socket: WebSocket): void {
    const client = new Client(socket, this.#options.now);
    this.#clients.add(client);
    if (this.#clients.size === 1) this.#start();
    socket.on('message', (data, isBinary) => this.#received(client, isBinary ? '' : (data as Buffer).toString('utf8')));
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      this.#clients.delete(client);
      this.#watchFrames();
      if (this.#clients.size === 0) this.#stop();
    });
    this.#send(client, { t: 'hello' });
  }

  #received(client: Client, text: string): void {
    const wish = parseWish(text);
    if (wish === undefined) {
      client.socket.close(1008, 'not understood');
      return;
    }
    client.watched = wish.watch;
    client.source = wish.source;
    client.device = wish.device;
    this.#watchFrames();
  }

  #start(): void {
    this.#valuesFrom = this.#options.now();
    this.#options.onReadings((device) => this.#changed.add(device));
    this.#fast = setInterval(() => this.#sendValues(), VALUES_MS).unref();
    this.#slow = setInterval(() => this.#sendSlow(), SLOW_MS).unref();
  }

  #stop(): void {
    clearInterval(this.#fast);
    clearInterval(this.#slow);
    this.#options.onReadings(undefined);
    this.#changed.clear();
  }

  /** Frames are only looked at while some page wants to see them. */
  #watchFrames(): void {
    const wanted = [...this.#clients].some(({ watched }) => watched.has('frames'));
    if (wanted) this.#unwatch ??= this.#options.tap.watch((frame) => this.#frame(frame));
    else {
      this.#unwatch?.();
      this.#unwatch = undefined;
    }
  }

  #frame(frame: TappedFrame): void {
    let text: string | undefined;
    for (const client of this.#clients) {
      if (!client.watched.has('frames')) continue;
      if (client.source !== undefined && client.source !== frame.source) continue;
      if (client.device !== undefined && client.device !== frame.device) continue;
      if (!client.frames.take()) {
        client.dropped++;
        continue;
      }
      text ??= JSON.stringify({ t: 'frame', d: frameView(frame) });
      this.#sendText(client, text);
    }
  }

  #sendValues(): void {
    const from = this.#valuesFrom;
    this.#valuesFrom = this.#options.now();
    if (this.#changed.size === 0) return;
    const d: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    for (const device of this.#changed) d[device.alias] = this.#options.values(device, from);
    this.#changed.clear();
    this.#broadcast('values', () => ({ t: 'values', d }));
  }

  #sendSlow(): void {
    this.#broadcast('devices', () => ({ t: 'devices', d: this.#options.devices() }));
    this.#broadcast('sources', () => ({ t: 'sources', d: this.#options.sources() }));
    this.#broadcast('silent', () => ({ t: 'silent', d: this.#options.silent() }));
    this.#broadcast('gateway', () => ({ t: 'gateway', d: this.#options.gateway() }));
    for (const client of this.#clients) {
      if (client.dropped === 0) continue;
      this.#send(client, { t: 'dropped', n: client.dropped });
      client.dropped = 0;
    }
  }

  /** One text for all; `make` is called when anybody wants it. */
  #broadcast(topic: Topic, make: () => Json): void {
    let text: string | undefined;
    for (const client of this.#clients) {
      if (!client.watched.has(topic)) continue;
      text ??= JSON.stringify(make());
      this.#sendText(client, text);
    }
  }

  #send(client: Client, message: Json): void {
    this.#sendText(client, JSON.stringify(message));
  }

  #sendText({ socket }: Client, text: string): void {
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > MAX_WAITING_BYTES) {
      this.overrun++;
      socket.terminate();
      return;
    }
    socket.send(text);
  }
}

interface Wish {
  readonly watch: ReadonlySet<Topic>;
  readonly source: string | undefined;
  readonly device: string | undefined;
}

function parseWish(text: string): Wish | undefined {
  let wish: unknown;
  try {
    wish = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof wish !== 'object' || wish === null) return undefined;
  const { watch, source, device } = wish as Record<string, unknown>;
  if (!Array.isArray(watch)) return undefined;
  return {
    watch: new Set(TOPICS.filter((topic) => watch.includes(topic))),
    source: typeof source === 'string' && source !== '' ? source : undefined,
    device: typeof device === 'string' && device !== '' ? device : undefined,
  };
}
