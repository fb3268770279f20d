/**
 * One peer of a datagram socket as a stream, for devices that have to be asked first: what others send is dropped.
 *
 * ```
 *   receive() ─ from the peer? ─→ read(): one datagram a call         write() ─→ one datagram
 * ```
 */
import type { GatewayError } from '../../errors.ts';
import { hostPort } from '../../sources/address.ts';
import type { DatagramChannel, StreamChannel } from '../../sources/source.ts';

/** Datagrams of others that are dropped in one call. */
const MAX_DROPPED = 256;
/** More than any datagram has. */
const ROOM = 65_536;

export class PeerChannel implements StreamChannel {
  readonly kind = 'stream';
  readonly peer: string;
  readonly #channel: DatagramChannel;
  readonly #host: string;
  readonly #port: number;

  /** `host` is an IP address: a name would have to be looked up for each datagram that comes. */
  constructor(channel: DatagramChannel, { host, port }: { readonly host: string; readonly port: number }) {
    this.#channel = channel;
    this.#host = host;
    this.#port = port;
    this.peer = hostPort(host, port);
  }

  get id(): string {
    return this.#channel.id;
  }

  get ready(): number {
    return this.#channel.ready;
  }

  get onEdge(): (() => void) | undefined {
    return this.#channel.onEdge;
  }

  set onEdge(onEdge: (() => void) | undefined) {
    this.#channel.onEdge = onEdge;
  }

  get error(): GatewayError | undefined {
    return this.#channel.error;
  }

  get bytesRead(): number {
    return this.#channel.bytesRead;
  }

  get bytesWritten(): number {
    return this.#channel.bytesWritten;
  }

  readonly room = ROOM;

  /** A whole datagram, however long; undefined when there is none of the peer. */
  read(): Uint8Array | undefined {
    for (let n = 0; n < MAX_DROPPED; n++) {
      const datagram = this.#channel.receive();
      if (datagram === undefined) return undefined;
      const { bytes, peer } = datagram;
      if (bytes.length > 0 && peer.port === this.#port && hostPort(peer.address, peer.port) === this.peer) return bytes;
    }
    return undefined;
  }

  /** A datagram that finds no room is lost like any other: the request is repeated. */
  write(bytes: Uint8Array): number {
    this.#channel.send(bytes, { address: this.#host, port: this.#port });
    return bytes.length;
  }

  endWrite(): void {}

  close(): void {
    this.#channel.close();
  }

  abort(): void {
    this.#channel.close();
  }
}
