/** Ties one session to the loop: the SessionHost of a channel. */
import type { GatewayError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Handler, Loop } from '../loop.ts';
import type { SelectionKey } from '../selector.ts';
import { type Channel, READ } from '../sources/source.ts';
import type { ChannelTap } from '../tap/channel-tap.ts';
import type { TimerQueue } from '../timers.ts';
import type { Session, SessionHost, Stranger } from './session.ts';

/** Whoever has opened the channel. */
export interface ChannelOwner {
  /** The session is over; called once, after the channel was unregistered. */
  finished(host: ChannelHost, error: GatewayError | undefined): void;
  /** `host.stranger` has changed. */
  strangerChanged(host: ChannelHost): void;
}

export class ChannelHost implements SessionHost, Handler {
  readonly #loop: Loop;
  readonly #key: SelectionKey<Handler>;
  readonly #owner: ChannelOwner;
  #session: Session | undefined;
  #stranger: Stranger | undefined;
  readonly channel: Channel;
  readonly budgetBytes: number;
  readonly log: Log;
  readonly tap: ChannelTap;
  /** Monotonic milliseconds of its beginning. */
  readonly openedAt: number;

  /** Registers the channel. */
  constructor(loop: Loop, channel: Channel, budgetBytes: number, log: Log, tap: ChannelTap, owner: ChannelOwner) {
    this.#loop = loop;
    this.channel = channel;
    this.budgetBytes = budgetBytes;
    this.log = log;
    this.tap = tap;
    this.openedAt = loop.now();
    this.#owner = owner;
    this.#key = loop.register(channel, READ, this);
  }

  get timers(): TimerQueue {
    return this.#loop.timers;
  }

  /** Gives the channel its session; it must be called before the loop turns. */
  start(session: Session): void {
    this.#session = session;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  onReady(ready: number): void {
    this.#session?.onReady(ready);
  }

  now(): number {
    return this.#loop.now();
  }

  setInterest(interest: number): void {
    if (this.#key.registered && this.#key.interest !== interest) this.#loop.modify(this.#key, interest);
  }

  setMore(more: boolean): void {
    this.#key.more = more;
  }

  get stranger(): Stranger | undefined {
    return this.#stranger;
  }

  setStranger(stranger: Stranger | undefined): void {
    this.#stranger = stranger;
    this.#owner.strangerChanged(this);
  }

  finished(error?: GatewayError): void {
    if (!this.#key.registered) return;
    this.setStranger(undefined);
    this.#loop.unregister(this.#key);
    this.#owner.finished(this, error);
  }
}
