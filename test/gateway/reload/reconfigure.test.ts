/** A configuration applied to a gateway that runs in this process: who notices, and who does not. */
import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import { connect } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Config, SourceConfig } from '../../../gateway/config/schema.ts';
import { type RunningGateway, startGateway } from '../../../gateway/gateway.ts';
import { createLog } from '../../../gateway/log.ts';
import { makeCertificates } from '../../helpers/certificates.ts';
import { loadText } from '../../helpers/config-folder.ts';
import { LinkDevice, sample } from '../../helpers/link-device.ts';
import { meterFrame, meterProfile } from '../../helpers/meter-profile.ts';
import { connectClient, type TestClient } from '../../helpers/mqtt-client.ts';
import { lacks } from '../../helpers/programs.ts';
import { openPtyPair, ptyProgram } from '../../helpers/pty.ts';

const ID = 'a1b2c3d4e5f60718';
const OTHER = '06c51a616d2da385';
const KEY = Uint8Array.from({ length: 32 }, (_, index) => index);
const hex = (key: Uint8Array): string => Buffer.from(key).toString('hex');
const LATER =
  '\njournal: { durability: memory, dir: /nowhere }\nhttp: { enabled: false }\ndiscovery: { enabled: false }\n';

function config(text: string, files: Record<string, string> = {}): Config {
  const loaded = loadText(text + LATER, {}, files);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

async function start(
  text: string | Config,
): Promise<{ gateway: RunningGateway; subscriber: TestClient; log: string[] }> {
  const log: string[] = [];
  const root = createLog({ level: 'info', pretty: false, write: (line) => void log.push(line) });
  const gateway = await startGateway(typeof text === 'string' ? config(text) : text, root, {
    setLogLevel: (level) => root.setLevel(level),
  });
  onTestFinished(() => gateway.close());
  const subscriber = await connectClient(`mqtt://${gateway.broker}`);
  onTestFinished(() => subscriber.close());
  return { gateway, subscriber, log };
}

const portOf = (gateway: RunningGateway, id: string): number =>
  Number(/:(\d+)$/.exec(gateway.sources.find((source) => source.id === id)!.where)?.[1]);

async function device(port: number, id = ID, key?: Uint8Array): Promise<LinkDevice> {
  const made = await LinkDevice.tcp(port, BigInt(`0x${id}`));
  onTestFinished(() => made.close());
  made.key = key;
  await made.hello();
  return made;
}

async function ask(subscriber: TestClient, name: string, data: object): Promise<Record<string, unknown>> {
  const before = subscriber.received.length;
  await subscriber.publish(`bytes2mqtt/bridge/request/${name}`, JSON.stringify(data));
  const topic = `bytes2mqtt/bridge/response/${name}`;
  const { payload } = await subscriber.waitFor(
    (message) => message.topic === topic && subscriber.received.indexOf(message) >= before,
  );
  return JSON.parse(payload) as Record<string, unknown>;
}

const TCP = 'sources:\n  - { name: tcp, tcp: "127.0.0.1:0" }\n';

const two = (first: string, second: string): string =>
  `${TCP}devices:\n  ${ID}: { alias: ${first} }\n  ${OTHER}: { alias: ${second} }\n`;

describe('keys', () => {
  it('a new key ends the session that began without; the one beside it goes on', async () => {
    const { gateway } = await start(TCP);
    const port = portOf(gateway, 'tcp');
    const [mine, other] = [await device(port), await device(port, OTHER)];
    const next = config(`${TCP}devices:\n  ${ID}: { key: ${hex(KEY)} }\n`);
    expect(await gateway.reconfigure(next)).toEqual({ applied: [`devices.${ID}.key`], needsRestart: [] });
    expect(await mine.next('BYE')).toMatchObject({ reason: 'restarting' });
    await mine.closed;
    const plain = await LinkDevice.tcp(port);
    onTestFinished(() => plain.close());
    plain.sendHello();
    expect(await plain.next('ERROR')).toMatchObject({ code: 'authentication_required' });
    const sealed = await device(port, ID, KEY);
    sealed.readings(1, sample(1));
    await sealed.acknowledged(1);
    expect(await other.settled()).not.toContainEqual(expect.objectContaining({ type: 'BYE' }));
  });

  it('a key that is no more ends the sealed session, and its holder is a stranger', async () => {
    const { gateway } = await start(`${TCP}devices:\n  ${ID}: { key: ${hex(KEY)} }\n`);
    const port = portOf(gateway, 'tcp');
    const mine = await device(port, ID, KEY);
    // Its first frame makes the session stand.
    await mine.settled();
    await gateway.reconfigure(config(TCP));
    expect(await mine.next('BYE')).toMatchObject({ sealed: true });
    const again = await LinkDevice.tcp(port);
    onTestFinished(() => again.close());
    again.key = KEY;
    again.sendHello();
    expect(await again.next('ERROR')).toMatchObject({ code: expect.any(String) as string });
  });
});

describe('names', () => {
  it('two devices change names: each of them is there under the other name, and nothing is removed', async () => {
    const { gateway, subscriber } = await start(two('shed', 'barn'));
    const port = portOf(gateway, 'tcp');
    const [mine] = [await device(port), await device(port, OTHER)];
    await subscriber.waitForCount(2, ({ topic, payload }) => topic.endsWith('/availability') && payload === 'online');
    await gateway.reconfigure(config(two('barn', 'shed')));
    mine.readings(1, sample(1));
    await mine.acknowledged(1);
    const { payload } = await subscriber.waitFor(({ topic }) => topic === 'bytes2mqtt/barn');
    expect(payload).toContain(ID);
    const moved = subscriber.received.filter(({ topic }) => topic.endsWith('/availability'));
    expect(moved.map((message) => message.payload)).not.toContain('');
    const renamed = subscriber.received.filter(({ payload: text }) => text.includes('device_renamed'));
    expect(renamed).toHaveLength(2);
  });

  it('the configuration takes a name from whom a request gave it to, tells so, and gives it back', async () => {
    const { gateway, subscriber, log } = await start(TCP);
    await device(portOf(gateway, 'tcp'));
    expect(await ask(subscriber, 'device_rename', { device: ID, alias: 'shed' })).toMatchObject({
      data: { alias: 'shed', kept: false },
    });
    await gateway.reconfigure(config(`${TCP}devices:\n  ${OTHER}: { alias: shed }\n`));
    expect(await ask(subscriber, 'device_get', { device: 'shed' })).toMatchObject({ data: { id: OTHER } });
    expect(await ask(subscriber, 'device_get', { device: ID })).toMatchObject({ data: { alias: ID, online: true } });
    expect(log.join('')).toContain(`device ${ID} is not called \\"shed\\"`);
    expect(await ask(subscriber, 'device_rename', { device: 'shed', alias: 'barn' })).toMatchObject({
      status: 'error',
    });
    expect(await ask(subscriber, 'device_remove', { device: 'shed' })).toMatchObject({ status: 'error' });
    await gateway.reconfigure(config(TCP));
    // The other one was never here.
    expect(await ask(subscriber, 'device_get', { device: 'shed' })).toMatchObject({ data: { id: ID } });
    expect(await ask(subscriber, 'device_get', { device: OTHER })).toMatchObject({ error: 'no such device' });
  });
});

describe('a device removed by request', () => {
  it('is known again when it is back, and what it sends a second time is not taken for new', async () => {
    const { gateway, subscriber } = await start(TCP);
    const port = portOf(gateway, 'tcp');
    const first = await device(port);
    first.readings(1, sample(1));
    await first.acknowledged(1);
    expect(await ask(subscriber, 'device_remove', { device: ID })).toMatchObject({ status: 'error' });
    first.close();
    await subscriber.waitFor(({ payload }) => payload.includes('"device_offline"'));
    expect(await ask(subscriber, 'device_remove', { device: ID })).toMatchObject({ status: 'ok' });
    expect(await ask(subscriber, 'devices', {})).toMatchObject({ data: [] });
    // Its ACK was lost, as far as it knows.
    const again = await device(port);
    again.readings(1, sample(1));
    again.readings(2, sample(2));
    await again.acknowledged(2);
    await subscriber.waitFor(({ payload }) => payload.includes(`"${ID}-7-2"`));
    expect(subscriber.received.filter(({ payload }) => payload.includes(`"${ID}-7-1"`))).toHaveLength(1);
  });
});

describe('limits', () => {
  it('hold for who comes from then on, and for rates at once', async () => {
    const { gateway, subscriber } = await start(TCP);
    const port = portOf(gateway, 'tcp');
    const mine = await device(port);
    const { applied } = await gateway.reconfigure(
      config(
        `${TCP}limits: { connections_per_address: 1, requests_per_s: 0.1, keepalive_s: 7 }\nlog: { level: error }\n`,
      ),
    );
    expect(applied).toEqual([
      'limits.connections_per_address',
      'limits.keepalive_s',
      'limits.requests_per_s',
      'log.level',
    ]);
    const refused = connect(port, '127.0.0.1');
    refused.on('error', () => undefined);
    await new Promise((resolve) => refused.once('close', resolve));
    await mine.settled();
    // Ten seconds' worth is one.
    expect(await ask(subscriber, 'ping', {})).toMatchObject({ status: 'ok' });
    await subscriber.publish('bytes2mqtt/bridge/request/ping', '');
    await expect
      .poll(() => (gateway.health()['limits'] as Record<string, number>)['requests_per_s'])
      .toBeGreaterThan(0);
    await gateway.reconfigure(config(TCP));
    expect(await (await LinkDevice.tcp(port)).hello()).toMatchObject({ keepalive: 30 });
  });
});

describe('sources', () => {
  it('a UDP source that changes says goodbye, and is there again on the same port', async () => {
    const { gateway } = await start('sources:\n  - { name: udp, udp: "127.0.0.1:0" }\n');
    const port = portOf(gateway, 'udp');
    const first = await LinkDevice.udp(port);
    onTestFinished(() => first.close());
    await first.hello();
    const next = config(`sources:\n  - { name: udp, udp: "127.0.0.1:${port}" }\n`);
    expect(await gateway.reconfigure(next)).toMatchObject({ applied: ['source udp changed'] });
    expect(await first.next('BYE')).toMatchObject({ reason: 'restarting' });
    await expect.poll(() => gateway.sources).toMatchObject([{ id: 'udp', state: 'open' }]);
    await first.hello({ boot: 7 });
    first.readings(1, sample(1));
    await first.acknowledged(1);
  });

  it('may come and go as often as they like: nothing stays behind, and who is beside them goes on', async () => {
    const { gateway, subscriber } = await start(TCP);
    const mine = await device(portOf(gateway, 'tcp'));
    const both = config(`${TCP}  - { name: more, tcp: "127.0.0.1:0" }\n  - { name: dgram, udp: "127.0.0.1:0" }\n`);
    for (let seq = 1; seq <= 20; seq++) {
      await gateway.reconfigure(both);
      await expect.poll(() => gateway.sources.map(({ state }) => state)).toEqual(['open', 'open', 'open']);
      const guests = [
        await LinkDevice.tcp(portOf(gateway, 'more'), BigInt(`0x${OTHER}`)),
        await LinkDevice.udp(portOf(gateway, 'dgram'), 0x77n),
      ];
      await Promise.all(guests.map(async (guest) => guest.hello({ boot: seq })));
      for (const guest of guests) guest.readings(1, sample(seq));
      await Promise.all(guests.map(async (guest) => guest.acknowledged(1)));
      mine.readings(seq, sample(seq));
      await gateway.reconfigure(config(TCP));
      await Promise.all(guests.map(async (guest) => guest.next('BYE')));
      for (const guest of guests) guest.close();
    }
    await mine.acknowledged(20);
    expect((await mine.settled()).map(({ type }) => type)).not.toContain('BYE');
    await subscriber.waitForCount(60, ({ topic }) => /^bytes2mqtt\/[0-9a-f]{16}(\/history)?$/.test(topic));
    expect(gateway.sources).toHaveLength(1);
    expect(gateway.health()).toMatchObject({ connections: 1, strangers: 0 });
  }, 20_000);

  it.skipIf(ptyProgram() === undefined)('a serial line that changes is let go before it is opened again', async () => {
    const cable = await openPtyPair();
    onTestFinished(() => cable.close());
    const text = (baud: number): string => `sources:\n  - { name: line, serial: ${cable.a}, baud: ${baud} }\n`;
    const { gateway, log } = await start(text(9_600));
    await gateway.reconfigure(config(text(19_200)));
    await expect.poll(() => gateway.sources).toMatchObject([{ id: 'line', state: 'open' }]);
    expect(log.join('')).not.toContain('DEVICE_BUSY');
    await gateway.reconfigure(config('sources:\n  - { name: tcp, tcp: "127.0.0.1:0" }\n'));
    expect(gateway.sources.map(({ id }) => id)).toEqual(['tcp']);
  });

  it('a source whose profile changes: the device stays the same one, in a boot of its own', async () => {
    const text = 'sources:\n  - { name: meter, tcp: "127.0.0.1:0" }\n  - { name: other, tcp: "127.0.0.1:0" }\n';
    const plain = config(text);
    const withProfile = (everyMs: number | undefined): Config => {
      const use = {
        profile: meterProfile(),
        fingerprint: 'f',
        alias: 'meter',
        parameters: {},
        everyMs,
        timeoutMs: undefined,
      };
      const profile = { devices: [use], names: new Map(), onlyNamed: false, peer: undefined };
      return {
        ...plain,
        sources: plain.sources.map((one): SourceConfig => (one.id === 'meter' ? { ...one, profile } : one)),
      };
    };
    const { gateway, subscriber } = await start(withProfile(undefined));
    const bystander = await device(portOf(gateway, 'other'));
    const read = async (value: number, shown: string): Promise<{ id: string; level: number }> => {
      const socket = connect(portOf(gateway, 'meter'), '127.0.0.1');
      onTestFinished(() => void socket.destroy());
      socket.on('error', () => undefined);
      socket.write(meterFrame(1, value));
      const { payload } = await subscriber.waitFor(
        (message) => message.topic === 'bytes2mqtt/meter' && message.payload.includes(shown),
      );
      return JSON.parse(payload) as { id: string; level: number };
    };
    const before = await read(200, '"level":20,');
    expect(await gateway.reconfigure(withProfile(undefined))).toEqual({ applied: [], needsRestart: [] });
    expect(await gateway.reconfigure(withProfile(1))).toMatchObject({ applied: ['source meter changed'] });
    await expect.poll(() => gateway.sources.map(({ state }) => state)).toEqual(['open', 'open']);
    const after = await read(300, '"level":30,');
    const [id, boot] = before.id.split('-');
    expect(after.id.split('-')[0]).toBe(id);
    expect(Number(after.id.split('-')[1])).toBeGreaterThan(Number(boot));
    const about = (await ask(subscriber, 'device_get', { device: 'meter' })) as { data: { channels: unknown[] } };
    expect(about.data.channels).toMatchObject([{ number: 0, alias: 'level' }]);
    expect(await ask(subscriber, 'device_rename', { device: 'meter', alias: 'x' })).toMatchObject({ status: 'error' });

    await gateway.reconfigure({ ...plain, sources: plain.sources.filter((one) => one.id === 'other') });
    expect(await ask(subscriber, 'device_get', { device: 'meter' })).toMatchObject({ data: { online: false } });
    expect(await ask(subscriber, 'device_remove', { device: 'meter' })).toMatchObject({ status: 'ok' });
    expect((await bystander.settled()).map(({ type }) => type)).not.toContain('BYE');
  });

  it.skipIf(lacks('openssl'))('a renewed certificate is shown to who comes, and nobody has to go', async () => {
    const pem = makeCertificates();
    onTestFinished(() => pem.remove());
    const renewed = pem.signed('renewed', 90);
    const files = `{ cert: ${pem.server.cert}, key: ${pem.server.key} }`;
    const text = `sources:\n  - { name: tls, tcp: "127.0.0.1:0", plain: true, tls: ${files} }\n`;
    const { gateway, log } = await start(text);
    const call = async (): Promise<TLSSocket> => {
      const socket = connectTls({ host: '127.0.0.1', port: portOf(gateway, 'tls'), rejectUnauthorized: false });
      onTestFinished(() => void socket.destroy());
      await once(socket, 'secureConnect');
      return socket;
    };
    const first = await call();
    const mine = LinkDevice.over(first);
    await mine.hello();
    copyFileSync(renewed.cert, pem.server.cert);
    // As long as only one of the two is there, the old ones hold.
    expect(await gateway.reconfigure(config(text))).toEqual({ applied: [], needsRestart: [] });
    expect(log.join('')).toContain('TLS_CERTIFICATE');
    copyFileSync(renewed.key, pem.server.key);
    const after = await gateway.reconfigure(config(`${text}limits: { handshake_s: 3 }\n`));
    expect(after.applied).toEqual(['limits.handshake_s', 'certificate of tls renewed']);
    const second = await call();
    expect(second.getPeerCertificate().fingerprint256).not.toBe(first.getPeerCertificate().fingerprint256);
    await mine.settled();
  });
});
