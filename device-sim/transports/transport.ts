/**
 * What a device needs from the way its bytes travel: one connection, from `open` to its end. For the next connection a
 * new transport is made.
 *
 * ```
 *   open() ─→ onOpen ─→ onBytes … onDrain … ─→ onClosed (exactly once, also when opening failed)
 * ```
 */
export const TRANSPORT_KINDS = ['tcp', 'udp', 'unix', 'serial'] as const;

export type TransportKind = (typeof TRANSPORT_KINDS)[number];

/** Where a transport reports; its owner. None of the calls comes before `open` has returned. */
export interface TransportEvents {
  onOpen(): void;
  /** What arrived: a piece of the stream, or exactly one datagram. The bytes are the receiver's to keep. */
  onBytes(bytes: Uint8Array): void;
  /** `ready` has become true again. */
  onDrain(): void;
  /** Something sent was lost, and the system says why, e.g. ECONNREFUSED; the connection stands. Only datagrams tell. */
  onLoss(code: string): void;
  /** The connection is gone, for the reason given; undefined after an orderly end. Nothing comes after it. */
  onClosed(cause: Error | undefined): void;
}

export interface Transport {
  readonly kind: TransportKind;
  /** True when one `send` is one datagram; false for a stream of bytes. */
  readonly datagram: boolean;
  /** Open, and with room for more output. While it is false, `send` still takes bytes, but the sender should wait. */
  readonly ready: boolean;
  open(events: TransportEvents): void;
  /** Takes over the bytes. They may be lost without notice, as on any wire. */
  send(bytes: Uint8Array): void;
  /** Half-close: the peer sees the end of our bytes (FIN) and may still answer. Where there is no such thing, nothing. */
  endWrite(): void;
  /** Orderly end: what was sent still goes out, then both directions are closed. */
  close(): void;
  /** Abrupt end: what was not sent is lost; the peer of a TCP connection sees RST. */
  abort(): void;
}

/** Makes the transport for the next connection. */
export type Dial = () => Transport;

/** Above this much unsent output, a stream is not `ready`: about what a small device could hold. */
export const HIGH_WATER_BYTES = 16_384;
