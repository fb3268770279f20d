/**
 * How a device's frames are protected: by a CRC, or sealed under its key.
 *
 * ```
 *                    without a key               with a key
 *   HELLO, REPORT    plain frame                 a handshake of its own, each time anew
 *   a session        plain frames                the channel that WELCOME has made
 *   plain frame in   counts                      a hint: anybody can have sent it
 * ```
 */
import {
  type Beginning,
  type DeviceHandshake,
  type LinkFrame,
  type Message,
  type SecureChannel,
  type Transmission,
  beginHandshake,
  decodeFrame,
  encodeFrame,
  encodeMessage,
  isSealed,
  sealedSid,
} from '../protocol/index.ts';

/** What came: a frame that counts, one that may be forged, or no frame, with the reason. */
export type Received =
  | { readonly kind: 'frame'; readonly frame: LinkFrame }
  | { readonly kind: 'hint'; readonly frame: LinkFrame }
  | { readonly kind: 'bad'; readonly code: string };

export interface Protection {
  /** The session that stands has had no frame of ours: until it has, the gateway takes it for a replay. */
  readonly unconfirmed: boolean;
  /** No numbers are left in this session. */
  readonly spent: boolean;
  /** The frame of a HELLO, or of a REPORT with its seq. */
  begin(message: Beginning, seq: number): Uint8Array;
  /** The frame of a message that wants no ACK, which is the `seq`-th of this session. */
  message(message: Message, sid: number, seq: number): Uint8Array;
  /** The frame of something that the window wants transmitted. */
  reliable(transmission: Transmission, sid: number): Uint8Array;
  /** Checks what came. A view where it is one into the bytes given. */
  receive(bytes: Uint8Array, maxBytes: number): Received;
  /** No session stands any more. */
  end(): void;
}

export function protectionOf(key: Uint8Array | undefined): Protection {
  return key === undefined ? new Plain() : new Sealed(key);
}

class Plain implements Protection {
  readonly unconfirmed = false;
  readonly spent = false;

  begin(message: Beginning, seq: number): Uint8Array {
    return encodeMessage(message, { sid: 0, seq });
  }

  message(message: Message, sid: number, seq: number): Uint8Array {
    return encodeMessage(message, { sid, seq });
  }

  reliable({ type, seq, body }: Transmission, sid: number): Uint8Array {
    return encodeFrame({ type, sid, seq, ackWanted: true }, body);
  }

  receive(bytes: Uint8Array, maxBytes: number): Received {
    const decoded = decodeFrame(bytes, maxBytes);
    return decoded.ok ? { kind: 'frame', frame: decoded.frame } : { kind: 'bad', code: decoded.code };
  }

  end(): void {
    // Nothing is kept for a session.
  }
}

class Sealed implements Protection {
  readonly #key: Uint8Array;
  /** The newest; an answer to an earlier one finds no tag that fits. */
  #handshake: DeviceHandshake | undefined;
  #channel: SecureChannel | undefined;
  #silent = false;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  get unconfirmed(): boolean {
    return this.#silent;
  }

  get spent(): boolean {
    return this.#channel?.spent === true;
  }

  begin(message: Beginning, seq: number): Uint8Array {
    this.#handshake = beginHandshake(this.#key, message, seq);
    return this.#handshake.frame;
  }

  message(message: Message): Uint8Array {
    this.#silent = false;
    return this.#open().sealMessage(message);
  }

  reliable({ type, seq, body }: Transmission): Uint8Array {
    this.#silent = false;
    return this.#open().seal({ type, seq }, body);
  }

  receive(bytes: Uint8Array, maxBytes: number): Received {
    if (isSealed(bytes)) return sealedSid(bytes) === 0 ? this.#answer(bytes) : this.#data(bytes, maxBytes);
    const decoded = decodeFrame(bytes, maxBytes);
    return decoded.ok ? { kind: 'hint', frame: decoded.frame } : { kind: 'bad', code: decoded.code };
  }

  end(): void {
    this.#channel = undefined;
    this.#silent = false;
  }

  #answer(bytes: Uint8Array): Received {
    if (this.#handshake === undefined) return { kind: 'bad', code: 'no-handshake' };
    const completed = this.#handshake.complete(bytes);
    if (!completed.ok) return { kind: 'bad', code: completed.code };
    this.#handshake = undefined;
    const { frame, channel } = completed;
    if (channel !== undefined) {
      this.#channel = channel;
      this.#silent = true;
    }
    return { kind: 'frame', frame };
  }

  #data(bytes: Uint8Array, maxBytes: number): Received {
    if (this.#channel === undefined) return { kind: 'bad', code: 'wrong-session' };
    const opened = this.#channel.open(bytes, maxBytes);
    return opened.ok ? { kind: 'frame', frame: opened.frame } : { kind: 'bad', code: opened.code };
  }

  #open(): SecureChannel {
    if (this.#channel === undefined) throw new RangeError('no session stands');
    return this.#channel;
  }
}
