/**
 * Teltonika trackers: codec 8, 8E and 16 over TCP and UDP, and commands in codec 12.
 *
 * ```
 *   tracker ─ IMEI ─────────────→ gateway
 *           ←──────────── 01 ────
 *           ─ records ──────────→            ─→ journal ─→ durable
 *           ←─── number of records ──────────────────────────┘      not before: until then the tracker keeps them
 * ```
 *
 * Data sheets: Teltonika "Codec" and "AVL data protocol" pages of the telematics wiki.
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
  ProfileField,
  ProfileInstance,
  ProfileMessage,
} from '../profile/profile.ts';
import { Annotations, asciiBytes, asciiText, decoded, fieldOf, hexNumber, refused, request, value } from './codec.ts';
import { CHANNELS, RESPONSE } from './teltonika-channels.ts';
import {
  CODEC_12,
  dataBounds,
  failedCrc,
  MAX_FRAME,
  packetDecoder,
  packetKind,
  readImei,
  serverDecoder,
  tcpPacket,
  u32,
  udpPacket,
} from './teltonika-frames.ts';
import { encodeRecords, readRecords, UnknownElements } from './teltonika-records.ts';

const DEFAULT_IMEI = '356307042441013';
const WELCOME = Uint8Array.of(0x01);
/** Codec 12 texts: a command, and its answer. */
const COMMAND_TYPE = 0x05;
const RESPONSE_TYPE = 0x06;
/** codec, 1, type, length u32, text, 1 */
const TEXT_AT = 7;
const MAX_COMMAND = 512;

/** The profile `teltonika`. */
export const TELTONIKA: Profile = {
  name: 'teltonika',
  about: {
    title: 'Teltonika tracker',
    vendor: 'Teltonika',
    models: ['FMB', 'FMC', 'FMM', 'FMU', 'FMT', 'TAT', 'TFT'],
    description: 'Vehicle trackers that speak codec 8, 8 Extended or 16, over TCP or UDP.',
    wiring:
      'In the tracker’s configurator: GPRS, server settings: domain and port of the gateway’s listener, protocol TCP or UDP; data protocol codec 8 or 8 Extended.',
    links: ['Teltonika telematics wiki: Codec, AVL data protocol'],
    serial: undefined,
    transport: 'stream',
    gapMs: undefined,
    gapChars: undefined,
    timeoutMs: 3_600_000,
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
  checkParameters: (given) =>
    Object.keys(given).map((name) => ({ name, message: 'a Teltonika tracker has no parameters' })),
  open: () => new TeltonikaInstance(),
};

class TeltonikaInstance implements ProfileInstance {
  readonly profile = TELTONIKA;
  readonly init = [];
  readonly polls: readonly Poll[] = [];
  private readonly unknown = new UnknownElements();
  /** Who is at the other end, once it has said so. */
  private imei: string | undefined = undefined;

  createDecoder(): FrameDecoder {
    return packetDecoder();
  }

  createRequestDecoder(): FrameDecoder {
    return serverDecoder();
  }

  failedChecksum(bytes: Uint8Array): FailedChecksum | undefined {
    return failedCrc(bytes);
  }

  decode(frame: Uint8Array): DecodedProfileFrame {
    if (packetKind(frame) === 'login') {
      const imei = readImei(frame, 2);
      if (imei === undefined) return refused('bad-content', 2, 'the IMEI is not 15 digits');
      this.imei = imei;
      return decoded('login', imei, [], [{ bytes: WELCOME, afterDurable: false }]);
    }
    if (failedCrc(frame) !== undefined) return refused('bad-checksum', frame.length - 4, 'the CRC is not right');
    const [from, to] = dataBounds(frame);
    if (to - from < 3) return refused('short-frame', frame.length, 'the packet ends before its data');
    if (frame[from]! >= CODEC_12 && frame[from]! <= 0x0e) return this.decodeText(frame, from, to);
    const udp = packetKind(frame) === 'udp';
    if (udp) this.imei = readImei(frame, 8) ?? this.imei;
    const { samples, newChannels, badAt } = readRecords(frame, from, to, this.unknown);
    if (badAt !== undefined) return refused('bad-content', badAt, 'the records do not fill their packet');
    const count = frame[from + 1]!;
    const bytes = udp ? Uint8Array.of(0, 5, frame[2]!, frame[3]!, 0x01, frame[5]!, count) : u32(count);
    return decoded(udp ? 'datagram' : 'data', this.imei, samples, [{ bytes, afterDurable: true }], newChannels);
  }

  private decodeText(frame: Uint8Array, from: number, to: number): DecodedProfileFrame {
    const text = textOf(frame, from, to);
    if (text === undefined) return refused('bad-content', from, 'the text does not fill its packet');
    const response = frame[from + 2] === RESPONSE_TYPE;
    const values = [value(RESPONSE, text.slice(0, 255))];
    const samples: Sample[] = response ? [{ timeKind: 'now', time: 0, values }] : [];
    return decoded(response ? 'response' : 'command', this.imei, samples);
  }

  command(alias: string, given: boolean | number | bigint | string | undefined): CommandResult {
    if (alias !== 'command' && alias !== RESPONSE.alias)
      return { ok: false, code: 'no-command', detail: 'it takes `command`' };
    if (
      typeof given !== 'string' ||
      given.length === 0 ||
      given.length > MAX_COMMAND ||
      !/^[\x20-\x7e]+$/.test(given)
    ) {
      return { ok: false, code: 'bad-value', detail: `a command is 1 to ${MAX_COMMAND} ASCII characters` };
    }
    return { ok: true, request: request('command', textPacket(COMMAND_TYPE, given), isResponse) };
  }

  encode(message: string, values: FieldValues): Uint8Array {
    const imei = (): Uint8Array => {
      const text = String(values['imei'] ?? DEFAULT_IMEI);
      if (!/^\d{15}$/.test(text)) throw new RangeError('an IMEI has 15 digits');
      return asciiBytes(text);
    };
    switch (message) {
      case 'login':
        return Uint8Array.of(0, 15, ...imei());
      case 'data':
        return tcpPacket(encodeRecords(values));
      case 'datagram':
        return udpPacket(
          Number(values['packet'] ?? 1) & 0xffff,
          Number(values['avl_packet'] ?? 1) & 0xff,
          imei(),
          encodeRecords(values),
        );
      case 'response':
        return textPacket(RESPONSE_TYPE, String(values['response'] ?? ''));
      default:
        throw new RangeError(`no such message: ${message}`);
    }
  }

  answer(bytes: Uint8Array, values: FieldValues): Answer | undefined {
    if (bytes.length < 12 || failedCrc(bytes) !== undefined) return undefined;
    const [from, to] = dataBounds(bytes);
    const text = textOf(bytes, from, to);
    if (bytes[from] !== CODEC_12 || bytes[from + 2] !== COMMAND_TYPE || text === undefined) return undefined;
    const frames = [this.encode('response', { response: values['response'] ?? `${text}: OK` })];
    return { name: 'command', frames, messages: ['response'], set: {} };
  }

  explain(frame: Uint8Array): FrameExplanation {
    const notes = new Annotations(frame);
    const kind = packetKind(frame);
    const result = new TeltonikaInstance().decode(frame);
    if (kind === 'login') {
      notes.add(2, 'length', String(frame.length - 2));
      notes.add(15, 'imei', readImei(frame, 2) ?? '');
    } else {
      if (kind === 'udp') {
        notes.add(2, 'length', String(frame.length - 2), 'counts what follows');
        notes.add(2, 'packet');
        notes.add(1, 'reserved');
        notes.add(1, 'AVL packet');
        notes.add(2, 'length of the IMEI', '15');
        notes.add(15, 'imei', readImei(frame, 8) ?? '');
      } else {
        notes.add(4, 'preamble');
        notes.add(4, 'length', String(Math.max(0, frame.length - 12)), 'counts codec to the second number of records');
      }
      const [from, to] = dataBounds(frame);
      if (to - from >= 3 && frame[from]! >= CODEC_12 && frame[from]! <= 0x0e) {
        notes.add(1, 'codec', hexNumber(frame[from]!, 2));
        notes.add(1, 'texts');
        notes.add(1, 'kind', frame[from + 2] === RESPONSE_TYPE ? 'response' : 'command');
        notes.add(4, 'length of the text');
        notes.add(Math.max(0, to - from - TEXT_AT - 1), 'text', textOf(frame, from, to) ?? '');
        notes.add(1, 'texts again');
      } else if (to - from >= 3) {
        readRecords(frame, from, to, new UnknownElements(), notes);
      }
      notes.rest('unused', kind === 'tcp' ? 4 : 0);
      notes.rest('checksum');
    }
    return {
      bytes: frame,
      message: result.ok ? result.message : undefined,
      problem: result.ok ? undefined : result.detail,
      parts: notes.parts,
      computed: [],
    };
  }
}

/** The text of a codec 12 packet: ASCII, exactly as long as it says. */
function textOf(frame: Uint8Array, from: number, to: number): string | undefined {
  if (to - from < TEXT_AT + 1) return undefined;
  let length = 0;
  for (let i = from + 3; i < from + TEXT_AT; i++) length = length * 256 + frame[i]!;
  if (length !== to - from - TEXT_AT - 1) return undefined;
  return asciiText(frame, from + TEXT_AT, to - 1);
}

/** Whether a packet is what a tracker says to a command. */
function isResponse(frame: Uint8Array): boolean {
  const [from] = dataBounds(frame);
  return frame[from] === CODEC_12 && frame[from + 2] === RESPONSE_TYPE;
}

function textPacket(type: number, text: string): Uint8Array {
  const body = asciiBytes(text);
  const data = new Uint8Array(TEXT_AT + body.length + 1);
  data.set([CODEC_12, 1, type]);
  data.set(u32(body.length), 3);
  data.set(body, TEXT_AT);
  data[data.length - 1] = 1;
  return tcpPacket(data);
}

function messages(): ProfileMessage[] {
  const limits = {
    bool: undefined,
    u8: [0, 0xff],
    i8: [-0x80, 0x7f],
    u16: [0, 0xffff],
    i16: [-0x8000, 0x7fff],
    u32: [0, 0xffff_ffff],
    i32: [-0x8000_0000, 0x7fff_ffff],
  } as const;
  const record = CHANNELS.filter(({ alias, type }) => alias !== 'response' && type !== 'u64').map((channel) => {
    const raw = limits[channel.type as keyof typeof limits];
    const scale = 10 ** channel.scale;
    return fieldOf(channel, raw === undefined ? undefined : [raw[0] * scale, raw[1] * scale]);
  });
  const hidden = { ...fieldOf(RESPONSE, undefined), hidden: true, optional: true };
  const imei: ProfileField = { ...hidden, name: 'imei', text: 'digits', maxBytes: 15 };
  const time: ProfileField = {
    ...hidden,
    name: 'time_ms',
    kind: 'number',
    limits: [0, 8.64e15],
    step: 1,
    range: [1.7e12, 1.9e12],
    text: undefined,
    maxBytes: undefined,
    class: 'timestamp',
    unit: 'ms',
  };
  return [
    { name: 'login', direction: 'up', fields: [imei] },
    { name: 'data', direction: 'up', fields: [time, ...record] },
    { name: 'datagram', direction: 'up', fields: [imei, time, ...record] },
    { name: 'response', direction: 'up', fields: [fieldOf(RESPONSE, undefined)] },
  ];
}
