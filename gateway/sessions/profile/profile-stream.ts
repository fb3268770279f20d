/**
 * Devices with a profile on a stream: a serial line, a connection to a serial-to-network bridge, or one that a device has
 * opened to us. One device or, on RS-485, several that are asked in turn.
 *
 * ```
 *   bytes ─→ decoder of who was asked last ─→ frame ─→ line talk: whose it is, and what it answers
 *                  └─ skips: counted
 *   line free for 3.5 characters ─→ poll queue ─→ request
 * ```
 */
import type { Item } from '../../../protocol/index.ts';
import type { Transport } from '../../devices/device.ts';
import { GatewayError } from '../../errors.ts';
import { DeviceRate } from '../../limits/device-rate.ts';
import { ERROR, READ, type StreamChannel } from '../../sources/source.ts';
import type { Timer } from '../../timers.ts';
import type { CommandDone } from '../link/command-queue.ts';
import { count, type SessionEnd } from '../link/link-context.ts';
import { profileMeaning, profileSkipMeaning } from '../../tap/meanings.ts';
import { type Doubt, Doubts } from '../doubt.ts';
import type { Session, SessionHost, Stranger } from '../session.ts';
import type { HeldReplies } from './held-replies.ts';
import { LineMember } from './line-member.ts';
import { LineTalk, type TalkLine } from './line-talk.ts';
import type { PollQueue, Turn } from './poll-queue.ts';
import type { ProfileDevice } from './profile-device.ts';
import { isVisited, type ProfileSource } from './profile-source.ts';
import type { ProfileTable } from './profile-table.ts';

/** Frames and skips handled in one turn. */
const MAX_ITEMS_PER_TURN = 256;
/** A line that never falls silent is asked all the same after so long. */
const MAX_WAIT_FOR_SILENCE_MS = 1_000;
/** A visitor has to send something that makes sense within this time. */
const FIRST_FRAME_MS = 60_000;
/** A connection of our own that brings nothing for so long, and at least for the device's timeout, is opened again. */
const MIN_RECONNECT_MS = 60_000;
/** An answer that is coming in is not cut off at its deadline, but this much later. */
const MAX_OVERTIME_MS = 3_000;
/** Deadlines are looked at twice: what a busy machine has received meanwhile comes first. */
const SECOND_LOOK_MS = 1;

type Member = LineMember;

export class ProfileStream implements Session, Stranger, TalkLine {
  readonly transport: Transport;
  readonly #channel: StreamChannel;
  readonly #host: SessionHost;
  readonly #source: ProfileSource;
  readonly #table: ProfileTable;
  readonly #members: readonly Member[];
  readonly #talk: LineTalk;
  readonly #queue: PollQueue<Member>;
  readonly #replies: HeldReplies;
  readonly #doubts = new Doubts(
    () => profileMeaning(this.#speaker.instance),
    'Frames come, and no device of the configuration is their sender.',
    false,
  );
  readonly #timer: Timer;
  readonly #openedAt: number;
  readonly #rate: DeviceRate | undefined;
  /** After so long without a byte nobody can be there any more. */
  readonly #silenceMs: number;
  /** Whose decoder takes the bytes: who was asked last. */
  #speaker: Member;
  /** When the last byte came, or the last one of ours has left. */
  #busyAt: number;
  #heardAt: number;
  /** Since when something is due that has to wait for silence. */
  #dueSince: number | undefined;
  #looked = Number.NaN;
  #paused = false;
  #pausedSince = 0;
  #undone = false;
  #peerEnded = false;
  #stranger: boolean;
  #finished = false;

  constructor(channel: StreamChannel, host: SessionHost, source: ProfileSource, table: ProfileTable) {
    this.#channel = channel;
    this.#host = host;
    this.#source = source;
    this.#table = table;
    const { config, use } = source;
    this.transport = config.kind === 'connect' ? 'tcp' : config.kind;
    this.#members = use.devices.map((device) => new LineMember(device, config, use.devices.length === 1));
    this.#speaker = this.#members[0]!;
    this.#talk = new LineTalk(this, source, table);
    this.#queue = this.#talk.queue;
    this.#replies = this.#talk.replies;
    const now = host.now();
    this.#openedAt = this.#busyAt = this.#heardAt = now;
    for (const { slave } of this.#members) {
      this.#queue.add(slave);
      slave.restart(now);
    }
    const visited = isVisited(config) && config.kind !== 'udp';
    this.#stranger = visited;
    this.#rate = visited ? new DeviceRate(table.context.limits, now) : undefined;
    this.#silenceMs = Math.max(MIN_RECONNECT_MS, ...use.devices.map((device) => source.timeoutOf(device)));
    if (visited) host.setStranger(this);
    else for (const member of this.#members) this.#talk.expect(member);
    this.#timer = host.timers.schedule(now, () => this.#onTimer());
  }

  get id(): string {
    return this.#channel.id;
  }

  get doubt(): Doubt | undefined {
    return this.#source.counters.frames > 0 && !this.#stranger
      ? undefined
      : this.#doubts.doubt(this.#channel.bytesRead);
  }

  get paused(): boolean {
    return this.#paused;
  }

  // --- Session -----------------------------------------------------------------------------------------------------

  onReady(ready: number): void {
    if ((ready & READ) !== 0) this.#read();
    // What had arrived before the error was good, so it is read first.
    if ((ready & ERROR) !== 0) this.#dead(this.#channel.error);
  }

  close(): void {
    this.#shutDown('shutdown');
  }

  evict(error: GatewayError): void {
    this.#dead(error);
  }

  // --- TalkLine ----------------------------------------------------------------------------------

  command(
    device: ProfileDevice,
    alias: string,
    value: boolean | number | bigint | string | undefined,
    ttlS: number,
    done: CommandDone,
  ): void {
    this.#talk.command(device, alias, value, ttlS, done);
    this.#schedule();
  }

  replaced(device: ProfileDevice): void {
    const left = this.#talk.forget(device);
    // A connection whose device has opened another one is of no use.
    if (isVisited(this.#source.config) && left === 0) this.#shutDown('replaced');
  }

  acquainted(): void {
    if (!this.#stranger) return;
    this.#stranger = false;
    this.#host.setStranger(undefined);
  }

  setUpAgain(device: ProfileDevice): void {
    const member = this.#talk.memberOf(device);
    if (member === undefined) return;
    this.#queue.setUpAgain(member.slave);
    this.#schedule();
  }

  onDurable(durable: number): void {
    if (this.#finished) return;
    this.#replies.release(durable);
    if (this.#replies.waiting) this.#table.awaitDurable(this);
    if (this.#finished) return;
    if (this.#peerEnded && !this.#undone) this.#endOfInput();
    else this.#updateInterest();
  }

  /** The journal is full, or has room again. */
  pause(paused: boolean): void {
    if (paused === this.#paused || this.#finished) return;
    this.#paused = paused;
    const now = this.#host.now();
    if (paused) this.#pausedSince = now;
    else {
      this.#heardAt = now;
      const { outstanding } = this.#queue;
      // Its answer was not read.
      if (outstanding !== undefined) outstanding.deadline = now + outstanding.request.timeoutMs;
    }
    this.#updateInterest();
    this.#schedule();
  }

  // --- reading -----------------------------------------------------------------------------------------------------

  #read(): void {
    if (!this.#undone && !this.#peerEnded) {
      const bytes = this.#channel.read(this.#host.budgetBytes);
      if (bytes === undefined) return;
      if (bytes.length === 0) {
        this.#peerEnded = true;
        this.#speaker.decoder.end();
      } else {
        this.#heardAt = this.#host.now();
        this.#busyAt = Math.max(this.#busyAt, this.#heardAt);
        if (this.#stranger || this.#source.counters.frames === 0) this.#doubts.seen(bytes);
        this.#speaker.decoder.push(bytes);
      }
    }
    this.#takeItems();
    if (this.#finished) return;
    if (this.#peerEnded && !this.#undone) this.#endOfInput();
    else this.#goOn();
  }

  /** After anything that has changed what is to be done next. */
  #goOn(): void {
    this.#ask();
    if (this.#finished) return;
    this.#updateInterest();
    this.#schedule();
  }

  #takeItems(): void {
    this.#undone = false;
    const now = this.#host.now();
    for (let n = 0; n < MAX_ITEMS_PER_TURN; n++) {
      if (this.#replies.full) break;
      if (this.#rate !== undefined && this.#paceMs(now) > 0) {
        this.#table.context.watch.bite(this.#rate.scarce, this.#source.config.id, 'a connection is read more slowly');
        break;
      }
      if (this.#table.mustWait(this)) {
        this.pause(true);
        break;
      }
      const { decoder } = this.#speaker;
      const item = decoder.next();
      if (item === undefined) {
        // A datagram holds whole frames.
        if (this.transport !== 'udp' || decoder.buffered === 0) return;
        decoder.expire();
      } else this.#takeItem(item, now);
      if (this.#finished) return;
    }
    this.#undone = true;
  }

  #takeItem(item: Item, now: number): void {
    const { counters } = this.#source;
    if (this.#host.tap.active) this.#tapItem(item);
    this.#source.unfitting.take(item, now);
    if (this.#stranger || counters.frames === 0) this.#doubts.take(item);
    if (item.kind === 'frame') {
      counters.frames++;
      this.#rate?.charge(item.wireLength, now);
      this.#talk.take(this.#speaker, item.bytes, now);
      return;
    }
    count(counters.skippedBytes, item.reason, item.wireLength);
    if (item.reason !== 'bad-checksum') return;
    counters.checksumErrors++;
    this.#talk.tellBadChecksum(this.#speaker, item.bytes);
  }

  #tapItem(item: Item): void {
    const { instance, use } = this.#speaker;
    const meaning = item.kind === 'frame' ? profileMeaning(instance) : profileSkipMeaning(instance, item.reason);
    this.#host.tap.received(item, use.alias, meaning);
  }

  // --- asking ------------------------------------------------------------------------------------------------------

  /** Sends what is due, once the line has been silent for long enough. */
  #ask(): void {
    const queue = this.#queue;
    while (!this.#paused && !this.#peerEnded && !this.#undone && queue.outstanding === undefined) {
      const now = this.#host.now();
      if (queue.dueAt > now) {
        this.#dueSince = undefined;
        return;
      }
      this.#dueSince ??= now;
      if (now < this.#freeAt) return;
      // Nothing that came before the question may pass for its answer.
      if (this.#speaker.decoder.buffered > 0) {
        this.#speaker.decoder.expire();
        this.#takeItems();
        if (this.#finished || this.#undone) return;
      }
      const turn = queue.next(now);
      if (turn === undefined) return;
      this.#dueSince = undefined;
      this.#send(turn, now);
      if (this.#finished) return;
    }
  }

  /** When a request may be sent at the earliest. */
  get #freeAt(): number {
    const silent = this.#busyAt + this.#speaker.timing.silenceMs;
    // A frame that has begun may still go on.
    const whole = this.#speaker.decoder.buffered > 0 ? this.#heardAt + this.#speaker.timing.gapMs : silent;
    const patience = (this.#dueSince ?? this.#host.now()) + MAX_WAIT_FOR_SILENCE_MS;
    return Math.min(Math.max(silent, whole), patience);
  }

  #send(turn: Turn<Member>, now: number): void {
    const member = turn.slave.device;
    this.#speaker = member;
    const { counters } = this.#source;
    counters.requests++;
    const sendingMs = turn.request.bytes.length * member.timing.characterMs;
    turn.deadline += sendingMs;
    this.#busyAt = now + sendingMs;
    this.write(turn.request.bytes);
  }

  write(bytes: Uint8Array): void {
    const { tap } = this.#host;
    if (tap.active) tap.sent(bytes, this.#speaker.use.alias, profileMeaning(this.#speaker.instance));
    if (this.#finished || this.#channel.write(bytes) === bytes.length) return;
    if (this.#channel.error === undefined) this.#dead(new GatewayError('OUTPUT_OVERFLOW', this.id));
  }

  #timedOut(turn: Turn<Member>, now: number): void {
    const { decoder, timing } = this.#speaker;
    if (decoder.buffered > 0) {
      const complete = this.#heardAt + timing.gapMs;
      if (now < complete && now < turn.sentAt + turn.request.timeoutMs + MAX_OVERTIME_MS) {
        turn.deadline = complete;
        return;
      }
      decoder.expire();
      this.#takeItems();
      if (this.#finished || this.#queue.outstanding !== turn) return;
    }
    this.#talk.timedOut(turn, now);
  }

  // --- time --------------------------------------------------------------------------------------------------------

  #onTimer(): void {
    if (this.#finished) return;
    const now = this.#host.now();
    const at = this.#timer.at;
    if (this.#paused) {
      this.#stillPaused(now);
      return;
    }
    // A machine that was busy runs deadlines before it looks at what has come in: so there is a second look.
    if (at !== this.#looked && now > this.#openedAt) {
      this.#looked = now + SECOND_LOOK_MS;
      this.#host.timers.reschedule(this.#timer, this.#looked);
      return;
    }
    this.#looked = Number.NaN;
    const { decoder, timing } = this.#speaker;
    if (decoder.buffered > 0 && now >= this.#heardAt + timing.gapMs) {
      decoder.expire();
      this.#takeItems();
      if (this.#finished) return;
    }
    const turn = this.#queue.outstanding;
    if (turn !== undefined && now >= turn.deadline) this.#timedOut(turn, now);
    if (this.#finished || this.#isForsaken(now)) return;
    // A rate that is even again, for one, lets the items go on.
    if (this.#undone && this.#paceMs(now) <= 0) this.#read();
    else this.#goOn();
  }

  /** Sets the timer to what is due first. */
  #schedule(): void {
    if (this.#finished) return;
    this.#looked = Number.NaN;
    this.#host.timers.reschedule(this.#timer, Math.max(this.#dueAt(), this.#host.now()));
  }

  #dueAt(): number {
    if (this.#paused) return this.#pausedSince + this.#table.context.limits.throttleMs;
    const queue = this.#queue;
    const now = this.#host.now();
    let at = this.#forsakenAt;
    if (this.#undone || this.#peerEnded) {
      // What is at hand comes first: it waits for a turn, for the journal, or for a rate.
      const pace = this.#paceMs(now);
      return pace > 0 ? Math.min(at, now + pace) : at;
    }
    at = Math.min(at, queue.outstanding === undefined ? Math.max(queue.dueAt, this.#freeAt) : queue.dueAt);
    const { decoder, timing } = this.#speaker;
    return decoder.buffered > 0 ? Math.min(at, this.#heardAt + timing.gapMs) : at;
  }

  /** Unread, a dead peer is not noticed: so being throttled has a deadline. A serial line has none. */
  #stillPaused(now: number): void {
    if (this.transport === 'serial' || now < this.#pausedSince + this.#table.context.limits.throttleMs) {
      this.#host.timers.reschedule(this.#timer, now + this.#table.context.limits.throttleMs);
      return;
    }
    this.#table.context.watch.count('throttle_s');
    this.#dead(new GatewayError('BACKPRESSURE_TIMEOUT', this.id));
  }

  /** How long nothing may be taken, because more has come than limits.frames_per_s or bytes_per_s lets in. */
  #paceMs(now: number): number {
    return this.#rate?.waitMs(now) ?? 0;
  }

  /** When a connection has been silent for so long that nobody can be there any more. */
  get #forsakenAt(): number {
    const { config } = this.#source;
    if (config.kind === 'serial' || config.kind === 'udp') return Number.POSITIVE_INFINITY;
    if (this.#stranger) return this.#openedAt + FIRST_FRAME_MS;
    return this.#heardAt + this.#silenceMs;
  }

  #isForsaken(now: number): boolean {
    if (now < this.#forsakenAt) return false;
    const seconds = Math.round((now - (this.#stranger ? this.#openedAt : this.#heardAt)) / 1_000);
    const what = this.#stranger ? 'no frame of the profile has come' : 'nothing was heard';
    this.#dead(new GatewayError('PEER_SILENT', this.id, `${what} for ${seconds} s`), 'silent');
    return true;
  }

  #updateInterest(): void {
    const waits = this.#paused || this.#replies.full || (this.#undone && this.#paceMs(this.#host.now()) > 0);
    this.#host.setInterest(waits ? 0 : READ);
    this.#host.setMore(this.#undone && !waits);
  }

  // --- ending ------------------------------------------------------------------------------------------------------

  /** The peer has sent FIN and may still listen: it gets the answers that it waits for, then the connection closes. */
  #endOfInput(): void {
    if (this.#replies.waiting) {
      // `onDurable` comes back here. Without interest until then: the end of a stream stays ready and would spin.
      this.#host.setInterest(0);
      this.#host.setMore(false);
      return;
    }
    if (this.transport === 'serial') this.#dead(this.#channel.error);
    else this.#shutDown('closed');
  }

  #shutDown(why: SessionEnd): void {
    if (this.#finished) return;
    this.#channel.close();
    this.#finish(why);
  }

  #dead(error: GatewayError | undefined, why?: SessionEnd): void {
    if (this.#finished) return;
    this.#channel.abort();
    const byCode: SessionEnd =
      error?.code === 'OUTPUT_OVERFLOW'
        ? 'output-overflow'
        : error?.code === 'BACKPRESSURE_TIMEOUT'
          ? 'throttled'
          : 'connection-lost';
    this.#finish(why ?? byCode, error);
  }

  #finish(why: SessionEnd, error?: GatewayError): void {
    this.#finished = true;
    this.#table.stopsWaiting(this);
    this.#host.timers.cancel(this.#timer);
    this.#talk.end(why);
    this.#host.finished(error);
  }
}
