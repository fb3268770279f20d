/**
 * Takes what the sources offer: each new channel gets its session, within the limits.
 *
 * ```
 *   source ready ─→ accept() ─→ limits ─→ channel host ─→ link session | bring-up service
 * ```
 */
import { GatewayError } from './errors.ts';
import type { Log, RateLimitedLog } from './log.ts';
import type { Handler, Loop } from './loop.ts';
import { ChannelHost } from './sessions/channel-host.ts';
import type { Session, SessionHost } from './sessions/session.ts';
import { type Channel, READ, type Source, type StreamChannel } from './sources/source.ts';

/** Channels taken from one source in one turn. */
const MAX_ACCEPTS_PER_TURN = 64;

export interface AcceptorLimits {
  /** Stream connections in all, over all listeners. */
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Bytes that a session may read in one turn. */
  readonly readBudget: number;
}

/** Makes the session that runs on a channel of one source. */
export type SessionFactory = (channel: Channel, host: SessionHost) => Session;

/** What a source is used for. */
export interface SourceUse {
  /** Its address for people. */
  readonly where: () => string;
  /** `link protocol`, or the service. */
  readonly speaks: string;
  readonly createSession: SessionFactory;
}

/** What is known of one source, for statistics. */
export interface SourceEntry extends SourceUse {
  readonly source: Source;
  /** Channels open now. */
  channels: number;
  accepted: number;
  /** Refused by a limit. */
  refused: number;
  /** Ended with an error. */
  failed: number;
  /** Bytes of channels that are closed; those of the open ones come on top. */
  closedBytesRead: number;
  closedBytesWritten: number;
  /** Datagrams that such channels had no room for. */
  closedDropped: number;
}

/** What has passed through a source since the start. */
export interface SourceTraffic {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Datagrams lost because they came faster than they were taken; 0 for streams. */
  readonly dropped: number;
}

export class Acceptor {
  readonly #loop: Loop;
  readonly #limits: AcceptorLimits;
  readonly #log: Log;
  readonly #rateLimited: RateLimitedLog;
  readonly #entries: SourceEntry[] = [];
  /** The channels that are open. */
  readonly #entryOf = new Map<ChannelHost, SourceEntry>();
  readonly #perAddress = new Map<string, number>();
  #connections = 0;

  constructor(loop: Loop, limits: AcceptorLimits, log: Log, limited: RateLimitedLog) {
    this.#loop = loop;
    this.#limits = limits;
    this.#log = log;
    this.#rateLimited = limited;
  }

  get entries(): readonly SourceEntry[] {
    return this.#entries;
  }

  /** Stream connections from listeners that are open now. */
  get connections(): number {
    return this.#connections;
  }

  /** Watches a source; every channel that it offers runs what `use.createSession` makes. */
  add(source: Source, use: SourceUse): void {
    const entry: SourceEntry = {
      ...use,
      source,
      channels: 0,
      accepted: 0,
      refused: 0,
      failed: 0,
      closedBytesRead: 0,
      closedBytesWritten: 0,
      closedDropped: 0,
    };
    this.#entries.push(entry);
    const handler: Handler = { onReady: () => this.#accept(entry) };
    this.#loop.register(source, READ, handler);
  }

  trafficOf(entry: SourceEntry): SourceTraffic {
    let bytesRead = entry.closedBytesRead;
    let bytesWritten = entry.closedBytesWritten;
    let dropped = entry.closedDropped;
    for (const [{ channel }, owner] of this.#entryOf) {
      if (owner !== entry) continue;
      bytesRead += channel.bytesRead;
      bytesWritten += channel.bytesWritten;
      dropped += droppedBy(channel);
    }
    return { bytesRead, bytesWritten, dropped };
  }

  /** Stops listening, then lets every session say goodbye. */
  async close(): Promise<void> {
    await Promise.all(this.#entries.map((entry) => entry.source.close()));
    for (const host of this.#entryOf.keys()) host.session?.close();
  }

  #accept(entry: SourceEntry): void {
    for (let n = 0; n < MAX_ACCEPTS_PER_TURN; n++) {
      const channel = entry.source.accept();
      if (channel === undefined) return;
      if (channel.kind === 'stream' && isConnection(entry.source) && !this.#admit(channel, entry)) continue;
      entry.accepted++;
      entry.channels++;
      const host = new ChannelHost(this.#loop, channel, this.#limits.readBudget, this.#log, this.#onFinished);
      this.#entryOf.set(host, entry);
      host.start(entry.createSession(channel, host));
      this.#log.debug({ source: entry.source.id, channel: channel.id }, `opened ${channel.id}`);
    }
  }

  #admit(channel: StreamChannel, entry: SourceEntry): boolean {
    const address = addressOf(channel);
    const fromThere = this.#perAddress.get(address) ?? 0;
    const { connections, connectionsPerAddress } = this.#limits;
    if (this.#connections < connections && (fromThere < connectionsPerAddress || entry.source.transport === 'unix')) {
      this.#connections++;
      this.#perAddress.set(address, fromThere + 1);
      return true;
    }
    channel.abort();
    entry.refused++;
    const limit =
      this.#connections >= connections
        ? `limits.connections (${connections})`
        : `limits.connections_per_address (${connectionsPerAddress})`;
    const error = new GatewayError('TOO_MANY_CONNECTIONS', channel.id, `refused, because ${limit} is reached`);
    this.#rateLimited.warn(`${error.code} ${entry.source.id}`, { code: error.code }, error.message);
    return false;
  }

  readonly #onFinished = (host: ChannelHost, error: GatewayError | undefined): void => {
    const entry = this.#entryOf.get(host);
    if (entry === undefined) return;
    this.#entryOf.delete(host);
    entry.channels--;
    const { channel } = host;
    entry.closedBytesRead += channel.bytesRead;
    entry.closedBytesWritten += channel.bytesWritten;
    entry.closedDropped += droppedBy(channel);
    if (channel.kind === 'stream' && isConnection(entry.source)) this.#discount(addressOf(channel));
    if (error === undefined) {
      this.#log.debug({ channel: channel.id }, `closed ${channel.id}`);
      return;
    }
    entry.failed++;
    this.#rateLimited.warn(
      `${error.code} ${entry.source.id}`,
      { code: error.code, channel: channel.id },
      error.message,
    );
  };

  #discount(address: string): void {
    this.#connections--;
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, left);
  }
}

/** Connections that others open count against the limits; our own and serial lines do not. */
function isConnection(source: Source): boolean {
  return source.transport === 'tcp' || source.transport === 'unix';
}

function droppedBy(channel: Channel): number {
  return channel.kind === 'datagram' ? channel.dropped : 0;
}

/** `192.168.1.7:50122` → `192.168.1.7`. */
function addressOf(channel: StreamChannel): string {
  const colon = channel.peer.lastIndexOf(':');
  return colon === -1 ? channel.peer : channel.peer.slice(0, colon);
}
