/** What all link sessions share: the way onward, the limits, and whom they tell. */
import type { RegisteredDevice, DeviceRegistry } from '../../devices/registry.ts';
import type { Transport } from '../../devices/device.ts';
import type { Journal } from '../../journal/journal.ts';
import type { LimitWatch } from '../../limits/limit-watch.ts';
import type { RateLimitedLog } from '../../log.ts';
import type { TimerQueue } from '../../timers.ts';
import type { Carrier } from './carrier.ts';
import type { Refusal } from './refusal.ts';

export interface LinkLimits {
  readonly handshakeMs: number;
  /** A frame once begun must be complete within this time. */
  readonly frameMs: number;
  readonly keepaliveS: number;
  /** Reliable frames that a device may have outstanding, 1–32. */
  readonly window: number;
  /** How long a connection may stay unread because the way onward is full. */
  readonly throttleMs: number;
  /** In all, and from one address. */
  readonly handshakesPerS: number;
  readonly handshakesPerAddressPerS: number;
  /** Sessions on one stream. */
  readonly sessionsPerConnection: number;
  /** Of one device. Ten seconds' worth may come at once. */
  readonly framesPerS: number;
  readonly bytesPerS: number;
  /** Of one device's schema, and its channels. */
  readonly schemaBytes: number;
  readonly channels: number;
  /** Commands that wait for one device. */
  readonly commandsPerDevice: number;
}

/** Counts of one transport. Plain fields: they are counted on the hot path. */
export interface LinkCounters {
  frames: number;
  /** READINGS and REPORT frames taken into the journal. */
  readings: number;
  duplicates: number;
  /** Frames that wait for a hole before them. */
  held: number;
  /** Reliable frames not taken because the journal was full. */
  busy: number;
  /** Frames not taken because their device had sent too many; on streams they come later instead. */
  limited: number;
  /** Values of channels beyond the limit, left out. */
  omitted: number;
  /** Samples with an impossible time, dated by their arrival. */
  badTime: number;
  /** Frames with a right checksum that were not accepted, by reason. Reasons are words of ours. */
  readonly rejected: Map<string, number>;
  /** Received bytes that belong to no frame, by skip reason. */
  readonly skippedBytes: Map<string, number>;
}

export function createLinkCounters(): LinkCounters {
  return {
    frames: 0,
    readings: 0,
    duplicates: 0,
    held: 0,
    busy: 0,
    limited: 0,
    omitted: 0,
    badTime: 0,
    rejected: new Map(),
    skippedBytes: new Map(),
  };
}

/** Adds to one of the maps of LinkCounters. */
export function count(map: Map<string, number>, reason: string, by = 1): void {
  map.set(reason, (map.get(reason) ?? 0) + by);
}

/** Why a session ended; stable words, seen in events. */
export type SessionEnd =
  | 'bye'
  /** BYE of a node that will be back: it stays available until its next report is overdue. */
  | 'sleeping'
  | 'closed'
  | 'connection-lost'
  | 'silent'
  | 'replaced'
  /** Its connection carries too many sessions. */
  | 'evicted'
  | 'throttled'
  | 'protocol-error'
  | 'device-error'
  | 'output-overflow'
  /** All numbers of its sealed channel are used. */
  | 'channel-spent'
  | 'shutdown';

/** Whom the sessions tell what happens; everything here is rare compared with readings. */
export interface LinkListener {
  online(device: RegisteredDevice, peer: string): void;
  offline(device: RegisteredDevice, why: SessionEnd | 'report-overdue'): void;
  schema(device: RegisteredDevice): void;
  /** A LOG message; `text` is raw text from the wire. */
  deviceLog(device: RegisteredDevice, level: 'debug' | 'info' | 'warning' | 'error', text: string): void;
  /** Readings that the device had to drop before it could deliver them. */
  lost(device: RegisteredDevice, readings: number): void;
  /** Something was not taken for want of the right key. */
  refused(refusal: Refusal): void;
}

/** What is known of a device beforehand, see DeviceConfig. */
export interface Credential {
  readonly key: Uint8Array | undefined;
  readonly plain: boolean;
}

export interface LinkContext {
  readonly registry: DeviceRegistry;
  /** By device id. */
  readonly credentials: ReadonlyMap<string, Credential>;
  readonly journal: Journal;
  readonly timers: TimerQueue;
  /** Monotonic milliseconds. */
  now(): number;
  /** Unix milliseconds. */
  wallNow(): number;
  /** A random u32. */
  randomU32(): number;
  readonly limits: LinkLimits;
  /**
   * Asked for each HELLO and each sealed REPORT before anything is computed. 0: go ahead; otherwise the seconds that the
   * peer should be told to wait (ERROR rate_limited). What is refused is counted and logged already.
   */
  admitHandshake(carrier: Carrier): number;
  readonly watch: LimitWatch;
  readonly counters: Readonly<Record<Transport, LinkCounters>>;
  readonly listener: LinkListener;
  readonly log: RateLimitedLog;
}
