/**
 * The one source of chance in the simulator: a seeded generator, so that a run can be repeated.
 *
 * xoshiro128** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018), whose four words of
 * state come from a hash of the seed's path. `fork` derives an independent generator from the path alone, not from
 * the state: what one device draws never moves what another one gets, and neither does the order of network events.
 */
export class Random {
  readonly #path: string;
  readonly #state = new Uint32Array(4);

  /** `seed` is any number or text; equal seeds give equal sequences on every machine. */
  constructor(seed: number | string) {
    this.#path = String(seed);
    for (let i = 0; i < 4; i++) this.#state[i] = hash(this.#path, i);
    // The all-zero state is the one that xoshiro never leaves.
    if (this.#state.every((word) => word === 0)) this.#state[0] = 1;
  }

  /** An independent generator for the part of the simulation named `label`; the same one at every call. */
  fork(label: string | number): Random {
    return new Random(`${this.#path}/${label}`);
  }

  /** A whole number, 0 to 2^32 - 1. */
  u32(): number {
    const s = this.#state;
    const s0 = s[0] as number;
    const s1 = s[1] as number;
    const s2 = (s[2] as number) ^ s0;
    const s3 = (s[3] as number) ^ s1;
    const scrambled = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    s[1] = s1 ^ s2;
    s[0] = s0 ^ s3;
    s[2] = s2 ^ (s1 << 9);
    s[3] = rotateLeft(s3, 11);
    return scrambled;
  }

  /** A whole number of 64 bits. */
  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** 0 (included) to 1 (excluded), in steps of 2^-32. */
  float(): number {
    return this.u32() / 0x1_0000_0000;
  }

  /** `low` (included) to `high` (excluded). */
  between(low: number, high: number): number {
    return low + (high - low) * this.float();
  }

  /** A whole number, 0 to `limit` - 1. */
  int(limit: number): number {
    return Math.floor(this.float() * limit);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return probability > 0 && this.float() < probability;
  }

  /** About normally distributed, mean 0, deviation 1, never beyond ± 6 (the sum of twelve uniform numbers). */
  normal(): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.float();
    return sum;
  }

  /** The wait for the next event of a Poisson process with this mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.float());
  }
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** FNV-1a over the text with one of four bases, then the finalizer of MurmurHash3, which spreads every bit. */
function hash(text: string, index: number): number {
  let h = (0x811c9dc5 ^ Math.imul(index, 0x9e3779b9)) >>> 0;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
