import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import { connectClient } from '../../helpers/mqtt-client.ts';
import { lacks } from '../../helpers/programs.ts';

const MAIN = join(import.meta.dirname, '../../../dist/gateway/main.js');

interface Demo {
  readonly child: ChildProcessWithoutNullStreams;
  /** Folder of the serial cable. */
  readonly folder: string;
  /** `127.0.0.1:1883` */
  readonly broker: string;
  /** Its standard output so far, and to its end. */
  output(): string;
  readonly errors: Promise<string>;
  /** Resolves when the output contains it. */
  waitFor(wanted: RegExp): Promise<RegExpExecArray>;
}

const children: ChildProcessWithoutNullStreams[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A demo whose heading is there, in a process group of its own, as a terminal's shell would start it. */
async function startDemo(...args: string[]): Promise<Demo> {
  const child = spawn(process.execPath, [MAIN, 'demo', ...args], { detached: true });
  children.push(child);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    output += piece;
  });
  async function waitFor(wanted: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = wanted.exec(output);
      if (match !== null) return match;
      await once(child.stdout, 'data');
    }
  }
  const errors = text(child.stderr);
  const [, path = ''] = await waitFor(/serial (\S+)/);
  const [, broker = ''] = await waitFor(/MQTT broker +(\S+),/);
  return { child, folder: dirname(path), broker, output: () => output, errors, waitFor };
}

async function end({ child }: Demo): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}

/** The processes that have this text in their command line. */
function processesWith(part: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && commandLine(pid).includes(part));
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** For what gives no event of its own: the end of a grandchild. */
async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function nothingIsLeft({ folder }: Demo): Promise<void> {
  expect(existsSync(folder)).toBe(false);
  // socat and the fleet both have the cable's path among their arguments.
  await eventually(() => processesWith(folder).length === 0);
}

describe.skipIf(lacks('socat') || process.platform !== 'linux')('the demo', () => {
  test('a reader that has seen enough ends it, and nothing is left behind', async () => {
    const demo = await startDemo();
    demo.child.stdout.destroy();
    expect(await end(demo)).toBe(0);
    await nothingIsLeft(demo);
  });

  test('has a dashboard, where its heading says', async () => {
    const demo = await startDemo();
    const [, dashboard = ''] = await demo.waitFor(/dashboard +(http:\S+)/);
    await demo.waitFor(/^udp /m);
    const state = (await (await fetch(`${dashboard}api/state`)).json()) as { devices: { online: boolean }[] };
    expect(state.devices.filter(({ online }) => online).length).toBeGreaterThan(0);
    expect(await (await fetch(dashboard)).text()).toContain('<title>bytes2mqtt</title>');
    demo.child.kill('SIGTERM');
    expect(await end(demo)).toBe(0);
    await nothingIsLeft(demo);
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s before the first reading: says so', async (signal) => {
    const demo = await startDemo();
    demo.child.kill(signal);
    expect(await end(demo)).toBe(0);
    expect(demo.output()).toContain('Nothing was sent yet');
    expect(demo.output()).not.toContain('missing');
    await nothingIsLeft(demo);
  });

  test('Ctrl-C ends the programs in order: every reading arrives, and no cable is reported as pulled', async () => {
    const demo = await startDemo();
    await demo.waitFor(/^serial /m);
    process.kill(-demo.child.pid!, 'SIGINT');
    expect(await end(demo)).toBe(0);
    expect(demo.output()).toContain('Every reading that was sent has arrived.');
    expect(await demo.errors).toBe('');
    await nothingIsLeft(demo);
  });

  test('the cable is pulled for good: the end still tidies up', async () => {
    const demo = await startDemo('--for', '1');
    const [socat = 0] = processesWith(`${demo.folder}/a`).filter((pid) => commandLine(pid).includes('socat'));
    process.kill(socat, 'SIGKILL');
    await end(demo);
    await nothingIsLeft(demo);
  });

  test('killed: the fleet ends by itself', async () => {
    const demo = await startDemo();
    await demo.waitFor(/^udp /m);
    demo.child.kill('SIGKILL');
    // Nobody can tidy up after SIGKILL but whom it has not hit: socat does not know us.
    const others = (): number[] => processesWith(demo.folder).filter((pid) => !commandLine(pid).includes('socat'));
    await eventually(() => others().length === 0);
    for (const pid of processesWith(demo.folder)) process.kill(pid, 'SIGTERM');
    rmSync(demo.folder, { recursive: true, force: true });
  });

  test('what it suggests at its end holds for the next demo; every line has a name', async () => {
    const first = await startDemo('--for', '3');
    expect(await end(first)).toBe(0);
    const [, hint] = /mqtt pub .* -t (\S+) -m ON/.exec(first.output()) ?? [];
    expect(hint).toBeDefined();
    const readings = first
      .output()
      .split('\n')
      .filter((line) => /\d\d:\d\d:\d\d/.test(line));
    expect(readings.length).toBeGreaterThan(5);
    for (const line of readings) expect(line).toMatch(/^(tcp|udp|serial) +[A-Z][a-z]+ /);

    const second = await startDemo();
    await second.waitFor(/Dimmable plug/);
    const client = await connectClient(`mqtt://${second.broker}`, ['bytes2mqtt/+/result']);
    await client.publish(hint!, 'ON');
    const { payload } = await client.waitFor(() => true);
    expect(JSON.parse(payload)).toMatchObject({ channel: 'switch', status: 'done', value: true });
    await client.close();
    second.child.kill('SIGINT');
    expect(await end(second)).toBe(0);
    expect(second.output()).toContain(hint);
  });
});
