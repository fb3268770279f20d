/**
 * The device's side of the reliable counter: a bounded buffer of frames not yet acknowledged, and what of it is to be
 * transmitted when. Time and randomness are passed in.
 *
 * ```
 *   push ─→ │ sent │ sent, in map │ sent │ new │ new │ ─→ onAck removes from the left
 *            ↑ oldest               ↑ at most `window` sent     nextSeq ↑
 * ```
 *
 * A frame is sent again when the timer runs out (the oldest only, then one more with each ACK that makes progress, until
 * all that was under way at the timeout is through), or when an ACK shows that frames sent clearly later have arrived.
 * When the buffer is full, the oldest droppable frame gives its place to a GAP. RESULT is never dropped.
 */
import { ByteWriter } from '../bytes.ts';
import { messageByName } from './messages.ts';
import { RetransmissionTimeout } from './retransmission-timeout.ts';

export interface SendWindowOptions {
  /** Frames that the buffer holds, GAPs not counted (of which there can be as many again, and a window more). */
  readonly maxFrames: number;
  /** Bytes of their bodies. */
  readonly maxBytes: number;
  /** Numbers in [0, 1), for jitter. */
  readonly random: () => number;
  /** Frames outstanding at most until `restart` says otherwise; 1 by default. */
  readonly window?: number;
  /** The first seq to give; 1, as at the start of a boot, by default. */
  readonly nextSeq?: number;
}

/** What a device may push. GAP comes from the window itself; REPORT needs none. */
export type PushedName = 'READINGS' | 'RESULT' | 'LOG';

/** A reliable frame to transmit now: put header (ack wanted), sid and CRC around it with `encodeFrame`. */
export interface Transmission {
  readonly name: PushedName | 'GAP';
  /** The header's type. */
  readonly type: number;
  readonly seq: number;
  readonly body: Uint8Array;
  /** Not the first time. */
  readonly again: boolean;
}

/** A frame that the gateway has promised to keep. */
export interface Acknowledged {
  readonly name: PushedName | 'GAP';
  readonly seq: number;
}

interface Entry {
  name: PushedName | 'GAP';
  seq: number;
  body: Uint8Array;
  /** How often it was transmitted, in this session and before. */
  tries: number;
  /** Transmitted in this session. */
  sent: boolean;
  sentAt: number;
  /** Which transmission of ours the last one was. */
  order: number;
  /** An ACK's map has it. */
  mapped: boolean;
  /** To be sent again without waiting for the timer. */
  due: boolean;
  /** For GAP. */
  first: number;
  lost: number;
}

/** A frame counts as overtaken when one transmitted this many places later has arrived. */
const REORDER = 3;
const MAX_SEQ = 0xffff_ffff;

export class SendWindow {
  private readonly maxFrames: number;
  private readonly maxBytes: number;
  private readonly timeout: RetransmissionTimeout;
  private entries: Entry[] = [];
  private window: number;
  private following: number;
  private heldFrames = 0;
  private heldBytes = 0;
  private droppedReadings = 0;
  /** When the oldest outstanding frame is to be sent again; Infinity when none is outstanding. */
  private timerAt = Infinity;
  private quietUntil = 0;
  private transmissions = 0;
  private highestSent = 0;
  /** The newest transmission known to have arrived. */
  private arrived = 0;
  /** Transmissions before this one were under way when the timer ran out. */
  private recovering = 0;

  constructor(options: SendWindowOptions) {
    if (!(options.maxFrames >= 1)) throw new RangeError(`a buffer of ${options.maxFrames} frames`);
    this.maxFrames = options.maxFrames;
    this.maxBytes = options.maxBytes;
    this.timeout = new RetransmissionTimeout(options.random);
    this.window = options.window ?? 1;
    this.following = options.nextSeq ?? 1;
  }

  /** For HELLO: the oldest frame still to be sent or acknowledged, else the next new one. */
  get firstSeq(): number {
    const oldest = this.entries[0];
    return oldest === undefined ? this.following : oldest.name === 'GAP' ? oldest.first : oldest.seq;
  }

  /** The seq that the next frame gets. Beyond 2^32 − 1 a new boot must begin. */
  get nextSeq(): number {
    return this.following;
  }

  /** Frames not acknowledged, sent or not, GAPs included. */
  get pending(): number {
    return this.entries.length;
  }

  /** Frames sent in this session and not acknowledged. */
  get outstanding(): number {
    let count = 0;
    for (const entry of this.entries) if (entry.sent) count++;
    return count;
  }

  /** READINGS dropped since the start. */
  get dropped(): number {
    return this.droppedReadings;
  }

  /** The retransmission timeout in force, without jitter. */
  get rtoMs(): number {
    return this.timeout.rtoMs;
  }

  /**
   * Takes a frame's body and returns the seq that it got. Undefined when it was not taken: the buffer is full of what
   * may not be dropped (a RESULT is then as if it had never been pushed: the gateway repeats its COMMAND; of anything
   * else a GAP tells), or no seq is left.
   */
  push(name: PushedName, body: Uint8Array): number | undefined {
    if (body.length > this.maxBytes)
      throw new RangeError(`a body of ${body.length} bytes, the buffer has ${this.maxBytes}`);
    if (this.following > MAX_SEQ) return undefined;
    while (!this.hasRoom(body.length)) {
      const index = this.entries.findIndex((entry) => entry.name === 'READINGS' || entry.name === 'LOG');
      if (index < 0) break;
      this.drop(index);
    }
    const fits = this.hasRoom(body.length);
    if (!fits && name === 'RESULT') return undefined;
    const seq = this.following++;
    this.entries.push(newEntry(name, seq, body));
    this.heldFrames++;
    this.heldBytes += body.length;
    if (fits) return seq;
    this.drop(this.entries.length - 1);
    return undefined;
  }

  /** What to transmit now; counts as transmitted. Call until undefined. */
  next(nowMs: number): Transmission | undefined {
    if (nowMs < this.quietUntil) return undefined;
    const due = this.entries.find((entry) => entry.due);
    if (due !== undefined) return this.transmit(due, nowMs);
    if (nowMs >= this.timerAt) {
      const oldest =
        this.entries.find((entry) => entry.sent && !entry.mapped) ?? this.entries.find((entry) => entry.sent);
      this.timerAt = Infinity;
      if (oldest !== undefined) {
        this.timeout.backOff();
        this.recovering = this.transmissions + 1;
        return this.transmit(oldest, nowMs);
      }
    }
    const fresh = this.sendable();
    return fresh === undefined ? undefined : this.transmit(fresh, nowMs);
  }

  /** When `next` will have something: a time in the past (0) means now, Infinity never without a push or an ACK. */
  get nextAt(): number {
    const now = this.entries.some((entry) => entry.due) || this.sendable() !== undefined;
    return Math.max(this.quietUntil, now ? 0 : this.timerAt);
  }

  /** An ACK has come. Returns the frames that it newly covers, in order. */
  onAck(seq: number, map: number, nowMs: number): Acknowledged[] {
    // What was never sent cannot be acknowledged: not an ACK for us.
    if (seq > this.highestSent) return [];
    const acknowledged: Acknowledged[] = [];
    let sample: Entry | undefined;
    let twice = false;
    for (const entry of this.entries) {
      if (entry.seq > seq) break;
      acknowledged.push({ name: entry.name, seq: entry.seq });
      this.forget(entry);
      this.noteArrival(entry);
      if (entry.tries > 1) twice = true;
      else if (entry.sent && !entry.mapped) sample = entry;
    }
    this.entries.splice(0, acknowledged.length);
    this.applyMap(seq, map);
    if (acknowledged.length > 0) {
      this.timeout.progress();
      // Karn: with a frame that was sent twice in it, the ACK may be the answer to either.
      if (sample !== undefined && !twice) this.timeout.sample(nowMs - sample.sentAt);
      const oldest = this.entries.find((entry) => entry.sent && !entry.mapped);
      if (oldest !== undefined && oldest.order < this.recovering) oldest.due = true;
      this.timerAt = this.entries.some((entry) => entry.sent) ? nowMs + this.timeout.nextMs() : Infinity;
    }
    for (const entry of this.entries) {
      if (entry.sent && !entry.mapped && entry.order + REORDER <= this.arrived) entry.due = true;
    }
    return acknowledged;
  }

  /** ERROR busy or rate limited: nothing goes out for `retryAfterMs` (at least one timeout), then all outstanding again. */
  onBusy(retryAfterMs: number, nowMs: number): void {
    this.resend();
    this.quietUntil = nowMs + Math.max(retryAfterMs, this.timeout.nextMs());
  }

  /** What is outstanding was not taken and would be now (the schema has arrived): send it again without waiting. */
  resend(): void {
    this.quietUntil = 0;
    for (const entry of this.entries) if (entry.sent && !entry.mapped) entry.due = true;
  }

  /** A new session: everything not acknowledged goes out again, oldest first, at most `window` outstanding. */
  restart(window: number): void {
    if (!(window >= 1 && window <= 32)) throw new RangeError(`a window of ${window}`);
    this.window = window;
    this.timeout.restart();
    this.timerAt = Infinity;
    this.quietUntil = 0;
    this.recovering = 0;
    for (const entry of this.entries) {
      entry.sent = false;
      entry.mapped = false;
      entry.due = false;
    }
  }

  /** The oldest frame not yet sent in this session, if the window lets it go. */
  private sendable(): Entry | undefined {
    const oldest = this.entries[0];
    if (oldest === undefined) return undefined;
    let outstanding = 0;
    for (const entry of this.entries) {
      if (outstanding >= this.window || entry.seq - oldest.seq >= this.window) return undefined;
      if (!entry.sent) return entry;
      outstanding++;
    }
    return undefined;
  }

  private transmit(entry: Entry, nowMs: number): Transmission {
    const again = entry.tries > 0;
    entry.tries++;
    entry.sent = true;
    entry.due = false;
    entry.sentAt = nowMs;
    entry.order = ++this.transmissions;
    this.highestSent = Math.max(this.highestSent, entry.seq);
    if (again || this.timerAt === Infinity) this.timerAt = nowMs + this.timeout.nextMs();
    const body = entry.name === 'GAP' ? gapBody(entry) : entry.body;
    return { name: entry.name, type: messageByName(entry.name).number, seq: entry.seq, body, again };
  }

  private applyMap(seq: number, map: number): void {
    if (map === 0) return;
    for (const entry of this.entries) {
      const bit = entry.seq - seq - 1;
      if (bit >= 32) return;
      if (bit < 0 || !entry.sent || entry.mapped || ((map >>> bit) & 1) === 0) continue;
      entry.mapped = true;
      entry.due = false;
      this.noteArrival(entry);
    }
  }

  /** Only a frame sent once tells which transmission it was that arrived. */
  private noteArrival(entry: Entry): void {
    if (entry.tries === 1 && entry.order > this.arrived) this.arrived = entry.order;
  }

  private hasRoom(bytes: number): boolean {
    return this.heldFrames < this.maxFrames && this.heldBytes + bytes <= this.maxBytes;
  }

  private forget(entry: Entry): void {
    if (entry.name === 'GAP') return;
    this.heldFrames--;
    this.heldBytes -= entry.body.length;
  }

  /**
   * A GAP takes the place of the frame at `index`, and grows over the GAPs beside it. One that was transmitted stays as
   * it is: it may have been counted already.
   */
  private drop(index: number): void {
    const entry = this.entries[index]!;
    this.forget(entry);
    const lost = entry.name === 'READINGS' ? 1 : 0;
    this.droppedReadings += lost;
    let gap = newEntry('GAP', entry.seq, NO_BODY);
    gap.lost = lost;
    const before = this.entries[index - 1];
    const after = this.entries[index + 1];
    let from = index;
    let to = index + 1;
    if (before?.name === 'GAP' && before.tries === 0) {
      gap.first = before.first;
      gap.lost += before.lost;
      from--;
    }
    if (after?.name === 'GAP' && after.tries === 0) {
      after.first = gap.first;
      after.lost += gap.lost;
      gap = after;
      to++;
    }
    this.entries.splice(from, to - from, gap);
    if (!this.entries.some((entry) => entry.sent)) this.timerAt = Infinity;
  }
}

const NO_BODY = new Uint8Array(0);

function newEntry(name: PushedName | 'GAP', seq: number, body: Uint8Array): Entry {
  return {
    name,
    seq,
    body,
    tries: 0,
    sent: false,
    sentAt: 0,
    order: 0,
    mapped: false,
    due: false,
    first: seq,
    lost: 0,
  };
}

function gapBody({ first, lost }: Entry): Uint8Array {
  const w = new ByteWriter(8);
  w.u32(first);
  w.u32(lost);
  return w.finish();
}
