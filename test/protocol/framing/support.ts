import type { FrameDecoder, Item, SkipReason } from '../../../protocol/index.ts';

/** An item with its bytes copied, as the tests compare it. */
export type Seen = { frame: string } | { skip: SkipReason; hex: string };

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

/** What happens on a line: bytes come, silence, and at last the end of the connection. */
export type Event = Uint8Array | 'expire' | 'end';

/**
 * Runs a line through a decoder, pulling it dry after every event, and checks on the way what holds for every
 * decoder: each byte comes back once and in order, skips hold the bytes as received, and views last until the next push.
 */
export function run(decoder: FrameDecoder, events: readonly Event[]): Item[] {
  const items: Item[] = [];
  const input = new Uint8Array(events.reduce((sum, event) => sum + (typeof event === 'string' ? 0 : event.length), 0));
  let pushed = 0;
  let returned = 0;
  for (const event of events) {
    if (event === 'expire') decoder.expire();
    else if (event === 'end') decoder.end();
    else {
      input.set(event, pushed);
      pushed += event.length;
      decoder.push(event);
    }
    const views: Item[] = [];
    for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
      views.push(item);
      if (item.wireLength === 0) throw new Error('an item of no bytes');
      if (item.kind === 'skip') {
        const received = input.subarray(returned, returned + item.wireLength);
        if (hexOf(received) !== hexOf(item.bytes)) throw new Error(`skip of other bytes: ${hexOf(item.bytes)}`);
      }
      returned += item.wireLength;
      if (decoder.buffered !== pushed - returned) {
        throw new Error(`${decoder.buffered} bytes buffered of ${pushed - returned}`);
      }
    }
    if (decoder.buffered !== pushed - returned) throw new Error('bytes unaccounted for');
    for (const view of views) items.push({ ...view, bytes: view.bytes.slice() });
  }
  return items;
}

/** Items to compare: neighbouring skips of one reason are one, since where chunks end may split them. */
export function normalized(items: readonly Item[]): Seen[] {
  const seen: Seen[] = [];
  for (const item of items) {
    const last = seen.at(-1);
    if (item.kind === 'frame') seen.push({ frame: hexOf(item.bytes) });
    else if (last !== undefined && 'skip' in last && last.skip === item.reason) last.hex += hexOf(item.bytes);
    else seen.push({ skip: item.reason, hex: hexOf(item.bytes) });
  }
  return seen;
}

export function framesOf(items: readonly Item[]): string[] {
  return items.filter((item) => item.kind === 'frame').map((item) => hexOf(item.bytes));
}

/** `bytes` cut into chunks of these lengths, over and over. Each chunk is a copy of its own, as from a socket. */
export function cut(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths.length === 0 ? bytes.length : Math.max(1, lengths[i % lengths.length]!);
    chunks.push(bytes.slice(at, at + length));
    at += length;
  }
  return chunks;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
