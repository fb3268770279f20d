/**
 * What a device profile is to the rest: the contract that the compiler of YAML files and a codec by hand both fulfil.
 *
 * ```
 *   profile file ─ loadProfile ─→ Profile ─ open(parameters) ─→ ProfileInstance       one for each device on a line
 *
 *   bytes ─→ createDecoder() ─→ verified frame ─→ decode() ─→ samples, replies        gateway
 *   polls, init, command() ─→ request bytes, and which frame answers them             gateway
 *   values ─→ encode(), answer() ─→ bytes                                             simulator
 *   frame ─→ explain() ─→ every byte named                                            people
 * ```
 *
 * Nothing here does I/O or keeps time; bad bytes are values.
 */
import type { FrameDecoder } from '../framing/frame-decoder.ts';
import type { Sample } from '../link/readings.ts';
import type { ChannelClass, ValueType } from '../link/value.ts';

/** A device type: what its file says, compiled. Immutable; shared by all its instances. */
export interface Profile {
  /** `[a-z0-9_]{1,32}`: the name of the file, or of the codec. */
  readonly name: string;
  readonly about: ProfileAbout;
  /**
   * Everything that can come out of `decode`, numbered 0–255 in the order of the file, so that numbers are stable; repeats
   * are listed up to their maximum. Numbers that are not listed appear through `DecodedProfileFrame.newChannels`.
   */
  readonly channels: readonly ProfileChannel[];
  readonly commands: readonly ProfileCommand[];
  readonly messages: readonly ProfileMessage[];
  readonly parameters: readonly ProfileParameter[];
  /** What is wrong with these parameters; empty when `open` takes them. */
  checkParameters(given: Readonly<Record<string, unknown>>): ParameterProblem[];
  /** The state of one device or line. RangeError for parameters that `checkParameters` refuses. */
  open(parameters?: Readonly<Record<string, unknown>>): ProfileInstance;
}

/** What people and the opening of a port need to know; nothing of it takes part in decoding. */
export interface ProfileAbout {
  readonly title: string;
  readonly vendor: string | undefined;
  readonly models: readonly string[];
  readonly description: string | undefined;
  readonly wiring: string | undefined;
  readonly links: readonly string[];
  readonly serial: SerialSettings | undefined;
  /** Which transports make sense; a hint for docs and the simulator. `modbus-tcp` is TCP with MBAP framing. */
  readonly transport: 'stream' | 'datagram' | 'modbus-rtu' | 'modbus-tcp' | 'modbus-ascii';
  /** Silence of this many milliseconds within a frame ends it (`expire()`); undefined: the owner's default. */
  readonly gapMs: number | undefined;
  /** The same in characters of the line's baud rate (Modbus RTU: 3.5). */
  readonly gapChars: number | undefined;
  /** After so much silence the device counts as unavailable; undefined: the owner's default. */
  readonly timeoutMs: number | undefined;
  /** The longest frame, in bytes. */
  readonly maxFrameBytes: number;
  /** Decode nothing that was not asked for. */
  readonly onlyAnswers: boolean;
  /** Its frames say which device they are of: `decode` gives `device`. */
  readonly identified?: boolean;
}

export interface SerialSettings {
  readonly baud: number;
  readonly dataBits: 7 | 8;
  readonly parity: 'none' | 'even' | 'odd';
  readonly stopBits: 1 | 2;
}

/** A channel: how its values are to be read and shown. The shown value of a number is `value × 10^scale`. */
export interface ProfileChannel {
  /** 0–255. */
  readonly number: number;
  /** `[a-z0-9_]{1,32}`, unique within the profile. */
  readonly alias: string;
  readonly title: string;
  readonly type: ValueType;
  readonly scale: number;
  /** Home Assistant's spelling; may be empty. */
  readonly unit: string;
  readonly class: ChannelClass;
  readonly diagnostic: boolean;
  readonly totalIncreasing: boolean;
  /** Decimals worth showing. */
  readonly precision: number | undefined;
  /** For text that is made of a few words: all of them, in the order of the file. */
  readonly options: readonly string[] | undefined;
  /** It is always exactly one of them: no flags, and no number that has no name. */
  readonly closed?: boolean;
  /** What the sensor can measure, in shown units; outside the quality is `out_of_range`. */
  readonly range: readonly [number, number] | undefined;
  /** The command that sets what this channel shows; undefined: read only. */
  readonly command: string | undefined;
  /** False for the channel that a command without a field to show it has: it never comes out of `decode`. */
  readonly readable: boolean;
  /** Part of a counted repeat: register it when it first has a value. */
  readonly repeated: boolean;
}

/** Something that can be set: a writable channel. */
export interface ProfileCommand {
  readonly alias: string;
  readonly title: string;
  /** `button` takes no value. */
  readonly kind: 'bool' | 'number' | 'option' | 'text' | 'button';
  /** The number of its channel: that of `shows`, or one of its own. */
  readonly channel: number;
  /** The alias of the channel that shows what is set. */
  readonly shows: string | undefined;
  /** For `number`, in shown units. */
  readonly range: readonly [number, number] | undefined;
  readonly step: number | undefined;
  /** For `option`. */
  readonly options: readonly string[] | undefined;
  readonly unit: string;
  readonly class: ChannelClass;
}

/** A kind of frame. */
export interface ProfileMessage {
  readonly name: string;
  /** `up` comes from the device, `down` is what we (or another host) send. */
  readonly direction: 'up' | 'down';
  /** What `encode` takes: aliases of channels, and names of hidden fields. */
  readonly fields: readonly ProfileField[];
}

/** What `encode` can put in a message; enough for the simulator to make up plausible values. */
export interface ProfileField {
  /** The alias, or the name of a hidden field. */
  readonly name: string;
  readonly hidden: boolean;
  readonly kind: 'number' | 'bool' | 'text' | 'flags' | 'option';
  /** The least and greatest number that fits, in shown units. */
  readonly limits: readonly [number, number] | undefined;
  /** The difference between two neighbouring numbers in shown units; undefined: not a number, or a float. */
  readonly step: number | undefined;
  /** What is plausible; given by the file. */
  readonly range: readonly [number, number] | undefined;
  /** Names that fit: of an option, or of flags. */
  readonly options: readonly string[] | undefined;
  /** The most bytes that a text may have. */
  readonly maxBytes: number | undefined;
  /** Only characters 0–9 (`digits`) or whole bytes as hex digits (`hex`) fit. */
  readonly text: 'digits' | 'hex' | 'any' | undefined;
  /** Part of a counted repeat: its number there (0 is the first); undefined otherwise. */
  readonly index: number | undefined;
  /** May be left out of what `encode` is given without leaving a zero in the frame. */
  readonly optional: boolean;
  readonly class: ChannelClass;
  readonly unit: string;
  readonly totalIncreasing: boolean;
}

/** A setting that the configuration may give a device (its address on a bus). */
export interface ProfileParameter {
  readonly name: string;
  readonly kind: 'number' | 'text' | 'bytes';
  readonly description: string | undefined;
  readonly default: number | string | undefined;
  /** For numbers. */
  readonly range: readonly [number, number] | undefined;
}

export interface ParameterProblem {
  readonly name: string;
  /** What would be right. */
  readonly message: string;
}

/** One device on one line: its parameters, and what it remembers of earlier frames. */
export interface ProfileInstance {
  readonly profile: Profile;
  /** A decoder of what the device sends: its frames have been verified (length, tail, checksum). */
  createDecoder(): FrameDecoder;
  /** A decoder of what is sent to the device: for the simulator. Its frames are requests that `answer` may know. */
  createRequestDecoder(): FrameDecoder;
  /**
   * The readings of a frame out of `createDecoder`. With `request` the frame is taken for the answer to it (Modbus
   * answers do not name their registers). Never throws, whatever the bytes.
   */
  decode(frame: Uint8Array, request?: OutgoingRequest): DecodedProfileFrame;
  /** Why a frame, or a skip with the reason `bad-checksum`, fails its checksum; undefined when it does not. */
  failedChecksum(bytes: Uint8Array): FailedChecksum | undefined;
  /** To be sent in this order after the line opens, and again after a long silence. */
  readonly init: readonly InitStep[];
  readonly polls: readonly Poll[];
  /** The request that sets `alias` (of a command, or of the channel that shows it); no value for a button. */
  command(alias: string, value: boolean | number | bigint | string | undefined): CommandResult;
  /**
   * A whole frame as it goes over the wire. Values that are left out become their "no reading", or 0; unknown names are
   * ignored. RangeError for a value that does not fit its field, or an unknown message: the caller's mistake.
   */
  encode(message: string, values: FieldValues): Uint8Array;
  /** What the device would say to these bytes (a frame out of `createRequestDecoder`), or undefined: not for it. */
  answer(request: Uint8Array, values: FieldValues): Answer | undefined;
  /** Every byte of a frame named; also of one that fails. `asked` is the request it answers, where that is known (Modbus). */
  explain(frame: Uint8Array, asked?: Uint8Array): FrameExplanation;
}

/** By alias or hidden field's name, in shown units. */
export type FieldValues = Readonly<Record<string, boolean | number | bigint | string | undefined>>;

export interface OutgoingRequest {
  /** What it is called in logs: name of the poll, the command, `init 1` … */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Whether this frame is the answer. Always false when none is expected. */
  answers(frame: Uint8Array): boolean;
  /** Whether the request is over once it is sent. */
  readonly silent: boolean;
  readonly timeoutMs: number;
  readonly retries: number;
  /** How many frames answer it; 0: however many come until `timeoutMs` of quiet. */
  readonly frames: number;
}

export interface InitStep {
  readonly request: OutgoingRequest;
  /** Pause after it, in milliseconds. */
  readonly waitMs: number;
}

export interface Poll {
  readonly name: string;
  readonly everyMs: number;
  /** A fresh request: parameters and remembered fields are looked up now. Undefined: something it needs is not known yet. */
  request(): OutgoingRequest | undefined;
  /**
   * For answers that say how the request should have been (a Modbus block with an address that the device refuses): the
   * runtime tells, and the polls may change. True: look at `polls` again.
   */
  refused?(exception: number): boolean;
}

export type CommandResult =
  | { readonly ok: true; readonly request: OutgoingRequest }
  | { readonly ok: false; readonly code: 'no-command' | 'bad-value' | 'not-yet'; readonly detail: string };

export interface Reply {
  readonly bytes: Uint8Array;
  /** Only when the readings of the frame are safe. */
  readonly afterDurable: boolean;
}

/** Why a verified frame gave no readings. */
export type DecodeErrorCode =
  /** No message of the profile looks like this. */
  | 'unknown-message'
  /** Its message has fields beyond its end. */
  | 'short-frame'
  /** `drop_if` holds. */
  | 'dropped'
  /** It fails its checksum (only for frames that did not come out of the decoder). */
  | 'bad-checksum'
  /** It is no answer to the request it was given with. */
  | 'unexpected'
  /** The device refuses the request (Modbus exception); `exception` has its number. */
  | 'exception'
  /** A record, a count or a text inside that makes no sense. */
  | 'bad-content';

export type DecodedProfileFrame =
  | {
      readonly ok: true;
      readonly message: string;
      /** The identity that the frame carries; undefined when the profile has none. */
      readonly device: string | undefined;
      /** Empty for a message without readings. */
      readonly samples: readonly Sample[];
      readonly replies: readonly Reply[];
      /** Channels not in `Profile.channels`, told each time they have a value. */
      readonly newChannels: readonly ProfileChannel[];
    }
  | {
      readonly ok: false;
      readonly code: DecodeErrorCode;
      /** Index into the frame. */
      readonly at: number;
      /** For people: one line, no raw text from the wire. */
      readonly detail: string;
      readonly exception?: number;
    };

export interface FailedChecksum {
  /** Hex digits, as many as the checksum has. */
  readonly computed: string;
  readonly received: string;
  /** Where it stands in the frame. */
  readonly at: number;
}

/** What a device answers, and what it would do. */
export interface Answer {
  /** The poll, command or `init 1` … that was recognised. */
  readonly name: string;
  /** In order; empty: it says nothing. */
  readonly frames: readonly Uint8Array[];
  /** The messages of `frames`. */
  readonly messages: readonly string[];
  /** What a command sets: names as in `FieldValues`. */
  readonly set: FieldValues;
}

/** A frame for people. `parts` cover every byte at least once, in order of `from`; bit fields share theirs. */
export interface FrameExplanation {
  /** The frame after unescaping: what `from` and `to` count in. */
  readonly bytes: Uint8Array;
  readonly message: string | undefined;
  /** Why it is no good frame; undefined when it is. */
  readonly problem: string | undefined;
  readonly parts: readonly ExplainedPart[];
  /** Values that no byte has: computed ones. */
  readonly computed: readonly { readonly name: string; readonly value: string }[];
}

export interface ExplainedPart {
  readonly from: number;
  readonly to: number;
  /** `sync`, `length`, `checksum`, `tail`, `unused`, `beyond` (its end) or the alias of a field. */
  readonly name: string;
  /** The shown value with its unit, made harmless. */
  readonly value: string;
  readonly note: string;
  /** It is not what it should be. */
  readonly wrong?: boolean;
}
