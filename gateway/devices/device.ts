/** A device as the gateway knows it, whatever it is attached by. */
import type { ChannelClass, Schema, ValueType } from '../../protocol/index.ts';

/** A channel of a device, with the name that topics and JSON keys use. */
export interface DeviceChannel {
  readonly number: number;
  /** `[a-z0-9_]{1,32}`, unique within the device; the JSON key and the last part of the set topic. */
  readonly alias: string;
  /** As declared by the device, or the title of its profile; shown only as a JSON value. */
  readonly name: string;
  /** As declared, or undefined when the device has declared no schema. */
  readonly type: ValueType | undefined;
  readonly class: ChannelClass;
  /** The value is raw × 10^scale. */
  readonly scale: number;
  readonly unit: string;
  readonly writable: boolean;
  readonly totalIncreasing: boolean;
  readonly diagnostic: boolean;
  /** What only a profile knows. */
  /** False: it never has a value and only takes commands. */
  readonly readable?: boolean;
  /** How it is set. */
  readonly control?: 'bool' | 'number' | 'option' | 'text' | 'button';
  /** Of numbers, in shown units. */
  readonly step?: number;
  readonly range?: readonly [number, number];
  /** Decimals worth showing. */
  readonly precision?: number;
  /** All texts that it can have. */
  readonly options?: readonly string[];
}

export type Transport = 'tcp' | 'udp' | 'unix' | 'serial';

export interface Device {
  /** 16 lowercase hex digits: the u64 device id of the link protocol, or for others a hash of their name. */
  readonly id: string;
  /** `[a-z0-9_]{1,32}`, unique; the device's level in every topic. From the configuration, else the id. */
  readonly alias: string;
  /** What it has declared, or its profile says; undefined: nothing. */
  readonly schema: Schema | undefined;
  /** By channel number. Without a schema, a channel appears when its first value comes (`ch<number>`). */
  readonly channels: ReadonlyMap<number, DeviceChannel>;
  /** Counts up when `channels` changes, so that whoever derived something from them knows. */
  readonly channelsVersion: number;
  readonly transport: Transport | undefined;
  readonly online: boolean;
  /** Unix milliseconds of the last frame, or undefined. */
  readonly lastSeen: number | undefined;
  /** The newest lsn appended to the journal for it; 0 before the first. A record with a lower lsn is not its newest. */
  newestLsn: number;
}
