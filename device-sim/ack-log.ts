/**
 * The log of what the gateway has promised: one line `device boot seq` for every reading acknowledged, the device as 16
 * hexadecimal digits. After a crash test it is compared with what arrived.
 *
 * Lines are handed to the kernel once a turn of the event loop, so a killed simulator loses at most the lines of the
 * turn it was killed in, and never has a line that is not true.
 */
import { closeSync, openSync, writeSync } from 'node:fs';

export class AckLog {
  readonly #file: number;
  #lines = '';
  #flushing: NodeJS.Immediate | undefined;

  /** Opens `path` for appending. Throws what the operating system says when that is impossible. */
  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  write(device: string, boot: number, seq: number): void {
    this.#lines += `${device} ${boot} ${seq}\n`;
    this.#flushing ??= setImmediate(() => this.#flush());
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
  }

  #flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    let bytes: Uint8Array = Buffer.from(this.#lines);
    this.#lines = '';
    while (bytes.length > 0) bytes = bytes.subarray(writeSync(this.#file, bytes));
  }
}
