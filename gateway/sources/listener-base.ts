/**
 * What the listeners for streams share (TCP, Unix domain): accepting, the bound on what waits, trying again.
 *
 * ```
 *   kernel's backlog ─→ net.Server ─→ at most maxWaiting in accept() ─→ sessions
 *                                       └─ beyond: reset and counted
 * ```
 */
import { createServer, type ListenOptions, type Server, type ServerOpts, type Socket } from 'node:net';
import { listenError } from './io-errors.ts';
import { type SourceContext, SourceBase } from './source-base.ts';
import type { Source } from './source.ts';
import { type ChannelOwner, DuplexChannel, SOCKET_READ_AHEAD } from './stream-channel.ts';

export const LISTEN_RETRY_MS = 10_000;
export const DEFAULT_BACKLOG = 511;
export const DEFAULT_MAX_WAITING = 1_024;

export abstract class ListenerBase extends SourceBase {
  /** Connections that were reset because too many waited in `accept()`. */
  rejected = 0;
  /** Failures of the kernel's accept, for one because no file descriptor was left; the listener goes on. */
  acceptErrors = 0;
  readonly #owner: ChannelOwner;
  readonly #maxWaiting: number;
  #server: Server | undefined;

  constructor(
    id: string,
    transport: Source['transport'] & ('tcp' | 'unix'),
    context: SourceContext,
    maxWaiting: number | undefined,
    /** A TLS connection cannot be reset as a bare one. */
    tls = false,
  ) {
    super(id, transport, context);
    this.#owner = { id, context, tcp: transport === 'tcp' && !tls, lingering: new Set() };
    this.#maxWaiting = maxWaiting ?? DEFAULT_MAX_WAITING;
  }

  /** How the other end of a new connection is called. */
  protected abstract peerOf(socket: Socket): string;

  /** The listening server, if there is one. */
  protected get server(): Server | undefined {
    return this.#server;
  }

  /** Starts to listen; `name` is the address for people. */
  protected listen(serverOptions: ServerOpts, listenOptions: ListenOptions, name: string): void {
    const server = createServer({
      ...serverOptions,
      allowHalfOpen: true,
      // Nothing is read before a session asks for it.
      pauseOnConnect: true,
      highWaterMark: SOCKET_READ_AHEAD,
    });
    this.#server = server;
    server.on('connection', (socket) => this.connected(socket));
    server.on('error', (cause) => {
      if (server.listening) {
        this.acceptErrors++;
      } else if (server === this.#server) {
        this.#server = undefined;
        this.listenFailed(cause, name);
      }
    });
    server.on('listening', () => {
      // The name of the host may have been looked up for longer than the source was wanted.
      if (server === this.#server) this.opened();
      else server.close();
    });
    server.listen(listenOptions);
  }

  protected listenFailed(cause: unknown, name: string): void {
    this.failed(listenError(this.id, name, cause), LISTEN_RETRY_MS);
  }

  /** The server's own callback would wait for the connections, which stay open; the port is free at once. */
  protected async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server?.listening) server.close();
  }

  /** A connection was made; with TLS there is a handshake before it is offered. */
  protected connected(socket: Socket): void {
    this.offerConnection(socket);
  }

  /** A channel for the connection, where `accept()` finds it. */
  protected offerConnection(socket: Socket): void {
    const channel = new DuplexChannel(socket, this.#owner, this.peerOf(socket));
    if (this.waiting < this.#maxWaiting && this.state === 'open') {
      this.offer(channel);
    } else {
      this.rejected++;
      channel.abort();
    }
  }
}
