/**
 * Who the devices are, and their keys, as a user writes them:
 *
 * ```
 *   # id, 16 hex digits: key, 64 hex digits or base64
 *   a1b2c3d4e5f60718: 1f0c…
 *   00000000000000aa                    without a key: it speaks plain
 * ```
 */
import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { KEY_BYTES } from '../protocol/index.ts';
import type { Identity } from './fleet.ts';

/** A key in 64 hex digits, or in base64. What is wrong is told without the text: it may be a key but for one letter. */
export function parseKey(text: string): Uint8Array {
  const encoding = /^[0-9a-fA-F]{64}$/.test(text) ? 'hex' : /^[A-Za-z0-9+/]{43}=?$/.test(text) ? 'base64' : undefined;
  if (encoding === undefined) throw new InvalidArgumentError(`Expected ${KEY_BYTES} bytes: 64 hex digits, or base64.`);
  return Uint8Array.from(Buffer.from(text, encoding));
}

/** An id of 1 to 16 hex digits, not 0. */
export function parseId(text: string): bigint {
  const id = /^[0-9a-fA-F]{1,16}$/.test(text) ? BigInt(`0x${text}`) : 0n;
  if (id === 0n) throw new InvalidArgumentError('Expected an id of 16 hex digits, such as a1b2c3d4e5f60718.');
  return id;
}

/** Reads a key file. */
export function readIdentities(path: string): Identity[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new InvalidArgumentError(`It cannot be read: ${(cause as NodeJS.ErrnoException).code}.`);
  }
  return parseIdentities(text);
}

/** The contents of a key file. Empty lines and what follows a `#` do not count. */
export function parseIdentities(text: string): Identity[] {
  const identities: Identity[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const written = line.split('#', 1)[0] ?? '';
    const [id = '', key, ...more] = written.split(':').map((part) => part.trim());
    if (id === '') continue;
    try {
      if (more.length > 0) throw new InvalidArgumentError('Expected ID: KEY.');
      const identity = key === undefined ? { id: parseId(id) } : { id: parseId(id), key: parseKey(key) };
      if (identities.some((other) => other.id === identity.id)) {
        throw new InvalidArgumentError('This id is there twice.');
      }
      identities.push(identity);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      throw new InvalidArgumentError(`Line ${index + 1}: ${error.message}`);
    }
  }
  return identities;
}
