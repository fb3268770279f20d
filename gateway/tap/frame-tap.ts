/**
 * Where frames can be watched as they pass. It costs one question a frame while nobody does: ask `active` before anything
 * is put together for `pass`.
 */

/** One range of bytes of a frame, with a name. */
export interface TappedPart {
  readonly at: number;
  readonly length: number;
  readonly name: string;
  readonly value: string;
  readonly meaning: string;
}

/** What the bytes mean; found out only for those who look. */
export interface TappedMeaning {
  /** The kind of message, when it is known. */
  readonly message: string | undefined;
  readonly parts: readonly TappedPart[];
  /** What is wrong with them, in a stable word and in a sentence. */
  readonly problem: { readonly code: string; readonly text: string } | undefined;
}

export interface TappedFrame {
  /** Unix milliseconds. */
  readonly at: number;
  /** Id of the source. */
  readonly source: string;
  readonly peer: string;
  /** Alias of the device, when it is known. */
  readonly device: string | undefined;
  readonly direction: 'in' | 'out';
  /** `skip`: bytes that belong to no frame. */
  readonly kind: 'frame' | 'skip';
  /** Why they were skipped, or the frame was not accepted. */
  readonly reason: string | undefined;
  /** Its own copy. */
  readonly bytes: Uint8Array;
  readonly explain: () => TappedMeaning;
}

export type Watcher = (frame: TappedFrame) => void;

export class FrameTap {
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly #watchers = new Set<Watcher>();
  /** Whether anybody watches: only then is anything to be given to `pass`. */
  active = false;

  constructor(now: () => number) {
    this.now = now;
  }

  pass(frame: TappedFrame): void {
    for (const watcher of this.#watchers) watcher(frame);
  }

  /** Watches until the function that comes back is called. */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    this.active = true;
    return () => {
      this.#watchers.delete(watcher);
      this.active = this.#watchers.size > 0;
    };
  }
}
