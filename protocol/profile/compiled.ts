/** Everything that a profile is compiled to; shared by its instances. */
import type { Framing } from './framing.ts';
import type { Machine, Scope } from './machine.ts';
import type { CompiledMessage } from './message.ts';
import type { CompiledParameter } from './parameters.ts';
import type { Discovered } from './records.ts';
import type { CompiledCommand, CompiledInit, CompiledPoll, CompiledRequest } from './requests.ts';
import type { TransformSpec } from './spec.ts';
import type { Template } from './template.ts';

export interface CompiledProfile {
  readonly framing: Framing;
  readonly preamble: number | undefined;
  readonly transform: readonly TransformSpec[];
  readonly scope: Scope;
  readonly parameters: ReadonlyMap<string, CompiledParameter>;
  /** Those from the device first. */
  readonly messages: readonly CompiledMessage[];
  readonly device: ((w: Machine) => string | undefined) | undefined;
  readonly init: readonly CompiledInit[];
  readonly polls: readonly CompiledPoll[];
  readonly commands: readonly CompiledCommand[];
  /** All of them: polls, init, commands. */
  readonly requests: readonly CompiledRequest[];
  /** By message. */
  readonly replies: ReadonlyMap<string, { readonly template: Template; readonly afterDurable: boolean }>;
  /** How lines of text end; undefined without lines. */
  readonly lineEnd: Uint8Array | undefined;
  readonly discovered: Discovered;
}
