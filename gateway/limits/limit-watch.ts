/**
 * What happens when a limit bites: it is counted under the name of its key in the configuration, shown in bridge/health,
 * and logged at most once a minute for each limit and place.
 */
import type { RateLimitedLog } from '../log.ts';

/** The keys below `limits:` that can bite, in the order in which a peer meets them. */
export const LIMIT_NAMES = [
  'connections',
  'connections_per_address',
  'connections_unauthenticated',
  'sessions_per_connection',
  'devices',
  'handshake_s',
  'frame_s',
  'throttle_s',
  'handshakes_per_s',
  'handshakes_per_address_per_s',
  'frames_per_s',
  'bytes_per_s',
  'logs_per_s',
  'answers_per_s',
  'output_bytes',
  'schema_bytes',
  'channels',
  'commands_per_s',
  'commands_waiting',
  'commands_per_device',
  'requests_per_s',
] as const;

export type LimitName = (typeof LIMIT_NAMES)[number];

export class LimitWatch {
  /** How often each has bitten. */
  readonly counts: Record<LimitName, number>;
  readonly #log: RateLimitedLog;

  constructor(log: RateLimitedLog) {
    this.#log = log;
    this.counts = Object.fromEntries(LIMIT_NAMES.map((name) => [name, 0])) as Record<LimitName, number>;
  }

  /**
   * @param where a source, a channel's source or a device id: with the limit the cause of the line in the log
   * @param what was done about it, e.g. `a connection was refused`
   */
  bite(limit: LimitName, where: string, what: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.counts[limit]++;
    this.#log.warn(
      `limit ${limit} ${where}`,
      { limit, where, ...fields },
      `${where}: ${what}, because of limits.${limit}`,
    );
  }

  /** Counts without a line, where the log tells it otherwise. */
  count(limit: LimitName): void {
    this.counts[limit]++;
  }
}
