/** /metrics of the built gateway, and that the documents, the dashboard of Grafana and the alerts name what it has. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { GatewayProgram } from '../helpers/gateway-program.ts';

const ROOT = join(import.meta.dirname, '../..');
const DOCS = join(ROOT, 'docs/metrics.md');
const BEGIN = '<!-- generated: UPDATE_DOCS=1 npx vitest run test/system/metrics.test.ts -->\n';
const END = '<!-- end of generated -->';

interface Metric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** Of the samples that there are. */
  readonly labels: ReadonlySet<string>;
}

let text = '';
let metrics: readonly Metric[] = [];

beforeAll(async () => {
  const gateway = new GatewayProgram([{ name: 'tcp', tcp: '127.0.0.1:0' }], {
    http: { port: 0 },
    journal: { durability: 'memory' },
  });
  try {
    const { where } = await gateway.line(({ msg }) => msg?.startsWith('dashboard on ') === true);
    const answer = await fetch(`http://${String(where)}/metrics`);
    expect(answer.status).toBe(200);
    text = await answer.text();
    metrics = parse(text);
  } finally {
    await gateway.stop();
  }
});

function parse(exposition: string): Metric[] {
  const lines = exposition.split('\n');
  return lines.flatMap((line) => {
    const [, name = '', type = ''] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (name === '') return [];
    const help = lines.find((other) => other.startsWith(`# HELP ${name} `))?.slice(`# HELP ${name} `.length) ?? '';
    const samples = lines.filter((other) => other.startsWith(`${name}{`));
    const labels = samples.flatMap((sample) => Array.from(sample.matchAll(/[{,](\w+)="/g), ([, label]) => label!));
    return [{ name, type, help, labels: new Set(labels) }];
  });
}

/** Names of metrics in a text; `bytes2mqtt_` alone is none. */
function namesIn(document: string): string[] {
  return Array.from(new Set(Array.from(document.matchAll(/\bbytes2mqtt_[a-z0-9_]+/g), ([name]) => name)));
}

test('there are many, each with a sentence', () => {
  expect(metrics.length).toBeGreaterThan(30);
  for (const { name, help } of metrics) expect(help, name).toMatch(/\S+\.$/);
});

test('docs/metrics.md has all of them', () => {
  const rows = metrics.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`);
  const table = ['| metric | type | |', '|---|---|---|', ...rows].join('\n');
  const document = readFileSync(DOCS, 'utf8');
  const [before, after] = [document.indexOf(BEGIN) + BEGIN.length, document.indexOf(END)];
  const wanted = `${document.slice(0, before)}\n${table}\n\n${document.slice(after)}`;
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(DOCS, wanted);
  else expect(document).toBe(wanted);
});

describe.each(['deploy/grafana/bytes2mqtt.json', 'deploy/prometheus/bytes2mqtt.rules.yaml'])('%s', (path) => {
  const content = readFileSync(join(ROOT, path), 'utf8');

  test('names metrics that there are', () => {
    const known = new Set(metrics.map(({ name }) => name));
    const named = namesIn(content);
    expect(named.length).toBeGreaterThan(8);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  test('takes the rate of counters and of nothing else', () => {
    const types = new Map(metrics.map(({ name, type }) => [name, type]));
    for (const name of namesIn(content)) {
      const rated = new RegExp(`(rate|increase)\\(${name}\\b`).test(content);
      expect(rated, name).toBe(types.get(name) === 'counter');
    }
  });
});

test('the dashboard of Grafana has a source and a gateway to choose, and no panel over another', () => {
  const dashboard = JSON.parse(readFileSync(join(ROOT, 'deploy/grafana/bytes2mqtt.json'), 'utf8')) as {
    panels: { id: number; gridPos: { x: number; y: number; w: number; h: number } }[];
    templating: { list: { name: string }[] };
  };
  expect(dashboard.templating.list.map(({ name }) => name)).toEqual(['datasource', 'instance']);
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, n) => `${x + (n % w)},${y + Math.floor(n / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
});
