/** Which commands were executed, so that a repeated one is answered again and not executed again. */
import type { ResultStatus } from '../protocol/index.ts';

export interface Outcome {
  readonly status: Exclude<ResultStatus, 'unknown'>;
  /** Of the RESULT last sent for it; undefined when there was no room for one. */
  seq: number | undefined;
  /** The gateway has that RESULT. */
  acknowledged: boolean;
}

/** As many as a small device can remember. The gateway has few commands under way at a time. */
const MAX_REMEMBERED = 64;

export class CommandMemory {
  readonly #outcomes = new Map<number, Outcome>();

  get(id: number): Outcome | undefined {
    return this.#outcomes.get(id);
  }

  remember(id: number, status: Outcome['status']): Outcome {
    const outcome: Outcome = { status, seq: undefined, acknowledged: false };
    this.#outcomes.set(id, outcome);
    if (this.#outcomes.size > MAX_REMEMBERED) {
      for (const oldest of this.#outcomes.keys()) {
        this.#outcomes.delete(oldest);
        break;
      }
    }
    return outcome;
  }

  /** The RESULT with this seq was acknowledged. */
  acknowledged(seq: number): void {
    for (const outcome of this.#outcomes.values()) {
      if (outcome.seq === seq) outcome.acknowledged = true;
    }
  }
}
