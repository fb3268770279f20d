/**
 * Delimited: a byte string ends every frame.
 *
 * ```
 *   content  48 65 6c 6c 6f             with escape 5c:   61 0a 5c 62
 *   wire     48 65 6c 6c 6f 0d 0a                         61 5c 0a 5c 5c 62 0a
 *                           └ delimiter                      └ taken as it is
 * ```
 *
 * An escape takes the byte behind it as content, whatever it is. The delimiter may begin with the escape byte (DLE ETX
 * with DLE doubled in the content): the delimiter is looked for first. Delimiters in a row are `fill`.
 */
import type { FrameDecoder, FrameEncoder, Item } from './frame-decoder.ts';
import { InputQueue } from './input-queue.ts';
import { OutputSlab } from './output-slab.ts';

export interface DelimitedOptions {
  /** What ends a frame: one byte or more. */
  readonly delimiter: Uint8Array;
  /** The longest frame on the wire, escapes counted and the delimiter not. */
  readonly maxBytes: number;
  /** Makes the byte behind it content. */
  readonly escape?: number;
  /** Whether the delimiter is part of the content that comes out (and has to go in). Default false. */
  readonly include?: boolean;
}

/** A decoder of frames that end with a delimiter. */
export function delimitedDecoder(options: DelimitedOptions): FrameDecoder {
  check(options);
  return new DelimitedDecoder(options);
}

class DelimitedDecoder implements FrameDecoder {
  private readonly queue = new InputQueue();
  private readonly output = new OutputSlab();
  private readonly delimiter: Uint8Array;
  private readonly maxBytes: number;
  /** -1 matches no byte. */
  private readonly escape: number;
  private readonly include: boolean;
  /** Bytes from `start` on that were looked through: whole bytes and whole escape pairs, no delimiter among them. */
  private scanned = 0;
  /** Inside a frame over the limit: everything up to its delimiter goes. */
  private discarding = false;

  constructor(options: DelimitedOptions) {
    this.delimiter = new Uint8Array(options.delimiter);
    this.maxBytes = options.maxBytes;
    this.escape = options.escape ?? -1;
    this.include = options.include ?? false;
  }

  get buffered(): number {
    return this.queue.buffered;
  }

  push(chunk: Uint8Array): void {
    this.output.restart();
    this.queue.push(chunk);
  }

  expire(): void {
    if (this.queue.buffered === 0) this.discarding = false;
    this.queue.seal('expired');
  }

  end(): void {
    if (this.queue.buffered === 0) this.discarding = false;
    this.queue.seal('truncated');
  }

  next(): Item | undefined {
    const { queue, delimiter } = this;
    const { start, end } = queue;
    if (start === end) {
      this.output.release();
      return queue.settle();
    }
    const found = this.findDelimiter();
    const length = this.scanned;
    if (!found) return this.unfinished(length);

    this.scanned = 0;
    if (this.discarding || length > this.maxBytes) {
      this.discarding = false;
      return queue.skip('too-long', length + delimiter.length);
    }
    if (length === 0) {
      let behind = start + delimiter.length;
      while (this.matchAt(behind) === delimiter.length) behind += delimiter.length;
      return queue.skip('fill', behind - start);
    }
    return queue.frame(this.content(start, start + length), length + delimiter.length);
  }

  private unfinished(looked: number): Item | undefined {
    const { queue } = this;
    const { start, end, sealed } = queue;
    if (sealed !== undefined) {
      const reason = this.discarding || end - start > this.maxBytes ? 'too-long' : sealed;
      this.scanned = 0;
      this.discarding = false;
      return queue.skip(reason, end - start);
    }
    // Only what was looked through may go: behind it may stand the first half of a delimiter or of an escape pair.
    if (looked > 0 && (this.discarding || looked > this.maxBytes)) {
      this.scanned = 0;
      this.discarding = true;
      return queue.skip('too-long', looked);
    }
    return queue.settle();
  }

  /** Moves `scanned` up to the next delimiter (true) or as far as can be decided. */
  private findDelimiter(): boolean {
    const { queue, delimiter, escape } = this;
    const { data, start, end } = queue;
    const first = delimiter[0]!;
    let at = start + this.scanned;
    let found = false;
    while (at < end) {
      const byte = data[at]!;
      if (byte === first) {
        const match = this.matchAt(at);
        found = match === delimiter.length;
        if (found || at + match === end) break;
      }
      if (byte === escape) {
        if (at + 1 === end) break;
        at++;
      }
      at++;
    }
    this.scanned = at - start;
    return found;
  }

  /** How many bytes at `at` are as in the delimiter. */
  private matchAt(at: number): number {
    const { queue, delimiter } = this;
    let match = 0;
    while (match < delimiter.length && at + match < queue.end && queue.data[at + match] === delimiter[match]) match++;
    return match;
  }

  private content(from: number, to: number): Uint8Array {
    const { queue, delimiter, escape, include } = this;
    const { data } = queue;
    const behind = include ? to + delimiter.length : to;
    let at = from;
    while (at < to && data[at] !== escape) at++;
    if (at === to) return queue.view(from, behind);

    const target = this.output.room(behind - from, queue.buffered);
    let end = this.output.at;
    for (at = from; at < to; at++) {
      if (data[at] === escape) at++;
      target[end++] = data[at]!;
    }
    for (; at < behind; at++) target[end++] = data[at]!;
    return this.output.take(end);
  }
}

/**
 * The encoder. RangeError for what cannot be said: no content, content over the limit, or without escape content that
 * holds the delimiter (also where it only arises together with the delimiter behind it).
 */
export function delimitedEncoder(options: DelimitedOptions): FrameEncoder {
  check(options);
  const { delimiter, escape, include = false, maxBytes } = options;
  return (content) => {
    const length = include ? content.length - delimiter.length : content.length;
    if (include && (length < 0 || !matches(content, length, delimiter))) {
      throw new RangeError('the content does not end with its delimiter');
    }
    const wire = escape === undefined ? content.subarray(0, length) : stuff(content, length, escape, delimiter[0]!);
    if (wire.length === 0 || wire.length > maxBytes) {
      throw new RangeError(`${wire.length} bytes are no frame of 1 to ${maxBytes} bytes`);
    }
    const frame = new Uint8Array(wire.length + delimiter.length);
    frame.set(wire);
    frame.set(delimiter, wire.length);
    if (escape === undefined) refuseDelimiter(frame, wire.length, delimiter);
    return frame;
  };
}

function refuseDelimiter(frame: Uint8Array, before: number, delimiter: Uint8Array): void {
  for (let at = 0; at < before; at++) {
    if (matches(frame, at, delimiter)) throw new RangeError(`the content holds the delimiter at ${at}`);
  }
}

function stuff(content: Uint8Array, length: number, escape: number, first: number): Uint8Array {
  const wire = new Uint8Array(2 * length);
  let at = 0;
  for (let i = 0; i < length; i++) {
    const byte = content[i]!;
    if (byte === escape || byte === first) wire[at++] = escape;
    wire[at++] = byte;
  }
  return wire.subarray(0, at);
}

function matches(bytes: Uint8Array, at: number, pattern: Uint8Array): boolean {
  return pattern.every((byte, i) => bytes[at + i] === byte);
}

function check(options: DelimitedOptions): void {
  const { delimiter, escape, maxBytes } = options;
  if (delimiter.length === 0) throw new RangeError('a delimiter has at least one byte');
  if (!(Number.isInteger(maxBytes) && maxBytes >= 1)) throw new RangeError('maxBytes must be a positive whole number');
  if (escape === undefined) return;
  if (escape !== (escape & 0xff)) throw new RangeError('an escape is one byte');
  // Else an escaped escape would read as the delimiter.
  if (delimiter[0] === escape && (delimiter.length === 1 || delimiter[1] === escape)) {
    throw new RangeError('the delimiter must differ from an escaped escape');
  }
}
