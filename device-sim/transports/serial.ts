/**
 * Over a serial line: a stream, `COBS(frame) 00`.
 *
 * The binding of serialport 13 takes a read of 0 bytes for "try again" and spins at full speed once the other end of the
 * line is gone (a pseudo-terminal whose master was closed, an adapter unplugged). Here such a read is what it means: the
 * line is dead.
 */
import { read as fsRead } from 'node:fs';
import { promisify } from 'node:util';
import { SerialPort } from 'serialport';
import { HIGH_WATER_BYTES, type Transport, type TransportEvents } from './transport.ts';

const readAsync = promisify(fsRead);

/** What of the Linux binding this file relies on. */
interface UnixBinding {
  readonly fd: number | null;
  readonly isOpen: boolean;
  readonly poller: { once(event: 'readable', done: (error: Error | null) => void): unknown };
  read(buffer: Buffer, offset: number, length: number): Promise<{ buffer: Buffer; bytesRead: number }>;
}

export class SerialLine implements Transport {
  readonly kind = 'serial';
  readonly datagram = false;
  readonly #path: string;
  readonly #baud: number;
  #port: SerialPort | undefined;
  #open = false;
  #events: TransportEvents | undefined;

  constructor(path: string, baud: number) {
    this.#path = path;
    this.#baud = baud;
  }

  get ready(): boolean {
    return this.#open && this.#port !== undefined && !this.#port.writableNeedDrain;
  }

  open(events: TransportEvents): void {
    this.#events = events;
    const port = new SerialPort({
      path: this.#path,
      baudRate: this.#baud,
      autoOpen: false,
      highWaterMark: HIGH_WATER_BYTES,
      ...HANG_UP_BINDING,
    });
    this.#port = port;
    port.on('data', (bytes: Buffer) => {
      if (this.#open) events.onBytes(bytes);
    });
    port.on('drain', () => {
      if (this.#open) events.onDrain();
    });
    // A failed write comes as an error and again as a close; the first of them counts.
    port.on('error', (error) => this.#ended(error));
    port.on('close', (error: Error | null) => this.#ended(error ?? undefined));
    port.open((error) => {
      if (error !== null) {
        this.#ended(Object.assign(error, { code: openErrorCode(error.message) }));
        return;
      }
      this.#open = true;
      events.onOpen();
    });
  }

  send(bytes: Uint8Array): void {
    if (this.#open) this.#port?.write(bytes);
  }

  endWrite(): void {
    // A serial line has no half-close.
  }

  close(): void {
    const port = this.#port;
    if (!this.#open || port === undefined) return;
    this.#open = false;
    // A line that takes nothing more (flow control, a dead reader) must not keep the port open.
    const force = setTimeout(() => port.close(() => this.#ended(undefined)), 500);
    port.drain(() => {
      clearTimeout(force);
      if (port.isOpen) port.close(() => this.#ended(undefined));
    });
  }

  abort(): void {
    this.#open = false;
    this.#port?.close(() => this.#ended(undefined));
  }

  #ended(cause: Error | undefined): void {
    this.#open = false;
    const events = this.#events;
    this.#events = undefined;
    if (events === undefined) return;
    if (this.#port?.isOpen === true) this.#port.close(() => undefined);
    events.onClosed(cause);
  }
}

/** The binding tells in words why a device cannot be opened. */
function openErrorCode(message: string): string {
  if (/no such file/i.test(message)) return 'ENOENT';
  if (/permission denied/i.test(message)) return 'EACCES';
  if (/cannot lock port|busy/i.test(message)) return 'EBUSY';
  return 'open-failed';
}

/**
 * The binding of this platform, whose ports are mended before anybody reads from them. It is an option of the stream below
 * that the class's own types leave out.
 */
const HANG_UP_BINDING: object = {
  binding: {
    list: () => SerialPort.binding.list(),
    // The types want what the bindings of all platforms take; the stream gives what this one does.
    open: async (options: never) => {
      const opened = await SerialPort.binding.open(options);
      treatNoBytesAsHangUp(opened);
      return opened;
    },
  },
};

/** Replaces the read of an open port by one that reports 0 bytes as a lost line. Other platforms' bindings are left alone. */
function treatNoBytesAsHangUp(opened: unknown): void {
  const binding = opened as UnixBinding;
  if (process.platform === 'win32' || binding.poller === undefined) return;
  binding.read = async (buffer, offset, length) => {
    for (;;) {
      if (!binding.isOpen || binding.fd === null) throw closedMeanwhile();
      try {
        const { bytesRead } = await readAsync(binding.fd, buffer, offset, length, null);
        if (bytesRead > 0) return { buffer, bytesRead };
        throw Object.assign(new Error('the line hung up'), { disconnect: true });
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code !== 'EAGAIN' && code !== 'EINTR') throw error;
        // A poller dies with its port, and to wait for a dead one kills the process.
        if (!binding.isOpen) throw closedMeanwhile();
        await new Promise<void>((resolve, reject) => {
          binding.poller.once('readable', (failure) => {
            if (failure) reject(failure);
            else resolve();
          });
        });
      }
    }
  };
}

function closedMeanwhile(): Error {
  return Object.assign(new Error('port closed'), { canceled: true });
}
