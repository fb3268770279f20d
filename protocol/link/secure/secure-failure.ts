/** Why a sealed frame was not taken. */
export type SecureErrorCode =
  /** Too few bytes to hold what such a frame must have. */
  | 'too-short'
  /** More bytes than the limit given. */
  | 'too-long'
  /** Another version than 1. */
  | 'bad-version'
  /** It goes in our own direction: an echo. */
  | 'wrong-direction'
  /** No sealed frame, or a header that none of this kind has. */
  | 'bad-header'
  /** Of another session. */
  | 'wrong-session'
  /** The tag does not fit: another key, or forged, or damaged. */
  | 'bad-tag'
  /** Its number has come before, or is too old to tell. */
  | 'replayed'
  /** The tag fits, but what it sealed names another device than the frame outside, or another type, or is cut short. */
  | 'bad-content'
  /** The tag fits, but the public key in it is one with which there are no secrets. */
  | 'bad-public-key';

export interface SecureFailure {
  readonly ok: false;
  readonly code: SecureErrorCode;
}

export function failure(code: SecureErrorCode): SecureFailure {
  return { ok: false, code };
}
