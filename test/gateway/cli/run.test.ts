import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startCli } from '../../helpers/cli.ts';
import type { RunningCli } from '../../helpers/cli.ts';
import { configFolder } from '../../helpers/config-folder.ts';

/** An unreachable broker, so that no test takes a port of the machine. */
const BROKER = 'mqtt: { url: "mqtt://127.0.0.1:1" }\n';

function run(config: string, env: Readonly<Record<string, string>> = {}): RunningCli {
  const running = startCli(['run'], { cwd: configFolder({ 'bytes2mqtt.yaml': config }), env });
  onTestFinished(() => running.kill('SIGKILL'));
  return running;
}

describe('bytes2mqtt run', () => {
  it('refuses a wrong configuration with 2 and starts nothing', async () => {
    const { code, stderr, stdout } = await run('sources:\n  - tcp: nonsense\n').result;
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/bytes2mqtt\.yaml:2:10: sources\[0\]\.tcp/);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('logs JSON to a pipe and ends with 0 after %s', async (signal) => {
    const running = run(`${BROKER}sources:\n  - tcp: 127.0.0.1:0\n`, { BYTES2MQTT_NOPE: '1' });
    await running.waitFor(/"where":"127\.0\.0\.1:\d+"/);
    running.kill(signal);
    const { code, stdout, stderr } = await running.result;
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.find((line) => line['file'] === 'bytes2mqtt.yaml')).toBeDefined();
    expect(lines.find((line) => line['code'] === 'CONFIG_UNKNOWN_VARIABLE')).toBeDefined();
    expect(lines.at(-1)).toMatchObject({ msg: 'stopped' });
  });

  it('a taken port and an absent device do not stop the other sources', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    onTestFinished(() => void taken.close());
    const running = run(`${BROKER}sources:
  - tcp: 127.0.0.1:${(taken.address() as AddressInfo).port}
  - serial: /dev/ttyNOPE7
  - { tcp: "127.0.0.1:0", service: echo, name: echo }
`);
    await running.waitFor('ADDRESS_IN_USE');
    await running.waitFor('DEVICE_MISSING');
    await running.waitFor(/"source":"echo".*"where":"127\.0\.0\.1:\d+"|"where":"127\.0\.0\.1:\d+".*"source":"echo"/);
    running.kill('SIGTERM');
    const { stderr } = await running.result;
    expect(stderr).toContain('stopped');
  });
});
