/**
 * Certificate, key and client CA of a TLS listener, from their PEM files: read, and tried together, so that a wrong file
 * shows before a device is turned away.
 *
 * ```
 *   cert (leaf first, then the chain) ─┐
 *   key (unencrypted) ─────────────────┼─→ createSecureContext ─→ right, or the reason why not
 *   client_ca ─────────────────────────┘
 * ```
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { errnoOf } from './io-errors.ts';

/** Paths of PEM files. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Who may connect: the holders of certificates that one of these has signed. Undefined: everybody. */
  readonly clientCa: string | undefined;
}

export interface TlsCredentials {
  readonly ok: true;
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly clientCa: Buffer | undefined;
  /** Unix milliseconds between which the certificate is valid. */
  readonly validFrom: number;
  readonly validTo: number;
}

export interface TlsFault {
  readonly ok: false;
  /** The file at fault. */
  readonly file: keyof TlsFiles;
  /** What is wrong and what would be right. Never contains what is in a file. */
  readonly message: string;
}

/** Reads the files and checks that they are what they should be, and belong together. Never throws. */
export function loadTlsCredentials(files: TlsFiles): TlsCredentials | TlsFault {
  const fault = (file: keyof TlsFiles, message: string): TlsFault => ({ ok: false, file, message });
  const contents: Partial<Record<keyof TlsFiles, Buffer>> = {};
  for (const file of ['cert', 'key', 'clientCa'] as const) {
    const path = files[file];
    if (path === undefined) continue;
    try {
      contents[file] = readFileSync(path);
    } catch (cause) {
      return fault(file, `${path} cannot be read (${errnoOf(cause) || 'unknown reason'})`);
    }
  }
  const { cert, key, clientCa } = contents as { cert: Buffer; key: Buffer; clientCa?: Buffer };

  const leaf = attempt(() => new X509Certificate(cert));
  if (leaf === undefined) return fault('cert', `${files.cert} is no certificate in PEM`);
  const privateKey: KeyObject | undefined = attempt(() => createPrivateKey(key));
  if (privateKey === undefined) {
    return fault('key', `${files.key} is no private key in PEM, or one with a passphrase, which nobody could enter`);
  }
  if (!leaf.checkPrivateKey(privateKey)) {
    const order = 'in a file with a chain the certificate of the gateway comes first';
    return fault('key', `${files.key} is not the key of the certificate in ${files.cert}; ${order}`);
  }
  if (clientCa !== undefined && attempt(() => new X509Certificate(clientCa)) === undefined) {
    return fault('clientCa', `${files.clientCa} is no certificate in PEM`);
  }
  // What remains: a key too weak for OpenSSL's security level, a broken certificate further down in the chain.
  try {
    createSecureContext({ cert, key, ...(clientCa !== undefined && { ca: clientCa }) });
  } catch (cause) {
    return fault('cert', `${files.cert} cannot be used (${errnoOf(cause) || 'unknown reason'})`);
  }
  const [validFrom, validTo] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)];
  return { ok: true, cert, key, clientCa, validFrom, validTo };
}

const DAY_MS = 86_400_000;
/** So early it is told that the certificate will expire. */
const SOON_DAYS = 30;

/** What is to be said about the time for which the certificate is valid; undefined when nothing is. */
export function validityWarning({ validFrom, validTo }: TlsCredentials, nowMs: number): string | undefined {
  if (nowMs < validFrom) return `the certificate is valid only from ${day(validFrom)} on; is the clock right?`;
  if (nowMs >= validTo) return `the certificate has expired on ${day(validTo)}: devices that check it stay away`;
  const days = Math.floor((validTo - nowMs) / DAY_MS);
  if (days >= SOON_DAYS) return undefined;
  return `the certificate expires in ${days} days, on ${day(validTo)}; after that, devices that check it stay away`;
}

/** `2026-11-21`, UTC. */
function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
