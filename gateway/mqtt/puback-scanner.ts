/**
 * Takes the PUBACKs of the data plane out of what the broker sends; every other byte goes on to MQTT.js untouched.
 *
 * ```
 *   fixed header     0x40 PUBACK │ any other type: passed on
 *   remaining length 1–4 bytes, 7 bits each, lowest first, bit 7 = more follow
 *   packet id u16    1–maxId: ours │ above: one of MQTT.js, passed on
 *   reason code u8   MQTT 5 only, left out when 0
 *   properties       MQTT 5 only, dropped
 * ```
 *
 * A PUBLISH above `maxIncomingBytes` is dropped and counted: we subscribe with QoS 0, so nobody waits for its
 * acknowledgement, and a client of the broker cannot make the gateway hold a message of 256 MB.
 */

/** What the scanner does with the rest of the packet that it is in. */
type Fate = 'pass' | 'drop';

const PUBLISH = 3;
const PUBACK = 4;

export interface PubackScannerOptions {
  /** Packet ids 1–maxId belong to the data plane. */
  readonly maxId: number;
  readonly maxIncomingBytes: number;
  /** Called for each message dropped because of its size. */
  readonly onOversize?: () => void;
  readonly onPuback: (id: number, reasonCode: number) => void;
  /** Bytes for MQTT.js: a view of the chunk pushed, or a copy. */
  readonly pass: (bytes: Uint8Array) => void;
}

export class PubackScanner {
  readonly #options: PubackScannerOptions;
  /** Bytes of the present packet that are still to come and whose fate is decided. */
  #remaining = 0;
  #fate: Fate = 'pass';
  /** The beginning of a packet whose fate is not decided yet: at most 8 bytes. */
  #held: number[] = [];
  /** The length field was not MQTT: everything further is left to MQTT.js, which ends the connection. */
  #malformed = false;
  /** Incoming messages dropped because of their size. */
  oversize = 0;

  constructor(options: PubackScannerOptions) {
    this.#options = options;
  }

  push(chunk: Uint8Array): void {
    const { maxId, onPuback } = this.#options;
    const end = chunk.length;
    let at = 0;
    while (at < end) {
      // The common case: a whole PUBACK of ours.
      if (this.#remaining === 0 && this.#held.length === 0 && !this.#malformed && chunk[at] === 0x40) {
        const length = chunk[at + 1];
        if (length !== undefined && length >= 2 && length < 0x80 && at + 2 + length <= end) {
          const id = (chunk[at + 2]! << 8) | chunk[at + 3]!;
          if (id > 0 && id <= maxId) {
            onPuback(id, length > 2 ? chunk[at + 4]! : 0);
            at += 2 + length;
            continue;
          }
        }
      }
      at = this.#step(chunk, at);
    }
  }

  /** Handles one byte of a header or a run of bytes whose fate is decided. */
  #step(chunk: Uint8Array, at: number): number {
    if (this.#malformed) {
      this.#options.pass(chunk.subarray(at));
      return chunk.length;
    }
    if (this.#remaining > 0) {
      const taken = Math.min(this.#remaining, chunk.length - at);
      if (this.#fate === 'pass') this.#options.pass(chunk.subarray(at, at + taken));
      this.#remaining -= taken;
      return at + taken;
    }
    this.#held.push(chunk[at]!);
    this.#decide();
    return at + 1;
  }

  #decide(): void {
    const held = this.#held;
    const first = held[0]!;
    let length = 0;
    let at = 1;
    for (; ; at++) {
      const byte = held[at];
      if (byte === undefined) return;
      if (at > 4) {
        this.#malformed = true;
        this.#passHeld(0);
        return;
      }
      length += (byte & 0x7f) * 2 ** (7 * (at - 1));
      if (byte < 0x80) break;
    }
    const type = first >>> 4;
    const have = held.length - at - 1;
    if (type === PUBLISH && length > this.#options.maxIncomingBytes) {
      this.oversize++;
      this.#options.onOversize?.();
      this.#drop(length - have);
    } else if (type !== PUBACK || length < 2) {
      this.#passHeld(length - have);
    } else if (have >= 2) {
      const id = (held[at + 1]! << 8) | held[at + 2]!;
      if (id === 0 || id > this.#options.maxId) {
        this.#passHeld(length - have);
      } else if (length === 2 || have === 3) {
        this.#options.onPuback(id, length === 2 ? 0 : held[at + 3]!);
        this.#drop(length - have);
      }
    }
  }

  #passHeld(remaining: number): void {
    this.#options.pass(Uint8Array.from(this.#held));
    this.#held = [];
    this.#remaining = remaining;
    this.#fate = 'pass';
  }

  #drop(remaining: number): void {
    this.#held = [];
    this.#remaining = remaining;
    this.#fate = 'drop';
  }
}
