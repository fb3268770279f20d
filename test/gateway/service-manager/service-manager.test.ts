import { delimiter } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Log } from '../../../gateway/log.ts';
import { notifySettings, ServiceManager } from '../../../gateway/service-manager/service-manager.ts';
import { statusLine } from '../../../gateway/service-manager/status-line.ts';
import { NotifySocket } from '../../helpers/notify-socket.ts';
import { lacks } from '../../helpers/programs.ts';

const USEC = 100_000;

function quiet(warned: string[] = []): Log {
  const log: Log = {
    debug: () => undefined,
    info: () => undefined,
    warn: (first: string | object, message?: string) =>
      void warned.push(typeof first === 'string' ? first : (message ?? '')),
    error: () => undefined,
    fatal: () => undefined,
    child: () => log,
    isLevelEnabled: () => true,
  };
  return log;
}

describe('what the environment says', () => {
  test.each([
    ['no service manager', {}, undefined],
    ['an empty socket', { NOTIFY_SOCKET: '' }, undefined],
    ['no watchdog', { NOTIFY_SOCKET: '/s' }, { watchdogMs: undefined }],
    ['a watchdog', { NOTIFY_SOCKET: '/s', WATCHDOG_USEC: '60000000', WATCHDOG_PID: '7' }, { watchdogMs: 60_000 }],
    ['a watchdog of whoever it is', { NOTIFY_SOCKET: '/s', WATCHDOG_USEC: '60000000' }, { watchdogMs: 60_000 }],
    [
      'of another process',
      { NOTIFY_SOCKET: '/s', WATCHDOG_USEC: '60000000', WATCHDOG_PID: '8' },
      { watchdogMs: undefined },
    ],
    ['nonsense', { NOTIFY_SOCKET: '/s', WATCHDOG_USEC: '-1' }, { watchdogMs: undefined }],
  ])('%s', (_, env, settings) => {
    expect(notifySettings(env, 7)).toEqual(settings);
  });
});

async function managed(settings: {
  watchdogMs: number | undefined;
}): Promise<{ socket: NotifySocket; manager: ServiceManager }> {
  const socket = await NotifySocket.open();
  vi.stubEnv('NOTIFY_SOCKET', socket.path);
  vi.stubEnv('PATH', [socket.standIn(), process.env['PATH']].join(delimiter));
  const manager = new ServiceManager(settings, quiet());
  onTestFinished(async () => {
    await manager.stopping();
    socket.close();
    vi.unstubAllEnvs();
  });
  return { socket, manager };
}

describe.skipIf(lacks('python3'))('messages', () => {
  test('ready with the status, then stopping', async () => {
    const { socket, manager } = await managed({ watchdogMs: undefined });
    await manager.ready({ turned: () => Promise.resolve(), statusLine: () => 'all is well' });
    await manager.stopping();
    expect(await socket.hears(/^STOPPING=1$/)).toBe('STOPPING=1');
    expect(socket.heard).toEqual(['READY=1', 'STATUS=all is well', 'STOPPING=1', 'STATUS=stopping']);
  });

  test('the watchdog is fed while the loop turns, with the status when it is a new one', async () => {
    const { socket, manager } = await managed({ watchdogMs: USEC / 1_000 });
    let turns = 0;
    await manager.ready({
      turned: () => Promise.resolve(void turns++),
      statusLine: () => `turn ${Math.min(turns, 2)}`,
    });
    await socket.hears(/^STATUS=turn 2$/);
    await socket.hears(/^WATCHDOG=1$/, socket.heard.length);
    await socket.hears(/^WATCHDOG=1$/, socket.heard.length);
    expect(socket.heard.filter((assignment) => assignment === 'STATUS=turn 2')).toHaveLength(1);
  });

  test('a loop that has stopped turning feeds no watchdog, though timers run on', async () => {
    const { socket, manager } = await managed({ watchdogMs: USEC / 1_000 });
    let asked = 0;
    const stuck = new Promise<void>(() => undefined);
    await manager.ready({ turned: () => (asked++ === 0 ? Promise.resolve() : stuck), statusLine: () => '' });
    await socket.hears(/^WATCHDOG=1$/);
    await vi.waitFor(() => expect(asked).toBe(2), { timeout: 30_000 });
    // Many times the interval at which it would be fed.
    await new Promise((resolve) => setTimeout(resolve, USEC / 100));
    expect(asked).toBe(2);
    expect(socket.heard.filter((assignment) => assignment === 'WATCHDOG=1')).toHaveLength(1);
  });
});

test('without systemd-notify that is told once, and nothing else happens', async () => {
  vi.stubEnv('PATH', '/nonexistent');
  onTestFinished(() => void vi.unstubAllEnvs());
  const warned: string[] = [];
  const manager = new ServiceManager({ watchdogMs: undefined }, quiet(warned));
  await manager.ready({ turned: () => Promise.resolve(), statusLine: () => '' });
  await manager.stopping();
  expect(warned).toEqual(['systemd-notify cannot be run: the service manager is told nothing']);
});

test('the status line says what is there, and what is wrong', () => {
  const parts = {
    acceptor: { entries: [{ source: { state: 'open' } }, { source: { state: 'opening' } }] },
    registry: [{ online: true }, { online: false }],
    mqtt: { connection: { connected: true, where: '127.0.0.1:1883' } },
    journal: { full: false, stats: { depth: 0, trouble: undefined } },
  };
  expect(statusLine(parts)).toBe(
    '1 device online, 1 of 2 sources open, broker 127.0.0.1:1883 connected, 0 readings waiting',
  );
  const worse = {
    ...parts,
    mqtt: { connection: { connected: false, where: '127.0.0.1:1883' } },
    journal: { full: true, stats: { depth: 1, trouble: 'disk-full' } },
  };
  expect(statusLine(worse)).toContain('not there, 1 reading waiting, journal: disk-full, journal full');
});
