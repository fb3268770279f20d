/** What the API and the live feed say; shared by the server and the page. Types only. Times are Unix milliseconds. */

/** A value as JSON has it: integers beyond 2^53 and raw bytes are text. Null: a fault. */
export type ShownValue = number | string | boolean | null;

export interface ChannelState {
  readonly number: number;
  readonly alias: string;
  readonly name: string;
  readonly type: string | undefined;
  readonly class: string;
  readonly unit: string;
  readonly diagnostic: boolean;
  readonly writable: boolean;
  /** False: it only takes commands. */
  readonly readable: boolean;
  readonly control: 'bool' | 'number' | 'option' | 'text' | 'button' | undefined;
  readonly options: readonly string[] | undefined;
  readonly range: readonly [number, number] | undefined;
  readonly step: number | undefined;
  readonly precision: number | undefined;
  /** Left out: it has said nothing yet. */
  readonly value?: ShownValue;
  /** Left out: good. */
  readonly quality?: string;
  readonly ts?: number;
  /** Whether there is a history to plot. */
  readonly plotted: boolean;
}

export interface DeviceState {
  readonly id: string;
  readonly alias: string;
  readonly name: string;
  readonly model: string;
  readonly firmware: string;
  readonly online: boolean;
  readonly transport: string | undefined;
  readonly peer: string | undefined;
  /** Sealed with its key; left out without a session. */
  readonly sealed?: boolean;
  readonly last_seen: number | undefined;
  /** Counts and milliseconds of the line to it, by name. */
  readonly link: Readonly<Record<string, number>>;
  readonly channels: readonly ChannelState[];
  /** Another number: other channels, or names. */
  readonly version: number;
}

/** What changes of a device by the second. */
export type DeviceNews = Pick<
  DeviceState,
  'alias' | 'online' | 'transport' | 'peer' | 'sealed' | 'last_seen' | 'link' | 'version'
>;

export interface SourceState {
  readonly id: string;
  readonly where: string;
  readonly transport: string;
  readonly speaks: string;
  readonly state: string;
  readonly error?: string;
  readonly channels: number;
  readonly accepted: number;
  readonly refused: number;
  readonly failed: number;
  readonly bytes_read: number;
  readonly bytes_written: number;
  readonly dropped?: number;
  /** Frames that were not accepted and bytes that were skipped, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
  readonly skipped_bytes: Readonly<Record<string, number>>;
}

/** Somebody who is connected, or was a short while ago, and has said nothing that is understood. */
export interface SilentPeer {
  readonly source: string;
  readonly peer: string;
  readonly since: number;
  /** When it has gone; left out while it is connected. */
  readonly gone?: number;
  /** How often it has come and gone lately. */
  readonly times: number;
  readonly bytes_read: number;
  /** A stable word, and a sentence for people. */
  readonly reason: string;
  readonly hint: string;
  /** The last bytes that have come, as hex. */
  readonly last: string;
}

export interface GatewayState {
  readonly version: string;
  readonly node: string;
  readonly started_at: number;
  readonly base: string;
  readonly broker: string;
  readonly connected: boolean;
  readonly mqtt_version: string | undefined;
  readonly memory_bytes: number;
  readonly cpu_ms: number;
  readonly connections: number;
  readonly published: number;
  readonly in_flight: number;
  readonly journal: {
    readonly durability: string;
    readonly depth: number;
    readonly held: number;
    readonly oldest_age_ms: number | undefined;
    readonly bytes_on_disk: number;
    readonly full: boolean;
    readonly trouble: string | undefined;
    readonly dead_letters: number | undefined;
  };
  /** How often each limit has bitten; those that never did are left out. */
  readonly limits: Readonly<Record<string, number>>;
}

/** GET /api/state */
export interface WholeState {
  readonly now: number;
  readonly gateway: GatewayState;
  readonly devices: readonly DeviceState[];
  readonly sources: readonly SourceState[];
  readonly silent: readonly SilentPeer[];
}

/** GET /api/devices/:device/history?since=MS: by channel alias. */
export type DeviceHistory = Readonly<
  Record<string, { readonly t: number[]; readonly min: number[]; readonly max: number[]; readonly last: number[] }>
>;

export interface LogLine {
  readonly ts: number;
  readonly level: string;
  readonly message: string;
  /** Alias, when it is about a device. */
  readonly device?: string;
}

/** POST /api/devices/:device/set with {channel, value}. */
export interface SetAnswer {
  /** `done`, or a stable word that says why not. */
  readonly status: string;
  readonly error?: string;
}

/** A frame as it passes; `parts` are `[at, length, name, value, meaning]` in the order of the bytes. */
export interface FrameView {
  readonly ts: number;
  readonly source: string;
  readonly peer: string;
  readonly device: string | undefined;
  readonly direction: 'in' | 'out';
  readonly kind: 'frame' | 'skip';
  readonly reason: string | undefined;
  /** Two digits a byte, at most the first 512 bytes. */
  readonly hex: string;
  readonly length: number;
  readonly message: string | undefined;
  readonly parts: readonly (readonly [number, number, string, string, string])[];
  readonly problem: { readonly code: string; readonly text: string } | undefined;
}

/** What the live feed sends. */
export type Push =
  | { readonly t: 'hello' }
  /** By device alias, then channel alias: `[value, ts]`, with the quality behind it when it is not good. */
  | {
      readonly t: 'values';
      readonly d: Readonly<Record<string, Readonly<Record<string, readonly [ShownValue, number, string?]>>>>;
    }
  | { readonly t: 'devices'; readonly d: readonly DeviceNews[] }
  | { readonly t: 'sources'; readonly d: readonly SourceState[] }
  | { readonly t: 'silent'; readonly d: readonly SilentPeer[] }
  | { readonly t: 'gateway'; readonly d: GatewayState }
  | { readonly t: 'frame'; readonly d: FrameView }
  | { readonly t: 'dropped'; readonly n: number }
  | { readonly t: 'log'; readonly d: LogLine };

/** What a page says to the live feed. */
export interface Wish {
  readonly watch: readonly ('values' | 'devices' | 'sources' | 'silent' | 'gateway' | 'frames' | 'log')[];
  readonly source?: string;
  readonly device?: string;
}
