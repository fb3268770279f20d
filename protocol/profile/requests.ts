/**
 * Requests of a profile: what is polled, what is sent first, what can be set; and which frames answer them.
 *
 * ```
 *   request ─→ device ─→ frame ─ its message is in `answer` ─ `where` holds ─→ the answer
 * ```
 */
import type { ChannelEntry } from './channel-table.ts';
import { truthOf } from './raw-values.ts';
import type { GivenValue } from './codec.ts';
import { conditionAt } from './context.ts';
import type { Context } from './context.ts';
import type { NumberExpression } from './expression/compile.ts';
import { linearOf } from './linear.ts';
import type { Linear } from './linear.ts';
import type { Path } from './problems.ts';
import type { FieldValues, ProfileCommand } from './profile.ts';
import { suggest } from '../suggest.ts';
import { titleOf } from './channel-table.ts';
import type { CommandSpec, InitSpec, PollSpec, RequestSpec } from './spec.ts';
import { compileTemplate } from './template.ts';
import type { Template, TemplateContext } from './template.ts';

/** What all requests have. */
export interface CompiledRequest {
  readonly name: string;
  readonly template: Template;
  /** Names of messages; empty: nothing answers. */
  readonly answer: readonly string[];
  readonly where: NumberExpression | undefined;
  readonly frames: number;
  readonly timeoutMs: number;
  readonly retries: number;
}

export interface CompiledPoll extends CompiledRequest {
  readonly everyMs: number;
}

export interface CompiledInit extends CompiledRequest {
  readonly waitMs: number;
}

export interface CompiledCommand {
  readonly about: ProfileCommand;
  /** By value (`on`, `off`, an option), or the one under `''` that takes the value. */
  readonly requests: ReadonlyMap<string, CompiledRequest>;
  readonly raw: ReadonlyMap<string, number>;
  readonly linear: Linear;
}

/** Checks the names of messages, and compiles what a request has besides its bytes. */
function compileRequest(
  name: string,
  spec: RequestSpec,
  send: string,
  path: Path,
  sendPath: Path,
  messages: readonly string[],
  given: TemplateContext,
): CompiledRequest | undefined {
  const { context } = given;
  const answer = spec.answer ?? [];
  answer.forEach((message, i) => {
    if (messages.includes(message)) return;
    const near = suggest(message, messages);
    context.problems.add(
      [...path, 'answer', ...(answer.length > 1 ? [i] : [])],
      `there is no message ${message}${near === undefined ? `; there are ${messages.join(', ')}` : `. Did you mean ${near}?`}`,
    );
  });
  const template = compileTemplate(send, sendPath, given);
  const where = conditionAt(spec.where, [...path, 'where'], context);
  if (template === undefined) return undefined;
  const { frames, timeout_ms: timeoutMs, retries } = spec;
  return { name, template, answer, where, frames, timeoutMs, retries };
}

/** Polls are answered by the only message that comes from the device (`sent`), unless they say. */
export function compilePolls(
  specs: Readonly<Record<string, PollSpec>>,
  messages: readonly string[],
  sent: readonly string[],
  given: TemplateContext,
): CompiledPoll[] {
  return Object.entries(specs).flatMap(([name, spec]) => {
    const path = ['poll', name];
    const answer = spec.answer ?? (sent.length === 1 ? [...sent] : undefined);
    const full = answer === undefined ? spec : { ...spec, answer };
    const request = compileRequest(name, full, spec.send, path, [...path, 'send'], messages, given);
    if (answer === undefined) {
      given.context.problems.add(path, `needs answer: which of the messages answers it (${sent.join(', ')})`);
    }
    return request === undefined ? [] : [{ ...request, everyMs: spec.every_s }];
  });
}

export function compileInit(
  specs: readonly InitSpec[],
  messages: readonly string[],
  given: TemplateContext,
): CompiledInit[] {
  return specs.flatMap((spec, i) => {
    const path = ['init', i];
    const request = compileRequest(`init ${i + 1}`, spec, spec.send, path, [...path, 'send'], messages, given);
    return request === undefined ? [] : [{ ...request, waitMs: spec.wait_ms }];
  });
}

/** Compiles commands, and declares their channels where no field shows what is set. */
export function compileCommands(
  specs: Readonly<Record<string, CommandSpec>>,
  messages: readonly string[],
  given: TemplateContext,
): CompiledCommand[] {
  return Object.entries(specs).flatMap(([alias, spec]) => {
    const command = compileCommand(alias, spec, ['commands', alias], messages, given);
    return command === undefined ? [] : [command];
  });
}

function compileCommand(
  alias: string,
  spec: CommandSpec,
  path: Path,
  messages: readonly string[],
  given: TemplateContext,
): CompiledCommand | undefined {
  const { context } = given;
  const { problems } = context;
  if ((spec.send === undefined) === (spec.values === undefined)) {
    problems.add(path, 'needs either send, or values: a request for each');
    return undefined;
  }
  const requests = new Map<string, CompiledRequest>();
  for (const [value, send] of spec.send === undefined ? Object.entries(spec.values!) : [['', spec.send] as const]) {
    const sendPath = spec.send === undefined ? [...path, 'values', value] : [...path, 'send'];
    const request = compileRequest(alias, spec, send, path, sendPath, messages, given);
    if (request === undefined) return undefined;
    requests.set(value, request);
  }
  const words = spec.values === undefined ? Object.keys(spec.raw ?? {}) : Object.keys(spec.values);
  if (spec.type === 'bool' && spec.values !== undefined && !(words.includes('on') && words.includes('off'))) {
    problems.add([...path, 'values'], 'of a bool needs on and off');
  }
  if (spec.type === 'option' && words.length === 0)
    problems.add(path, 'an option needs raw or values: the names to choose from');
  if ((spec.type === 'number' || spec.type === 'text') && spec.values !== undefined) {
    problems.add([...path, 'values'], `a ${spec.type} needs send with {value}`);
  }
  const takes = spec.send !== undefined && requests.get('')!.template.takesValue;
  if (spec.send !== undefined && spec.type !== 'button' && !takes) {
    problems.add([...path, 'send'], 'needs {value}, such as {value:u16}, or is the command a button?');
  }
  if (spec.type === 'button' && takes) problems.add([...path, 'send'], 'a button has no {value}');
  if (spec.scale === 0 || spec.divisor === 0) problems.add(path, 'scale and divisor must not be 0');
  const shown = showingChannel(alias, spec, path, context);
  if (shown === undefined) return undefined;
  shown.command = alias;
  return {
    about: {
      alias,
      title: spec.title ?? titleOf(alias),
      kind: spec.type,
      channel: shown.number,
      shows: shown.readable ? shown.alias : undefined,
      range: spec.range,
      step: spec.step,
      options: spec.type === 'option' ? words : undefined,
      unit: spec.unit ?? '',
      class: spec.class ?? 'none',
    },
    requests,
    raw: new Map(Object.entries(spec.raw ?? (spec.type === 'bool' ? { on: 1, off: 0 } : {}))),
    linear: linearOf(spec.scale, spec.divisor, spec.offset),
  };
}

function showingChannel(
  alias: string,
  spec: CommandSpec,
  path: Path,
  { channels, problems }: Context,
): ChannelEntry | undefined {
  const shows = spec.shows ?? alias;
  const known = channels.find(shows);
  if (known !== undefined) return known;
  if (spec.shows !== undefined) {
    const near = suggest(shows, channels.names);
    problems.add(
      [...path, 'shows'],
      `there is no field ${shows}${near === undefined ? '' : `. Did you mean ${near}?`}`,
    );
    return undefined;
  }
  const type = spec.type === 'bool' ? 'bool' : spec.type === 'number' ? 'f64' : 'string';
  const options = spec.type === 'option' ? Object.keys(spec.values ?? spec.raw ?? {}) : undefined;
  return channels.declare(alias, { type, scale: 0, options }, spec, path, { readable: false });
}

/** What a value means for a command: which request, and what goes into it. A text says what is wrong. */
export function commandValue(
  command: CompiledCommand,
  value: GivenValue | undefined,
): { readonly request: CompiledRequest; readonly raw: number | bigint | string | undefined } | string {
  const { about, requests, raw, linear } = command;
  const single = requests.get('');
  if (about.kind === 'button') return { request: single ?? [...requests.values()][0]!, raw: undefined };
  if (value === undefined) return 'a value is missing';
  if (about.kind === 'bool') {
    if (typeof value === 'string' && !/^(?:on|off|true|false|1|0)$/i.test(value)) return 'must be on or off';
    const word = truthOf(typeof value === 'string' ? value.toLowerCase() : value) ? 'on' : 'off';
    return single === undefined
      ? { request: requests.get(word)!, raw: undefined }
      : { request: single, raw: raw.get(word) ?? (word === 'on' ? 1 : 0) };
  }
  if (about.kind === 'option') {
    const word = String(value);
    if (!about.options!.includes(word)) return `must be one of ${about.options!.join(', ')}`;
    return single === undefined
      ? { request: requests.get(word)!, raw: undefined }
      : { request: single, raw: raw.get(word)! };
  }
  const request = single!;
  if (about.kind === 'text') return { request, raw: String(value) };
  const number = typeof value === 'string' ? (value.trim() === '' ? Number.NaN : Number(value)) : Number(value);
  if (!Number.isFinite(number)) return 'must be a number';
  if (about.range !== undefined && (number < about.range[0] || number > about.range[1])) {
    return `must be from ${about.range[0]} to ${about.range[1]}`;
  }
  const { exact, factor, offset } = linear;
  const format = request.template.valueFormat;
  const scaled = exact === undefined ? (number - offset) / factor : (number * 10 ** exact.decimals - exact.K) / exact.M;
  const whole = typeof format === 'object' && format.float ? scaled : Math.round(scaled);
  if (typeof format === 'object' && (whole < format.min || whole > format.max)) return 'is more than the device takes';
  return { request, raw: whole };
}

/** What a recognised command sets, by the name of what shows it. */
export function setByCommand(
  command: CompiledCommand,
  word: string,
  captured: number | string | undefined,
): FieldValues {
  const { about, raw, linear } = command;
  const name = about.shows ?? about.alias;
  if (about.kind === 'button') return {};
  if (about.kind === 'text') return { [name]: String(captured) };
  if (about.kind === 'number') {
    const number = Number(captured);
    const { exact, factor, offset } = linear;
    return {
      [name]: exact === undefined ? number * factor + offset : (number * exact.M + exact.K) / 10 ** exact.decimals,
    };
  }
  const chosen = word === '' ? [...raw].find(([, value]) => value === captured)?.[0] : word;
  if (about.kind === 'bool') return { [name]: chosen === 'on' };
  return chosen === undefined ? {} : { [name]: chosen };
}
