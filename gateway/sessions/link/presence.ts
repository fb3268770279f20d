/** Which devices are there: told once for each change. */
import type { Device } from '../../devices/device.ts';
import type { RegisteredDevice } from '../../devices/registry.ts';
import type { Timer } from '../../timers.ts';
import type { LinkContext, SessionEnd } from './link-context.ts';

/** A node that sends REPORTs only counts as offline after this long without one. */
const REPORT_OVERDUE_MS = 3_600_000;

export class Presence {
  readonly #context: LinkContext;
  readonly #hasSession: (device: Device) => boolean;
  readonly #overdue = new Map<string, Timer>();

  constructor(context: LinkContext, hasSession: (device: Device) => boolean) {
    this.#context = context;
    this.#hasSession = hasSession;
  }

  /** A frame of the device has come. */
  seen(device: RegisteredDevice): void {
    device.lastSeen = this.#context.wallNow();
  }

  online(device: RegisteredDevice, peer: string): void {
    if (device.online) return;
    device.online = true;
    this.#context.listener.online(device, peer);
  }

  offline(device: RegisteredDevice, why: SessionEnd | 'report-overdue'): void {
    if (!device.online) return;
    device.online = false;
    this.#context.listener.offline(device, why);
  }

  /** Without a session: the next REPORT is due within an hour. */
  expectReport(device: RegisteredDevice): void {
    const { timers } = this.#context;
    const at = this.#context.now() + REPORT_OVERDUE_MS;
    const timer = this.#overdue.get(device.id);
    if (timer !== undefined) {
      timers.reschedule(timer, at);
      return;
    }
    const overdue = (): void => {
      this.#overdue.delete(device.id);
      if (!this.#hasSession(device)) this.offline(device, 'report-overdue');
    };
    this.#overdue.set(device.id, timers.schedule(at, overdue));
  }

  /** The device is not known any longer. */
  forget(device: Device): void {
    const timer = this.#overdue.get(device.id);
    if (timer !== undefined) this.#context.timers.cancel(timer);
    this.#overdue.delete(device.id);
  }

  close(): void {
    for (const timer of this.#overdue.values()) this.#context.timers.cancel(timer);
  }
}
