/**
 * The device's side of the link protocol: one connection after the other, one session after the other, and the reliable
 * frames of one boot across all of them.
 *
 * ```
 *   idle ─→ connecting ─→ hello ─→ running ─→ leaving ─→ closed
 *    ↑           │          │ ↑       │ └─→ asleep (a node that reports without a session)
 *    └───────────┴──────────┘ └───────┘
 * ```
 *
 * The client owns no timer: whoever owns it calls `wake` at `nextAt`, and asks again after every `onChange`.
 */
import {
  type Acknowledged,
  LINK_VERSION,
  type LinkErrorCode,
  type LinkFrame,
  MAX_FRAME_BYTES,
  type Message,
  type MessageOf,
  type SendWindow,
  decodeBody,
  schemaCrc,
} from '../protocol/index.ts';
import { Backoff } from './backoff.ts';
import { FrameChannel } from './frame-channel.ts';
import { Keepalive } from './keepalive.ts';
import { type Protection, protectionOf } from './protection.ts';
import type { Random } from './random.ts';
import type { Timing } from './timing.ts';
import type { Dial } from './transports/transport.ts';

export interface LinkClientOptions {
  readonly device: bigint;
  /** Of 32 bytes: everything is sealed with it. Without one everything is plain. */
  readonly key: Uint8Array | undefined;
  /** 0 asks the gateway for one. */
  readonly boot: number;
  /** Contents of the SCHEMA parts. */
  readonly schemaParts: readonly Uint8Array[];
  readonly takesCommands: boolean;
  readonly hasClock: boolean;
  /** Leaves the session as soon as the gateway has the schema. */
  readonly sleepy: boolean;
  readonly window: SendWindow;
  readonly dial: Dial;
  readonly random: Random;
  readonly timing: Timing;
  readonly now: () => number;
  /** The device's uptime in milliseconds, u32. */
  readonly uptime: (nowMs: number) => number;
}

export interface LinkClientEvents {
  onAcknowledged(frames: readonly Acknowledged[], nowMs: number): void;
  onCommand(command: MessageOf<'COMMAND'>, nowMs: number): void;
  /** The ACK of a REPORT. */
  onReportAcknowledged(seq: number): void;
  /** ERROR busy or rate limited came; also for REPORTs. */
  onBusy(retryAfterMs: number, nowMs: number): void;
  onRetransmission(): void;
  /** A connection or session was lost and is being built again. */
  onReconnect(): void;
  /** Something to count: a stable code such as `bad-crc`, `replaced`, `ECONNREFUSED`. */
  onTrouble(code: string): void;
  /** `nextAt` may have changed. */
  onChange(): void;
  /** `leave` is done. */
  onGone(): void;
}

export type LinkState = 'idle' | 'connecting' | 'hello' | 'running' | 'asleep' | 'leaving' | 'closed';

/** How long an orderly close may take. */
const LEAVE_MS = 1_000;
/** How long each answer to a probe may take, after somebody, maybe the gateway, has said that the session is over. */
const PROBE_ANSWER_MS = 1_000;

export class LinkClient {
  readonly #options: LinkClientOptions;
  readonly #events: LinkClientEvents;
  readonly #window: SendWindow;
  readonly #schemaCrc: number;
  readonly #helloBackoff: Backoff;
  readonly #reconnectBackoff: Backoff;
  readonly #keepalive = new Keepalive();
  readonly #protection: Protection;
  #state: LinkState = 'idle';
  #channel: FrameChannel | undefined;
  #boot: number;
  #sid = 0;
  /** The second upward counter: frames of this session that want no ACK. */
  #seq = 0;
  /** What `nextAt` says in every state but running. */
  #timerAt = 0;
  #schemaWanted = false;
  #schemaAt = 0;
  #unixOffsetMs: number | undefined;

  constructor(options: LinkClientOptions, events: LinkClientEvents) {
    const { random, timing } = options;
    this.#options = options;
    this.#events = events;
    this.#window = options.window;
    this.#protection = protectionOf(options.key);
    this.#boot = options.boot;
    this.#schemaCrc = schemaCrc(options.schemaParts);
    this.#helloBackoff = new Backoff(random, timing.helloMs, timing.maxHelloMs);
    this.#reconnectBackoff = new Backoff(random, timing.reconnectMs, timing.maxReconnectMs);
  }

  get state(): LinkState {
    return this.#state;
  }

  /** 0 until the gateway has given one. */
  get boot(): number {
    return this.#boot;
  }

  /** Unix time in milliseconds, as the gateway told it; undefined before it has. */
  unixMs(nowMs: number): number | undefined {
    return this.#unixOffsetMs === undefined ? undefined : Math.round(nowMs + this.#unixOffsetMs);
  }

  /** When `wake` is due. A time in the past means now. */
  get nextAt(): number {
    if (this.#state !== 'running') return this.#timerAt;
    const transmitAt = this.#channel?.ready === true ? this.#window.nextAt : Number.POSITIVE_INFINITY;
    const schemaAt = this.#schemaWanted ? this.#schemaAt : Number.POSITIVE_INFINITY;
    return Math.min(transmitAt, schemaAt, this.#keepalive.dueAt(this.#window.outstanding > 0));
  }

  /** Does what is due. */
  wake(nowMs: number): void {
    if (this.#state === 'running') this.#run(nowMs);
    else if (nowMs < this.#timerAt) return;
    else if (this.#state === 'idle') this.#connect(nowMs);
    else if (this.#state === 'connecting') this.#hangUp('connect-timeout', nowMs);
    else if (this.#state === 'hello') this.#sayHello(nowMs);
    else if (this.#state === 'leaving') this.#gone();
  }

  /** Sends a REPORT, which needs no session. False when there is no open connection to send it on. */
  sendReport(report: MessageOf<'REPORT'>, seq: number): boolean {
    if (this.#state !== 'asleep' || this.#channel?.ready !== true) return false;
    this.#channel.send(this.#protection.begin(report, seq));
    return true;
  }

  /** Gives up the connection and opens another one: nothing comes back over this one. */
  redial(nowMs: number): void {
    if (this.#channel !== undefined && this.#state !== 'leaving') this.#hangUp('silent', nowMs);
  }

  /** Says BYE if there is a session, and closes. */
  leave(nowMs: number): void {
    if (this.#state === 'leaving' || this.#state === 'closed') return;
    const channel = this.#channel;
    if (channel === undefined || this.#state === 'connecting') {
      this.#gone();
      return;
    }
    if (this.#state === 'running') this.#send({ type: 'BYE', reason: 'done' }, nowMs);
    this.#state = 'leaving';
    this.#timerAt = nowMs + LEAVE_MS;
    // Where there is a half-close, the gateway reads BYE and FIN and closes; a close from here could overtake its ACKs.
    const { kind } = channel.transport;
    if (kind === 'tcp' || kind === 'unix') channel.transport.endWrite();
    else channel.transport.close();
    this.#events.onChange();
  }

  #connect(nowMs: number): void {
    const channel = new FrameChannel(this.#options.dial(), {
      onOpen: () => {
        if (this.#state === 'leaving') return;
        const now = this.#options.now();
        this.#helloBackoff.reset();
        this.#sayHello(now);
        this.#events.onChange();
      },
      onFrame: (bytes, maxBytes) => {
        if (this.#state === 'leaving') return;
        const received = this.#protection.receive(bytes, maxBytes);
        if (received.kind === 'frame') this.#received(received.frame, this.#options.now());
        else if (received.kind === 'hint') this.#hinted(received.frame, this.#options.now());
        else this.#events.onTrouble(received.code);
        this.#events.onChange();
      },
      onBadFrame: (code) => this.#events.onTrouble(code),
      onDrain: () => this.#events.onChange(),
      onLoss: (code) => this.#events.onTrouble(code),
      onClosed: (cause) => {
        this.#channel = undefined;
        if (this.#state === 'leaving') this.#gone();
        else this.#lost(cause === undefined ? 'closed' : codeOf(cause), this.#options.now(), 0);
      },
    });
    this.#channel = channel;
    this.#state = 'connecting';
    this.#timerAt = nowMs + this.#options.timing.connectMs;
    channel.open();
  }

  #sayHello(nowMs: number): void {
    if (this.#helloBackoff.tries >= this.#options.timing.helloTries) {
      this.#hangUp('hello-timeout', nowMs);
      return;
    }
    this.#state = 'hello';
    this.#forgetSession();
    this.#timerAt = nowMs + this.#helloBackoff.next();
    const { device, takesCommands, hasClock } = this.#options;
    this.#channel?.send(
      this.#protection.begin(
        {
          type: 'HELLO',
          minVersion: LINK_VERSION,
          maxVersion: LINK_VERSION,
          device,
          boot: this.#boot,
          uptime: this.#options.uptime(nowMs),
          firstSeq: this.#window.firstSeq,
          capabilities: { commands: takesCommands, clock: hasClock },
          maxFrame: MAX_FRAME_BYTES,
          schemaCrc: this.#schemaCrc,
        },
        0,
      ),
    );
  }

  #run(nowMs: number): void {
    const channel = this.#channel;
    if (channel === undefined) return;
    if (this.#protection.spent) return this.#sessionEnded(nowMs, 0);
    if (this.#schemaWanted && nowMs >= this.#schemaAt) this.#sendSchema(nowMs);
    // A stream that takes no more would only pile up retransmissions.
    while (channel.ready) {
      const frame = this.#window.next(nowMs);
      if (frame === undefined) break;
      if (frame.again) this.#events.onRetransmission();
      channel.send(this.#protection.reliable(frame, this.#sid));
      this.#keepalive.sent(nowMs);
    }
    // A write may have met a dead connection.
    if (this.#channel !== channel) return;
    if (this.#options.sleepy && !this.#schemaWanted && this.#window.pending === 0) {
      this.#send({ type: 'BYE', reason: 'sleeping' }, nowMs);
      this.#state = 'asleep';
      this.#forgetSession();
      this.#timerAt = Number.POSITIVE_INFINITY;
      return;
    }
    const due = this.#keepalive.check(nowMs, this.#window.outstanding > 0);
    if (due === 'dead') this.#hangUp('silent', nowMs);
    else if (due === 'ping') this.#send({ type: 'PING', token: this.#options.random.u32() }, nowMs);
  }

  #sendSchema(nowMs: number): void {
    const { schemaParts, timing } = this.#options;
    for (const [part, content] of schemaParts.entries()) {
      this.#send({ type: 'SCHEMA', crc: this.#schemaCrc, part, parts: schemaParts.length, content }, nowMs);
    }
    this.#schemaAt = nowMs + timing.schemaMs;
  }

  /** Sends a message that wants no ACK, within the session. */
  #send(message: Message, nowMs: number): void {
    this.#seq += 1;
    this.#keepalive.sent(nowMs);
    this.#channel?.send(this.#protection.message(message, this.#sid, this.#seq));
  }

  #received(frame: LinkFrame, nowMs: number): void {
    // A line that echoes our own bytes is not a gateway.
    if (!frame.down) return this.#events.onTrouble('wrong-direction');
    const decoded = decodeBody(frame);
    if (!decoded.ok) {
      this.#events.onTrouble(decoded.code);
      if (decoded.code === 'unknown-message' && frame.critical && this.#state === 'running') {
        this.#send({ type: 'ERROR', code: 'unsupported_type', retryAfter: 0, text: '' }, nowMs);
        this.#sessionEnded(nowMs, 0);
      }
      return;
    }
    const { message } = decoded;
    if (message.type === 'WELCOME') return this.#welcomed(message, frame.sid, nowMs);
    // Sid 0 answers what was said without a session, and leaves one that stands untouched.
    if (message.type === 'ERROR' && frame.sid === this.#sid) {
      return this.#refused(message.code, message.retryAfter * 1000, nowMs);
    }
    if (message.type === 'ACK' && frame.sid === 0) return this.#reportAcknowledged(message, nowMs);
    // What else has another sid was sent to a session that is over.
    if (this.#state !== 'running' || frame.sid !== this.#sid) return this.#events.onTrouble('wrong-sid');
    this.#keepalive.received(nowMs);
    if (message.type === 'ACK') return this.#acknowledged(message, nowMs);
    if (message.type === 'PING') {
      this.#send({ type: 'PONG', token: message.token, time: this.#options.uptime(nowMs) }, nowMs);
    } else if (message.type === 'PONG') {
      this.#unixOffsetMs = message.time - nowMs;
    } else if (message.type === 'COMMAND') {
      this.#events.onCommand(message, nowMs);
    } else if (message.type === 'BYE') {
      this.#events.onTrouble(`bye-${message.reason}`);
      this.#sessionEnded(nowMs, 0);
    }
  }

  /**
   * A plain frame, though we have a key: whoever is near can have sent it, so it ends and changes nothing. That the session
   * is unknown makes us ask.
   */
  #hinted(frame: LinkFrame, nowMs: number): void {
    const decoded = decodeBody(frame);
    if (!frame.down || !decoded.ok || decoded.message.type !== 'ERROR') return this.#events.onTrouble('plain-frame');
    const { code } = decoded.message;
    this.#events.onTrouble(code);
    if (code !== 'unknown_session' || this.#state !== 'running' || frame.sid !== this.#sid) return;
    this.#keepalive.probe(nowMs, PROBE_ANSWER_MS);
    this.#run(nowMs);
  }

  #welcomed(welcome: MessageOf<'WELCOME'>, sid: number, nowMs: number): void {
    // Late or doubled: a HELLO repeated in vain is answered more than once.
    if (this.#state !== 'hello') return;
    if (this.#boot !== 0 && welcome.boot !== this.#boot) return this.#events.onTrouble('wrong-boot');
    this.#boot = welcome.boot;
    this.#sid = sid;
    this.#seq = 0;
    this.#state = 'running';
    this.#unixOffsetMs = welcome.unixMs - nowMs;
    this.#schemaWanted = welcome.flags.schemaWanted;
    this.#schemaAt = nowMs;
    this.#keepalive.begin(welcome.keepalive * 1000, nowMs);
    this.#helloBackoff.reset();
    this.#reconnectBackoff.reset();
    this.#window.restart(welcome.window);
    this.#run(nowMs);
    if (!this.#protection.unconfirmed) return;
    // Nothing was due, but until it has heard us the gateway takes our HELLO for a replay.
    this.#keepalive.probe(nowMs);
    this.#run(nowMs);
  }

  #acknowledged(ack: MessageOf<'ACK'>, nowMs: number): void {
    const frames = this.#window.onAck(ack.seq, ack.map, nowMs);
    if (this.#schemaWanted && !ack.flags.schemaWanted) this.#window.resend();
    this.#schemaWanted = ack.flags.schemaWanted;
    if (frames.length > 0) this.#events.onAcknowledged(frames, nowMs);
    this.#run(nowMs);
  }

  #reportAcknowledged(ack: MessageOf<'ACK'>, nowMs: number): void {
    this.#events.onReportAcknowledged(ack.seq);
    // It does not know what our channels mean: come back for a session and declare them.
    if (ack.flags.schemaWanted && this.#state === 'asleep') this.#sayHelloSoon(nowMs);
  }

  #refused(code: LinkErrorCode, retryAfterMs: number, nowMs: number): void {
    this.#events.onTrouble(code);
    if (code === 'busy' || code === 'rate_limited') {
      if (this.#state === 'hello') this.#timerAt = Math.max(this.#timerAt, nowMs + retryAfterMs);
      if (this.#state === 'running') {
        this.#keepalive.pause(nowMs + retryAfterMs);
        this.#window.onBusy(retryAfterMs, nowMs);
      }
      this.#events.onBusy(retryAfterMs, nowMs);
      return;
    }
    if (this.#state === 'running') this.#sessionEnded(nowMs, retryAfterMs);
    else if (this.#state === 'hello') this.#hangUp(undefined, nowMs, retryAfterMs);
  }

  /** The session is over, the way may be good: a socket is opened anew, on a line or by datagram HELLO goes out again. */
  #sessionEnded(nowMs: number, retryAfterMs: number): void {
    const kind = this.#channel?.transport.kind;
    if (kind === 'tcp' || kind === 'unix') {
      this.#hangUp(undefined, nowMs, retryAfterMs);
      return;
    }
    this.#events.onReconnect();
    this.#sayHelloSoon(nowMs, retryAfterMs);
  }

  #sayHelloSoon(nowMs: number, waitMs = 0): void {
    this.#state = 'hello';
    this.#forgetSession();
    // Within a first wait, so that a gateway that forgot a whole fleet hears them one by one.
    this.#timerAt = nowMs + Math.max(waitMs, this.#options.random.between(0, this.#options.timing.helloMs));
  }

  #hangUp(code: string | undefined, nowMs: number, retryAfterMs = 0): void {
    this.#channel?.drop(code !== undefined);
    this.#channel = undefined;
    this.#lost(code, nowMs, retryAfterMs);
  }

  #lost(code: string | undefined, nowMs: number, retryAfterMs: number): void {
    if (code !== undefined) this.#events.onTrouble(code);
    this.#state = 'idle';
    this.#forgetSession();
    this.#timerAt = nowMs + Math.max(retryAfterMs, this.#reconnectBackoff.next());
    this.#events.onReconnect();
    this.#events.onChange();
  }

  #forgetSession(): void {
    this.#sid = 0;
    this.#protection.end();
  }

  #gone(): void {
    this.#channel?.drop(true);
    this.#channel = undefined;
    this.#state = 'closed';
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#events.onGone();
  }
}

/** The stable part of an error of the operating system. */
function codeOf(cause: Error): string {
  return (cause as NodeJS.ErrnoException).code ?? 'connection-lost';
}
