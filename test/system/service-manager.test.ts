/** The built gateway under something that listens as systemd does. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { delimiter } from 'node:path';
import { type RunningCli, startCli } from '../helpers/cli.ts';
import { configFolder } from '../helpers/config-folder.ts';
import { NotifySocket } from '../helpers/notify-socket.ts';
import { lacks } from '../helpers/programs.ts';

const CONFIG = `mqtt: { url: "mqtt://127.0.0.1:1" }
sources: [{ tcp: "127.0.0.1:0", name: tcp }, { serial: /dev/nonexistent }]
http: { enabled: false }
`;

/** Blocks the one thread for good. */
const HANG = 'process.once("SIGUSR2",()=>{for(;;);})';

async function started(env: (socket: NotifySocket) => Record<string, string>): Promise<[RunningCli, NotifySocket]> {
  const socket = await NotifySocket.open();
  onTestFinished(() => socket.close());
  const cwd = configFolder({ 'bytes2mqtt.yaml': CONFIG });
  const gateway = startCli(['run'], { cwd, env: { NOTIFY_SOCKET: socket.path, ...env(socket) } });
  onTestFinished(() => gateway.kill('SIGKILL'));
  return [gateway, socket];
}

const withStandIn = (socket: NotifySocket): Record<string, string> => ({
  PATH: [socket.standIn(), process.env['PATH']].join(delimiter),
  WATCHDOG_USEC: '400000',
});

describe.skipIf(lacks('python3'))('under a service manager', () => {
  test('it is ready when all sources were tried, feeds the watchdog, and says that it stops', async () => {
    const [gateway, socket] = await started(withStandIn);
    await socket.hears(/^READY=1$/);
    expect(await socket.hears(/^STATUS=/)).toBe(
      'STATUS=0 devices online, 1 of 2 sources open, broker 127.0.0.1:1 not there, 0 readings waiting',
    );
    await socket.hears(/^WATCHDOG=1$/);
    await socket.hears(/^WATCHDOG=1$/, socket.heard.length);
    gateway.kill('SIGTERM');
    expect((await gateway.result).code).toBe(0);
    expect(socket.heard.slice(-2)).toEqual(['STOPPING=1', 'STATUS=stopping']);
  });

  test('a thread that hangs feeds no watchdog', async () => {
    const [gateway, socket] = await started((at) => ({
      ...withStandIn(at),
      NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(HANG)}`,
    }));
    await socket.hears(/^WATCHDOG=1$/);
    gateway.kill('SIGUSR2');
    // What was on its way when the signal came may still arrive.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const before = socket.heard.length;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(socket.heard).toHaveLength(before);
  });

  test.skipIf(lacks('systemd-notify'))('systemd-notify itself understands what it is given', async () => {
    const [gateway, socket] = await started(() => ({ WATCHDOG_USEC: '400000' }));
    await socket.hears(/^READY=1$/);
    await socket.hears(/^WATCHDOG=1$/);
    gateway.kill('SIGTERM');
    expect((await gateway.result).code).toBe(0);
    expect(await socket.hears(/^STOPPING=1$/)).toBe('STOPPING=1');
    expect(gateway.output).not.toContain('systemd-notify failed');
  });
});
