/** The outside of a compiled profile: what the contract tells of it. */
import type { Context } from './context.ts';
import { describeParameter, parameterProblems } from './parameters.ts';
import type { CompiledParameter } from './parameters.ts';
import type { Profile, ProfileAbout, ProfileCommand, ProfileMessage } from './profile.ts';
import type { ProfileFile } from './spec.ts';

/** Puts the contract around what was compiled. */
export function profileOf(
  name: string,
  about: ProfileAbout,
  { channels }: Context,
  commands: readonly ProfileCommand[],
  messages: readonly ProfileMessage[],
  parameters: ReadonlyMap<string, CompiledParameter>,
  open: (profile: Profile, values: Readonly<Record<string, unknown>>) => ReturnType<Profile['open']>,
): Profile {
  const profile: Profile = {
    name,
    about,
    channels: channels.list(),
    commands,
    messages: messages.map((message) => ({ name: message.name, direction: message.direction, fields: message.fields })),
    parameters: [...parameters.values()].map(describeParameter),
    checkParameters: (given) => parameterProblems(parameters, given),
    open: (values = {}) => open(profile, values),
  };
  return profile;
}

/** What people need to know. */
export function aboutOf(
  file: ProfileFile,
  maxFrameBytes: number,
  transport: ProfileAbout['transport'],
  gapMs: number | undefined,
  gapChars: number | undefined,
): ProfileAbout {
  const { serial } = file;
  return {
    title: file.title,
    vendor: file.vendor,
    models: file.models,
    description: file.description,
    wiring: file.wiring,
    links: file.links,
    serial:
      serial === undefined
        ? undefined
        : {
            baud: serial.baud,
            dataBits: serial.data_bits === '7' ? 7 : 8,
            parity: serial.parity,
            stopBits: serial.stop_bits === '2' ? 2 : 1,
          },
    transport,
    gapMs,
    gapChars,
    timeoutMs: file.timeout_s,
    maxFrameBytes,
    onlyAnswers: file.only_answers,
    identified: file.device !== undefined,
  };
}
