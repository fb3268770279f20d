/** The small evaluator of templates against Jinja itself, where Python has it. */
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { render } from './render.ts';

const SCRIPT = `
import json, sys
from datetime import datetime, timezone
from jinja2.sandbox import ImmutableSandboxedEnvironment
env = ImmutableSandboxedEnvironment()
env.filters['timestamp_utc'] = lambda s: datetime.fromtimestamp(s, timezone.utc).isoformat()
print(json.dumps([env.from_string(t).render(value_json=json.loads(p)).strip() for t, p in json.load(sys.stdin)]))
`;

function hasJinja(): boolean {
  if (spawnSync('python3', ['-c', 'import jinja2']).status === 0) return true;
  if (process.env['CI'] === 'true') throw new Error('missing with CI=true: python3-jinja2');
  console.warn('skipped, because this machine has no python3-jinja2');
  return false;
}

const X = "value_json['x'] | default(none)";
const TEMPLATES = [
  `{{ ${X} }}`,
  `{{ (${X} | string)[:255] }}`,
  `{% set v = ${X} %}{{ none if v is none else ('ON' if v else 'OFF') }}`,
  `{% set v = ${X} %}{{ v + 0 if v is number else none }}`,
  '{{ value_json.journal.depth | default(none) }}',
];
const VALUES = [21.5, 0, -3, 2 ** 40, true, false, null, '', 'eco', ' padded ', "' }} {{ x", 'ä🙂', 'f'.repeat(300)];

it.skipIf(!hasJinja())('Jinja makes of our templates what the tests believe', () => {
  const cases = TEMPLATES.flatMap((template) => [
    ...VALUES.map((x) => [template, JSON.stringify({ x, journal: { depth: x } })] as const),
    [template, '{"y":1,"journal":{}}'] as const,
  ]);
  const more = [
    ["{{ dict(value_json, event_type=value_json['type']) | tojson }}", '{"type":"readings_lost","readings":3,"ts":1}'],
    ['{{ (value_json.last_seen / 1000) | timestamp_utc }}', '{"last_seen":1795224951921}'],
    ['{{ (value_json.memory_bytes / 1048576) | round(1) }}', '{"memory_bytes":89128960}'],
  ] as const;
  const all = [...cases, ...more];
  const { stdout, stderr } = spawnSync('python3', ['-c', SCRIPT], { input: JSON.stringify(all), encoding: 'utf8' });
  expect(stderr).toBe('');
  const rendered = JSON.parse(stdout) as string[];
  all.forEach(([template, payload], index) => {
    const given = rendered[index] ?? '';
    const ours = render(template, payload);
    if (template.includes('tojson')) expect(JSON.parse(given)).toEqual(JSON.parse(ours));
    else if (template.includes('timestamp')) expect(Date.parse(given)).toBe(Date.parse(ours));
    else expect({ template, payload, text: given }).toEqual({ template, payload, text: ours });
  });
});
