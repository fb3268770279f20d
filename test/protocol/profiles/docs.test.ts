import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as protocol from '../../../protocol/index.ts';

const DOCS = new URL('../../../docs/profiles/', import.meta.url);

describe('docs/profiles', () => {
  it('says what the profile files say: run `npm run profile-docs` when this fails', async () => {
    const script = new URL('../../../scripts/profile-docs.mjs', import.meta.url).href;
    const { generatePages } = (await import(script)) as { generatePages: (module: unknown) => Map<string, string> };
    const pages = generatePages(protocol);
    expect(readdirSync(DOCS).toSorted()).toEqual([...pages.keys()].toSorted());
    for (const [file, content] of pages) expect(readFileSync(new URL(file, DOCS), 'utf8'), file).toBe(content);
  });
});
