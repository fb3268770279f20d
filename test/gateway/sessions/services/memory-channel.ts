/**
 * A stream and a datagram channel in memory, and a stage for a session: real implementations of the contracts, for what
 * real sockets do only by luck (a send that takes three bytes, five silent minutes).
 */
import { GatewayError } from '../../../../gateway/errors.ts';
import type { Session, SessionHost } from '../../../../gateway/sessions/session.ts';
import { ERROR, READ, WRITE } from '../../../../gateway/sources/source.ts';
import type { Channel, Datagram, DatagramChannel, Peer, StreamChannel } from '../../../../gateway/sources/source.ts';
import { ChannelTap } from '../../../../gateway/tap/channel-tap.ts';
import { FrameTap } from '../../../../gateway/tap/frame-tap.ts';
import { TimerQueue } from '../../../../gateway/timers.ts';
import { createLog } from '../../../../gateway/log.ts';

export class MemoryStream implements StreamChannel {
  readonly kind = 'stream';
  readonly id = 'memory';
  readonly peer = '192.0.2.7:50122';
  error: GatewayError | undefined;
  onEdge: (() => void) | undefined;
  bytesRead = 0;
  bytesWritten = 0;
  /** What the session did with the stream in the end. */
  closed = false;
  aborted = false;
  /** The longest read that was asked for. */
  longestRead = 0;
  readonly #capacity: number;
  #arrived = Buffer.alloc(0);
  #peerEnded = false;
  #waiting = Buffer.alloc(0);
  #taken = Buffer.alloc(0);

  /** Holds at most `capacity` bytes of output. */
  constructor(capacity = 65_536) {
    this.#capacity = capacity;
  }

  get room(): number {
    return this.#capacity - this.#waiting.length;
  }

  get ready(): number {
    const readable = this.#arrived.length > 0 || this.#peerEnded ? READ : 0;
    return readable | (this.room > 0 ? WRITE : 0) | (this.error !== undefined ? ERROR : 0);
  }

  read(maxBytes: number): Uint8Array | undefined {
    this.longestRead = Math.max(this.longestRead, maxBytes);
    if (this.#arrived.length === 0) return this.#peerEnded ? new Uint8Array(0) : undefined;
    const bytes = this.#arrived.subarray(0, maxBytes);
    this.#arrived = this.#arrived.subarray(bytes.length);
    this.bytesRead += bytes.length;
    return bytes;
  }

  write(bytes: Uint8Array): number {
    if (this.closed || this.aborted) throw new Error('write after the end');
    const taken = Math.min(bytes.length, this.room);
    this.#waiting = Buffer.concat([this.#waiting, bytes.subarray(0, taken)]);
    this.bytesWritten += taken;
    return taken;
  }

  endWrite(): void {
    throw new Error('no service half-closes: close() sends what was written');
  }

  close(): void {
    this.closed = true;
  }

  abort(): void {
    this.aborted = true;
  }

  /** The peer sends. */
  arrive(bytes: Uint8Array | string): void {
    this.#arrived = Buffer.concat([this.#arrived, Buffer.from(bytes as string)]);
  }

  arriveEnd(): void {
    this.#peerEnded = true;
  }

  arriveReset(): void {
    this.error = new GatewayError('PEER_RESET', this.id);
  }

  /** The peer reads up to so many bytes. */
  take(count = Infinity): void {
    const bytes = this.#waiting.subarray(0, Math.min(count, this.#waiting.length));
    this.#taken = Buffer.concat([this.#taken, bytes]);
    this.#waiting = this.#waiting.subarray(bytes.length);
  }

  /** All that the peer has read so far. */
  get taken(): Buffer {
    return this.#taken;
  }

  /** Bytes sent by the peer that the session has not read. */
  get unread(): number {
    return this.#arrived.length;
  }
}

export class MemoryDatagrams implements DatagramChannel {
  readonly kind = 'datagram';
  readonly id = 'memory';
  error: GatewayError | undefined;
  onEdge: (() => void) | undefined;
  readonly dropped = 0;
  readonly bytesRead = 0;
  readonly bytesWritten = 0;
  closed = false;
  full = false;
  readonly arrived: Datagram[] = [];
  readonly sent: Datagram[] = [];

  get ready(): number {
    return (this.arrived.length > 0 ? READ : 0) | WRITE | (this.error !== undefined ? ERROR : 0);
  }

  receive(): Datagram | undefined {
    return this.arrived.shift();
  }

  send(bytes: Uint8Array, peer: Peer): boolean {
    if (!this.full) this.sent.push({ bytes, peer });
    return !this.full;
  }

  close(): void {
    this.closed = true;
  }

  arrive(text: string, port = 50_000, address = '192.0.2.7'): void {
    this.arrived.push({ bytes: Buffer.from(text), peer: { address, port } });
  }
}

/** A session on a channel in memory, under a clock that the test moves. */
export class Stage<S extends Session> {
  readonly session: S;
  finished = false;
  error: GatewayError | undefined;
  readonly timers = new TimerQueue();
  readonly #channel: Channel;
  #interest = 0;
  #nowMs = 1_000;

  constructor(channel: Channel, start: (host: SessionHost) => S, budgetBytes = 4_096) {
    this.#channel = channel;
    this.session = start({
      now: () => this.#nowMs,
      timers: this.timers,
      budgetBytes,
      setInterest: (interest) => {
        this.#interest = interest;
      },
      setMore: () => undefined,
      setStranger: () => undefined,
      finished: (error) => {
        if (this.finished) throw new Error('finished twice');
        this.finished = true;
        this.error = error;
      },
      log: createLog({ level: 'silent', pretty: false }),
      tap: new ChannelTap(new FrameTap(() => 0), 'test', 'peer'),
    });
  }

  get interest(): number {
    return this.#interest;
  }

  /** One turn; false when the session was not ready for anything. */
  turn(): boolean {
    const ready = this.#channel.ready & (this.#interest | ERROR);
    if (ready === 0 || this.finished) return false;
    this.session.onReady(ready);
    return true;
  }

  /** Turns until nothing is ready; a session that never rests fails. */
  settle(): void {
    for (let turns = 0; turns < 100_000; turns += 1) if (!this.turn()) return;
    throw new Error('the session never rests');
  }

  /** Lets time pass, in one leap. */
  pass(ms: number): void {
    this.#nowMs += ms;
    this.timers.run(this.#nowMs, 1_000);
  }
}
