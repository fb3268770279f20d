/** Who a device is that has no id of its own, because it speaks a protocol older than ours: its alias says it. */
import { createHash } from 'node:crypto';
import type { DeviceState } from '../journal/journal.ts';
import { isDeviceAlias } from '../mqtt/topics.ts';

/** 16 lowercase hex digits: the first 8 bytes of SHA-256("profile:" + alias). */
export function profileDeviceId(alias: string): string {
  return createHash('sha256').update(`profile:${alias}`).digest('hex').slice(0, 16);
}

/** The alias under which the journal knows a device with a profile; undefined for any other device. */
export function storedAlias({ id, schema }: DeviceState): string | undefined {
  const name = schema?.name ?? '';
  return isDeviceAlias(name) && profileDeviceId(name) === id ? name : undefined;
}

const MAX_ALIAS = 32;
const PLAIN = /^[a-z0-9_]+$/;

/**
 * The alias of a device that says in its frames who it is: `<prefix>_<identity>`. What an alias cannot hold is replaced, and a
 * hash of the identity keeps it apart from others then.
 */
export function identityAlias(prefix: string, identity: string): string {
  const wanted = `${prefix}_${identity}`.toLowerCase();
  if (wanted.length <= MAX_ALIAS && PLAIN.test(wanted)) return wanted;
  const hash = createHash('sha256').update(identity).digest('hex').slice(0, 6);
  const words = Array.from(wanted.slice(0, 64), (character) => (PLAIN.test(character) ? character : '_')).join('');
  return `${words.slice(0, MAX_ALIAS - 7)}_${hash}`;
}
