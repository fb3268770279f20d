/**
 * What goes wrong on a wire, as a component: it stands between a device and its transport and is itself a Transport.
 *
 * ```
 *   device ─→ send ─→ death, half-open, drop, corrupt ─┬─ duplicate, reorder ────────────────────────→ datagram
 *                                                      └─ cut, noise, duplicate, stall, split, merge ─→ stream
 *   device ←─ onBytes ←─────── drop, corrupt, duplicate, reorder | cut, noise, split ←─────────── what arrived
 * ```
 *
 * A rate is the probability, 0 to 1, that the fault strikes one write (or one piece received). All chance is seeded.
 */
import type { Random } from './random.ts';
import { type Scheduler, type Task, task } from './scheduler.ts';
import { HIGH_WATER_BYTES, type Transport, type TransportEvents, type TransportKind } from './transports/transport.ts';

/** The faults, with a sentence each for --help. */
export const FAULTS = {
  split: 'cuts a write into pieces with pauses between them (streams)',
  merge: 'holds a write back and sends it together with the next ones (streams)',
  corrupt: 'flips one to three bits, in both directions',
  cut: 'loses some bytes of a write or a piece received (streams)',
  noise: 'puts 1 to 16 bytes of nonsense before it (streams)',
  drop: 'loses a write or a piece received',
  duplicate: 'sends or delivers it twice',
  reorder: 'lets a later datagram overtake (UDP)',
  stall: 'stops in the middle of a frame for a while (streams)',
  'half-open': 'the line goes silent in both directions and never says so',
  death: 'the connection dies abruptly (RST on TCP)',
} as const;

export type FaultName = keyof typeof FAULTS;
/** Probability by fault; a fault left out never strikes. */
export type FaultRates = Partial<Record<FaultName, number>>;
/** How often each fault has struck. */
export type FaultCounts = Record<FaultName, number>;

export function noFaultsYet(): FaultCounts {
  return Object.fromEntries(Object.keys(FAULTS).map((name) => [name, 0])) as FaultCounts;
}

/** Output held back beyond this is lost, as in any bridge with a full buffer. */
const MAX_HELD_BYTES = 4 * HIGH_WATER_BYTES;

interface Piece {
  readonly bytes: Uint8Array;
  readonly dueMs: number;
}

export class FaultInjector implements Transport {
  readonly kind: TransportKind;
  readonly datagram: boolean;
  readonly #inner: Transport;
  readonly #rates: FaultRates;
  readonly #random: Random;
  readonly #scheduler: Scheduler;
  readonly #counts: FaultCounts;
  readonly #flushTask: Task = task((nowMs) => this.#flush(nowMs));
  /** Stream pieces that wait, in order: due times never fall. */
  readonly #held: Piece[] = [];
  #heldBytes = 0;
  #tailMs = 0;
  #full = false;
  /** The datagram that a later one is to overtake. */
  #overtaken: { bytes: Uint8Array; deliver: (bytes: Uint8Array) => void } | undefined;
  #ending: 'no' | 'endWrite' | 'close' = 'no';
  #silent = false;
  #closed = false;
  #events: TransportEvents | undefined;

  constructor(inner: Transport, rates: FaultRates, random: Random, scheduler: Scheduler, counts: FaultCounts) {
    this.kind = inner.kind;
    this.datagram = inner.datagram;
    this.#inner = inner;
    this.#rates = rates;
    this.#random = random;
    this.#scheduler = scheduler;
    this.#counts = counts;
  }

  get ready(): boolean {
    return this.#inner.ready && this.#heldBytes < HIGH_WATER_BYTES;
  }

  open(events: TransportEvents): void {
    this.#events = events;
    this.#inner.open({
      onOpen: () => events.onOpen(),
      onBytes: (bytes) => this.#received(bytes),
      onDrain: () => {
        if (this.ready && !this.#silent) events.onDrain();
      },
      onLoss: (code) => events.onLoss(code),
      onClosed: (cause) => {
        this.#closed = true;
        this.#forget();
        events.onClosed(cause);
      },
    });
  }

  send(bytes: Uint8Array): void {
    if (this.#closed || this.#ending !== 'no' || this.#silent) return;
    if (this.#strikes('death')) {
      this.abort();
      return;
    }
    if (this.#strikes('half-open')) {
      this.#silent = true;
      this.#forget();
      return;
    }
    if (this.datagram) this.#mangle(bytes, (out) => this.#inner.send(out));
    else this.#mangle(bytes, (out) => this.#delay(out));
  }

  endWrite(): void {
    this.#end('endWrite');
  }

  close(): void {
    this.#end('close');
  }

  abort(): void {
    this.#forget();
    this.#inner.abort();
  }

  #received(bytes: Uint8Array): void {
    if (this.#silent) return;
    this.#mangle(bytes, (piece) => {
      const cut =
        !this.datagram && piece.length > 1 && this.#strikes('split') ? 1 + this.#random.int(piece.length - 1) : 0;
      if (cut > 0) this.#deliver(piece.subarray(0, cut));
      this.#deliver(piece.subarray(cut));
    });
  }

  #deliver(bytes: Uint8Array): void {
    if (!this.#closed && !this.#silent) this.#events?.onBytes(bytes);
  }

  /** The faults that treat a write and a piece received alike. */
  #mangle(bytes: Uint8Array, deliver: (bytes: Uint8Array) => void): void {
    if (this.#strikes('drop')) return;
    let out = this.#strikes('corrupt') ? flipBits(bytes, this.#random) : bytes;
    if (!this.datagram) {
      if (this.#strikes('cut')) out = loseBytes(out, this.#random);
      if (this.#strikes('noise')) out = Buffer.concat([nonsense(this.#random), out]);
    }
    const twice = this.#strikes('duplicate');
    if (this.datagram && this.#overtaken === undefined && this.#strikes('reorder')) {
      this.#overtaken = { bytes: out, deliver };
      // When nothing follows to overtake it, it is merely late.
      this.#scheduler.at(this.#flushTask, this.#scheduler.now() + this.#random.between(5, 100));
    } else {
      deliver(out);
      this.#release();
    }
    if (twice) deliver(out);
  }

  /** Lets the overtaken datagram follow. */
  #release(): void {
    const late = this.#overtaken;
    if (late === undefined) return;
    this.#overtaken = undefined;
    late.deliver(late.bytes);
  }

  /** The faults of a stream: when do which of its bytes leave? */
  #delay(bytes: Uint8Array): void {
    const now = this.#scheduler.now();
    const stalled = this.#strikes('stall');
    const split = this.#strikes('split');
    const merged = this.#strikes('merge');
    if (!stalled && !split && !merged && this.#held.length === 0) {
      this.#inner.send(bytes);
      return;
    }
    if (this.#heldBytes + bytes.length > MAX_HELD_BYTES) return;
    this.#tailMs = Math.max(this.#tailMs, now);
    if (merged) this.#tailMs += this.#random.between(5, 100);
    if (stalled) {
      const cut = Math.ceil(bytes.length / 2);
      this.#hold(bytes.subarray(0, cut));
      this.#tailMs += this.#random.between(200, 2_000);
      this.#hold(bytes.subarray(cut));
    } else if (split) {
      const pieces = 2 + this.#random.int(4);
      let from = 0;
      for (let piece = 1; piece < pieces && from + 1 < bytes.length; piece++) {
        const to = from + 1 + this.#random.int(bytes.length - from - 1);
        this.#hold(bytes.subarray(from, to));
        this.#tailMs += this.#random.between(1, 10);
        from = to;
      }
      this.#hold(bytes.subarray(from));
    } else {
      this.#hold(bytes);
    }
    this.#full ||= this.#heldBytes >= HIGH_WATER_BYTES;
    this.#flush(now);
  }

  #hold(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#held.push({ bytes, dueMs: this.#tailMs });
    this.#heldBytes += bytes.length;
  }

  /** Sends what is due as one write, so that writes held back by `merge` arrive together. */
  #flush(nowMs: number): void {
    if (this.datagram) {
      this.#release();
      return;
    }
    let due = 0;
    while (due < this.#held.length && (this.#held[due] as Piece).dueMs <= nowMs) due += 1;
    if (due > 0) {
      const bytes = Buffer.concat(this.#held.splice(0, due).map((piece) => piece.bytes));
      this.#heldBytes -= bytes.length;
      this.#inner.send(bytes);
    }
    const next = this.#held[0];
    if (next !== undefined) {
      this.#scheduler.at(this.#flushTask, next.dueMs);
      return;
    }
    if (this.#ending !== 'no') this.#endInner();
    else if (this.#full && this.ready) {
      this.#full = false;
      this.#events?.onDrain();
    }
  }

  #end(how: 'endWrite' | 'close'): void {
    this.#ending = how;
    this.#release();
    // Nobody hears of the end of a line that went silent; the local side is free all the same.
    if (this.#held.length === 0) this.#endInner();
  }

  #endInner(): void {
    if (this.#silent) this.#inner.abort();
    else if (this.#ending === 'close') this.#inner.close();
    else this.#inner.endWrite();
  }

  #forget(): void {
    this.#held.length = 0;
    this.#heldBytes = 0;
    this.#overtaken = undefined;
    this.#scheduler.cancel(this.#flushTask);
  }

  #strikes(fault: FaultName): boolean {
    const struck = this.#random.chance(this.#rates[fault] ?? 0);
    if (struck) this.#counts[fault] += 1;
    return struck;
  }
}

function flipBits(bytes: Uint8Array, random: Random): Uint8Array {
  const flipped = Uint8Array.from(bytes);
  if (flipped.length === 0) return flipped;
  for (let flips = 1 + random.int(3); flips > 0; flips--) {
    const at = random.int(flipped.length);
    flipped[at] = (flipped[at] as number) ^ (1 << random.int(8));
  }
  return flipped;
}

/** A run of bytes is missing, anywhere. */
function loseBytes(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length === 0) return bytes;
  const from = random.int(bytes.length);
  const to = Math.min(bytes.length, from + 1 + random.int(8));
  return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
}

function nonsense(random: Random): Uint8Array {
  return Uint8Array.from({ length: 1 + random.int(16) }, () => random.int(256));
}
