/**
 * A device of a few lines that sends one reading, waits for its ACK and knows how long that took; or says HELLO and
 * then nothing more, with its connection left open.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { decodeBody, decodeFrame, encodeMessage, encodeStreamFrame, linkStreamDecoder } from '../../protocol/index.ts';
import type { Message } from '../../protocol/index.ts';

const ANSWER_MS = 20_000;

export class LinkProbe {
  /** As 16 hexadecimal digits. */
  readonly device: string;
  readonly #socket: Socket;
  readonly #decoder = linkStreamDecoder();
  readonly #waiting: { readonly wanted: (message: Message) => boolean; readonly found: () => void }[] = [];
  #sid = 0;
  #boot = 0;
  #seq = 0;

  private constructor(device: bigint, socket: Socket) {
    this.device = device.toString(16).padStart(16, '0');
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
  }

  /** Resolves when the session stands. */
  static async open(device: bigint, port: number): Promise<LinkProbe> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    const probe = new LinkProbe(device, socket);
    const hello = encodeMessage(
      {
        type: 'HELLO',
        minVersion: 1,
        maxVersion: 1,
        device,
        boot: 0,
        uptime: 0,
        firstSeq: 1,
        capabilities: { commands: false, clock: false },
        maxFrame: 1_024,
        schemaCrc: 0,
      },
      { sid: 0, seq: 0 },
    );
    const welcome = probe.#answer((message) => message.type === 'WELCOME');
    socket.write(encodeStreamFrame(hello));
    await welcome;
    return probe;
  }

  get boot(): number {
    return this.#boot;
  }

  get seq(): number {
    return this.#seq;
  }

  get closed(): boolean {
    return this.#socket.destroyed || this.#socket.readableEnded;
  }

  /** Sends a reading and resolves with the milliseconds until its ACK. */
  async reading(): Promise<number> {
    const seq = ++this.#seq;
    const acknowledged = this.#answer((message) => message.type === 'ACK' && message.seq >= seq);
    const values = [{ channel: 1, type: 'u32' as const, quality: 'good' as const, value: seq }];
    const samples = [{ timeKind: 'now' as const, time: 0, values }];
    const sentAt = performance.now();
    this.#socket.write(encodeStreamFrame(encodeMessage({ type: 'READINGS', samples }, { sid: this.#sid, seq })));
    await acknowledged;
    return performance.now() - sentAt;
  }

  close(): void {
    this.#socket.destroy();
  }

  #received(chunk: Uint8Array): void {
    this.#decoder.push(chunk);
    for (let item = this.#decoder.next(); item !== undefined; item = this.#decoder.next()) {
      const frame = item.kind === 'frame' ? decodeFrame(item.bytes) : undefined;
      if (frame?.ok !== true) throw new Error('the gateway sent what is no frame');
      const body = decodeBody(frame.frame);
      if (!body.ok) throw new Error(`the gateway sent a message that is bad: ${body.code}`);
      const { message } = body;
      if (message.type === 'WELCOME') {
        this.#sid = frame.frame.sid;
        this.#boot = message.boot;
      }
      for (const waiting of this.#waiting.slice()) {
        if (!waiting.wanted(message)) continue;
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        waiting.found();
      }
    }
  }

  #answer(wanted: (message: Message) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('the gateway does not answer')), ANSWER_MS);
      const found = (): void => {
        clearTimeout(late);
        resolve();
      };
      this.#waiting.push({ wanted, found });
    });
  }
}
