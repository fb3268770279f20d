/** The key of a device as people write it: 32 bytes in 64 hex digits, or in base64 (44 characters, 43 without the `=`). */
import { randomBytes } from 'node:crypto';

export const DEVICE_KEY_BYTES = 32;

const HEX = /^[0-9a-fA-F]{64}$/;
const BASE64 = /^[A-Za-z0-9+/]{43}=?$/;

export type ParsedKey = { ok: true; key: Uint8Array } | { ok: false; message: string };

/** What is wrong is told without repeating any of the text: it may be a key but for one letter. */
export function parseDeviceKey(text: string): ParsedKey {
  const encoding = HEX.test(text) ? 'hex' : BASE64.test(text) ? 'base64' : undefined;
  if (encoding === undefined) {
    const message = 'must be 32 bytes: 64 hex digits, or base64; "bytes2mqtt key new DEVICE" makes one';
    return { ok: false, message };
  }
  const key = Uint8Array.from(Buffer.from(text, encoding));
  if (key.every((byte) => byte === key[0])) {
    return { ok: false, message: 'is no secret, all its bytes are the same; "bytes2mqtt key new DEVICE" makes one' };
  }
  return { ok: true, key };
}

/** A new key, in hex. */
export function newDeviceKey(): string {
  return randomBytes(DEVICE_KEY_BYTES).toString('hex');
}
