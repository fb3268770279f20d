import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { loadText } from '../../helpers/config-folder.ts';
import { configurationTables, errorTable, limitsTable, withGenerated } from '../../helpers/config-docs.ts';

const read = (name: string) => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');

describe('the docs are in step with the code', () => {
  it.each([
    ['configuration.md', configurationTables],
    ['errors.md', errorTable],
    ['../SECURITY.md', limitsTable],
  ])('%s', (name, generate) => {
    const document = read(name);
    const wanted = withGenerated(document, generate());
    if (process.env['UPDATE_DOCS'] === '1') {
      writeFileSync(new URL(`../../../docs/${name}`, import.meta.url), wanted);
      return;
    }
    expect(document).toBe(wanted);
  });

  it('every example is a valid configuration', () => {
    const examples = [...read('configuration.md').matchAll(/```yaml\n(.*?)```/gs)].map((match) => match[1] ?? '');
    expect(examples.length).toBeGreaterThan(1);
    for (const example of examples) {
      expect(parseDocument(example, { stringKeys: true }).errors).toEqual([]);
      const loaded = loadText(
        example,
        {},
        {
          'secrets.yaml': `mqtt: x\ngreenhouse: ${'0123456789abcdef'.repeat(4)}\n`,
          'ca.pem': 'x',
          'gateway.crt': 'x',
          'gateway.key': 'x',
          'devices-ca.crt': 'x',
        },
      );
      expect(loaded.ok ? [] : loaded.problems, example).toEqual([]);
    }
  });
});
