/**
 * How long to wait for an ACK before sending again: RFC 6298, with the bounds of our link.
 *
 * ```
 *   first sample R    SRTT = R                        RTTVAR = R / 2
 *   later ones        RTTVAR = ¾ RTTVAR + ¼ |SRTT − R|     SRTT = ⅞ SRTT + ⅛ R
 *   RTO = SRTT + max(1 ms, 4 RTTVAR), within 200 ms … 30 s; doubled by each timeout; ± 25 % jitter on each use
 * ```
 */

export const FIRST_RTO_MS = 1_000;
export const MIN_RTO_MS = 200;
export const MAX_RTO_MS = 30_000;

export class RetransmissionTimeout {
  private readonly random: () => number;
  private smoothed = 0;
  private variation = 0;
  private base = FIRST_RTO_MS;
  private backoff = 1;

  /** `random` gives numbers in [0, 1). */
  constructor(random: () => number) {
    this.random = random;
  }

  /** The timeout in force, without jitter. */
  get rtoMs(): number {
    return Math.min(MAX_RTO_MS, this.base * this.backoff);
  }

  /** The next timeout to use, with jitter. */
  nextMs(): number {
    return this.rtoMs * (0.75 + 0.5 * this.random());
  }

  /** A frame was acknowledged after this long. Never call it for one that was sent twice (Karn's rule). */
  sample(rttMs: number): void {
    if (this.smoothed === 0) {
      this.smoothed = rttMs;
      this.variation = rttMs / 2;
    } else {
      this.variation = 0.75 * this.variation + 0.25 * Math.abs(this.smoothed - rttMs);
      this.smoothed = 0.875 * this.smoothed + 0.125 * rttMs;
    }
    this.base = Math.min(MAX_RTO_MS, Math.max(MIN_RTO_MS, this.smoothed + Math.max(1, 4 * this.variation)));
  }

  /** It ran out. */
  backOff(): void {
    if (this.rtoMs < MAX_RTO_MS) this.backoff *= 2;
  }

  /** Something new was acknowledged: the way is open again. */
  progress(): void {
    this.backoff = 1;
  }

  /** A new session, perhaps over another way. */
  restart(): void {
    this.smoothed = 0;
    this.variation = 0;
    this.base = FIRST_RTO_MS;
    this.backoff = 1;
  }
}
