/**
 * Tells a browser from a device. A page that somebody looks at can have its browser connect to any port of the machine it
 * runs on and of the network around, and send any bytes there, frames too, but never as the first ones:
 *
 * ```
 *   POST / HTTP/1.1 CR LF Host: … CR LF CR LF | 00 frame 00 …      what a page can send over HTTP
 *   16 03 …                                                        and over TLS, where parts of the hello are its choice
 * ```
 *
 * A head of HTTP has no zero byte, and the frames of a device end with one. So it is enough to look at what comes before
 * the first: noise does not matter, as a line may bring some before its first frame.
 */
const HTTP = ' HTTP/1.';
const TLS = '\u0016\u0003';
const END_OF_FRAME = 0;

export class OtherProtocol {
  /** The last characters that came, a byte each; undefined: a frame has ended, and there is nothing more to look at. */
  #tail: string | undefined = '';
  #begun = false;

  /** Looks at the next bytes of the stream: `HTTP`, `TLS`, or undefined when it is neither as far as can be seen. */
  look(bytes: Uint8Array): 'HTTP' | 'TLS' | undefined {
    if (this.#tail === undefined) return undefined;
    const end = bytes.indexOf(END_OF_FRAME);
    const part = end === -1 ? bytes : bytes.subarray(0, end);
    const text = this.#tail + Buffer.from(part.buffer, part.byteOffset, part.length).toString('latin1');
    if (!this.#begun && text.startsWith(TLS)) return 'TLS';
    if (text.includes(HTTP)) return 'HTTP';
    this.#begun ||= text.length >= TLS.length;
    this.#tail = end === -1 ? text.slice(1 - HTTP.length) : undefined;
    return undefined;
  }
}
