/**
 * A profile by hand for tests of the runtime, as simple as a protocol can be, and as awkward as Modbus: answers do not name
 * what was asked.
 *
 * ```
 *   request   a5 | address | register | sum8          command   a5 | address | 80 + register | value | sum8
 *   frame     5a | address | value u16 | sum8         exception 5a | 80 + address | 00 | code | sum8
 * ```
 *
 * A frame that nobody asked for is the first register's. With `identified` the address says whose it is.
 */
import {
  fixedDecoder,
  type OutgoingRequest,
  type Profile,
  type ProfileChannel,
  type ProfileInstance,
} from '../../protocol/index.ts';

export interface MeterOptions {
  readonly name?: string;
  /** Alias to register; the value is raw × 10^-1. */
  readonly registers?: Readonly<Record<string, number>>;
  /** Asked for, instead of coming by itself. */
  readonly polled?: boolean;
  readonly everyMs?: number;
  readonly requestTimeoutMs?: number;
  readonly retries?: number;
  readonly identified?: boolean;
  /** Every frame is acknowledged by this byte, at once or when it is safe. */
  readonly acknowledge?: 'now' | 'durable';
  /** Written after the line was opened, with register 0x7f; an answer is waited for. */
  readonly init?: boolean;
  /** Silence after which it is unavailable. */
  readonly timeoutMs?: number;
  /** Names a channel of its own for a value over 1000. */
  readonly extra?: boolean;
}

export const ACK_BYTE = 0x06;
const INIT_REGISTER = 0x7f;

export function sum8(...bytes: readonly number[]): Uint8Array {
  return new Uint8Array([...bytes, bytes.reduce((sum, byte) => sum + byte, 0) & 0xff]);
}

export function meterFrame(address: number, value: number): Uint8Array {
  return sum8(0x5a, address, value >> 8, value & 0xff);
}

function isWhole(frame: Uint8Array): boolean {
  return sum8(...frame.subarray(0, -1)).at(-1) === frame.at(-1);
}

function failed(code: 'unexpected' | 'exception', exception?: number) {
  return { ok: false, code, at: 1, detail: code, ...(exception !== undefined && { exception }) } as const;
}

function channel(number: number, alias: string, more: Partial<ProfileChannel> = {}): ProfileChannel {
  return {
    number,
    alias,
    title: `The ${alias}`,
    type: 'u16',
    scale: -1,
    unit: 'V',
    class: 'voltage',
    diagnostic: false,
    totalIncreasing: false,
    precision: undefined,
    options: undefined,
    range: undefined,
    command: undefined,
    readable: true,
    repeated: false,
    ...more,
  };
}

export function meterProfile(options: MeterOptions = {}): Profile {
  const { registers = { level: 1 }, polled = false, everyMs = 20, requestTimeoutMs = 100, retries = 0 } = options;
  const aliases = Object.keys(registers);
  const channels = aliases.map((alias, number) =>
    channel(number, alias, { command: number === 0 ? 'set_it' : undefined }),
  );
  const extra = channel(aliases.length, 'extra');

  const profile: Profile = {
    name: options.name ?? 'meter',
    about: {
      title: 'Meter',
      vendor: undefined,
      models: [],
      description: undefined,
      wiring: undefined,
      links: [],
      serial: undefined,
      transport: 'stream',
      gapMs: undefined,
      gapChars: undefined,
      timeoutMs: options.timeoutMs,
      maxFrameBytes: 5,
      onlyAnswers: polled,
      identified: options.identified === true,
    },
    channels,
    commands: [
      {
        alias: 'set_it',
        title: 'Set it',
        kind: 'number',
        channel: 0,
        shows: aliases[0],
        range: undefined,
        step: undefined,
        options: undefined,
        unit: 'V',
        class: 'voltage',
      },
    ],
    messages: [{ name: 'value', direction: 'up', fields: [] }],
    parameters: [],
    checkParameters: () => [],
    open: (parameters) => open(Number(parameters?.['address'] ?? 1)),
  };

  function open(address: number): ProfileInstance {
    const request = (name: string, bytes: Uint8Array): OutgoingRequest => ({
      name,
      bytes,
      answers: (frame) => (frame[1]! & 0x7f) === address,
      silent: false,
      timeoutMs: requestTimeoutMs,
      retries,
      frames: 1,
    });
    const askFor = (alias: string, register: number): OutgoingRequest => request(alias, sum8(0xa5, address, register));
    return {
      profile,
      createDecoder: () => fixedDecoder({ bytes: 5, sync: new Uint8Array([0x5a]), verify: isWhole }),
      createRequestDecoder: () => fixedDecoder({ bytes: 4 }),
      decode(frame, asked) {
        if (asked !== undefined && !asked.answers(frame)) return failed('unexpected');
        if (frame[1]! >= 0x80) return failed('exception', frame[3]);
        if (asked === undefined && polled) return failed('unexpected');
        const alias = asked?.name === 'init 1' || asked?.name === 'set_it' ? undefined : (asked?.name ?? aliases[0]!);
        const value = (frame[2]! << 8) | frame[3]!;
        const number = options.extra === true && value > 1_000 ? extra.number : aliases.indexOf(alias ?? '');
        const values = [{ channel: number, type: 'u16', quality: 'good', value } as const];
        const { acknowledge } = options;
        return {
          ok: true,
          message: 'value',
          device: options.identified === true ? String(frame[1]) : undefined,
          samples: alias === undefined ? [] : [{ timeKind: 'now', time: 0, values: [...values] }],
          replies:
            acknowledge === undefined
              ? []
              : [{ bytes: new Uint8Array([ACK_BYTE]), afterDurable: acknowledge === 'durable' }],
          newChannels: number === extra.number ? [extra] : [],
        };
      },
      failedChecksum: (bytes) => ({ computed: '00', received: bytes.at(-1)!.toString(16), at: 4 }),
      init:
        options.init === true ? [{ request: request('init 1', sum8(0xa5, address, INIT_REGISTER)), waitMs: 0 }] : [],
      polls: polled
        ? aliases.map((alias) => ({ name: alias, everyMs, request: () => askFor(alias, registers[alias]!) }))
        : [],
      command: (alias, value) =>
        alias === 'set_it' && typeof value === 'number'
          ? { ok: true, request: request('set_it', sum8(0xa5, address, 0x80, Math.round(value * 10))) }
          : { ok: false, code: 'bad-value', detail: 'no' },
      encode: () => {
        throw new Error('not for this test');
      },
      answer: () => undefined,
      explain: () => {
        throw new Error('not for this test');
      },
    };
  }
  return profile;
}
