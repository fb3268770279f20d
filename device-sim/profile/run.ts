/** One run of devices with profiles on a line, from the start to the summary. */
import { Backoff } from '../backoff.ts';
import { type FaultCounts, type FaultRates, noFaultsYet } from '../faults.ts';
import { Random } from '../random.ts';
import type { RunOutput } from '../run.ts';
import { Scheduler, task } from '../scheduler.ts';
import { type Listener, listenTcp } from '../transports/listener.ts';
import { SerialLine } from '../transports/serial.ts';
import { tcp } from '../transports/tcp.ts';
import type { Dial } from '../transports/transport.ts';
import { udp } from '../transports/udp.ts';
import { ProfileLine } from './line.ts';
import type { PlayedDevice, SaidFrame } from './played-device.ts';

/** Where the line is. */
export type ProfileLink =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'udp'; readonly host: string; readonly port: number }
  | { readonly kind: 'listen'; readonly host: string; readonly port: number }
  | { readonly kind: 'serial'; readonly path: string };

export interface PlayOptions {
  readonly link: ProfileLink;
  /** Makes the devices of the line; what they draw comes from `random`. */
  readonly devices: (random: Random) => readonly PlayedDevice[];
  /** Frames a second that each device says by itself. */
  readonly ratePerS: number;
  readonly baud: number;
  readonly forS: number | undefined;
  /** Ends when so many frames were said; undefined: by time or `stop`. */
  readonly count: number | undefined;
  readonly seed: number;
  readonly faults: FaultRates;
  readonly maxWaitS: number;
  readonly json: boolean;
}

export interface PlaySummary {
  readonly seed: number;
  readonly devices: readonly {
    readonly device: string;
    readonly profile: string;
    /** Frames said by itself, and in answer to requests. */
    readonly streamed: number;
    readonly answered: number;
    readonly requests: Readonly<Record<string, number>>;
  }[];
  readonly faults: FaultCounts;
}

interface Tally {
  streamed: number;
  answered: number;
  readonly requests: Map<string, number>;
}

const PROGRESS_MS = 2_000;
/** The longest that a timer can wait. */
const MAX_INTERVAL_MS = 0x7fff_ffff;

/**
 * Plays the devices until their time or count is over or `stop` is aborted. With `json` every frame that is said is one
 * line of `out`, and the summary the last one. RangeError for what the profiles do not have; what the system says when it
 * cannot listen.
 */
export async function play(options: PlayOptions, output: RunOutput, stop: AbortSignal): Promise<PlaySummary> {
  const { link, ratePerS, baud, forS, count, seed, faults, json } = options;
  const random = new Random(seed);
  const scheduler = new Scheduler();
  const devices = options.devices(random.fork('devices'));
  const faultCounts = noFaultsYet();
  const tallies = new Map<PlayedDevice, Tally>(
    devices.map((device) => [device, { streamed: 0, answered: 0, requests: new Map() }]),
  );
  let said = 0;
  const over = new AbortController();
  const line = new ProfileLine({
    devices,
    ratePerS,
    baud,
    faults,
    faultCounts,
    random,
    scheduler,
    onSaid: (frame) => {
      const tally = tallies.get(frame.device) as Tally;
      if (frame.why === 'stream' || frame.why === 'login') tally.streamed += 1;
      else tally.answered += 1;
      if (json) output.out(JSON.stringify(plain(frame)));
      said += 1;
      if (count === undefined || said < count) return;
      // At once: not a frame more.
      line.stop();
      over.abort();
    },
    onRequest: (device, name) => {
      const { requests } = tallies.get(device) as Tally;
      requests.set(name, (requests.get(name) ?? 0) + 1);
    },
  });
  const ends = [stop, over.signal];
  let listener: Listener | undefined;
  if (link.kind === 'listen') {
    listener = await listenTcp(link.host, link.port, (transport) => line.attach(transport, () => undefined));
    output.log(`listening on ${link.host}:${listener.port}`);
  } else keepConnected(line, dialOf(link, baud), options, scheduler, random, output, ends);
  output.log(`${devices.map(describe).join('; ')}; seed ${seed}`);
  line.start();
  const progress = json ? undefined : setInterval(() => output.log(`${said} frames said`), PROGRESS_MS);
  await elapsed(forS, ends);
  clearInterval(progress);
  line.stop();
  listener?.close();
  scheduler.stop();
  const summary: PlaySummary = {
    seed,
    devices: devices.map((device) => counted(device, tallies)),
    faults: faultCounts,
  };
  output.out(json ? JSON.stringify(summary) : readable(summary));
  return summary;
}

function dialOf(link: Exclude<ProfileLink, { kind: 'listen' }>, baud: number): Dial {
  switch (link.kind) {
    case 'serial':
      return () => new SerialLine(link.path, baud);
    case 'tcp':
      return () => tcp(link.host, link.port);
    case 'udp':
      return () => udp(link.host, link.port);
  }
}

/** Connects, and again after a growing wait when the connection is lost. */
function keepConnected(
  line: ProfileLine,
  dial: Dial,
  { maxWaitS }: PlayOptions,
  scheduler: Scheduler,
  random: Random,
  output: RunOutput,
  ends: readonly AbortSignal[],
): void {
  const backoff = new Backoff(random.fork('backoff'), 200, maxWaitS * 1_000);
  let openedMs = 0;
  const connect = task(() => {
    openedMs = scheduler.now();
    line.attach(dial(), (cause) => {
      if (ends.some(({ aborted }) => aborted)) return;
      // It held for a while: the next try is a first one.
      if (scheduler.now() - openedMs > 5_000) backoff.reset();
      const waitMs = backoff.next();
      const code = cause === undefined ? 'closed' : ((cause as NodeJS.ErrnoException).code ?? cause.message);
      output.log(`connection lost (${code}); again in ${(waitMs / 1_000).toFixed(1)} s`);
      scheduler.at(connect, scheduler.now() + waitMs);
    });
  });
  scheduler.at(connect, scheduler.now());
}

/** A frame as a line of JSON. */
function plain({ device, why, message, bytes, values }: SaidFrame): unknown {
  const shown = Object.entries(values).map(([name, value]) => [
    name,
    typeof value === 'bigint' ? String(value) : value,
  ]);
  return {
    device: device.label,
    profile: device.profile.name,
    why,
    message,
    hex: Buffer.from(bytes).toString('hex'),
    values: Object.fromEntries(shown) as unknown,
  };
}

function counted(device: PlayedDevice, tallies: ReadonlyMap<PlayedDevice, Tally>): PlaySummary['devices'][number] {
  const { streamed, answered, requests } = tallies.get(device) as Tally;
  return {
    device: device.label,
    profile: device.profile.name,
    streamed,
    answered,
    requests: Object.fromEntries(requests),
  };
}

function describe({ label, profile, streamed }: PlayedDevice): string {
  const says = streamed.length === 0 ? 'answers only' : `says ${streamed.join(', ')} by itself`;
  return `${label}: ${profile.about.title}, ${says}`;
}

function readable({ devices, faults }: PlaySummary): string {
  const lines = devices.map(({ device, profile, streamed, answered, requests }) => {
    const asked = Object.entries(requests).map(([name, times]) => `${name} ${times}`);
    return `${device} (${profile}): ${streamed} frames by itself, ${answered} in answer${asked.length === 0 ? '' : ` to ${asked.join(', ')}`}`;
  });
  const struck = Object.entries(faults).filter(([, times]) => times > 0);
  if (struck.length > 0) lines.push(`faults: ${struck.map(([name, times]) => `${name} ${times}`).join(', ')}`);
  return lines.join('\n');
}

/** Resolves after `seconds` (never when undefined) or when one of the signals is aborted. */
function elapsed(seconds: number | undefined, ends: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    // Even without an end and a connection there is something to wait for: it keeps the process alive.
    const timer = setInterval(() => finish(), seconds === undefined ? MAX_INTERVAL_MS : seconds * 1_000);
    const finish = (): void => {
      if (seconds === undefined && !ends.some(({ aborted }) => aborted)) return;
      clearInterval(timer);
      resolve();
    };
    for (const end of ends) end.addEventListener('abort', finish, { once: true });
    if (ends.some(({ aborted }) => aborted)) finish();
  });
}
