/**
 * Who was connected, said nothing that was understood, and is gone: a device that tries again and again is closed by a
 * deadline each time, so a look at who is there would seldom find it.
 */
import type { Doubt } from '../sessions/doubt.ts';

export interface DepartedPeer {
  readonly source: string;
  /** Address with port of the last time. */
  readonly peer: string;
  /** Unix milliseconds of the last time's beginning and end. */
  readonly since: number;
  readonly gone: number;
  readonly bytesRead: number;
  readonly doubt: Doubt;
  /** How often so far. */
  readonly times: number;
}

const MAX_PEERS = 50;
const KEPT_MS = 10 * 60_000;

export class Departed {
  /** By source and host, the one that went last at the end. */
  readonly #peers = new Map<string, DepartedPeer>();

  /** @param host what stays the same when it comes again: its address without the port */
  add(host: string, peer: Omit<DepartedPeer, 'times'>): void {
    const key = `${peer.source} ${host}`;
    const before = this.#peers.get(key);
    const recent = before !== undefined && peer.gone - before.gone < KEPT_MS;
    this.#peers.delete(key);
    this.#peers.set(key, { ...peer, times: recent ? before.times + 1 : 1 });
    if (this.#peers.size <= MAX_PEERS) return;
    for (const oldest of this.#peers.keys()) {
      this.#peers.delete(oldest);
      return;
    }
  }

  /** Those of the last ten minutes, the last one first. */
  since(unixMs: number): DepartedPeer[] {
    return [...this.#peers.values()].filter(({ gone }) => unixMs - gone < KEPT_MS).toReversed();
  }
}
