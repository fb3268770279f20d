/** Packet ids for MQTT.js, from its own range: those below belong to the outbox. */
import type { IClientOptions } from 'mqtt';

type IMessageIdProvider = NonNullable<IClientOptions['messageIdProvider']>;

const MAX_ID = 65_535;

export class ControlMessageIds implements IMessageIdProvider {
  readonly #first: number;
  readonly #taken = new Set<number>();
  #last: number;

  /** Ids `first` to 65,535. */
  constructor(first: number) {
    this.#first = first;
    this.#last = first - 1;
  }

  /** The next free id, or null when all are in flight. */
  allocate(): number | null {
    if (this.#taken.size > MAX_ID - this.#first) return null;
    do {
      this.#last = this.#last >= MAX_ID ? this.#first : this.#last + 1;
    } while (this.#taken.has(this.#last));
    this.#taken.add(this.#last);
    return this.#last;
  }

  getLastAllocated(): number | null {
    return this.#last < this.#first ? null : this.#last;
  }

  register(id: number): boolean {
    if (this.#taken.has(id)) return false;
    this.#taken.add(id);
    return true;
  }

  deallocate(id: number): void {
    this.#taken.delete(id);
  }

  clear(): void {
    this.#taken.clear();
  }
}
