/**
 * Why nothing that a channel has brought was understood: the first thing that somebody wants to know whose device says
 * nothing.
 */
import { explain, type Item } from '../../protocol/index.ts';
import { SKIP_SENTENCES } from '../tap/meanings.ts';

export interface Doubt {
  /** A stable word. */
  readonly reason: string;
  /** What it may be, and what would be right. */
  readonly hint: string;
  /** The last bytes, at most 64; empty when nothing has come. */
  readonly last: Uint8Array;
}

const KEPT_BYTES = 64;
const NOTHING = new Uint8Array(0);

/** Remembers what came last while nothing is understood. */
export class Doubts {
  #last: Uint8Array = NOTHING;
  #skipped: (Item & { readonly kind: 'skip' })['reason'] | undefined;
  #refused: string | undefined;

  /** A frame that led to nothing, or bytes that are none. */
  take(item: Item): void {
    if (item.kind === 'skip' && item.reason === 'fill') return;
    this.#last = item.bytes.slice(-KEPT_BYTES);
    this.#skipped = item.kind === 'skip' ? item.reason : undefined;
  }

  /** It was understood, and not let in. */
  refused(reason: string): void {
    this.#refused = reason;
  }

  /** What there is to say now, after so many bytes. */
  doubt(bytesRead: number): Doubt {
    const last = this.#last;
    if (bytesRead === 0) {
      const hint = 'Connected, and not a byte has come. A device speaks first; on a serial line, look at TX and RX.';
      return { reason: 'nothing-received', hint, last };
    }
    if (this.#refused !== undefined) {
      return { reason: this.#refused, hint: 'It was understood, and not let in: the log says why.', last };
    }
    if (this.#skipped !== undefined) {
      const hint = `The last bytes were no frame: ${SKIP_SENTENCES[this.#skipped]}. Is it the right protocol, and the right baud rate?`;
      return { reason: this.#skipped, hint, last };
    }
    if (last.length === 0) {
      const hint = 'Bytes have come, and not yet the end of a frame. Is the framing right?';
      return { reason: 'no-frame', hint, last };
    }
    const problem = explain(last, 'frame').frames[0]?.problem;
    if (problem === undefined) {
      return { reason: 'no-session', hint: 'Frames come, and no session stands: a device begins with HELLO.', last };
    }
    return { reason: problem.code, hint: `The last frame is not right: ${problem.text}.`, last };
  }
}
