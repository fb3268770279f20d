/** Runs a bring-up service in this process, on a real source under the real loop, without the rest of the gateway. */
import { performance } from 'node:perf_hooks';
import type { GatewayError } from '../../gateway/errors.ts';
import { DatagramAnswers } from '../../gateway/limits/datagram-answers.ts';
import { LimitWatch } from '../../gateway/limits/limit-watch.ts';
import { createLog, rateLimited } from '../../gateway/log.ts';
import { Loop } from '../../gateway/loop.ts';
import { ChannelHost } from '../../gateway/sessions/channel-host.ts';
import type { ServiceDatagrams } from '../../gateway/sessions/services/service-datagrams.ts';
import type { ServiceStream } from '../../gateway/sessions/services/service-stream.ts';
import { serveDatagrams, serveStream } from '../../gateway/sessions/services/services.ts';
import type { ServiceName } from '../../gateway/sessions/services/service-names.ts';
import { READ } from '../../gateway/sources/source.ts';
import type { Source } from '../../gateway/sources/source.ts';
import type { SourceContext } from '../../gateway/sources/source-base.ts';
import { ChannelTap } from '../../gateway/tap/channel-tap.ts';
import { FrameTap } from '../../gateway/tap/frame-tap.ts';

const BUDGET_BYTES = 16_384;

export type RunningService = ServiceStream | ServiceDatagrams;

export interface ServiceHost<S extends Source> {
  readonly source: S;
  /** All sessions so far, in the order in which they were accepted. */
  readonly sessions: readonly RunningService[];
  /** How the sessions that are over ended, in that order: an error, or undefined when all went by plan. */
  readonly ended: readonly (GatewayError | undefined)[];
  /** Resolves when so many sessions are over. */
  untilEnded(count: number): Promise<void>;
  /** Closes the source and all sessions, and ends the loop; rejects when a session has thrown. */
  stop(): Promise<void>;
}

/** Makes a source, opens it, and serves whatever it accepts. */
export async function hostService<S extends Source>(
  name: ServiceName,
  makeSource: (context: SourceContext) => S,
): Promise<ServiceHost<S>> {
  const loop = new Loop();
  const source = makeSource({ timers: loop.timers, now: () => performance.now(), random: Math.random });
  const log = createLog({ level: 'silent', pretty: false });
  const watch = new LimitWatch(rateLimited(log, () => performance.now()));
  const tap = new FrameTap(() => Date.now());
  const answers = new DatagramAnswers(50, () => performance.now(), watch);
  const sessions: RunningService[] = [];
  const ended: (GatewayError | undefined)[] = [];
  const live = new Set<ChannelHost>();
  let onEnded: (() => void) | undefined;

  const key = loop.register(source, READ, {
    onReady: () => {
      for (let channel = source.accept(); channel !== undefined; channel = source.accept()) {
        const host = new ChannelHost(loop, channel, BUDGET_BYTES, log, new ChannelTap(tap, source.id, channel.id), {
          finished: (finished, error) => {
            live.delete(finished);
            ended.push(error);
            onEnded?.();
          },
          strangerChanged: () => undefined,
        });
        live.add(host);
        const session =
          channel.kind === 'stream' ? serveStream(name, channel, host) : serveDatagrams(name, channel, host, answers);
        host.start(session);
        sessions.push(session);
      }
    },
  });
  await source.open();
  if (source.error !== undefined) throw source.error;
  const running = loop.run();

  return {
    source,
    sessions,
    ended,
    untilEnded: async (count) => {
      while (ended.length < count) {
        await new Promise<void>((resolve) => {
          onEnded = resolve;
        });
      }
    },
    stop: async () => {
      loop.unregister(key);
      for (const host of live) host.session?.close();
      await source.close();
      loop.stop();
      await running;
    },
  };
}
