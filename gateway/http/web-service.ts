/**
 * Everything over HTTP, put together:
 *
 * ```
 *   journal ─→ Recorder ─┬─→ Api ──────→ HttpServer ─→ browser, Prometheus
 *   log, events ─→ lines ┤                  │
 *   sessions ─→ tap ─────┴─→ LiveFeed ─→ WebSocket
 * ```
 */
import { hostname } from 'node:os';
import type { HttpConfig } from '../config/schema.ts';
import type { GatewayError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import { LogRing } from '../recorder/log-ring.ts';
import { Recorder } from '../recorder/recorder.ts';
import type { Device } from '../devices/device.ts';
import type { Log } from '../log.ts';
import type { FrameTap } from '../tap/frame-tap.ts';
import type { ViewedParts } from '../view.ts';
import { Api } from './api.ts';
import { HttpServer } from './http-server.ts';
import { LiveFeed } from './live-feed.ts';
import { Metrics } from './metrics.ts';
import { StaticFiles } from './static-files.ts';

/** Channels with a history for plots, 23 KB each at most. */
const MAX_HISTORIES = 1_000;

export interface WebServiceOptions {
  readonly config: HttpConfig;
  readonly parts: ViewedParts;
  readonly journal: Journal;
  readonly tap: FrameTap;
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export class WebService {
  readonly recorder = new Recorder({ maxHistories: MAX_HISTORIES });
  /** What is said of the gateway and its devices. */
  readonly lines = new LogRing();
  readonly #server: HttpServer;
  readonly #feed: LiveFeed;

  constructor({ config, parts, journal, tap, log, now }: WebServiceOptions) {
    const { recorder, lines } = this;
    const api = new Api({ parts, recorder, lines, metrics: new Metrics(parts) });
    const feed = new LiveFeed({
      tap,
      values: (device, sinceMs) => api.values(device, sinceMs),
      devices: () => api.news(),
      sources: () => api.sources(),
      silent: () => api.silent(),
      gateway: () => api.gateway(),
      onReadings: (listener) => (recorder.onRecord = listener),
      now: () => parts.wall.now(),
    });
    this.#feed = feed;
    journal.onAppended = (record) => recorder.record(record);
    lines.onLine = (line) => feed.log(line);
    const server = new HttpServer({
      host: config.host,
      port: config.port,
      token: config.token,
      names: namesOf(config),
      files: new StaticFiles(filesFolder()),
      routes: api.routes,
      onUpgrade: (request, socket, head) => feed.accept(request, socket, head),
      now,
      onState: (error) => this.#tell(log, error),
      onFault: (error) => log.error({ err: error }, 'a request over HTTP met a mistake of this program'),
    });
    this.#server = server;
  }

  /** `host:port`, or undefined while it does not listen. */
  get where(): string | undefined {
    return this.#server.where;
  }

  async open(): Promise<void> {
    await this.#server.open();
  }

  /** The device is forgotten. */
  forget(device: Device): void {
    this.recorder.forget(device);
  }

  async close(): Promise<void> {
    this.#feed.close();
    await this.#server.close();
  }

  #tell(log: Log, error: GatewayError | undefined): void {
    if (error === undefined) log.info({ where: this.where }, `dashboard on http://${this.where}`);
    else log.warn({ code: error.code }, `${error.message}; tried again by itself`);
  }
}

/** By which names the page may be called: those of the configuration, and those of this machine. */
function namesOf({ host, allowedHosts }: HttpConfig): string[] {
  const own = hostname().toLowerCase();
  return [host, ...allowedHosts, own, `${own}.local`].map((name) => name.toLowerCase());
}

/** Beside this file in dist; where the sources run directly, in dist all the same. */
function filesFolder(): string {
  const here = import.meta.dirname;
  return /[\\/]dist[\\/]gateway[\\/]http$/.test(here)
    ? `${here}/dashboard`
    : here.replace(/[\\/]gateway[\\/]http$/, '/dist/gateway/http/dashboard');
}
