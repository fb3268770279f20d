/**
 * Unix-domain listener: programs on the same machine connect to a socket file.
 *
 * ```
 *   listen ─→ EADDRINUSE ─→ not a socket ──────────────────────→ failed (never removed)
 *                         ─→ connect ─→ somebody answers ──────→ failed
 *                                    ─→ refused: a dead one ───→ removed, listen again
 * ```
 */
import { lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { GatewayError } from '../errors.ts';
import { errnoOf } from './io-errors.ts';
import { DEFAULT_BACKLOG, LISTEN_RETRY_MS, ListenerBase } from './listener-base.ts';
import type { SourceContext } from './source-base.ts';

export interface UnixOptions {
  /** Default: `unix:path`. */
  readonly id?: string;
  /** At most 107 bytes, a limit of the kernel. */
  readonly path: string;
  /** Permissions of the socket file, e.g. `0o660`; who may write may connect. Default: by the process's umask. */
  readonly mode?: number;
  readonly backlog?: number;
  /** Connections that may wait in `accept()`; more are closed and counted. Default 1,024. */
  readonly maxWaiting?: number;
}

export class UnixSource extends ListenerBase {
  readonly #options: UnixOptions;
  #connections = 0;
  #removedStale = false;

  constructor(options: UnixOptions, context: SourceContext) {
    super(options.id ?? `unix:${options.path}`, 'unix', context, options.maxWaiting);
    this.#options = options;
  }

  protected start(): void {
    this.#removedStale = false;
    this.#listen();
  }

  protected peerOf(): string {
    return `unix#${++this.#connections}`;
  }

  protected override listenFailed(cause: unknown, name: string): void {
    if (errnoOf(cause) !== 'EADDRINUSE' || this.#removedStale) {
      super.listenFailed(cause, name);
      return;
    }
    if (!isSocket(name)) {
      this.#fail(`${name} exists and is not a socket; it is left alone, so configure another path or move it`, cause);
      return;
    }
    this.#probe(name, cause);
  }

  #listen(): void {
    const { path, mode, backlog = DEFAULT_BACKLOG } = this.#options;
    // The file is made within the call, so it never exists with more rights than these.
    const umask = mode === undefined ? undefined : process.umask(0o777 & ~mode);
    try {
      this.listen({}, { path, backlog }, path);
    } finally {
      if (umask !== undefined) process.umask(umask);
    }
  }

  /** Only a refused connection proves that nobody listens: a full backlog, for one, is somebody alive. */
  #probe(path: string, cause: unknown): void {
    const probe = connect(path);
    probe.on('connect', () => {
      probe.destroy();
      this.#fail(`${path} is in use; stop the other program or configure another path`, cause);
    });
    probe.on('error', (refusal) => {
      if (this.state === 'closed') return;
      if (errnoOf(refusal) !== 'ECONNREFUSED') {
        this.#fail(`${path} exists and may be in use (${refusal.message}); remove it or configure another path`, cause);
        return;
      }
      try {
        unlinkSync(path);
      } catch (failure) {
        super.listenFailed(failure, path);
        return;
      }
      this.#removedStale = true;
      this.#listen();
    });
  }

  #fail(detail: string, cause: unknown): void {
    this.failed(new GatewayError('ADDRESS_IN_USE', this.id, detail, { cause }), LISTEN_RETRY_MS);
  }
}

function isSocket(path: string): boolean {
  try {
    return lstatSync(path).isSocket();
  } catch {
    return false;
  }
}
