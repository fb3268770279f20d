/**
 * Sources and channels: what the selector watches.
 *
 * ```
 *   Source  (a configured listener, port or outgoing connection)   readable = a channel waits in accept()
 *     └─ accept() ─→ Channel  (one connection, one open serial port, one datagram socket)
 * ```
 *
 * The calls are those of the socket API, non-blocking: `accept`, `read`, `write` (which may take only a part),
 * `receive` and `send` for datagrams, `endWrite` for shutdown(SHUT_WR), `close`. Nothing here throws for what a peer
 * or the operating system does; a failure is the channel's `error`, and the channel is then ready for ERROR.
 */
import type { GatewayError } from '../errors.ts';

/** Readiness and interest bits, as in select's three lists. */
export const READ = 1;
export const WRITE = 2;
/** Always reported, whatever the interest. */
export const ERROR = 4;

/** Whatever a selector can watch. */
export interface Selectable {
  /**
   * Names it in logs, counters and events, e.g. `tcp:0.0.0.0:2883` or `tcp:0.0.0.0:2883/192.168.1.7:50122`. The one
   * channel of a datagram socket, a serial line or an outgoing connection goes by the name of its source.
   */
  readonly id: string;
  /** The level right now: which of READ, WRITE and ERROR would not block. */
  readonly ready: number;
  /** Set by the selector while registered: call it whenever `ready` may have gained a bit. Cheap, may be called often. */
  onEdge: (() => void) | undefined;
}

/** A stream of bytes in both directions: a TCP or Unix-domain connection, or an open serial port. */
export interface StreamChannel extends Selectable {
  readonly kind: 'stream';
  /** The other end for people, e.g. `192.168.1.7:50122`, `unix`, `/dev/ttyUSB0`. */
  readonly peer: string;
  /** Why it is dead, once it is. */
  readonly error: GatewayError | undefined;
  /**
   * recv: up to `maxBytes` of what has arrived. Undefined: nothing now (EAGAIN). An empty array: the peer has sent
   * FIN; it may still listen. After that it keeps returning the empty array.
   */
  read(maxBytes: number): Uint8Array | undefined;
  /** send: takes as much as there is room for (`limits.output_bytes` are held per channel) and says how many bytes that was. */
  write(bytes: Uint8Array): number;
  /** How many bytes `write` would take now. */
  readonly room: number;
  /** shutdown(SHUT_WR): sends FIN after what was written. On a serial line it only flushes. */
  endWrite(): void;
  /** Sends what was written, then closes both directions; what the peer still sends is dropped. */
  close(): void;
  /** Closes at once and drops what was not sent (RST on TCP). */
  abort(): void;
  /** Bytes received and sent on this channel. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

export interface Peer {
  readonly address: string;
  readonly port: number;
}

export interface Datagram {
  readonly bytes: Uint8Array;
  readonly peer: Peer;
}

/** A datagram socket. It cannot be paused: a bounded ring holds what has arrived, drops the oldest and counts it. */
export interface DatagramChannel extends Selectable {
  readonly kind: 'datagram';
  readonly error: GatewayError | undefined;
  /** recvfrom: the oldest datagram waiting, or undefined. */
  receive(): Datagram | undefined;
  /** sendto: false when it was dropped because the output limit is reached. */
  send(bytes: Uint8Array, peer: Peer): boolean;
  /** Datagrams dropped by the ring since the start. */
  readonly dropped: number;
  /** Bytes of the datagrams received from here, and of those sent. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  close(): void;
}

export type Channel = StreamChannel | DatagramChannel;

export type SourceState = 'closed' | 'opening' | 'open' | 'failed';

/** One configured way in. Readable when `accept()` has a channel. */
export interface Source extends Selectable {
  readonly transport: 'tcp' | 'tcp-client' | 'udp' | 'unix' | 'serial';
  /** `failed` means: told in `error`, and tried again by itself. */
  readonly state: SourceState;
  /** The last failure while `failed`. */
  readonly error: GatewayError | undefined;
  /** What it has turned away by itself since the start, before `accept`, by reason. */
  readonly refusals?: ReadonlyMap<string, number>;
  /** Called at each change of `state`. */
  onState: (() => void) | undefined;
  /** Starts it; resolves when the first attempt is over, whether it succeeded or not. Never rejects. */
  open(): Promise<void>;
  accept(): Channel | undefined;
  /** Resolves when what was opened last may be opened by somebody else; undefined where it may be at once. */
  readonly released?: Promise<void> | undefined;
  /** Stops listening or reconnecting. Channels that were accepted stay open: they belong to their sessions. */
  close(): Promise<void>;
}
