/**
 * Devices for a benchmark, as cheap as can be: each keeps its window full of frames, and sends those again for which
 * no acknowledgement comes. Run as a child process.
 *
 * ```
 *   { open }   → { standing }       all sessions stand
 *   { start }                       send
 *   { report } → LoadReport
 *   { stop }   → { drained }        nothing new is sent, and all that was sent is acknowledged
 * ```
 *
 * A frame is the same each time but for its number, so sending one again needs no memory of it.
 */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { linkStreamDecoder } from '../../protocol/index.ts';
import { type DeviceSpeech, LinkSpeech, type Outcome, PlainSpeech } from './device-speech.ts';

export interface LoadOptions {
  /** `plain`: the frames of the reference relays, over TCP. */
  readonly transport: 'tcp' | 'udp' | 'plain';
  readonly port: number;
  /** Adds so many to those that are open. */
  readonly devices: number;
  /** Frames outstanding, at most the gateway's window. */
  readonly window: number;
}

export interface LoadReport {
  readonly acknowledged: number;
  readonly resent: number;
  /** How often the gateway has said `busy`. */
  readonly busy: number;
}

const DEVICES_AT_ONCE = 100;
/** Without any progress for this long, what is outstanding is sent again. */
const RESEND_MS = 1_000;
const TICK_MS = 100;

let acknowledged = 0;
let resent = 0;
let busy = 0;
let standing = 0;
let running = false;
let stopping = false;
/** Monotonic milliseconds, as coarse as the tick. */
let now = performance.now();

/** One device: its window, whatever it speaks. */
class Device {
  readonly #speech: DeviceSpeech;
  readonly #window: number;
  /** How to send; `backlog` is what the socket has not given to the system yet. */
  readonly #send: (bytes: Uint8Array) => void;
  readonly #backlog: () => number;
  readonly #onStanding: () => void;
  #standing = false;
  #next = 1;
  #acked = 0;
  #resendAt = 0;
  #waiting = false;

  constructor(
    speech: DeviceSpeech,
    window: number,
    send: (bytes: Uint8Array) => void,
    backlog: () => number,
    onStanding: () => void,
  ) {
    this.#speech = speech;
    this.#window = window;
    this.#send = send;
    this.#backlog = backlog;
    this.#onStanding = onStanding;
  }

  get outstanding(): number {
    return this.#next - 1 - this.#acked;
  }

  begin(): void {
    const hello = this.#speech.hello();
    this.#resendAt = now + RESEND_MS;
    if (hello === undefined) this.#stand();
    else this.#send(hello);
  }

  take(outcome: Outcome): void {
    if (outcome.kind === 'welcome') {
      this.#stand();
    } else if (outcome.kind === 'ack') {
      const more = outcome.seq - this.#acked;
      if (more > 0) {
        acknowledged += more;
        this.#acked = outcome.seq;
        if (!this.#waiting) this.#resendAt = now + RESEND_MS;
      }
      if (running && !this.#waiting) this.fill();
    } else if (outcome.kind === 'busy') {
      busy++;
      this.#waiting = true;
      this.#resendAt = now + outcome.retryAfterMs;
    }
  }

  /** Sends what the window allows; on a stream as one write. */
  fill(): void {
    const count = this.#acked + this.#window - (this.#next - 1);
    if (count <= 0) return;
    if (this.outstanding === 0) this.#resendAt = now + RESEND_MS;
    this.#speech.frames(this.#next, count, this.#send);
    this.#next += count;
  }

  /** Called at each tick. */
  tick(): void {
    if (!this.#standing) {
      if (now >= this.#resendAt) this.begin();
      return;
    }
    if (now < this.#resendAt) return;
    this.#waiting = false;
    this.#resendAt = now + RESEND_MS;
    // What the system has not even taken does not need to be sent twice.
    if (this.#backlog() > 0) return;
    const { outstanding } = this;
    if (outstanding > 0) {
      resent += outstanding;
      this.#speech.frames(this.#acked + 1, outstanding, this.#send);
    } else if (running) this.fill();
  }

  #stand(): void {
    if (this.#standing) return;
    this.#standing = true;
    standing++;
    this.#onStanding();
  }
}

const devices: Device[] = [];

function openStream(index: number, options: LoadOptions, onStanding: () => void): Device {
  const socket = connect({ host: '127.0.0.1', port: options.port, noDelay: true });
  const plain = options.transport === 'plain';
  const speech = plain ? new PlainSpeech(index) : new LinkSpeech(index, 'stream');
  const device = new Device(
    speech,
    options.window,
    (bytes) => socket.write(bytes),
    () => socket.writableLength,
    onStanding,
  );
  socket.on('connect', () => device.begin());
  socket.on('error', (error) => {
    throw error;
  });
  socket.on('close', () => {
    throw new Error(`connection ${index} was closed`);
  });
  if (plain) {
    let rest: Uint8Array = new Uint8Array(0);
    socket.on('data', (chunk: Buffer) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const whole = bytes.length & ~3;
      // Counts are cumulative: the last one says it all.
      if (whole > 0) device.take(speech.read(bytes.subarray(whole - 4, whole)));
      rest = bytes.subarray(whole);
    });
  } else {
    const decoder = linkStreamDecoder();
    socket.on('data', (chunk: Buffer) => {
      decoder.push(chunk);
      for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
        if (item.kind === 'frame') device.take(speech.read(item.bytes));
      }
    });
  }
  return device;
}

function openDatagrams(index: number, options: LoadOptions, onStanding: () => void): Device {
  const socket = createSocket('udp4');
  const speech = new LinkSpeech(index, 'datagrams');
  const device = new Device(
    speech,
    options.window,
    (bytes) => socket.send(bytes),
    () => 0,
    onStanding,
  );
  socket.connect(options.port, '127.0.0.1', () => device.begin());
  socket.on('message', (bytes) => device.take(speech.read(bytes)));
  return device;
}

/** Opens all of them, a bounded number at a time, so that no listen backlog overflows. */
function openAll(options: LoadOptions): void {
  const goal = devices.length + options.devices;
  const more = (): void => {
    if (standing === goal) process.send?.({ standing });
    while (devices.length < goal && devices.length - standing < DEVICES_AT_ONCE) {
      const open = options.transport === 'udp' ? openDatagrams : openStream;
      devices.push(open(devices.length, options, more));
    }
  };
  more();
}

setInterval(() => {
  now = performance.now();
  for (const device of devices) device.tick();
  if (stopping && devices.every(({ outstanding }) => outstanding === 0)) {
    stopping = false;
    process.send?.({ drained: true });
  }
}, TICK_MS);

process.on('message', (message: { open?: LoadOptions; start?: true; stop?: true; report?: true }) => {
  now = performance.now();
  if (message.open !== undefined) openAll(message.open);
  if (message.start === true) {
    running = true;
    for (const device of devices) device.fill();
  }
  if (message.stop === true) {
    running = false;
    stopping = true;
  }
  if (message.report === true) process.send?.({ acknowledged, resent, busy } satisfies LoadReport);
});
process.on('disconnect', () => process.exit());
