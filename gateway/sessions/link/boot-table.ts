/**
 * How far the reliable frames of a device's recent boots have come. A device that wakes for each report has a new boot
 * each time, and the network may bring a copy from an earlier one.
 */
const MAX_BOOTS = 8;

export class BootTable {
  /** Boot to the seq that comes next, the one used last at the end. */
  #next: Map<number, number> | undefined;

  /** Everything of this boot before the returned seq was taken; undefined for a boot not heard of (any more). */
  next(boot: number): number | undefined {
    return this.#next?.get(boot);
  }

  set(boot: number, next: number): void {
    const table = (this.#next ??= new Map());
    table.delete(boot);
    table.set(boot, next);
    if (table.size <= MAX_BOOTS) return;
    for (const oldest of table.keys()) {
      table.delete(oldest);
      return;
    }
  }

  /** The highest boot number known; 0 without any. */
  get highest(): number {
    return this.#next === undefined ? 0 : Math.max(...this.#next.keys());
  }
}
