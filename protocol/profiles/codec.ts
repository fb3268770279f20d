/**
 * What the codecs by hand share: how a channel is declared, how a value becomes one, how bytes are named for people.
 */
import type { FrameDecoder, Item } from '../framing/frame-decoder.ts';
import type { ChannelClass, Quality, RawValue, Value, ValueType } from '../link/value.ts';
import type {
  DecodedProfileFrame,
  DecodeErrorCode,
  ExplainedPart,
  OutgoingRequest,
  ProfileChannel,
  ProfileField,
  Reply,
} from '../profile/profile.ts';
import type { Sample } from '../link/readings.ts';
import { printable } from '../text.ts';

/** What of a channel is not the same for nearly all. */
export interface ChannelTraits {
  readonly title?: string;
  readonly scale?: number;
  readonly unit?: string;
  readonly class?: ChannelClass;
  readonly diagnostic?: boolean;
  readonly totalIncreasing?: boolean;
  readonly precision?: number;
  readonly options?: readonly string[];
  readonly range?: readonly [number, number];
  readonly command?: string;
}

/** A channel with everything filled in; the title is made from the alias when there is none. */
export function channel(number: number, alias: string, type: ValueType, traits: ChannelTraits = {}): ProfileChannel {
  const words = alias.replaceAll('_', ' ');
  return {
    number,
    alias,
    title: traits.title ?? words.charAt(0).toUpperCase() + words.slice(1),
    type,
    scale: traits.scale ?? 0,
    unit: traits.unit ?? '',
    class: traits.class ?? 'none',
    diagnostic: traits.diagnostic ?? false,
    totalIncreasing: traits.totalIncreasing ?? false,
    precision: traits.precision,
    options: traits.options,
    range: traits.range,
    command: traits.command,
    readable: true,
    repeated: false,
  };
}

/** What `encode` takes for a channel: whatever its type can hold, within its range. */
export function fieldOf(channel: ProfileChannel, limits: readonly [number, number] | undefined): ProfileField {
  const number = limits !== undefined;
  return {
    name: channel.alias,
    hidden: false,
    kind: channel.options !== undefined ? 'option' : channel.type === 'bool' ? 'bool' : number ? 'number' : 'text',
    limits,
    step: number ? 10 ** channel.scale : undefined,
    range: channel.range,
    options: channel.options,
    maxBytes: channel.type === 'string' ? 255 : undefined,
    text: channel.type === 'string' && channel.options === undefined ? 'any' : undefined,
    index: undefined,
    optional: true,
    class: channel.class,
    unit: channel.unit,
    totalIncreasing: channel.totalIncreasing,
  };
}

/** A value of a channel. */
export function value(channel: ProfileChannel, raw: RawValue, quality: Quality = 'good'): Value {
  return { channel: channel.number, type: channel.type, quality, value: raw };
}

/** A frame that gave readings, or none and still is fine. */
export function decoded(
  message: string,
  device: string | undefined,
  samples: readonly Sample[],
  replies: readonly Reply[] = [],
  newChannels: readonly ProfileChannel[] = [],
): DecodedProfileFrame {
  return { ok: true, message, device, samples, replies, newChannels };
}

/** A frame that gave none. */
export function refused(code: DecodeErrorCode, at: number, detail: string): DecodedProfileFrame {
  return { ok: false, code, at, detail };
}

/** A request that is known by a test on the frames that come. */
export function request(name: string, bytes: Uint8Array, answers: (frame: Uint8Array) => boolean): OutgoingRequest {
  return { name, bytes, answers, silent: false, timeoutMs: 10_000, retries: 0, frames: 1 };
}

/** ASCII text of bytes that were checked to be printable, or undefined. */
export function asciiText(bytes: Uint8Array, from: number, to: number): string | undefined {
  let text = '';
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if (byte < 0x20 || byte > 0x7e) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** The bytes of ASCII text. RangeError for anything else. */
export function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7e) throw new RangeError('the text must be ASCII');
    bytes[i] = code;
  }
  return bytes;
}

/** Bytes as hex digits, BCD digits being digits. */
export function hexText(bytes: Uint8Array, from = 0, to: number = bytes.length): string {
  let text = '';
  for (let i = from; i < to; i++) text += bytes[i]!.toString(16).padStart(2, '0');
  return text;
}

/** A number as hex digits. */
export function hexNumber(number: number, digits: number): string {
  return number.toString(16).padStart(digits, '0');
}

/** Collects what the bytes of a frame are, front to back. */
export class Annotations {
  readonly parts: ExplainedPart[] = [];
  private at = 0;
  private readonly end: number;

  constructor(frame: Uint8Array) {
    this.end = frame.length;
  }

  /** The next `size` bytes; fewer at the end of the frame. */
  add(size: number, name: string, value = '', note = ''): void {
    const to = Math.min(this.end, this.at + size);
    if (to === this.at) return;
    this.parts.push({ from: this.at, to, name, value: printable(value), note });
    this.at = to;
  }

  /** What is left, up to `before` bytes before the end. */
  rest(name: string, before = 0): void {
    this.add(Math.max(0, this.end - before - this.at), name);
  }
}

/**
 * A decoder with what its strategy calls an unknown type called by the names that people know: noise, or harmless fill
 * where all bytes are `fill`.
 */
export function relabelled(inner: FrameDecoder, fill: number | undefined): FrameDecoder {
  return {
    push: (chunk) => inner.push(chunk),
    next: (): Item | undefined => {
      const item = inner.next();
      if (item?.kind !== 'skip' || item.reason !== 'unknown-type') return item;
      return { ...item, reason: item.bytes.every((byte) => byte === fill) ? 'fill' : 'noise' };
    },
    expire: () => inner.expire(),
    end: () => inner.end(),
    get buffered(): number {
      return inner.buffered;
    },
  };
}
