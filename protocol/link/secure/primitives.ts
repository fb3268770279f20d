/**
 * The functions that Noise is made of: SHA-256, HKDF, ChaCha20-Poly1305, X25519. The only place in protocol/ that touches
 * Node, whose crypto is OpenSSL's: it computes, it does no I/O.
 *
 * ```
 *   nonce    0000 0000 | n u64, LITTLE-endian                 (Noise, section 12.3)
 *   sealed   ciphertext, as long as the plaintext | tag (16)
 * ```
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { TAG_BYTES } from '../frame.ts';

/** Length of a key, private or public or shared, and of a hash. */
export const KEY_BYTES = 32;

const AEAD = 'chacha20-poly1305';
const OPTIONS = { authTagLength: TAG_BYTES };

// Node takes X25519 keys in DER only; around the 32 bytes it is always the same (RFC 8410).
const PKCS8_HEAD = Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20);
const SPKI_HEAD = Uint8Array.of(0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 3, 0x21, 0);

/** SHA-256 of the parts in a row. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** HKDF as Noise has it (section 4.3), with that many outputs: RFC 5869 with HMAC-SHA-256 and no info. */
export function hkdf(chainingKey: Uint8Array, input: Uint8Array, outputs: 2 | 3): Uint8Array[] {
  const secret = hmac(chainingKey, input);
  const keys: Uint8Array[] = [];
  for (let n = 1; n <= outputs; n++) keys.push(hmac(secret, keys[n - 2] ?? NOTHING, Uint8Array.of(n)));
  return keys;
}

const NOTHING = new Uint8Array(0);

function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** An X25519 key pair, used for one handshake. */
export class KeyPair {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  private readonly privateKey: KeyObject;

  /** A new one. Only test vectors name a `privateKey`, of 32 bytes. */
  constructor(privateKey?: Uint8Array) {
    const pair = privateKey === undefined ? generateKeyPairSync('x25519') : pairOf(privateKey);
    this.privateKey = pair.privateKey;
    this.publicKey = pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(SPKI_HEAD.length);
  }

  /**
   * The shared secret with the owner of another public key; undefined for one of the few keys with which every secret
   * is zero (RFC 7748, section 6.1), which no honest peer has.
   */
  agree(publicKey: Uint8Array): Uint8Array | undefined {
    const other = createPublicKey({ key: joined(SPKI_HEAD, publicKey), format: 'der', type: 'spki' });
    try {
      const secret = diffieHellman({ privateKey: this.privateKey, publicKey: other });
      return secret.some((byte) => byte !== 0) ? secret : undefined;
    } catch {
      // OpenSSL 3 refuses such a key itself.
      return undefined;
    }
  }
}

function pairOf(bytes: Uint8Array): { privateKey: KeyObject; publicKey: KeyObject } {
  requireKey(bytes);
  const privateKey = createPrivateKey({ key: joined(PKCS8_HEAD, bytes), format: 'der', type: 'pkcs8' });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

/** RangeError unless it has the length of a key. */
export function requireKey(key: Uint8Array): void {
  if (key.length !== KEY_BYTES) throw new RangeError(`a key of ${key.length} bytes, where ${KEY_BYTES} are needed`);
}

// Read while the call lasts, hence safe to share.
const nonce = new Uint8Array(12);

function nonceOf(n: number): Uint8Array {
  nonce[4] = n;
  nonce[5] = n >> 8;
  nonce[6] = n >> 16;
  nonce[7] = n >> 24;
  return nonce;
}

/** ChaCha20-Poly1305 under one key. */
export class AeadKey {
  private readonly key: KeyObject;

  /** Of 32 bytes. */
  constructor(key: Uint8Array) {
    requireKey(key);
    this.key = createSecretKey(key);
  }

  /**
   * Encrypts `target[from..length − 16)` in place and writes the tag behind it. `n` is a u32, and never the same one
   * twice under a key.
   */
  seal(n: number, associated: Uint8Array, target: Uint8Array, from: number): void {
    const tagAt = target.length - TAG_BYTES;
    const cipher = createCipheriv(AEAD, this.key, nonceOf(n), OPTIONS);
    cipher.setAAD(associated);
    target.set(cipher.update(target.subarray(from, tagAt)), from);
    cipher.final();
    target.set(cipher.getAuthTag(), tagAt);
  }

  /**
   * The plaintext of ciphertext and tag, as bytes of its own; undefined when the tag is wrong. OpenSSL compares tags in
   * constant time.
   */
  open(n: number, associated: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    const tagAt = sealed.length - TAG_BYTES;
    if (tagAt < 0) return undefined;
    const decipher = createDecipheriv(AEAD, this.key, nonceOf(n), OPTIONS);
    decipher.setAAD(associated);
    decipher.setAuthTag(sealed.subarray(tagAt));
    const plaintext = decipher.update(sealed.subarray(0, tagAt));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return plaintext;
  }
}

/** Two runs of bytes in a row. */
export function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
