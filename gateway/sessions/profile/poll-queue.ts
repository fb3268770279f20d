/**
 * Who is asked next on one line (pure: no I/O and no clock). One request is outstanding at a time.
 *
 * ```
 *   slaves in turn ─→ retry, init steps, commands, the poll that is the longest overdue ─→ next() ─→ outstanding
 *                                                           answered() │ timedOut(): again later, or given up
 * ```
 *
 * - A retry waits until the others have had their turn, so a slave that does not answer takes the line at most every
 *   other time.
 * - A slave that was given up three times in a row is silent: it is asked once, without retries, after pauses that
 *   double up to a minute. Its first answer brings its init steps and all its polls back.
 * - An exchange in which an answer was missed may still be answered: until that has come, or can be expected no longer, the
 *   same slave is not asked anything else, so that a late answer finds no other request that it could pass for.
 */
import type { OutgoingRequest } from '../../../protocol/index.ts';

/** Something to send to one slave. */
export interface Task {
  readonly kind: 'init' | 'poll' | 'command';
  /** How long the slave is left alone afterwards. */
  readonly waitMs: number;
  /** The bytes as of now; undefined: it cannot be asked now. */
  request(): OutgoingRequest | undefined;
  /** The device has refused it: whether the slave's polls have changed. */
  refused?(exception: number): boolean;
  /** Its end, for whoever waits for a command; called once. */
  done?(status: 'done' | 'failed' | 'expired', text: string): void;
}

export interface PollTask extends Task {
  readonly name: string;
  readonly everyMs: number;
}

/** A request whose turn has come. */
export interface Turn<D> {
  readonly slave: Slave<D>;
  readonly task: Task;
  readonly request: OutgoingRequest;
  /** 0 the first time. */
  readonly attempt: number;
  readonly sentAt: number;
  /** When the answer is given up. */
  deadline: number;
  /** Frames that have answered it so far. */
  frames: number;
}

interface Retry {
  readonly task: Task;
  readonly request: OutgoingRequest;
  readonly attempt: number;
}

/** Commands that wait for one slave. */
const MAX_COMMANDS = 16;
/** So many requests given up in a row make a slave silent. */
const SILENT_AFTER = 3;
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 60_000;
/** How long a late answer is waited out: its timeout, within these bounds. Others on the line are asked meanwhile. */
const MIN_QUARANTINE_MS = 500;
const MAX_QUARANTINE_MS = 5_000;

/** One device on the line: what it is asked, and how it has answered so far. */
export class Slave<D> {
  readonly device: D;
  readonly init: readonly Task[];
  readonly commands: Task[] = [];
  /** The init step that comes next. */
  step = 0;
  retry: Retry | undefined;
  /** Requests given up since the last answer. */
  misses = 0;
  /** Answers to its last request that may still come. */
  owed = 0;
  /** It is left alone until then: for a wait that its protocol asks for, or for an answer that may still come. */
  quietUntil = 0;
  /** Silent: neither init steps nor polls until then. Commands need not wait, as somebody waits for their end. */
  pausedUntil = 0;
  pauseMs = 0;
  #polls: { readonly task: PollTask; dueAt: number }[] = [];

  constructor(device: D, init: readonly Task[], polls: readonly PollTask[]) {
    this.device = device;
    this.init = init;
    this.setPolls(polls);
  }

  /** Whether it is asked anything by itself. */
  get polled(): boolean {
    return this.#polls.length > 0;
  }

  /** It has not answered for some time. */
  get silent(): boolean {
    return this.misses >= SILENT_AFTER;
  }

  /** New polls; one whose name was there before keeps its time. */
  setPolls(polls: readonly PollTask[]): void {
    const before = new Map(this.#polls.map(({ task, dueAt }) => [task.name, dueAt]));
    this.#polls = polls.map((task) => ({ task, dueAt: before.get(task.name) ?? 0 }));
  }

  /** When it has something to be asked. */
  get dueAt(): number {
    if (this.retry !== undefined || this.#commandsMayGo) return this.quietUntil;
    let earliest = this.step < this.init.length ? 0 : Number.POSITIVE_INFINITY;
    if (earliest > 0) for (const { dueAt } of this.#polls) if (dueAt < earliest) earliest = dueAt;
    return Math.max(earliest, this.quietUntil, this.pausedUntil);
  }

  /** Begins at the beginning. */
  restart(nowMs: number): void {
    this.step = 0;
    this.retry = undefined;
    this.misses = 0;
    this.owed = 0;
    this.pauseMs = 0;
    this.pausedUntil = 0;
    this.quietUntil = nowMs;
    for (const poll of this.#polls) poll.dueAt = nowMs;
  }

  /** Takes out what comes next, once it is due. */
  take(nowMs: number): Retry | undefined {
    if (nowMs < this.dueAt) return undefined;
    const { retry } = this;
    if (retry !== undefined) {
      this.retry = undefined;
      return retry;
    }
    const task = this.#takeTask(nowMs);
    const request = task?.request();
    return task === undefined || request === undefined ? undefined : { task, request, attempt: 0 };
  }

  #takeTask(nowMs: number): Task | undefined {
    if (this.#commandsMayGo) return this.commands.shift();
    const step = this.init[this.step];
    if (step !== undefined) {
      this.step++;
      return step;
    }
    let next: { readonly task: PollTask; dueAt: number } | undefined;
    for (const poll of this.#polls) {
      if (poll.dueAt <= nowMs && (next === undefined || poll.dueAt < next.dueAt)) next = poll;
    }
    // Not more than once at a time, however long it is overdue.
    if (next !== undefined) next.dueAt = Math.max(next.dueAt + next.task.everyMs, nowMs + 1);
    return next?.task;
  }

  /** A device is set up before it is told anything, unless it does not answer anyway. */
  get #commandsMayGo(): boolean {
    return this.commands.length > 0 && (this.step >= this.init.length || this.silent);
  }
}

export class PollQueue<D> {
  readonly #slaves: Slave<D>[] = [];
  #outstanding: Turn<D> | undefined;
  /** Whose turn was the last. */
  #served = -1;
  #lastWasCommand = false;

  get slaves(): readonly Slave<D>[] {
    return this.#slaves;
  }

  /** What waits for its answer. */
  get outstanding(): Turn<D> | undefined {
    return this.#outstanding;
  }

  /** When `next` has something, or the outstanding request is given up. */
  get dueAt(): number {
    if (this.#outstanding !== undefined) return this.#outstanding.deadline;
    let earliest = Number.POSITIVE_INFINITY;
    for (const { dueAt } of this.#slaves) if (dueAt < earliest) earliest = dueAt;
    return earliest;
  }

  add(slave: Slave<D>): void {
    this.#slaves.push(slave);
  }

  /** False when too many commands wait for this slave. */
  command(slave: Slave<D>, task: Task): boolean {
    if (slave.commands.length >= MAX_COMMANDS) return false;
    slave.commands.push(task);
    return true;
  }

  /** What is to be sent now, if anything. It is outstanding from now on when it has an answer. */
  next(nowMs: number): Turn<D> | undefined {
    if (this.#outstanding !== undefined) return undefined;
    // Commands first, but never twice in a row before the polls of others.
    const turn = (this.#lastWasCommand ? undefined : this.#pick(nowMs, true)) ?? this.#pick(nowMs, false);
    this.#lastWasCommand = turn?.task.kind === 'command';
    return turn;
  }

  #pick(nowMs: number, commandsOnly: boolean): Turn<D> | undefined {
    const slaves = this.#slaves;
    for (let i = 1; i <= slaves.length; i++) {
      const at = (this.#served + i) % slaves.length;
      const slave = slaves[at]!;
      if (commandsOnly && slave.commands.length === 0) continue;
      const taken = slave.take(nowMs);
      if (taken === undefined) continue;
      this.#served = at;
      const { task, request } = taken;
      const turn = { slave, ...taken, sentAt: nowMs, deadline: nowMs + request.timeoutMs, frames: 0 };
      if (!request.silent) this.#outstanding = turn;
      else {
        slave.quietUntil = Math.max(slave.quietUntil, nowMs + task.waitMs);
        task.done?.('done', '');
      }
      return turn;
    }
    return undefined;
  }

  /**
   * The outstanding request is over, because its answer is complete or the device has refused it (`refusal` says how).
   */
  answered(nowMs: number, refusal?: string): void {
    const turn = this.#outstanding;
    if (turn === undefined) return;
    this.#outstanding = undefined;
    const { slave, task, request, attempt } = turn;
    if (slave.silent) slave.restart(nowMs);
    // The earlier attempts may be answered as well.
    slave.owed = attempt;
    slave.misses = 0;
    slave.pauseMs = 0;
    slave.pausedUntil = 0;
    slave.quietUntil = nowMs + Math.max(task.waitMs, attempt > 0 ? quarantine(request) : 0);
    if (refusal === undefined) task.done?.('done', '');
    else task.done?.('failed', refusal);
  }

  /** No answer came. Tells whether the request was given up or is sent again. */
  timedOut(nowMs: number): 'again' | 'given-up' {
    const turn = this.#outstanding;
    if (turn === undefined) return 'given-up';
    this.#outstanding = undefined;
    const { slave, task, request, attempt } = turn;
    if (attempt < request.retries && !slave.silent) {
      // The same question: an answer to the first is good for the second.
      slave.retry = { task, request, attempt: attempt + 1 };
      return 'again';
    }
    slave.misses++;
    slave.owed = attempt + 1;
    slave.quietUntil = nowMs + quarantine(request);
    if (slave.silent) {
      slave.pauseMs = Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, slave.pauseMs * 2));
      slave.pausedUntil = nowMs + slave.pauseMs;
      // One question is enough to find out whether it is there again; a device without polls is asked by its init steps.
      slave.step = slave.polled ? slave.init.length : 0;
    }
    task.done?.('expired', 'the device did not answer');
    return 'given-up';
  }

  /** An answer has come that was not waited for any longer: once none is owed, the slave may be asked again. */
  cameLate(slave: Slave<D>, nowMs: number): void {
    slave.owed = Math.max(0, slave.owed - 1);
    if (slave.owed === 0 && slave.quietUntil > nowMs) slave.quietUntil = nowMs;
  }

  /** An answer has come to which there is no question: there may be more of them, so the slave is left alone for a while. */
  distrust(slave: Slave<D>, request: OutgoingRequest, nowMs: number): void {
    slave.quietUntil = Math.max(slave.quietUntil, nowMs + quarantine(request));
  }

  /** The device may have been switched off and on: its init steps come again. */
  setUpAgain(slave: Slave<D>): void {
    if (slave.step >= slave.init.length && !slave.silent) slave.step = 0;
  }

  /** The line is gone: ends all commands that wait. */
  close(why: string): void {
    const turn = this.#outstanding;
    this.#outstanding = undefined;
    turn?.task.done?.('expired', why);
    for (const slave of this.#slaves) {
      slave.retry?.task.done?.('expired', why);
      slave.retry = undefined;
      for (const task of slave.commands.splice(0)) task.done?.('expired', why);
    }
  }
}

function quarantine(request: OutgoingRequest): number {
  return Math.min(MAX_QUARANTINE_MS, Math.max(MIN_QUARANTINE_MS, request.timeoutMs));
}
