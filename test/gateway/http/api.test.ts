/** The API of a real gateway, over HTTP. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { DeviceHistory, LogLine, SilentPeer, WholeState } from '../../../gateway/http/api-types.ts';
import type { Sample } from '../../../protocol/index.ts';
import { until, WebGateway } from './web-gateway.ts';

const ID = 'a1b2c3d4e5f60718';

function everything(air: number, pulses: bigint, mood: string): Sample {
  return {
    timeKind: 'now',
    time: 0,
    values: [
      { channel: 1, type: 'f64', quality: 'good', value: air },
      { channel: 2, type: 'bool', quality: 'stale', value: true },
      { channel: 3, type: 'u64', quality: 'good', value: pulses },
      { channel: 4, type: 'string', quality: 'good', value: mood },
    ],
  };
}

describe('what there is', () => {
  it('is told with the values of every channel, and not a digit is lost', async () => {
    const web = await WebGateway.open('tcp: 127.0.0.1:0');
    const device = await web.device('tcp');
    device.readings(1, everything(21.5, 2n ** 63n + 1n, 'fine \u001b[31m<b>'));
    await device.acknowledged(1);
    const { devices, gateway, sources } = await web.json<WholeState>('/api/state');
    expect(devices).toHaveLength(1);
    expect(devices[0]).toMatchObject({ id: ID, alias: ID, name: 'Fan', model: 'F1', online: true, transport: 'tcp' });
    expect(devices[0]).toMatchObject({ sealed: false, last_seen: expect.any(Number), version: expect.any(Number) });
    const values = Object.fromEntries(devices[0]!.channels.map((channel) => [channel.alias, channel]));
    expect(values['air']).toMatchObject({ value: 21.5, unit: '°C', plotted: true, writable: false });
    expect(values['air']).not.toHaveProperty('quality');
    expect(values['fan']).toMatchObject({ value: true, quality: 'stale', writable: true });
    expect(values['pulses']).toMatchObject({ value: '9223372036854775809' });
    // Nothing that a terminal or a page would take for more than text.
    expect(values['mood']?.value).not.toContain('\u001b');
    expect(values['mood']).toMatchObject({ plotted: false });
    expect(gateway).toMatchObject({
      connected: true,
      base: 'bytes2mqtt',
      journal: { durability: 'power', full: false },
    });
    expect(sources).toMatchObject([{ transport: 'tcp', speaks: 'link protocol', state: 'open', channels: 1 }]);
  });

  it('has a history and a log of each device, by alias and by id', async () => {
    const web = await WebGateway.open('tcp: 127.0.0.1:0');
    const device = await web.device('tcp');
    for (const [at, air] of [20, 24, 22].entries()) device.readings(1 + at, everything(air, 1n, ''));
    await device.acknowledged(3);
    const history = await web.json<DeviceHistory>(`/api/devices/${ID}/history`);
    expect(Math.min(...history['air']!.min)).toBe(20);
    expect(Math.max(...history['air']!.max)).toBe(24);
    expect(history['air']!.last.at(-1)).toBe(22);
    expect(history).not.toHaveProperty('mood');
    const later = await web.json<DeviceHistory>(`/api/devices/${ID}/history?since=${Date.now() + 60_000}`);
    expect(later['air']!.t).toEqual([]);
    const lines = await web.json<LogLine[]>(`/api/devices/${ID}/log`);
    expect(lines.map(({ message }) => message)).toContain('is "Fan" with 4 channels');
    expect((await web.json<LogLine[]>('/api/log')).length).toBeGreaterThanOrEqual(lines.length);
    expect((await web.get(`/api/devices/${ID}/history?since=yesterday`)).status).toBe(400);
    expect((await web.get('/api/devices/nobody/history')).status).toBe(404);
    expect((await web.get('/api/devices/__proto__/log')).status).toBe(404);
  });

  it('is sent to the page as it changes', async () => {
    const web = await WebGateway.open('tcp: 127.0.0.1:0');
    const device = await web.device('tcp');
    const feed = await web.watch('values', 'devices', 'sources', 'silent', 'log');
    device.readings(1, everything(23.25, 1n, 'fine'));
    const push = await feed.next(({ t }) => t === 'values');
    expect(push).toMatchObject({
      d: { [ID]: { air: [23.25, expect.any(Number)], fan: [true, expect.any(Number), 'stale'] } },
    });
    for (const topic of ['devices', 'sources', 'silent'] as const) await feed.next(({ t }) => t === topic);
    device.send({ type: 'LOG', level: 'warning', text: 'the filter is full' }, { seq: 2, ackWanted: true });
    await feed.next((one) => one.t === 'log' && one.d.message === 'the filter is full' && one.d.device === ID);
  });
});

describe('a command', () => {
  it('is answered when the device has answered, with what it said', async () => {
    const web = await WebGateway.open('tcp: 127.0.0.1:0');
    const device = await web.device('tcp');
    for (const [status, text] of [
      ['done', ''],
      ['failed', 'the motor is hot'],
    ] as const) {
      const answer = web.post(`/api/devices/${ID}/set`, { channel: 'fan', value: true });
      const command = await device.next('COMMAND');
      expect(command.value).toMatchObject({ channel: 2, value: true });
      device.send({ type: 'RESULT', id: command.id, status, text }, { seq: status === 'done' ? 1 : 2 });
      const { status: code, body } = await answer;
      expect(code).toBe(200);
      expect(body).toMatchObject(text === '' ? { status } : { status, error: expect.stringContaining(text) });
    }
  });

  it('that cannot be is refused with a reason, before anything is sent', async () => {
    const web = await WebGateway.open('tcp: 127.0.0.1:0');
    const device = await web.device('tcp');
    for (const wrong of [
      { channel: 'air', value: 1 },
      { channel: 'nothing', value: 1 },
      { channel: 'fan', value: 'perhaps' },
    ]) {
      const { status, body } = await web.post(`/api/devices/${ID}/set`, wrong);
      expect(status).toBe(200);
      expect(body['status']).not.toBe('done');
      expect(body['error']).toMatch(/\w{4}/);
    }
    expect(await web.post('/api/devices/nobody/set', { channel: 'fan', value: true })).toMatchObject({ status: 404 });
    for (const wrong of [{}, { channel: 'fan' }, { channel: 1, value: 1 }, { channel: 'fan', value: { a: 1 } }, []]) {
      expect((await web.post(`/api/devices/${ID}/set`, wrong)).status).toBe(400);
    }
    await device.settled();
    expect(device.of('COMMAND')).toEqual([]);
  });
});

describe('who is not understood', () => {
  it('is told with a reason, and for a while after it has gone', async () => {
    const web = await WebGateway.open('tcp: 127.0.0.1:0', 'tcp: 127.0.0.1:0');
    const talk = async (source: number, bytes: Uint8Array | string): Promise<void> => {
      const socket = connect(web.port(source), '127.0.0.1');
      onTestFinished(() => void socket.destroy());
      await once(socket, 'connect');
      socket.end(bytes);
      socket.resume();
      await once(socket, 'close');
    };
    await talk(0, 'GPS says hello\r\n');
    await talk(0, 'GPS says hello again\r\n');
    await talk(1, Uint8Array.of(0x05, 0xff, 0x00));
    const silent = await until(async () => {
      const { silent: all } = await web.json<{ silent: SilentPeer[] }>('/api/state');
      return all.length === 2 ? all : undefined;
    });
    const [first, second] = silent.toSorted((a, b) => b.times - a.times);
    expect(first).toMatchObject({ reason: 'text', times: 2, gone: expect.any(Number) });
    expect(Buffer.from(first!.last, 'hex').toString()).toBe('GPS says hello again\r\n');
    expect(second).toMatchObject({ times: 1, last: '05ff00', bytes_read: 3 });
    expect(second!.hint).toMatch(/\w{4}/);
    // A device that is understood, and one that only looks whether the port is open, are none of them.
    (await web.device('tcp')).close();
    await talk(1, '');
    await until(async () =>
      (await web.json<WholeState>('/api/state')).devices[0]?.online === false ? true : undefined,
    );
    expect((await web.json<{ silent: SilentPeer[] }>('/api/state')).silent).toHaveLength(2);
  });
});

describe('health', () => {
  it('is good when every source is open', async () => {
    const web = await WebGateway.open('tcp: 127.0.0.1:0', 'udp: 127.0.0.1:0');
    expect(await web.get('/healthz')).toEqual({ status: 200, text: 'ok\n' });
    expect(await web.get('/readyz')).toMatchObject({ status: 200, text: '{"ready":true,"reasons":[]}' });
  });

  it('says what is not ready: alive all the same', async () => {
    const web = await WebGateway.open('tcp: 127.0.0.1:0', 'serial: /dev/serial/by-id/unplugged');
    const { status, text } = await web.get('/readyz');
    expect(status).toBe(503);
    expect(JSON.parse(text)).toEqual({ ready: false, reasons: [expect.stringMatching(/unplugged is \w+/)] });
    expect((await web.get('/healthz')).status).toBe(200);
  });
});
