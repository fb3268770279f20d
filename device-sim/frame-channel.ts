/**
 * Frames over a transport: a stream carries `COBS(frame) 00`, a datagram one raw frame.
 *
 * ```
 *   send(frame) ─→ COBS and 00, or as it is ─→ Transport
 *   onFrame     ←────────────── decoder     ←─ Transport
 * ```
 */
import {
  type FrameDecoder,
  MAX_DATAGRAM_BYTES,
  MAX_FRAME_BYTES,
  encodeStreamFrame,
  linkStreamDecoder,
} from '../protocol/index.ts';
import type { Transport } from './transports/transport.ts';

export interface FrameChannelEvents {
  onOpen(): void;
  /** The bytes of a frame, unchecked, and how many it may have; a view, valid during the call. */
  onFrame(bytes: Uint8Array, maxBytes: number): void;
  /** Bytes that were no frame, with the reason of the decoder. */
  onBadFrame(code: string): void;
  onDrain(): void;
  /** A datagram was lost, for a reason that the system tells. */
  onLoss(code: string): void;
  onClosed(cause: Error | undefined): void;
}

export class FrameChannel {
  readonly transport: Transport;
  readonly #decoder: FrameDecoder | undefined;
  readonly #events: FrameChannelEvents;
  #over = false;

  constructor(transport: Transport, events: FrameChannelEvents) {
    this.transport = transport;
    this.#events = events;
    this.#decoder = transport.datagram ? undefined : linkStreamDecoder();
  }

  open(): void {
    this.transport.open({
      onOpen: () => {
        if (!this.#over) this.#events.onOpen();
      },
      onBytes: (bytes) => this.#received(bytes),
      onDrain: () => {
        if (!this.#over) this.#events.onDrain();
      },
      onLoss: (code) => {
        if (!this.#over) this.#events.onLoss(code);
      },
      onClosed: (cause) => {
        if (!this.#over) this.#events.onClosed(cause);
      },
    });
  }

  /** Whether the transport wants more now. */
  get ready(): boolean {
    return this.transport.ready;
  }

  send(frame: Uint8Array): void {
    this.transport.send(this.#decoder === undefined ? frame : encodeStreamFrame(frame));
  }

  /** Lets go of the transport: closes it, in order or at once, and reports nothing any more. */
  drop(abruptly: boolean): void {
    this.#over = true;
    if (abruptly) this.transport.abort();
    else this.transport.close();
  }

  #received(bytes: Uint8Array): void {
    const decoder = this.#decoder;
    if (decoder === undefined) {
      this.#frame(bytes, MAX_DATAGRAM_BYTES);
      return;
    }
    decoder.push(bytes);
    for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
      if (item.kind === 'frame') this.#frame(item.bytes, MAX_FRAME_BYTES);
      else if (item.reason !== 'fill' && !this.#over) this.#events.onBadFrame(item.reason);
    }
  }

  #frame(bytes: Uint8Array, maxBytes: number): void {
    // A frame before this one may have ended the session and with it our interest.
    if (!this.#over) this.#events.onFrame(bytes, maxBytes);
  }
}
