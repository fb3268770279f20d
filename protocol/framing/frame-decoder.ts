/**
 * The one contract behind which every framing strategy stands.
 *
 * ```
 *   push(chunk) ─→ [ bytes not yet decided ] ─→ next() ─→ frame | skip | undefined
 * ```
 *
 * The decoder is pulled: `push` only stores, `next` does the work for one item, so the consumer sets the pace.
 * Bad bytes are items, never exceptions. Every byte pushed comes back in exactly one frame, in exactly one skip,
 * or is still counted by `buffered`.
 */

/** Why bytes were not part of a frame. Stable strings: they are counters, log fields and API values. */
export const SKIP_REASONS = [
  /** Bytes before a sync pattern or start byte: noise between frames. */
  'noise',
  /** A frame without content where the framing allows none (two delimiters in a row are idle fill, see `fill`). */
  'empty',
  /** Delimiters or flags that only keep the line busy; harmless. */
  'fill',
  /** A COBS code that points past its frame, or a length field of an impossible value. */
  'bad-length',
  /** An escape sequence that the framing does not define, or an escape at the end of a frame. */
  'bad-escape',
  /** The byte behind the body is not the trailer that the framing demands. */
  'bad-trailer',
  /** Longer than the total limit. */
  'too-long',
  /** The first byte names no known type. */
  'unknown-type',
  /** The checksum computed over the frame is not the one received. */
  'bad-checksum',
  /** A frame was begun and the rest did not come in time (`expire`). */
  'expired',
  /** The connection ended in the middle of a frame (`end`). */
  'truncated',
] as const;

export type SkipReason = (typeof SKIP_REASONS)[number];

/**
 * One frame. `bytes` is the content with framing removed; it is a view that stays valid until the next `push`
 * (copy it to keep it). `wireLength` is how many received bytes it took, delimiters and escapes included.
 */
export interface FrameItem {
  readonly kind: 'frame';
  readonly bytes: Uint8Array;
  readonly wireLength: number;
}

/** Received bytes that belong to no frame, as they were received; `wireLength` is `bytes.length`. */
export interface SkipItem {
  readonly kind: 'skip';
  readonly reason: SkipReason;
  readonly bytes: Uint8Array;
  readonly wireLength: number;
}

export type Item = FrameItem | SkipItem;

export interface FrameDecoder {
  /** Takes over `chunk`: the caller must not change it afterwards, the decoder does not change it either. */
  push(chunk: Uint8Array): void;
  /** The next frame or skip, or undefined when more bytes are needed. Bounded work: at most one item a call. */
  next(): Item | undefined;
  /**
   * The owner's gap timer has run out: no byte came for longer than the framing allows inside a frame. A frame that
   * waits for its rest is given up (as `expired`; with `gap` framing the silence is the end of a good frame) and
   * comes out of `next()`, with a look for frames inside the bytes given up.
   */
  expire(): void;
  /** The connection has ended: what is left comes out of `next()`, as a frame where the framing says so. */
  end(): void;
  /** Bytes pushed and not yet returned by `next()`. */
  readonly buffered: number;
}

/** Turns one frame's content into the bytes on the wire; the other half of a strategy. */
export type FrameEncoder = (content: Uint8Array) => Uint8Array;
