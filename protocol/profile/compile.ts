/**
 * From a profile file that fits the schema to a `Profile`: names are declared, then everything is compiled against them.
 *
 * ```
 *   parameters, fields ─ declare ─→ names and channels ─→ expressions ─→ messages ─→ requests, commands
 * ```
 */
import { ChannelTable } from './channel-table.ts';
import { compileChecks } from './checksum.ts';
import { buildCodec } from './codec.ts';
import type { CompiledProfile } from './compiled.ts';
import { expressionAt } from './context.ts';
import type { Context } from './context.ts';
import { compileFraming } from './framing.ts';
import { CompiledInstance } from './instance.ts';
import { Scope } from './machine.ts';
import type { Machine } from './machine.ts';
import { compileComputedFields, compileMessage, declareMessage } from './message.ts';
import { aboutOf, profileOf } from './contract.ts';
import { compileModbus } from './modbus/profile.ts';
import { compileParameters } from './parameters.ts';
import type { Problems } from './problems.ts';
import type { Profile } from './profile.ts';
import type { Discovered } from './records.ts';
import { compileCommands, compileInit, compilePolls } from './requests.ts';
import type { MessageSpec, ProfileFile } from './spec.ts';
import { compileTemplate } from './template.ts';
import type { TemplateContext } from './template.ts';

/** Compiles a file; undefined when `problems` has something to tell. */
export function compileProfile(file: ProfileFile, name: string, problems: Problems): Profile | undefined {
  const scope = new Scope();
  const channels = new ChannelTable(problems);
  const context: Context = { problems, scope, channels, order: file.order, used: namesIn(file) };
  if (file.modbus !== undefined) return compileModbus(file, file.modbus, name, context);
  const parameters = compileParameters(file.parameters, scope, file.order, ['parameters'], problems);
  const framing = compileFraming(file, problems);
  if (framing === undefined) return undefined;

  const single = file.messages === undefined;
  const bodies: [string, MessageSpec][] = single
    ? [['data', { ...file, direction: 'up', title: undefined, length: undefined }]]
    : Object.entries(file.messages!);
  if (!single) {
    for (const key of ['fields', 'match', 'groups', 'records', 'text', 'drop_if', 'time', 'reply'] as const) {
      if (file[key] !== undefined) problems.add([key], `belongs into one of the messages`, true);
    }
  } else if (file.fields === undefined && file.records === undefined && file.groups === undefined) {
    problems.add([], 'the file needs fields, or messages with fields: what is to be read?');
  }
  const drafts = bodies.map(([message, spec]) =>
    declareMessage(message, spec, single ? [] : ['messages', message], context),
  );
  const computed = drafts.map((draft) => compileComputedFields(draft, context));
  const discovered: Discovered = { channels: new Map(), found: [] };
  const messages = drafts.map((draft, i) => compileMessage(draft, computed[i]!, framing, context, discovered));
  const names = messages.map((message) => message.name);

  const checks =
    file.requests_checksum === undefined
      ? framing.kinds[0].checks
      : compileChecks(file.requests_checksum, file.order, ['requests_checksum'], problems);
  const given: TemplateContext = { context, parameters, checks, framing, preamble: file.preamble };
  const init = compileInit(file.init, names, given);
  const sent = messages.filter(({ direction }) => direction === 'up').map((message) => message.name);
  const polls = compilePolls(file.poll, names, sent, given);
  const commands = compileCommands(file.commands, names, given);
  const replies: [string, CompiledProfile['replies'] extends ReadonlyMap<string, infer T> ? T : never][] = [];
  for (const [message, spec] of bodies) {
    if (spec.reply === undefined) continue;
    const template = compileTemplate(spec.reply, [...(single ? [] : ['messages', message]), 'reply'], given);
    if (template !== undefined) replies.push([message, { template, afterDurable: spec.reply_after === 'durable' }]);
  }
  const device = compileDevice(file, context);
  for (const transform of file.transform ?? []) {
    if (transform.subtract === undefined && transform.xor === undefined)
      problems.add(['transform'], 'needs subtract or xor');
  }
  if (problems.findings.length > 0) return undefined;
  const rules: CompiledProfile = {
    framing,
    preamble: file.preamble,
    transform: file.transform ?? [],
    scope,
    parameters,
    messages: messages.toSorted((a, b) => Number(a.direction === 'down') - Number(b.direction === 'down')),
    device,
    init,
    polls,
    commands,
    requests: [...polls, ...init, ...commands.flatMap(({ requests }) => [...requests.values()])],
    replies: new Map(replies),
    lineEnd: bodies.find(([, { text }]) => text?.lines !== undefined)?.[1].text?.lines,
    discovered,
  };
  const about = aboutOf(file, framing.max, framing.datagram ? 'datagram' : 'stream', framing.gapMs, framing.gapChars);
  return profileOf(
    name,
    about,
    context,
    commands.map(({ about }) => about),
    messages,
    parameters,
    (profile, values) => new CompiledInstance(profile, rules, values),
  );
}

/** The identity in a frame: a place, or an expression. */
function compileDevice(file: ProfileFile, context: Context): ((w: Machine) => string | undefined) | undefined {
  const spec = file.device;
  if (spec === undefined) return undefined;
  if (typeof spec === 'string') {
    const expression = expressionAt(spec, ['device'], context);
    if (expression === undefined) return undefined;
    if (expression.kind === 'text') return expression.run;
    return (w) => {
      const value = expression.run(w);
      return Number.isNaN(value) ? undefined : String(value);
    };
  }
  const codec = buildCodec(spec, { order: file.order, path: ['device'], problems: context.problems, inText: false });
  if (codec === undefined) return undefined;
  if (codec.fixedSize === undefined) {
    context.problems.add(['device'], 'needs a size: a number of bytes');
    return undefined;
  }
  const { at } = spec;
  const size = codec.fixedSize;
  return (w) => {
    const from = at < 0 ? w.length + at : at;
    if (from < 0 || from + size > w.length) return undefined;
    const value = codec.read(w.data, from, from + size);
    return value === undefined ? undefined : String(value);
  };
}

/** Every word of every text that may be an expression or a template: names among them get their values stored. */
function namesIn(file: ProfileFile): Set<string> {
  const names = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value === 'string') {
      for (const [word] of value.matchAll(/[a-z0-9_]{1,32}/g)) names.add(word);
    } else if (Array.isArray(value)) {
      value.forEach(visit);
    } else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
      for (const [key, part] of Object.entries(value)) if (!PROSE.has(key)) visit(part);
    }
  };
  visit(file);
  return names;
}

/** Text for people, which would only make decoding slower. */
const PROSE: ReadonlySet<string> = new Set([
  'title',
  'description',
  'wiring',
  'links',
  'models',
  'vendor',
  'unit',
  'class',
  'type',
  'names',
  'flags',
]);
