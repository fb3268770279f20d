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
import { Trail } from './trail.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
export type LiveChannel = Mutable<ChannelState>;
export type LiveDevice = Mutable<Omit<DeviceState, 'channels'>> & { channels: LiveChannel[] };

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

/** What every page wants: the frame around it shows some of it. */
const ALWAYS = ['devices', 'gateway', 'silent'] as const;
const RETRY_MS = [500, 1_000, 2_000, 5_000, 10_000];

export class Store {
  gateway: GatewayState | undefined;
  readonly devices = new Map<string, LiveDevice>();
  sources: readonly SourceState[] = [];
  silent: readonly SilentPeer[] = [];
  /** What was drawn of channels lately, by `device/channel`: it outlives the page that shows it. */
  readonly trails = new Map<string, Trail>();
  /** The gateway's clock against ours, ms. */
  #ahead = 0;
  #socket: WebSocket | undefined;
  #tries = 0;
  #loading = false;
  #listener: Listener = {};
  #wish: Wish = { watch: [] };
  onLink: (connected: boolean) => void = () => undefined;
  /** The gateway has told of itself: once a second. */
  onGateway: () => void = () => undefined;

  /** Unix milliseconds by the gateway's clock. */
  now(): number {
    return Date.now() + this.#ahead;
  }

  trail(device: string, channel: string): Trail {
    const key = `${device}/${channel}`;
    let trail = this.trails.get(key);
    if (trail === undefined) this.trails.set(key, (trail = new Trail()));
    return trail;
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
    const gone = new Set(this.devices.keys());
    for (const device of state.devices) {
      gone.delete(device.alias);
      // The same objects as long as they are the same devices: pages hold on to them.
      const known = this.devices.get(device.alias);
      if (known?.id === device.id) update(known, device);
      else this.devices.set(device.alias, { ...device, channels: device.channels.map((channel) => ({ ...channel })) });
    }
    for (const alias of gone) this.devices.delete(alias);
    this.onGateway();
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
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify({ ...this.#wish, watch: [...new Set([...this.#wish.watch, ...ALWAYS])] }));
    }
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
        this.onGateway();
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
      if (typeof news[0] === 'number' || typeof news[0] === 'boolean') channel.plotted = true;
      changed.push(channel);
    }
    if (changed.length > 0) this.#listener.values?.(device, changed);
  }

  #takeDevices(news: (Push & { t: 'devices' })['d']): void {
    // A device or channel that we do not know: everything anew. It is rare.
    let unknown = news.length !== this.devices.size;
    for (const known of news) {
      const device = this.devices.get(known.alias);
      if (device === undefined || device.version !== known.version) unknown = true;
      // The version is taken over with the channels that it stands for.
      else Object.assign(device, known);
    }
    if (unknown) this.#reload();
    else this.#listener.devices?.();
  }

  /** One at a time: while a fleet comes up, devices are new every second. */
  #reload(): void {
    if (this.#loading) return;
    this.#loading = true;
    void this.#load()
      .catch(() => undefined)
      .then(() => (this.#loading = false));
  }
}

/** Takes over what is new; channels that stay are the same objects. */
function update(known: LiveDevice, news: DeviceState): void {
  const before = new Map(known.channels.map((channel) => [channel.alias, channel]));
  const channels = news.channels.map((channel) => Object.assign(before.get(channel.alias) ?? {}, channel));
  Object.assign(known, news, { channels });
}

/** What people call it: the name that the configuration gives it, or else the one that it gives itself. */
export function titleOf({ alias, id, name }: Pick<DeviceState, 'alias' | 'id' | 'name'>): string {
  return alias === id && name !== '' ? name : alias;
}

/** The same in one word, and different for different devices. */
export function labelOf(device: Pick<DeviceState, 'alias' | 'id' | 'name'>): string {
  const title = titleOf(device);
  return title === device.alias ? title : `${title} …${device.id.slice(-4)}`;
}

async function get<T>(path: string): Promise<T> {
  const response = await fetch(path);
  if (response.status === 401) location.reload();
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return (await response.json()) as T;
}
