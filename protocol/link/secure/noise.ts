/**
 * The handshake `Noise_NNpsk0_25519_ChaChaPoly_SHA256` (The Noise Protocol Framework, revision 34).
 *
 * ```
 *   initiator                                  responder
 *   → psk, e       e (32) | payload | tag (16)             payload under a key of psk and e: no DH yet
 *   ← e, ee        e (32) | payload | tag (16)             payload under a key of psk, both e, and their secret
 *     Split()      one key for each direction
 * ```
 *
 * Functions of values: a state never changes, so a message that turns out to be forged leaves nothing behind, and the
 * genuine one is still understood. `h` is Noise's handshake hash, `ck` its chaining key.
 */
import { encodeUtf8 } from '../../utf8.ts';
import { TAG_BYTES } from '../frame.ts';
import { AeadKey, hkdf, KEY_BYTES, requireKey, sha256 } from './primitives.ts';
import type { KeyPair } from './primitives.ts';

export const NOISE_PROTOCOL = 'Noise_NNpsk0_25519_ChaChaPoly_SHA256';
/** What a message has around its payload: the public key before it, the tag behind it. */
export const NOISE_OVERHEAD: number = KEY_BYTES + TAG_BYTES;

/** What both sides know after the first message. */
export interface NoiseState {
  readonly h: Uint8Array;
  readonly ck: Uint8Array;
}

/** The end of the handshake; the initiator sends under `initiator`, the responder under `responder`. */
export interface NoiseKeys {
  readonly initiator: AeadKey;
  readonly responder: AeadKey;
  /** The handshake hash, for test vectors. */
  readonly h: Uint8Array;
}

const NOTHING = new Uint8Array(0);
// The name is longer than a hash, so it is hashed (section 5.2, InitializeSymmetric).
const NAME_HASH = sha256(encodeUtf8(NOISE_PROTOCOL));

/** The initiator's first message. */
export function writeFirst(
  psk: Uint8Array,
  prologue: Uint8Array,
  own: KeyPair,
  payload: Uint8Array,
): { message: Uint8Array; state: NoiseState } {
  return writeMessage(mixPublicKey(begin(psk, prologue), own.publicKey), own, payload);
}

/** Reads it; undefined when it was not made with this psk and prologue. Costs hashes only, no DH. */
export function readFirst(
  psk: Uint8Array,
  prologue: Uint8Array,
  message: Uint8Array,
): { payload: Uint8Array; state: NoiseState; theirs: Uint8Array } | undefined {
  if (message.length < NOISE_OVERHEAD) return undefined;
  const theirs = message.slice(0, KEY_BYTES);
  const read = readPayload(mixPublicKey(begin(psk, prologue), theirs), message);
  return read && { ...read, theirs };
}

/** The responder's answer, and the keys; undefined when `theirs` is no usable public key. */
export function writeSecond(
  state: NoiseState,
  theirs: Uint8Array,
  own: KeyPair,
  payload: Uint8Array,
): { message: Uint8Array; keys: NoiseKeys } | undefined {
  const mixed = mixSecret(mixPublicKey(state, own.publicKey), own.agree(theirs));
  if (mixed === undefined) return undefined;
  const { message, state: end } = writeMessage(mixed, own, payload);
  return { message, keys: split(end) };
}

/** Reads it, as the initiator with the key pair `own`; undefined when it is no answer to our first message. */
export function readSecond(
  state: NoiseState,
  own: KeyPair,
  message: Uint8Array,
): { payload: Uint8Array; keys: NoiseKeys } | undefined {
  if (message.length < NOISE_OVERHEAD) return undefined;
  const theirs = message.subarray(0, KEY_BYTES);
  const mixed = mixSecret(mixPublicKey(state, theirs), own.agree(theirs));
  const read = mixed && readPayload(mixed, message);
  return read && { payload: read.payload, keys: split(read.state) };
}

interface KeyedState extends NoiseState {
  readonly key: AeadKey;
}

/** Initialize, and the token psk: MixKeyAndHash(psk). */
function begin(psk: Uint8Array, prologue: Uint8Array): NoiseState {
  requireKey(psk);
  const [ck, hash] = hkdf(NAME_HASH, psk, 3) as [Uint8Array, Uint8Array];
  // The key that the token gives as well is replaced by that of the token e before anything is encrypted.
  return { h: sha256(sha256(NAME_HASH, prologue), hash), ck };
}

/** The token e, which in a handshake with psk is MixHash and MixKey (section 9.2). */
function mixPublicKey({ h, ck }: NoiseState, publicKey: Uint8Array): KeyedState {
  return mixKey({ h: sha256(h, publicKey), ck }, publicKey);
}

/** The token ee. */
function mixSecret(state: NoiseState, secret: Uint8Array | undefined): KeyedState | undefined {
  return secret && mixKey(state, secret);
}

function mixKey({ h, ck }: NoiseState, input: Uint8Array): KeyedState {
  const [next, key] = hkdf(ck, input, 2) as [Uint8Array, Uint8Array];
  return { h, ck: next, key: new AeadKey(key) };
}

/** EncryptAndHash behind the public key. Each payload has a key of its own, hence nonce 0. */
function writeMessage(
  { h, ck, key }: KeyedState,
  { publicKey }: KeyPair,
  payload: Uint8Array,
): { message: Uint8Array; state: NoiseState } {
  const message = new Uint8Array(NOISE_OVERHEAD + payload.length);
  message.set(publicKey);
  message.set(payload, KEY_BYTES);
  key.seal(0, h, message, KEY_BYTES);
  return { message, state: { h: sha256(h, message.subarray(KEY_BYTES)), ck } };
}

/** DecryptAndHash. */
function readPayload(
  { h, ck, key }: KeyedState,
  message: Uint8Array,
): { payload: Uint8Array; state: NoiseState } | undefined {
  const sealed = message.subarray(KEY_BYTES);
  const payload = key.open(0, h, sealed);
  return payload && { payload, state: { h: sha256(h, sealed), ck } };
}

function split({ h, ck }: NoiseState): NoiseKeys {
  const [initiator, responder] = hkdf(ck, NOTHING, 2) as [Uint8Array, Uint8Array];
  return { initiator: new AeadKey(initiator), responder: new AeadKey(responder), h };
}
