/**
 * UDP: one socket, one channel, datagrams of all peers.
 *
 * ```
 *   kernel's buffer ─→ ring (bounded, the oldest goes first) ─→ receive()
 *   send() ─→ bounded outstanding ─→ kernel
 * ```
 *
 * A datagram socket cannot push back: what is not received in time is lost, first in the ring (`dropped`), else in the
 * kernel (the last column of /proc/net/udp). Datagrams sent to a broadcast address arrive when `host` is `0.0.0.0` or
 * the broadcast address itself. Host `::` takes IPv4 too; such peers then have addresses like `::ffff:192.168.1.7`.
 */
import { createSocket, type RemoteInfo, type Socket, type SocketOptions } from 'node:dgram';
import { lookup } from 'node:dns';
import { type AddressInfo, isIP } from 'node:net';
import { GatewayError } from '../errors.ts';
import { hostPort } from './address.ts';
import { DatagramRing } from './datagram-ring.ts';
import { listenError } from './io-errors.ts';
import { LISTEN_RETRY_MS } from './listener-base.ts';
import { type SourceContext, SourceBase } from './source-base.ts';
import { type Datagram, type DatagramChannel, ERROR, type Peer, READ, WRITE } from './source.ts';

export interface UdpOptions {
  /** Default: `udp:host:port`. */
  readonly id?: string;
  /** An address of this machine; its family is the socket's. */
  readonly host: string;
  /** 0 takes a free one; see `address`. */
  readonly port: number;
  /** Keeps `::` from taking IPv4 too. Default false. */
  readonly ipv6Only?: boolean;
  /** The kernel's buffer asked for; see `note` for what it gave. Default 2 MiB. */
  readonly recvBufferSize?: number;
  /** Bounds of the ring. Defaults 8,192 datagrams and 4 MiB, 200 bytes counted for each datagram. */
  readonly maxQueuedDatagrams?: number;
  readonly maxQueuedBytes?: number;
  /** Bytes that may be on their way to the kernel. Default 256 KiB. */
  readonly maxOutstandingBytes?: number;
}

const DEFAULT_RECV_BUFFER_SIZE = 2 * 1024 * 1024;
const DEFAULT_MAX_QUEUED_DATAGRAMS = 8_192;
const DEFAULT_MAX_QUEUED_BYTES = 4 * 1024 * 1024;
const DEFAULT_MAX_OUTSTANDING_BYTES = 256 * 1024;

export class UdpChannel implements DatagramChannel {
  readonly kind = 'datagram';
  readonly id: string;
  onEdge: (() => void) | undefined;
  error: GatewayError | undefined;
  /** Datagrams that were not sent: the output limit was reached, or the system refused them. */
  sendFailures = 0;
  bytesRead = 0;
  bytesWritten = 0;
  readonly #socket: Socket;
  readonly #ring: DatagramRing;
  readonly #maxOutstanding: number;
  #outstanding = 0;
  #closed = false;

  constructor(socket: Socket, id: string, ring: DatagramRing, maxOutstandingBytes: number) {
    this.#socket = socket;
    this.id = id;
    this.#ring = ring;
    this.#maxOutstanding = maxOutstandingBytes;
    socket.on('message', (bytes: Uint8Array, peer: RemoteInfo) => {
      ring.push({ bytes, peer });
      this.onEdge?.();
    });
  }

  get ready(): number {
    if (this.#closed) return 0;
    let bits = this.error === undefined ? 0 : ERROR;
    if (this.#ring.count > 0) bits |= READ;
    if (this.error === undefined && this.#outstanding < this.#maxOutstanding) bits |= WRITE;
    return bits;
  }

  get dropped(): number {
    return this.#ring.dropped;
  }

  receive(): Datagram | undefined {
    if (this.#closed) return undefined;
    const datagram = this.#ring.shift();
    if (datagram !== undefined) this.bytesRead += datagram.bytes.length;
    return datagram;
  }

  /** The bytes are copied. The peer's address must be numeric. */
  send(bytes: Uint8Array, peer: Peer): boolean {
    // A datagram can claim to come from port 0, to which there is no answer.
    const refused = this.#closed || this.error !== undefined || !(peer.port >= 1 && peer.port <= 65_535);
    if (refused || this.#outstanding >= this.#maxOutstanding) {
      this.sendFailures++;
      return false;
    }
    const size = bytes.length;
    this.#outstanding += size;
    this.bytesWritten += size;
    this.#socket.send(Buffer.from(bytes), peer.port, peer.address, (failure) => {
      const wasFull = this.#outstanding >= this.#maxOutstanding;
      this.#outstanding -= size;
      if (failure !== null) this.sendFailures++;
      if (wasFull) this.onEdge?.();
    });
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.error === undefined) this.#socket.close();
  }

  /** The socket has failed; it is closed by its source. */
  died(error: GatewayError): void {
    this.error ??= error;
    this.onEdge?.();
  }
}

export class UdpSource extends SourceBase {
  /** Something to tell the user once it is open, e.g. that the kernel gave a smaller buffer than was asked for. */
  note: string | undefined;
  readonly #options: UdpOptions;
  readonly #name: string;
  #socket: Socket | undefined;

  constructor(options: UdpOptions, context: SourceContext) {
    const name = hostPort(options.host, options.port);
    super(options.id ?? `udp:${name}`, 'udp', context);
    this.#options = options;
    this.#name = name;
  }

  /** Where it is bound, while it is. */
  get address(): AddressInfo | undefined {
    return this.state === 'open' ? this.#socket?.address() : undefined;
  }

  protected start(): void {
    const { host, port, ipv6Only = false } = this.#options;
    const socket = createSocket({
      type: host.includes(':') ? 'udp6' : 'udp4',
      ipv6Only,
      lookup: lookupName,
    });
    this.#socket = socket;
    let channel: UdpChannel | undefined;
    socket.on('error', (cause) => {
      if (socket !== this.#socket) return;
      this.#socket = undefined;
      const error = listenError(this.id, this.#name, cause);
      channel?.died(error);
      if (channel !== undefined) this.withdraw(channel);
      socket.close();
      this.failed(error, LISTEN_RETRY_MS);
    });
    socket.on('close', () => {
      if (socket !== this.#socket) return;
      // The session has closed its channel: the source goes on with a new one.
      this.#socket = undefined;
      this.failed(undefined, LISTEN_RETRY_MS);
    });
    socket.on('listening', () => {
      if (socket !== this.#socket) {
        socket.close();
        return;
      }
      this.#setBuffer(socket);
      // Answers may go to a broadcast address; receiving from one needs no option.
      socket.setBroadcast(true);
      const {
        maxQueuedDatagrams = DEFAULT_MAX_QUEUED_DATAGRAMS,
        maxQueuedBytes = DEFAULT_MAX_QUEUED_BYTES,
        maxOutstandingBytes = DEFAULT_MAX_OUTSTANDING_BYTES,
      } = this.#options;
      const ring = new DatagramRing(maxQueuedDatagrams, maxQueuedBytes);
      channel = new UdpChannel(socket, this.id, ring, maxOutstandingBytes);
      this.opened();
      this.offer(channel);
    });
    socket.bind({ address: host, port });
  }

  protected async stop(): Promise<void> {
    // Once it is open, the socket belongs to its channel; one that is still being bound closes itself.
    this.#socket = undefined;
  }

  #setBuffer(socket: Socket): void {
    const wanted = this.#options.recvBufferSize ?? DEFAULT_RECV_BUFFER_SIZE;
    try {
      socket.setRecvBufferSize(wanted);
      // Linux reports twice what it uses for datagrams (man 7 socket, SO_RCVBUF), and caps a wish without a word.
      const given = socket.getRecvBufferSize() / (process.platform === 'linux' ? 2 : 1);
      this.note =
        given < wanted
          ? `the kernel gave a receive buffer of ${given} bytes instead of ${wanted}; raise net.core.rmem_max`
          : undefined;
    } catch (failure) {
      this.note = `the receive buffer could not be set: ${failure instanceof Error ? failure.message : String(failure)}`;
    }
  }
}

/** The peers' addresses are numbers already: no detour over the resolver for every datagram that is sent. */
const lookupName: NonNullable<SocketOptions['lookup']> = (host, options, callback) => {
  const family = isIP(host);
  if (family === 0) lookup(host, options, callback);
  else callback(null, host, family);
};
