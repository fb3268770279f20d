/**
 * The StreamChannel of every byte stream: a paused Duplex of Node (a socket, or the serial line of serial-line.ts).
 *
 * ```
 *   'readable', 'end', 'drain', 'error', 'close' ──→ onEdge        levels are read from the stream itself:
 *   READ   bytes are buffered, or FIN was reached                  readableLength, fin
 *   WRITE  less than the output limit is waiting to be sent            writableLength
 *   ERROR  the connection died                                     error
 * ```
 *
 * A paused stream reads ahead up to its high-water mark and then stops, so TCP pushes back to the peer. It then also
 * stops hearing of FIN and RST: a channel that nobody reads can be dead for ever without a sign. Whoever drops the READ
 * interest therefore has to set a deadline (BACKPRESSURE_TIMEOUT); the sessions do.
 *
 * A reset that arrives in the same moment as data is told by Node as the data and a plain end: only a later write shows
 * that the peer is gone. So an end is no proof of a goodbye; the protocol above has its own (BYE).
 *
 * An idle connection should cost little: no buffer, no closure, one set of listeners for all channels, which find their
 * channel by a property of the stream.
 */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { GatewayError } from '../errors.ts';
import type { Timer } from '../timers.ts';
import { streamError } from './io-errors.ts';
import type { SourceContext } from './source-base.ts';
import { ERROR, READ, type StreamChannel, WRITE } from './source.ts';

/** What is held per channel for a peer that reads slowly, unless the context says otherwise. */
export const OUTPUT_LIMIT = 64 * 1024;
/** Closed channels of one source that may linger; for one more, the oldest is cut. */
const MAX_LINGERING = 256;
/** Read-ahead per socket: Node's default before 22, asked for by name because 22 has made it four times that. */
export const SOCKET_READ_AHEAD = 16 * 1024;
/** What a peer may still send to a channel that is closed; one that goes on is not waiting for our last bytes. */
const MAX_DRAINED = 256 * 1024;
/** A closing channel waits this long for its output to leave and for the peer's FIN; then it is cut. */
export const LINGER_MS = 5_000;

/** What the channels of one source share. */
export interface ChannelOwner {
  readonly id: string;
  readonly context: SourceContext;
  /** Sockets of TCP, which alone can be reset. */
  readonly tcp: boolean;
  /** One channel at a time, which goes by the owner's name. */
  readonly single?: boolean;
  /** Those that are closed and not gone: nobody counts them any more, so they are bounded here. */
  readonly lingering?: Set<DuplexChannel>;
}

const NOTHING = new Uint8Array(0);
const CHANNEL = Symbol('channel');
type Owned = Duplex & { [CHANNEL]: DuplexChannel };

export class DuplexChannel implements StreamChannel {
  readonly kind = 'stream';
  readonly peer: string;
  onEdge: (() => void) | undefined;
  error: GatewayError | undefined;
  bytesRead = 0;
  bytesWritten = 0;
  readonly #stream: Duplex;
  readonly #owner: ChannelOwner;
  #fin = false;
  #closed = false;
  #writable = true;
  #linger: Timer | undefined;
  #drained = 0;

  /** Takes the stream over; `peer` tells the channels of one owner apart. */
  constructor(stream: Duplex, owner: ChannelOwner, peer: string) {
    this.#stream = stream;
    this.#owner = owner;
    this.peer = peer;
    (stream as Owned)[CHANNEL] = this;
    stream.on('readable', onReadable);
    stream.on('end', onEnd);
    stream.on('drain', onDrain);
    stream.on('error', onError);
    stream.on('close', onClose);
  }

  get id(): string {
    return this.#owner.single === true ? this.#owner.id : `${this.#owner.id}/${this.peer}`;
  }

  get ready(): number {
    if (this.#closed) return 0;
    // What came before an error can still be read.
    let bits = this.error === undefined ? 0 : ERROR;
    if (this.#stream.readableLength > 0 || (this.#fin && this.error === undefined)) bits |= READ;
    if (this.room > 0) bits |= WRITE;
    return bits;
  }

  get room(): number {
    if (!this.#writable) return 0;
    const room = (this.#owner.context.outputBytes ?? OUTPUT_LIMIT) - this.#stream.writableLength;
    return room > 0 ? room : 0;
  }

  /** Never more than the read-ahead at once; the peer's end is told by the empty array. */
  read(maxBytes: number): Uint8Array | undefined {
    if (!(maxBytes >= 1)) throw new RangeError('maxBytes must be at least 1');
    if (this.#closed) return undefined;
    const stream = this.#stream;
    const length = stream.readableLength;
    if (length === 0) return this.#fin && this.error === undefined ? NOTHING : undefined;
    // A size beyond the high-water mark would raise it for good; no size at all means everything.
    const bytes = (
      maxBytes >= length ? stream.read() : stream.read(Math.min(Math.floor(maxBytes), stream.readableHighWaterMark))
    ) as Uint8Array | null;
    if (bytes === null) return undefined;
    this.bytesRead += bytes.length;
    return bytes;
  }

  /** The bytes are copied: the array is the caller's again at once. */
  write(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.room);
    if (taken === 0) return 0;
    this.bytesWritten += taken;
    this.#stream.write(Buffer.from(taken === bytes.length ? bytes : bytes.subarray(0, taken)));
    return taken;
  }

  endWrite(): void {
    if (!this.#writable) return;
    this.#writable = false;
    this.#stream.end();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#writable = false;
    const stream = this.#stream;
    if (stream.destroyed) return;
    // Closing a socket with unread input sends RST, which can take the last bytes sent from the peer's hands. So the
    // input is read and dropped until the peer has finished too, for a while.
    stream.off('readable', onReadable);
    stream.on('data', onDropped);
    stream.resume();
    if (stream instanceof Socket) {
      stream.end();
      // A peer that never finishes does not keep a gateway alive that has stopped and watches no deadlines any more.
      stream.unref();
    } else {
      // A serial line has no FIN to wait for: it is over when the output has left.
      stream.end(() => this.#cut());
    }
    const context = this.#owner.context;
    this.#linger = context.timers.schedule(context.now() + LINGER_MS, () => this.#cut());
    const { lingering } = this.#owner;
    if (lingering === undefined) return;
    lingering.add(this);
    const [oldest] = lingering;
    if (lingering.size > MAX_LINGERING) oldest?.abort();
  }

  abort(): void {
    this.#closed = true;
    this.#writable = false;
    this.#cut();
  }

  #cut(): void {
    this.#stopLinger();
    if (this.#stream.destroyed) return;
    if (this.#owner.tcp) (this.#stream as Socket).resetAndDestroy();
    else this.#stream.destroy();
  }

  #stopLinger(): void {
    if (this.#linger !== undefined) this.#owner.context.timers.cancel(this.#linger);
    this.#linger = undefined;
    this.#owner.lingering?.delete(this);
  }

  /** Input that came after the channel was closed. */
  dropped(bytes: number): void {
    this.#drained += bytes;
    if (this.#drained > MAX_DRAINED) this.#cut();
  }

  /** The stream's end was reached: everything before it was read. */
  reachedEnd(): void {
    this.#fin = true;
    this.onEdge?.();
  }

  /** The stream has failed. */
  died(cause: unknown): void {
    this.#writable = false;
    this.error ??= cause instanceof GatewayError ? cause : streamError(this.id, cause);
    this.onEdge?.();
  }

  /** The stream is gone for good. */
  gone(): void {
    this.#writable = false;
    this.#stopLinger();
    if (this.#closed || this.#fin || this.error !== undefined) return;
    this.died(new GatewayError('PEER_RESET', this.id));
  }
}

function onReadable(this: Duplex): void {
  // Without a byte it is the end, which the stream tells once it was asked.
  if (this.readableLength === 0) this.read(0);
  else (this as Owned)[CHANNEL].onEdge?.();
}

function onDropped(this: Duplex, chunk: Uint8Array): void {
  (this as Owned)[CHANNEL].dropped(chunk.length);
}

function onDrain(this: Duplex): void {
  (this as Owned)[CHANNEL].onEdge?.();
}

function onEnd(this: Duplex): void {
  (this as Owned)[CHANNEL].reachedEnd();
}

function onError(this: Duplex, cause: unknown): void {
  (this as Owned)[CHANNEL].died(cause);
}

function onClose(this: Duplex): void {
  (this as Owned)[CHANNEL].gone();
}
