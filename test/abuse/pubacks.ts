/**
 * What a broker sends, packet by packet, with its PUBACKs lost, doubled or made up.
 *
 * ```
 *   type and flags u8 | remaining length, 1–4 bytes of 7 bits, lowest first | …       PUBACK: 4x, then the packet id u16
 * ```
 */
export type PubackMode = 'as they are' | 'never' | 'twice' | 'unknown';

const PUBACK = 4;

export class PubackFilter {
  mode: PubackMode = 'as they are';
  /** PUBACKs that were not passed on as they came. */
  struck = 0;
  #rest: Buffer = Buffer.alloc(0);

  /** Takes a chunk from the broker; what the gateway is to see of it. */
  pass(chunk: Buffer): Buffer | undefined {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const out: Buffer[] = [];
    for (let end = packetEnd(this.#rest); end !== undefined; end = packetEnd(this.#rest)) {
      out.push(...this.#packet(this.#rest.subarray(0, end)));
      this.#rest = this.#rest.subarray(end);
    }
    return out.length === 0 ? undefined : Buffer.concat(out);
  }

  /** The connection is a new one. */
  restart(): void {
    this.#rest = Buffer.alloc(0);
  }

  #packet(packet: Buffer): Buffer[] {
    if (this.mode === 'as they are' || packet[0]! >> 4 !== PUBACK) return [packet];
    this.struck++;
    if (this.mode === 'never') return [];
    if (this.mode === 'twice') return [packet, packet];
    const madeUp = Buffer.from(packet);
    // An id far from those that are used.
    madeUp.writeUInt16BE(madeUp.readUInt16BE(2) ^ 0xc000, 2);
    return [packet, madeUp];
  }
}

/** Where the first packet ends; undefined while it is not all there. */
function packetEnd(bytes: Buffer): number | undefined {
  let length = 0;
  for (let at = 1; at < 5; at++) {
    const byte = bytes[at];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 128 ** (at - 1);
    if (byte < 0x80) return at + 1 + length <= bytes.length ? at + 1 + length : undefined;
  }
  throw new Error('the broker has sent what is no MQTT');
}
