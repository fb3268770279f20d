/**
 * Devices for a benchmark, as cheap as can be: each keeps its window full of READINGS of four i16 (31 bytes, 33 on the
 * wire). Run as a child process: `{ start }` begins, `{ report }` tells how many were acknowledged.
 */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import {
  crc32,
  decodeBody,
  decodeFrame,
  encodeMessage,
  encodeStreamFrame,
  encodeStreamFrameInto,
  linkStreamDecoder,
} from '../../protocol/index.ts';

export interface LoadOptions {
  readonly transport: 'tcp' | 'udp';
  readonly port: number;
  readonly devices: number;
  /** Frames outstanding, at most the gateway's window. 0: the sessions stand and are idle. */
  readonly window: number;
}

const FRAME_BYTES = 31;
const DEVICES_AT_ONCE = 100;

let acknowledged = 0;
let standing = 0;

/** One device: makes frames, and counts what comes back. */
class Device {
  readonly #template: Uint8Array;
  readonly #view: DataView;
  readonly #id: bigint;
  readonly #window: number;
  readonly #udp: boolean;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #onStanding: () => void;
  #sid = 0;
  #next = 1;
  #acked = 0;

  constructor(index: number, options: LoadOptions, send: (bytes: Uint8Array) => void, onStanding: () => void) {
    this.#id = 0x00b2_0000_0000_0000n + BigInt(index);
    this.#window = options.window;
    this.#udp = options.transport === 'udp';
    this.#send = send;
    this.#onStanding = onStanding;
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

  hello(): void {
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
    this.#send(this.#udp ? hello : encodeStreamFrame(hello));
  }

  frame(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (!frame.ok) throw new Error(`the gateway sent a frame that is bad: ${frame.code}`);
    const body = decodeBody(frame.frame);
    if (!body.ok) throw new Error(`the gateway sent a message that is bad: ${body.code}`);
    const { message } = body;
    if (message.type === 'WELCOME') {
      if (this.#sid !== 0) return;
      this.#sid = frame.frame.sid;
      this.#view.setUint32(2, this.#sid);
      standing++;
      this.#onStanding();
    } else if (message.type === 'ACK') {
      acknowledged += message.seq - this.#acked;
      this.#acked = message.seq;
      if (running) this.fill();
    } else if (message.type === 'ERROR' && message.code !== 'busy') {
      throw new Error(`the gateway refused: ${message.code} ${message.text}`);
    }
  }

  /** Sends what the window allows; on a stream as one write. */
  fill(): void {
    const count = this.#acked + this.#window - (this.#next - 1);
    if (count <= 0) return;
    const batch = new Uint8Array(count * (FRAME_BYTES + 2));
    let at = 0;
    for (let i = 0; i < count; i++) {
      this.#view.setUint32(6, this.#next++);
      this.#view.setUint32(FRAME_BYTES - 4, crc32(this.#template, 0, FRAME_BYTES - 4));
      if (this.#udp) this.#send(this.#template.slice());
      else at = encodeStreamFrameInto(this.#template, batch, at);
    }
    if (!this.#udp) this.#send(batch.subarray(0, at));
  }
}

const devices: Device[] = [];
let running = false;

function open(index: number, options: LoadOptions, onStanding: () => void): void {
  if (options.transport === 'tcp') {
    const socket = connect({ host: '127.0.0.1', port: options.port, noDelay: true });
    const device = new Device(index, options, (bytes) => socket.write(bytes), onStanding);
    const decoder = linkStreamDecoder();
    socket.on('connect', () => device.hello());
    socket.on('data', (chunk: Buffer) => {
      decoder.push(chunk);
      for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
        if (item.kind === 'frame') device.frame(item.bytes);
      }
    });
    socket.on('error', (error) => {
      throw error;
    });
    devices.push(device);
    return;
  }
  const socket = createSocket('udp4');
  const device = new Device(index, options, (bytes) => socket.send(bytes), onStanding);
  socket.connect(options.port, '127.0.0.1', () => device.hello());
  socket.on('message', (bytes) => device.frame(bytes));
  devices.push(device);
}

/** Opens all of them, a bounded number at a time, so that no listen backlog overflows. */
function openAll(options: LoadOptions): void {
  let opened = 0;
  const more = (): void => {
    if (standing === options.devices) process.send?.({ standing });
    while (opened < options.devices && opened - standing < DEVICES_AT_ONCE) open(opened++, options, more);
  };
  more();
}

process.on('message', (message: { open?: LoadOptions; start?: true; report?: true }) => {
  if (message.open !== undefined) openAll(message.open);
  if (message.start === true) {
    running = true;
    for (const device of devices) device.fill();
  }
  if (message.report === true) process.send?.({ acknowledged });
});
process.on('disconnect', () => process.exit());
