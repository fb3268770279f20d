/** Devices with a profile behind the whole gateway, over real sockets and pseudo-terminals, and a real broker. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { SerialPort } from 'serialport';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Config, SourceConfig } from '../../../../gateway/config/schema.ts';
import { profileDeviceId } from '../../../../gateway/devices/profile-device-id.ts';
import { startGateway, type RunningGateway } from '../../../../gateway/gateway.ts';
import { createLog } from '../../../../gateway/log.ts';
import type { ProfileUse } from '../../../../gateway/profiles/profile-use.ts';
import { loadText } from '../../../helpers/config-folder.ts';
import { ACK_BYTE, meterFrame, meterProfile, type MeterOptions, sum8 } from '../../../helpers/meter-profile.ts';
import { freePort, startMosquitto } from '../../../helpers/broker.ts';
import { connectClient, type Received, type TestClient } from '../../../helpers/mqtt-client.ts';
import { lacks } from '../../../helpers/programs.ts';
import { openPtyPair, ptyProgram } from '../../../helpers/pty.ts';

interface World {
  readonly gateway: RunningGateway;
  readonly subscriber: TestClient;
  readonly log: Record<string, unknown>[];
}

function use(options: MeterOptions = {}, more: Partial<ProfileUse['devices'][number]> = {}): ProfileUse {
  const device = {
    profile: meterProfile(options),
    alias: 'meter',
    parameters: {},
    fingerprint: 'f',
    everyMs: undefined,
    timeoutMs: undefined,
  };
  return { devices: [{ ...device, ...more }], names: new Map(), onlyNamed: false, peer: undefined };
}

/** Starts a gateway with one source of the configuration's text, and this on it. */
async function start(source: string, profile: ProfileUse, more = ''): Promise<World> {
  const world = await startWithout(source, profile, more);
  const subscriber = await connectClient(`mqtt://${world.gateway.broker}`);
  onTestFinished(() => subscriber.close());
  return { ...world, subscriber };
}

/** The same, and nobody listens at the broker. */
async function startWithout(source: string, profile: ProfileUse, more = ''): Promise<Omit<World, 'subscriber'>> {
  const loaded = loadText(`sources:\n  - ${source}\n${more}`);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const sources = loaded.config.sources.map((one): SourceConfig => ({ ...one, profile }));
  const config: Config = { ...loaded.config, sources };
  const log: Record<string, unknown>[] = [];
  const write = (line: string): void => void log.push(JSON.parse(line) as Record<string, unknown>);
  const gateway = await startGateway(config, createLog({ level: 'info', pretty: false, write }));
  let closed: Promise<void> | undefined;
  const close = gateway.close.bind(gateway);
  gateway.close = () => (closed ??= close());
  onTestFinished(() => gateway.close());
  return { gateway, log };
}

const portOf = (gateway: RunningGateway): number => Number(/:(\d+)$/.exec(gateway.sources[0]!.where)?.[1]);

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Whom the gateway connects to: `answer` is given each request whole. */
async function bridge(
  answer: (request: Uint8Array, socket: Socket) => void,
): Promise<{ port: number; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    let rest = Buffer.alloc(0);
    socket.on('data', (data) => {
      rest = Buffer.concat([rest, data]);
      for (;;) {
        const length = (rest[2] ?? 0) >= 0x80 ? 5 : 4;
        if (rest.length < length) return;
        const request = rest.subarray(0, length);
        rest = rest.subarray(length);
        answer(request, socket);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as { port: number }).port, sockets };
}

const stateOf = (device: string, wanted: (state: Record<string, unknown>) => boolean) => {
  return ({ topic, payload }: Received): boolean =>
    topic === `bytes2mqtt/${device}` && wanted(JSON.parse(payload) as Record<string, unknown>);
};
const availability =
  (device: string, payload: string) =>
  (message: Received): boolean =>
    message.topic === `bytes2mqtt/${device}/availability` && message.payload === payload;

/** Not the `offline` of a device that was never heard. */
const offlineAgain =
  (device: string, { received }: TestClient) =>
  (message: Received): boolean => {
    const online = received.findIndex(availability(device, 'online'));
    return online >= 0 && availability(device, 'offline')(message) && received.indexOf(message) > online;
  };

/** What bridge/health says of the only source's profile. */
function counters({ gateway }: Pick<World, 'gateway'>): Record<string, number & Record<string, number>> {
  const health = gateway.health() as {
    sources: Record<string, { profile: Record<string, number & Record<string, number>> }>;
  };
  return Object.values(health.sources)[0]!.profile;
}

async function eventually(check: () => boolean, world?: World): Promise<void> {
  for (let n = 0; !check(); n++) {
    if (n > 2_000) throw new Error(`it did not come to that: ${JSON.stringify(world && counters(world))}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('a device that connects to the gateway', () => {
  it('is unavailable as long as it was never heard, when it has a name', async () => {
    const identified = { ...use({ identified: true }), names: new Map([['7', 'truck']]) };
    const own = await start('tcp: 127.0.0.1:0', use());
    const named = await start('tcp: 127.0.0.1:0', identified);
    expect(await own.subscriber.waitFor(availability('meter', 'offline'))).toBeDefined();
    await named.subscriber.waitFor(availability('truck', 'offline'));
    expect(named.subscriber.received.some(availability('meter', 'offline'))).toBe(false);
  });

  it('is published under its alias, with channels, titles and identity', async () => {
    const { gateway, subscriber } = await start('tcp: 127.0.0.1:0', use());
    const socket = await dial(portOf(gateway));
    socket.write(meterFrame(1, 2_305));
    const state = await subscriber.waitFor(stateOf('meter', () => true));
    expect(JSON.parse(state.payload)).toMatchObject({ level: 230.5 });
    expect(state.payload).toContain(`"id":"${profileDeviceId('meter')}-`);
    await subscriber.waitFor(availability('meter', 'online'));
    await subscriber.publish('bytes2mqtt/bridge/request/device_get', JSON.stringify({ device: 'meter' }));
    const view = await subscriber.waitFor(({ topic }) => topic === 'bytes2mqtt/bridge/response/device_get');
    expect(JSON.parse(view.payload)).toMatchObject({
      data: {
        alias: 'meter',
        model: 'Meter',
        profile: 'meter',
        transport: 'tcp',
        link_quality: { frames: 1, readings: 1 },
        channels: [{ number: 0, alias: 'level', name: 'The level', unit: 'V', class: 'voltage', writable: true }],
      },
    });
    socket.destroy();
    await subscriber.waitFor(offlineAgain('meter', subscriber));
  });

  it('loses no good frame to noise, a lost byte, or a wrong checksum, and all of it is counted and told', async () => {
    const world = await start('tcp: 127.0.0.1:0', use());
    const socket = await dial(portOf(world.gateway));
    const wrong = meterFrame(1, 5_555);
    wrong[4]! ^= 1;
    const lost = meterFrame(1, 6_666);
    socket.write(
      Buffer.concat([
        Buffer.from('0102', 'hex'),
        meterFrame(1, 1),
        wrong,
        meterFrame(1, 2),
        lost.subarray(0, 2),
        lost.subarray(3),
        meterFrame(1, 3),
      ]),
    );
    await world.subscriber.waitFor(stateOf('meter', ({ level }) => level === 0.3));
    expect(counters(world)).toMatchObject({ frames: 3, readings: 3 });
    const skipped = Object.values(counters(world)['skipped_bytes']!).reduce((sum, bytes) => sum + bytes, 0);
    expect(skipped).toBe(2 + 5 + 4);
    expect(world.log.map(({ msg }) => msg).join('\n')).toContain('its checksum is');
    const levels = world.subscriber.received
      .filter(({ topic }) => topic === 'bytes2mqtt/meter')
      .map(({ payload }) => (JSON.parse(payload) as { level: number }).level);
    expect(levels.every((level) => [0.1, 0.2, 0.3].includes(level))).toBe(true);
  });

  it('is taken over by its second connection', async () => {
    const { gateway, subscriber } = await start('tcp: 127.0.0.1:0', use());
    const first = await dial(portOf(gateway));
    first.write(meterFrame(1, 10));
    await subscriber.waitFor(stateOf('meter', ({ level }) => level === 1));
    const closed = once(first, 'close');
    const second = await dial(portOf(gateway));
    second.write(meterFrame(1, 20));
    await subscriber.waitFor(stateOf('meter', ({ level }) => level === 2));
    await closed;
    expect(subscriber.received.some(offlineAgain('meter', subscriber))).toBe(false);
  });

  it('has the alias that its frames name, one connection or many; or one from the configuration', async () => {
    const identified = { ...use({ identified: true }), names: new Map([['7', 'truck']]) };
    const { gateway, subscriber } = await start('tcp: 127.0.0.1:0', identified);
    const socket = await dial(portOf(gateway));
    socket.write(Buffer.concat([meterFrame(7, 10), meterFrame(8, 20)]));
    await subscriber.waitFor(stateOf('truck', ({ level }) => level === 1));
    await subscriber.waitFor(stateOf('meter_8', ({ level }) => level === 2));
    expect(subscriber.received.some(({ topic }) => topic.startsWith('bytes2mqtt/meter/'))).toBe(false);
  });

  it('is not taken when only named ones are', async () => {
    const world = await start('tcp: 127.0.0.1:0', {
      ...use({ identified: true }),
      names: new Map([['7', 'truck']]),
      onlyNamed: true,
    });
    const socket = await dial(portOf(world.gateway));
    socket.write(Buffer.concat([meterFrame(9, 10), meterFrame(7, 10)]));
    await world.subscriber.waitFor(stateOf('truck', ({ level }) => level === 1));
    expect(counters(world)['rejected']).toEqual({ 'not-named': 1 });
  });

  it.each(['now', 'durable'] as const)('gets its answer (%s)', async (acknowledge) => {
    const more = 'journal: { durability: power, sync_interval_ms: 20 }\n';
    const { gateway } = await start('tcp: 127.0.0.1:0', use({ acknowledge }), more);
    const socket = await dial(portOf(gateway));
    socket.end(meterFrame(1, 10));
    // Also after it has sent FIN.
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect([...data]).toEqual([ACK_BYTE]);
  });

  it('is passed on as often as every_s says', async () => {
    const world = await start('tcp: 127.0.0.1:0', use({}, { everyMs: 60_000 }));
    const socket = await dial(portOf(world.gateway));
    socket.write(Buffer.concat([1, 2, 3, 4].map((value) => meterFrame(1, value))));
    await eventually(() => counters(world)['thinned'] === 3, world);
    expect(counters(world)).toMatchObject({ frames: 4, readings: 1 });
  });

  it('gets a channel when it first has a value, under a number that a restart keeps', async () => {
    const folder = `journal: { dir: ${JSON.stringify(await tempFolder())} }\n`;
    const first = await start('tcp: 127.0.0.1:0', use({ extra: true }), folder);
    const socket = await dial(portOf(first.gateway));
    socket.write(meterFrame(1, 5_000));
    await first.subscriber.waitFor(stateOf('meter', ({ extra }) => extra === 500));
    await first.gateway.close();
    // The file has grown in front: numbers there have moved by one, what the journal knows has not.
    const grown = use({ extra: true, registers: { newer: 9, level: 1 } });
    const second = await start('tcp: 127.0.0.1:0', grown, folder);
    await second.subscriber.publish('bytes2mqtt/bridge/request/device_get', JSON.stringify({ device: 'meter' }));
    const view = await second.subscriber.waitFor(({ topic }) => topic === 'bytes2mqtt/bridge/response/device_get');
    const { data } = JSON.parse(view.payload) as { data: { channels: { number: number; alias: string }[] } };
    const numbers = Object.fromEntries(data.channels.map(({ alias, number }) => [alias, number]));
    expect(numbers).toEqual({ level: 0, extra: 1, newer: 2 });
  });
});

describe('limits', () => {
  it.skipIf(lacks('mosquitto'))('a device is not read while the journal is full, and nothing is lost', async () => {
    const port = await freePort();
    const more = `mqtt: { url: "mqtt://127.0.0.1:${port}" }\njournal: { durability: memory, max_records: 64 }\n`;
    const world = await startWithout('{ tcp: 127.0.0.1:0, name: here }', use(), more);
    const socket = await dial(portOf(world.gateway));
    const values = Array.from({ length: 400 }, (_, i) => i + 1);
    for (const value of values) socket.write(meterFrame(1, value));
    await eventually(() => counters(world)['readings']! >= 64);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(counters(world)['readings']).toBeLessThan(64 + 33);
    const broker = await startMosquitto({ port });
    onTestFinished(() => broker.close());
    const subscriber = await connectClient(broker.url);
    onTestFinished(() => subscriber.close());
    await eventually(() => counters(world)['readings'] === 400);
    expect(counters(world)).toMatchObject({ frames: 400, skipped_bytes: {} });
  });

  it('a connection is read no faster than its rate, and nothing is lost', async () => {
    const world = await start('tcp: 127.0.0.1:0', use(), 'limits: { frames_per_s: 40 }\n');
    const socket = await dial(portOf(world.gateway));
    // Ten seconds' worth may come at once.
    const values = Array.from({ length: 420 }, (_, i) => i + 1);
    socket.write(Buffer.concat(values.map((value) => meterFrame(1, value))));
    await eventually(() => counters(world)['readings']! >= 400, world);
    expect(counters(world)['readings']).toBeLessThan(420);
    await eventually(() => counters(world)['readings'] === 420, world);
    const { limits } = world.gateway.health() as { limits: Record<string, number> };
    expect(limits['frames_per_s']).toBeGreaterThan(0);
    await world.subscriber.waitFor(stateOf('meter', ({ level }) => level === 42));
  });

  it('datagrams beyond the rate are dropped and counted', async () => {
    const world = await start('udp: 127.0.0.1:0', use(), 'limits: { frames_per_s: 1 }\n');
    const socket = await socketTo(portOf(world.gateway));
    for (let n = 0; n < 30; n++) {
      socket.send(meterFrame(1, n));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const taken = (name: string): number => counters(world)[name] ?? 0;
    await eventually(() => taken('limited') + taken('readings') === 30, world);
    expect(counters(world)['limited']).toBeGreaterThan(15);
  });
});

describe('a device that is asked', () => {
  it('is asked each register, and its answers go where the question belongs', async () => {
    const { port } = await bridge((request, socket) => socket.write(meterFrame(1, request[2]! * 100)));
    const registers = { volts: 1, amps: 2, watts: 3 };
    const { subscriber } = await start(`connect: 127.0.0.1:${port}`, use({ polled: true, registers }));
    const full = stateOf('meter', (state) => 'volts' in state && 'amps' in state && 'watts' in state);
    const state = JSON.parse((await subscriber.waitFor(full)).payload) as Record<string, unknown>;
    expect(state).toMatchObject({ volts: 10, amps: 20, watts: 30 });
  });

  it('never takes an answer for another question: late and doubled ones are dropped and counted', async () => {
    const registers = { volts: 1, amps: 2 };
    let n = 0;
    const { port } = await bridge((request, socket) => {
      const answer = meterFrame(1, request[2]! * 100);
      n++;
      // Now and then too late by half its time, or twice.
      if (n % 7 === 3) setTimeout(() => socket.write(answer), 90);
      else if (n % 7 === 5) socket.write(Buffer.concat([answer, answer]));
      else socket.write(answer);
    });
    const options = { polled: true, registers, everyMs: 5, requestTimeoutMs: 60 };
    const world = await start(`connect: 127.0.0.1:${port}`, use(options));
    await eventually(() => counters(world)['late']! > 3 && counters(world)['unasked']! > 1, world);
    const states = world.subscriber.received
      .filter(({ topic }) => /meter(\/history)?$/.test(topic))
      .map(({ payload }) => JSON.parse(payload) as Record<string, unknown>);
    expect(states.length).toBeGreaterThan(3);
    for (const { volts = 10, amps = 20 } of states) expect([volts, amps]).toEqual([10, 20]);
  });

  it('shares its line: the dead one is told, and the others go on', async () => {
    const { port } = await bridge((request, socket) => {
      if (request[1] !== 2) socket.write(meterFrame(request[1]!, request[1]! * 10));
    });
    const profile = meterProfile({ polled: true, retries: 1, requestTimeoutMs: 50 });
    const devices = [1, 2, 3].map((address) => ({
      profile,
      alias: `m${address}`,
      parameters: { address },
      fingerprint: 'f',
      everyMs: undefined,
      timeoutMs: undefined,
    }));
    const world = await start(`connect: 127.0.0.1:${port}`, { ...use(), devices });
    await world.subscriber.waitForCount(
      20,
      stateOf('m1', ({ level }) => level === 1),
    );
    await world.subscriber.waitForCount(
      20,
      stateOf('m3', ({ level }) => level === 3),
    );
    expect(counters(world)['timeouts']).toBeGreaterThan(0);
    expect(world.log.some(({ msg }) => msg === 'm2 does not answer (level)')).toBe(true);
    expect(world.subscriber.received.some(({ topic }) => topic === 'bytes2mqtt/m2')).toBe(false);
    expect(world.subscriber.received.some(availability('m2', 'online'))).toBe(false);
    await world.subscriber.waitFor(availability('m2', 'offline'));
  });

  it('is set up when the line opens, and again when it comes back', async () => {
    let inits = 0;
    const { port, sockets } = await bridge((request, socket) => {
      if (request[2] === 0x7f) inits++;
      socket.write(meterFrame(1, 10));
    });
    const { subscriber } = await start(`connect: 127.0.0.1:${port}`, use({ polled: true, init: true }));
    await subscriber.waitFor(stateOf('meter', () => true));
    expect(inits).toBe(1);
    sockets[0]!.destroy();
    await subscriber.waitFor(offlineAgain('meter', subscriber));
    await subscriber.waitForCount(2, availability('meter', 'online'));
    expect(inits).toBe(2);
  });

  it('becomes unavailable when it falls silent, and available with its next answer', async () => {
    let silent = false;
    const { port } = await bridge((_, socket) => void (silent || socket.write(meterFrame(1, 10))));
    const options = { polled: true, timeoutMs: 300, requestTimeoutMs: 30 };
    const { subscriber } = await start(`connect: 127.0.0.1:${port}`, use(options));
    await subscriber.waitFor(availability('meter', 'online'));
    silent = true;
    await subscriber.waitFor(offlineAgain('meter', subscriber));
    silent = false;
    await subscriber.waitForCount(2, availability('meter', 'online'));
  });

  it('takes commands, and tells what became of them', async () => {
    const commands: number[] = [];
    let refuse = false;
    const { port } = await bridge((request, socket) => {
      if (request[2] === 0x80) {
        commands.push(request[3]!);
        socket.write(refuse ? sum8(0x5a, 0x81, 0, 3) : meterFrame(1, 0));
      } else socket.write(meterFrame(1, 10));
    });
    const world = await start(`connect: 127.0.0.1:${port}`, use({ polled: true }));
    const { subscriber } = world;
    await subscriber.waitFor(availability('meter', 'online'));
    const results = (count: number): Promise<Received[]> =>
      subscriber.waitForCount(count, ({ topic }) => topic === 'bytes2mqtt/meter/result');
    await subscriber.publish('bytes2mqtt/meter/set/level', '12.5');
    expect(JSON.parse((await results(1))[0]!.payload)).toEqual({ channel: 'level', status: 'done', value: 12.5 });
    expect(commands).toEqual([125]);
    refuse = true;
    await subscriber.publish('bytes2mqtt/meter/set', '{"level": 1, "id": 4}');
    expect(JSON.parse((await results(2))[1]!.payload)).toMatchObject({ id: 4, status: 'failed' });
    expect(counters(world)['exceptions']).toBe(1);
  });
});

describe('a device that sends datagrams', () => {
  it('is taken frame by frame, and answered where it is', async () => {
    const world = await start('udp: 127.0.0.1:0', use({ acknowledge: 'durable' }));
    const socket = await socketTo(portOf(world.gateway));
    socket.send(Buffer.concat([meterFrame(1, 1), meterFrame(1, 2), Buffer.from([0x5a])]));
    const [answer] = (await once(socket, 'message')) as [Buffer];
    expect([...answer]).toEqual([ACK_BYTE]);
    // What a datagram leaves over does not stand before the next.
    socket.send(meterFrame(1, 3));
    await world.subscriber.waitFor(stateOf('meter', ({ level }) => level === 0.3));
    expect(counters(world)).toMatchObject({ frames: 3, readings: 3, skipped_bytes: { expired: 1 } });
  });

  it('is asked where the configuration says, and nobody else is listened to', async () => {
    const device = createSocket('udp4');
    onTestFinished(() => void device.close());
    device.bind(0, '127.0.0.1');
    await once(device, 'listening');
    let gatewayPort = 0;
    device.on('message', (request, { port }) => {
      gatewayPort = port;
      device.send(meterFrame(1, request[2]! * 10), port, '127.0.0.1');
    });
    const profile = { ...use({ polled: true }), peer: { host: '127.0.0.1', port: device.address().port } };
    const { subscriber } = await start('udp: 127.0.0.1:0', profile);
    await subscriber.waitFor(stateOf('meter', ({ level }) => level === 1));
    const stranger = await socketTo(gatewayPort);
    stranger.send(meterFrame(1, 9_999));
    await subscriber.waitForCount(
      8,
      stateOf('meter', ({ level }) => level === 1),
    );
    expect(subscriber.received.some(stateOf('meter', ({ level }) => level !== 1))).toBe(false);
  });
});

describe.skipIf(ptyProgram() === undefined && lacks('socat', 'python3'))('a device on a serial line', () => {
  it('streams, is lost with its cable, and comes back with it', async () => {
    const cable = await openPtyPair();
    onTestFinished(() => cable.close());
    const { subscriber } = await start(`{ serial: ${cable.a}, baud: 9600 }`, use());
    const device = await open(cable.b);
    device.write(Buffer.from(meterFrame(1, 10)));
    await subscriber.waitFor(stateOf('meter', ({ level }) => level === 1));
    await cable.kill();
    await subscriber.waitFor(offlineAgain('meter', subscriber));
    const again = await openPtyPair({ at: dirname(cable.a) });
    onTestFinished(() => again.close());
    const back = await open(again.b);
    onTestFinished(() => back.close());
    const repeat = setInterval(() => back.write(Buffer.from(meterFrame(1, 20))), 50);
    onTestFinished(() => clearInterval(repeat));
    await subscriber.waitFor(stateOf('meter', ({ level }) => level === 2));
  });

  it('is asked with silence between the frames, by several who share the line', async () => {
    const cable = await openPtyPair();
    onTestFinished(() => cable.close());
    const device = await open(cable.b);
    onTestFinished(() => device.close());
    let rest = Buffer.alloc(0);
    device.on('data', (data: Buffer) => {
      rest = Buffer.concat([rest, data]);
      while (rest.length >= 4) {
        device.write(Buffer.from(meterFrame(rest[1]!, rest[1]! * 10)));
        rest = rest.subarray(4);
      }
    });
    const profile = meterProfile({ polled: true });
    const devices = [1, 2].map((address) => ({
      profile,
      alias: `m${address}`,
      parameters: { address },
      fingerprint: 'f',
      everyMs: undefined,
      timeoutMs: undefined,
    }));
    const world = await start(`{ serial: ${cable.a}, baud: 19200 }`, { ...use(), devices });
    await world.subscriber.waitForCount(
      5,
      stateOf('m1', ({ level }) => level === 1),
    );
    await world.subscriber.waitForCount(
      5,
      stateOf('m2', ({ level }) => level === 2),
    );
    expect(counters(world)).toMatchObject({ mismatched: 0, unasked: 0 });
  });
});

async function socketTo(port: number): Promise<UdpSocket> {
  const socket = createSocket('udp4');
  onTestFinished(() => void socket.close());
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

async function open(path: string): Promise<SerialPort> {
  const port = new SerialPort({ path, baudRate: 9600 });
  port.on('error', () => undefined);
  await once(port, 'open');
  return port;
}

async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'profile-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
