/**
 * A device for tests that does nothing by itself: it sends exactly the frames it is told to and collects what comes.
 *
 * ```ts
 * const device = await LinkDevice.tcp(port);
 * await device.hello({ boot: 7 });
 * device.readings(1, sample(21.5));
 * expect(await device.next('ACK')).toMatchObject({ seq: 1 });
 * ```
 *
 * With a `key` it says HELLO and REPORT sealed, and everything in the session; `plainFrame` forges what it would never send.
 */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  beginHandshake,
  decodeBody,
  decodeFrame,
  type DeviceHandshake,
  encodeMessage,
  encodeStreamFrame,
  isSealed,
  type LinkFrame,
  linkStreamDecoder,
  messageByName,
  type Message,
  type MessageOf,
  type Sample,
  type SecureChannel,
  sealedSid,
} from '../../protocol/index.ts';

export const DEVICE_ID = 0xa1b2_c3d4_e5f6_0718n;

/** A message from the gateway with the numbers of its frame. */
export type Received<Type extends Message['type'] = Message['type']> = MessageOf<Type> & {
  readonly sid: number;
  readonly frameSeq: number;
  readonly sealed?: true;
};

interface Header {
  readonly seq?: number;
  readonly sid?: number;
  readonly ackWanted?: boolean;
  readonly critical?: boolean;
}

/** Bytes out; what comes in is given to the device. */
interface Line {
  send(frame: Uint8Array): void;
  close(): void;
}

/** One sample, measured now: channel 1 and so on, f64. */
export function sample(...values: number[]): Sample {
  return {
    timeKind: 'now',
    time: 0,
    values: values.map((value, index) => ({ channel: index + 1, type: 'f64', quality: 'good', value })),
  };
}

export class LinkDevice {
  readonly id: bigint;
  /** From the last WELCOME. */
  sid = 0;
  boot = 0;
  /** Its key; with one, it speaks sealed. */
  key: Uint8Array | undefined;
  /** Of the session that stands. */
  channel: SecureChannel | undefined;
  /** Sealed frames that none of its keys could open. */
  readonly unopened: Uint8Array[] = [];
  /** Bytes of the largest frame that has come. */
  largest = 0;
  /** Begun and not answered. */
  readonly #handshakes = new Set<DeviceHandshake>();
  /** All that has come, in order. */
  readonly received: Received[] = [];
  /** The socket under a stream, for tests of its end. */
  readonly socket: Socket | undefined;
  /** Resolves when a stream is closed in both directions. */
  readonly closed: Promise<void>;
  /** What `next` has not given out yet. */
  readonly #inbox: Received[] = [];
  readonly #waiting = new Set<() => void>();
  #line: Line = { send: () => undefined, close: () => undefined };
  #seq = 0;
  #gone = false;
  #markClosed: () => void = () => undefined;

  private constructor(id: bigint, socket: Socket | undefined) {
    this.id = id;
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      this.#markClosed = resolve;
    });
  }

  static tcp(port: number, id = DEVICE_ID): Promise<LinkDevice> {
    return LinkDevice.#connect({ port, host: '127.0.0.1' }, id);
  }

  static unix(path: string, id = DEVICE_ID): Promise<LinkDevice> {
    return LinkDevice.#connect({ path }, id);
  }

  static async #connect(where: NetConnectOpts, id: bigint): Promise<LinkDevice> {
    const socket = connect({ ...where, allowHalfOpen: true });
    await once(socket, 'connect');
    return LinkDevice.over(socket, id, socket);
  }

  /** On any stream, e.g. one end of a serial line. */
  static over(stream: Duplex, id = DEVICE_ID, socket?: Socket): LinkDevice {
    const device = new LinkDevice(id, socket);
    const decoder = linkStreamDecoder();
    stream.on('data', (chunk: Uint8Array) => {
      decoder.push(chunk);
      for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
        if (item.kind === 'frame') device.#take(item.bytes);
        else throw new Error(`the gateway sent what is no frame: ${item.reason}`);
      }
    });
    // A reset is what some tests want.
    stream.on('error', () => undefined);
    stream.on('close', () => device.#over());
    stream.on('end', () => device.#over());
    device.#line = {
      send: (frame) => void stream.write(encodeStreamFrame(frame)),
      close: () => void stream.destroy(),
    };
    return device;
  }

  static async udp(port: number, id = DEVICE_ID): Promise<LinkDevice> {
    const socket: DatagramSocket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const device = new LinkDevice(id, undefined);
    socket.on('message', (bytes) => device.#take(bytes));
    socket.on('error', () => undefined);
    device.#line = {
      send: (frame) => socket.send(frame, port, '127.0.0.1'),
      close: () => {
        socket.close();
        device.#over();
      },
    };
    return device;
  }

  // --- sending -------------------------------------------------------------------------------------------------------

  /** Raw bytes on a stream. */
  write(bytes: Uint8Array): void {
    this.socket?.write(bytes);
  }

  /** A whole frame, framed as the transport wants it; nothing about it is checked. */
  sendFrame(frame: Uint8Array): void {
    this.#line.send(frame);
  }

  /** The frame of a message of the session. Reliable ones need a `seq`; for others it is counted. */
  frame(message: Message, header: Header = {}): Uint8Array {
    const { channel } = this;
    if (channel === undefined) return this.plainFrame(message, header);
    const isReliable = messageByName(message.type).reliable === 'always' || header.ackWanted === true;
    return channel.sealMessage(message, isReliable ? header.seq : undefined);
  }

  /** The same without a seal, also from a device with a key. */
  plainFrame(message: Message, { seq = (this.#seq += 1), sid = this.sid, ...flags }: Header = {}): Uint8Array {
    return encodeMessage(message, { seq, sid, ...flags });
  }

  send(message: Message, header: Header = {}): void {
    this.sendFrame(this.frame(message, header));
  }

  /** HELLO without waiting for the answer; the frame that was sent. */
  sendHello(given: Partial<MessageOf<'HELLO'>> = {}): Uint8Array {
    const hello: MessageOf<'HELLO'> = {
      type: 'HELLO',
      minVersion: 1,
      maxVersion: 1,
      device: this.id,
      boot: 7,
      uptime: 0,
      firstSeq: 1,
      capabilities: { commands: true, clock: false },
      maxFrame: 1_024,
      schemaCrc: 0,
      ...given,
    };
    return this.#begin(hello, 0);
  }

  /** Sends a frame without a session, sealed if there is a key. */
  #begin(message: MessageOf<'HELLO'> | MessageOf<'REPORT'>, seq: number): Uint8Array {
    let frame: Uint8Array;
    if (this.key === undefined) frame = encodeMessage(message, { sid: 0, seq });
    else {
      const handshake = beginHandshake(this.key, message, seq);
      this.#handshakes.add(handshake);
      frame = handshake.frame;
    }
    this.sendFrame(frame);
    return frame;
  }

  /** HELLO, and the WELCOME that answers it; from then on the session is this device's. */
  async hello(given: Partial<MessageOf<'HELLO'>> = {}): Promise<Received<'WELCOME'>> {
    this.sendHello(given);
    const welcome = await this.next('WELCOME');
    this.sid = welcome.sid;
    this.boot = welcome.boot;
    return welcome;
  }

  readings(seq: number, ...samples: Sample[]): void {
    this.send({ type: 'READINGS', samples: samples.length > 0 ? samples : [sample(seq)] }, { seq });
  }

  /** The frame that was sent. */
  report(seq: number, given: Partial<MessageOf<'REPORT'>> = {}): Uint8Array {
    const report: MessageOf<'REPORT'> = {
      type: 'REPORT',
      device: this.id,
      boot: 7,
      uptime: 0,
      samples: [sample(seq)],
      ...given,
    };
    return this.#begin(report, seq);
  }

  // --- receiving -----------------------------------------------------------------------------------------------------

  /** The next message of this type, past or future; what came before it is passed over. Rejects when none can come. */
  async next<Type extends Message['type']>(type: Type): Promise<Received<Type>> {
    for (;;) {
      for (let message = this.#inbox.shift(); message !== undefined; message = this.#inbox.shift()) {
        if (message.type === type) return message as unknown as Received<Type>;
      }
      if (this.#gone) throw new Error(`closed without ${type}; received ${JSON.stringify(this.received)}`);
      await this.#woken();
    }
  }

  /** So many sealed frames have come that were not for this device, or that it has no key for. */
  async foreign(count: number): Promise<void> {
    while (this.unopened.length < count) await this.#woken();
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.add(resolve);
    });
  }

  /** An ACK that covers `seq`; earlier ones are passed over. */
  async acknowledged(seq: number): Promise<Received<'ACK'>> {
    for (;;) {
      const ack = await this.next('ACK');
      if (ack.seq >= seq) return ack;
    }
  }

  /**
   * Everything sent so far was dealt with, and the turn that did so is over, so that what it answers is here: of two
   * PINGs, the second was sent after the first was answered.
   */
  async settled(): Promise<Received[]> {
    for (const token of [1, 2]) {
      this.send({ type: 'PING', token });
      await this.next('PONG');
    }
    return this.received;
  }

  of<Type extends Message['type']>(type: Type): Received<Type>[] {
    return this.received.filter((message) => message.type === type) as unknown as Received<Type>[];
  }

  close(): void {
    this.#line.close();
  }

  #take(bytes: Uint8Array): void {
    const copy = Uint8Array.from(bytes);
    this.largest = Math.max(this.largest, copy.length);
    const sealed = isSealed(copy);
    const frame = sealed ? this.#open(copy) : openPlain(copy);
    if (frame === undefined) {
      this.unopened.push(copy);
      this.#wake();
      return;
    }
    const body = decodeBody(frame);
    if (!body.ok) throw new Error(`the gateway sent a bad message: ${body.code} ${body.field}`);
    if (!frame.down) throw new Error('the gateway sent a frame without the down bit');
    const numbers = { sid: frame.sid, frameSeq: frame.seq, ...(sealed && { sealed: true as const }) };
    const message: Received = { ...body.message, ...numbers };
    this.received.push(message);
    this.#inbox.push(message);
    this.#wake();
  }

  #open(bytes: Uint8Array): LinkFrame | undefined {
    if (sealedSid(bytes) !== 0) {
      const opened = this.channel?.open(bytes);
      return opened?.ok === true ? opened.frame : undefined;
    }
    for (const handshake of this.#handshakes) {
      const completed = handshake.complete(bytes);
      if (!completed.ok) continue;
      this.#handshakes.delete(handshake);
      this.channel = completed.channel ?? this.channel;
      return completed.frame;
    }
    return undefined;
  }

  #over(): void {
    this.#gone = true;
    this.#markClosed();
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

function openPlain(bytes: Uint8Array): LinkFrame {
  const decoded = decodeFrame(bytes);
  if (!decoded.ok) throw new Error(`the gateway sent a bad frame: ${decoded.code}`);
  return decoded.frame;
}
