/** The last warnings and errors, and what concerns each device: for those who look later. */

export interface RingLine {
  /** Unix milliseconds. */
  readonly ts: number;
  readonly level: string;
  readonly message: string;
  /** Alias of the device that it concerns. */
  readonly device?: string;
}

/** Keeps the newest lines of all, and of each device, so that a noisy one does not push out the others. */
export class LogRing {
  readonly #max: number;
  readonly #maxDevices: number;
  readonly #all: RingLine[] = [];
  readonly #byDevice = new Map<string, RingLine[]>();
  onLine: ((line: RingLine) => void) | undefined;

  constructor(max = 200, maxDevices = 1_000) {
    this.#max = max;
    this.#maxDevices = maxDevices;
  }

  add(line: RingLine): void {
    push(this.#all, line, this.#max);
    if (line.device !== undefined) {
      let own = this.#byDevice.get(line.device);
      if (own === undefined) {
        if (this.#byDevice.size >= this.#maxDevices) this.#makeRoom();
        own = [];
      } else {
        this.#byDevice.delete(line.device);
      }
      // The one heard of last is the last to go.
      this.#byDevice.set(line.device, own);
      push(own, line, this.#max / 2);
    }
    this.onLine?.(line);
  }

  /** Oldest first. */
  all(): readonly RingLine[] {
    return this.#all;
  }

  of(device: string): readonly RingLine[] {
    return this.#byDevice.get(device) ?? [];
  }

  /** The device has another alias from now on. */
  rename(before: string, after: string): void {
    const own = this.#byDevice.get(before);
    if (own === undefined) return;
    this.#byDevice.delete(before);
    this.#byDevice.set(after, own);
  }

  /** The device is forgotten. */
  forget(device: string): void {
    this.#byDevice.delete(device);
  }

  #makeRoom(): void {
    for (const oldest of this.#byDevice.keys()) {
      this.#byDevice.delete(oldest);
      return;
    }
  }
}

function push(lines: RingLine[], line: RingLine, max: number): void {
  lines.push(line);
  if (lines.length > max) lines.shift();
}
