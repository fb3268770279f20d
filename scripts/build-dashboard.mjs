// Bundles the dashboard into dist/gateway/http/dashboard: one script and one style sheet, with hashes in their names.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const from = join(root, 'gateway/http/dashboard');
const to = join(root, 'dist/gateway/http/dashboard');
/** All of it together, gzipped. */
const MAX_BYTES = 150_000;

rmSync(to, { recursive: true, force: true });
mkdirSync(to, { recursive: true });
const { metafile } = await build({
  entryPoints: { app: join(from, 'main.ts') },
  outdir: to,
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['es2022', 'chrome111', 'firefox113', 'safari16.4'],
  entryNames: '[name]-[hash]',
  metafile: true,
  legalComments: 'inline',
  logLevel: 'warning',
});
let page = readFileSync(join(from, 'index.html'), 'utf8');
for (const path of Object.keys(metafile.outputs)) {
  const name = basename(path);
  page = page.replace(`/app.${name.split('.').at(-1)}`, `/${name}`);
}
writeFileSync(join(to, 'index.html'), page);
writeFileSync(join(to, 'icon.svg'), readFileSync(join(from, 'icon.svg')));

const bytes = [...Object.keys(metafile.outputs).map((path) => readFileSync(join(root, path))), Buffer.from(page)]
  .map((content) => gzipSync(content).length)
  .reduce((sum, length) => sum + length, 0);
if (bytes > MAX_BYTES) {
  console.error(`the dashboard has ${bytes} bytes gzipped, more than ${MAX_BYTES}`);
  process.exit(1);
}
if (process.argv.includes('--size')) console.log(`${bytes} bytes gzipped`);
