/** A configuration of which a part cannot work: told with file and line, and the rest works. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { cli } from '../helpers/cli.ts';
import { configFolder } from '../helpers/config-folder.ts';
import { GatewayProgram } from '../helpers/gateway-program.ts';
import { LinkDevice } from '../helpers/link-device.ts';

async function takenPort(): Promise<number> {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

function configWith(port: number): string {
  return `mqtt:
  url: mqtt://127.0.0.1:1
sources:
  - tcp: 127.0.0.1:${port}
  - serial: /dev/ttyNOPE7
  - tcp: 127.0.0.1:0
    name: works
`;
}

test('check names the taken port and the absent device with file and line', async () => {
  const port = await takenPort();
  const cwd = configFolder({ 'bytes2mqtt.yaml': configWith(port) });
  const { code, stderr } = await cli(['check'], { cwd });
  expect(code).toBe(1);
  expect(stderr).toMatch(new RegExp(`bytes2mqtt\\.yaml:4:\\d+: sources\\[0\\]\\.tcp: .*\\(ADDRESS_IN_USE\\)`));
  expect(stderr).toMatch(/bytes2mqtt\.yaml:5:\d+: sources\[1\]\.serial: .*\(DEVICE_MISSING\)/);
  expect(stderr).not.toContain('sources[2]');
});

test('run goes on without them, and devices are served', async () => {
  const gateway = new GatewayProgram([
    { name: 'taken', tcp: `127.0.0.1:${await takenPort()}` },
    { name: 'absent', serial: '/dev/ttyNOPE7' },
    { name: 'works', tcp: '127.0.0.1:0' },
  ]);
  await gateway.line((line) => line['source'] === 'taken' && line['code'] === 'ADDRESS_IN_USE');
  await gateway.line((line) => line['source'] === 'absent' && line['code'] === 'DEVICE_MISSING');
  const device = await LinkDevice.tcp(await gateway.port('works'));
  onTestFinished(() => device.close());
  await device.hello();
  device.readings(1);
  await device.acknowledged(1);
  // Stops at once, though this device never closes its side.
  expect(await gateway.stop()).toBe(0);
});
