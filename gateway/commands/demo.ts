/**
 * `bytes2mqtt demo`: everything at once, with nothing but this package.
 *
 * ```
 *   device-sim ─ TCP, UDP, serial line ─→ gateway ─→ embedded broker ─→ subscriber ─→ terminal
 * ```
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { type FleetSummary, startFleet } from '../demo/fleet-process.ts';
import { openPtyPair, type PtyPair, ptyProgram } from '../demo/pty-pair.ts';
import { Screen } from '../demo/screen.ts';
import { type SeenDevice, Subscriber } from '../demo/subscriber.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { type RunningGateway, startGateway } from '../gateway.ts';
import { createLog, isPretty } from '../log.ts';
import { printOut } from './terminal.ts';

export interface DemoOptions {
  /** End after so many seconds; undefined: at SIGINT or SIGTERM. */
  readonly for?: number | undefined;
  /** The summary as JSON on the last line. */
  readonly json?: boolean | undefined;
  readonly seed?: number | undefined;
}

/** What became of the readings of one transport, each counted once at every station of its way. */
interface Tally {
  sent: number;
  acknowledged: number;
  published: number;
  received: number;
}

type DemoSummary = Record<'tcp' | 'udp' | 'serial', Tally | { skipped: string }>;

const NO_PTY = 'this machine has neither socat nor python3 for a pseudo-terminal';
/** Six models in turn over three transports; the serial line takes one device. */
const DEVICES_WITH_SERIAL = 7;
const DEVICES_WITHOUT_SERIAL = 6;
/** The same devices each time, so that what one demo says of them holds for the next. Their boots the gateway counts. */
const DEFAULT_SEED = 2_883;
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** A signal so long after the first one means: at once. */
const IMPATIENT_MS = 1_000;
const NOTHING_SENT = 'Nothing was sent yet: the demo ended before the first reading. Give it a few seconds.';
const ASK_NAMES_MS = 1_000;
/** How long after the last acknowledgement the last reading may take to reach the subscriber. */
const SETTLE_MS = 5_000;

export async function runDemo(options: DemoOptions): Promise<ExitCode> {
  const stop = new AbortController();
  let askedAt: number | undefined;
  const onSignal = (): void => {
    askedAt ??= Date.now();
    stop.abort();
    // npm passes on a Ctrl-C that the terminal has sent to us too; a person takes longer to lose patience.
    if (Date.now() - askedAt > IMPATIENT_MS) process.exit(EXIT.failed);
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  // In the order in which they came; gone through backwards, whatever happens.
  const cleanups: (() => unknown)[] = [];
  try {
    return await demo(options, stop.signal, cleanups);
  } finally {
    for (const cleanup of cleanups.toReversed()) await cleanup();
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
  }
}

async function demo(options: DemoOptions, stop: AbortSignal, cleanups: (() => unknown)[]): Promise<ExitCode> {
  const cable = ptyProgram() === undefined ? undefined : await openPtyPair();
  cleanups.push(() => cable?.close());
  const log = createLog({ level: 'warn', pretty: isPretty('auto') });
  const folder = mkdtempSync(join(tmpdir(), 'bytes2mqtt-demo-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const gateway = await startGateway(demoConfig(cable, folder), log);
  cleanups.push(() => gateway.close());
  const subscriber = await Subscriber.connect(`mqtt://${gateway.broker}`, gateway.base);
  cleanups.push(() => subscriber.close());
  const screen = new Screen(() => subscriber.devices.values());
  subscriber.onReading = (device) => screen.reading(device);

  screen.heading(headingOf(gateway, cable));
  screen.start();
  cleanups.push(() => screen.stop());
  const names = setInterval(() => subscriber.askForNames(), ASK_NAMES_MS);
  cleanups.push(() => clearInterval(names));
  const fleetSummary = stop.aborted ? undefined : await runFleet(fleetArguments(gateway, cable, options), stop);
  if (fleetSummary !== undefined) await lastReadings(fleetSummary, subscriber);
  screen.stop();
  const summary = fleetSummary && summarize(fleetSummary, subscriber, gateway, cable !== undefined);

  // Stopped before the fleet was ready to say anything, which is as good as nothing sent.
  if (summary === undefined && !stop.aborted) {
    printOut('The simulated devices ended without a summary: run "device-sim run" by itself to see why.');
    return EXIT.failed;
  }
  if (summary === undefined || isEmpty(summary)) printOut(`${NOTHING_SENT}\n`);
  else printOut(readable(summary));
  printOut(whatNext(gateway, subscriber.devices.values()));
  if (summary === undefined) return EXIT.ok;
  if (options.json === true) printOut(JSON.stringify(summary));
  return isComplete(summary) ? EXIT.ok : EXIT.failed;
}

/** Runs the fleet to its end, or until it is stopped. */
async function runFleet(args: readonly string[], stop: AbortSignal): Promise<FleetSummary | undefined> {
  const fleet = startFleet(args);
  stop.addEventListener('abort', () => fleet.stop());
  return await fleet.ended;
}

/** As a file would say it, on ports that are free. The journal is a real one, in a folder that goes with the demo. */
function demoConfig(cable: PtyPair | undefined, folder: string): Config {
  const env = {
    BYTES2MQTT_JOURNAL_DIR: folder,
    // The usual port may be taken by a gateway that is at work.
    BYTES2MQTT_HTTP_PORT: '0',
    BYTES2MQTT_SOURCES_0_TCP: '127.0.0.1:0',
    BYTES2MQTT_SOURCES_1_UDP: '127.0.0.1:0',
    ...(cable !== undefined && { BYTES2MQTT_SOURCES_2_SERIAL: cable.a }),
  };
  const loaded = loadConfig({ env, cwd: '/nonexistent' });
  if (!loaded.ok) throw new Error(`the demo's configuration is wrong: ${JSON.stringify(loaded.problems)}`);
  return loaded.config;
}

function fleetArguments(gateway: RunningGateway, cable: PtyPair | undefined, options: DemoOptions): string[] {
  const [tcp, udp] = gateway.sources;
  const args = ['--tcp', tcp?.where ?? '', '--udp', udp?.where ?? ''];
  if (cable !== undefined) args.push('--serial', cable.b);
  args.push('--devices', String(cable === undefined ? DEVICES_WITHOUT_SERIAL : DEVICES_WITH_SERIAL));
  args.push('--seed', String(options.seed ?? DEFAULT_SEED));
  if (options.for !== undefined) args.push('--for', String(options.for));
  return args;
}

/** Waits until the subscriber has all that was acknowledged, or for SETTLE_MS. */
async function lastReadings(fleet: FleetSummary, subscriber: Subscriber): Promise<void> {
  const acknowledged = Object.values(fleet.byTransport).reduce((sum, totals) => sum + totals.acknowledged, 0);
  const giveUpAt = Date.now() + SETTLE_MS;
  const received = (): number =>
    Array.from(subscriber.devices.values()).reduce((sum, device) => sum + device.received, 0);
  while (received() < acknowledged && Date.now() < giveUpAt) await new Promise((resolve) => setTimeout(resolve, 50));
}

function summarize(
  fleet: FleetSummary,
  subscriber: Subscriber,
  gateway: RunningGateway,
  withSerial: boolean,
): DemoSummary {
  const receivedById = new Map(Array.from(subscriber.devices.values(), ({ id, received }) => [id, received]));
  const tally = (transport: 'tcp' | 'udp' | 'serial'): Tally => ({
    sent: fleet.byTransport[transport]?.sent ?? 0,
    acknowledged: fleet.byTransport[transport]?.acknowledged ?? 0,
    published: gateway.published[transport],
    received: (fleet.deviceIds[transport] ?? []).reduce((sum, id) => sum + (receivedById.get(id) ?? 0), 0),
  });
  return { tcp: tally('tcp'), udp: tally('udp'), serial: withSerial ? tally('serial') : { skipped: NO_PTY } };
}

function isComplete(summary: DemoSummary): boolean {
  return Object.values(summary).every((tally) => 'skipped' in tally || tally.received === tally.sent);
}

/** Not one reading was taken. */
function isEmpty(summary: DemoSummary): boolean {
  return Object.values(summary).every((tally) => 'skipped' in tally || tally.sent === 0);
}

// --- words -----------------------------------------------------------------------------------------------------------

function headingOf(gateway: RunningGateway, cable: PtyPair | undefined): string[] {
  const [tcp, udp] = gateway.sources;
  return [
    'bytes2mqtt demo: simulated devices → gateway → MQTT broker → this subscriber',
    `  devices over   TCP ${tcp?.where}, UDP ${udp?.where}, ${cable === undefined ? 'no serial line' : `serial ${cable.a}`}`,
    ...(cable === undefined ? [`                 (${NO_PTY})`] : []),
    `  MQTT broker    ${gateway.broker}, topics ${gateway.base}/#`,
    ...(gateway.dashboard === undefined ? [] : [`  dashboard      http://${gateway.dashboard}/`]),
    `  look yourself  ${subscribeCommand(gateway)}   (in another terminal; Ctrl-C ends the demo)`,
  ];
}

function readable(summary: DemoSummary): string {
  const columns = ['sent', 'acknowledged', 'published', 'received'] as const;
  const lines = [`${''.padEnd(8)}${columns.map((name) => name.padStart(14)).join('')}`];
  for (const [transport, tally] of Object.entries(summary)) {
    const cells =
      'skipped' in tally ? `  ${tally.skipped}` : columns.map((name) => String(tally[name]).padStart(14)).join('');
    lines.push(`${transport.padEnd(8)}${cells}`);
  }
  const verdict = isComplete(summary) ? 'Every reading that was sent has arrived.' : 'Readings are missing!';
  return `${lines.join('\n')}\n${verdict}\n`;
}

/** With the client that this package has anyway. */
function subscribeCommand(gateway: RunningGateway): string {
  const [host = '', port = ''] = gateway.broker.split(':');
  return `npx mqtt sub -h ${host} -p ${port} -t '${gateway.base}/#' -v`;
}

function whatNext(gateway: RunningGateway, devices: Iterable<SeenDevice>): string {
  const [host = '', port = ''] = gateway.broker.split(':');
  const where = `-h ${host} -p ${port}`;
  const actuator = Array.from(devices).find(({ writable }) => writable !== undefined);
  const channel = actuator?.writable;
  return [
    'What to try next. While "npm run demo" runs, in another terminal:',
    `  ${subscribeCommand(gateway)}`,
    ...(actuator !== undefined && channel !== undefined
      ? [`  npx mqtt pub ${where} -t ${gateway.base}/${actuator.alias}/set/${channel} -m ON`]
      : []),
    'A gateway of your own, and devices for it in another terminal:',
    '  npx bytes2mqtt init && npx bytes2mqtt run',
    '  npx device-sim run --tcp 127.0.0.1:2883',
    '',
  ].join('\n');
}
