/**
 * Serial device: one line, one channel at a time, opened again whenever the device is there again.
 *
 * ```
 *   look ─→ missing, busy, not allowed ─→ failed ─→ look again in 2 s
 *        └→ open ─→ one channel ─→ unplugged, hung up, silent, closed ─→ look again in 2 s
 * ```
 *
 * `path` may be a name under /dev/serial/by-id/, which stays the same whatever port the device is plugged into.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { GatewayError } from '../errors.ts';
import type { Timer } from '../timers.ts';
import { serialOpenError } from './io-errors.ts';
import { type FlowControl, type LineSettings, openSerialLine, type SerialLine } from './serial-line.ts';
import { type SourceContext, SourceBase } from './source-base.ts';
import { DuplexChannel } from './stream-channel.ts';

export interface SerialOptions {
  /** Default: `serial:path`. */
  readonly id?: string;
  readonly path: string;
  /** Bits a second. */
  readonly baud: number;
  /** Default 8. */
  readonly dataBits?: LineSettings['dataBits'];
  /** Default 'none'. */
  readonly parity?: LineSettings['parity'];
  /** Default 1. */
  readonly stopBits?: LineSettings['stopBits'];
  /** `rtscts` is by wires, `xonxoff` by bytes, which binary protocols cannot have. Default 'none'. */
  readonly flowControl?: FlowControl;
  /** Nothing heard for this long: the line is closed and opened again (LINE_SILENT). Default 0: never. */
  readonly silenceMs?: number;
  /** Wait before the device is looked for again. Default 2 s. */
  readonly retryMs?: number;
}

const DEFAULT_RETRY_MS = 2_000;

export class SerialSource extends SourceBase {
  readonly #path: string;
  readonly #settings: LineSettings;
  readonly #retryMs: number;
  readonly #silenceMs: number;
  readonly #watchdog: Timer;
  #line: SerialLine | undefined;
  released: Promise<void> | undefined;
  /** Counts the attempts, so that one that was overtaken by `close` and `open` knows. */
  #attempt = 0;

  constructor(options: SerialOptions, context: SourceContext) {
    super(options.id ?? `serial:${options.path}`, 'serial', context);
    const { path, baud, dataBits = 8, parity = 'none', stopBits = 1, flowControl = 'none' } = options;
    this.#path = path;
    this.#settings = { baud, dataBits, parity, stopBits, flowControl };
    this.#retryMs = options.retryMs ?? DEFAULT_RETRY_MS;
    this.#silenceMs = options.silenceMs ?? 0;
    this.#watchdog = context.timers.schedule(Number.POSITIVE_INFINITY, () => this.#watch());
    context.timers.cancel(this.#watchdog);
  }

  protected start(): void {
    const problem = this.#check();
    if (problem !== undefined) {
      this.failed(problem, this.#retryMs);
      return;
    }
    void this.#open(++this.#attempt);
  }

  async #open(attempt: number): Promise<void> {
    let line: SerialLine;
    try {
      line = await openSerialLine(this.id, this.#path, this.#settings, () => this.context.now());
    } catch (cause) {
      if (attempt === this.#attempt) this.failed(serialOpenError(this.id, this.#path, cause), this.#retryMs);
      return;
    }
    if (attempt === this.#attempt) this.#opened(line);
    else line.destroy();
  }

  protected async stop(): Promise<void> {
    this.#attempt++;
    this.#line = undefined;
    this.context.timers.cancel(this.#watchdog);
  }

  /** Looks before opening: the binding tells its failures in words only. */
  #check(): GatewayError | undefined {
    if (process.platform === 'win32') return undefined;
    try {
      const isDevice = statSync(this.#path).isCharacterDevice();
      accessSync(this.#path, constants.R_OK | constants.W_OK);
      return isDevice
        ? undefined
        : new GatewayError(
            'DEVICE_MISSING',
            this.id,
            `${this.#path} is not a serial device; see what is there with: bytes2mqtt ports`,
          );
    } catch (cause) {
      return serialOpenError(this.id, this.#path, cause);
    }
  }

  #opened(line: SerialLine): void {
    this.#line = line;
    const owner = { id: this.id, context: this.context, tcp: false, single: true };
    const channel = new DuplexChannel(line, owner, this.#path);
    this.released = new Promise((resolve) => line.once('close', resolve));
    line.on('close', () => {
      if (line !== this.#line) return;
      this.#line = undefined;
      this.context.timers.cancel(this.#watchdog);
      this.withdraw(channel);
      this.failed(channel.error, this.#retryMs);
    });
    if (this.#silenceMs > 0) this.context.timers.reschedule(this.#watchdog, line.heardAt + this.#silenceMs);
    this.opened();
    this.offer(channel);
  }

  #watch(): void {
    const line = this.#line;
    if (line === undefined || line.destroyed) return;
    const now = this.context.now();
    // A line that nobody reads is not silent: its bytes wait.
    const heardAt = line.listening ? line.heardAt : now;
    if (now - heardAt >= this.#silenceMs) {
      line.destroy(new GatewayError('LINE_SILENT', this.id, `nothing was received for ${this.#silenceMs} ms`));
    } else {
      this.context.timers.reschedule(this.#watchdog, heardAt + this.#silenceMs);
    }
  }
}
