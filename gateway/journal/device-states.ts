/**
 * What is known of each device besides its records, as of a place in the journal: built from the records themselves,
 * so it can never be ahead of them. Each segment begins with all of it, hence older segments can go.
 */
import type { DeviceState } from './journal.ts';
import {
  field,
  idHalves,
  idOf,
  isWholeRecord,
  KIND,
  kindAt,
  lsnAt,
  type RecordBuffer,
  readDevice,
  schemaBytes,
  type StoredDevice,
  storedSchema,
} from './record-codec.ts';

interface Entry extends StoredDevice {
  boot: number;
  nextSeq: number;
  newestLsn: number;
  schemaCrc: number;
  schema: Uint8Array;
}

const NO_SCHEMA = new Uint8Array(0);

export class DeviceStates {
  readonly #maxDevices: number;
  /** By the high and low half of the id: looking up two small integers is cheap enough for each record. */
  readonly #byHigh = new Map<number, Map<number, Entry>>();
  #size = 0;

  /** Beyond `maxDevices` the one without a record for the longest time is forgotten. */
  constructor(maxDevices: number) {
    this.#maxDevices = maxDevices;
  }

  get size(): number {
    return this.#size;
  }

  /** Takes over the valid record at `at`: RECORD and DEVICE say something, the others do not. */
  apply(bytes: Uint8Array, at: number): void {
    const kind = kindAt(bytes, at);
    if (kind === KIND.record && isWholeRecord(bytes, at)) {
      const entry = this.#obtain(field.high(bytes, at), field.low(bytes, at));
      const boot = field.boot(bytes, at);
      const nextSeq = field.seq(bytes, at) + 1;
      entry.nextSeq = boot === entry.boot ? Math.max(entry.nextSeq, nextSeq) : nextSeq;
      entry.boot = boot;
      entry.newestLsn = lsnAt(bytes, at);
    } else if (kind === KIND.device) {
      const device = readDevice(bytes, at);
      if (device === undefined) return;
      const entry = this.#obtain(device.high, device.low);
      const { boot, nextSeq, newestLsn, schemaCrc, schema } = device;
      Object.assign(entry, { boot, nextSeq, schemaCrc, schema });
      entry.newestLsn = Math.max(entry.newestLsn, newestLsn);
    }
  }

  /** The same again, to be changed apart. */
  copy(): DeviceStates {
    const copy = new DeviceStates(this.#maxDevices);
    for (const entry of this.#sorted()) Object.assign(copy.#obtain(entry.high, entry.low), entry);
    return copy;
  }

  /** Writes all of it as DEVICE records, the longest without a record first. */
  writeTo(buffer: RecordBuffer, lsn: number): void {
    for (const entry of this.#sorted()) buffer.device(lsn, entry);
  }

  /** In the order of their newest records, and with the newest lsn. */
  *states(): Generator<{ readonly state: DeviceState; readonly newestLsn: number }> {
    for (const { high, low, boot, nextSeq, newestLsn, schemaCrc, schema: bytes } of this.#sorted()) {
      const schema = storedSchema(bytes);
      const state = { id: idOf(high, low), boot, nextSeq, schema, schemaCrc: schema === undefined ? 0 : schemaCrc };
      yield { state, newestLsn };
    }
  }

  #sorted(): Entry[] {
    const all = Array.from(this.#byHigh.values(), (byLow) => Array.from(byLow.values())).flat();
    return all.toSorted((a, b) => a.newestLsn - b.newestLsn);
  }

  #obtain(high: number, low: number): Entry {
    let byLow = this.#byHigh.get(high);
    const known = byLow?.get(low);
    if (known !== undefined) return known;
    if (this.#size >= this.#maxDevices) this.#forgetOne();
    byLow = this.#byHigh.get(high);
    if (byLow === undefined) this.#byHigh.set(high, (byLow = new Map<number, Entry>()));
    const entry = { high, low, boot: 0, nextSeq: 1, newestLsn: 0, schemaCrc: 0, schema: NO_SCHEMA };
    byLow.set(low, entry);
    this.#size++;
    return entry;
  }

  #forgetOne(): void {
    let oldest: Entry | undefined;
    for (const byLow of this.#byHigh.values()) {
      for (const entry of byLow.values()) {
        if (oldest === undefined || entry.newestLsn < oldest.newestLsn) oldest = entry;
      }
    }
    if (oldest === undefined) return;
    const byLow = this.#byHigh.get(oldest.high);
    byLow?.delete(oldest.low);
    if (byLow?.size === 0) this.#byHigh.delete(oldest.high);
    this.#size--;
  }
}

/** A DeviceState in the form that DEVICE has. */
export function storedDevice(state: DeviceState, newestLsn: number): StoredDevice {
  const schema = schemaBytes(state.schema);
  const { boot, nextSeq } = state;
  return { ...idHalves(state.id), boot, nextSeq, newestLsn, schemaCrc: state.schemaCrc, schema };
}
