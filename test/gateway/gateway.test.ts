/** The composition root, in this process: sources, sessions, journal and broker together. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { startGateway, type RunningGateway } from '../../gateway/gateway.ts';
import { createLog } from '../../gateway/log.ts';
import { encodeSchemaParts, type Schema, schemaCrc } from '../../protocol/index.ts';
import { loadText } from '../helpers/config-folder.ts';
import { LinkDevice, sample } from '../helpers/link-device.ts';
import { connectClient, type TestClient } from '../helpers/mqtt-client.ts';

const ID = 'a1b2c3d4e5f60718';
const SCHEMA: Schema = {
  name: 'Fan & <b>more</b>',
  model: 'F1',
  firmware: '2',
  channels: [
    {
      number: 1,
      type: 'f64',
      class: 'temperature',
      scale: 0,
      writable: false,
      totalIncreasing: false,
      diagnostic: false,
      name: 'air',
      unit: '°C',
    },
    {
      number: 2,
      type: 'bool',
      class: 'switch',
      scale: 0,
      writable: true,
      totalIncreasing: false,
      diagnostic: false,
      name: 'fan',
      unit: '',
    },
  ],
};

async function start(
  sources: string,
  more = '',
  log = createLog({ level: 'silent', pretty: false }),
): Promise<{ gateway: RunningGateway; subscriber: TestClient }> {
  const loaded = loadText(`sources:\n${sources}${more}`);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const gateway = await startGateway(loaded.config, log);
  let closed: Promise<void> | undefined;
  const close = gateway.close.bind(gateway);
  gateway.close = () => (closed ??= close());
  onTestFinished(() => gateway.close());
  const subscriber = await connectClient(`mqtt://${gateway.broker}`);
  onTestFinished(() => subscriber.close());
  return { gateway, subscriber };
}

const portOf = (gateway: RunningGateway, index = 0): number =>
  Number(/:(\d+)$/.exec(gateway.sources[index]!.where)?.[1]);

async function declared(port: number): Promise<LinkDevice> {
  const device = await LinkDevice.tcp(port);
  onTestFinished(() => device.close());
  const parts = encodeSchemaParts(SCHEMA, 512);
  await device.hello({ schemaCrc: schemaCrc(parts) });
  for (const [part, content] of parts.entries()) {
    device.send({ type: 'SCHEMA', crc: schemaCrc(parts), part, parts: parts.length, content });
  }
  await device.next('ACK');
  return device;
}

describe('the gateway with a broker of its own', () => {
  it('takes readings to topics and commands to the device', async () => {
    const { gateway, subscriber } = await start('  - tcp: 127.0.0.1:0\n');
    const device = await declared(portOf(gateway));
    device.readings(1, sample(21.5));
    await device.acknowledged(1);
    const state = await subscriber.waitFor(({ topic }) => topic === `bytes2mqtt/${ID}`);
    expect(JSON.parse(state.payload)).toMatchObject({ air: 21.5, id: `${ID}-7-1` });
    await subscriber.waitFor(({ topic, payload }) => topic === `bytes2mqtt/${ID}/availability` && payload === 'online');
    await subscriber.publish(`bytes2mqtt/${ID}/set`, '{"fan":true,"id":"x"}');
    const command = await device.next('COMMAND');
    expect(command.value).toMatchObject({ channel: 2, value: true });
    device.send({ type: 'RESULT', id: command.id, status: 'done', text: '' }, { seq: 2 });
    const result = await subscriber.waitFor(({ topic }) => topic === `bytes2mqtt/${ID}/result`);
    expect(JSON.parse(result.payload)).toMatchObject({ id: 'x', channel: 'fan', status: 'done', value: true });
  });

  it('stops with a goodbye to devices and subscribers, and what was acknowledged has been published', async () => {
    const { gateway, subscriber } = await start('  - tcp: 127.0.0.1:0\n  - udp: 127.0.0.1:0\n');
    const tcp = await declared(portOf(gateway, 0));
    const udp = await LinkDevice.udp(portOf(gateway, 1), 2n);
    onTestFinished(() => udp.close());
    await udp.hello();
    for (let seq = 1; seq <= 30; seq++) tcp.readings(seq, sample(seq));
    await tcp.acknowledged(30);
    await gateway.close();
    expect(await tcp.next('BYE')).toMatchObject({ reason: 'restarting' });
    expect(await udp.next('BYE')).toMatchObject({ reason: 'restarting' });
    await tcp.closed;
    const ids = subscriber.received.filter(({ topic }) => topic === `bytes2mqtt/${ID}` || topic.endsWith('/history'));
    expect(ids.map(({ payload }) => (JSON.parse(payload) as { id: string }).id)).toEqual(
      Array.from({ length: 30 }, (_, index) => `${ID}-7-${index + 1}`),
    );
    const last = (topic: string) => subscriber.received.findLast((message) => message.topic === topic)?.payload;
    expect(last(`bytes2mqtt/${ID}/availability`)).toBe('offline');
    expect(last('bytes2mqtt/bridge/state')).toBe('offline');
  });

  it('shows what it knows: names from the wire are values, never keys or topics', async () => {
    const { gateway, subscriber } = await start('  - tcp: 127.0.0.1:0\n', `devices: { ${ID}: { alias: fan_1 } }\n`);
    const device = await declared(portOf(gateway));
    device.send({ type: 'LOG', level: 'error', text: 'a/b\u0007\n' });
    device.readings(1, sample(1));
    await device.acknowledged(1);
    const info = await subscriber.waitFor(
      ({ topic, payload }) => topic === 'bytes2mqtt/bridge/info' && payload.includes('Fan & '),
    );
    expect(JSON.parse(info.payload)).toMatchObject({
      sources: [{ transport: 'tcp', state: 'open', speaks: 'link protocol' }],
      devices: [{ id: ID, alias: 'fan_1', name: SCHEMA.name, model: 'F1', online: true }],
    });
    const log = await subscriber.waitFor(({ topic }) => topic === 'bytes2mqtt/fan_1/log');
    expect(JSON.parse(log.payload)).toMatchObject({ level: 'error' });
    expect(gateway.health()).toMatchObject({
      devices: { known: 1, online: 1 },
      connections: 1,
      link: { tcp: { readings: 1 } },
      journal: { appended: 1 },
    });
    await subscriber.publish('bytes2mqtt/bridge/request/device_get', '{"device":"fan_1"}');
    const response = await subscriber.waitFor(({ topic }) => topic === 'bytes2mqtt/bridge/response/device_get');
    expect(JSON.parse(response.payload)).toMatchObject({
      data: { id: ID, boot: 7, channels: [{ alias: 'air' }, { alias: 'fan' }] },
    });
  });

  it('counts the datagrams of a UDP source', async () => {
    const { gateway, subscriber } = await start('  - udp: 127.0.0.1:0\n');
    const device = await LinkDevice.udp(portOf(gateway), 2n);
    onTestFinished(() => device.close());
    await device.hello();
    await subscriber.publish('bytes2mqtt/bridge/request/sources', '');
    const response = await subscriber.waitFor(({ topic }) => topic === 'bytes2mqtt/bridge/response/sources');
    const { data } = JSON.parse(response.payload) as { data: Record<string, number>[] };
    expect(data[0]!['bytes_read']).toBeGreaterThan(14);
    expect(data[0]!['bytes_written']).toBeGreaterThan(14);
    expect(data[0]!['dropped']).toBe(0);
  });

  it('a log for people tells the names of devices as fields of their own', async () => {
    const lines: string[] = [];
    const log = createLog({ level: 'info', pretty: true, colour: false, write: (line) => void lines.push(line) });
    const { gateway } = await start('  - tcp: 127.0.0.1:0\n', '', log);
    await declared(portOf(gateway));
    const line = lines.find((text) => text.includes('Fan & '));
    expect(line).toMatch(/INFO: /);
    expect(line).toContain('device_name');
  });
});
