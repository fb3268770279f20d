/**
 * The built gateway with as little as SECURITY.md says it needs: a file system that is read-only but for the folder of the
 * journal, no capabilities, and no way to get any. What the unit file asks of systemd, asked of the kernel.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { GatewayProgram } from '../helpers/gateway-program.ts';
import { LinkDevice } from '../helpers/link-device.ts';
import { lacks } from '../helpers/programs.ts';

/** Everything that is mounted becomes read-only, in a mount namespace of its own; the folder in $1 stays as it is. */
const READ_ONLY = `
  folder=$1; shift
  mount --make-rprivate / && mount --bind "$folder" "$folder" || exit 99
  while read -r _ where _; do
    case $where in "$folder" | /proc | /proc/* | /sys | /sys/*) ;; *) mount -o remount,bind,ro "$where" 2>/dev/null ;; esac
  done < /proc/self/mounts
  exec "$@"`;

function unprivileged(): string[] {
  const { getuid, getgid } = process;
  const user = [`--reuid=${getuid?.()}`, `--regid=${getgid?.()}`, '--clear-groups'];
  return ['setpriv', '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all', ...user];
}

/** The command that runs what follows it in the sandbox, as the user who runs the tests. */
function sandbox(folder: string): string[] {
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  return [...asRoot, 'unshare', '--mount', 'sh', '-c', READ_ONLY, 'sh', folder, ...unprivileged()];
}

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sandbox-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function runsIn(command: readonly string[]): boolean {
  const [program = '', ...args] = command;
  return spawnSync(program, [...args, 'true'], { stdio: 'ignore' }).status === 0;
}

/** Whether the user may make such a sandbox: root may, where a container does not forbid it. */
function forbidden(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'sandbox-'));
  const works = runsIn(sandbox(folder));
  rmSync(folder, { recursive: true, force: true });
  if (!works) console.warn('skipped, because this user may not make mount namespaces');
  return !works;
}

describe.skipIf(process.platform !== 'linux' || lacks('unshare', 'setpriv') || forbidden())('in a sandbox', () => {
  test('nothing can be written but the folder that is given', () => {
    const folder = emptyFolder();
    const elsewhere = join(emptyFolder(), 'file');
    const [program = '', ...args] = sandbox(folder);
    const script = 'touch "$1" && ! touch "$2"';
    const { status } = spawnSync(program, [...args, 'sh', '-c', script, 'sh', join(folder, 'file'), elsewhere]);
    expect(status).toBe(0);
    expect(existsSync(join(folder, 'file'))).toBe(true);
    expect(existsSync(elsewhere)).toBe(false);
  });

  test('the gateway takes readings over TCP, UDP and a Unix-domain socket, makes them durable, and stops in order', async () => {
    const dir = emptyFolder();
    const sources = [
      { name: 'tcp', tcp: '127.0.0.1:0' },
      { name: 'udp', udp: '127.0.0.1:0' },
      { name: 'unix', unix: join(dir, 'socket') },
    ];
    const gateway = new GatewayProgram(sources, { journal: { dir } }, sandbox(dir));
    const devices = [
      await LinkDevice.tcp(await gateway.port('tcp'), 1n),
      await LinkDevice.udp(await gateway.port('udp'), 2n),
    ];
    await gateway.line((line) => line['source'] === 'unix' && typeof line['where'] === 'string');
    devices.push(await LinkDevice.unix(join(dir, 'socket'), 3n));
    onTestFinished(() => devices.forEach((device) => device.close()));
    for (const device of devices) {
      await device.hello();
      device.readings(1);
      await device.acknowledged(1);
    }

    const { pid } = gateway;
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    if (process.getuid?.() === 0) {
      // With sudo in front the process is another one.
      expect(status).toMatch(/^CapEff:\s+0+$/m);
      expect(status).toMatch(/^CapBnd:\s+0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    }
    expect(gateway.log.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
    expect(await gateway.stop()).toBe(0);
    expect(readdirSync(dir)).not.toContain('lock');
  });
});
