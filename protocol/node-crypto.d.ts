/**
 * The few functions of Node's crypto that `link/secure/primitives.ts` uses, with the shapes that it uses. Protocol code has
 * no types of Node (`types: []`), so that nothing else of Node slips in unnoticed.
 */
declare module 'node:crypto' {
  /** A key in OpenSSL's keeping. */
  interface KeyObject {
    export(options: { type: 'spki'; format: 'der' }): Uint8Array;
  }
  interface Hash {
    update(data: Uint8Array): Hash;
    digest(): Uint8Array;
  }
  interface Aead {
    setAAD(data: Uint8Array): Aead;
    update(data: Uint8Array): Uint8Array;
    final(): Uint8Array;
  }
  interface AeadOptions {
    authTagLength: number;
  }
  interface DerKey {
    key: Uint8Array;
    format: 'der';
    type: 'pkcs8' | 'spki';
  }

  function createHash(algorithm: 'sha256'): Hash;
  function createHmac(algorithm: 'sha256', key: Uint8Array): Hash;
  function createSecretKey(key: Uint8Array): KeyObject;
  function createPrivateKey(key: DerKey & { type: 'pkcs8' }): KeyObject;
  function createPublicKey(key: (DerKey & { type: 'spki' }) | KeyObject): KeyObject;
  function generateKeyPairSync(type: 'x25519'): { privateKey: KeyObject; publicKey: KeyObject };
  function diffieHellman(keys: { privateKey: KeyObject; publicKey: KeyObject }): Uint8Array;
  function createCipheriv(
    algorithm: 'chacha20-poly1305',
    key: KeyObject,
    nonce: Uint8Array,
    options: AeadOptions,
  ): Aead & { getAuthTag(): Uint8Array };
  function createDecipheriv(
    algorithm: 'chacha20-poly1305',
    key: KeyObject,
    nonce: Uint8Array,
    options: AeadOptions,
  ): Aead & { setAuthTag(tag: Uint8Array): void };
}
