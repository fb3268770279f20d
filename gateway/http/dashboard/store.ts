/**
 * What the page knows: the whole state once, then news from the live feed.
 *
 * ```
 *   GET /api/state ─→ state ←─ /ws: values, devices, sources, gateway, frames, log
 *                       └─→ listeners: the page that is shown
 * ```
 *
 * A feed that is lost is opened again, and then everything is asked for anew.
 */
import type {
  ChannelState,
  DeviceHistory,
  DeviceState,
  FrameView,
  GatewayState,
  LogLine,
  Push,
  SetAnswer,
  SilentPeer,
  SourceState,
  WholeState,
  Wish,
} from '../api-types.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
export type LiveChannel = Mutable<ChannelState>;
export type LiveDevice = Mutable<Omit<DeviceState, 'channels'>> & { channels: LiveChannel[]; version: number };

/** What a page may want to hear of. */
export interface Listener {
  /** Devices, channels or names have changed. */
  structure?(): void;
  /** These channels of a device have new values. */
  values?(device: LiveDevice, channels: readonly LiveChannel[]): void;
  devices?(): void;
  sources?(): void;
  silent?(): void;
  gateway?(): void;
  frame?(frame: FrameView): void;
  dropped?(frames: number): void;
  log?(line: LogLine): void;
}

const RETRY_MS = [500, 1_000, 2_000, 5_000, 10_000];

export class Store {
  gateway: GatewayState | undefined;
  readonly devices = new Map<string, LiveDevice>();
  sources: readonly SourceState[] = [];
  silent: readonly SilentPeer[] = [];
  /** The gateway's clock against ours, ms. */
  #ahead = 0;
  #socket: WebSocket | undefined;
  #tries = 0;
  #listener: Listener = {};
  #wish: Wish = { watch: [] };
  onLink: (connected: boolean) => void = () => undefined;

  /** Unix milliseconds by the gateway's clock. */
  now(): number {
    return Date.now() + this.#ahead;
  }

  /** The page that is shown now, and what it wants of the feed. */
  listen(listener: Listener, wish: Wish): void {
    this.#listener = listener;
    this.#wish = wish;
    this.#sendWish();
  }

  async start(): Promise<void> {
    await this.#load();
    this.#open();
  }

  async history(device: string, sinceMs: number): Promise<DeviceHistory> {
    return get(`/api/devices/${encodeURIComponent(device)}/history?since=${sinceMs}`);
  }

  async log(device: string | undefined): Promise<LogLine[]> {
    return get(device === undefined ? '/api/log' : `/api/devices/${encodeURIComponent(device)}/log`);
  }

  async set(device: string, channel: string, value: string | number | boolean): Promise<SetAnswer> {
    const response = await fetch(`/api/devices/${encodeURIComponent(device)}/set`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ channel, value }),
    });
    return (await response.json()) as SetAnswer;
  }

  async #load(): Promise<void> {
    const state: WholeState = await get('/api/state');
    this.#ahead = state.now - Date.now();
    this.gateway = state.gateway;
    this.sources = state.sources;
    this.silent = state.silent;
    this.devices.clear();
    for (const device of state.devices) {
      this.devices.set(device.alias, {
        ...device,
        channels: device.channels.map((channel) => ({ ...channel })),
        version: -1,
      });
    }
    this.#listener.structure?.();
  }

  #open(): void {
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`);
    this.#socket = socket;
    socket.addEventListener('open', () => {
      this.#tries = 0;
      this.onLink(true);
      this.#sendWish();
    });
    socket.addEventListener('message', (event) => this.#received(JSON.parse(String(event.data)) as Push));
    socket.addEventListener('close', () => {
      this.onLink(false);
      const wait = RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)];
      setTimeout(() => void this.#again(), wait);
    });
  }

  async #again(): Promise<void> {
    try {
      await this.#load();
    } catch {
      const wait = RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)];
      setTimeout(() => void this.#again(), wait);
      return;
    }
    this.#open();
  }

  #sendWish(): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(this.#wish));
  }

  #received(push: Push): void {
    switch (push.t) {
      case 'hello':
        return;
      case 'values':
        for (const [alias, channels] of Object.entries(push.d)) this.#takeValues(alias, channels);
        return;
      case 'devices':
        this.#takeDevices(push.d);
        return;
      case 'sources':
        this.sources = push.d;
        this.#listener.sources?.();
        return;
      case 'silent':
        this.silent = push.d;
        this.#listener.silent?.();
        return;
      case 'gateway':
        this.gateway = push.d;
        this.#listener.gateway?.();
        return;
      case 'frame':
        this.#listener.frame?.(push.d);
        return;
      case 'dropped':
        this.#listener.dropped?.(push.n);
        return;
      case 'log':
        this.#listener.log?.(push.d);
    }
  }

  #takeValues(alias: string, values: (Push & { t: 'values' })['d'][string]): void {
    const device = this.devices.get(alias);
    if (device === undefined) return;
    const changed: LiveChannel[] = [];
    for (const channel of device.channels) {
      const news = values[channel.alias];
      if (news === undefined) continue;
      channel.value = news[0];
      channel.ts = news[1];
      channel.quality = news[2] ?? 'good';
      changed.push(channel);
    }
    if (changed.length > 0) this.#listener.values?.(device, changed);
  }

  #takeDevices(news: (Push & { t: 'devices' })['d']): void {
    // A device or channel that we do not know: everything anew. It is rare.
    let unknown = news.length !== this.devices.size;
    for (const { version, ...known } of news) {
      const device = this.devices.get(known.alias);
      if (device === undefined || (device.version >= 0 && device.version !== version)) unknown = true;
      if (device !== undefined) Object.assign(device, known, { version });
    }
    if (unknown) void this.#load().catch(() => undefined);
    else this.#listener.devices?.();
  }
}

async function get<T>(path: string): Promise<T> {
  const response = await fetch(path);
  if (response.status === 401) location.reload();
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return (await response.json()) as T;
}
