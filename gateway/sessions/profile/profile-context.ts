/** What all sessions with a profile share: the way onward, the limits, whom they tell, and what they count. */
import type { DeviceRegistry, RegisteredDevice } from '../../devices/registry.ts';
import type { DeviceRateLimits } from '../../limits/device-rate.ts';
import type { LimitWatch } from '../../limits/limit-watch.ts';
import type { Journal } from '../../journal/journal.ts';
import type { RateLimitedLog } from '../../log.ts';
import type { TimerQueue } from '../../timers.ts';
import type { SessionEnd } from '../link/link-context.ts';

export interface ProfileLimits extends DeviceRateLimits {
  /** How long a connection may stay unread because the way onward is full. */
  readonly throttleMs: number;
}

/** Whom the sessions tell what happens; everything here is rare compared with readings. */
export interface ProfileListener {
  /** The configuration names a device that was not heard yet. */
  expected(device: RegisteredDevice): void;
  online(device: RegisteredDevice, peer: string): void;
  offline(device: RegisteredDevice, why: SessionEnd): void;
  /** Its channels are known, or have become more. */
  schema(device: RegisteredDevice): void;
}

export interface ProfileContext {
  readonly registry: DeviceRegistry;
  readonly journal: Journal;
  readonly timers: TimerQueue;
  /** Monotonic milliseconds. */
  now(): number;
  /** Unix milliseconds. */
  wallNow(): number;
  readonly limits: ProfileLimits;
  readonly watch: LimitWatch;
  readonly listener: ProfileListener;
  readonly log: RateLimitedLog;
}

/** Counts of one source, or of one device on it. Reasons are words of ours. */
export interface ProfileCounters {
  /** Frames whose framing and checksum are right. */
  frames: number;
  /** Frames whose readings went into the journal. */
  readings: number;
  /** Requests sent, retries included. */
  requests: number;
  /** Requests without an answer in time, retries included. */
  timeouts: number;
  /** Answers that came after their request was given up: not used. */
  late: number;
  /** Answers to something else than what was asked: not used. */
  mismatched: number;
  /** Frames that nobody asked for where only answers are taken: not used. */
  unasked: number;
  /** Requests that the device has refused. */
  exceptions: number;
  /** Frames passed over because `every_s` asks for less. */
  thinned: number;
  /** Datagrams not taken because the journal was full. */
  busy: number;
  /** Datagrams not taken because their device had sent too many. */
  limited: number;
  /** Frames of which the checksum was wrong. */
  checksumErrors: number;
  /** Samples with an impossible time, dated by their arrival. */
  badTime: number;
  /** Values that found no channel, because all 256 are taken. */
  omitted: number;
  /** Whole frames that gave no readings, by reason. */
  readonly rejected: Map<string, number>;
  /** Received bytes that belong to no frame, by skip reason. */
  readonly skippedBytes: Map<string, number>;
}

export function createProfileCounters(): ProfileCounters {
  return {
    frames: 0,
    readings: 0,
    requests: 0,
    timeouts: 0,
    late: 0,
    mismatched: 0,
    unasked: 0,
    exceptions: 0,
    thinned: 0,
    busy: 0,
    limited: 0,
    checksumErrors: 0,
    badTime: 0,
    omitted: 0,
    rejected: new Map(),
    skippedBytes: new Map(),
  };
}

/** The plain counts among the counters. */
export type PlainProfileCounts = {
  readonly [Key in Exclude<keyof ProfileCounters, 'rejected' | 'skippedBytes'>]: number;
};

/** The counters as JSON. */
export type ProfileCountersView = PlainProfileCounts & {
  readonly rejected: Readonly<Record<string, number>>;
  readonly skipped_bytes: Readonly<Record<string, number>>;
};

export function profileCountersView(counters: ProfileCounters): ProfileCountersView {
  const { rejected, skippedBytes, ...plain } = counters;
  return { ...plain, rejected: Object.fromEntries(rejected), skipped_bytes: Object.fromEntries(skippedBytes) };
}
