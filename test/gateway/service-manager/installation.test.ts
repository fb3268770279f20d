/** The steps of an installation on a machine that is a folder, and the unit file as systemd itself reads it. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { installService } from '../../../gateway/commands/install-service.ts';
import { loadConfig } from '../../../gateway/config/load.ts';
import {
  type Installation,
  type InstallOptions,
  planInstallation,
  RULES_PATH,
  serviceStarter,
  UNIT_PATH,
} from '../../../gateway/service-manager/installation.ts';
import type { Machine } from '../../../gateway/service-manager/machine.ts';
import { unitFile } from '../../../gateway/service-manager/unit-file.ts';
import { cli } from '../../helpers/cli.ts';
import { findProgram, lacks } from '../../helpers/programs.ts';

/** Nobody but root may give files away, and root may to anybody. */
const { uid, gid } = userInfo().uid === 0 ? { uid: 1_000, gid: 1_000 } : userInfo();
const CONFIG = '/etc/bytes2mqtt/bytes2mqtt.yaml';

/** A machine whose users are the one who runs the tests, as `pi`; what it is told to run is noted. */
function machine(files: Readonly<Record<string, string>> = {}): Machine & { readonly ran: string[] } {
  const root = mkdtempSync(join(tmpdir(), 'machine-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const all = {
    '/etc/passwd': `pi:x:${uid}:${gid}::/home/pi:/bin/sh\nroot:x:0:0::/root:/bin/sh\n`,
    '/etc/group': 'dialout:x:20:\n',
  };
  for (const [path, text] of Object.entries({ ...all, ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const ran: string[] = [];
  return {
    root,
    isRoot: true,
    hasSystemd: true,
    // Files that everybody may read.
    node: '/bin/sh',
    program: '/bin/sh',
    ran,
    run: (command) => {
      ran.push(command[0] ?? '');
      if (command[0] === 'useradd') writeFileSync(join(root, '/etc/passwd'), `bytes2mqtt:x:${uid}:${gid}::/:/\n`);
      return undefined;
    },
  };
}

function planned(options: InstallOptions, on: Machine): Installation {
  const plan = planInstallation(options, on);
  if (!plan.ok) throw new Error(plan.message);
  return plan;
}

/** What each step did not get done. */
function failures(plan: Installation): (string | undefined)[] {
  return plan.steps.map((step) => step.take()).filter((failure) => failure !== undefined);
}

describe('an installation', () => {
  test('on a fresh machine makes user, configuration, unit and rules, in this order', () => {
    const on = machine();
    const plan = planned({}, on);
    expect(failures(plan)).toEqual([]);
    expect(on.ran).toEqual(['useradd', 'systemctl', 'udevadm', 'udevadm']);
    expect(readFileSync(join(on.root, UNIT_PATH), 'utf8')).toBe(plan.unit);
    expect(readFileSync(join(on.root, RULES_PATH), 'utf8')).toContain('GROUP="dialout"');
    // Secrets come into this folder.
    expect(statSync(dirname(join(on.root, CONFIG))).mode & 0o777).toBe(0o750);
    expect(statSync(join(on.root, CONFIG)).mode & 0o777).toBe(0o640);
    const loaded = loadConfig({ path: join(on.root, CONFIG), env: {}, cwd: '/' });
    expect(loaded.ok && loaded.config.journal.dir).toBe('/var/lib/bytes2mqtt');
  });

  test('a second time leaves everything as it is', () => {
    const on = machine();
    failures(planned({}, on));
    const before = readFileSync(join(on.root, CONFIG), 'utf8');
    const again = planned({}, on);
    expect(again.steps.map(({ what }) => what)).toEqual([
      `leaves as it is ${UNIT_PATH}`,
      `leaves as it is ${RULES_PATH}`,
      expect.stringContaining('daemon-reload'),
      expect.stringContaining('udevadm control'),
      expect.stringContaining('udevadm trigger'),
    ]);
    expect(again.warnings).toEqual([]);
    expect(failures(again)).toEqual([]);
    expect(readFileSync(join(on.root, CONFIG), 'utf8')).toBe(before);
  });

  test('planning alone changes nothing', () => {
    const on = machine();
    planned({}, on);
    expect(existsSync(join(on.root, UNIT_PATH))).toBe(false);
    expect(on.ran).toEqual([]);
  });

  test('the unit gives what the configuration asks for', () => {
    const config = `
sources: [{ tcp: "0.0.0.0:502", plain: true, service: echo }, { unix: /srv/sockets/link.sock }, { unix: /run/bytes2mqtt/b.sock }]
journal: { dir: /mnt/ssd/journal }
`;
    const on = machine({ '/home/pi/bytes2mqtt.yaml': config, '/srv/sockets/x': '' });
    const { unit, steps } = planned({ user: 'pi', config: '/home/pi/bytes2mqtt.yaml' }, on);
    expect(unit).toContain('User=pi\n');
    expect(unit).toContain('ReadWritePaths=/mnt/ssd/journal /srv/sockets\n');
    expect(unit).toContain('CapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n');
    expect(unit).toContain('ProtectHome=read-only\n');
    // The namespace needs a folder to be there before it is opened for writing.
    expect(steps.map(({ what }) => what)).toContain('makes the folder /mnt/ssd/journal');
  });

  test('serial devices of another group; and no group at all', () => {
    const arch = machine({ '/etc/group': 'uucp:x:14:\n' });
    const plan = planned({ user: 'pi' }, arch);
    expect(plan.unit).toContain('SupplementaryGroups=uucp\n');
    failures(plan);
    expect(readFileSync(join(arch.root, RULES_PATH), 'utf8')).toContain('GROUP="uucp"');
    const none = planned({ user: 'pi' }, machine({ '/etc/group': '' }));
    expect(none.unit).not.toContain('SupplementaryGroups');
    expect(none.warnings).toHaveLength(1);
  });

  test.each<[string, InstallOptions, RegExp, Record<string, string>?]>([
    ['root', { user: 'root' }, /must not run as root/],
    ['a user who is not there', { user: 'nobody_here' }, /no user nobody_here/],
    ['what is no name', { user: 'a b' }, /no name of a user/],
    ['a configuration that is not there', { config: '/etc/other.yaml' }, /other\.yaml does not exist/],
    ['a unit of somebody else', {}, /has not written it/, { [UNIT_PATH]: '[Service]\n' }],
  ])('refuses %s', (_, options, message, files) => {
    const plan = planInstallation(options, machine(files));
    expect(!plan.ok && plan.message).toMatch(message);
  });

  test('says what the user of the service cannot reach', () => {
    const on = machine();
    expect(planned({}, { ...on, program: '/tmp/main.js' }).obstacle).toContain('/tmp/main.js');
    const home = join(on.root, 'home');
    mkdirSync(home, { mode: 0o700 });
    writeFileSync(join(home, 'main.js'), '');
    // Not below /tmp, where this test happens to have it.
    if (!home.startsWith('/tmp/'))
      expect(planned({}, { ...on, program: join(home, 'main.js') }).obstacle).toContain(home);
  });

  test('tells a journal that other commands would look for elsewhere, and a configuration that is wrong', () => {
    const plan = planned({ user: 'pi' }, machine({ [CONFIG]: 'log: { level: info }\n' }));
    expect(plan.warnings).toEqual([expect.stringContaining('/var/lib/bytes2mqtt')]);
    expect(planned({ user: 'pi' }, machine({ [CONFIG]: 'sauces: []\n' })).loaded).toMatchObject({ ok: false });
  });

  test('a step that fails says so', () => {
    const on = machine({ '/etc/systemd/system': 'a file where a folder should be' });
    expect(failures(planned({ user: 'pi' }, on))).toContainEqual(expect.stringContaining(UNIT_PATH));
  });
});

test('the starter of the service differs in the folder of the journal only', () => {
  expect(serviceStarter()).toContain('\njournal:\n  dir: /var/lib/bytes2mqtt ');
});

test('odd characters in paths are not taken for more than they are', () => {
  const options = { node: '/opt/no de', program: '/opt/50%/$HOME/"q"\\', config: '/etc/c.yaml', user: 'pi' };
  const unit = unitFile({
    ...options,
    serialGroup: undefined,
    writable: ['/mnt/a b'],
    seesHomes: false,
    lowPorts: false,
  });
  expect(unit).toContain(
    String.raw`ExecStart="/opt/no de" --max-semi-space-size=4 --v8-pool-size=1 "/opt/50%%/$$HOME/\"q\"\\" run --config /etc/c.yaml`,
  );
  expect(unit).toContain('ReadWritePaths="/mnt/a b"\n');
});

describe('the command', () => {
  test('--print gives the unit file and nothing else', async () => {
    const { code, stdout } = await cli(['install-service', '--print']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^# Written by .*[^]*\[Install\]\nWantedBy=multi-user.target\n$/);
  });

  test.each([
    ['where systemd does not run', { hasSystemd: false }, 'systemd does not run here'],
    ['to whoever is not root', { isRoot: false }, 'only root may do that'],
    [
      'where the service would not see the program',
      { program: '/tmp/main.js' },
      'the service does not see /tmp/main.js',
    ],
  ])('refuses %s, also to try it', (_, differs, message) => {
    const on = { ...machine(), ...differs };
    const told: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => told.push(String(text)) > 0);
    vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
    onTestFinished(() => void vi.restoreAllMocks());
    expect([{}, { dryRun: true }].map((options) => installService(options, on))).toEqual([1, 1]);
    expect(told.join('')).toContain(message);
    expect(on.ran).toEqual([]);
    expect(existsSync(join(on.root, UNIT_PATH))).toBe(false);
  });

  test('says each thing that it did, and what to do next; with --dry-run it does nothing', () => {
    const on = machine();
    const said: string[] = [];
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => said.push(String(text)) > 0);
    onTestFinished(() => void vi.restoreAllMocks());
    expect(installService({ dryRun: true }, on)).toBe(0);
    expect(on.ran).toEqual([]);
    const planned = said.splice(0).filter((line) => line.startsWith('  '));
    expect(installService({}, on)).toBe(0);
    expect(said.slice(0, planned.length)).toEqual(planned);
    expect(said.join('')).toContain('sudo systemctl enable bytes2mqtt');
    expect(existsSync(join(on.root, UNIT_PATH))).toBe(true);
  });

  test('a wrong user is a wrong use', async () => {
    expect((await cli(['install-service', '--print', '--user', 'root'])).code).toBe(2);
  });
});

function unitIn(folder: string): string {
  const places = { node: process.execPath, program: '/usr/lib/main.js', config: '/etc/c.yaml', writable: ['/mnt/a b'] };
  const unit = unitFile({ ...places, user: 'daemon', serialGroup: 'dialout', seesHomes: false, lowPorts: false });
  const path = join(folder, 'bytes2mqtt.service');
  writeFileSync(path, unit);
  return path;
}

function analyze(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(findProgram('systemd-analyze')!, args, { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

describe.skipIf(lacks('systemd-analyze'))('systemd', () => {
  test('finds nothing wrong with the unit file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'unit-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { status, output } = analyze('verify', unitIn(folder));
    // Units of the machine that are loaded with it may have faults of their own.
    expect(output.split('\n').filter((line) => line.includes('bytes2mqtt'))).toEqual([]);
    expect(status).toBe(0);
  });

  test('and counts it among the well protected', () => {
    const folder = mkdtempSync(join(tmpdir(), 'unit-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { output } = analyze('security', '--offline=yes', unitIn(folder));
    expect(Number(/exposure level for \S+ ([\d.]+)/.exec(output)?.[1])).toBeLessThanOrEqual(2);
  });
});
