/** Waiting, bounded. */

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Looks every `everyMs` until `done` is true; false when that took longer than `limitMs`. */
export async function until(done: () => boolean, limitMs: number, everyMs = 10): Promise<boolean> {
  const giveUpAt = performance.now() + limitMs;
  while (!done()) {
    if (performance.now() > giveUpAt) return false;
    await sleep(everyMs);
  }
  return true;
}

/** As `until`, and an error that says what did not happen. */
export async function must(what: string, done: () => boolean, limitMs: number, everyMs = 10): Promise<void> {
  if (!(await until(done, limitMs, everyMs))) throw new Error(`not within ${limitMs / 1000} s: ${what}`);
}
