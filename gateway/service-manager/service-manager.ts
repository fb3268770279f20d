/**
 * Tells the service manager how the gateway is, as sd_notify(3) has it. The messages are datagrams on a Unix-domain socket,
 * which Node does not have, so systemd's own program sends them:
 *
 * ```
 *   gateway ─ spawn ─→ systemd-notify WATCHDOG=1 STATUS=… ─ datagram ─→ $NOTIFY_SOCKET
 * ```
 *
 * The unit needs `NotifyAccess=all` for that: the sender is a child of the main process.
 */
import { spawn } from 'node:child_process';
import type { Log } from '../log.ts';

const PROGRAM = 'systemd-notify';
/** How often the status is told where there is no watchdog to be fed. */
const STATUS_MS = 30_000;
/** It waits until the service manager has read the message; a service manager that hangs must not hold us up. */
const GIVE_UP_MS = 5_000;

type Environment = Readonly<Record<string, string | undefined>>;

/** What is watched over. */
export interface Watched {
  /** Resolves when the loop has turned once more; never, when it does not. */
  turned(): Promise<void>;
  /** One line for people. */
  statusLine(): string;
}

/** What the environment says of the service manager. */
export interface NotifySettings {
  /** Milliseconds after which the process is taken for dead; undefined: nobody watches. */
  readonly watchdogMs: number | undefined;
}

/** Undefined when no service manager listens. */
export function notifySettings(env: Environment, pid: number): NotifySettings | undefined {
  if ((env['NOTIFY_SOCKET'] ?? '') === '') return undefined;
  const { WATCHDOG_USEC: usec = '', WATCHDOG_PID: watchedPid = String(pid) } = env;
  // Of another process, which has passed its environment on.
  const watched = /^[1-9]\d{0,15}$/.test(usec) && watchedPid === String(pid);
  return { watchdogMs: watched ? Number(usec) / 1_000 : undefined };
}

export class ServiceManager {
  readonly #settings: NotifySettings;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #lastStatus = '';
  #asking = false;
  /** Messages go out one after the other: a service that is stopping does not become ready again. */
  #sent: Promise<void> = Promise.resolve();
  #gaveUp = false;

  constructor(settings: NotifySettings, log: Log) {
    this.#settings = settings;
    this.#log = log;
  }

  /** The one that has started this process, if it wants to be told. */
  static of(env: Environment, log: Log): ServiceManager | undefined {
    const settings = notifySettings(env, process.pid);
    return settings && new ServiceManager(settings, log);
  }

  /** The gateway serves. From now on its status is told, and that its loop turns: twice in the time that it is given. */
  async ready(watched: Watched): Promise<void> {
    const everyMs = Math.min(STATUS_MS, (this.#settings.watchdogMs ?? Number.POSITIVE_INFINITY) / 2);
    this.#timer = setInterval(() => void this.#tell(watched), everyMs);
    this.#timer.unref();
    this.#lastStatus = watched.statusLine();
    await this.#send('READY=1', `STATUS=${this.#lastStatus}`);
  }

  /** The gateway is about to end; the watchdog has to be patient for as long as the unit allows. */
  async stopping(): Promise<void> {
    clearInterval(this.#timer);
    await this.#send('STOPPING=1', 'STATUS=stopping');
  }

  async #tell(watched: Watched): Promise<void> {
    // The loop has not turned since the last time: that is what the service manager has to find out.
    if (this.#asking) return;
    this.#asking = true;
    await watched.turned();
    this.#asking = false;
    const status = watched.statusLine();
    const news = [
      ...(this.#settings.watchdogMs === undefined ? [] : ['WATCHDOG=1']),
      ...(status === this.#lastStatus ? [] : [`STATUS=${status}`]),
    ];
    this.#lastStatus = status;
    if (news.length > 0) await this.#send(...news);
  }

  #send(...message: string[]): Promise<void> {
    this.#sent = this.#sent.then(() => (this.#gaveUp ? undefined : this.#run(message)));
    return this.#sent;
  }

  /** Resolves when the message is out, or cannot be: that is told once and stops nothing. */
  #run(message: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      const child = spawn(PROGRAM, message, { stdio: 'ignore', timeout: GIVE_UP_MS, killSignal: 'SIGKILL' });
      child.once('error', (err: NodeJS.ErrnoException) => {
        this.#gaveUp = true;
        this.#log.warn({ err }, `${PROGRAM} cannot be run: the service manager is told nothing`);
        resolve();
      });
      child.once('exit', (code, signal) => {
        if (code !== 0) this.#log.warn({ code, signal }, `${PROGRAM} failed: the service manager was not told`);
        resolve();
      });
    });
  }
}
