/**
 * TCP listener: devices connect to the gateway.
 *
 * ```
 *   device ── connect ──→ host:port ──→ accept() ──→ one channel a connection
 * ```
 *
 * Host `0.0.0.0` is all of IPv4. Host `::` is all of IPv6 and, dual stack, of IPv4 too (unless `ipv6Only`), so with it
 * a second listener on `0.0.0.0` and the same port is refused as taken.
 */
import type { AddressInfo, Socket } from 'node:net';
import { hostPort } from './address.ts';
import { DEFAULT_BACKLOG, ListenerBase } from './listener-base.ts';
import type { SourceContext } from './source-base.ts';

export interface TcpServerOptions {
  /** Default: `tcp:host:port`. */
  readonly id?: string;
  /** An address of this machine or its name. */
  readonly host: string;
  /** 0 takes a free one; see `address`. */
  readonly port: number;
  /** Connections that the kernel holds before they are accepted; it caps it (net.core.somaxconn). Default 511. */
  readonly backlog?: number;
  /** Keeps `::` from taking IPv4 too. Default false. */
  readonly ipv6Only?: boolean;
  /** Small frames leave at once instead of being gathered by the kernel. Default true. */
  readonly noDelay?: boolean;
  /** Idle time after which the kernel asks whether the peer lives; 0 for never. Default 60 s. */
  readonly keepAliveMs?: number;
  /** Connections that may wait in `accept()`; more are reset and counted. Default 1,024. */
  readonly maxWaiting?: number;
}

export const DEFAULT_KEEP_ALIVE_MS = 60_000;

export class TcpServerSource extends ListenerBase {
  readonly #options: TcpServerOptions;

  constructor(options: TcpServerOptions, context: SourceContext, tls = false) {
    super(options.id ?? `tcp:${hostPort(options.host, options.port)}`, 'tcp', context, options.maxWaiting, tls);
    this.#options = options;
  }

  /** Where it listens, while it does. */
  get address(): AddressInfo | undefined {
    const address = this.server?.address();
    return typeof address === 'object' && address !== null ? address : undefined;
  }

  protected start(): void {
    const { host, port, backlog = DEFAULT_BACKLOG, ipv6Only = false, noDelay = true } = this.#options;
    const keepAliveMs = this.#options.keepAliveMs ?? DEFAULT_KEEP_ALIVE_MS;
    this.listen(
      { noDelay, keepAlive: keepAliveMs > 0, keepAliveInitialDelay: keepAliveMs },
      { host, port, backlog, ipv6Only },
      hostPort(host, port),
    );
  }

  protected peerOf(socket: Socket): string {
    // A peer that has reset the connection already has no address any more.
    return hostPort(socket.remoteAddress ?? 'gone', socket.remotePort ?? 0);
  }
}
