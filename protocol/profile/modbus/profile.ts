/** From the `modbus` part of a profile file to a `Profile`. */
import { compileChecks } from '../checksum.ts';
import { aboutOf, profileOf } from '../contract.ts';
import type { Context } from '../context.ts';
import { compileParameters } from '../parameters.ts';
import type { Profile, ProfileCommand } from '../profile.ts';
import { fieldInfo } from '../fields.ts';
import { compileCommands } from '../requests.ts';
import type { ChecksumSpec, FieldSpec, ModbusSpec, ProfileFile } from '../spec.ts';
import { ModbusInstance } from './instance.ts';
import type { ModbusRules } from './instance.ts';
import { compileComputedRegisters, compileRegisters, mergeBlocks } from './registers.ts';
import type { Block } from './registers.ts';

const CRC: ChecksumSpec = {
  type: 'crc',
  crc: 'CRC-16/MODBUS',
  from: 0,
  to: -2,
  at: -2,
  order: 'little',
  encoding: 'binary',
  init: 0,
  xorout: 0,
  zero: false,
};

/** Compiles a Modbus profile; undefined when something is wrong. */
export function compileModbus(
  file: ProfileFile,
  modbus: ModbusSpec,
  name: string,
  context: Context,
): Profile | undefined {
  const { problems, scope } = context;
  for (const key of [
    'framing',
    'checksum',
    'messages',
    'groups',
    'records',
    'text',
    'transform',
    'preamble',
    'device',
  ] as const) {
    if (file[key] !== undefined) problems.add([key], 'cannot stand beside modbus', true);
  }
  if (Object.keys(file.poll).length > 0)
    problems.add(['poll'], 'cannot stand beside modbus: registers are polled by themselves', true);
  if (file.init.length > 0) problems.add(['init'], 'cannot stand beside modbus', true);
  const address = {
    type: 'u8' as const,
    default: String(modbus.address),
    range: [0, 255] as [number, number],
    description: 'Unit address of the device',
  };
  const parameters = compileParameters({ address, ...file.parameters }, scope, file.order, ['parameters'], problems);
  const registers = compileRegisters(modbus, context);
  compileComputedRegisters(file.fields ?? {}, registers, context);
  const blocks = mergeBlocks(registers, modbus);
  const checks = compileChecks(file.requests_checksum ?? [CRC], file.order, ['requests_checksum'], problems);
  const commands = compileCommands(file.commands, [], {
    context,
    parameters,
    checks,
    framing: undefined,
    preamble: undefined,
  });
  if (commands.length > 0 && modbus.variant !== 'rtu')
    problems.add(['commands'], 'with bytes of their own are for variant rtu; use writable registers');
  for (const register of Object.keys(modbus.registers)) {
    if (Object.hasOwn(file.commands, register) && modbus.registers[register]!.writable) {
      problems.add(['commands', register], 'the register of this name is writable already', true);
    }
  }
  if (problems.findings.length > 0) return undefined;
  const others = new Map<number, number>();
  for (const command of commands) {
    for (const { template } of command.requests.values()) {
      const shape = template.shape(
        new Map([...parameters].map(([key]) => [key, { number: 0, text: '0', bytes: new Uint8Array(1) }])),
      );
      if (shape[1] !== undefined && shape[1] > 16) others.set(shape[1], shape.length);
    }
  }
  const rules: ModbusRules = { modbus, registers, blocks, scope, parameters, commands, others };
  const about = aboutOf(file, 513, `modbus-${modbus.variant}`, undefined, modbus.variant === 'rtu' ? 3.5 : undefined);
  const writable = registers
    .filter(({ spec }) => spec.writable)
    .map(
      ({ name: alias, spec, codec, channel }): ProfileCommand => ({
        alias,
        title: spec.title ?? alias,
        kind:
          codec.kind === 'bool'
            ? 'bool'
            : codec.kind === 'option'
              ? 'option'
              : codec.kind === 'number'
                ? 'number'
                : 'text',
        channel: channel!.number,
        shows: alias,
        range: spec.range ?? (codec.limits as [number, number] | undefined),
        step: spec.step ?? codec.step,
        options: codec.options,
        unit: spec.unit ?? '',
        class: spec.class ?? 'none',
      }),
    );
  return profileOf(
    name,
    about,
    context,
    [...writable, ...commands.map((command) => command.about)],
    blocks.map(messageOf),
    parameters,
    (profile, values) => new ModbusInstance(profile, rules, values),
  );
}

function messageOf(block: Block) {
  const fields = block.registers.map(({ name, spec, codec }) => {
    const shown: FieldSpec = { ...spec, flags_as: 'text', optional: false };
    return fieldInfo({ name, spec: shown, codec }, codec.writeNone !== undefined);
  });
  return { name: block.name, direction: 'up' as const, fields };
}
