/** One device of the configuration on one line: its decoder, and what it is asked. */
import type { FrameDecoder, OutgoingRequest, ProfileInstance } from '../../../protocol/index.ts';
import type { SourceConfig } from '../../config/schema.ts';
import type { ProfileDeviceUse } from '../../profiles/profile-use.ts';
import { type LineTiming, lineTiming } from './line-timing.ts';
import { type PollTask, Slave, type Task } from './poll-queue.ts';

export class LineMember {
  readonly use: ProfileDeviceUse;
  readonly instance: ProfileInstance;
  readonly decoder: FrameDecoder;
  readonly timing: LineTiming;
  readonly slave: Slave<LineMember>;
  /** Frames that nobody asked for are not taken. */
  readonly onlyAnswers: boolean;

  /** @param alone whether it has the line for itself; else only an answer can be known to be its own */
  constructor(use: ProfileDeviceUse, source: SourceConfig, alone: boolean) {
    this.use = use;
    this.instance = use.profile.open(use.parameters);
    this.decoder = this.instance.createDecoder();
    this.timing = lineTiming(use.profile.about, source);
    this.onlyAnswers = !alone || use.profile.about.onlyAnswers;
    const init = this.instance.init.map(
      ({ request, waitMs }): Task => ({ kind: 'init', waitMs, request: () => request }),
    );
    this.slave = new Slave<LineMember>(this, init, this.#pollTasks());
  }

  /** The device has refused something, and what it is asked has changed. */
  lookAtPollsAgain(): void {
    this.slave.setPolls(this.#pollTasks());
  }

  #pollTasks(): PollTask[] {
    return this.instance.polls.map((poll) => ({
      kind: 'poll',
      name: poll.name,
      everyMs: Math.max(1, this.use.everyMs ?? poll.everyMs),
      waitMs: 0,
      request: (): OutgoingRequest | undefined => poll.request(),
      refused: (exception) => poll.refused?.(exception) === true,
    }));
  }
}
