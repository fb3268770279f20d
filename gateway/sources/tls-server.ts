/**
 * TLS listener: devices that have TLS connect to the gateway. Behind the handshake it is a TCP listener.
 *
 * ```
 *   connect ─→ raw socket ─→ handshake ─────────────────────────────→ accept() ─→ one channel a connection
 *              ├ at most maxHandshakes at once: for one more, the oldest of the address that has the most is reset
 *              ├ the handshake rate of the gateway, before anything is computed
 *              └ fails, or is not over in handshakeMs ─→ counted by cause, told at a limited rate, closed
 * ```
 *
 * At least TLS 1.2. With a client CA nobody gets through the handshake without a certificate that it has signed; such a
 * certificate says who may connect, not which device it is.
 *
 * How a TLS channel ends: `endWrite` sends close_notify and then FIN; a peer's close_notify or FIN reads as the end, and
 * with TLS 1.3 the peer may still listen. With TLS 1.2 it is bound to stop then (RFC 5246, section 7.2.1), though most
 * do not. A FIN without close_notify counts as an end, too: somebody on the wire could cut a connection short unnoticed,
 * which is why the protocols above have an end of their own (BYE, the CRC of a frame). There is no reset here: `abort`
 * closes the socket without a word.
 */
import type { Socket } from 'node:net';
import { createServer, type SecureContextOptions, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { GatewayError } from '../errors.ts';
import { addressKey } from '../limits/address-key.ts';
import type { Timer } from '../timers.ts';
import { errnoOf } from './io-errors.ts';
import { LISTEN_RETRY_MS } from './listener-base.ts';
import type { SourceContext } from './source-base.ts';
import { SOCKET_READ_AHEAD } from './stream-channel.ts';
import { TcpServerSource, type TcpServerOptions } from './tcp-server.ts';
import {
  loadTlsCredentials,
  type TlsCredentials,
  type TlsFault,
  type TlsFiles,
  validityWarning,
} from './tls-credentials.ts';

export interface TlsServerOptions extends TcpServerOptions {
  readonly files: TlsFiles;
  /** How long a handshake may take. */
  readonly handshakeMs: number;
  /** Handshakes at once. */
  readonly maxHandshakes: number;
  /** Unix milliseconds; default `Date.now`. */
  readonly wallNow?: () => number;
}

/** Why a peer did not get through the handshake, and what would be right. */
const CAUSES = {
  timeout: 'it was not complete in time',
  'too-many': 'too many handshakes were under way',
  'rate-limited': 'there were too many handshakes lately',
  'no-tls': 'the peer does not speak TLS, and this listener takes nothing else',
  'old-version': 'the peer speaks no version from TLS 1.2 on',
  'no-shared-cipher': 'the peer has no cipher or signature in common with the gateway',
  'no-certificate': 'the peer has shown no certificate, and client_ca demands one',
  'bad-certificate': "the peer's certificate is not signed by client_ca, or not valid now",
  'refused-by-peer': "the peer does not accept the gateway's certificate",
  'given-up': 'the peer closed the connection in the middle of it',
  other: 'it went wrong',
} as const;

export type TlsRefusal = keyof typeof CAUSES;

const CAUSE_OF_CODE: ReadonlyMap<string, TlsRefusal> = new Map([
  ['ERR_SSL_HTTP_REQUEST', 'no-tls'],
  ['ERR_SSL_HTTPS_PROXY_REQUEST', 'no-tls'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'no-tls'],
  ['ERR_SSL_UNKNOWN_PROTOCOL', 'no-tls'],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'no-tls'],
  ['ERR_SSL_RECORD_LAYER_FAILURE', 'no-tls'],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'old-version'],
  ['ERR_SSL_VERSION_TOO_LOW', 'old-version'],
  ['ERR_SSL_NO_SHARED_CIPHER', 'no-shared-cipher'],
  ['ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS', 'no-shared-cipher'],
  ['ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM', 'no-shared-cipher'],
  ['ERR_SSL_NO_SUITABLE_KEY_SHARE', 'no-shared-cipher'],
  ['ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', 'no-certificate'],
  ['ERR_SSL_CERTIFICATE_VERIFY_FAILED', 'bad-certificate'],
  ['ECONNRESET', 'given-up'],
  ['EPIPE', 'given-up'],
]);

/** A connection whose handshake is not over. */
interface Handshake {
  readonly raw: Socket;
  readonly peer: string;
  readonly addressKey: string;
  readonly deadline: Timer;
}

const EXPIRY_CHECK_MS = 86_400_000;

export class TlsServerSource extends TcpServerSource {
  /** Connections that did not get through the handshake, by cause. */
  readonly refusals = new Map<TlsRefusal, number>();
  readonly #options: TlsServerOptions;
  #limits: Pick<TlsServerOptions, 'handshakeMs' | 'maxHandshakes'>;
  readonly #expiry: Timer;
  readonly #wallNow: () => number;
  /** The oldest first. */
  readonly #handshakes = new Map<Socket, Handshake>();
  #tls: TlsServer | undefined;
  #credentials: TlsCredentials | undefined;
  /** Sockets that we have cut in mid-handshake and whose error has not come yet; it is no news. */
  #cut = 0;
  /** The peer of a socket that has closed just now, for the error that follows and does not know it any more. */
  #closing: string | undefined;

  constructor(options: TlsServerOptions, context: SourceContext) {
    super(options, context, true);
    this.#options = options;
    this.#limits = options;
    this.#wallNow = options.wallNow ?? Date.now;
    this.#expiry = context.timers.schedule(Number.POSITIVE_INFINITY, () => this.#watchExpiry());
    context.timers.cancel(this.#expiry);
  }

  /** Handshakes under way. */
  get handshakes(): number {
    return this.#handshakes.size;
  }

  /**
   * Takes over what may change while it listens: the limits, and a certificate that was renewed in the same files.
   * Connections stay. Returns whether the certificate is another one, or what is wrong with the new one: the old one holds.
   */
  renew(limits: Pick<TlsServerOptions, 'handshakeMs' | 'maxHandshakes'>): 'same' | 'renewed' | TlsFault {
    this.#limits = limits;
    const before = this.#credentials;
    if (before === undefined || this.#tls === undefined) return 'same';
    const loaded = loadTlsCredentials(this.#options.files);
    if (!loaded.ok) return loaded;
    if (
      sameFile(before.cert, loaded.cert) &&
      sameFile(before.key, loaded.key) &&
      sameFile(before.clientCa, loaded.clientCa)
    )
      return 'same';
    this.#credentials = loaded;
    this.#tls.setSecureContext(secureOptions(loaded));
    this.#watchExpiry();
    return 'renewed';
  }

  protected override start(): void {
    const loaded = loadTlsCredentials(this.#options.files);
    if (!loaded.ok) {
      this.failed(new GatewayError('TLS_CERTIFICATE', this.id, loaded.message), LISTEN_RETRY_MS);
      return;
    }
    this.#credentials = loaded;
    this.#tls = this.#server(loaded);
    this.#watchExpiry();
    super.start();
  }

  protected override async stop(): Promise<void> {
    this.context.timers.cancel(this.#expiry);
    for (const handshake of this.#handshakes.values()) this.#cutOff(handshake);
    await super.stop();
  }

  protected override connected(raw: Socket): void {
    const peer = this.peerOf(raw);
    const address = raw.remoteAddress ?? 'gone';
    if ((this.context.admitHandshake?.(address) ?? 0) > 0) {
      this.#refuse('rate-limited', peer);
      raw.resetAndDestroy();
      return;
    }
    const { handshakeMs, maxHandshakes } = this.#limits;
    if (this.#handshakes.size >= maxHandshakes) this.#makeRoom();
    const { timers } = this.context;
    const handshake: Handshake = {
      raw,
      peer,
      addressKey: addressKey(address),
      deadline: timers.schedule(this.context.now() + handshakeMs, () => {
        this.#refuse('timeout', peer);
        this.#cutOff(handshake);
      }),
    };
    this.#handshakes.set(raw, handshake);
    raw.on('close', () => this.#gone(handshake));
    raw.on('error', () => undefined);
    // The server of node:tls never listens; it is given what ours has accepted.
    this.#tls?.emit('connection', raw);
  }

  // ---------------------------------------------------------------------------------------------------------------

  #server(credentials: TlsCredentials): TlsServer {
    const server = createServer({
      ...secureOptions(credentials),
      ...(credentials.clientCa !== undefined && { requestCert: true, rejectUnauthorized: true }),
      allowHalfOpen: true,
      pauseOnConnect: true,
      highWaterMark: SOCKET_READ_AHEAD,
    });
    server.on('secureConnection', (socket) => this.#established(socket));
    server.on('tlsClientError', (error, socket) => this.#failed(error, socket));
    return server;
  }

  #established(socket: TLSSocket): void {
    const peer = this.peerOf(socket);
    for (const handshake of this.#handshakes.values()) {
      if (handshake.peer !== peer) continue;
      this.#done(handshake);
      break;
    }
    // Node has checked it; a device without a certificate must not get in by a change of its rules either.
    if (this.#options.files.clientCa !== undefined && !socket.authorized) {
      this.#refuse('bad-certificate', peer);
      socket.destroy();
      return;
    }
    this.offerConnection(socket);
  }

  #failed(error: Error, socket: TLSSocket): void {
    const code = errnoOf(error);
    // Here the handshake was complete and the certificate turned out to be no good.
    // (The types say Error; it is the word of OpenSSL, or null.)
    const isUntrusted = Boolean(socket.authorizationError);
    if (code === 'ECONNRESET' && !isUntrusted && this.#cut > 0) {
      this.#cut--;
      return;
    }
    const cause = isUntrusted
      ? 'bad-certificate'
      : (CAUSE_OF_CODE.get(code) ?? (code.includes('_ALERT_') ? 'refused-by-peer' : 'other'));
    const peer = socket.remotePort === undefined ? this.#closing : this.peerOf(socket);
    this.#refuse(cause, peer, code);
  }

  #refuse(cause: TlsRefusal, peer = 'a peer', code?: string): void {
    this.refusals.set(cause, (this.refusals.get(cause) ?? 0) + 1);
    this.context.log?.warn(
      `tls ${cause} ${this.id}`,
      { code: 'TLS_HANDSHAKE', source: this.id, peer, reason: cause, ...(code !== undefined && { detail: code }) },
      `${this.id}: the TLS handshake with ${peer} failed: ${CAUSES[cause]}`,
    );
  }

  /** For a new handshake: whoever has the most of them loses the oldest. */
  #makeRoom(): void {
    const byAddress = new Map<string, Handshake[]>();
    for (const handshake of this.#handshakes.values()) {
      const list = byAddress.get(handshake.addressKey);
      if (list === undefined) byAddress.set(handshake.addressKey, [handshake]);
      else list.push(handshake);
    }
    let most: readonly Handshake[] = [];
    for (const list of byAddress.values()) if (list.length > most.length) most = list;
    const [oldest] = most;
    if (oldest === undefined) return;
    this.#refuse('too-many', oldest.peer);
    this.#cutOff(oldest);
  }

  #cutOff(handshake: Handshake): void {
    this.#done(handshake);
    if (handshake.raw.destroyed) return;
    this.#cut++;
    handshake.raw.resetAndDestroy();
  }

  #gone(handshake: Handshake): void {
    this.#done(handshake);
    this.#closing = handshake.peer;
    setImmediate(() => {
      this.#closing = undefined;
    });
  }

  #done(handshake: Handshake): void {
    this.context.timers.cancel(handshake.deadline);
    this.#handshakes.delete(handshake.raw);
  }

  #watchExpiry(): void {
    const { timers, log } = this.context;
    timers.reschedule(this.#expiry, this.context.now() + EXPIRY_CHECK_MS);
    const warning = this.#credentials && validityWarning(this.#credentials, this.#wallNow());
    if (warning === undefined) return;
    log?.warn(`tls expiry ${this.id}`, { code: 'TLS_CERTIFICATE', source: this.id }, `${this.id}: ${warning}`);
  }
}

function secureOptions({ cert, key, clientCa }: TlsCredentials): SecureContextOptions {
  return { cert, key, ...(clientCa !== undefined && { ca: clientCa }), minVersion: 'TLSv1.2' };
}

function sameFile(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}
