/** The channels of a profile while it is compiled: numbered in the order of the file, one for each name. */
import type { ValueType } from '../link/value.ts';
import type { Codec } from './codec.ts';
import type { Path, Problems } from './problems.ts';
import type { ProfileChannel } from './profile.ts';
import { ALIAS } from './schema-leaves.ts';
import type { ConvertSpec, ShownSpec } from './spec.ts';

export const MAX_PROFILE_CHANNELS = 256;

/** A channel as far as it is known; `type` and `scale` may still change while other messages are declared. */
export interface ChannelEntry {
  readonly number: number;
  readonly alias: string;
  type: ValueType;
  scale: number;
  /** Its values have different scales in different messages: all are told as plain f64. */
  mixed: boolean;
  readonly spec: ShownSpec;
  readonly options: readonly string[] | undefined;
  readonly repeated: boolean;
  readonly readable: boolean;
  command: string | undefined;
}

export type ChannelShape = Pick<Codec, 'type' | 'scale' | 'options'>;

export class ChannelTable {
  private readonly entries = new Map<string, ChannelEntry>();
  private readonly problems: Problems;

  constructor(problems: Problems) {
    this.problems = problems;
  }

  /** The channel of a name: a new one, or the one that another message has already. */
  declare(
    alias: string,
    shape: ChannelShape,
    spec: ShownSpec,
    path: Path,
    more: { readonly repeated?: boolean; readonly readable?: boolean } = {},
  ): ChannelEntry | undefined {
    if (!ALIAS.test(alias)) {
      this.problems.add(path, `makes the name ${alias.slice(0, 60)}; names have 1 to 32 of a-z, 0-9 and _`);
      return undefined;
    }
    const known = this.entries.get(alias);
    if (known !== undefined) return this.join(known, shape, spec, path);
    if (this.entries.size === MAX_PROFILE_CHANNELS) {
      this.problems.add(
        path,
        `a profile has at most ${MAX_PROFILE_CHANNELS} channels; mark some fields hidden, or lower max`,
      );
      return undefined;
    }
    const { type, scale, options } = shape;
    const { repeated = false, readable = true } = more;
    const number = this.entries.size;
    const entry = { number, alias, type, scale, mixed: false, spec, options, repeated, readable, command: undefined };
    this.entries.set(alias, entry);
    return entry;
  }

  private join(known: ChannelEntry, shape: ChannelShape, spec: ShownSpec, path: Path): ChannelEntry | undefined {
    if (
      (known.type === 'string') !== (shape.type === 'string') ||
      (known.type === 'bool') !== (shape.type === 'bool')
    ) {
      this.problems.add(
        path,
        `${known.alias} is ${known.type} in one place and ${shape.type} in another; give it another name`,
      );
      return undefined;
    }
    if ((known.spec.unit ?? '') !== (spec.unit ?? '')) {
      this.problems.add(
        path,
        `${known.alias} has the unit ${known.spec.unit ?? '""'} in another place; give it another name`,
      );
      return undefined;
    }
    if (known.scale !== shape.scale && !known.mixed) {
      known.mixed = true;
      known.type = 'f64';
      known.scale = 0;
    }
    return known;
  }

  find(alias: string): ChannelEntry | undefined {
    return this.entries.get(alias);
  }

  get names(): string[] {
    return [...this.entries.keys()];
  }

  get size(): number {
    return this.entries.size;
  }

  list(): ProfileChannel[] {
    return [...this.entries.values()].map(toChannel);
  }
}

function toChannel(entry: ChannelEntry): ProfileChannel {
  const { number, alias, type, scale, spec, options, repeated, readable, command } = entry;
  return {
    number,
    alias,
    title: spec.title ?? titleOf(alias),
    type,
    scale,
    unit: spec.unit ?? '',
    class: spec.class ?? 'none',
    diagnostic: spec.diagnostic,
    totalIncreasing: spec.total_increasing,
    precision: spec.precision,
    options,
    closed: 'names' in spec && (spec as ConvertSpec).names?.['other'] !== undefined,
    range: spec.range,
    command,
    readable,
    repeated,
  };
}

/** `cell_3` is `Cell 3`. */
export function titleOf(alias: string): string {
  const words = alias.replaceAll('_', ' ').trim();
  return words === '' ? alias : words[0]!.toUpperCase() + words.slice(1);
}
