/**
 * `bytes2mqtt demo`: everything at once, with nothing but this package.
 *
 * ```
 *   device-sim ─ TCP, UDP, serial line ─→ gateway ─→ embedded broker ─→ subscriber ─→ terminal
 * ```
 */
import { randomInt } from 'node:crypto';
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
const ASK_NAMES_MS = 1_000;
/** How long after the last acknowledgement the last reading may take to reach the subscriber. */
const SETTLE_MS = 5_000;

export async function runDemo(options: DemoOptions): Promise<ExitCode> {
  const cable = ptyProgram() === undefined ? undefined : await openPtyPair();
  const log = createLog({ level: 'warn', pretty: isPretty('auto') });
  const folder = mkdtempSync(join(tmpdir(), 'bytes2mqtt-demo-'));
  const gateway = await startGateway(demoConfig(cable, folder), log);
  const subscriber = await Subscriber.connect(`mqtt://${gateway.broker}`, gateway.base);
  const screen = new Screen(() => subscriber.devices.values());
  subscriber.onReading = (device) => screen.reading(device);

  screen.heading(headingOf(gateway, cable));
  screen.start();
  const names = setInterval(() => subscriber.askForNames(), ASK_NAMES_MS);
  const fleet = startFleet(fleetArguments(gateway, cable, options));
  const stop = (): void => fleet.stop();
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);

  const fleetSummary = await fleet.ended;
  if (fleetSummary !== undefined) await lastReadings(fleetSummary, subscriber);
  clearInterval(names);
  screen.stop();
  process.off('SIGINT', stop);
  process.off('SIGTERM', stop);
  const actuator = Array.from(subscriber.devices.values()).find(({ writable }) => writable !== undefined);
  const summary = fleetSummary && summarize(fleetSummary, subscriber, gateway, cable !== undefined);
  await subscriber.close();
  await gateway.close();
  await cable?.close();
  rmSync(folder, { recursive: true, force: true });

  if (summary === undefined) {
    printOut('The simulated devices ended without a summary: run "device-sim run" by itself to see why.');
    return EXIT.failed;
  }
  printOut(readable(summary));
  printOut(whatNext(gateway, actuator));
  if (options.json === true) printOut(JSON.stringify(summary));
  return isComplete(summary) ? EXIT.ok : EXIT.failed;
}

/** As a file would say it, on ports that are free. The journal is a real one, in a folder that goes with the demo. */
function demoConfig(cable: PtyPair | undefined, folder: string): Config {
  const env = {
    BYTES2MQTT_JOURNAL_DIR: folder,
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
  args.push('--seed', String(options.seed ?? randomInt(1_000_000)));
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
  return Object.values(summary).every(
    (tally) => 'skipped' in tally || (tally.received > 0 && tally.received === tally.sent),
  );
}

// --- words -----------------------------------------------------------------------------------------------------------

function headingOf(gateway: RunningGateway, cable: PtyPair | undefined): string[] {
  const [tcp, udp] = gateway.sources;
  return [
    'bytes2mqtt demo: simulated devices → gateway → MQTT broker → this subscriber',
    `  devices over   TCP ${tcp?.where}, UDP ${udp?.where}, ${cable === undefined ? 'no serial line' : `serial ${cable.a}`}`,
    ...(cable === undefined ? [`                 (${NO_PTY})`] : []),
    `  MQTT broker    ${gateway.broker}, topics ${gateway.base}/#`,
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

function whatNext(gateway: RunningGateway, actuator: SeenDevice | undefined): string {
  const [host = '', port = ''] = gateway.broker.split(':');
  const where = `-h ${host} -p ${port}`;
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
