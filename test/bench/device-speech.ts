/**
 * What the devices of a benchmark say: the link protocol, or the plain frames of the reference relays.
 *
 * ```
 *   link    READINGS of four i16: 31 bytes, 33 on a stream
 *   plain   length u16 = 30 | device u64 | seq u32 | 4 × i16 | 10 of nothing      32 bytes
 *           back: u32, how many frames were taken in all
 * ```
 */
import {
  crc32,
  decodeBody,
  decodeFrame,
  encodeMessage,
  encodeStreamFrame,
  encodeStreamFrameInto,
} from '../../protocol/index.ts';

/** What a message from the other side means. */
export type Outcome =
  | { readonly kind: 'welcome' | 'nothing' }
  /** All frames up to this one. */
  | { readonly kind: 'ack'; readonly seq: number }
  | { readonly kind: 'busy'; readonly retryAfterMs: number };

export interface DeviceSpeech {
  /** The first words, or undefined when there are none. */
  hello(): Uint8Array | undefined;
  /** Sends the frames first … first + count − 1; each array is the receiver's. */
  frames(first: number, count: number, send: (bytes: Uint8Array) => void): void;
  read(bytes: Uint8Array): Outcome;
}

const FRAME_BYTES = 31;
const PLAIN_BYTES = 32;
const NOTHING: Outcome = { kind: 'nothing' };
const WELCOME: Outcome = { kind: 'welcome' };

/** The device id of the nth device. */
export function deviceId(index: number): bigint {
  return 0x00b2_0000_0000_0000n + BigInt(index);
}

export class LinkSpeech implements DeviceSpeech {
  readonly #template: Uint8Array;
  readonly #view: DataView;
  readonly #id: bigint;
  readonly #stream: boolean;
  #sid = 0;

  constructor(index: number, carrier: 'stream' | 'datagrams') {
    this.#id = deviceId(index);
    this.#stream = carrier === 'stream';
    const values = [0, 1, 2, 3].map((channel) => ({
      channel,
      type: 'i16' as const,
      quality: 'good' as const,
      value: 2_000 + channel,
    }));
    this.#template = encodeMessage(
      { type: 'READINGS', samples: [{ timeKind: 'now', time: 0, values }] },
      { sid: 1, seq: 1 },
    );
    if (this.#template.length !== FRAME_BYTES) throw new Error(`a frame of ${this.#template.length} bytes`);
    this.#view = new DataView(this.#template.buffer, this.#template.byteOffset, FRAME_BYTES);
  }

  hello(): Uint8Array {
    const hello = encodeMessage(
      {
        type: 'HELLO',
        minVersion: 1,
        maxVersion: 1,
        device: this.#id,
        boot: 1,
        uptime: 0,
        firstSeq: 1,
        capabilities: { commands: false, clock: false },
        maxFrame: 1_024,
        schemaCrc: 0,
      },
      { sid: 0, seq: 0 },
    );
    return this.#stream ? encodeStreamFrame(hello) : hello;
  }

  frames(first: number, count: number, send: (bytes: Uint8Array) => void): void {
    const batch = new Uint8Array(this.#stream ? count * (FRAME_BYTES + 2) : 0);
    let at = 0;
    for (let i = 0; i < count; i++) {
      this.#view.setUint32(6, first + i);
      this.#view.setUint32(FRAME_BYTES - 4, crc32(this.#template, 0, FRAME_BYTES - 4));
      if (this.#stream) at = encodeStreamFrameInto(this.#template, batch, at);
      else send(this.#template.slice());
    }
    if (this.#stream) send(batch.subarray(0, at));
  }

  read(bytes: Uint8Array): Outcome {
    const frame = decodeFrame(bytes);
    if (!frame.ok) throw new Error(`the gateway sent a frame that is bad: ${frame.code}`);
    const body = decodeBody(frame.frame);
    if (!body.ok) throw new Error(`the gateway sent a message that is bad: ${body.code}`);
    const { message } = body;
    switch (message.type) {
      case 'WELCOME':
        this.#sid = frame.frame.sid;
        this.#view.setUint32(2, this.#sid);
        return WELCOME;
      case 'ACK':
        return { kind: 'ack', seq: message.seq };
      case 'ERROR':
        if (message.code === 'busy') return { kind: 'busy', retryAfterMs: message.retryAfter * 1_000 };
        throw new Error(`the gateway refused: ${message.code} ${message.text}`);
      default:
        return NOTHING;
    }
  }
}

export class PlainSpeech implements DeviceSpeech {
  readonly #template = Buffer.alloc(PLAIN_BYTES);

  constructor(index: number) {
    this.#template.writeUInt16BE(PLAIN_BYTES - 2, 0);
    this.#template.writeBigUInt64BE(deviceId(index), 2);
    for (let i = 0; i < 4; i++) this.#template.writeInt16BE(2_000 + i, 14 + 2 * i);
  }

  hello(): undefined {
    return undefined;
  }

  frames(first: number, count: number, send: (bytes: Uint8Array) => void): void {
    const batch = Buffer.allocUnsafe(count * PLAIN_BYTES);
    for (let i = 0; i < count; i++) {
      this.#template.writeUInt32BE(first + i, 10);
      batch.set(this.#template, i * PLAIN_BYTES);
    }
    send(batch);
  }

  read(bytes: Uint8Array): Outcome {
    const [a = 0, b = 0, c = 0, d = 0] = bytes;
    return { kind: 'ack', seq: ((a << 24) | (b << 16) | (c << 8) | d) >>> 0 };
  }
}
