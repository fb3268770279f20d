/** Follows the simulator's ack log while it is written, so that it is known when ACKs flow. */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';

const EVERY_MS = 10;

export class AckLogTail {
  readonly #path: string;
  readonly #onAck: (device: string, boot: string, seq: number) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #buffer = Buffer.alloc(1 << 16);
  #file: number | undefined;
  #rest = '';
  #closed = false;
  #count = 0;
  #lastAt = performance.now();
  #worstGapMs = 0;

  constructor(path: string, onAck: (device: string, boot: string, seq: number) => void) {
    this.#path = path;
    this.#onAck = onAck;
    this.#timer = setInterval(() => this.read(), EVERY_MS);
  }

  /** Lines so far. */
  get count(): number {
    return this.#count;
  }

  /** The longest time without a line since `resetGap`, the present silence included. */
  get worstGapMs(): number {
    return Math.max(this.#worstGapMs, performance.now() - this.#lastAt);
  }

  resetGap(): void {
    this.#worstGapMs = 0;
    this.#lastAt = performance.now();
  }

  /** Reads what has been written. */
  read(): void {
    if (this.#file === undefined) {
      if (!existsSync(this.#path)) return;
      this.#file = openSync(this.#path, 'r');
    }
    const before = this.#count;
    for (;;) {
      const length = readSync(this.#file, this.#buffer);
      if (length === 0) break;
      const lines = (this.#rest + this.#buffer.toString('latin1', 0, length)).split('\n');
      this.#rest = lines.pop() as string;
      for (const line of lines) {
        const [device = '', boot = '', seq = ''] = line.split(' ');
        this.#onAck(device, boot, Number(seq));
        this.#count++;
      }
    }
    if (this.#count === before) return;
    const now = performance.now();
    this.#worstGapMs = Math.max(this.#worstGapMs, now - this.#lastAt);
    this.#lastAt = now;
  }

  close(): void {
    clearInterval(this.#timer);
    if (this.#closed) return;
    this.read();
    this.#closed = true;
    if (this.#file !== undefined) closeSync(this.#file);
  }
}
