/** What runs on a channel: a link session, a bring-up service, later a profile. One contract for all. */
import type { TimerQueue } from '../timers.ts';
import type { Log } from '../log.ts';
import type { GatewayError } from '../errors.ts';
import type { ChannelTap } from '../tap/channel-tap.ts';
import type { Doubt } from './doubt.ts';

export interface Session {
  /**
   * The channel is ready (READ, WRITE, ERROR bits): do a bounded piece of work, at most `host.budgetBytes` read.
   * What remains makes the channel ready again next turn.
   */
  onReady(ready: number): void;
  /** The gateway stops, or takes this source away: say goodbye where the protocol can, and close. */
  close(): void;
  /** Why nothing that has come was understood; undefined when something was. */
  readonly doubt?: Doubt | undefined;
}

/** A session whose peer has not shown yet who it is: when connections run short, such a one goes first. */
export interface Stranger {
  /** Ends at once and without a word; `error` says for whom. */
  evict(error: GatewayError): void;
}

/** What the loop gives a session: time, deadlines, its interest, and the way to say that it is over. */
export interface SessionHost {
  /** Monotonic milliseconds. */
  now(): number;
  readonly timers: TimerQueue;
  /** Bytes that a session may read in one turn. */
  readonly budgetBytes: number;
  /** READ and WRITE bits that the session wants to hear of. Dropping READ is backpressure: the peer is slowed down. */
  setInterest(interest: number): void;
  /** There is work left in the session's own buffers, so call `onReady(READ)` next turn though the channel is drained. */
  setMore(more: boolean): void;
  /** The session itself while its peer is a stranger, then undefined. */
  setStranger(stranger: Stranger | undefined): void;
  /** The session is over and has closed its channel (or will not use it again). `error` tells why when it was not the plan. */
  finished(error?: GatewayError): void;
  readonly log: Log;
  /** Shows what passes to those who watch. */
  readonly tap: ChannelTap;
}
