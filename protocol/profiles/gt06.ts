/**
 * GT06 trackers (Concox, Jimi and many more): positions, alarms, states and commands over TCP.
 *
 * ```
 *   tracker ─ 01 login, IMEI ──→ gateway      ←─ 01, same serial number, at once
 *           ─ 13/23 heartbeat ─→              ←─ 13/23, at once
 *           ─ 16/26/27 alarm ──→ durable      ←─ the same, once the alarm is safe
 *           ─ 12/22/a0 position →                (not answered)
 *           ─ 15/21 text ──────→              ←─ 80 command
 * ```
 *
 * Protocol 8a, a request for the time, is not answered: a codec has no clock. Trackers set theirs from the satellites.
 */
import type { FrameDecoder } from '../framing/frame-decoder.ts';
import type { Sample } from '../link/readings.ts';
import type {
  Answer,
  CommandResult,
  DecodedProfileFrame,
  FailedChecksum,
  FieldValues,
  FrameExplanation,
  Poll,
  Profile,
  ProfileChannel,
  ProfileField,
  ProfileInstance,
  ProfileMessage,
} from '../profile/profile.ts';
import {
  Annotations,
  asciiBytes,
  asciiText,
  decoded,
  fieldOf,
  hexNumber,
  hexText,
  refused,
  request,
  value,
} from './codec.ts';
import { CHANNELS, ENCODED, readContent, RESPONSE, writeContent } from './gt06-content.ts';
import { failedCrc, MAX_FRAME, packet, packetDecoder, protocolAt } from './gt06-frames.ts';

const DEFAULT_IMEI = '356314041419858';
const LOGIN = 0x01;
const HEARTBEAT = 0x13;
const POSITION = 0x22;
const ALARM = 0x16;
const INFORMATION = 0x94;
const COMMAND = 0x80;
const TEXT = 0x15;
const LONG_TEXT = 0x21;
/** Answered at once, and answered when what they say is safe. */
const ANSWERED: ReadonlySet<number> = new Set([LOGIN, HEARTBEAT, 0x23]);
const ANSWERED_LATE: ReadonlySet<number> = new Set([ALARM, 0x26, 0x27]);
/** serial number, CRC, 0d 0a */
const FOOT = 6;
const NOTHING = new Uint8Array(0);

/** The profile `gt06`. */
export const GT06: Profile = {
  name: 'gt06',
  about: {
    title: 'GT06 tracker',
    vendor: 'Concox, Jimi and others',
    models: ['GT06', 'GT06N', 'GT06E', 'GT02', 'TR06', 'WeTrack2', 'JM-VL03'],
    description: 'Vehicle trackers that speak the GT06 protocol over TCP.',
    wiring: 'By text message to the tracker: SERVER,0,<address of the gateway>,<port>,0#',
    links: ['Concox GT06 GPS tracker communication protocol V1.8.1'],
    serial: undefined,
    transport: 'stream',
    gapMs: undefined,
    gapChars: undefined,
    timeoutMs: 900_000,
    maxFrameBytes: MAX_FRAME,
    onlyAnswers: false,
    identified: true,
  },
  channels: CHANNELS,
  commands: [
    {
      alias: 'command',
      title: 'Command',
      kind: 'text',
      channel: RESPONSE.number,
      shows: RESPONSE.alias,
      range: undefined,
      step: undefined,
      options: undefined,
      unit: '',
      class: 'none',
    },
  ],
  messages: messages(),
  parameters: [],
  checkParameters: (given) => Object.keys(given).map((name) => ({ name, message: 'a GT06 tracker has no parameters' })),
  open: () => new Gt06Instance(),
};

class Gt06Instance implements ProfileInstance {
  readonly profile = GT06;
  readonly init = [];
  readonly polls: readonly Poll[] = [];
  private imei: string | undefined = undefined;
  private serial = 0;

  createDecoder(): FrameDecoder {
    return packetDecoder();
  }

  createRequestDecoder(): FrameDecoder {
    return packetDecoder();
  }

  failedChecksum(bytes: Uint8Array): FailedChecksum | undefined {
    return failedCrc(bytes);
  }

  decode(frame: Uint8Array): DecodedProfileFrame {
    return this.read(frame, undefined);
  }

  private read(frame: Uint8Array, notes: Annotations | undefined): DecodedProfileFrame {
    const at = protocolAt(frame);
    if (frame.length < at + 1 + FOOT) return refused('short-frame', frame.length, 'the packet ends before its foot');
    if (failedCrc(frame) !== undefined) return refused('bad-checksum', frame.length - 4, 'the CRC is not right');
    const protocol = frame[at]!;
    const [from, to] = [at + 1, frame.length - FOOT];
    if (protocol === LOGIN) return this.login(frame, from, to, notes);
    if (protocol === TEXT || protocol === LONG_TEXT) return this.text(protocol, frame, from, to, notes);
    const content = readContent(protocol, frame, from, to, notes);
    const replies = this.replies(protocol, frame, to);
    if (content === undefined)
      return refused('unknown-message', at, `protocol ${hexNumber(protocol, 2)} is not known, or too short`);
    const { message, time, values } = content;
    const sample: Sample =
      time === undefined ? { timeKind: 'now', time: 0, values } : { timeKind: 'unix', time, values };
    return decoded(message, this.imei, [sample], replies);
  }

  private login(frame: Uint8Array, from: number, to: number, notes: Annotations | undefined): DecodedProfileFrame {
    const imei = hexText(frame, from, Math.min(from + 8, to));
    notes?.add(8, 'imei', imei);
    if (!/^\d{16}$/.test(imei)) return refused('bad-content', from, 'the IMEI is not made of decimal digits');
    this.imei = imei.startsWith('0') ? imei.slice(1) : imei;
    return decoded('login', this.imei, [], this.replies(LOGIN, frame, to));
  }

  private text(
    protocol: number,
    frame: Uint8Array,
    from: number,
    to: number,
    notes: Annotations | undefined,
  ): DecodedProfileFrame {
    // 15: length u8 | server's mark u32 | text | language u16; 21: server's mark u32 | encoding u8 | text
    const start = from + 5;
    const end = protocol === TEXT ? Math.min(from + 1 + frame[from]!, to) : to;
    const text = start <= end ? asciiText(frame, start, end) : undefined;
    notes?.add(5, 'server’s mark');
    notes?.add(Math.max(0, end - start), 'response', text ?? '');
    if (text === undefined) return refused('bad-content', from, 'the answer is not ASCII text');
    return decoded('response', this.imei, [
      { timeKind: 'now', time: 0, values: [value(RESPONSE, text.slice(0, 255))] },
    ]);
  }

  private replies(protocol: number, frame: Uint8Array, to: number): { bytes: Uint8Array; afterDurable: boolean }[] {
    const late = ANSWERED_LATE.has(protocol);
    if (!late && !ANSWERED.has(protocol)) return [];
    const serial = (frame[to]! << 8) | frame[to + 1]!;
    return [{ bytes: packet(protocol, NOTHING, serial), afterDurable: late }];
  }

  command(alias: string, given: boolean | number | bigint | string | undefined): CommandResult {
    if (alias !== 'command' && alias !== RESPONSE.alias)
      return { ok: false, code: 'no-command', detail: 'it takes `command`' };
    if (typeof given !== 'string' || !/^[\x20-\x7e]{1,200}$/.test(given)) {
      return { ok: false, code: 'bad-value', detail: 'a command is 1 to 200 ASCII characters' };
    }
    const bytes = packet(COMMAND, Uint8Array.of(given.length + 4, 0, 0, 0, 0, ...asciiBytes(given)), this.nextSerial());
    return { ok: true, request: request('command', bytes, isText) };
  }

  encode(message: string, values: FieldValues): Uint8Array {
    switch (message) {
      case 'login': {
        const imei = String(values['imei'] ?? DEFAULT_IMEI);
        if (!/^\d{15}$/.test(imei)) throw new RangeError('an IMEI has 15 digits');
        const bcd = Uint8Array.from({ length: 8 }, (_, i) => Number.parseInt(`0${imei}`.slice(2 * i, 2 * i + 2), 16));
        return packet(LOGIN, bcd, this.nextSerial());
      }
      case 'position':
        return packet(POSITION, writeContent(message, values), this.nextSerial());
      case 'alarm':
        return packet(ALARM, writeContent(message, values), this.nextSerial());
      case 'heartbeat':
        return packet(HEARTBEAT, writeContent(message, values), this.nextSerial());
      case 'information':
        return packet(INFORMATION, writeContent(message, values), this.nextSerial(), true);
      case 'response':
        return packet(
          LONG_TEXT,
          Uint8Array.of(0, 0, 0, 0, 0x01, ...asciiBytes(String(values['response'] ?? ''))),
          this.nextSerial(),
          true,
        );
      default:
        throw new RangeError(`no such message: ${message}`);
    }
  }

  answer(bytes: Uint8Array, values: FieldValues): Answer | undefined {
    const at = protocolAt(bytes);
    if (bytes[at] !== COMMAND || bytes.length < at + 6 + FOOT || failedCrc(bytes) !== undefined) return undefined;
    const text = asciiText(bytes, at + 6, bytes.length - FOOT);
    if (text === undefined) return undefined;
    const frames = [this.encode('response', { response: values['response'] ?? `${text}: OK` })];
    return { name: 'command', frames, messages: ['response'], set: {} };
  }

  explain(frame: Uint8Array): FrameExplanation {
    const notes = new Annotations(frame);
    const at = protocolAt(frame);
    notes.add(2, 'sync');
    notes.add(at - 2, 'length', '', 'counts protocol number to CRC');
    notes.add(1, 'protocol', at < frame.length ? hexNumber(frame[at]!, 2) : '');
    const result = new Gt06Instance().read(frame, notes);
    notes.rest('unused', FOOT);
    notes.add(2, 'serial number');
    notes.add(2, 'checksum');
    notes.add(2, 'tail');
    return {
      bytes: frame,
      message: result.ok ? result.message : undefined,
      problem: result.ok ? undefined : result.detail,
      parts: notes.parts,
      computed: [],
    };
  }

  private nextSerial(): number {
    this.serial = (this.serial + 1) & 0xffff;
    return this.serial;
  }
}

function messages(): ProfileMessage[] {
  const hidden = { ...fieldOf(RESPONSE, undefined), hidden: true };
  const imei: ProfileField = { ...hidden, name: 'imei', text: 'digits', maxBytes: 15 };
  const time: ProfileField = {
    ...hidden,
    name: 'time_ms',
    kind: 'number',
    // A year has one byte, and seconds are the least it can say.
    limits: [946_684_800_000, 4_102_444_799_000],
    step: 1_000,
    range: [1_700_000_000_000, 1_900_000_000_000],
    text: undefined,
    maxBytes: undefined,
    class: 'timestamp',
    unit: 'ms',
  };
  return [
    { name: 'login', direction: 'up', fields: [imei] },
    { name: 'position', direction: 'up', fields: [time, ...encodedFields('position')] },
    { name: 'alarm', direction: 'up', fields: [time, ...encodedFields('alarm')] },
    { name: 'heartbeat', direction: 'up', fields: encodedFields('heartbeat') },
    { name: 'information', direction: 'up', fields: encodedFields('information') },
    { name: 'response', direction: 'up', fields: [fieldOf(RESPONSE, undefined)] },
  ];
}

/** What fits in shown units; undefined for what is no number. */
function limitsOf(channel: ProfileChannel): readonly [number, number] | undefined {
  if (channel.type === 'bool' || channel.type === 'string') return undefined;
  return channel.range ?? (channel.type === 'u32' ? [0, 0xffff_ffff] : [0, 655.35]);
}

function encodedFields(message: keyof typeof ENCODED): ProfileField[] {
  return ENCODED[message].map((channel) => fieldOf(channel, limitsOf(channel)));
}

/** Whether a packet is what a tracker says to a command. */
function isText(frame: Uint8Array): boolean {
  const protocol = frame[protocolAt(frame)];
  return protocol === TEXT || protocol === LONG_TEXT;
}
