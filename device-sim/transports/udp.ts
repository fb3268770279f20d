/**
 * Over UDP: one raw frame a datagram. The socket is connected, so that only the gateway's datagrams come in; each device has
 * its own port, as devices do.
 */
import { type Socket, createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { type Transport, type TransportEvents } from './transport.ts';

export function udp(host: string, port: number): Transport {
  return new UdpSocket(host, port);
}

class UdpSocket implements Transport {
  readonly kind = 'udp';
  readonly datagram = true;
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | undefined;
  #open = false;
  #cause: Error | undefined;

  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
  }

  get ready(): boolean {
    return this.#open;
  }

  open(events: TransportEvents): void {
    const socket = createSocket(isIPv6(this.#host) ? 'udp6' : 'udp4');
    this.#socket = socket;
    socket.on('message', (bytes) => events.onBytes(bytes));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#open) {
        // Nobody listens there (ICMP port unreachable): for a datagram that is a loss like any other.
        events.onLoss(error.code ?? 'datagram-lost');
        return;
      }
      this.#cause = error;
      this.#shut();
    });
    socket.on('close', () => events.onClosed(this.#cause));
    // Not as the callback of `connect`, which is called for a failure too.
    socket.on('connect', () => {
      this.#open = true;
      events.onOpen();
    });
    socket.connect(this.#port, this.#host);
  }

  send(bytes: Uint8Array): void {
    if (this.#open) this.#socket?.send(bytes, () => undefined);
  }

  endWrite(): void {
    // A datagram socket has no half-close.
  }

  close(): void {
    this.abort();
  }

  abort(): void {
    this.#open = false;
    this.#shut();
  }

  #shut(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    // In its own turn, so that a datagram sent just before is still handed over and onClosed never comes inside a call.
    if (socket !== undefined) setImmediate(() => socket.close());
  }
}
