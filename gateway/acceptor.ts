/**
 * Takes what the sources offer: each new channel gets its session, within the limits.
 *
 * ```
 *   source ready ─→ accept() ─→ limits ─→ channel host ─→ link session | bring-up service
 *                                 └─ full: the oldest connection without a session goes, or else the new one
 * ```
 */
import { GatewayError } from './errors.ts';
import { addressKey } from './limits/address-key.ts';
import type { LimitName, LimitWatch } from './limits/limit-watch.ts';
import type { Log, RateLimitedLog } from './log.ts';
import type { Handler, Loop } from './loop.ts';
import type { SelectionKey } from './selector.ts';
import { ChannelTap } from './tap/channel-tap.ts';
import type { FrameTap } from './tap/frame-tap.ts';
import { ChannelHost, type ChannelOwner } from './sessions/channel-host.ts';
import type { Session, SessionHost } from './sessions/session.ts';
import { hostOf } from './sources/address.ts';
import { type Channel, READ, type Source, type StreamChannel } from './sources/source.ts';

const TOO_MANY = 'TOO_MANY_CONNECTIONS';

/** Channels taken from one source in one turn. */
const MAX_ACCEPTS_PER_TURN = 64;

export interface AcceptorLimits {
  /** Stream connections in all, over all listeners. */
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Stream connections that have no session yet. */
  readonly connectionsUnauthenticated: number;
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

/** The connections from one address. */
interface Peers {
  readonly key: string;
  connections: number;
  /** Those without a session, the oldest first. */
  readonly strangers: Set<ChannelHost>;
}

/** What is known of an open channel. `peers` is undefined where the limits do not count. */
interface Standing {
  readonly entry: SourceEntry;
  readonly peers: Peers | undefined;
}

export class Acceptor implements ChannelOwner {
  readonly #loop: Loop;
  readonly #limits: AcceptorLimits;
  readonly #log: Log;
  readonly #rateLimited: RateLimitedLog;
  readonly #watch: LimitWatch;
  readonly #tap: FrameTap;
  readonly #entries: SourceEntry[] = [];
  readonly #keys = new Map<SourceEntry, SelectionKey<Handler>>();
  /** The channels that are open. */
  readonly #standing = new Map<ChannelHost, Standing>();
  readonly #byAddress = new Map<string, Peers>();
  #connections = 0;
  #strangers = 0;
  /** Told of each channel that has ended. */
  onFinished: ((host: ChannelHost, entry: SourceEntry) => void) | undefined;

  constructor(loop: Loop, limits: AcceptorLimits, log: Log, limited: RateLimitedLog, watch: LimitWatch, tap: FrameTap) {
    this.#loop = loop;
    this.#limits = limits;
    this.#log = log;
    this.#rateLimited = limited;
    this.#watch = watch;
    this.#tap = tap;
  }

  get entries(): readonly SourceEntry[] {
    return this.#entries;
  }

  /** Stream connections from listeners that are open now. */
  get connections(): number {
    return this.#connections;
  }

  /** Those of them that have no session yet. */
  get strangers(): number {
    return this.#strangers;
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
    this.#keys.set(entry, this.#loop.register(source, READ, handler));
  }

  /**
   * Takes a source away: it is closed, and every session on it says goodbye. Resolves when another one may take its place.
   */
  async remove(source: Source): Promise<void> {
    const index = this.#entries.findIndex((entry) => entry.source === source);
    const entry = this.#entries[index];
    const key = entry && this.#keys.get(entry);
    if (entry === undefined || key === undefined) throw new TypeError(`${source.id} is not there`);
    this.#entries.splice(index, 1);
    this.#keys.delete(entry);
    this.#loop.unregister(key);
    const closed = source.close();
    for (const [host, standing] of Array.from(this.#standing)) if (standing.entry === entry) host.session?.close();
    await closed;
    await source.released;
  }

  trafficOf(entry: SourceEntry): SourceTraffic {
    let bytesRead = entry.closedBytesRead;
    let bytesWritten = entry.closedBytesWritten;
    let dropped = entry.closedDropped;
    for (const [{ channel }, standing] of this.#standing) {
      if (standing.entry !== entry) continue;
      bytesRead += channel.bytesRead;
      bytesWritten += channel.bytesWritten;
      dropped += droppedBy(channel);
    }
    return { bytesRead, bytesWritten, dropped };
  }

  /** The channels that are open, and whose. */
  *standing(): Iterable<{ readonly host: ChannelHost; readonly entry: SourceEntry }> {
    for (const [host, { entry }] of this.#standing) yield { host, entry };
  }

  /** Stops listening, then lets every session say goodbye. */
  async close(): Promise<void> {
    await Promise.all(this.#entries.map((entry) => entry.source.close()));
    for (const host of this.#standing.keys()) host.session?.close();
  }

  #accept(entry: SourceEntry): void {
    for (let n = 0; n < MAX_ACCEPTS_PER_TURN; n++) {
      const channel = entry.source.accept();
      if (channel === undefined) return;
      let peers: Peers | undefined;
      if (channel.kind === 'stream' && isConnection(entry.source)) {
        peers = this.#admit(channel, entry);
        if (peers === undefined) continue;
      }
      entry.accepted++;
      entry.channels++;
      const peer = channel.kind === 'stream' ? channel.peer : channel.id;
      const tap = new ChannelTap(this.#tap, entry.source.id, peer);
      const host = new ChannelHost(this.#loop, channel, this.#limits.readBudget, this.#log, tap, this);
      this.#standing.set(host, { entry, peers });
      host.start(entry.createSession(channel, host));
      this.#log.debug({ source: entry.source.id, channel: channel.id }, `opened ${channel.id}`);
      if (this.#strangers > this.#limits.connectionsUnauthenticated) this.#dropStranger();
    }
  }

  /** Counts the connection in; undefined when there is no room for it, and it is closed. */
  #admit(channel: StreamChannel, entry: SourceEntry): Peers | undefined {
    // Only programs of this machine connect to a Unix-domain socket, and they have no address to tell them apart.
    const key = entry.source.transport === 'unix' ? entry.source.id : addressKey(hostOf(channel.peer));
    const peers = this.#byAddress.get(key) ?? { key, connections: 0, strangers: new Set() };
    const limit = this.#limitReached(peers, entry);
    // Whoever has shown nothing yet makes room, the oldest first: so it takes a session to keep others out.
    if (limit !== undefined && !this.#dropOldest(limit === 'connections' ? this.#fullest() : peers, limit)) {
      channel.abort();
      entry.refused++;
      this.#watch.bite(limit, entry.source.id, 'a connection was refused', { code: TOO_MANY, channel: channel.id });
      return undefined;
    }
    this.#connections++;
    peers.connections++;
    this.#byAddress.set(key, peers);
    return peers;
  }

  #limitReached(peers: Peers, entry: SourceEntry): 'connections' | 'connections_per_address' | undefined {
    const { connections, connectionsPerAddress } = this.#limits;
    if (peers.connections >= connectionsPerAddress && entry.source.transport !== 'unix') {
      return 'connections_per_address';
    }
    return this.#connections >= connections ? 'connections' : undefined;
  }

  // --- ChannelOwner ------------------------------------------------------------------------------------------------

  strangerChanged(host: ChannelHost): void {
    const peers = this.#standing.get(host)?.peers;
    if (peers === undefined) return;
    const before = peers.strangers.size;
    if (host.stranger === undefined) peers.strangers.delete(host);
    else peers.strangers.add(host);
    this.#strangers += peers.strangers.size - before;
  }

  finished(host: ChannelHost, error: GatewayError | undefined): void {
    const standing = this.#standing.get(host);
    if (standing === undefined) return;
    this.#standing.delete(host);
    const { entry, peers } = standing;
    entry.channels--;
    const { channel } = host;
    entry.closedBytesRead += channel.bytesRead;
    entry.closedBytesWritten += channel.bytesWritten;
    entry.closedDropped += droppedBy(channel);
    this.onFinished?.(host, entry);
    if (peers !== undefined) {
      this.#connections--;
      peers.connections--;
      if (peers.connections === 0) this.#byAddress.delete(peers.key);
    }
    if (error === undefined) {
      this.#log.debug({ channel: channel.id }, `closed ${channel.id}`);
      return;
    }
    entry.failed++;
    // A limit has told it already.
    if (error.code === TOO_MANY) return;
    this.#rateLimited.warn(
      `${error.code} ${entry.source.id}`,
      { code: error.code, channel: channel.id },
      error.message,
    );
  }

  // --- making room -------------------------------------------------------------------------------------------------

  #dropStranger(): void {
    const fullest = this.#fullest();
    if (fullest !== undefined) this.#dropOldest(fullest, 'connections_unauthenticated');
  }

  /** Closes the oldest connection without a session of these; false when there is none. */
  #dropOldest(peers: Peers | undefined, limit: LimitName): boolean {
    const oldest = peers && oldestOf(peers.strangers);
    if (oldest === undefined) return false;
    const { id } = oldest.channel;
    const where = this.#standing.get(oldest)?.entry.source.id ?? id;
    this.#watch.bite(limit, where, 'a connection without a session was closed for a new one', { channel: id });
    oldest.stranger?.evict(new GatewayError(TOO_MANY, id, `closed for another connection, as it had no session yet`));
    return true;
  }

  /** The address with the most connections without a session: one that opens many loses its own. */
  #fullest(): Peers | undefined {
    let fullest: Peers | undefined;
    for (const peers of this.#byAddress.values()) {
      if (peers.strangers.size > (fullest?.strangers.size ?? 0)) fullest = peers;
    }
    return fullest;
  }
}

/** Of those first that have said nothing which is still to be read: what waits may be the HELLO. */
function oldestOf(strangers: ReadonlySet<ChannelHost>): ChannelHost | undefined {
  for (const host of strangers) if ((host.channel.ready & READ) === 0) return host;
  const [oldest] = strangers;
  return oldest;
}

/** Connections that others open count against the limits; our own and serial lines do not. */
function isConnection(source: Source): boolean {
  return source.transport === 'tcp' || source.transport === 'unix';
}

function droppedBy(channel: Channel): number {
  return channel.kind === 'datagram' ? channel.dropped : 0;
}
