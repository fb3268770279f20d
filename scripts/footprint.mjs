// What the gateway takes in a small home: 20 devices over TCP and UDP, a reading a second each, the journal on disk, the dashboard
// on and Home Assistant's discovery too. Linux only. Prints a line of JSON; exits with 1 where a figure is above its limit.
//   node scripts/footprint.mjs [seconds to measure, default 30]
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { Aedes } from 'aedes';
import { createServer } from 'node:net';
import { once } from 'node:events';

const SECONDS = Number(process.argv[2] ?? 30);
const LIMITS = { memory_mb: 90, cpu_percent: 2, first_published_s: 2 };
/** As the unit file and the container start it. */
const NODE_FLAGS = ['--max-semi-space-size=4', '--v8-pool-size=1'];
const DEVICES = 20;

const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'bytes2mqtt-footprint-'));
const children = [];

function start(program, ...args) {
  const child = spawn(process.execPath, [...NODE_FLAGS, join(root, 'dist', program), ...args], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(child);
  return child;
}

/** Nanoseconds on a processor, of all its threads: exact, while the ticks of /proc/PID/stat are samples. */
function cpuNs(pid) {
  const tasks = readdirSync(`/proc/${pid}/task`);
  return tasks.reduce(
    (sum, task) => sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
    0,
  );
}

function memoryMb(pid) {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}

// The broker is in this process: what it takes is not the gateway's.
const broker = await Aedes.createBroker();
const server = createServer(broker.handle).listen(0, '127.0.0.1');
await once(server, 'listening');
let readings = 0;
let firstAt;
broker.on('publish', ({ topic }) => {
  if (!/^bytes2mqtt\/[0-9a-f]{16}(\/history)?$/.test(topic)) return;
  readings++;
  firstAt ??= performance.now();
});

try {
  const sources = '[{ tcp: "127.0.0.1:0", name: tcp }, { udp: "127.0.0.1:0", name: udp }]';
  const config = `mqtt: { url: "mqtt://127.0.0.1:${server.address().port}" }\nsources: ${sources}\nhttp: { port: 0 }\nlog: { format: json }\n`;
  writeFileSync(join(folder, 'bytes2mqtt.yaml'), config);
  const startedAt = performance.now();
  const gateway = start('gateway/main.js', 'run');
  const where = {};
  for await (const line of createInterface({ input: gateway.stderr })) {
    const { source, where: address } = JSON.parse(line);
    if (source !== undefined && address !== undefined) where[source] = address;
    if (where.tcp !== undefined && where.udp !== undefined) break;
  }
  gateway.stderr.resume();
  const listening = performance.now();
  start(
    'device-sim/main.js',
    'run',
    '--tcp',
    where.tcp,
    '--udp',
    where.udp,
    '--devices',
    `${DEVICES}`,
    '--rate',
    '1',
  ).stderr.resume();
  // oxlint-disable-next-line no-unmodified-loop-condition -- by the broker
  while (firstAt === undefined) await pause(10);
  // Sessions and schemas are said once; what is measured is what goes on.
  await pause(10_000);
  const before = { ns: cpuNs(gateway.pid), readings, at: performance.now() };
  const samples = [];
  for (let second = 0; second < SECONDS; second++) {
    await pause(1_000);
    samples.push(memoryMb(gateway.pid));
  }
  const seconds = (performance.now() - before.at) / 1_000;
  const figures = {
    node: process.version,
    devices: DEVICES,
    readings_per_s: Number(((readings - before.readings) / seconds).toFixed(1)),
    memory_mb: Number(Math.max(...samples).toFixed(1)),
    cpu_percent: Number(((cpuNs(gateway.pid) - before.ns) / 1e7 / seconds).toFixed(2)),
    listening_s: Number(((listening - startedAt) / 1_000).toFixed(2)),
    // With the start of the simulator in it.
    first_published_s: Number(((firstAt - startedAt) / 1_000).toFixed(2)),
  };
  console.log(JSON.stringify(figures));
  const above = Object.entries(LIMITS).filter(([name, limit]) => figures[name] > limit);
  for (const [name, limit] of above) console.error(`${name} is above ${limit}`);
  if (above.length > 0) process.exitCode = 1;
} finally {
  for (const child of children.toReversed()) {
    const ended = once(child, 'close');
    if (child.exitCode === null && child.kill('SIGTERM')) await ended;
  }
  await new Promise((done) => broker.close(done));
  server.close();
  rmSync(folder, { recursive: true, force: true });
}
