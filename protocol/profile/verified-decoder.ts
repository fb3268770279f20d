/**
 * Frames that another decoder finds (byte stuffing, silence, datagrams), checked: what fails is a skip with its bytes.
 *
 * ```
 *   push ─→ inner decoder ─→ content ─ check ─→ frame
 *      └──→ the bytes as received ───────────→ skip, when the check fails
 * ```
 */
import type { FrameDecoder, Item, SkipReason } from '../framing/frame-decoder.ts';
import { InputQueue } from '../framing/input-queue.ts';

export class VerifiedDecoder implements FrameDecoder {
  private readonly inner: FrameDecoder;
  private readonly check: (content: Uint8Array) => SkipReason | undefined;
  /** What was pushed and not yet given back: a frame that fails is told with its bytes on the wire. */
  private readonly received = new InputQueue();

  constructor(inner: FrameDecoder, check: (content: Uint8Array) => SkipReason | undefined) {
    this.inner = inner;
    this.check = check;
  }

  get buffered(): number {
    return this.inner.buffered;
  }

  push(chunk: Uint8Array): void {
    this.received.push(chunk);
    this.inner.push(chunk);
  }

  next(): Item | undefined {
    const item = this.inner.next();
    if (item === undefined) return this.received.settle();
    const { wireLength } = item;
    const wire = this.received.skip('noise', wireLength).bytes;
    if (item.kind === 'skip') return item;
    const reason = this.check(item.bytes);
    return reason === undefined ? item : { kind: 'skip', reason, bytes: wire, wireLength };
  }

  expire(): void {
    this.inner.expire();
  }

  end(): void {
    this.inner.end();
  }
}
