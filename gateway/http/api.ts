/**
 * The API of the dashboard, for everybody's use. What it says is written down in api-types.ts.
 *
 * ```
 *   GET  /api/state                         everything that there is
 *   GET  /api/devices/:device/history       the last hours of its channels    ?since=Unix ms
 *   GET  /api/devices/:device/log           GET /api/log                      warnings, errors, what devices say
 *   POST /api/devices/:device/set           {"channel": …, "value": …}        answered when the device has answered
 *   GET  /metrics   /healthz   /readyz
 * ```
 */
import { performance } from 'node:perf_hooks';
import { printable, type Value } from '../../protocol/index.ts';
import type { SourceEntry } from '../acceptor.ts';
import type { Device, DeviceChannel } from '../devices/device.ts';
import { jsonText } from '../mqtt/payload.ts';
import { Departed } from '../recorder/departed.ts';
import type { LogRing } from '../recorder/log-ring.ts';
import type { Recorder } from '../recorder/recorder.ts';
import type { ChannelHost } from '../sessions/channel-host.ts';
import type { Doubt } from '../sessions/doubt.ts';
import { hostOf } from '../sources/address.ts';
import * as view from '../view.ts';
import type {
  ChannelState,
  DeviceHistory,
  DeviceNews,
  DeviceState,
  GatewayState,
  SetAnswer,
  ShownValue,
  SilentPeer,
  SourceState,
  WholeState,
} from './api-types.ts';
import type { Call, Route } from './http-server.ts';
import type { Metrics } from './metrics.ts';
import { type Answer, problem } from './responses.ts';

export interface ApiOptions {
  readonly parts: view.ViewedParts;
  readonly recorder: Recorder;
  readonly lines: LogRing;
  readonly metrics: Metrics;
}

const MAX_TEXT = 256;
/** Who has just come may still speak. */
const PATIENCE_MS = 2_000;
const MAX_SILENT = 100;

export class Api {
  readonly #options: ApiOptions;
  readonly #departed = new Departed();

  constructor(options: ApiOptions) {
    this.#options = options;
    options.parts.acceptor.onFinished = (host, entry) => this.#finished(host, entry);
  }

  get routes(): Route[] {
    const { metrics, lines } = this.#options;
    return [
      { method: 'GET', path: '/api/state', answer: () => ({ status: 200, body: this.state() }) },
      { method: 'GET', path: '/api/log', answer: () => ({ status: 200, body: lines.all() }) },
      { method: 'GET', path: '/api/devices/:device/history', answer: (call) => this.#history(call) },
      {
        method: 'GET',
        path: '/api/devices/:device/log',
        answer: (call) => this.#about(call, ({ alias }) => ({ status: 200, body: lines.of(alias) })),
      },
      { method: 'POST', path: '/api/devices/:device/set', answer: async (call) => this.#set(call) },
      {
        method: 'GET',
        path: '/metrics',
        answer: async () => ({ status: 200, type: metrics.contentType, body: await metrics.text() }),
      },
      { method: 'GET', path: '/healthz', answer: () => ({ status: 200, body: 'ok\n' }) },
      { method: 'GET', path: '/readyz', answer: () => this.#ready() },
    ];
  }

  state(): WholeState {
    const { parts } = this.#options;
    return {
      now: parts.wall.now(),
      gateway: this.gateway(),
      devices: Array.from(parts.registry, (device) => this.#device(device)),
      sources: this.sources(),
      silent: this.silent(),
    };
  }

  gateway(): GatewayState {
    const { parts } = this.#options;
    const { mqtt, journal, wall, acceptor, watch, deadLetters } = parts;
    const { connection, publisher } = mqtt;
    const { user, system } = process.cpuUsage();
    const { oldestAt } = journal.stats;
    return {
      version: parts.version,
      node: process.version,
      started_at: wall.at(parts.startedAt),
      base: mqtt.topics.base,
      broker: connection.where,
      connected: connection.connected,
      mqtt_version: connection.version,
      memory_bytes: process.memoryUsage().rss,
      cpu_ms: Math.round((user + system) / 1_000),
      connections: acceptor.connections,
      published: publisher.stats.published,
      in_flight: connection.stats.inFlight,
      journal: {
        durability: parts.durability,
        depth: journal.stats.depth,
        held: journal.stats.held,
        oldest_age_ms: oldestAt === undefined ? undefined : Math.max(0, wall.now() - oldestAt),
        bytes_on_disk: journal.stats.bytesOnDisk,
        full: journal.full,
        trouble: journal.stats.trouble,
        dead_letters: deadLetters?.count,
      },
      limits: Object.fromEntries(Object.entries(watch.counts).filter(([, count]) => count > 0)),
    };
  }

  sources(): SourceState[] {
    return view.sourceStates(this.#options.parts);
  }

  silent(): SilentPeer[] {
    const { acceptor, wall } = this.#options.parts;
    const silent: SilentPeer[] = [];
    const departed = this.#departed.since(wall.now());
    for (const { host, entry } of acceptor.standing()) {
      const { channel, session, openedAt } = host;
      if (channel.kind !== 'stream' || performance.now() - openedAt < PATIENCE_MS) continue;
      const doubt = session?.doubt;
      if (doubt === undefined) continue;
      silent.push({
        source: entry.source.id,
        peer: channel.peer,
        since: wall.at(openedAt),
        times: 1,
        bytes_read: channel.bytesRead,
        ...toldOf(doubt),
      });
      if (silent.length === MAX_SILENT) break;
    }
    for (const { source, peer, since, gone, times, bytesRead, doubt } of departed) {
      silent.push({ source, peer, since, gone, times, bytes_read: bytesRead, ...toldOf(doubt) });
    }
    return silent;
  }

  /** A connection has ended: if nothing of it was understood, that is worth showing for a while. */
  #finished({ channel, session, openedAt }: ChannelHost, { source }: SourceEntry): void {
    if (channel.kind !== 'stream') return;
    const doubt = session?.doubt;
    // Who comes, says nothing and goes at once has only looked whether the port is open.
    if (doubt === undefined || (channel.bytesRead === 0 && performance.now() - openedAt < PATIENCE_MS)) return;
    const { wall } = this.#options.parts;
    const { peer, bytesRead } = channel;
    this.#departed.add(hostOf(peer), {
      source: source.id,
      peer,
      since: wall.at(openedAt),
      gone: wall.now(),
      bytesRead,
      doubt,
    });
  }

  news(): DeviceNews[] {
    return Array.from(this.#options.parts.registry, (device) => ({
      alias: device.alias,
      online: device.online,
      transport: device.transport,
      last_seen: device.lastSeen,
      version: device.channelsVersion,
      ...view.lineOf(this.#options.parts, device),
    }));
  }

  /** What channels have said since then, as the live feed tells it. */
  values(device: Device, sinceMs: number): Record<string, [ShownValue, number, string?]> {
    const told = Object.create(null) as Record<string, [ShownValue, number, string?]>;
    for (const [number, latest] of this.#options.recorder.latest(device) ?? []) {
      if (latest.recordedAt < sinceMs) continue;
      const channel = device.channels.get(number);
      if (channel === undefined) continue;
      const { quality } = latest.value;
      const value = shown(latest.value, channel.scale);
      told[channel.alias] = quality === 'good' ? [value, latest.at] : [value, latest.at, quality];
    }
    return told;
  }

  // ---------------------------------------------------------------------------------------------------------------

  #device(device: Device): DeviceState {
    const latest = this.#options.recorder.latest(device);
    const { schema } = device;
    return {
      id: device.id,
      alias: device.alias,
      name: printable(schema?.name ?? '', MAX_TEXT),
      model: printable(schema?.model ?? '', MAX_TEXT),
      firmware: printable(schema?.firmware ?? '', MAX_TEXT),
      online: device.online,
      transport: device.transport,
      last_seen: device.lastSeen,
      ...view.lineOf(this.#options.parts, device),
      version: device.channelsVersion,
      channels: Array.from(device.channels.values(), (channel) => {
        const said = latest?.get(channel.number);
        return channelState(channel, said?.value, said?.at, said?.history !== undefined);
      }),
    };
  }

  #history(call: Call): Answer {
    const since = Number(call.query.get('since') ?? 0);
    if (!Number.isFinite(since)) return problem(400, 'since is a time in Unix milliseconds');
    return this.#about(call, (device) => {
      const history: Record<string, DeviceHistory[string]> = {};
      for (const [number, latest] of this.#options.recorder.latest(device) ?? []) {
        const alias = device.channels.get(number)?.alias;
        if (alias !== undefined && latest.history !== undefined) history[alias] = latest.history.since(since);
      }
      return { status: 200, body: history };
    });
  }

  async #set(call: Call): Promise<Answer> {
    const { channel, value } = call.data;
    if (typeof channel !== 'string' || !['string', 'number', 'boolean'].includes(typeof value)) {
      return problem(400, 'must be {"channel": NAME, "value": text, number, true or false}');
    }
    const device = this.#deviceOf(call);
    if (device === undefined) return problem(404, 'no device of this name is known');
    const answer = await new Promise<SetAnswer>((resolve) => {
      this.#options.parts.mqtt.commands.request(device, channel, String(value), (status, error) =>
        resolve(error === '' ? { status } : { status, error }),
      );
    });
    return { status: 200, body: answer };
  }

  /** Whether readings are taken and will get to the broker; a broker that is away for a while is no reason to restart. */
  #ready(): Answer {
    const { acceptor, journal } = this.#options.parts;
    const reasons: string[] = [];
    for (const { source } of acceptor.entries) {
      if (source.state !== 'open') reasons.push(`source ${source.id} is ${source.state}`);
    }
    if (journal.full) reasons.push('the journal is full: devices are told to wait');
    if (journal.stats.trouble !== undefined) reasons.push(`the journal is in trouble: ${journal.stats.trouble}`);
    return { status: reasons.length === 0 ? 200 : 503, body: { ready: reasons.length === 0, reasons } };
  }

  #deviceOf({ levels }: Call): Device | undefined {
    const { registry } = this.#options.parts;
    const name = levels['device'] ?? '';
    return registry.byAlias(name) ?? registry.get(name);
  }

  #about(call: Call, answer: (device: Device) => Answer): Answer {
    const device = this.#deviceOf(call);
    return device === undefined ? problem(404, 'no device of this name is known') : answer(device);
  }
}

function toldOf({ reason, hint, last }: Doubt): Pick<SilentPeer, 'reason' | 'hint' | 'last'> {
  return { reason, hint, last: Buffer.from(last).toString('hex') };
}

function channelState(
  channel: DeviceChannel,
  value: Value | undefined,
  ts: number | undefined,
  plotted: boolean,
): ChannelState {
  const { number, alias, type, unit, diagnostic, writable, control, options, range, step, precision } = channel;
  const state: ChannelState = {
    number,
    alias,
    name: printable(channel.name, MAX_TEXT),
    type,
    class: channel.class,
    unit: printable(unit, MAX_TEXT),
    diagnostic,
    writable,
    readable: channel.readable ?? true,
    control,
    options,
    range,
    step,
    precision,
    plotted,
  };
  if (value === undefined || ts === undefined) return state;
  const said = { value: shown(value, channel.scale), ts };
  return { ...state, ...said, ...(value.quality !== 'good' && { quality: value.quality }) };
}

/** As JSON.parse of a browser reads it without losing digits. */
function shown({ type, value, quality }: Value, scale: number): ShownValue {
  if (quality === 'fault') return null;
  const text = jsonText(type, value, scale);
  if (text === undefined) return null;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') return printable(value, MAX_TEXT);
  if (typeof value === 'object') return text.slice(1, -1);
  const number = Number(text);
  // More digits than a float has are shown as they are.
  return typeof value === 'bigint' && !Number.isSafeInteger(Number(value)) ? text : number;
}
