/**
 * One simulated device with a profile: what it says by itself, what it answers, and what it remembers of commands.
 *
 * ```
 *   its turn ─→ the next message that nobody asks for ─→ encode ─→ bytes
 *   bytes of the line ─→ request decoder ─→ answer ─→ bytes, and what a command sets
 * ```
 */
import {
  type FieldValues,
  type FrameDecoder,
  type OutgoingRequest,
  printable,
  type Profile,
  type ProfileChannel,
  type ProfileField,
  type ProfileInstance,
  type ProfileMessage,
  suggest,
} from '../../protocol/index.ts';
import type { Random } from '../random.ts';
import { type FieldValue, PlausibleValues } from './values.ts';

/** A frame that a device says. */
export interface SaidFrame {
  readonly device: PlayedDevice;
  /** `stream`, `login`, or what it answers: the name of a poll, of a command, `init 1`. */
  readonly why: string;
  readonly message: string;
  readonly bytes: Uint8Array;
  /** What is in it: values of the message's fields that are channels, in shown units. */
  readonly values: Readonly<Record<string, FieldValue>>;
}

/** The message that a device says once, first thing on a connection (trackers). */
const LOGIN = 'login';
/** Messages that only answer, though nothing says to what. */
const REPLY = /^(?:ack|nak|refused|error|exception|response)/;
/** The message that stands for all others where one datagram is one frame. */
const DATAGRAM = 'datagram';

export interface DeviceOptions {
  /** As it is called in what is printed. */
  readonly label: string;
  readonly profile: Profile;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Values that hold still. */
  readonly fixed: FieldValues;
  /** What it says by itself; undefined: all messages that come from the device and answer nothing. */
  readonly messages: readonly string[] | undefined;
  /** It speaks in datagrams. */
  readonly datagrams: boolean;
  readonly random: Random;
}

export class PlayedDevice {
  readonly label: string;
  readonly profile: Profile;
  readonly instance: ProfileInstance;
  /** Names of the messages that it says by itself. */
  readonly streamed: readonly string[];
  readonly #values: PlausibleValues;
  readonly #datagrams: boolean;
  /** Reads what was written. */
  readonly #reader: ProfileInstance;
  readonly #channels: ReadonlyMap<number, ProfileChannel>;
  #turn = 0;

  /** RangeError for parameters, values or messages that the profile does not have. */
  constructor({ label, profile, parameters, fixed, messages, datagrams, random }: DeviceOptions) {
    const [problem] = profile.checkParameters(parameters);
    if (problem !== undefined) throw new RangeError(`${profile.name}: parameter ${problem.name}: ${problem.message}`);
    checkNames(profile, fixed);
    this.label = label;
    this.profile = profile;
    this.instance = profile.open(parameters);
    this.#datagrams = datagrams;
    this.#reader = profile.open(parameters);
    this.#channels = new Map(profile.channels.map((channel) => [channel.number, channel]));
    this.#values = new PlausibleValues(profile, random, fixed);
    const known = profile.messages.filter(({ direction }) => direction === 'up').map(({ name }) => name);
    for (const name of messages ?? []) {
      if (!known.includes(name))
        throw new RangeError(`${profile.name} has no message "${name}"; it has ${known.join(', ')}`);
    }
    this.streamed = messages ?? this.#unasked();
  }

  /** What it says first on a connection; undefined when nothing. */
  login(atMs: number): SaidFrame | undefined {
    if (this.#datagrams) return undefined;
    const message = this.profile.messages.find(({ name, direction }) => name === LOGIN && direction === 'up');
    return message === undefined ? undefined : this.#say(message, LOGIN, atMs);
  }

  /** The next frame that it says by itself; undefined when it only answers. */
  next(atMs: number): SaidFrame | undefined {
    const name = this.streamed[this.#turn % this.streamed.length];
    const message = this.profile.messages.find((candidate) => candidate.name === name);
    this.#turn += 1;
    return message === undefined ? undefined : this.#say(message, 'stream', atMs);
  }

  /** What it answers to a frame out of `requestDecoder`; empty when that is not for it. */
  answers(request: Uint8Array, atMs: number): SaidFrame[] {
    const values = this.#values.at(atMs);
    const answer = this.instance.answer(request, values);
    if (answer === undefined) return [];
    this.#values.set(answer.set);
    const now = { ...values, ...answer.set };
    return answer.frames.map((bytes, index) => {
      const message = answer.messages[index] ?? '';
      return { device: this, why: answer.name, message, bytes, values: this.#valuesOf(message, bytes, now) };
    });
  }

  /** A decoder for what one connection sends to it. */
  requestDecoder(): FrameDecoder {
    return this.instance.createRequestDecoder();
  }

  #say(message: ProfileMessage, why: string, atMs: number): SaidFrame {
    const { bytes, values } = this.#encode(message, this.#values.at(atMs));
    return { device: this, why, message: message.name, bytes, values: this.#valuesOf(message.name, bytes, values) };
  }

  /** A frame with as many of the optional values as it has room for. */
  #encode(
    { name, fields }: ProfileMessage,
    all: Readonly<Record<string, FieldValue>>,
  ): { bytes: Uint8Array; values: Readonly<Record<string, FieldValue>> } {
    const optional = fields.filter((field) => field.optional && field.name in all).map((field) => field.name);
    let values = { ...all };
    for (let kept = optional.length; ; kept >>= 1) {
      try {
        return { bytes: this.instance.encode(name, values), values };
      } catch (error) {
        if (!(error instanceof RangeError) || kept === 0) throw error;
        const left = new Set(optional.slice(kept >> 1));
        values = Object.fromEntries(Object.entries(all).filter(([alias]) => !left.has(alias)));
      }
    }
  }

  /**
   * The values of the message's channels. Numbers that the encoder fills in (how many cells there are) are told as they
   * were written, and of a repeat the part that this frame has.
   */
  #valuesOf(message: string, bytes: Uint8Array, values: FieldValues): Record<string, FieldValue> {
    const fields = this.profile.messages.find(({ name }) => name === message)?.fields ?? [];
    const written = this.#read(bytes);
    const shown: Record<string, FieldValue> = {};
    for (const { name, hidden, kind, index } of fields) {
      const value = values[name];
      if (hidden || value === undefined || (index !== undefined && written?.has(name) === false)) continue;
      const own = kind === 'number' ? written?.get(name) : undefined;
      shown[name] = typeof own === 'number' && Number.isInteger(own) ? own : value;
    }
    return shown;
  }

  /** What is in a frame, whole numbers with their value; undefined when it does not say by itself what it is (Modbus). */
  #read(bytes: Uint8Array): Map<string, unknown> | undefined {
    const decoder = this.#reader.createDecoder();
    decoder.push(bytes.slice());
    decoder.expire();
    for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
      const decoded = item.kind === 'frame' ? this.#reader.decode(item.bytes.slice()) : undefined;
      if (decoded?.ok !== true) continue;
      const read = new Map<string, unknown>();
      for (const { channel, value } of decoded.samples.flatMap(({ values }) => values)) {
        const about = this.#channels.get(channel);
        if (about !== undefined) read.set(about.alias, about.scale === 0 ? value : undefined);
      }
      return read;
    }
    return undefined;
  }

  /** The messages with readings that no poll, init step or setting brings about. */
  #unasked(): string[] {
    if (this.profile.about.onlyAnswers) return [];
    const asked = this.#asked();
    const names = this.profile.messages
      .filter(({ direction }) => direction === 'up')
      .filter(({ name, fields }) => name !== LOGIN && !asked.has(name) && !REPLY.test(name) && fields.some(isShown))
      .map(({ name }) => name);
    if (this.#datagrams && names.includes(DATAGRAM)) return [DATAGRAM];
    return names.filter((name) => name !== DATAGRAM);
  }

  /** The messages with which it answers what it can be asked. */
  #asked(): Set<string> {
    const values = this.#values.at(0);
    const messages = this.#requests().flatMap(({ bytes }) => {
      const decoder = this.instance.createRequestDecoder();
      decoder.push(bytes.slice());
      // Silence ends the request where nothing else does.
      decoder.expire();
      const said: string[] = [];
      for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
        if (item.kind === 'frame') said.push(...(this.instance.answer(item.bytes.slice(), values)?.messages ?? []));
      }
      return said;
    });
    return new Set(messages);
  }

  #requests(): OutgoingRequest[] {
    const polls = this.instance.polls.flatMap((poll) => poll.request() ?? []);
    const init = this.instance.init.map(({ request }) => request);
    // A button may ask for readings that come by themselves otherwise.
    const settings = this.profile.commands.filter(({ kind }) => kind !== 'button');
    const commands = settings.flatMap(({ alias, kind, options, range }) => {
      const examples = {
        bool: [true, false],
        number: [range?.[0] ?? 0],
        option: options ?? [],
        text: ['x'],
        button: [],
      }[kind];
      return examples.flatMap((example) => {
        const result = this.instance.command(alias, example);
        return result.ok ? [result.request] : [];
      });
    });
    return [...polls, ...init, ...commands];
  }
}

function isShown({ hidden }: ProfileField): boolean {
  return !hidden;
}

/** Values can be given for what stands in a frame; what is computed follows from it. */
function checkNames(profile: Profile, fixed: FieldValues): void {
  const known = [...new Set(profile.messages.flatMap(({ fields }) => fields.map(({ name }) => name)))];
  for (const name of Object.keys(fixed)) {
    if (known.includes(name)) continue;
    if (profile.channels.some(({ alias }) => alias === name)) {
      throw new RangeError(
        `${profile.name}: ${name} stands in no frame of the device (it is computed, or only set); give values to ${printable(known.join(', '), 400)}`,
      );
    }
    const near = suggest(name, known);
    const hint = near === undefined ? `; it has ${printable(known.join(', '), 400)}` : `. Did you mean ${near}?`;
    throw new RangeError(`${profile.name} has no field ${printable(name, 64)}${hint}`);
  }
}
