/** A source's time and chance under the test's control, and the short ways to use channels. */
import { select } from '../../../gateway/select.ts';
import type { SourceContext } from '../../../gateway/sources/source-base.ts';
import type { DatagramChannel, Source, StreamChannel } from '../../../gateway/sources/source.ts';
import { TimerQueue } from '../../../gateway/timers.ts';

export interface FakeContext extends SourceContext {
  /** Lets time pass and runs what is due by then, one deadline after the other. */
  advance(ms: number): void;
}

/** The clock stands until `advance`; `random` is always 0.5. */
export function fakeContext(): FakeContext {
  const timers = new TimerQueue();
  let nowMs = 1_000;
  return {
    timers,
    now: () => nowMs,
    random: () => 0.5,
    advance(ms: number) {
      const end = nowMs + ms;
      for (;;) {
        const next = timers.nextAt;
        if (next === undefined || next > end) break;
        nowMs = Math.max(nowMs, next);
        timers.run(nowMs, 1);
      }
      nowMs = end;
    },
  };
}

/** The next channel of a source. */
export async function acceptStream(source: Source): Promise<StreamChannel> {
  await select([source], [], [], undefined);
  return source.accept() as StreamChannel;
}

export async function acceptDatagrams(source: Source): Promise<DatagramChannel> {
  await select([source], [], [], undefined);
  return source.accept() as DatagramChannel;
}

/** Reads until `count` bytes have come, FIN or an error. */
export async function readBytes(channel: StreamChannel, count: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let left = count;
  while (left > 0) {
    await select([channel], [], [], undefined);
    const part = channel.read(left);
    if (part === undefined ? channel.error !== undefined : part.length === 0) break;
    if (part === undefined) continue;
    parts.push(part);
    left -= part.length;
  }
  return Buffer.concat(parts);
}

/** Resolves at a change of state after which `wanted` holds; at once when it holds already. */
export function untilState(source: Source, wanted: (source: Source) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!wanted(source)) return;
      source.onState = undefined;
      resolve();
    };
    source.onState = look;
    look();
  });
}
