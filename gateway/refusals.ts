/**
 * Says who was not let in, and what would be right: in one line of the log and one event at most once a minute for each
 * cause. What strangers claim to be cannot crowd out what concerns the devices of the configuration.
 */
import { type Log, rateLimited, type RateLimitedLog } from './log.ts';
import type { Bridge } from './mqtt/bridge.ts';
import type { Refusal, RefusalReason } from './sessions/link/refusal.ts';

/** Causes a minute that strangers can bring; beyond that they share one. */
const MAX_STRANGERS = 16;

type Sentence = (who: string, peer: string, id: string) => string;

const SENTENCES: Readonly<Record<RefusalReason, Sentence>> = {
  'key-required': (who, peer, id) =>
    `${who} at ${peer} was refused: it has a key here and spoke without. Give the device its key, or remove "key" below devices.${id}`,
  'no-key': (who, peer, id) =>
    `${who} at ${peer} was refused: only devices with a key are let in there. "bytes2mqtt key new ${id}" makes one; "plain: true" at the source or the device lets it in without`,
  'unknown-key': (who, peer, id) =>
    `${who} at ${peer} was refused: it speaks with a key, and none is known here. Write it as "key" below devices.${id}, or make a new one: "bytes2mqtt key new ${id}"`,
  'wrong-key': (who, peer, id) =>
    `${who} at ${peer} was refused: its key is not the one below devices.${id}. Both need the same 32 bytes`,
  replayed: (who, peer) =>
    `a frame of ${who} came a second time, from ${peer}: recorded and sent again, or doubled on its way. It was dropped`,
  'old-boot': (who, peer) =>
    `a REPORT of ${who} at ${peer} was refused: its boot is before the newest known, so it was recorded and sent again, or the device has forgotten its boots. With a key they must count up`,
  'bad-tag': (who, peer) =>
    `a frame in the session of ${who}, from ${peer}, is not sealed with its key: damaged or forged. It was dropped`,
  'unknown-session': (_, peer) =>
    `${peer} spoke in an old session: the gateway or the device was started anew, or its address has changed. It was told to begin a new one`,
};

export class Refusals {
  readonly #bridge: Bridge;
  readonly #aliasOf: (id: string) => string | undefined;
  readonly #configured: RateLimitedLog;
  readonly #strangers: RateLimitedLog;

  /**
   * @param aliasOf the alias of a device of the configuration, undefined for every other
   * @param now monotonic milliseconds
   */
  constructor(bridge: Bridge, log: Log, aliasOf: (id: string) => string | undefined, now: () => number) {
    this.#bridge = bridge;
    this.#aliasOf = aliasOf;
    this.#configured = rateLimited(log, now);
    this.#strangers = rateLimited(log, now, MAX_STRANGERS);
  }

  tell({ reason, device, carrier }: Refusal): void {
    const alias = device === undefined ? undefined : this.#aliasOf(device);
    const peer = carrier.id;
    const fields = { device: alias ?? device, reason, peer };
    const who = alias === undefined || alias === device ? `device ${device}` : `${alias} (${device})`;
    const message = SENTENCES[reason](who, peer, device ?? '');
    const said =
      alias === undefined
        ? this.#strangers.warn(`${reason} ${device ?? carrier.address}`, fields, message)
        : this.#configured.warn(`${reason} ${device}`, fields, message);
    if (said) this.#bridge.event('refused', fields);
  }

  /** As RateLimitedLog.flush. */
  flush(all = false): void {
    this.#configured.flush(all);
    this.#strangers.flush(all);
  }
}
