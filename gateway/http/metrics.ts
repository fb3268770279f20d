/**
 * `/metrics` for Prometheus: names, units and types by its conventions (prometheus.io/docs/practices/naming). Everything
 * is read from the gateway's own counters when it is asked for.
 *
 * Labels have few values: sources, transports and reasons are ours; of devices only the first 500 get one.
 */
import { performance } from 'node:perf_hooks';
import { Counter, Gauge, Registry } from 'prom-client';
import { LIMIT_NAMES } from '../limits/limit-watch.ts';
import type { ViewedParts } from '../view.ts';

const MAX_DEVICES = 500;

type Labels = Readonly<Record<string, string>>;
type Series = Iterable<readonly [labels: Labels, value: number]>;

export class Metrics {
  readonly #registry = new Registry();
  readonly #parts: ViewedParts;

  constructor(parts: ViewedParts) {
    this.#parts = parts;
    this.#describeProcess();
    this.#describeDevices();
    this.#describeSources();
    this.#describeLink();
    this.#describeJournal();
    this.#describeMqtt();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The exposition format, version 0.0.4. */
  async text(): Promise<string> {
    return this.#registry.metrics();
  }

  #describeProcess(): void {
    const { version, startedAt, turns, watch } = this.#parts;
    this.#gauge('build_info', 'Version of the gateway and of Node; always 1.', ['version', 'node'], () => [
      [{ version, node: process.version }, 1],
    ]);
    this.#value('uptime_seconds', 'Seconds since the gateway was started.', () => elapsed(startedAt));
    this.#value('memory_resident_bytes', 'Resident memory of the process.', () => process.memoryUsage().rss);
    this.#total('cpu_seconds_total', 'Processor time of the process, user and system.', () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });
    this.#total('loop_turns_total', 'Turns of the select loop.', turns);
    this.#counter('limit_bites_total', 'How often each limit has bitten, by its key.', ['limit'], () =>
      LIMIT_NAMES.map((limit) => [{ limit }, watch.counts[limit]] as const),
    );
  }

  #describeDevices(): void {
    const { registry } = this.#parts;
    this.#value('devices_known', 'Devices that the gateway knows.', () => registry.size);
    this.#value('devices_online', 'Devices that are online.', () => count(registry, ({ online }) => online));
    this.#gauge('device_up', 'Whether a device is online (the first 500).', ['device'], () =>
      first(registry, MAX_DEVICES).map(({ alias, online }) => [{ device: alias }, Number(online)] as const),
    );
    this.#gauge('device_last_seen_timestamp_seconds', 'When a device was last heard (the first 500).', ['device'], () =>
      first(registry, MAX_DEVICES).flatMap(({ alias, lastSeen }) =>
        lastSeen === undefined ? [] : [[{ device: alias }, lastSeen / 1_000] as const],
      ),
    );
  }

  #describeSources(): void {
    const { acceptor } = this.#parts;
    const each = (value: (entry: (typeof acceptor.entries)[number]) => number) => (): Series =>
      acceptor.entries.map((entry) => [{ source: entry.source.id, transport: entry.source.transport }, value(entry)]);
    const labels = ['source', 'transport'];
    this.#gauge(
      'source_up',
      'Whether a source is open.',
      labels,
      each(({ source }) => Number(source.state === 'open')),
    );
    this.#gauge(
      'source_channels',
      'Connections, ports or sockets open on a source.',
      labels,
      each(({ channels }) => channels),
    );
    this.#counter(
      'source_accepted_total',
      'Connections taken.',
      labels,
      each(({ accepted }) => accepted),
    );
    this.#counter(
      'source_refused_total',
      'Connections refused by a limit.',
      labels,
      each(({ refused }) => refused),
    );
    this.#counter(
      'source_failed_total',
      'Connections that ended with an error.',
      labels,
      each(({ failed }) => failed),
    );
    const traffic = (key: 'bytesRead' | 'bytesWritten' | 'dropped') => each((entry) => acceptor.trafficOf(entry)[key]);
    this.#counter('source_received_bytes_total', 'Bytes received.', labels, traffic('bytesRead'));
    this.#counter('source_sent_bytes_total', 'Bytes sent.', labels, traffic('bytesWritten'));
    this.#counter('source_dropped_datagrams_total', 'Datagrams that came too fast.', labels, traffic('dropped'));
  }

  #describeLink(): void {
    const { counters } = this.#parts;
    const transports = Object.entries(counters);
    const each = (key: 'frames' | 'readings' | 'duplicates' | 'busy' | 'limited') => (): Series =>
      transports.map(([transport, values]) => [{ transport }, values[key]]);
    this.#counter('link_frames_total', 'Frames of the link protocol received.', ['transport'], each('frames'));
    this.#counter('link_readings_total', 'Frames of readings taken.', ['transport'], each('readings'));
    this.#counter('link_duplicates_total', 'Frames that had come before.', ['transport'], each('duplicates'));
    this.#counter('link_busy_total', 'Frames not taken, as the journal was full.', ['transport'], each('busy'));
    this.#counter(
      'link_limited_total',
      'Frames not taken, as their device sent too many.',
      ['transport'],
      each('limited'),
    );
    const reasons = (key: 'rejected' | 'skippedBytes') => (): Series =>
      transports.flatMap(([transport, values]) =>
        Array.from(values[key], ([reason, value]) => [{ transport, reason }, value] as const),
      );
    this.#counter('link_rejected_total', 'Frames not accepted.', ['transport', 'reason'], reasons('rejected'));
    this.#counter(
      'link_skipped_bytes_total',
      'Bytes that belong to no frame.',
      ['transport', 'reason'],
      reasons('skippedBytes'),
    );
  }

  #describeJournal(): void {
    const { journal, deadLetters, wall } = this.#parts;
    const { stats } = journal;
    this.#value('journal_waiting_records', 'Records that the broker has not accepted yet.', () => journal.stats.depth);
    this.#value('journal_oldest_seconds', 'Age of the oldest of them.', () => {
      const { oldestAt } = journal.stats;
      return oldestAt === undefined ? 0 : Math.max(0, wall.now() - oldestAt) / 1_000;
    });
    this.#value('journal_held_records', 'Records accepted and still kept.', () => journal.stats.held);
    this.#value('journal_size_bytes', 'Bytes of its files.', () => journal.stats.bytesOnDisk);
    this.#value('journal_full', 'Whether devices are told to wait.', () => Number(journal.full));
    this.#value('journal_trouble', 'Whether nothing becomes durable at present.', () =>
      Number(journal.stats.trouble !== undefined),
    );
    this.#total('journal_appended_total', 'Records taken.', () => journal.stats.appended);
    this.#total('journal_syncs_total', 'Times that the disk was synced.', () => journal.stats.syncs);
    this.#total('journal_written_bytes_total', 'Bytes written to the disk.', () => journal.stats.bytesWritten);
    this.#total('journal_damaged_total', 'Damaged places found at the start.', () => stats.damaged);
    this.#value('dead_letters', 'Records that the broker has refused.', () => deadLetters?.count ?? 0);
  }

  #describeMqtt(): void {
    const { mqtt } = this.#parts;
    const { connection, publisher } = mqtt;
    this.#value('mqtt_connected', 'Whether the broker is there.', () => Number(connection.connected));
    this.#total('mqtt_connects_total', 'Connections made to the broker.', () => connection.stats.connects);
    this.#value('mqtt_in_flight', 'Messages that the broker has not acknowledged.', () => connection.stats.inFlight);
    this.#counter('mqtt_published_total', 'Records that the broker has taken.', ['transport'], () =>
      Object.entries(publisher.stats.publishedBy).map(([transport, value]) => [{ transport }, value] as const),
    );
    this.#counter('mqtt_refused_total', 'Messages that the broker has refused.', ['reason'], () =>
      Object.entries(publisher.stats.refusedBy).map(([reason, value]) => [{ reason }, value] as const),
    );
    this.#total('mqtt_resent_total', 'Records sent again after a lost connection.', () => publisher.stats.resent);
    this.#total('commands_sent_total', 'Values sent to devices.', () => mqtt.commands.stats.sent);
  }

  // ---------------------------------------------------------------------------------------------------------------

  #value(name: string, help: string, value: () => number): void {
    this.#gauge(name, help, [], () => [[{}, value()]]);
  }

  #total(name: string, help: string, value: () => number): void {
    this.#counter(name, help, [], () => [[{}, value()]]);
  }

  #gauge(name: string, help: string, labelNames: string[], series: () => Series): void {
    const gauge = new Gauge({
      name: `bytes2mqtt_${name}`,
      help,
      labelNames,
      registers: [],
      collect() {
        this.reset();
        for (const [labels, value] of series()) this.set(labels, value);
      },
    });
    this.#registry.registerMetric(gauge);
  }

  #counter(name: string, help: string, labelNames: string[], series: () => Series): void {
    const counter = new Counter({
      name: `bytes2mqtt_${name}`,
      help,
      labelNames,
      registers: [],
      collect() {
        this.reset();
        for (const [labels, value] of series()) this.inc(labels, value);
      },
    });
    this.#registry.registerMetric(counter);
  }
}

function elapsed(startedAt: number): number {
  return (performance.now() - startedAt) / 1_000;
}

function count<T>(all: Iterable<T>, wanted: (one: T) => boolean): number {
  let found = 0;
  for (const one of all) if (wanted(one)) found++;
  return found;
}

function first<T>(all: Iterable<T>, most: number): T[] {
  const found: T[] = [];
  for (const one of all) {
    if (found.length === most) break;
    found.push(one);
  }
  return found;
}
