/** Whether what a source states of a frame is what we decode. */
import type { FrameExplanation, Profile } from '../../protocol/index.ts';
import type { FieldRule } from './rules.ts';
import { shownSamples, shownValues } from './shown.ts';
import type { DecodedFrame, Shown } from './shown.ts';
import type { StatedField } from './vectors.ts';

export interface Verdict {
  right: number;
  readonly wrong: string[];
  readonly explained: string[];
}

export interface Evidence {
  readonly profile: Profile;
  /** Of a stream: all of its frames, in order. */
  readonly frames: readonly { readonly decoded: DecodedFrame; readonly explained: FrameExplanation }[];
}

/** Compares every stated field by its rule; without one the channel has the field's own name. */
export function checkValues(
  stated: readonly StatedField[],
  rules: Readonly<Record<string, FieldRule>>,
  evidence: Evidence,
): Verdict {
  const verdict: Verdict = { right: 0, wrong: [], explained: [] };
  const shown = new Map<string, Shown>();
  for (const { decoded } of evidence.frames) {
    for (const [alias, value] of shownValues(evidence.profile, decoded)) shown.set(alias, value);
  }
  for (const field of stated) {
    const rule = rules[field.name] ?? field.name;
    if (typeof rule !== 'string' && 'reason' in rule) {
      verdict.explained.push(`${field.name}: ${rule.reason}`);
      continue;
    }
    const problem = checkField(field, rule, shown, evidence);
    if (problem === undefined) verdict.right++;
    else verdict.wrong.push(`${field.name}: ${problem}`);
  }
  return verdict;
}

function checkField(
  field: StatedField,
  rule: Exclude<FieldRule, { reason: string }>,
  shown: ReadonlyMap<string, Shown>,
  evidence: Evidence,
): string | undefined {
  const { value: wanted, tol } = field;
  if (typeof rule === 'string') {
    if (!Array.isArray(wanted)) return compare(shown.get(rule), wanted, tol);
    const problems = wanted.map((one, i) => compare(shown.get(rule.replace('{n}', String(i + 1))), one, tol));
    if (shown.has(rule.replace('{n}', String(wanted.length + 1)))) problems.push(`more than ${wanted.length}`);
    return problems.find((problem) => problem !== undefined);
  }
  const last = evidence.frames.at(-1);
  if ('times' in rule) return compare(shown.get(rule.alias), Number(wanted) * rule.times, tol);
  if ('names' in rule) {
    const name = rule.names[String(wanted)];
    const got = shown.get(rule.alias);
    return name === undefined || String(got) !== name ? `stated ${String(wanted)}, got ${String(got)}` : undefined;
  }
  if ('bits' in rule) {
    const wrong = rule.bits.filter((alias, bit) => shown.get(alias) !== ((Number(wanted) & (1 << bit)) !== 0));
    return wrong.length > 0 ? `${wrong.join(', ')} of ${String(wanted)}` : undefined;
  }
  if ('flags' in rule)
    return compare(shown.get(rule.flags), flagText(evidence.profile, rule.flags, Number(wanted)), tol);
  if ('explained' in rule) return compareExplained(last?.explained, rule.explained, wanted);
  if ('time' in rule) return compareTime(last?.decoded, rule.time, Number(wanted));
  if ('device' in rule) return compare(last?.decoded.ok === true ? last.decoded.device : undefined, wanted, tol);
  if ('message' in rule)
    return compare(last?.decoded.ok === true ? last.decoded.message : undefined, rule.message[String(wanted)], tol);
  if ('exception' in rule) return compare(last?.decoded.ok === false ? last.decoded.exception : undefined, wanted, tol);
  if ('points' in rule) {
    const points = Object.entries(wanted as Record<string, unknown>);
    return points
      .map(([id, one]) => compare(shown.get(`${rule.points}${id}`), one, tol))
      .find((problem) => problem !== undefined);
  }
  if ('records' in rule) return checkRecords(wanted as readonly TrackerRecord[], evidence);
  return undefined;
}

function compare(got: Shown | undefined, wanted: unknown, tolerance: number | undefined): string | undefined {
  if (got === undefined) return `stated ${String(wanted)}, got nothing`;
  if (typeof wanted === 'number' && (typeof got === 'number' || typeof got === 'bigint')) {
    // A float of four bytes has seven digits.
    const tol = Math.max(tolerance ?? 0, Math.abs(wanted) * 1e-6);
    return Math.abs(Number(got) - wanted) <= tol ? undefined : `stated ${wanted}, got ${got}`;
  }
  return String(got) === String(wanted) ? undefined : `stated ${String(wanted)}, got ${String(got)}`;
}

/** The names of the bits that are set, as a channel of flags shows them. */
function flagText(profile: Profile, alias: string, mask: number): string {
  const names = profile.messages.flatMap(({ fields }) => fields).find(({ name }) => name === alias)?.options ?? [];
  return names.filter((_, bit) => (mask & (1 << bit)) !== 0).join(', ');
}

function compareExplained(explained: FrameExplanation | undefined, name: string, wanted: unknown): string | undefined {
  const part =
    explained?.parts.find((one) => one.name === name) ?? explained?.computed.find((one) => one.name === name);
  if (part === undefined) return `nothing is called ${name}`;
  const got = part.value;
  if (got === String(wanted) || Number.parseFloat(got) === wanted || Number.parseInt(got, 16) === wanted)
    return undefined;
  return `stated ${String(wanted)}, explained as ${got}`;
}

function compareTime(decoded: DecodedFrame | undefined, part: string, wanted: number): string | undefined {
  const sample = decoded?.ok === true ? decoded.samples[0] : undefined;
  if (sample?.timeKind !== 'unix') return 'the sample has no time of its own';
  const date = new Date(sample.time);
  const parts: Record<string, number> = {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
  };
  return parts[part] === wanted ? undefined : `stated ${wanted}, got ${parts[part]}`;
}

interface TrackerRecord {
  readonly timestamp_ms: number;
  readonly priority: number;
  readonly lat: number;
  readonly lon: number;
  readonly altitude: number;
  readonly angle: number;
  readonly satellites: number;
  readonly speed: number;
  readonly event_io: number;
  readonly io: Readonly<Record<string, number>>;
}

const PRIORITIES = ['low', 'high', 'panic'];
/** I/O elements of the vectors that have channels of their own, told in shown units. */
const IO_ALIASES: Readonly<Record<string, string>> = {
  1: 'input_1',
  3: 'input_3',
  9: 'analog_1',
  11: 'iccid_1',
  14: 'iccid_2',
  16: 'odometer',
  17: 'axis_x',
  21: 'gsm_signal',
  66: 'external_voltage',
  67: 'battery_voltage',
  78: 'ibutton',
  239: 'ignition',
  240: 'movement',
  241: 'gsm_operator',
};
const MILLI: ReadonlySet<string> = new Set(['external_voltage', 'battery_voltage', 'analog_1']);

function checkRecords(records: readonly TrackerRecord[], { profile, frames }: Evidence): string | undefined {
  const decoded = frames.at(-1)?.decoded;
  if (decoded?.ok !== true) return 'not decoded';
  const samples = shownSamples(profile, decoded);
  if (samples.length !== records.length) return `stated ${records.length} records, got ${samples.length}`;
  for (const [i, record] of records.entries()) {
    const shown = samples[i]!;
    const time = decoded.samples[i]!.time;
    if (time !== record.timestamp_ms) return `record ${i}: stated time ${record.timestamp_ms}, got ${time}`;
    const pairs: [string, unknown][] = [
      ['priority', PRIORITIES[record.priority]],
      ['latitude', record.lat],
      ['longitude', record.lon],
      ['altitude', record.altitude],
      ['heading', record.angle],
      ['satellites', record.satellites],
      ['speed', record.speed],
      ['event', record.event_io],
    ];
    for (const [id, raw] of Object.entries(record.io)) {
      const alias = IO_ALIASES[id] ?? `io_${id}`;
      const got = shown.get(alias);
      pairs.push([alias, typeof got === 'boolean' ? raw === 1 : MILLI.has(alias) ? raw / 1000 : raw]);
    }
    for (const [alias, wanted] of pairs) {
      const problem = compare(shown.get(alias), wanted, undefined);
      if (problem !== undefined) return `record ${i}: ${alias}: ${problem}`;
    }
  }
  return undefined;
}
