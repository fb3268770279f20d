/**
 * One device on one line: what the compiled rules of its profile do with frames and values.
 *
 * ```
 *   frame ─ strip, undo transform ─→ match ─→ steps ─→ values ─→ samples
 *   values ─→ content ─→ length, transform, tail, checksum ─→ (stuffing) ─→ frame
 * ```
 */
import type { FrameDecoder } from '../framing/frame-decoder.ts';
import { MAX_VALUES } from '../link/readings.ts';
import type { Sample } from '../link/readings.ts';
import type { Value } from '../link/value.ts';
import type { CompiledProfile } from './compiled.ts';
import { explainFrame } from './explain.ts';
import { createMachine } from './machine.ts';
import type { Machine } from './machine.ts';
import { matches, writeMessage } from './message.ts';
import type { CompiledMessage } from './message.ts';
import { fillParameters, openParameters } from './parameters.ts';
import type { ParameterValues } from './parameters.ts';
import type {
  Answer,
  CommandResult,
  DecodedProfileFrame,
  FailedChecksum,
  FieldValues,
  FrameExplanation,
  InitStep,
  OutgoingRequest,
  Poll,
  Profile,
  ProfileInstance,
  Reply,
} from './profile.ts';
import { requestDecoder } from './request-decoder.ts';
import { commandValue, setByCommand } from './requests.ts';
import type { CompiledRequest } from './requests.ts';
import { applyTransform, undoTransform } from './transform.ts';

const NO_REPLIES: readonly Reply[] = [];

/** Why a frame is of no message, or `undefined` and `machine` is pointed at it. */
export type Located =
  | { readonly ok: true; readonly message: CompiledMessage }
  | {
      readonly ok: false;
      readonly code: 'unknown-message' | 'short-frame';
      readonly at: number;
      readonly name: string;
    };

export class CompiledInstance implements ProfileInstance {
  readonly profile: Profile;
  readonly init: readonly InitStep[];
  readonly polls: readonly Poll[];
  private readonly rules: CompiledProfile;
  private readonly parameters: ParameterValues;
  private readonly machine: Machine;
  /** For encoding; its values are not those of the device that is decoded. */
  private writer: Machine | undefined = undefined;
  private readonly scratch: Uint8Array;

  constructor(profile: Profile, rules: CompiledProfile, given: Readonly<Record<string, unknown>>) {
    this.profile = profile;
    this.rules = rules;
    this.parameters = openParameters(rules.parameters, given);
    this.machine = createMachine(rules.scope.size);
    fillParameters(rules.parameters, this.parameters, this.machine);
    this.scratch = new Uint8Array(rules.transform.length === 0 ? 0 : rules.framing.max);
    // Requests are rendered anew each time; what they hold may have changed.
    const rendered = (step: CompiledRequest): OutgoingRequest => this.outgoing(step, undefined) ?? this.empty(step);
    this.init = rules.init.map((step) => ({
      get request() {
        return rendered(step);
      },
      waitMs: step.waitMs,
    }));
    this.polls = rules.polls.map((poll) => ({
      name: poll.name,
      everyMs: poll.everyMs,
      request: () => this.outgoing(poll, undefined),
    }));
  }

  createDecoder(): FrameDecoder {
    return this.rules.framing.createDecoder();
  }

  createRequestDecoder(): FrameDecoder {
    const { framing, requests } = this.rules;
    return requestDecoder(
      framing,
      requests.map(({ template }) => template),
      this.parameters,
    );
  }

  decode(frame: Uint8Array): DecodedProfileFrame {
    const { rules, machine: w } = this;
    const located = this.locate(frame, w);
    if (!located.ok) {
      const { code, at, name } = located;
      const detail =
        code === 'short-frame' ? `too short for the message ${name}` : 'no message of the profile looks like this';
      return { ok: false, code, at, detail };
    }
    const { message } = located;
    w.values = [];
    if (rules.discovered.found.length > 0) rules.discovered.found = [];
    const { steps } = message;
    for (let i = 0; i < steps.length; i++) steps[i]!(w);
    if (w.failedAt >= 0) {
      return {
        ok: false,
        code: 'bad-content',
        at: w.failedAt,
        detail: `the message ${message.name} contradicts itself`,
      };
    }
    if (message.dropIf !== undefined && message.dropIf(w) > 0) {
      return { ok: false, code: 'dropped', at: 0, detail: `drop_if of the message ${message.name} holds` };
    }
    const { values } = w;
    return {
      ok: true,
      message: message.name,
      device: rules.device === undefined ? undefined : rules.device(w),
      samples: message.direction === 'down' || values.length === 0 ? [] : this.samples(message, values),
      replies: rules.replies.size === 0 ? NO_REPLIES : this.replies(message),
      newChannels: rules.discovered.found,
    };
  }

  private samples(message: CompiledMessage, values: Value[]): Sample[] {
    let timeKind: Sample['timeKind'] = 'now';
    let time = 0;
    if (message.time !== undefined) {
      const ms = Math.round(message.time(this.machine) * 1_000);
      if (Number.isSafeInteger(ms) && ms > 0) {
        timeKind = 'unix';
        time = ms;
      }
    }
    if (values.length <= MAX_VALUES) return [{ timeKind, time, values }];
    const samples: Sample[] = [];
    for (let i = 0; i < values.length; i += MAX_VALUES) {
      samples.push({ timeKind, time, values: values.slice(i, i + MAX_VALUES) });
    }
    return samples;
  }

  private replies(message: CompiledMessage): readonly Reply[] {
    const reply = this.rules.replies.get(message.name);
    if (reply === undefined) return NO_REPLIES;
    const content = this.rendered(() => reply.template.render(this.machine, this.parameters));
    return content === undefined ? NO_REPLIES : [{ bytes: this.wrap(content), afterDurable: reply.afterDurable }];
  }

  /** Points a machine at a frame and finds its message. */
  locate(frame: Uint8Array, w: Machine): Located {
    const { framing, transform, messages } = this.rules;
    let data = framing.strip(frame);
    const { length } = data;
    if (transform.length > 0 && length <= this.scratch.length) {
      this.scratch.set(data);
      undoTransform(transform, this.scratch, length);
      data = this.scratch;
    }
    w.data = data;
    w.length = length;
    w.base = 0;
    w.reach = 0;
    w.failedAt = -1;
    let short: CompiledMessage | undefined;
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i]!;
      if (!matches(message, data, length)) continue;
      w.end = length - message.kind.trailer;
      if (message.needs > w.end) {
        short ??= message;
        continue;
      }
      return { ok: true, message };
    }
    if (short !== undefined) return { ok: false, code: 'short-frame', at: length, name: short.name };
    return { ok: false, code: 'unknown-message', at: 0, name: '' };
  }

  failedChecksum(bytes: Uint8Array): FailedChecksum | undefined {
    return this.rules.framing.failedChecksum(bytes);
  }

  command(alias: string, value: boolean | number | bigint | string | undefined): CommandResult {
    const command = this.rules.commands.find(({ about }) => about.alias === alias || about.shows === alias);
    if (command === undefined) return { ok: false, code: 'no-command', detail: 'there is no such command' };
    const meant = commandValue(command, value);
    if (typeof meant === 'string') return { ok: false, code: 'bad-value', detail: meant };
    const request = this.outgoing(meant.request, meant.raw);
    if (request === undefined)
      return { ok: false, code: 'not-yet', detail: 'the device has not told what the request needs' };
    return { ok: true, request };
  }

  encode(name: string, values: FieldValues): Uint8Array {
    const message = this.rules.messages.find((candidate) => candidate.name === name);
    if (message === undefined) throw new RangeError(`there is no message ${name}`);
    return this.wrap(this.content(message, values));
  }

  /** A frame before it is stuffed. */
  private content(message: CompiledMessage, values: FieldValues): Uint8Array {
    const { rules } = this;
    this.writer ??= createMachine(rules.scope.size);
    const w = this.writer;
    fillParameters(rules.parameters, this.parameters, w);
    w.data = new Uint8Array(rules.framing.max).fill(message.fill);
    w.failedAt = -1;
    const length = writeMessage(message, w, values);
    const frame = w.data.slice(0, length);
    const { kind } = message;
    kind.length?.put(frame, length);
    applyTransform(rules.transform, frame, length);
    if (kind.tail.length > 0) frame.set(kind.tail, length - kind.tail.length);
    if (kind.marker !== undefined) {
      const { bytes, plus } = kind.marker;
      frame.set(bytes, length - plus - bytes.length);
      // Behind the marker stand the checksum and what ends the line, as far as it is known.
      if (plus >= 2 && rules.lineEnd !== undefined) frame.set(rules.lineEnd, length - rules.lineEnd.length);
    }
    for (const check of kind.checks) check.put(frame);
    return frame;
  }

  answer(request: Uint8Array, values: FieldValues): Answer | undefined {
    const { rules } = this;
    for (const candidate of [...rules.polls, ...rules.init]) {
      if (candidate.template.recognise(request, this.parameters) === undefined) continue;
      return this.answerOf(candidate, values, {});
    }
    for (const command of rules.commands) {
      for (const [word, candidate] of command.requests) {
        const found = candidate.template.recognise(request, this.parameters);
        if (found === undefined) continue;
        const set = setByCommand(command, word, found.value);
        return this.answerOf(candidate, { ...values, ...set }, set);
      }
    }
    return undefined;
  }

  private answerOf(request: CompiledRequest, values: FieldValues, set: FieldValues): Answer {
    const [name] = request.answer;
    const message = this.rules.messages.find((candidate) => candidate.name === name);
    if (message === undefined) return { name: request.name, frames: [], messages: [], set };
    return { name: request.name, frames: [this.wrap(this.content(message, values))], messages: [message.name], set };
  }

  explain(frame: Uint8Array): FrameExplanation {
    return explainFrame(frame, this.rules, this.parameters, this.machine, (plain, w) => this.locate(plain, w));
  }

  private wrap(content: Uint8Array): Uint8Array {
    const { escape } = this.rules.framing;
    return escape === undefined ? content : escape.wrap(content);
  }

  /** A value that does not fit its place is as good as unknown. */
  private rendered(render: () => Uint8Array | undefined): Uint8Array | undefined {
    try {
      return render();
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  private outgoing(request: CompiledRequest, raw: number | bigint | string | undefined): OutgoingRequest | undefined {
    const content = this.rendered(() => request.template.render(this.machine, this.parameters, raw));
    return content === undefined ? undefined : this.asRequest(request, this.wrap(content));
  }

  /** An init step that needs what is not known yet is left out. */
  private empty(request: CompiledRequest): OutgoingRequest {
    return { ...this.asRequest(request, new Uint8Array(0)), silent: true, answers: () => false };
  }

  private asRequest(request: CompiledRequest, bytes: Uint8Array): OutgoingRequest {
    const { name, answer, timeoutMs, retries, frames } = request;
    return {
      name,
      bytes,
      answers: (frame) => this.isAnswer(request, frame),
      silent: answer.length === 0,
      timeoutMs,
      retries,
      frames,
    };
  }

  private isAnswer({ answer, where }: CompiledRequest, frame: Uint8Array): boolean {
    if (answer.length === 0) return false;
    const { machine: w } = this;
    const located = this.locate(frame, w);
    if (!located.ok || !answer.includes(located.message.name)) return false;
    if (where === undefined) return true;
    w.values = [];
    for (const step of located.message.steps) step(w);
    return w.failedAt < 0 && where(w) > 0;
  }
}
