/**
 * Why nothing that a channel has brought was understood: the first thing that somebody wants to know whose device says
 * nothing.
 */
import type { Item, SkipReason } from '../../protocol/index.ts';
import type { Meaning } from '../tap/channel-tap.ts';
import { linkMeaning, SKIP_SENTENCES } from '../tap/meanings.ts';

export interface Doubt {
  /** A stable word. */
  readonly reason: string;
  /** What it may be, and what would be right. */
  readonly hint: string;
  /** The last bytes, as they came, at most 64; empty when nothing has come. */
  readonly last: Uint8Array;
}

const KEPT_BYTES = 64;
const NOTHING = new Uint8Array(0);
const NO_SESSION = 'Frames come, and no session stands: a device begins with HELLO.';

/** Remembers what came last while nothing is understood. */
export class Doubts {
  readonly #meaning: () => Meaning;
  readonly #noSession: string;
  readonly #isBinary: boolean;
  #last: Uint8Array = NOTHING;
  /** The last frame that led to nothing. */
  #frame: Uint8Array | undefined;
  #skipped: SkipReason | undefined;
  #refused: string | undefined;
  #understood = false;

  /**
   * @param meaning what is spoken there: the link protocol unless told; `noSession` is said when frames are good,
   * `isBinary`: text is no good sign
   */
  constructor(meaning: () => Meaning = () => linkMeaning, noSession = NO_SESSION, isBinary = true) {
    this.#meaning = meaning;
    this.#noSession = noSession;
    this.#isBinary = isBinary;
  }

  /** Bytes as they came. */
  seen(bytes: Uint8Array): void {
    if (this.#understood) return;
    if (bytes.length >= KEPT_BYTES || this.#last.length === 0) this.#last = bytes.slice(-KEPT_BYTES);
    else this.#last = new Uint8Array([...this.#last, ...bytes].slice(-KEPT_BYTES));
  }

  /** A frame that led to nothing, or bytes that are none. */
  take(item: Item): void {
    if (item.kind === 'frame') {
      this.#frame = item.bytes.slice();
      this.#skipped = undefined;
    } else if (item.reason !== 'fill') {
      this.#frame = undefined;
      this.#skipped = item.reason;
      this.#understood = false;
    }
  }

  /** It was understood, and not let in. */
  refused(reason: string): void {
    this.#refused = reason;
  }

  /** A session stood, or a report was taken: until something comes that is no frame, nothing is doubtful. */
  understood(): void {
    this.#understood = true;
    this.#last = NOTHING;
    this.#frame = undefined;
  }

  /** What there is to say now, after so many bytes; undefined: it is understood. */
  doubt(bytesRead: number): Doubt | undefined {
    if (this.#understood) return undefined;
    const last = this.#last;
    if (bytesRead === 0) {
      const hint = 'Connected, and not a byte has come. A device speaks first; on a serial line, look at TX and RX.';
      return { reason: 'nothing-received', hint, last };
    }
    if (this.#refused !== undefined) {
      return { reason: this.#refused, hint: 'It was understood, and not let in: the log says why.', last };
    }
    if (this.#frame !== undefined) {
      const { problem } = this.#meaning()(this.#frame);
      if (problem === undefined) return { reason: 'no-session', hint: this.#noSession, last };
      return { reason: problem.code, hint: `The last frame is not right: ${problem.text}.`, last };
    }
    if (this.#isBinary && isText(last)) {
      const hint = 'What comes is text: its sender speaks another protocol, or prints its log on this line.';
      return { reason: 'text', hint, last };
    }
    if (this.#skipped !== undefined) {
      const hint = `The last bytes were no frame: ${SKIP_SENTENCES[this.#skipped]}. Is it the right protocol, and the right baud rate?`;
      return { reason: this.#skipped, hint, last };
    }
    return { reason: 'no-frame', hint: 'Bytes have come, and not yet the end of a frame. Is the framing right?', last };
  }
}

/** ASCII that can be printed, with line ends. */
function isText(bytes: Uint8Array): boolean {
  return bytes.length >= 8 && bytes.every((byte) => (byte >= 0x20 && byte < 0x7f) || (byte >= 0x09 && byte <= 0x0d));
}
