/**
 * Commands from MQTT to devices.
 *
 * ```
 *   <base>/<device>/set            {"relay": true, "setpoint": 21.5, "id": "abc"}
 *   <base>/<device>/set/<channel>  ON
 *     └→ checked against the channel ─→ COMMAND ─→ RESULT
 *          └→ <base>/<device>/result  {"id":"abc","channel":"relay","status":"done","value":true}
 * ```
 *
 * One answer for each channel. A retained command is ignored: it would be carried out again at every reconnect.
 *
 * Whoever may write to the broker may flood us: so many values a second are taken, and so many may wait for devices. What
 * is beyond is answered with `busy`, the answers themselves at that rate too; then it is only counted.
 */
import type { Value } from '../../protocol/index.ts';
import type { Device, DeviceChannel } from '../devices/device.ts';
import type { LimitName, LimitWatch } from '../limits/limit-watch.ts';
import { BURST_S, TokenBucket } from '../limits/token-bucket.ts';
import type { RateLimitedLog } from '../log.ts';
import type { ControlPlane } from './bridge.ts';
import { type Converted, convert } from './command-value.ts';
import { parseFlatObject, type PlainValue } from './flat-json.ts';
import { jsonText } from './payload.ts';
import type { Topics } from './topics.ts';

/**
 * How a command ended: what the device or its session says (`done`, `refused`, `expired`, …), or one of ours, when it
 * was not sent at all.
 */
type OwnStatus = 'bad_request' | 'unknown_device' | 'unknown_channel' | 'not_writable' | 'bad_value' | 'busy';

/** Tells the asker how it ended; `value` is the value sent, as JSON. */
type Reply = (status: string, error: string, value?: string) => void;

export interface CommandLimits {
  /** Values taken a second, over all devices; a message without any counts as one. */
  readonly commandsPerS: number;
  /** Values that may wait for the answers of their devices. */
  readonly commandsWaiting: number;
}

export interface CommandsOptions {
  readonly connection: Pick<ControlPlane, 'publish'>;
  readonly topics: Topics;
  readonly deviceByAlias: (alias: string) => Device | undefined;
  /** Sends the value to the device; `done` is called once, with the device's answer or the reason why there is none. */
  readonly send: (device: Device, value: Value, done: (status: string, text: string) => void) => void;
  readonly limits: CommandLimits;
  readonly watch: LimitWatch;
  readonly log: RateLimitedLog;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export interface CommandStats {
  /** Values sent to devices. */
  sent: number;
  /** Values or whole messages that were answered without being sent. */
  refused: number;
  /** Retained messages ignored. */
  retained: number;
  /** Values on their way to devices, whose answer is still to come. */
  waiting: number;
  /** Values and messages beyond the limits. */
  limited: number;
}

const MAX_PAYLOAD_BYTES = 8 * 1024;
const MAX_VALUES = 64;
const MAX_ID_LENGTH = 64;

export class Commands {
  readonly stats: CommandStats = { sent: 0, refused: 0, retained: 0, waiting: 0, limited: 0 };
  readonly #options: CommandsOptions;

  readonly #rate: TokenBucket;
  readonly #busyAnswers: TokenBucket;

  constructor(options: CommandsOptions) {
    this.#options = options;
    const perSecond = (): number => options.limits.commandsPerS;
    this.#rate = new TokenBucket(() => perSecond() * BURST_S, perSecond, options.now);
    this.#busyAnswers = new TokenBucket(() => perSecond() * BURST_S, perSecond, options.now);
  }

  /** A message on `<device>/set`. */
  set(alias: string, payload: Buffer, retain: boolean): void {
    if (this.#ignored(alias, retain) || !this.#admitted(alias, undefined)) return;
    const members = payload.length <= MAX_PAYLOAD_BYTES ? parseFlatObject(payload.toString('utf8')) : undefined;
    if (members === undefined || members.size > MAX_VALUES) {
      this.#refuse(
        alias,
        undefined,
        undefined,
        'bad_request',
        `must be a JSON object of at most ${MAX_VALUES} plain values`,
      );
      return;
    }
    const device = this.#device(alias);
    const channels = device === undefined ? new Map<string, DeviceChannel>() : byAlias(device);
    const id = takeId(members, channels);
    if (device === undefined) {
      this.#refuse(alias, id, undefined, 'unknown_device', 'no device of this name is known');
      return;
    }
    if (members.size === 0) this.#refuse(alias, id, undefined, 'bad_request', 'there is no value in it');
    let first = true;
    for (const [name, value] of members) {
      // The message has paid for one.
      if (first || this.#admitted(alias, name, id)) {
        this.#command(device, channels, name, value, this.#replyOn(alias, id, channels.get(name)?.alias ?? name));
      }
      first = false;
    }
  }

  /** A message on `<device>/set/<channel>`. */
  setChannel(alias: string, channel: string, payload: Buffer, retain: boolean): void {
    if (this.#ignored(alias, retain) || !this.#admitted(alias, channel)) return;
    const device = this.#device(alias);
    if (device === undefined) {
      this.#refuse(alias, undefined, channel, 'unknown_device', 'no device of this name is known');
    } else if (payload.length > MAX_PAYLOAD_BYTES) {
      this.#refuse(alias, undefined, channel, 'bad_request', `must have at most ${MAX_PAYLOAD_BYTES} bytes`);
    } else {
      const text = payload.toString('utf8');
      this.#command(device, byAlias(device), channel, textValue(text), this.#replyOn(alias, undefined, channel));
    }
  }

  /**
   * A value from elsewhere than MQTT, as text, within the same limits; `done` is called once, with `done` or why not. The
   * answer goes to nobody else.
   */
  request(device: Device, channel: string, text: string, done: (status: string, error: string) => void): void {
    if (!this.#rate.take()) {
      this.#overLimit('commands_per_s', device.alias, done);
    } else if (text.length > MAX_PAYLOAD_BYTES) {
      this.#refused(done, 'bad_request', `must have at most ${MAX_PAYLOAD_BYTES} characters`);
    } else {
      this.#command(device, byAlias(device), channel, textValue(text), done);
    }
  }

  // ---------------------------------------------------------------------------------------------------------------

  #command(
    device: Device,
    channels: ReadonlyMap<string, DeviceChannel>,
    name: string,
    given: PlainValue,
    reply: Reply,
  ): void {
    const channel = channels.get(name);
    if (channel === undefined) {
      this.#refused(reply, 'unknown_channel', `channels: ${[...channels.keys()].join(', ')}`);
      return;
    }
    const { number, type, scale } = channel;
    if (!channel.writable || type === undefined) {
      this.#refused(reply, 'not_writable', 'the device has not declared this channel as writable');
      return;
    }
    const converted = channel.control === 'button' ? pressed(given) : convert(given, type, scale);
    if (!converted.ok) {
      this.#refused(reply, 'bad_value', converted.error);
      return;
    }
    const { value } = converted;
    if (this.stats.waiting >= this.#options.limits.commandsWaiting) {
      this.#overLimit('commands_waiting', device.alias, reply);
      return;
    }
    this.stats.sent++;
    this.stats.waiting++;
    this.#options.send(device, { channel: number, type, quality: 'good', value }, (status, text) => {
      this.stats.waiting--;
      reply(status, text, jsonText(type, value, scale));
    });
  }

  #device(alias: string): Device | undefined {
    return this.#options.deviceByAlias(alias);
  }

  #ignored(alias: string, retain: boolean): boolean {
    if (!retain) return false;
    this.stats.retained++;
    const text =
      'a retained command was ignored, as it would be carried out at every connect; publish it without retain';
    this.#options.log.warn('retained-command', { device: alias }, text);
    return true;
  }

  /** Whether the rate allows one more value. */
  #admitted(device: string, channel: string | undefined, id?: string): boolean {
    if (this.#rate.take()) return true;
    this.#overLimit('commands_per_s', device, this.#replyOn(device, id, channel));
    return false;
  }

  #overLimit(limit: LimitName, device: string, reply: Reply): void {
    this.stats.limited++;
    this.#options.watch.bite(limit, 'commands', 'a command was refused', { device });
    reply('busy', `limits.${limit} is reached; try again later`);
  }

  #refused(reply: Reply, status: OwnStatus, error: string): void {
    this.stats.refused++;
    reply(status, error);
  }

  #refuse(device: string, id: string | undefined, channel: string | undefined, status: OwnStatus, error: string): void {
    this.#refused(this.#replyOn(device, id, channel), status, error);
  }

  /** Answers on the device's result topic. */
  #replyOn(device: string, id: string | undefined, channel: string | undefined): Reply {
    return (status, error, value) => {
      if (status === 'busy' && !this.#busyAnswers.take()) return;
      this.#answer(device, id, channel, status, error, value);
    };
  }

  /** `id` and `value` are JSON already, the value with every digit. */
  #answer(
    device: string,
    id: string | undefined,
    channel: string | undefined,
    status: string,
    error: string,
    value: string | undefined,
  ): void {
    const parts: string[] = [];
    if (id !== undefined) parts.push(`"id":${id}`);
    if (channel !== undefined) parts.push(`"channel":${JSON.stringify(channel.slice(0, MAX_ID_LENGTH))}`);
    parts.push(`"status":${JSON.stringify(status)}`);
    if (value !== undefined) parts.push(`"value":${value}`);
    if (error !== '') parts.push(`"error":${JSON.stringify(error)}`);
    this.#options.connection.publish(this.#options.topics.result(device), `{${parts.join(',')}}`, { qos: 1 });
  }
}

/** A button takes no value: `PRESS`, which Home Assistant writes, or whatever means yes. */
function pressed(given: PlainValue): Converted {
  const isPress = given.kind === 'string' && given.text.trim().toUpperCase() === 'PRESS';
  const meant: Converted = isPress ? { ok: true, value: true } : convert(given, 'bool', 0);
  if (meant.ok && meant.value === true) return meant;
  return { ok: false, error: 'a button is pressed with PRESS, ON, true or 1' };
}

function textValue(text: string): PlainValue {
  return { kind: 'string', text };
}

function byAlias(device: Device): Map<string, DeviceChannel> {
  return new Map(Array.from(device.channels.values(), (channel) => [channel.alias, channel]));
}

/** Takes `id`, or else `transaction`, out of the members, as JSON for the answer; a channel of that name comes first. */
function takeId(members: Map<string, PlainValue>, channels: ReadonlyMap<string, DeviceChannel>): string | undefined {
  let id: string | undefined;
  for (const key of ['transaction', 'id']) {
    const member = members.get(key);
    if (member === undefined || channels.has(key)) continue;
    members.delete(key);
    if (member.kind === 'string') id = JSON.stringify(member.text.slice(0, MAX_ID_LENGTH));
    else if (member.kind === 'number' && member.text.length <= MAX_ID_LENGTH) id = member.text;
  }
  return id;
}
