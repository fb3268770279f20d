/** Cuts an MQTT stream into packets. */

/** `bytes2mqtt/` and 16 digits, and nothing else that is published has a topic of this length. */
const STATE_TOPIC_BYTES = 27;
const HISTORY_TOPIC_BYTES = STATE_TOPIC_BYTES + '/history'.length;

/**
 * Whether a topic of this length is one of readings. Readings that wait behind a lost datagram may be older, by their
 * time, than what was published before; they go to the history.
 */
export function isReadings(topicBytes: number): boolean {
  return topicBytes === STATE_TOPIC_BYTES || topicBytes === HISTORY_TOPIC_BYTES;
}

/** Packets may be cut anywhere: what is left of one waits for the next chunk. */
export class PacketScanner {
  #rest: Buffer = Buffer.alloc(0);

  /** Calls back for each whole packet: its type and flags, and where in `data` its body is. */
  push(chunk: Buffer, take: (type: number, flags: number, data: Buffer, body: number, end: number) => void): void {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (;;) {
      let length = 0;
      let body = 0;
      for (let i = 0; i < 4; i++) {
        const byte = data[at + 1 + i];
        if (byte === undefined) break;
        length += (byte & 0x7f) * 128 ** i;
        if (byte < 0x80) {
          body = at + 2 + i;
          break;
        }
        if (i === 3) throw new Error('a remaining length of more than four bytes');
      }
      if (body === 0 || body + length > data.length) break;
      const first = data[at] as number;
      take(first >> 4, first & 15, data, body, body + length);
      at = body + length;
    }
    this.#rest = data.subarray(at);
  }
}
