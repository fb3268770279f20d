// Packs the package, installs it into an empty folder with what it needs to run and nothing else, and uses it from there:
// the demo, the simulator, a profile, the dashboard. Takes one argument at most: a package that is packed already.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'bytes2mqtt-package-'));
const environment = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|BYTES2MQTT_)/i.test(name));
const env = Object.fromEntries(environment);

function run(command, ...args) {
  return execFileSync(command, args, { cwd: folder, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

function must(fact, what) {
  if (!fact) throw new Error(`not so: ${what}`);
  console.log(`  ${what}`);
}

/** Starts the gateway, and gives the address of its page to `use`. */
async function withGateway(use) {
  writeFileSync(
    join(folder, 'bytes2mqtt.yaml'),
    'sources: [{ tcp: "127.0.0.1:0" }]\nhttp: { port: 0 }\nlog: { format: json }\n',
  );
  const gateway = spawn(bin('bytes2mqtt'), ['run'], { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((done) => gateway.once('close', done));
  try {
    for await (const line of createInterface({ input: gateway.stderr })) {
      const page = /dashboard on (http:\S+?)"/.exec(line)?.[1];
      if (page !== undefined) return await use(page);
    }
    throw new Error('the gateway ended without a page');
  } finally {
    gateway.kill('SIGTERM');
    // Whatever it still says is read, so that it can end.
    gateway.stderr.resume();
    await ended;
  }
}

function bin(name) {
  return join(folder, 'node_modules/.bin', name);
}

try {
  let packed = process.argv[2] && resolve(process.argv[2]);
  if (packed === undefined) {
    execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: root, stdio: 'inherit' });
    packed = join(
      folder,
      readdirSync(folder).find((name) => name.endsWith('.tgz')),
    );
  }
  console.log(`${packed} in ${folder}, with Node ${process.version}`);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  run('npm', 'install', '--silent', '--omit=dev', '--no-audit', '--no-fund', packed);
  for (const name of ['typescript', 'vitest', 'esbuild', 'uplot', 'playwright-core', '@biomejs/biome']) {
    if (existsSync(join(folder, 'node_modules', name)))
      throw new Error(`${name} is for development, and was installed`);
  }
  must(
    /^\d+\.\d+\.\d+/.test(run(bin('bytes2mqtt'), '--version')),
    'npm install --omit=dev, and no development package came with it',
  );

  const tallies = JSON.parse(
    run('npx', '--no', 'bytes2mqtt', 'demo', '--for', '5', '--json', '--seed', '1').trim().split('\n').at(-1),
  );
  const said = Object.entries(tallies).map(([transport, { received = 0 }]) => `${transport} ${received}`);
  must(
    tallies.tcp.received > 0 && tallies.udp.received > 0,
    `npx bytes2mqtt demo --for 5: readings received over ${said.join(', ')}`,
  );
  must(run('npx', '--no', 'device-sim', '--version').trim() !== '', 'npx device-sim --version');
  must(run(bin('bytes2mqtt'), 'profiles').includes('pms5003'), 'bytes2mqtt profiles');
  must(
    run(bin('bytes2mqtt'), 'install-service', '--print').includes('[Service]'),
    'bytes2mqtt install-service --print',
  );
  await withGateway(async (page) => {
    const text = await (await fetch(page)).text();
    const script = /src="([^"]+\.js)"/.exec(text)?.[1];
    const answer = await fetch(new URL(script ?? '/missing.js', page));
    must(answer.status === 200 && (await answer.text()).length > 10_000, `the dashboard, with its script ${script}`);
    must((await (await fetch(new URL('/metrics', page))).text()).includes('bytes2mqtt_build_info'), 'its metrics');
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
