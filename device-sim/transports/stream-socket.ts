/** A connected stream socket of the platform as a Transport: what TCP, TLS and Unix-domain sockets share. */
import { type NetConnectOpts, type Socket, connect } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Transport, TransportEvents, TransportKind } from './transport.ts';

export class StreamSocket implements Transport {
  readonly kind: TransportKind;
  readonly datagram = false;
  readonly #dial: () => Socket;
  #socket: Socket | undefined;
  #open = false;

  /** `target`: where to connect to, or what does so. */
  constructor(kind: TransportKind, target: NetConnectOpts | (() => Socket)) {
    this.kind = kind;
    this.#dial = typeof target === 'function' ? target : () => connect(target);
  }

  get ready(): boolean {
    return this.#open && this.#socket !== undefined && !this.#socket.writableNeedDrain;
  }

  open(events: TransportEvents): void {
    // allowHalfOpen stays off: when the gateway has ended, nothing a device could still send would be acknowledged.
    const socket = this.#dial();
    this.#socket = socket;
    let cause: Error | undefined;
    socket.on(socket instanceof TLSSocket ? 'secureConnect' : 'connect', () => {
      this.#open = true;
      events.onOpen();
    });
    socket.on('data', (bytes: Buffer) => events.onBytes(bytes));
    socket.on('drain', () => events.onDrain());
    socket.on('error', (error) => {
      cause = error;
    });
    socket.on('close', () => {
      this.#open = false;
      events.onClosed(cause);
    });
  }

  send(bytes: Uint8Array): void {
    if (this.#open && this.#socket?.writable === true) this.#socket.write(bytes);
  }

  endWrite(): void {
    this.#socket?.end();
  }

  close(): void {
    this.#open = false;
    this.#socket?.destroySoon();
  }

  abort(): void {
    this.#open = false;
    // A TLS socket has no reset.
    if (this.kind === 'tcp' && !(this.#socket instanceof TLSSocket)) this.#socket?.resetAndDestroy();
    else this.#socket?.destroy();
  }
}
