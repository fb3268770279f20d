/** The tap of one channel: what its session gives away to those who watch. */
import type { Item } from '../../protocol/index.ts';
import type { FrameTap, TappedMeaning } from './frame-tap.ts';

/** Finds out what bytes mean; called only for those who look, with a copy of the bytes. */
export type Meaning = (bytes: Uint8Array) => TappedMeaning;

export class ChannelTap {
  readonly #tap: FrameTap;
  readonly #source: string;
  readonly #peer: string;

  /** @param source id of the source; `peer` is who is at the other end, unless a frame says otherwise */
  constructor(tap: FrameTap, source: string, peer: string) {
    this.#tap = tap;
    this.#source = source;
    this.#peer = peer;
  }

  /** Whether anybody watches: only then is anything to be given to the others here. */
  get active(): boolean {
    return this.#tap.active;
  }

  /** A frame, or bytes that are none. `device` is its alias, if it is known. */
  received(item: Item, device: string | undefined, meaning: Meaning, peer = this.#peer): void {
    if (item.kind === 'frame') this.#pass('in', 'frame', undefined, item.bytes, device, meaning, peer);
    else this.#pass('in', 'skip', item.reason, item.bytes, device, meaning, peer);
  }

  sent(frame: Uint8Array, device: string | undefined, meaning: Meaning, peer = this.#peer): void {
    this.#pass('out', 'frame', undefined, frame, device, meaning, peer);
  }

  #pass(
    direction: 'in' | 'out',
    kind: 'frame' | 'skip',
    reason: string | undefined,
    view: Uint8Array,
    device: string | undefined,
    meaning: Meaning,
    peer: string,
  ): void {
    const bytes = view.slice();
    const explain = (): TappedMeaning => meaning(bytes);
    const at = this.#tap.now();
    this.#tap.pass({ at, source: this.#source, peer, device, direction, kind, reason, bytes, explain });
  }
}
