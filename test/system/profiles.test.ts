/** Devices with a profile and the built gateway: a profile of one's own, Modbus from the configuration, a tracker. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SerialPort } from 'serialport';
import { describe, expect, onTestFinished, test } from 'vitest';
import { makeNamedCrc, profileCodec } from '../../protocol/index.ts';
import { type Mosquitto, startMosquitto } from '../helpers/broker.ts';
import { cli } from '../helpers/cli.ts';
import { GatewayProgram } from '../helpers/gateway-program.ts';
import { connectClient, type Received, type TestClient } from '../helpers/mqtt-client.ts';
import { lacks } from '../helpers/programs.ts';
import { openPtyPair, ptyProgram } from '../helpers/pty.ts';

/** As a new user would write it from the data sheet of a scale. */
const SCALE = `title: Bench scale
serial: { baud: 4800 }
framing: { sync: 5a, length: 5 }
checksum: { type: sum8, from: 0, to: -1, at: -1 }
fields:
  stable: { at: 1, bit: 0 }
  weight: { at: 2, type: u16, scale: 0.01, unit: kg, class: weight, title: Weight }
`;

function scaleFrame(weight: number): Buffer {
  const frame = Buffer.from([0x5a, 1, weight >> 8, weight & 0xff, 0]);
  frame[4] = frame.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return frame;
}

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'profiles-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

async function brokerAndClient(): Promise<{ broker: Mosquitto; client: TestClient }> {
  const broker = await startMosquitto();
  onTestFinished(() => broker.close());
  const client = await connectClient(broker.url);
  onTestFinished(() => client.close());
  return { broker, client };
}

function run(sources: readonly Record<string, unknown>[], more: Record<string, unknown>): GatewayProgram {
  const gateway = new GatewayProgram(sources, more);
  onTestFinished(async () => void (await gateway.stop()));
  return gateway;
}

const stateOf =
  (device: string) =>
  ({ topic }: Received): boolean =>
    topic === `bytes2mqtt/${device}`;
const valuesOf = ({ payload }: Received): Record<string, unknown> => JSON.parse(payload) as Record<string, unknown>;

describe.skipIf(lacks('mosquitto'))('the gateway and devices with a profile', () => {
  test.skipIf(ptyProgram() === undefined && lacks('socat', 'python3'))(
    'a profile of one’s own on a serial line',
    async () => {
      const folder = folderWith({ 'scale.yaml': SCALE });
      const { broker, client } = await brokerAndClient();
      const cable = await openPtyPair();
      onTestFinished(() => cable.close());
      const source = { name: 'line', serial: cable.a, profile: join(folder, 'scale.yaml'), device: 'kitchen' };
      const gateway = run([source], { mqtt: { url: broker.url } });
      await gateway.line(({ msg }) => msg?.startsWith('opened') === true);
      const port = new SerialPort({ path: cable.b, baudRate: 4800 });
      onTestFinished(() => port.close());
      await once(port, 'open');
      port.write(Buffer.concat([Buffer.from('noise'), scaleFrame(1_234)]));
      expect(valuesOf(await client.waitFor(stateOf('kitchen')))).toMatchObject({ weight: 12.34, stable: true });
      // A byte goes missing: that frame is lost, told with its checksums, and the next is there.
      const broken = scaleFrame(2_000);
      port.write(Buffer.concat([broken.subarray(0, 2), broken.subarray(3), scaleFrame(3_000)]));
      const next = await client.waitFor((message) => stateOf('kitchen')(message) && valuesOf(message)['weight'] === 30);
      expect(valuesOf(next)).toMatchObject({ weight: 30 });
      await gateway.line(({ msg }) => msg?.includes('its checksum is') === true);
    },
  );

  test('registers of Modbus devices behind a bridge, one of which is dead and one refuses', async () => {
    const { broker, client } = await brokerAndClient();
    const server = createServer((socket) => socket.on('data', (request) => answerModbus(request, socket)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const registers = { flow: { at: 4, type: 'u16', scale: 0.1, unit: 'm³/h', every_s: 1 } };
    const device = (alias: string, address: number): Record<string, unknown> => ({
      profile: 'modbus_rtu',
      device: alias,
      parameters: { address },
      registers,
    });
    const { port } = server.address() as { port: number };
    const source = {
      name: 'bridge',
      connect: `127.0.0.1:${port}`,
      devices: [device('pump', 1), device('dead', 2), device('old', 3)],
    };
    const gateway = run([source], { mqtt: { url: broker.url } });
    expect(valuesOf(await client.waitFor(stateOf('pump')))).toMatchObject({ flow: 40.4 });
    await gateway.line(({ msg }) => msg?.startsWith('dead does not answer') === true);
    await gateway.line(({ msg }) => msg?.startsWith('old refuses') === true);
    expect(client.received.some(stateOf('dead'))).toBe(false);
    expect(client.received.some(stateOf('old'))).toBe(false);
  });

  test('a tracker is acknowledged when its records are safe, and they survive the gateway', async () => {
    const journal = { dir: join(folderWith({}), 'data'), sync_interval_ms: 20 };
    const { broker, client } = await brokerAndClient();
    const source = { name: 'trackers', tcp: '127.0.0.1:0', profile: 'teltonika', device: 'van' };
    const away = { mqtt: { url: 'mqtt://127.0.0.1:1' }, journal };
    const gateway = new GatewayProgram([source], away);
    const socket = connect(await gateway.port('trackers'), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    const tracker = profileCodec('teltonika')!.open();
    socket.write(tracker.encode('login', { imei: '352093081452251' }));
    expect([...((await once(socket, 'data'))[0] as Buffer)]).toEqual([1]);
    const time_ms = Date.now() - 5_000;
    socket.write(tracker.encode('data', { time_ms, latitude: 54.7, longitude: 25.3, speed: 42 }));
    expect(((await once(socket, 'data'))[0] as Buffer).readUInt32BE(0)).toBe(1);
    // It was told so: from now on nothing may lose it.
    await gateway.stop('SIGKILL');
    const again = run([source], { mqtt: { url: broker.url }, journal });
    await again.port('trackers');
    const told = await client.waitFor(({ topic }) => /^bytes2mqtt\/van_352093081452251(\/history)?$/.test(topic));
    expect(valuesOf(told)).toMatchObject({ speed: 42, ts: time_ms });
  });
});

/** A Modbus line: 1 answers with what its registers are, 2 is dead, 3 does not know any register. */
function answerModbus(request: Buffer, socket: Socket): void {
  const [address = 0, operation = 0] = request;
  if (address === 2) return;
  const body = address === 3 ? [address, operation | 0x80, 2] : [address, operation, 2, 0x01, 0x94];
  const crc = makeNamedCrc('CRC-16/MODBUS')(Uint8Array.from(body));
  socket.write(Uint8Array.from([...body, crc & 0xff, crc >> 8]));
}

describe('bytes2mqtt profiles', () => {
  test('lists what is shipped, shows one, and checks a file', async () => {
    const list = await cli(['profiles']);
    expect(list.code).toBe(0);
    for (const name of ['pms5003', 'jbd_bms', 'modbus_rtu', 'teltonika']) expect(list.stdout).toContain(name);
    const one = await cli(['profiles', 'pms5003']);
    expect(one.code).toBe(0);
    expect(one.stdout).toContain('9600 8N1');
    expect(one.stdout).toContain('pm2_5');
    expect((await cli(['profiles', 'nope'])).code).toBe(2);

    const cwd = folderWith({ 'scale.yaml': SCALE, 'bad.yaml': SCALE.replace('at: 2', 'ad: 2') });
    const right = await cli(['profiles', 'check', 'scale.yaml'], { cwd });
    expect([right.code, right.stdout]).toEqual([0, expect.stringContaining('is right')]);
    const wrong = await cli(['profiles', 'check', 'bad.yaml'], { cwd });
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('bad.yaml:7:');
    const none = await cli(['profiles', 'check', 'nope.yaml'], { cwd });
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('nope.yaml: no such file')]);
    const shown = await cli(['profiles', './scale.yaml'], { cwd });
    expect(shown.stdout).toContain('    profile: ./scale.yaml\n');
  });
});
