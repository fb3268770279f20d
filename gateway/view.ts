/** What the gateway shows of itself: the JSON of bridge/info, bridge/health and the bridge's answers. */
import { performance } from 'node:perf_hooks';
import type { Acceptor, SourceEntry } from './acceptor.ts';
import type { Device, Transport } from './devices/device.ts';
import type { DeviceRegistry } from './devices/registry.ts';
import type { Durability } from './config/schema.ts';
import type { DeviceState, SourceState } from './http/api-types.ts';
import type { LimitWatch } from './limits/limit-watch.ts';
import type { Journal } from './journal/journal.ts';
import type { DeadLetters } from './mqtt/dead-letters.ts';
import type { LineFigures } from './mqtt/link-reports.ts';
import type { MqttService } from './mqtt/mqtt-service.ts';
import type { LinkContext, LinkCounters } from './sessions/link/link-context.ts';
import type { LinkTable } from './sessions/link/link-table.ts';
import type { ProfileTable } from './sessions/profile/profile-table.ts';
import type { Source } from './sources/source.ts';
import type { WallClock } from './wall-clock.ts';

type Json = Readonly<Record<string, unknown>>;

/** How what a source speaks begins that has neither a profile nor a service. */
const LINK = 'link protocol';

/** The parts that are looked at. */
export interface ViewedParts {
  readonly version: string;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  readonly acceptor: Acceptor;
  readonly watch: LimitWatch;
  readonly registry: DeviceRegistry;
  readonly links: LinkTable;
  readonly profiles: ProfileTable;
  readonly counters: LinkContext['counters'];
  readonly journal: Journal;
  readonly durability: Durability;
  /** Undefined when nothing is kept on disk. */
  readonly deadLetters: DeadLetters | undefined;
  readonly wall: WallClock;
  readonly mqtt: MqttService;
  readonly turns: () => number;
}

/** Names and addresses: what changes seldom. */
export function info(parts: ViewedParts): Json {
  const { version, startedAt, mqtt } = parts;
  return {
    version,
    node: process.version,
    started_at: parts.wall.at(startedAt),
    mqtt: { broker: mqtt.connection.where, version: mqtt.connection.version, base: mqtt.topics.base },
    sources: parts.acceptor.entries.map(({ source, where, speaks }) => ({
      id: source.id,
      transport: source.transport,
      where: where(),
      speaks,
      state: source.state,
    })),
    devices: Array.from(parts.registry, (device) => ({
      id: device.id,
      alias: device.alias,
      name: device.schema?.name,
      model: device.schema?.model,
      online: device.online,
    })),
  };
}

/** Counters: what changes all the time. Bytes, milliseconds and counts since the start. */
export function health(parts: ViewedParts): Json {
  const { acceptor, registry, mqtt, startedAt } = parts;
  const { rss } = process.memoryUsage();
  const cpu = process.cpuUsage();
  const online = Array.from(registry).filter((device) => device.online).length;
  return {
    uptime_s: Math.round((performance.now() - startedAt) / 1_000),
    memory_bytes: rss,
    cpu_ms: Math.round((cpu.user + cpu.system) / 1_000),
    turns: parts.turns(),
    devices: { known: registry.size, online },
    connections: acceptor.connections,
    strangers: acceptor.strangers,
    // How often each limit has bitten, by its key in the configuration.
    limits: { ...parts.watch.counts },
    link: Object.fromEntries(Object.entries(parts.counters).map(([name, counters]) => [name, countersOf(counters)])),
    sources: Object.fromEntries(
      acceptor.entries.map((entry) => [
        entry.source.id,
        { ...sourceHealth(acceptor, entry), profile: parts.profiles.viewOf(entry.source.id) },
      ]),
    ),
    journal: journalHealth(parts),
    mqtt: {
      connected: mqtt.connection.connected,
      ...mqtt.connection.stats,
      ...mqtt.publisher.stats,
      backlog: mqtt.publisher.backlog,
      setAside: mqtt.publisher.setAside,
      retried: mqtt.publisher.retried,
      commands: mqtt.commands.stats,
      requests: {
        answered: mqtt.requests.answered,
        retained: mqtt.requests.retained,
        limited: mqtt.requests.limited,
      },
      // Events and log lines that were too many.
      unsaid: mqtt.bridge.limited,
    },
  };
}

function journalHealth({ journal, durability, deadLetters, mqtt, wall }: ViewedParts): Json {
  const { oldestAt, ...stats } = journal.stats;
  return {
    id: journal.id,
    durability,
    ...stats,
    oldest_age_ms: oldestAt === undefined ? undefined : Math.max(0, wall.now() - oldestAt),
    watermark: mqtt.watermark.stats,
    dead_letters: deadLetters && { count: deadLetters.count, dropped: deadLetters.dropped },
  };
}

export function sources(parts: ViewedParts): Json[] {
  return parts.acceptor.entries.map((entry) => ({
    id: entry.source.id,
    where: entry.where(),
    speaks: entry.speaks,
    ...sourceHealth(parts.acceptor, entry),
    profile: parts.profiles.viewOf(entry.source.id),
  }));
}

/** The sources as the dashboard shows them. */
export function sourceStates(parts: ViewedParts): SourceState[] {
  const { acceptor, counters, profiles } = parts;
  return acceptor.entries.map((entry) => {
    const { source, channels, accepted, refused, failed, speaks } = entry;
    const { bytesRead, bytesWritten, dropped } = acceptor.trafficOf(entry);
    // The link protocol counts by transport, not by source; with one source of a kind, as most have, it is the same.
    const counted =
      profiles.countersOf(source.id) ?? (speaks.startsWith(LINK) ? counters[transportOf(source)] : undefined);
    return {
      id: source.id,
      where: entry.where(),
      transport: source.transport,
      speaks,
      state: source.state,
      ...(source.error !== undefined && { error: source.error.code }),
      channels,
      accepted,
      refused,
      failed,
      bytes_read: bytesRead,
      bytes_written: bytesWritten,
      ...(source.transport === 'udp' && { dropped }),
      rejected: Object.fromEntries(counted?.rejected ?? []),
      skipped_bytes: Object.fromEntries(counted?.skippedBytes ?? []),
    };
  });
}

function transportOf({ transport }: Source): Transport {
  return transport === 'tcp-client' ? 'tcp' : transport;
}

/** What is known of the line to a device: who is at the other end, and how good it is, as counts and milliseconds. */
export function lineOf(parts: ViewedParts, subject: Device): Pick<DeviceState, 'peer' | 'sealed' | 'link'> {
  const line = parts.profiles.linkQuality(subject);
  if (line !== undefined) {
    const { rejected: _, skipped_bytes: __, ...plain } = line.link_quality;
    return { peer: line.peer, link: nonZero({ ...plain, round_trip_ms: line.round_trip_ms }) };
  }
  const link = parts.links.link(subject);
  const session = link?.session;
  const quality = session?.carrier.quality;
  return {
    peer: session?.carrier.id,
    ...(session !== undefined && { sealed: session.channel !== undefined }),
    link: nonZero({
      round_trip_ms: session?.roundTripMs,
      checksum_errors: quality?.checksumErrors,
      skipped_bytes: quality?.skippedBytes,
      readings_lost: link?.lost,
      duplicates: link?.duplicates,
      rate_limited: link?.slowed,
      values_omitted: link?.omitted,
      bad_times: link?.badTime,
    }),
  };
}

/** The same as counts that are always there, for whoever draws them: see docs/mqtt.md. */
export function lineFigures(parts: ViewedParts, subject: Device): LineFigures {
  const profile = parts.profiles.get(subject);
  if (profile !== undefined) {
    const { timeouts, rejected } = profile.counters;
    // Whose frame it was, nobody knows of one that is damaged: these two are of the whole line.
    const { checksumErrors, skippedBytes } = parts.profiles.countersOfLine(subject) ?? profile.counters;
    return {
      checksum_errors: checksumErrors,
      skipped_bytes: sum(skippedBytes.values()) - (skippedBytes.get('fill') ?? 0),
      timeouts,
      frames_rejected: sum(rejected.values()),
      round_trip_ms: rounded(profile.roundTripMs),
    };
  }
  const link = parts.links.link(subject);
  const session = link?.session;
  return {
    checksum_errors: session?.carrier.quality?.checksumErrors ?? 0,
    skipped_bytes: session?.carrier.quality?.skippedBytes ?? 0,
    readings_lost: link?.lost ?? 0,
    duplicates: link?.duplicates ?? 0,
    round_trip_ms: rounded(session?.roundTripMs),
  };
}

function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 10) / 10;
}

function sum(counts: Iterable<number>): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}

function nonZero(counts: Readonly<Record<string, number | undefined>>): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [name, count] of Object.entries(counts)) if (count !== undefined && count > 0) found[name] = count;
  return found;
}

/** One device with its channels. Names from the wire are values here, never keys. */
export function device(parts: ViewedParts, subject: Device): Json {
  const link = parts.links.link(subject);
  return {
    id: subject.id,
    alias: subject.alias,
    name: subject.schema?.name,
    model: subject.schema?.model,
    firmware: subject.schema?.firmware,
    online: subject.online,
    transport: subject.transport,
    last_seen: subject.lastSeen,
    boot: link?.boot,
    peer: link?.session?.carrier.id,
    // Whether what it says is sealed with its key; undefined without a session.
    sealed: link?.session && link.session.channel !== undefined,
    round_trip_ms: link?.session?.roundTripMs,
    rate_limited: link?.slowed,
    values_omitted: link?.omitted,
    bad_times: link?.badTime,
    ...parts.profiles.linkQuality(subject),
    channels: Array.from(subject.channels.values(), ({ number, alias, name, type, class: kind, unit, writable }) => ({
      number,
      alias,
      name,
      type,
      class: kind,
      unit,
      writable,
    })),
  };
}

function sourceHealth(acceptor: Acceptor, entry: SourceEntry): Json {
  const { source, channels, accepted, refused, failed } = entry;
  const { bytesRead, bytesWritten, dropped } = acceptor.trafficOf(entry);
  return {
    state: source.state,
    error: source.error?.code,
    channels,
    accepted,
    refused,
    failed,
    // What did not get through a handshake of the transport itself: TLS.
    refusals: source.refusals && Object.fromEntries(source.refusals),
    bytes_read: bytesRead,
    bytes_written: bytesWritten,
    // Only datagrams can be lost on this side.
    dropped: source.transport === 'udp' ? dropped : undefined,
  };
}

function countersOf(counters: LinkCounters): Json {
  const { rejected, skippedBytes, ...plain } = counters;
  return { ...plain, rejected: Object.fromEntries(rejected), skipped_bytes: Object.fromEntries(skippedBytes) };
}
