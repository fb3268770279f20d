/** What the configuration of a source says of the devices with a profile that are on it. */
import type { Profile } from '../../protocol/index.ts';

export interface ProfileUse {
  /** In the order of the file; at least one. Several share one line and are asked in turn. */
  readonly devices: readonly ProfileDeviceUse[];
  /** Aliases of devices that say in their frames who they are, by what they say. */
  readonly names: ReadonlyMap<string, string>;
  /** Take nothing from others than those. */
  readonly onlyNamed: boolean;
  /** UDP: whom requests are sent to, and the only one that is listened to. */
  readonly peer: { readonly host: string; readonly port: number } | undefined;
}

export interface ProfileDeviceUse {
  readonly profile: Profile;
  /** Of the text that the profile was made from: it changes with it. */
  readonly fingerprint: string;
  /** `[a-z0-9_]{1,32}`; where the frames say whose they are, the beginning of the alias. */
  readonly alias: string;
  /** Those that `profile.checkParameters` takes. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** How often it is asked, or how often what it says by itself is passed on; undefined: as the profile says. */
  readonly everyMs: number | undefined;
  /** Silence after which it counts as unavailable; undefined: as the profile says. */
  readonly timeoutMs: number | undefined;
}
