/** One run of a fleet, from the start to the summary. */
import { AckLog } from './ack-log.ts';
import type { FaultRates } from './faults.ts';
import { Fleet, type Identity, type Link } from './fleet.ts';
import type { Model } from './models/model.ts';
import { type Summary, readable, total } from './report.ts';
import { DEFAULT_TIMING, type Timing } from './timing.ts';

export interface RunOptions {
  readonly links: readonly Link[];
  readonly devices: number;
  readonly ratePerS: number;
  /** How long readings are taken; undefined: until `stop` or the count. */
  readonly forS?: number | undefined;
  readonly count?: number | undefined;
  readonly seed: number;
  readonly identities?: readonly Identity[] | undefined;
  readonly key?: Uint8Array | undefined;
  readonly models?: readonly Model[] | undefined;
  readonly faults?: FaultRates | undefined;
  readonly boot?: number | undefined;
  readonly bufferFrames?: number | undefined;
  /** The longest wait between two connections; 60 by default. */
  readonly maxWaitS?: number | undefined;
  readonly ackLog?: string | undefined;
  /** How long to wait at the end for acknowledgements, in seconds. */
  readonly drainS: number;
  readonly json: boolean;
}

/** Where a run writes: results to `out`, what goes on to `log`. One line a call, without line end. */
export interface RunOutput {
  out(line: string): void;
  log(line: string): void;
}

const PROGRESS_MS = 2_000;

/**
 * Runs a fleet until its time or count is over or `stop` is aborted, waits for acknowledgements, writes and returns the
 * summary. Throws RangeError for links that cannot take that many devices, and what the operating system says about the
 * file of the ack log.
 */
export async function run(options: RunOptions, output: RunOutput, stop: AbortSignal): Promise<Summary> {
  const { links, devices, ratePerS, seed, count, identities, key, models, faults, boot, bufferFrames, maxWaitS } =
    options;
  const ackLog = options.ackLog === undefined ? undefined : new AckLog(options.ackLog);
  const fleet = new Fleet({
    links,
    devices,
    ratePerS,
    seed,
    count,
    identities,
    key,
    ackLog,
    ...(models === undefined ? {} : { models }),
    ...(faults === undefined ? {} : { faults }),
    ...(boot === undefined ? {} : { boot }),
    ...(bufferFrames === undefined ? {} : { bufferFrames }),
    ...(maxWaitS === undefined ? {} : { timing: impatient(maxWaitS * 1000) }),
    onCommand: (device, command, status) => {
      if (!options.json) output.log(`${device.idText} command ${command.id}: ${describe(command.value)} ${status}`);
    },
  });
  output.log(`${devices} devices, ${ratePerS} readings a second each, seed ${seed}`);
  fleet.start();
  const progress = options.json ? undefined : setInterval(() => output.log(progressLine(fleet)), PROGRESS_MS);
  await Promise.race([fleet.done(), elapsed(options.forS, stop)]);
  await fleet.finish(options.drainS * 1000);
  clearInterval(progress);
  ackLog?.close();
  const summary = fleet.summary();
  output.out(options.json ? JSON.stringify(summary) : readable(summary));
  return summary;
}

/** Readings neither acknowledged nor given up: what a run should end without. */
export function missing(summary: Summary): number {
  const { sent, acknowledged, dropped } = total(summary);
  return sent - acknowledged - dropped;
}

/** No wait between two tries, of a connection or of a HELLO on it, is longer than this. */
function impatient(maxMs: number): Partial<Timing> {
  const { maxReconnectMs, maxHelloMs } = DEFAULT_TIMING;
  return { maxReconnectMs: Math.min(maxMs, maxReconnectMs), maxHelloMs: Math.min(maxMs, maxHelloMs) };
}

function describe({ channel, value }: { channel: number; value: unknown }): string {
  const text = value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
  return `channel ${channel} = ${JSON.stringify(text)}`;
}

function progressLine(fleet: Fleet): string {
  const { sent, acknowledged } = total(fleet.summary());
  const up = fleet.devices.filter(({ state }) => state === 'running' || state === 'asleep').length;
  const why = up === 0 && fleet.lastTrouble !== undefined ? ` (${fleet.lastTrouble})` : '';
  return `${up} of ${fleet.devices.length} devices connected${why}, ${sent} readings, ${acknowledged} acknowledged`;
}

/** Resolves after `seconds` (never when undefined) or when `stop` is aborted. */
function elapsed(seconds: number | undefined, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) return resolve();
    const timer = seconds === undefined ? undefined : setTimeout(() => resolve(), seconds * 1000);
    stop.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
