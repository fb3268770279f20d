/**
 * Which blocks of the built code have run, by V8's precise coverage: the inputs that reach new ones are kept and changed
 * further. Taking it costs tens of milliseconds, so it is asked once a batch, and only a batch that has reached something
 * new is run again in halves, to find the inputs that did it.
 */
import { Session } from 'node:inspector/promises';

/** The blocks that one target has reached so far, as `url:start:end`. */
export type Blocks = Set<string>;

export class Coverage {
  readonly #session = new Session();
  readonly #isOurs: (url: string) => boolean;

  /** `isOurs`: the scripts that count. Start it before they are loaded, or what they compiled has no counters. */
  constructor(isOurs: (url: string) => boolean) {
    this.#isOurs = isOurs;
  }

  async start(): Promise<void> {
    this.#session.connect();
    await this.#session.post('Profiler.enable');
    await this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** From here on the code runs at full speed. */
  async stop(): Promise<void> {
    await this.#session.post('Profiler.stopPreciseCoverage');
    await this.#session.post('Profiler.disable');
    this.#session.disconnect();
  }

  /** The blocks that have run since the last call and are not in `known`. */
  async since(known: Blocks): Promise<string[]> {
    const { result } = await this.#session.post('Profiler.takePreciseCoverage');
    const fresh: string[] = [];
    for (const script of result) {
      if (!this.#isOurs(script.url)) continue;
      for (const { ranges } of script.functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          const block = `${script.url}:${startOffset}:${endOffset}`;
          if (count > 0 && !known.has(block)) fresh.push(block);
        }
      }
    }
    return fresh;
  }
}
