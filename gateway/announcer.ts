/** Tells the log and the bridge's topics what happens to devices and sources. */
import { printable } from '../protocol/index.ts';
import type { RegisteredDevice } from './devices/registry.ts';
import type { Log, RateLimitedLog } from './log.ts';
import type { Bridge } from './mqtt/bridge.ts';
import type { MqttService } from './mqtt/mqtt-service.ts';
import type { RingLine } from './recorder/log-ring.ts';
import type { Refusals } from './refusals.ts';
import type { LinkListener, SessionEnd } from './sessions/link/link-context.ts';
import type { Refusal } from './sessions/link/refusal.ts';
import type { Source } from './sources/source.ts';

const MAX_NAME = 64;

export class Announcer implements LinkListener {
  readonly #bridge: Bridge;
  readonly #discovery: MqttService['discovery'];
  readonly #log: Log;
  readonly #limited: RateLimitedLog;
  readonly #refusals: Refusals;

  /** Told of what is worth showing beside the log. */
  onLine: ((line: Omit<RingLine, 'ts'>) => void) | undefined;

  constructor(
    { bridge, discovery }: Pick<MqttService, 'bridge' | 'discovery'>,
    log: Log,
    limited: RateLimitedLog,
    refusals: Refusals,
  ) {
    this.#bridge = bridge;
    this.#discovery = discovery;
    this.#log = log;
    this.#limited = limited;
    this.#refusals = refusals;
  }

  /** A device that is named and was never heard is offline, also for who looks for its availability. */
  expected(device: RegisteredDevice): void {
    this.#bridge.availabilityChanged(device);
  }

  online(device: RegisteredDevice, peer: string): void {
    this.#log.info({ device: device.alias, peer }, `${device.alias} is online`);
    this.#line(device, 'info', `online from ${peer}`);
    this.#discovery?.deviceChanged(device);
    this.#bridge.availabilityChanged(device);
    this.#bridge.event('device_online', { device: device.alias, peer });
    this.#bridge.infoChanged();
  }

  offline(device: RegisteredDevice, why: SessionEnd | 'report-overdue'): void {
    this.#log.info({ device: device.alias, why }, `${device.alias} is offline: ${why}`);
    this.#line(device, 'info', `offline: ${why}`);
    this.#bridge.availabilityChanged(device);
    this.#bridge.event('device_offline', { device: device.alias, why });
    this.#bridge.infoChanged();
  }

  schema(device: RegisteredDevice): void {
    const name = printable(device.schema?.name ?? '', MAX_NAME);
    this.#log.info(
      // Not `name`: loggers take that for their own.
      { device: device.alias, device_name: name, channels: device.channels.size },
      `${device.alias} is "${name}" with ${device.channels.size} channels`,
    );
    this.#line(device, 'info', `is "${name}" with ${device.channels.size} channels`);
    this.#discovery?.deviceChanged(device);
    this.#bridge.event('device_described', { device: device.alias, channels: device.channels.size });
    this.#bridge.infoChanged();
  }

  deviceLog(device: RegisteredDevice, level: 'debug' | 'info' | 'warning' | 'error', text: string): void {
    const fields = { device: device.alias, level, text: printable(text, 255) };
    this.#limited.info(`device-log ${device.id} ${level}`, fields, `${device.alias} logs`);
    this.#line(device, level, printable(text, 255));
    this.#bridge.deviceLog(device, level, text);
  }

  lost(device: RegisteredDevice, readings: number): void {
    this.#limited.warn(
      `lost ${device.id}`,
      { device: device.alias, readings },
      `${device.alias} had to drop ${readings} readings before it could deliver them`,
    );
    this.#line(device, 'warning', `had to drop ${readings} readings`);
    this.#bridge.deviceEvent(device, 'readings_lost', { readings });
  }

  refused(refusal: Refusal): void {
    this.#refusals.tell(refusal);
  }

  /** A source has changed its state; `where` is its address, `speaks` what runs on it. */
  source(source: Source, where: string, speaks: string): void {
    const fields = { source: source.id, where, speaks };
    if (source.state === 'open') {
      const verb = source.transport === 'serial' || source.transport === 'tcp-client' ? 'opened' : 'listening on';
      this.#log.info(fields, `${verb} ${where} (${source.transport}, ${speaks})`);
      this.#bridge.event('source_open', fields);
    } else if (source.state === 'failed' && source.error !== undefined) {
      const { code, message } = source.error;
      this.#limited.warn(`${code} ${source.id}`, { ...fields, code }, `${message}; tried again by itself`);
      this.#bridge.event('source_failed', { ...fields, code });
    }
    this.#bridge.infoChanged();
  }

  #line(device: RegisteredDevice, level: string, message: string): void {
    this.onLine?.({ level, message, device: device.alias });
  }
}
