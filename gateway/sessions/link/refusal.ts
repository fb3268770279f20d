/** What is not taken for want of the right key: counted, answered if that helps, and told to the log and the bridge. */
import type { LinkErrorCode } from '../../../protocol/index.ts';
import { type Carrier, sendError } from './carrier.ts';
import { count, type LinkContext, type LinkCounters } from './link-context.ts';

/** Stable words, seen in counters, the log and events; docs/keys.md says what to do about each. */
export const REFUSAL_REASONS = [
  /** A plain frame of a device that has a key here. */
  'key-required',
  /** A device without a key, where only those with one are let in. */
  'no-key',
  /** A sealed handshake of a device that has no key here. */
  'unknown-key',
  /** A sealed handshake made with another key, or damaged. */
  'wrong-key',
  /** A sealed frame that has come before: recorded and sent again, or doubled on its way. */
  'replayed',
  /** A sealed REPORT of a boot before the newest known one. */
  'old-boot',
  /** A frame of a sealed session that was forged or damaged. */
  'bad-tag',
  /** A frame, sealed or not, of a session that is over, or of another connection or address. */
  'unknown-session',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

export interface Refusal {
  readonly reason: RefusalReason;
  /** The device's id, 16 hex digits; what the frame claims, not proven. Undefined when it does not say. */
  readonly device: string | undefined;
  readonly carrier: Carrier;
}

/** A device that was not let in need not come back sooner, seconds. */
const RETRY_S = 10;

/** Plain, because there is no key to seal it with; for a device with a key it is a hint. Short: see SPEC.md, section 3. */
const ANSWERS: Partial<Record<RefusalReason, readonly [LinkErrorCode, string]>> = {
  'key-required': ['authentication_required', 'key required'],
  'no-key': ['authentication_required', 'key required'],
  'unknown-key': ['authentication_failed', 'no key for this device'],
  'wrong-key': ['authentication_failed', 'wrong key'],
  'old-boot': ['authentication_failed', 'boot must count up'],
};

/** Refuses a HELLO or REPORT. */
export function refuse(context: LinkContext, counters: LinkCounters, refusal: Refusal): void {
  drop(context, counters, refusal);
  const answer = ANSWERS[refusal.reason];
  if (answer !== undefined) sendError(refusal.carrier, 0, answer[0], RETRY_S, answer[1]);
}

/** Refuses a frame without a word to its sender. */
export function drop({ listener }: LinkContext, counters: LinkCounters, refusal: Refusal): void {
  count(counters.rejected, refusal.reason);
  refusal.carrier.refused?.(refusal.reason);
  listener.refused(refusal);
}
