/** A mistake of the gateway itself: told with its code, and the process ends whole, so that a supervisor starts it again. */
import { expect, onTestFinished, test } from 'vitest';
import { cli, type RunningCli, startCli } from '../helpers/cli.ts';
import { configFolder } from '../helpers/config-folder.ts';
import { LinkDevice } from '../helpers/link-device.ts';

const CONFIG = `mqtt: { url: "mqtt://127.0.0.1:1" }
sources: [{ tcp: "127.0.0.1:0", name: tcp }]
log: { format: json }
`;

/** What no peer should be able to cause, caused by a signal. */
const MISTAKES = {
  'an exception': 'process.once("SIGUSR2",()=>{throw new Error("injected")})',
  'a promise that is rejected': 'process.once("SIGUSR2",()=>{Promise.reject(new Error("injected"))})',
};

const WHERE = /"where":"127\.0\.0\.1:(\d+)"/;

async function listening(gateway: RunningCli): Promise<number> {
  await gateway.waitFor(WHERE);
  return Number(WHERE.exec(gateway.output)?.[1]);
}

test.each(Object.entries(MISTAKES))(
  '%s ends the process with a code; what was acknowledged is there',
  async (_, code) => {
    const cwd = configFolder({ 'bytes2mqtt.yaml': CONFIG });
    const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(code)}` };
    const gateway = startCli(['run'], { cwd, env });
    const device = await LinkDevice.tcp(await listening(gateway));
    onTestFinished(() => device.close());
    await device.hello();
    device.readings(1);
    await device.acknowledged(1);

    gateway.kill('SIGUSR2');
    const { code: exit, stderr } = await gateway.result;
    expect(exit).toBe(1);
    const [fatal] = stderr.split('\n').filter((line) => line.includes('"level":"fatal"'));
    expect(JSON.parse(fatal ?? '{}')).toMatchObject({ code: 'INTERNAL_ERROR', err: { message: 'injected' } });

    const { stdout } = await cli(['status', '--json'], { cwd });
    expect(JSON.parse(stdout)).toMatchObject({ journal_on_disk: { depth: 1 } });
    const again = startCli(['run'], { cwd });
    await listening(again);
    again.kill('SIGTERM');
    expect((await again.result).code).toBe(0);
  },
);
