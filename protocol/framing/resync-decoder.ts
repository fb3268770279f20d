/**
 * What the strategies share that know a frame's length from its first bytes: `fixed`, `length`, `type-length`.
 *
 * ```
 *   … noise … | sync | header, tells the length | … body … | trailer |
 *               ↑ a place where a frame may begin: probe it
 *                 it fails: these bytes are skipped, from here up to the next place, which is looked for one byte on
 * ```
 *
 * A claimed length is only ever used to wait or to accept, never to skip by. All bytes from a failed place up to the next
 * possible one are one skip with the reason of the failure, so that a bad frame shows as one item and a megabyte of
 * noise as one a chunk.
 */
import type { FrameDecoder, Item, SkipReason } from './frame-decoder.ts';
import { InputQueue } from './input-queue.ts';

/** What a probe says when it is not the length of a frame. */
export const NEED_MORE = 0;
export const BAD_LENGTH = -1;
export const TOO_LONG = -2;
export const UNKNOWN_TYPE = -3;
/** No frame begins here, for a reason that the sync alone cannot tell. */
export const NOT_HERE = -4;
/** What stands at the end of the frame is not what frames of its kind end with. */
export const BAD_TRAILER = -5;
/** Bytes that only keep the line busy. */
export const IDLE = -6;

export interface Candidate {
  /** Every frame starts with these bytes; may be empty, then every byte may start one. */
  readonly sync: Uint8Array;
  /**
   * How long the frame is that would start at `data[at]`, in all; or one of the codes above. It sees no further than `end`
   * and checks the limits: a length it returns will be waited for.
   */
  readonly probe: (data: Uint8Array, at: number, end: number) => number;
  /** Every frame ends with these bytes. */
  readonly trailer: Uint8Array;
  /** Says whether a whole frame is right, by its checksum. */
  readonly verify: ((frame: Uint8Array) => boolean) | undefined;
  /** Where the content lies in a frame of `total` bytes at `data[at]`. */
  readonly contentFrom: (data: Uint8Array, at: number) => number;
  readonly contentTo: (at: number, total: number) => number;
}

/** So much is verified in one `next()` at most before it gives back what it has. */
const VERIFY_BYTES = 16_384;

export class ResyncDecoder implements FrameDecoder {
  private readonly queue = new InputQueue();
  private readonly candidate: Candidate;
  /** Why the bytes at `start` are skipped if no frame begins there: noise, or the last failure. */
  private reason: SkipReason = 'noise';
  /** So many bytes from `start` on are decided: they are skipped for `reason`. */
  private decided = 0;
  /** So many bytes from `start` on belonged to the frame that failed for `reason`: failures among them are part of it. */
  private claimed = 0;
  /** So many bytes the last place that was judged claimed. */
  private judged = 0;
  /** The length of a frame at `start` that was checked already. */
  private checked = 0;
  /** The whole frame as `verify` saw it: what comes out is mostly the same view. */
  private whole: Uint8Array | undefined = undefined;
  /** Bytes that went through `verify` in this call of `next()`. */
  private verified = 0;

  constructor(candidate: Candidate) {
    this.candidate = candidate;
  }

  get buffered(): number {
    return this.queue.buffered;
  }

  push(chunk: Uint8Array): void {
    this.queue.push(chunk);
  }

  expire(): void {
    if (this.queue.buffered === 0) this.startAfresh();
    this.queue.seal('expired');
  }

  end(): void {
    if (this.queue.buffered === 0) this.startAfresh();
    this.queue.seal('truncated');
  }

  next(): Item | undefined {
    const { queue } = this;
    const { data, start, end } = queue;
    if (start === end) return queue.settle();
    if (this.checked > 0) return this.accept(this.checked);

    let at = start + this.decided;
    this.verified = 0;
    for (;;) {
      at = this.findSync(data, at, end);
      if (at === end) break;
      const verdict = this.judge(data, at, end);
      if (verdict === undefined) break;
      if (typeof verdict === 'number') {
        if (at === start) return this.accept(verdict, this.whole);
        this.checked = verdict;
        return this.give(at - start);
      }
      if (at >= start + this.claimed) {
        const item = at > start && verdict !== this.reason ? this.give(at - start) : undefined;
        this.reason = verdict;
        this.claimed = at + this.judged - queue.start;
        if (item !== undefined) {
          this.decided = 1;
          return item;
        }
      }
      at++;
      if (this.verified > VERIFY_BYTES) break;
    }
    if (at === start) return queue.settle();
    this.decided = 0;
    return this.give(at - start);
  }

  /** Gives `length` bytes back as skipped; behind a seal everything starts afresh. */
  private give(length: number): Item {
    const { queue } = this;
    const fresh = queue.sealed !== undefined && queue.start + length === queue.end;
    const item = queue.skip(this.reason, length);
    this.claimed = Math.max(0, this.claimed - length);
    if (fresh) this.startAfresh();
    return item;
  }

  private startAfresh(): void {
    this.reason = 'noise';
    this.decided = 0;
    this.claimed = 0;
  }

  private accept(total: number, whole?: Uint8Array): Item {
    const { queue, candidate } = this;
    const { data, start } = queue;
    this.checked = 0;
    this.startAfresh();
    const from = candidate.contentFrom(data, start);
    const to = candidate.contentTo(start, total);
    const reused = whole !== undefined && from === start && to - from === whole.length;
    return queue.frame(reused ? whole : queue.view(from, to), total);
  }

  /** The length of the frame at `at`, why there is none, or undefined when that takes more bytes. */
  private judge(data: Uint8Array, at: number, end: number): number | SkipReason | undefined {
    const { candidate, queue } = this;
    const total = candidate.probe(data, at, end);
    this.judged = 1;
    if (total === BAD_LENGTH) return 'bad-length';
    if (total === TOO_LONG) return 'too-long';
    if (total === UNKNOWN_TYPE) return 'unknown-type';
    if (total === NOT_HERE) return 'noise';
    if (total === BAD_TRAILER) return 'bad-trailer';
    if (total === IDLE) return 'fill';
    this.judged = end - at;
    if (total === NEED_MORE || at + total > end) return queue.sealed;
    this.judged = total;
    const { trailer } = candidate;
    for (let i = 0, from = at + total - trailer.length; i < trailer.length; i++) {
      if (data[from + i] !== trailer[i]) return 'bad-trailer';
    }
    this.whole = undefined;
    if (candidate.verify === undefined) return total;
    this.verified += total;
    const whole = queue.view(at, at + total);
    if (!candidate.verify(whole)) return 'bad-checksum';
    this.whole = whole;
    return total;
  }

  /** The first place in `at..end` where the sync stands, or where the bytes at hand end in the middle of one. */
  private findSync(data: Uint8Array, at: number, end: number): number {
    const { sync } = this.candidate;
    const first = sync[0];
    if (first === undefined) return at;
    for (let i = at; i < end; i++) {
      if (data[i] !== first) continue;
      let match = 1;
      while (match < sync.length && i + match < end && data[i + match] === sync[match]) match++;
      if (match === sync.length || i + match === end) return i;
    }
    return end;
  }
}
