/**
 * The composition root: the gateway as in the picture.
 *
 * ```
 *   Source → Selector → Session ─ frames → messages → readings ─→ Journal ─→ Publisher → broker
 *      ↑        ↑          │                                         │           │
 *      └─ ACK ──┼──────────┴─────────── durable ─────────────────────┘           │
 *               └────────────── read interest dropped while full ────────────────┘
 * ```
 */
import { randomBytes, randomInt } from 'node:crypto';
import { uptime } from 'node:os';
import { performance } from 'node:perf_hooks';
import { Acceptor, type SessionFactory } from './acceptor.ts';
import { Announcer } from './announcer.ts';
import { aliasesOf } from './config/aliases.ts';
import { formatProblem, type Problem } from './config/problem.ts';
import type { Config, LimitsConfig, SourceConfig } from './config/schema.ts';
import type { Transport } from './devices/device.ts';
import { DeviceRequests } from './devices/device-requests.ts';
import { NO_NAMES } from './devices/device-names.ts';
import { NamesFile } from './devices/names-file.ts';
import { DeviceRegistry, type Renamed } from './devices/registry.ts';
import { openJournalOf } from './journal-of.ts';
import { deviceProfileOf } from './discovery/device-profile.ts';
import { DatagramAnswers } from './limits/datagram-answers.ts';
import { HandshakeGate } from './limits/handshake-gate.ts';
import { LimitWatch } from './limits/limit-watch.ts';
import { type Log, type LogLevel, rateLimited } from './log.ts';
import { Loop } from './loop.ts';
import { teeLog } from './mqtt/bridge-log.ts';
import { startEmbeddedBroker } from './mqtt/embedded-broker.ts';
import { connectionOptions } from './mqtt/connection-options.ts';
import { createMqttService, type MqttService } from './mqtt/mqtt-service.ts';
import { RequestError } from './mqtt/requests.ts';
import { Refusals } from './refusals.ts';
import type { ReloadOutcome } from './reload/config-reloader.ts';
import { type Applied, Reconfiguration, tellConflicts } from './reload/reconfiguration.ts';
import { SourceSet } from './reload/source-set.ts';
import { statusLine } from './service-manager/status-line.ts';
import { createLinkCounters, type LinkContext } from './sessions/link/link-context.ts';
import { LinkDatagrams } from './sessions/link/link-datagrams.ts';
import { LinkStream } from './sessions/link/link-stream.ts';
import { LinkTable } from './sessions/link/link-table.ts';
import { ProfileTable } from './sessions/profile/profile-table.ts';
import { serveDatagrams, serveStream } from './sessions/services/services.ts';
import type { Source } from './sources/source.ts';
import { WebService } from './http/web-service.ts';
import { FrameTap } from './tap/frame-tap.ts';
import { VERSION } from './version.ts';
import * as view from './view.ts';
import { CHECK_MS, WallClock } from './wall-clock.ts';

/** A command that a device does not answer is given up after this. */
const COMMAND_TTL_S = 30;
/** How long a closing gateway waits for the broker to take what is in the journal. */
const DRAIN_MS = 2_000;
/** Counts of suppressed log lines are told this often. */
const LOG_FLUSH_MS = 60_000;
/** The command line may delete dead letters while the gateway runs: they are counted anew this often. */
const COUNT_LETTERS_MS = 10_000;

/** A silent serial line is not closed: opening it again would reset many boards. */
const QUIET_LINE = { idleMs: Number.POSITIVE_INFINITY };

export interface GatewayOptions {
  /** For the request that changes the log level. */
  readonly setLogLevel?: (level: LogLevel) => void;
  /** For the request that reads the configuration again; undefined: there is none to be read. */
  readonly reload?: () => Promise<ReloadOutcome>;
}

export interface RunningGateway {
  /** Where the broker is, e.g. `127.0.0.1:1883`. */
  readonly broker: string;
  /** Base of all topics. */
  readonly base: string;
  /** The sources in the order of the configuration, with their addresses: `where` has the port that was chosen. */
  readonly sources: readonly { readonly id: string; readonly where: string; readonly state: Source['state'] }[];
  /** `host:port` of the dashboard, or undefined when there is none. */
  readonly dashboard: string | undefined;
  /** Readings that the broker has taken, by transport. */
  readonly published: Readonly<Record<Transport, number>>;
  /** Resolves when the loop has turned once more; never, when it does not. */
  turned(): Promise<void>;
  /** One line on how it is. */
  statusLine(): string;
  /** Applies what of a new configuration can be applied now. Must not be called again before it is done. */
  reconfigure(next: Config): Promise<Applied>;
  /** Says something on bridge/event. */
  event(type: string, data: Readonly<Record<string, unknown>>): void;
  /** The counters of bridge/health. */
  health(): Readonly<Record<string, unknown>>;
  /** Stops taking readings, gets rid of what the broker takes within two seconds, says goodbye and ends. */
  close(): Promise<void>;
}

/**
 * Starts everything and comes back when every source has been tried once. A source or broker that is not there is
 * told, tried again, and stops nothing else. Rejects with a GatewayError when the folder of the journal cannot be used.
 */
export async function startGateway(
  config: Config,
  plainLog: Log,
  options: GatewayOptions = {},
): Promise<RunningGateway> {
  const loop = new Loop();
  const wall = new WallClock({
    system: () => Date.now(),
    monotonic: () => performance.now(),
    sinceBoot: () => uptime() * 1_000,
    onStep: (byMs) => {
      log.warn({ byMs }, 'the clock of this machine was set; what comes now is dated by the new time');
      mqtt.bridge.event('clock_set', { by_ms: byMs });
    },
  });
  const startedAt = performance.now();
  const log = teeLog(plainLog, (level, message, fields) => {
    mqtt.bridge.log(level, message, fields);
    web?.lines.add({ ts: wall.now(), level, message });
  });
  const limited = rateLimited(log, () => performance.now());
  const watch = new LimitWatch(limited);
  // These two change while the gateway runs: everybody looks at them when they count.
  const limits: { -readonly [Key in keyof LimitsConfig]: LimitsConfig[Key] } = { ...config.limits };
  const credentials = new Map(config.devices);
  const namesFile = config.journal.durability === 'memory' ? undefined : new NamesFile(config.journal.dir, plainLog);
  const registry = new DeviceRegistry(aliasesOf(config), () => limits.devices, namesFile?.read() ?? NO_NAMES);
  tellConflicts(registry, plainLog);
  const { journal, deadLetters } = await openJournalOf(
    config,
    registry,
    plainLog,
    rateLimited(plainLog, () => performance.now()),
  );
  const counters = {
    tcp: createLinkCounters(),
    udp: createLinkCounters(),
    unix: createLinkCounters(),
    serial: createLinkCounters(),
  };

  const embedded = config.mqtt.url === undefined ? await startEmbeddedBroker() : undefined;
  if (embedded !== undefined) tellOfEmbeddedBroker(plainLog, embedded.port);
  const mqtt: MqttService = createMqttService({
    connection: {
      ...connectionOptions(config.mqtt, embedded?.url),
      clientId: config.mqtt.clientId ?? `bytes2mqtt-${randomBytes(4).toString('hex')}`,
    },
    base: config.mqtt.base,
    qos: config.mqtt.qos,
    journal,
    replayRate: config.delivery.replayRate,
    ...(deadLetters !== undefined && { deadLetters }),
    log,
    now: () => wall.now(),
    monotonicNow: () => performance.now(),
    devices: () => registry,
    limits,
    watch,
    figures: (device) => view.lineFigures(parts, device),
    profileOf: (device) => deviceProfileOf(device, profiles.get(device)),
    discovery: config.discovery,
    version: VERSION,
    deviceByAlias: (alias) => registry.byAlias(alias),
    sendCommand: (device, value, done) => {
      if (profiles.has(device)) profiles.command(device, value, COMMAND_TTL_S, done);
      else links.command(device.id, value, COMMAND_TTL_S, done);
    },
    view: {
      info: () => view.info(parts),
      health: () => view.health(parts),
      sources: () => view.sources(parts),
      devices: () => Array.from(registry, (device) => view.device(parts, device)),
      device: (name) => {
        const device = registry.byAlias(name) ?? registry.get(name);
        return device === undefined ? undefined : view.device(parts, device);
      },
      setLogLevel: (level) => options.setLogLevel?.(level),
      renameDevice: (name, alias) => deviceRequests.rename(name, alias),
      removeDevice: (name) => deviceRequests.remove(name),
      reload: () => reload(options),
    },
  });
  const aliasOf = (id: string): string | undefined => (credentials.has(id) ? registry.get(id)?.alias : undefined);
  const refusals = new Refusals(mqtt.bridge, log, aliasOf, () => performance.now());
  const announcer = new Announcer(mqtt, log, limited, refusals);

  const handshakes = new HandshakeGate(limits, () => loop.now(), watch);
  const links = new LinkTable({
    registry,
    credentials,
    journal,
    timers: loop.timers,
    now: () => loop.now(),
    // Of the same moment as `now`: so nothing but the offset stands between the two.
    wallNow: () => wall.at(loop.now()),
    randomU32: () => randomInt(2 ** 32),
    limits,
    watch,
    admitHandshake: (carrier) => handshakes.admit(carrier.address),
    counters,
    listener: announcer,
    log: limited,
  });
  const profiles = new ProfileTable(
    {
      registry,
      journal,
      timers: loop.timers,
      now: () => loop.now(),
      wallNow: () => wall.at(loop.now()),
      limits,
      watch,
      listener: announcer,
      log: limited,
    },
    [],
  );
  const tap = new FrameTap(() => wall.now());
  const acceptor = new Acceptor(loop, limits, log, limited, watch, tap);
  const guards = {
    watch,
    answers: new DatagramAnswers(
      () => limits.answersPerS,
      () => loop.now(),
      watch,
    ),
  };
  const sourceContext = {
    timers: loop.timers,
    now: () => performance.now(),
    random: Math.random,
    log: limited,
    admitHandshake: (address: string) => handshakes.admit(address),
    get outputBytes() {
      return limits.outputBytes;
    },
  };
  const parts = {
    version: VERSION,
    startedAt,
    acceptor,
    watch,
    registry,
    links,
    profiles,
    counters,
    journal,
    durability: config.journal.durability,
    deadLetters,
    mqtt,
    wall,
    turns: () => loop.turns,
  };
  const web =
    config.http && new WebService({ config: config.http, parts, journal, tap, log, now: () => performance.now() });
  if (web !== undefined) announcer.onLine = (line) => web.lines.add({ ...line, ts: wall.now() });

  journal.onDurable = () => {
    links.onDurable();
    profiles.onDurable();
    // A journal that syncs in the background is done between two turns; the ACKs go out at the end of one.
    loop.wakeup();
  };
  journal.onRoom = () => {
    links.onRoom();
    profiles.onRoom();
    loop.wakeup();
  };
  registry.onRemoved = (device) => {
    links.forget(device);
    profiles.forget(device);
    // First its entities: none of them shall be told that it has no state.
    mqtt.discovery?.deviceRemoved(device);
    mqtt.bridge.deviceRemoved(device);
    web?.forget(device);
    web?.lines.forget(device.alias);
  };
  // The end of a turn: all that it brought becomes durable together, then the ACKs, then the broker.
  loop.atEndOfTurn(() => journal.commit());
  loop.atEndOfTurn(() => links.sendAcks());
  loop.atEndOfTurn(() => profiles.onRoom());
  loop.atEndOfTurn(() => mqtt.publisher.pump());

  const sources = new SourceSet({
    acceptor,
    profiles,
    announcer,
    context: sourceContext,
    sessionsOf: (source) => sessionFactory(source, links, profiles, limits, counters, guards),
  });
  for (const source of config.sources) sources.add(source);

  const renamed = (devices: readonly Renamed[]): void => {
    for (const { device, before } of devices) {
      mqtt.deviceRenamed(device, before, registry.byAlias(before) === undefined);
      web?.lines.rename(before, device.alias);
      log.info({ device: device.alias, before }, `${before} is called ${device.alias} now`);
      mqtt.bridge.event('device_renamed', { device: device.alias, before, id: device.id });
    }
  };
  const deviceRequests = new DeviceRequests({
    registry,
    renamed,
    removed: ({ id, alias }) => {
      log.info({ device: alias }, `${alias} was forgotten, as it was asked for`);
      mqtt.bridge.event('device_removed', { device: alias, id });
    },
    save: (names) => namesFile?.write(names) ?? false,
  });
  const reconfiguration = new Reconfiguration(config, {
    limits,
    credentials,
    registry,
    links,
    sources,
    renamed,
    setLogLevel: (level) => options.setLogLevel?.(level),
    log,
  });

  mqtt.start();
  const loopEnded = loop.run();
  await Promise.all([sources.open(), web?.open()]);
  const timers = [
    setInterval(() => flushLogs(), LOG_FLUSH_MS),
    setInterval(() => wall.check(), CHECK_MS),
    setInterval(() => void deadLetters?.look().catch(() => undefined), COUNT_LETTERS_MS),
  ];
  for (const timer of timers) timer.unref();

  async function close(): Promise<void> {
    for (const timer of timers) clearInterval(timer);
    await web?.close();
    // First the goodbyes, while there is something to say them on.
    links.close();
    profiles.close();
    await acceptor.close();
    loop.wakeup();
    const giveUpAt = performance.now() + DRAIN_MS;
    while (mqtt.connection.connected && journal.accepted < journal.durable && performance.now() < giveUpAt)
      await pause(10);
    await mqtt.close();
    await embedded?.close();
    loop.stop();
    await loopEnded;
    await journal.close();
    flushLogs(true);
  }

  /** What was suppressed is told. */
  function flushLogs(all = false): void {
    limited.flush(all);
    refusals.flush(all);
  }

  return {
    get broker() {
      return mqtt.connection.where;
    },
    base: config.mqtt.base,
    get sources() {
      return acceptor.entries.map(({ source, where }) => ({ id: source.id, where: where(), state: source.state }));
    },
    get dashboard() {
      return web?.where;
    },
    published: mqtt.publisher.stats.publishedBy,
    turned: () => loop.turned(),
    statusLine: () => statusLine(parts),
    reconfigure: (next) => reconfiguration.apply(next),
    event: (type, data) => mqtt.bridge.event(type, data),
    health: () => view.health(parts),
    close,
  };
}

/** What runs on the channels of a source: the link protocol, or what is configured, a profile or a bring-up service. */
function sessionFactory(
  source: SourceConfig,
  links: LinkTable,
  profiles: ProfileTable,
  limits: LimitsConfig,
  counters: LinkContext['counters'],
  guards: { readonly watch: LimitWatch; readonly answers: DatagramAnswers },
): SessionFactory {
  if (source.profile !== undefined) return (channel, host) => profiles.createSession(source, channel, host);
  const { service, plain } = source;
  const transport: Transport = source.kind === 'connect' ? 'tcp' : source.kind;
  return (channel, host) => {
    if (channel.kind === 'datagram') {
      return service === undefined
        ? new LinkDatagrams(channel, host, links, counters.udp, guards.answers, plain)
        : serveDatagrams(service, channel, host, guards.answers);
    }
    return service === undefined
      ? new LinkStream(channel, transport, host, links, limits, counters[transport], guards.watch, plain)
      : serveStream(service, channel, host, source.kind === 'serial' ? QUIET_LINE : {});
  };
}

async function reload(options: GatewayOptions): Promise<unknown> {
  const outcome = await options.reload?.();
  if (outcome === undefined)
    throw new RequestError('this gateway was started without a configuration to be read again');
  if (!outcome.ok) throw new RequestError(outcome.problems.map(toldOverMqtt).join('\n'));
  return { applied: outcome.applied, needs_restart: outcome.needsRestart };
}

/** What is there is for the log: here only what would be right. */
function toldOverMqtt(problem: Problem): string {
  return formatProblem({ ...problem, found: undefined });
}

function tellOfEmbeddedBroker(log: Log, port: number): void {
  log.info(
    { port },
    `no mqtt.url is configured, so a broker of our own runs on 127.0.0.1:${port}; it keeps nothing over a restart. ` +
      'Set mqtt.url to use a real one.',
  );
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
