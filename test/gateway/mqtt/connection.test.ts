import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { GatewayError } from '../../../gateway/errors.ts';
import { type Connected, MqttConnection, type MqttConnectionOptions } from '../../../gateway/mqtt/connection.ts';
import { startEmbeddedBroker } from '../../../gateway/mqtt/embedded-broker.ts';
import { encodeTopic } from '../../../gateway/mqtt/outbox.ts';
import { freePort, type Mosquitto, startMosquitto, type MosquittoOptions } from '../../helpers/broker.ts';
import { connectClient, type TestClient } from '../../helpers/mqtt-client.ts';
import { startTcpProxy, type TcpProxy } from '../../helpers/mqtt-proxy.ts';
import { lacks } from '../../helpers/programs.ts';

const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function mosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const broker = await startMosquitto(options);
  cleanUps.push(() => broker.close());
  return broker;
}

async function subscriber(url: string, ...filters: string[]): Promise<TestClient> {
  const client = await connectClient(url, filters.length === 0 ? ['#'] : filters);
  cleanUps.push(() => client.close());
  return client;
}

async function proxyTo(port: number): Promise<TcpProxy> {
  const proxy = await startTcpProxy(port);
  cleanUps.push(() => proxy.close());
  return proxy;
}

/** A connection that records what happens to it; `next` awaits an event that comes after the call. */
class Watched {
  readonly connection: MqttConnection;
  readonly acks: [number, number][] = [];
  resets = 0;
  onAny: (() => void) | undefined;
  readonly #connected: ((connected: Connected) => void)[] = [];
  readonly #disconnected: ((error: GatewayError) => void)[] = [];

  constructor(options: Partial<MqttConnectionOptions> & { url: string }) {
    this.connection = new MqttConnection({ clientId: 'gateway', minBackoffMs: 20, maxBackoffMs: 50, ...options });
    this.connection.onConnected = (connected) => this.#connected.splice(0).forEach((resolve) => resolve(connected));
    this.connection.onDisconnected = (error) => this.#disconnected.splice(0).forEach((resolve) => resolve(error));
    const { outbox } = this.connection;
    outbox.onAck = (token, code) => {
      this.acks.push([token, code]);
      this.onAny?.();
    };
    outbox.onReset = () => this.resets++;
    cleanUps.push(() => this.connection.close());
  }

  connected(): Promise<Connected> {
    return new Promise((resolve) => void this.#connected.push(resolve));
  }

  disconnected(): Promise<GatewayError> {
    return new Promise((resolve) => void this.#disconnected.push(resolve));
  }

  async start(): Promise<Connected> {
    const connected = this.connected();
    this.connection.start();
    const result = await connected;
    await this.room();
    return result;
  }

  room(): Promise<void> {
    const { outbox } = this.connection;
    return new Promise((resolve) => {
      if (outbox.room(1) > 0) resolve();
      else outbox.onRoom = resolve;
    });
  }

  ackCount(count: number): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.acks.length >= count) resolve();
      };
      this.onAny = check;
      check();
    });
  }
}

/** For what has no event. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setTimeout(5);
}

const TOPIC = encodeTopic('b/greenhouse');

describe.skipIf(lacks('mosquitto'))('MqttConnection with mosquitto', () => {
  it.each(['5', '3.1.1'] as const)(
    'publishes in batches among control messages, in order, QoS 0 and 1 (MQTT %s)',
    async (version) => {
      const broker = await mosquitto({ config: ['max_inflight_messages 0', 'max_queued_messages 0'] });
      const sub = await subscriber(broker.url);
      const watched = new Watched({ url: broker.url, version });
      expect(await watched.start()).toEqual({ version, sessionPresent: false, retainAvailable: true });
      const { connection } = watched;
      const count = 20_000;
      let next = 0;
      const pump = (): void => {
        for (let burst = 0; burst < 300 && next < count; burst++) {
          const qos = next % 3 === 0 ? 0 : 1;
          if (connection.outbox.room(qos) === 0) break;
          // Lengths around the steps of the remaining length, and text that is not ASCII.
          const text = `${next}:${'é'.repeat(next % 7)}${'x'.repeat(next % 500)}`;
          connection.outbox.send(TOPIC, text, qos, next, false);
          next++;
          if (next % 100 === 0) connection.publish('b/control', String(next), { qos: next % 200 === 0 ? 1 : 0 });
        }
        connection.outbox.flush();
        if (next < count) setImmediate(pump);
      };
      pump();
      await watched.ackCount(count);
      const data = await sub.waitForCount(count, ({ topic }) => topic === TOPIC.name);
      expect(data.map(({ payload }) => payload)).toEqual(
        Array.from({ length: count }, (_, at) => `${at}:${'é'.repeat(at % 7)}${'x'.repeat(at % 500)}`),
      );
      const control = await sub.waitForCount(count / 100, ({ topic }) => topic === 'b/control');
      expect(control).toHaveLength(count / 100);
      expect(new Set(watched.acks.map(([token]) => token)).size).toBe(count);
      expect(connection.stats).toMatchObject({ connects: 1, inFlight: 0, unknownAcks: 0 });
    },
  );

  it('takes payloads larger than a batch', async () => {
    const broker = await mosquitto();
    const sub = await subscriber(broker.url);
    const watched = new Watched({ url: broker.url });
    await watched.start();
    watched.connection.outbox.send(TOPIC, 'small', 1, 1, false);
    watched.connection.outbox.send(TOPIC, 'x'.repeat(300_000), 1, 2, false);
    watched.connection.outbox.send(TOPIC, 'small again', 1, 3, false);
    watched.connection.outbox.flush();
    const got = await sub.waitForCount(3);
    expect(got.map(({ payload }) => payload.length)).toEqual([5, 300_000, 11]);
    await watched.ackCount(3);
  });

  it('keeps to the receive maximum, tells refusals apart, and refuses itself what is too large for the broker', async () => {
    const broker = await mosquitto({
      config: ['max_inflight_messages 5', 'max_packet_size 2000', 'acl_file {folder}/acl'],
      files: { acl: 'topic readwrite b/greenhouse\ntopic read #\n' },
    });
    await subscriber(broker.url);
    const watched = new Watched({ url: broker.url });
    await watched.start();
    const { outbox } = watched.connection;
    const room = outbox.room(1);
    expect(room).toBeGreaterThan(0);
    expect(room).toBeLessThanOrEqual(5);
    const refused = new Promise<[string, number]>((resolve) => {
      watched.connection.onRefused = (topic, code) => resolve([topic, code]);
    });
    outbox.send(TOPIC, 'good', 1, 1, false);
    outbox.send(encodeTopic('b/secret'), 'not allowed', 1, 2, false);
    outbox.send(TOPIC, 'x'.repeat(3_000), 1, 3, false);
    watched.connection.publish('b/also_secret', 'x', { retain: true });
    outbox.flush();
    await watched.ackCount(3);
    expect(new Map(watched.acks)).toEqual(
      new Map([
        [1, 0],
        [2, 0x87],
        [3, 0x95],
      ]),
    );
    expect(await refused).toEqual(['b/also_secret', 0x87]);
    expect(watched.connection.state).toBe('connected');
  });

  it('says why it was refused, and goes on trying', async () => {
    const broker = await mosquitto({ allowAnonymous: false });
    const watched = new Watched({ url: broker.url, username: 'somebody', password: 'wrong' });
    const first = watched.disconnected();
    watched.connection.start();
    const error = await first;
    expect(error.code).toBe('MQTT_REFUSED');
    expect(error.message).toMatch(/not auth/i);
    expect(watched.connection.version).toBe('5');
    expect((await watched.disconnected()).code).toBe('MQTT_REFUSED');
  });

  it('starts before the broker does, and finds it again after a restart with subscriptions and retained messages', async () => {
    const port = await freePort();
    const watched = new Watched({
      url: `mqtt://127.0.0.1:${port}`,
      will: { topic: 'b/bridge/state', payload: 'offline' },
    });
    const { connection } = watched;
    const commands: string[] = [];
    connection.onMessage = (topic, payload, retain) => commands.push(`${topic} ${payload.toString()} ${retain}`);
    connection.subscribe('b/+/set');
    connection.publish('b/bridge/state', 'online', { retain: true });
    connection.publish('b/lost', 'nobody is there');
    const down = watched.disconnected();
    connection.start();
    expect((await down).code).toBe('MQTT_UNREACHABLE');
    expect(connection.state).toBe('waiting');

    let connected = watched.connected();
    const broker = await mosquitto({ port });
    await connected;
    const first = await subscriber(broker.url);
    await first.waitFor(({ topic, payload }) => topic === 'b/bridge/state' && payload === 'online');

    await watched.room();
    connection.outbox.send(TOPIC, 'in flight', 1, 7, false);
    const lost = watched.disconnected();
    await broker.kill('SIGKILL');
    expect((await lost).code).toBe('MQTT_UNREACHABLE');
    expect(connection.outbox.room(1)).toBe(0);
    expect(watched.resets).toBe(1);

    connected = watched.connected();
    await broker.restart();
    await connected;
    const second = await subscriber(broker.url);
    await second.waitFor(({ topic, payload, retain }) => topic === 'b/bridge/state' && payload === 'online' && retain);
    await second.publish('b/greenhouse/set', 'x');
    await second.waitFor(({ topic }) => topic === 'b/greenhouse/set');
    await until(() => commands.length > 0);
    expect(commands).toEqual(['b/greenhouse/set x false']);
    expect(first.received.some(({ topic }) => topic === 'b/lost')).toBe(false);

    await connection.close();
    await second.waitFor(({ topic, payload }) => topic === 'b/bridge/state' && payload === 'offline');
  });

  it('leaves its last will when it dies', async () => {
    const broker = await mosquitto();
    const proxy = await proxyTo(broker.port);
    const sub = await subscriber(broker.url);
    const watched = new Watched({
      url: `mqtt://127.0.0.1:${proxy.port}`,
      will: { topic: 'b/bridge/state', payload: 'offline' },
      minBackoffMs: 5_000,
    });
    await watched.start();
    proxy.cut();
    expect(await sub.waitFor(({ topic }) => topic === 'b/bridge/state')).toMatchObject({ payload: 'offline' });
  });

  it('drops the connection when PUBACKs stay away, and ignores those for nothing', async () => {
    const broker = await mosquitto();
    const proxy = await proxyTo(broker.port);
    const watched = new Watched({ url: `mqtt://127.0.0.1:${proxy.port}`, ackTimeoutMs: 200 });
    await watched.start();
    proxy.fromBroker = (chunk) => (chunk[0] === 0x40 ? undefined : chunk);
    const lost = watched.disconnected();
    watched.connection.outbox.send(TOPIC, 'x', 1, 1, false);
    watched.connection.outbox.flush();
    expect((await lost).code).toBe('PUBLISH_TIMEOUT');
    expect(watched.resets).toBe(1);
    await watched.connected();
    await watched.room();
    const oddities: string[] = [];
    watched.connection.onOddity = (what) => oddities.push(what);
    proxy.fromBroker = (chunk) =>
      chunk[0] === 0x40 ? Buffer.concat([chunk, chunk, Buffer.of(0x40, 2, 0, 99)]) : chunk;
    watched.connection.outbox.send(TOPIC, 'y', 1, 2, false);
    watched.connection.outbox.flush();
    await watched.ackCount(1);
    expect(watched.acks).toEqual([[2, watched.acks[0]![1]]]);
    await until(() => watched.connection.stats.unknownAcks === 2);
    expect(oddities).toEqual(['unknown-puback', 'unknown-puback']);
    expect(watched.connection.connected).toBe(true);
  });

  it('finds out that the broker is silent while it publishes only readings', async () => {
    const broker = await mosquitto();
    const proxy = await proxyTo(broker.port);
    const watched = new Watched({ url: `mqtt://127.0.0.1:${proxy.port}`, keepaliveS: 1 });
    await watched.start();
    const { outbox } = watched.connection;
    const readings = setInterval(() => {
      if (outbox.room(0) > 0) outbox.send(TOPIC, 'x', 0, 1, false);
      outbox.flush();
    }, 50);
    cleanUps.push(async () => clearInterval(readings));
    // Pings pass between the batches.
    await until(() => broker.log().split('Received PINGREQ from gateway').length > 2);
    expect(watched.connection.stats.connects).toBe(1);
    const lost = watched.disconnected();
    proxy.fromBroker = () => undefined;
    expect((await lost).code).toBe('MQTT_UNREACHABLE');
  });

  it('does not hold incoming messages that are far too large', async () => {
    const broker = await mosquitto();
    const watched = new Watched({ url: broker.url, version: '3.1.1' });
    const got: number[] = [];
    watched.connection.onMessage = (_topic, payload) => got.push(payload.length);
    watched.connection.subscribe('b/+/set');
    const oddities: string[] = [];
    watched.connection.onOddity = (what) => oddities.push(what);
    await watched.start();
    const other = await subscriber(broker.url, 'b/+/set');
    await other.publish('b/greenhouse/set', 'x'.repeat(1_000_000));
    await other.publish('b/greenhouse/set', 'small');
    await until(() => got.length > 0);
    expect(got).toEqual([5]);
    expect(watched.connection.stats.oversize).toBe(1);
    expect(oddities).toEqual(['oversize']);
    expect(watched.connection.connected).toBe(true);
  });
});

describe('MqttConnection with older or odd brokers', () => {
  it('falls back to MQTT 3.1.1 at once when the broker says so', async () => {
    const broker = await startEmbeddedBroker(0);
    cleanUps.push(() => broker.close());
    const watched = new Watched({ url: broker.url, minBackoffMs: 30_000 });
    expect(await watched.start()).toMatchObject({ version: '3.1.1' });
    const sub = await subscriber(broker.url);
    watched.connection.outbox.send(TOPIC, 'hello', 1, 1, false);
    watched.connection.outbox.flush();
    expect((await sub.waitForCount(1))[0]).toMatchObject({ topic: TOPIC.name, payload: 'hello' });
    await watched.ackCount(1);
  });

  it('tries 3.1.1 with a broker that just hangs up on MQTT 5', async () => {
    const versions: number[] = [];
    const server = createServer((socket) => {
      socket.once('data', (chunk) => {
        // CONNECT: fixed header of 2 bytes, "MQTT" with its length, then the version
        const version = chunk[8]!;
        versions.push(version);
        if (version === 5) socket.end();
        else socket.write(Buffer.of(0x20, 2, 0, 0));
      });
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    cleanUps.push(async () => server.close());
    const watched = new Watched({ url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}` });
    expect(await watched.start()).toMatchObject({ version: '3.1.1' });
    expect(versions).toEqual([5, 4]);
  });

  it('does not go back to 3.1.1 once the broker has spoken MQTT 5', async () => {
    let mode: 'accept' | 'hang up' = 'accept';
    const versions: number[] = [];
    const server = createServer((socket) => {
      socket.once('data', (chunk) => {
        versions.push(chunk[8]!);
        if (mode === 'hang up') socket.end();
        else socket.write(Buffer.of(0x20, 3, 0, 0, 0));
        if (versions.length === 1) setImmediate(() => socket.destroy());
      });
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    cleanUps.push(async () => server.close());
    const watched = new Watched({ url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}` });
    await watched.start();
    mode = 'hang up';
    await watched.disconnected();
    await watched.disconnected();
    mode = 'accept';
    await watched.connected();
    expect(new Set(versions)).toEqual(new Set([5]));
  });

  it.each([
    ['garbage instead of CONNACK', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['an endless length', Buffer.of(0x20, 0xff, 0xff, 0xff, 0xff, 0xff)],
    ['a PUBACK instead of CONNACK', Buffer.of(0x40, 2, 0, 1)],
  ])('survives %s', async (_name, answer) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(answer));
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    cleanUps.push(async () => server.close());
    const watched = new Watched({ url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}` });
    const failed = watched.disconnected();
    watched.connection.start();
    expect((await failed).code).toBe('MQTT_UNREACHABLE');
  });

  it('says what is wrong with a name of several addresses', async () => {
    const watched = new Watched({ url: `mqtt://localhost:${await freePort()}` });
    const failed = watched.disconnected();
    watched.connection.start();
    expect((await failed).message).toMatch(/^localhost:\d+: .*ECONNREFUSED/);
  });

  it('closes while it waits for a broker', async () => {
    const watched = new Watched({ url: `mqtt://127.0.0.1:${await freePort()}`, minBackoffMs: 30_000 });
    const failed = watched.disconnected();
    watched.connection.start();
    await failed;
    await watched.connection.close();
    expect(watched.connection.state).toBe('closed');
  });

  it('takes only URLs of brokers', () => {
    for (const url of ['', 'localhost', 'http://x', 'mqtt://', 'mqtt:///x']) {
      expect(() => new MqttConnection({ url, clientId: 'x' }), url).toThrow(RangeError);
    }
    expect(new MqttConnection({ url: 'mqtts://[::1]', clientId: 'x' }).where).toBe('[::1]:8883');
  });
});

describe.skipIf(lacks('mosquitto', 'openssl'))('MqttConnection over TLS', () => {
  it('checks the broker and shows its own certificate', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bytes2mqtt-tls-'));
    cleanUps.push(async () => rmSync(folder, { recursive: true }));
    const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
    const key = ['-newkey', 'rsa:2048', '-nodes', '-days', '2'];
    openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=Test CA');
    for (const [name, subject, extension] of [
      ['server', '/CN=localhost', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
      ['client', '/CN=gateway', 'extendedKeyUsage=clientAuth'],
    ] as const) {
      openssl(
        'req',
        '-x509',
        ...key,
        '-CA',
        'ca.crt',
        '-CAkey',
        'ca.key',
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.crt`,
        '-subj',
        subject,
        '-addext',
        extension,
        '-addext',
        'basicConstraints=critical,CA:FALSE',
      );
    }
    const file = (name: string): Buffer => readFileSync(join(folder, name));
    const broker = await mosquitto({
      files: { 'ca.crt': file('ca.crt'), 'server.crt': file('server.crt'), 'server.key': file('server.key') },
      config: [
        'cafile {folder}/ca.crt',
        'certfile {folder}/server.crt',
        'keyfile {folder}/server.key',
        'require_certificate true',
      ],
    });
    const url = `mqtts://127.0.0.1:${broker.port}`;
    const [ca, cert, clientKey] = [file('ca.crt'), file('client.crt'), file('client.key')];

    const watched = new Watched({ url, ca, cert, key: clientKey });
    await watched.start();
    watched.connection.outbox.send(TOPIC, 'secret', 1, 1, false);
    watched.connection.outbox.flush();
    await watched.ackCount(1);

    const unchecked = new Watched({ url, clientId: 'b', cert, key: clientKey, rejectUnauthorized: false });
    await unchecked.start();

    const untrusting = new Watched({ url, clientId: 'c', cert, key: clientKey });
    const refused = untrusting.disconnected();
    untrusting.connection.start();
    const error = await refused;
    expect(error.code).toBe('MQTT_UNREACHABLE');
    expect(error.message).toMatch(/certificate/i);

    const anonymous = new Watched({ url, clientId: 'd', ca });
    const turnedAway = anonymous.disconnected();
    anonymous.connection.start();
    expect((await turnedAway).code).toBe('MQTT_UNREACHABLE');
  });
});
