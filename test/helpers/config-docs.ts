/** Generated parts of docs/, from the schema of the configuration and the catalogue of errors. */
import { hasVariable, variableName } from '../../gateway/config/env.ts';
import { describeType, KEYS, SECTIONS } from '../../gateway/config/keys.ts';
import type { Key } from '../../gateway/config/keys.ts';
import { SOURCE_KINDS } from '../../gateway/config/schema.ts';
import { ERROR_CODES } from '../../gateway/errors.ts';

/** One part a section: its description and a table of its keys. */
export function configurationTables(): string {
  return SECTIONS.map(({ name, description }) => {
    const keys = KEYS.filter((key) => key.path[0] === name);
    const head = `### ${name}\n\n${description}\n`;
    if (name !== 'sources') return `${head}\n${table(keys)}`;
    const parts = SOURCE_KINDS.map((kind) => {
      const own = keys.filter((key) => key.kinds.length === 1 && key.kinds[0] === kind);
      return `#### A ${kind} source\n\n${table(own)}`;
    });
    const common = keys.filter((key) => key.kinds.length > 1);
    return [head, ...parts, `#### Every source\n\n${table(common)}`].join('\n');
  }).join('\n');
}

function table(keys: readonly Key[]): string {
  const rows = keys.map((key) => {
    const name = key.path.slice(1).join('.').replace('*.', '');
    const value = key.default === undefined ? '' : `\`${JSON.stringify(key.default).replaceAll('"', '')}\``;
    return `| \`${name}\` | ${describeType(key)} | ${value} | ${escape(key.description)} | ${hasVariable(key) ? `\`${variableName(key)}\`` : ''} |`;
  });
  return ['| key | value | default | | environment |', '|---|---|---|---|---|', ...rows, ''].join('\n');
}

/** What peers may take, for SECURITY.md. */
export function limitsTable(): string {
  const rows = KEYS.filter(({ path }) => path[0] === 'limits').map(
    (key) => `| \`${key.path.slice(1).join('.')}\` | ${String(key.default)} | ${escape(key.description)} |`,
  );
  return ['| limit | default | |', '| --- | ---: | --- |', ...rows, ''].join('\n');
}

export function errorTable(): string {
  const rows = Object.entries(ERROR_CODES).map(([code, text]) => `| \`${code}\` | ${escape(text)} |`);
  return ['| code | what has happened |', '|---|---|', ...rows, ''].join('\n');
}

function escape(text: string): string {
  return text.replaceAll('|', '\\|');
}

const BEGIN = '<!-- generated: UPDATE_DOCS=1 npx vitest run test/gateway/config/docs.test.ts -->';
const END = '<!-- end of generated -->';

/** The document with its generated part replaced. */
export function withGenerated(document: string, generated: string): string {
  const [before, after] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (before < 0 || after < before) throw new Error('the document has lost its marks for the generated part');
  return `${document.slice(0, before + BEGIN.length)}\n\n${generated}\n${document.slice(after)}`;
}
