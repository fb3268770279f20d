/** What goes into the package. That it installs and runs from an empty folder is shown by scripts/try-package.mjs. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

const WHAT_IS_IN_IT =
  'CHANGELOG.md LICENSE README.md SECURITY.md deploy dist/device-sim dist/gateway dist/protocol docs gateway package.json protocol'.split(
    ' ',
  );

interface Packed {
  readonly files: readonly { readonly path: string }[];
  readonly unpackedSize: number;
}

function packed(): Packed {
  // Its scripts would build anew under the feet of other tests.
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const { stdout } = spawnSync('npm', args, { cwd: ROOT, encoding: 'utf8', shell: process.platform === 'win32' });
  return (JSON.parse(stdout) as Packed[])[0]!;
}

const { files, unpackedSize } = packed();
const paths = files.map(({ path }) => path);

test('it has the programs, the profiles, the dashboard, what a service needs, and the documents', () => {
  const { bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { bin: Record<string, string> };
  expect(paths).toEqual(expect.arrayContaining(Object.values(bin)));
  const profiles = readdirSync(join(ROOT, 'protocol/profiles'))
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => `protocol/profiles/${name}`);
  expect(paths).toEqual(expect.arrayContaining(profiles));
  expect(
    paths.filter((path) => path.startsWith('dist/gateway/http/dashboard/')).map((path) => path.split('.').at(-1)),
  ).toEqual(expect.arrayContaining(['html', 'js', 'css', 'svg']));
  expect(paths).toEqual(
    expect.arrayContaining([
      'deploy/udev/61-bytes2mqtt.rules',
      'docs/configuration.md',
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
    ]),
  );
});

test('and nothing that only its developers need', () => {
  const kinds = new Set(
    paths.map((path) =>
      path
        .split('/')
        .slice(0, path.startsWith('dist/') ? 2 : 1)
        .join('/'),
    ),
  );
  expect([...kinds].toSorted()).toEqual(WHAT_IS_IN_IT);
  expect(paths.filter((path) => /\.(ts|map|tsbuildinfo|png)$/.test(path))).toEqual([]);
  expect(unpackedSize).toBeLessThan(5_000_000);
});

test('installing it runs nothing', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$/.test(name))).toEqual([]);
});

test('what the README links to is in the package, pictures aside', () => {
  const links = Array.from(
    readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/\]\((?!https?:)([^)#\s]+)/g),
    ([, to]) => to!,
  );
  expect(links.length).toBeGreaterThan(5);
  const missing = links.filter((to) => !/\.png$|\/$/.test(to) && !paths.includes(to));
  expect(missing).toEqual([]);
});
