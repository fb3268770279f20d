/**
 * Outgoing TCP connection: the gateway connects, to a serial-to-network bridge for one, and connects again.
 *
 * ```
 *   connect ─→ one channel ─→ it ends ─→ wait 1, 2, 4 … 60 s (± a quarter) ─→ connect ─→ a new channel …
 *          └─ fails or takes too long ──↗
 * ```
 *
 * A connection that has stood for a while starts the waits from 1 s again; one that is accepted and dropped at once does
 * not, or a broken bridge would be called every second for ever.
 */
import { type AddressInfo, Socket, type SocketConstructorOpts } from 'node:net';
import { GatewayError } from '../errors.ts';
import type { Timer } from '../timers.ts';
import { hostPort } from './address.ts';
import { connectError } from './io-errors.ts';
import { type SourceContext, SourceBase } from './source-base.ts';
import { type ChannelOwner, DuplexChannel, SOCKET_READ_AHEAD } from './stream-channel.ts';
import { DEFAULT_KEEP_ALIVE_MS } from './tcp-server.ts';

export interface TcpClientOptions {
  /** Default: `connect:host:port`. */
  readonly id?: string;
  readonly host: string;
  readonly port: number;
  /** How long a connection may take to stand. Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** First and longest wait before the next try. Defaults 1 s and 60 s. */
  readonly minRetryMs?: number;
  readonly maxRetryMs?: number;
  readonly noDelay?: boolean;
  /** As for the listener; it also finds a bridge that vanished while nothing is sent to it. Default 60 s. */
  readonly keepAliveMs?: number;
}

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_MIN_RETRY_MS = 1_000;
const DEFAULT_MAX_RETRY_MS = 60_000;
/** A connection that stood this long was a good one. */
const STABLE_MS = 10_000;

export class TcpClientSource extends SourceBase {
  readonly #options: TcpClientOptions;
  readonly #name: string;
  /** The one connection at a time goes by the name of the source, which says the address already. */
  readonly #owner: ChannelOwner;
  readonly #deadline: Timer;
  #socket: Socket | undefined;
  #failures = 0;

  constructor(options: TcpClientOptions, context: SourceContext) {
    const name = hostPort(options.host, options.port);
    super(options.id ?? `connect:${name}`, 'tcp-client', context);
    this.#options = options;
    this.#name = name;
    this.#owner = { id: this.id, context, tcp: true, single: true };
    this.#deadline = context.timers.schedule(Number.POSITIVE_INFINITY, () => this.#onTimeout());
    context.timers.cancel(this.#deadline);
  }

  /** The near end of the connection, while it stands. */
  get address(): AddressInfo | undefined {
    const address = this.#socket?.address();
    return address !== undefined && 'port' in address ? address : undefined;
  }

  protected start(): void {
    const { host, port, noDelay = true, keepAliveMs = DEFAULT_KEEP_ALIVE_MS } = this.#options;
    const { timers } = this.context;
    // The types leave out what every stream takes.
    const options: SocketConstructorOpts & { highWaterMark: number } = {
      allowHalfOpen: true,
      highWaterMark: SOCKET_READ_AHEAD,
    };
    const socket = new Socket(options);
    this.#socket = socket;
    let connectedAt: number | undefined;
    let cause: unknown;
    let channel: DuplexChannel | undefined;
    socket.on('error', (error) => {
      cause = error;
    });
    socket.on('connect', () => {
      if (socket !== this.#socket) return;
      timers.cancel(this.#deadline);
      connectedAt = this.context.now();
      channel = new DuplexChannel(socket, this.#owner, this.#name);
      this.opened();
      this.offer(channel);
    });
    socket.on('close', () => {
      if (socket !== this.#socket) return;
      this.#socket = undefined;
      timers.cancel(this.#deadline);
      if (channel === undefined) {
        this.#again(connectError(this.id, this.#name, cause));
        return;
      }
      this.withdraw(channel);
      if (this.context.now() - connectedAt! >= STABLE_MS) this.#failures = 0;
      this.#again(channel.error ?? new GatewayError('CONNECT_FAILED', this.id, `${this.#name} closed the connection`));
    });
    timers.reschedule(
      this.#deadline,
      this.context.now() + (this.#options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS),
    );
    socket.connect({ host, port, noDelay, keepAlive: keepAliveMs > 0, keepAliveInitialDelay: keepAliveMs });
  }

  protected async stop(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#failures = 0;
    this.context.timers.cancel(this.#deadline);
    // One that stands belongs to its session.
    if (socket?.connecting) socket.destroy();
  }

  #onTimeout(): void {
    this.#socket?.destroy(new Error('no answer in time'));
  }

  #again(error: GatewayError): void {
    const { minRetryMs = DEFAULT_MIN_RETRY_MS, maxRetryMs = DEFAULT_MAX_RETRY_MS } = this.#options;
    const wait = Math.min(maxRetryMs, minRetryMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    this.failed(error, wait * (0.75 + this.context.random() / 2));
  }
}
