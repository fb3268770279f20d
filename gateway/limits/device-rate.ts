/**
 * The account of one device, or of what a connection brings that belongs to no device: frames and bytes a second, with
 * ten seconds' worth of credit. A frame may be taken that overdraws it; the next has to wait until it is even again.
 */
import { BURST_S } from './token-bucket.ts';

export interface DeviceRateLimits {
  readonly framesPerS: number;
  readonly bytesPerS: number;
}

export class DeviceRate {
  readonly #limits: DeviceRateLimits;
  #frames: number;
  #bytes: number;
  #at: number;

  constructor(limits: DeviceRateLimits, nowMs: number) {
    this.#limits = limits;
    this.#frames = limits.framesPerS * BURST_S;
    this.#bytes = limits.bytesPerS * BURST_S;
    this.#at = nowMs;
  }

  charge(bytes: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#frames--;
    this.#bytes -= bytes;
  }

  /** Milliseconds until the next frame may come; 0: now. */
  waitMs(nowMs: number): number {
    this.#refill(nowMs);
    const { framesPerS, bytesPerS } = this.#limits;
    // A rate of less than one in ten seconds has no credit of a whole frame.
    const frames = Math.min(1, framesPerS * BURST_S) - this.#frames;
    return Math.max(0, (frames * 1_000) / framesPerS, (-this.#bytes * 1_000) / bytesPerS);
  }

  /** Which of the two is overdrawn, for the count of the limit. */
  get scarce(): 'frames_per_s' | 'bytes_per_s' {
    return this.#bytes < 0 ? 'bytes_per_s' : 'frames_per_s';
  }

  #refill(nowMs: number): void {
    const seconds = Math.max(0, nowMs - this.#at) / 1_000;
    this.#at = nowMs;
    const { framesPerS, bytesPerS } = this.#limits;
    this.#frames = Math.min(framesPerS * BURST_S, this.#frames + seconds * framesPerS);
    this.#bytes = Math.min(bytesPerS * BURST_S, this.#bytes + seconds * bytesPerS);
  }
}
