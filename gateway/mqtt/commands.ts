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
 */
import type { Value } from '../../protocol/index.ts';
import type { Device, DeviceChannel } from '../devices/device.ts';
import type { ControlPlane } from './bridge.ts';
import { convert } from './command-value.ts';
import { parseFlatObject, type PlainValue } from './flat-json.ts';
import { jsonText } from './payload.ts';
import type { Topics } from './topics.ts';

/**
 * How a command ended: what the device or its session says (`done`, `refused`, `expired`, …), or one of ours, when it
 * was not sent at all.
 */
type OwnStatus = 'bad_request' | 'unknown_device' | 'unknown_channel' | 'not_writable' | 'bad_value';

export interface CommandsOptions {
  readonly connection: Pick<ControlPlane, 'publish'>;
  readonly topics: Topics;
  readonly deviceByAlias: (alias: string) => Device | undefined;
  /** Sends the value to the device; `done` is called once, with the device's answer or the reason why there is none. */
  readonly send: (device: Device, value: Value, done: (status: string, text: string) => void) => void;
}

export interface CommandStats {
  /** Values sent to devices. */
  sent: number;
  /** Values or whole messages that were answered without being sent. */
  refused: number;
  /** Retained messages ignored. */
  retained: number;
}

const MAX_PAYLOAD_BYTES = 8 * 1024;
const MAX_VALUES = 64;
const MAX_ID_LENGTH = 64;

export class Commands {
  readonly stats: CommandStats = { sent: 0, refused: 0, retained: 0 };
  readonly #options: CommandsOptions;

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  /** A message on `<device>/set`. */
  set(alias: string, payload: Buffer, retain: boolean): void {
    if (this.#ignored(retain)) return;
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
    for (const [name, value] of members) this.#command(device, channels, name, value, id);
  }

  /** A message on `<device>/set/<channel>`. */
  setChannel(alias: string, channel: string, payload: Buffer, retain: boolean): void {
    if (this.#ignored(retain)) return;
    const device = this.#device(alias);
    if (device === undefined) {
      this.#refuse(alias, undefined, channel, 'unknown_device', 'no device of this name is known');
    } else if (payload.length > MAX_PAYLOAD_BYTES) {
      this.#refuse(alias, undefined, channel, 'bad_request', `must have at most ${MAX_PAYLOAD_BYTES} bytes`);
    } else {
      this.#command(device, byAlias(device), channel, { kind: 'string', text: payload.toString('utf8') }, undefined);
    }
  }

  // ---------------------------------------------------------------------------------------------------------------

  #command(
    device: Device,
    channels: ReadonlyMap<string, DeviceChannel>,
    name: string,
    given: PlainValue,
    id: string | undefined,
  ): void {
    const channel = channels.get(name);
    if (channel === undefined) {
      this.#refuse(device.alias, id, name, 'unknown_channel', `channels: ${[...channels.keys()].join(', ')}`);
      return;
    }
    const { number, alias, type, scale } = channel;
    if (!channel.writable || type === undefined) {
      this.#refuse(device.alias, id, alias, 'not_writable', 'the device has not declared this channel as writable');
      return;
    }
    const converted = convert(given, type, scale);
    if (!converted.ok) {
      this.#refuse(device.alias, id, alias, 'bad_value', converted.error);
      return;
    }
    const { value } = converted;
    this.stats.sent++;
    this.#options.send(device, { channel: number, type, quality: 'good', value }, (status, text) => {
      this.#answer(device.alias, id, alias, status, text, jsonText(type, value, scale));
    });
  }

  #device(alias: string): Device | undefined {
    return this.#options.deviceByAlias(alias);
  }

  #ignored(retain: boolean): boolean {
    if (retain) this.stats.retained++;
    return retain;
  }

  #refuse(device: string, id: string | undefined, channel: string | undefined, status: OwnStatus, error: string): void {
    this.stats.refused++;
    this.#answer(device, id, channel, status, error, undefined);
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
