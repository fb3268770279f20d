/**
 * What is said on one line, and by whom: whose frame it is, whether it answers what was asked, and what is told of it.
 *
 * ```
 *   frame ─┬─ answers the request that is outstanding ─→ readings, next request
 *          ├─ owed: it answers an earlier one ─────────→ counted
 *          ├─ unasked, from the only device there ─────→ readings
 *          └─ to another question, refused, no sense ──→ counted and told
 * ```
 */
import { printable } from '../../../protocol/index.ts';
import type { Timer } from '../../timers.ts';
import type { CommandDone } from '../link/command-queue.ts';
import { count, type SessionEnd } from '../link/link-context.ts';
import { HeldReplies } from './held-replies.ts';
import type { LineMember } from './line-member.ts';
import { PollQueue, type Turn } from './poll-queue.ts';
import type { DecodedReadings, ProfileDevice, ProfileLine } from './profile-device.ts';
import { isMute, type ProfileSource } from './profile-source.ts';
import type { AwaitsDurable, ProfileTable } from './profile-table.ts';

type Member = LineMember;

/** The line itself. */
export interface TalkLine extends ProfileLine, AwaitsDurable {
  /** Something that makes sense was heard. */
  acquainted(): void;
  write(bytes: Uint8Array): void;
}

export class LineTalk {
  readonly queue = new PollQueue<Member>();
  readonly replies: HeldReplies;
  readonly #line: TalkLine;
  readonly #source: ProfileSource;
  readonly #table: ProfileTable;
  /** The devices that are here, and where each stands in the configuration. */
  readonly #members = new Map<ProfileDevice, Member>();
  /** The last request that is over: its answer may come late, or once more. */
  #last: Turn<Member> | undefined;

  constructor(line: TalkLine, source: ProfileSource, table: ProfileTable) {
    this.#line = line;
    this.#source = source;
    this.#table = table;
    this.replies = new HeldReplies((bytes) => line.write(bytes));
  }

  /** On a line of our own it is known who is there; a device that never says anything has to be believed. */
  expect(member: Member): void {
    const device = this.#ownDevice(member);
    if (device === undefined) return;
    this.#members.set(device, member);
    device.expect(this.#line);
    if (isMute(member.use.profile)) device.heard(this.#line);
  }

  memberOf(device: ProfileDevice): Member | undefined {
    return this.#members.get(device);
  }

  /** The device is elsewhere now; returns how many are still here. */
  forget(device: ProfileDevice): number {
    this.#members.delete(device);
    return this.#members.size;
  }

  /** The line is gone. */
  end(why: SessionEnd): void {
    this.queue.close('the line to the device is gone');
    for (const device of this.#members.keys()) device.left(this.#line, why);
  }

  /** Puts a command into the queue; `done` is called once. */
  command(
    device: ProfileDevice,
    alias: string,
    value: boolean | number | bigint | string | undefined,
    ttlS: number,
    done: CommandDone,
  ): void {
    const { timers } = this.#table.context;
    const member = this.#members.get(device);
    const result = member?.instance.command(alias, value);
    if (member === undefined || result === undefined) done('expired', 'the device is not on its line any longer');
    else if (!result.ok) done(result.code === 'bad-value' ? 'bad_value' : 'refused', result.detail);
    else {
      const { request } = result;
      let timer: Timer | undefined;
      let over = false;
      const end: CommandDone = (status, text) => {
        if (over) return;
        over = true;
        if (timer !== undefined) timers.cancel(timer);
        done(status, text);
      };
      const task = { kind: 'command', waitMs: 0, request: () => (over ? undefined : request), done: end } as const;
      if (!this.queue.command(member.slave, task)) {
        done('busy', 'too many commands are already waiting for this device');
        return;
      }
      const at = this.#table.context.now() + ttlS * 1_000;
      timer = timers.schedule(at, () => end('expired', 'the line was not free in time'));
    }
  }

  /** The answer to this request has not come: sends it again later, or gives it up. */
  timedOut(turn: Turn<Member>, now: number): void {
    if (turn.request.frames === 0 && turn.frames > 0) {
      this.#answered(turn, now);
      return;
    }
    const { counters, config } = this.#source;
    const member = turn.slave.device;
    const device = this.#ownDevice(member);
    counters.timeouts++;
    if (device !== undefined) device.counters.timeouts++;
    this.#last = turn;
    if (this.queue.timedOut(now) === 'again') return;
    this.#table.context.log.warn(
      `timeout ${config.id} ${member.use.alias}`,
      { source: config.id, device: member.use.alias, request: turn.request.name },
      `${member.use.alias} does not answer (${turn.request.name})`,
    );
  }

  /** Takes a frame whose framing and checksum are right. */
  take(member: Member, frame: Uint8Array, now: number): void {
    const { counters } = this.#source;
    const turn = this.queue.outstanding;
    if (turn?.slave.device === member && turn.request.answers(frame)) {
      this.#takeAnswer(turn, frame, now);
      return;
    }
    const last = this.#last;
    if (last?.slave.device === member && last.slave.owed > 0 && last.request.answers(frame)) {
      counters.late++;
      this.queue.cameLate(last.slave, now);
      return;
    }
    const decoded = member.onlyAnswers ? undefined : member.instance.decode(frame);
    if (decoded?.ok === true) this.#take(member, decoded, false);
    else if (decoded !== undefined && decoded.code !== 'unexpected') this.#reject(member, decoded.code, decoded.detail);
    else if (turn !== undefined) counters.mismatched++;
    else {
      counters.unasked++;
      if (last?.slave.device === member && last.request.answers(frame))
        this.queue.distrust(last.slave, last.request, now);
    }
  }

  #takeAnswer(turn: Turn<Member>, frame: Uint8Array, now: number): void {
    const { counters } = this.#source;
    const { request } = turn;
    const member = turn.slave.device;
    const decoded = member.instance.decode(frame, request);
    if (!decoded.ok) {
      if (decoded.code === 'unexpected') {
        counters.mismatched++;
        return;
      }
      if (decoded.code === 'exception') this.#refused(turn, decoded.exception ?? 0, decoded.detail);
      else this.#reject(member, decoded.code, decoded.detail);
      this.#answered(turn, now, decoded.code === 'dropped' ? undefined : decoded.detail);
      return;
    }
    turn.frames++;
    const device = this.#take(member, decoded, true);
    if (device !== undefined && turn.frames === 1) device.roundTripMs = now - turn.sentAt;
    if (request.frames > 0 && turn.frames >= request.frames) this.#answered(turn, now);
    else turn.deadline = now + request.timeoutMs;
  }

  #answered(turn: Turn<Member>, now: number, refusal?: string): void {
    this.#last = turn;
    this.queue.answered(now, refusal);
  }

  /** Readings on their way; the device that they are of, or undefined when it is not taken. */
  #take(member: Member, decoded: DecodedReadings, asked: boolean): ProfileDevice | undefined {
    const { counters } = this.#source;
    if (decoded.device === undefined && member.use.profile.about.identified === true) {
      // Nobody's readings; a frame without any may still have to be answered.
      if (decoded.samples.length > 0) count(counters.rejected, 'no-identity');
      else this.replies.add(decoded.replies, 0, this.#table.context.journal.durable);
      return undefined;
    }
    const device = this.#heard(member, decoded.device);
    if (device === undefined) return undefined;
    device.counters.frames++;
    // What is acknowledged is never passed over.
    const mayPass = !asked && !member.slave.polled && decoded.samples.length > 0 && decoded.replies.length === 0;
    if (mayPass && device.isTooEarly(decoded.message)) {
      counters.thinned++;
      device.counters.thinned++;
      return device;
    }
    const lsn = device.append(decoded, counters);
    if (decoded.replies.length === 0) return device;
    this.replies.add(decoded.replies, lsn, this.#table.context.journal.durable);
    if (this.replies.waiting) this.#table.awaitDurable(this.#line);
    return device;
  }

  /** The device that a member stands for, where frames do not say whose they are. */
  #ownDevice(member: Member): ProfileDevice | undefined {
    return member.use.profile.about.identified === true ? undefined : this.#source.deviceOf(member.use, undefined);
  }

  #heard(member: Member, identity: string | undefined): ProfileDevice | undefined {
    const device = this.#source.deviceOf(member.use, identity);
    if (device === undefined) return undefined;
    this.#members.set(device, member);
    this.#line.acquainted();
    device.heard(this.#line);
    return device;
  }

  // --- what is not used --------------------------------------------------------------------------------------------

  #reject(member: Member, code: string, detail: string): void {
    const { counters, config } = this.#source;
    count(counters.rejected, code);
    const device = this.#ownDevice(member);
    if (device !== undefined) count(device.counters.rejected, code);
    if (code === 'dropped') {
      // It has spoken, and the profile wants no more of it.
      if (device !== undefined) this.#heard(member, undefined);
      return;
    }
    const fields = { source: config.id, device: member.use.alias, code, detail: printable(detail, 200) };
    this.#table.context.log.warn(
      `frame ${code} ${config.id}`,
      fields,
      `${config.id}: a frame of ${member.use.alias} gave no readings: ${fields.detail}`,
    );
  }

  #refused(turn: Turn<Member>, exception: number, detail: string): void {
    const { counters, config } = this.#source;
    const member = turn.slave.device;
    counters.exceptions++;
    const device = this.#ownDevice(member);
    if (device !== undefined) {
      device.counters.exceptions++;
      this.#heard(member, undefined);
    }
    const fields = { source: config.id, device: member.use.alias, request: turn.request.name, exception };
    this.#table.context.log.warn(
      `exception ${config.id} ${member.use.alias}`,
      fields,
      `${member.use.alias} refuses ${turn.request.name}: ${printable(detail, 200)}`,
    );
    if (turn.task.refused?.(exception) === true) member.lookAtPollsAgain();
  }

  /** Bytes that would be a frame, were it not for their checksum. */
  tellBadChecksum(member: Member, bytes: Uint8Array): void {
    const failed = member.instance.failedChecksum(bytes);
    if (failed === undefined) return;
    const { config } = this.#source;
    const { computed, received } = failed;
    this.#table.context.log.warn(
      `bad-checksum ${config.id}`,
      { source: config.id, device: member.use.alias, computed, received },
      `${config.id}: a frame was not taken: its checksum is ${received}, computed is ${computed}`,
    );
  }
}
