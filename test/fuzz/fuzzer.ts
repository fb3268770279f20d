/**
 * Feeds one target: first guided by coverage, so that inputs which reach something new are kept, then as fast as it
 * goes, with those as seeds.
 *
 * ```
 *   grammar ──┬─→ mutate ─→ check ─→ new blocks? ─→ corpus
 *             └──────↑───────────────────────────────┘
 * ```
 */
import { performance } from 'node:perf_hooks';
import { Random } from '../../device-sim/random.ts';
import type { Blocks, Coverage } from './coverage.ts';
import { mutate } from './mutate.ts';
import type { Target } from './target.ts';

export interface Failure {
  readonly input: Uint8Array;
  readonly error: Error;
}

export interface Budget {
  readonly seconds: number;
  /** Stop earlier, after so many inputs. */
  readonly inputs: number;
}

const BATCH = 1_000;
const MAX_CORPUS = 2_000;
/** So many inputs are told apart one by one rather than by halves. */
const FEW = 4;

/** Checks one input; what it throws is the failure. Chance within the check comes from the input alone. */
export function checkOne(target: Target, input: Uint8Array): Error | undefined {
  try {
    target.check(input, new Random(seedOf(input)));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** One target's run: its corpus and its figures. */
export class Fuzzer {
  readonly target: Target;
  readonly #random: Random;
  readonly #corpus: Uint8Array[] = [];
  readonly #blocks: Blocks = new Set();
  inputs = 0;
  seconds = 0;
  failure: Failure | undefined;
  /** By how much the heap has grown over the second half, after collection; undefined without --expose-gc. */
  heapGrowthBytes: number | undefined;

  constructor(target: Target, seed: number) {
    this.target = target;
    this.#random = new Random(seed).fork(target.name);
  }

  /** Inputs kept because they reached something new. */
  get corpus(): number {
    return this.#corpus.length;
  }

  /** Blocks of the built code that were reached. */
  get blocks(): number {
    return this.#blocks.size;
  }

  /** Looks for inputs that reach something new. */
  async explore(coverage: Coverage, budget: Budget): Promise<void> {
    // What others have reached is not ours.
    await coverage.since(this.#blocks);
    await this.#during(budget, async () => {
      const batch = this.#batch();
      this.#run(batch);
      if (this.failure === undefined && (await coverage.since(this.#blocks)).length > 0)
        await this.#keep(coverage, batch);
    });
  }

  /** As many inputs as there is time for. */
  async flood(budget: Budget): Promise<void> {
    const halfway = performance.now() + (budget.seconds * 1_000) / 2;
    let heapAtHalf: number | undefined;
    await this.#during(budget, async () => {
      this.#run(this.#batch());
      if (performance.now() > halfway) heapAtHalf ??= heapNow();
      // Whatever a check has left to do is done before the next batch.
      await new Promise((resolve) => setImmediate(resolve));
    });
    const heapAtEnd = heapNow();
    if (heapAtHalf !== undefined && heapAtEnd !== undefined) this.heapGrowthBytes = heapAtEnd - heapAtHalf;
  }

  async #during(budget: Budget, step: () => Promise<void>): Promise<void> {
    const begun = performance.now();
    const most = this.inputs + budget.inputs;
    while (this.failure === undefined && performance.now() - begun < budget.seconds * 1_000 && this.inputs < most) {
      await step();
    }
    this.seconds += (performance.now() - begun) / 1_000;
  }

  /** Runs a batch that has reached something new again, in halves, until the inputs that did it are found. */
  async #keep(coverage: Coverage, batch: readonly Uint8Array[]): Promise<void> {
    if (batch.length <= FEW) {
      for (const input of batch) {
        checkOne(this.target, input);
        const fresh = await coverage.since(this.#blocks);
        for (const block of fresh) this.#blocks.add(block);
        if (fresh.length > 0 && this.#corpus.length < MAX_CORPUS) this.#corpus.push(input);
      }
      return;
    }
    const middle = batch.length >> 1;
    for (const half of [batch.slice(0, middle), batch.slice(middle)]) {
      for (const input of half) checkOne(this.target, input);
      if ((await coverage.since(this.#blocks)).length > 0) await this.#keep(coverage, half);
    }
  }

  #batch(): Uint8Array[] {
    return Array.from({ length: BATCH }, () => this.#input());
  }

  #input(): Uint8Array {
    const random = this.#random;
    const fresh = this.target.generate(random);
    const kept = random.int(2) === 0 ? this.#corpus[random.int(this.#corpus.length)] : undefined;
    return random.int(4) === 0 ? fresh : mutate(kept ?? fresh, fresh, random);
  }

  #run(batch: readonly Uint8Array[]): void {
    for (const input of batch) {
      this.inputs++;
      const error = checkOne(this.target, input);
      if (error === undefined) continue;
      this.failure = { input, error };
      return;
    }
  }
}

/** The shortest input found that still fails: runs of bytes are taken out as long as it does. */
export function shrink(target: Target, failure: Failure): Failure {
  let { input, error } = failure;
  for (let length = input.length >> 1; length >= 1; length >>= 1) {
    for (let at = 0; at + length <= input.length; ) {
      const shorter = new Uint8Array(input.length - length);
      shorter.set(input.subarray(0, at));
      shorter.set(input.subarray(at + length), at);
      const again = checkOne(target, shorter);
      if (again === undefined) at += length;
      else {
        input = shorter;
        error = again;
      }
    }
  }
  return { input, error };
}

function heapNow(): number | undefined {
  if (globalThis.gc === undefined) return undefined;
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

function seedOf(input: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of input) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
