/**
 * An open serial device as a Duplex of Node: serialport opens it and sets it up, the bytes go through here.
 *
 * ```
 *   poller (epoll) ── readable ─→ readSync ─→ bytes → push      0 bytes, EIO, ENXIO … → destroyed: DEVICE_LOST
 *                  ── writable ─→ writeSync the rest            EAGAIN → wait for the poller
 * ```
 *
 * Why not serialport's own stream (version 13):
 * - its read loop takes 0 bytes, which is what the line of a hung-up terminal returns, for "try again", and spins on
 *   one core for ever without an event. A line opened with VMIN 1 and O_NONBLOCK has no other 0: nothing there is
 *   EAGAIN. So 0 is a disconnect;
 * - its poller never forgets an event that was once asked for, so after a write that had to wait, unread input makes
 *   it spin between the two; here every event is answered with the exact set that is wanted;
 * - it emits `close` twice when a write fails, and queues writes after a close for the next open. Here a line is opened
 *   once, and Node's own stream rules hold: one `error`, one `close`, nothing after.
 *
 * The device is non-blocking, so the calls return at once; they need no thread, and no read can be under way in one when
 * the descriptor is closed and its number given to another file. Of the binding only `open`, `fd`, `poller.on`,
 * `poller.poll`, `poller.stop`, `flush` and `close` are used, all declared in its types. Where a binding has no descriptor
 * (Windows), its own `read` and `write` do the work.
 */
import { readSync, writeSync } from 'node:fs';
import { Duplex } from 'node:stream';
import { SerialPort } from 'serialport';
import { GatewayError } from '../errors.ts';
import { errnoOf } from './io-errors.ts';

export type FlowControl = 'none' | 'rtscts' | 'xonxoff';

/** How a line is set up. */
export interface LineSettings {
  readonly baud: number;
  readonly dataBits: 5 | 6 | 7 | 8;
  readonly parity: 'none' | 'even' | 'odd';
  readonly stopBits: 1 | 2;
  readonly flowControl: FlowControl;
}

/** The part of an open binding that is used, as both its Linux and its macOS class declare it. */
interface UnixPort {
  readonly fd: number | null;
  readonly poller: {
    on(event: 'readable' | 'writable', listener: (error: Error | null) => void): unknown;
    poll(events: number): void;
    stop(): void;
  };
}

interface Port {
  readonly isOpen: boolean;
  read(buffer: Buffer, offset: number, length: number): Promise<{ bytesRead: number }>;
  write(buffer: Buffer): Promise<void>;
  flush(): Promise<void>;
  close(): Promise<void>;
}

type WriteDone = (error?: Error | null) => void;

/** The events of the binding's poller. */
const POLL_READABLE = 1;
const POLL_WRITABLE = 2;
const READ_AHEAD = 16 * 1024;

/** Every line reads into this and copies out what came; reads are synchronous, so one is enough. */
const scratch = Buffer.allocUnsafeSlow(READ_AHEAD);

/** Opens the device at `path`; rejects with what the binding says. `where` is the source's id, for errors. */
export async function openSerialLine(
  where: string,
  path: string,
  settings: LineSettings,
  now: () => number,
): Promise<SerialLine> {
  const port: Port = await SerialPort.binding.open({
    path,
    baudRate: settings.baud,
    dataBits: settings.dataBits,
    parity: settings.parity,
    stopBits: settings.stopBits,
    rtscts: settings.flowControl === 'rtscts',
    xon: settings.flowControl === 'xonxoff',
    xoff: settings.flowControl === 'xonxoff',
    lock: true,
  });
  return new SerialLine(where, port, now);
}

export class SerialLine extends Duplex {
  /** When the last byte came, or the line was opened or began to be read again after a pause. */
  heardAt: number;
  readonly #where: string;
  readonly #port: Port;
  readonly #unix: UnixPort | undefined;
  readonly #now: () => number;
  #reading = false;
  /** What a write has still to send. */
  #rest: Buffer | undefined;
  #restDone: WriteDone | undefined;

  constructor(where: string, port: Port, now: () => number) {
    super({ readableHighWaterMark: READ_AHEAD, writableHighWaterMark: READ_AHEAD });
    this.#where = where;
    this.#port = port;
    this.#now = now;
    this.heardAt = now();
    if (!isUnixPort(port)) return;
    this.#unix = port;
    port.poller.on('readable', (error) => this.#onReadable(error));
    port.poller.on('writable', (error) => this.#onWritable(error));
  }

  /** Whether bytes are being waited for: not while the reader is slow and the read-ahead is full. */
  get listening(): boolean {
    return this.#reading;
  }

  override _read(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.heardAt = this.#now();
    if (this.#unix === undefined) void this.#readPort();
    else this.#poll();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: WriteDone): void {
    if (this.#unix === undefined) {
      void this.#writePort(chunk, done);
      return;
    }
    this.#rest = chunk;
    this.#restDone = done;
    this.#writeRest();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#reading = false;
    this.#rest = undefined;
    this.#restDone = undefined;
    const discard = error !== null || !this.writableFinished;
    void this.#close(discard, error, done);
  }

  /** The kernel would hold a close until the output has left, up to 30 s, so what nobody will read is dropped first. */
  async #close(discard: boolean, error: Error | null, done: (error: Error | null) => void): Promise<void> {
    try {
      if (discard) await this.#port.flush();
    } catch {
      // a device that is gone has nothing to flush
    }
    try {
      await this.#port.close();
    } catch {
      // nor to close
    }
    done(error);
  }

  #onReadable(error: Error | null): void {
    if (this.destroyed) return;
    if (error !== null) this.destroy(this.#lost(error));
    else if (this.#reading) this.#readUnix();
    this.#poll();
  }

  #onWritable(error: Error | null): void {
    if (this.destroyed) return;
    if (error !== null) this.destroy(this.#lost(error));
    else if (this.#rest !== undefined) this.#writeRest();
    this.#poll();
  }

  #readUnix(): void {
    let size: number;
    try {
      size = readSync(this.#unix!.fd!, scratch, 0, scratch.length, null);
    } catch (cause) {
      if (!isAgain(cause)) this.destroy(this.#lost(cause));
      return;
    }
    if (size === 0) {
      this.destroy(this.#lost(new Error('the other end hung up')));
      return;
    }
    this.heardAt = this.#now();
    this.#reading = this.push(Buffer.from(scratch.subarray(0, size)));
  }

  #writeRest(): void {
    const rest = this.#rest!;
    let size = 0;
    try {
      size = writeSync(this.#unix!.fd!, rest, 0, rest.length);
    } catch (cause) {
      if (!isAgain(cause)) {
        this.#finishWrite(this.#lost(cause));
        return;
      }
    }
    if (size === rest.length) {
      this.#finishWrite();
      return;
    }
    this.#rest = rest.subarray(size);
    this.#poll();
  }

  #finishWrite(error?: Error): void {
    const done = this.#restDone;
    this.#rest = undefined;
    this.#restDone = undefined;
    done?.(error);
  }

  /** Asks the poller for exactly what is wanted now; nothing wanted stops it. */
  #poll(): void {
    const port = this.#unix;
    if (port === undefined || port.fd === null || this.destroyed) return;
    port.poller.poll((this.#reading ? POLL_READABLE : 0) | (this.#rest === undefined ? 0 : POLL_WRITABLE));
  }

  /** Reads of a binding without a descriptor, until the read-ahead is full. */
  async #readPort(): Promise<void> {
    const buffer = Buffer.allocUnsafe(4_096);
    try {
      while (this.#reading) {
        const { bytesRead } = await this.#port.read(buffer, 0, buffer.length);
        if (bytesRead === 0) throw new Error('the other end hung up');
        if (this.destroyed) return;
        this.heardAt = this.#now();
        this.#reading = this.push(Buffer.from(buffer.subarray(0, bytesRead)));
      }
    } catch (cause) {
      if (!this.destroyed) this.destroy(this.#lost(cause));
    }
  }

  async #writePort(chunk: Buffer, done: WriteDone): Promise<void> {
    let failure: Error | undefined;
    try {
      await this.#port.write(chunk);
    } catch (cause) {
      failure = this.#lost(cause);
    }
    done(failure);
  }

  #lost(cause: unknown): GatewayError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new GatewayError('DEVICE_LOST', this.#where, `the device was unplugged or its other end hung up (${why})`, {
      cause,
    });
  }
}

function isUnixPort(port: object): port is UnixPort {
  return 'fd' in port && typeof port.fd === 'number' && 'poller' in port;
}

function isAgain(cause: unknown): boolean {
  const errno = errnoOf(cause);
  return errno === 'EAGAIN' || errno === 'EWOULDBLOCK' || errno === 'EINTR';
}
