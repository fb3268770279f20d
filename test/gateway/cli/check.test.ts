import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkResources } from '../../../gateway/commands/check-resources.ts';
import type { Problem } from '../../../gateway/config/problem.ts';
import { cli } from '../../helpers/cli.ts';
import { configFolder, loadText } from '../../helpers/config-folder.ts';

async function listenTcp(where: { port: number; host: string } | { path: string }): Promise<number> {
  const server = createServer((socket) => socket.destroy()).listen(where);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address() as AddressInfo | string;
  return typeof address === 'string' ? 0 : address.port;
}

async function bindUdp(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  onTestFinished(() => void socket.close());
  return socket.address().port;
}

/** A port on which nobody listens any more. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const brief = (list: readonly Problem[]) => list.map(({ code, path, line }) => `${code} ${path} ${line}`);

async function resourcesOf(text: string) {
  const loaded = loadText(text);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const { problems, warnings } = await checkResources(loaded);
  return { problems, codes: brief(problems), warnings: brief(warnings) };
}

describe('checkResources', () => {
  it('tells a journal folder that cannot be made, and leaves nothing behind where it can', async () => {
    const folder = configFolder({ file: '' });
    const bad = await resourcesOf(`sources: [{ tcp: "127.0.0.1:0" }]\njournal: { dir: ${folder}/file/j }\n`);
    expect(bad.codes).toEqual(['IO_ERROR journal.dir 2']);
    const file = await resourcesOf(`sources: [{ tcp: "127.0.0.1:0" }]\njournal: { dir: ${folder}/file }\n`);
    expect(file.codes).toEqual(['IO_ERROR journal.dir 2']);
    const good = await resourcesOf(`sources: [{ tcp: "127.0.0.1:0" }]\njournal: { dir: ${folder}/a/b }\n`);
    expect(good.codes).toEqual([]);
    expect(readdirSync(folder)).toEqual(['file']);
    const unused = `sources: [{ tcp: "127.0.0.1:0" }]\njournal: { durability: memory, dir: ${folder}/file }\n`;
    expect((await resourcesOf(unused)).codes).toEqual([]);
  });

  it('finds nothing where all is free, and leaves it free', async () => {
    const port = await freePort();
    const text = `sources:\n  - tcp: 127.0.0.1:${port}\n  - udp: 127.0.0.1:${port}\n  - unix: a.sock\n`;
    for (let i = 0; i < 2; i++) expect(await resourcesOf(text)).toMatchObject({ codes: [], warnings: [] });
  });

  it('tells ports that are taken, each at its line', async () => {
    const text = `sources:
  - tcp: 127.0.0.1:${await listenTcp({ port: 0, host: '127.0.0.1' })}
  - tcp: 127.0.0.1:0
  - udp: 127.0.0.1:${await bindUdp()}
`;
    expect((await resourcesOf(text)).codes).toEqual([
      'ADDRESS_IN_USE sources[0].tcp 2',
      'ADDRESS_IN_USE sources[2].udp 4',
    ]);
  });

  it('tells addresses of other machines', async () => {
    const text = 'sources:\n  - tcp: 192.0.2.1:0\n  - udp: 192.0.2.1:0\n';
    expect((await resourcesOf(text)).codes).toEqual([
      'ADDRESS_UNAVAILABLE sources[0].tcp 2',
      'ADDRESS_UNAVAILABLE sources[1].udp 3',
    ]);
  });

  it('tells serial devices that are missing or are none', async () => {
    const { codes, problems } = await resourcesOf('sources:\n  - serial: /dev/ttyNOPE7\n  - serial: /dev/null\n');
    expect(codes).toEqual(['DEVICE_MISSING sources[0].serial 2', 'DEVICE_MISSING sources[1].serial 3']);
    expect(problems[0]?.found).toBe('"/dev/ttyNOPE7"');
  });

  it('tells a socket that is in use, a file in its place, a folder that is not there; a dead socket is fine', async () => {
    const folder = configFolder({ file: '' });
    await listenTcp({ path: join(folder, 'live.sock') });
    const text = `sources:
  - unix: ${folder}/live.sock
  - unix: ${folder}/file
  - unix: ${folder}/no/such.sock
`;
    expect((await resourcesOf(text)).codes).toEqual([
      'ADDRESS_IN_USE sources[0].unix 2',
      'ADDRESS_IN_USE sources[1].unix 3',
      expect.stringMatching(/ sources\[2\]\.unix 4$/),
    ]);
  });

  it('warns of peers that the gateway would go on trying', async () => {
    const port = await freePort();
    const text = `mqtt:\n  url: mqtt://127.0.0.1:${port}\nsources:\n  - connect: 127.0.0.1:${port}\n`;
    expect(await resourcesOf(text)).toMatchObject({
      codes: [],
      warnings: ['CONNECT_FAILED sources[0].connect 4', 'MQTT_UNREACHABLE mqtt.url 2'],
    });
    const there = await listenTcp({ port: 0, host: '127.0.0.1' });
    const right = `mqtt:\n  url: mqtt://127.0.0.1:${there}\nsources:\n  - connect: 127.0.0.1:${there}\n`;
    expect(await resourcesOf(right)).toMatchObject({ codes: [], warnings: [] });
  });
});

describe('bytes2mqtt check', () => {
  it('says how a serial line is set', async () => {
    const line = '{ serial: /dev/x, stop_bits: 2, profile: modbus_rtu, registers: { flow: { at: 4, type: u16 } } }';
    const folder = configFolder({ 'b.yaml': `sources: [${line}]\n` });
    const { stdout } = await cli(['check', '--no-resources', '--config', join(folder, 'b.yaml')]);
    expect(stdout).toContain('profile modbus_rtu, 9600 8N2');
  });

  it('says that all is right', async () => {
    const cwd = configFolder({ 'b.yaml': 'sources:\n  - tcp: 127.0.0.1:0\n' });
    const { code, stdout, stderr } = await cli(['check', '--config', 'b.yaml'], { cwd });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('b.yaml is right');
  });

  it('ends with 2 for a wrong file, told as FILE:LINE:COLUMN', async () => {
    const cwd = configFolder({ 'bytes2mqtt.yaml': 'mqtt:\n  ulr: x\n' });
    const { code, stdout, stderr } = await cli(['check'], { cwd });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/bytes2mqtt\.yaml:2:3: mqtt\.ulr: .*Did you mean url\?/);
  });

  it('ends with 1 for a port that is taken, unless it is not to look', async () => {
    const port = await listenTcp({ port: 0, host: '127.0.0.1' });
    const cwd = configFolder();
    const env = { BYTES2MQTT_SOURCES_0_TCP: `127.0.0.1:${port}` };
    const { code, stderr } = await cli(['check'], { cwd, env });
    expect(code).toBe(1);
    expect(stderr).toMatch(/environment BYTES2MQTT_SOURCES_0_TCP: sources\[0\]\.tcp: .*\(ADDRESS_IN_USE\)/);
    expect((await cli(['check', '--no-resources'], { cwd, env })).code).toBe(0);
  });

  it('prints the same as JSON', async () => {
    const cwd = configFolder({ 'bytes2mqtt.yaml': 'sources:\n  - serial: /dev/ttyNOPE7\n' });
    const { code, stdout } = await cli(['check', '--json'], { cwd, env: { BYTES2MQTT_FOO: '1' } });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      file: 'bytes2mqtt.yaml',
      problems: [{ code: 'DEVICE_MISSING', path: 'sources[0].serial', line: 2, column: 13 }],
      warnings: [{ code: 'CONFIG_UNKNOWN_VARIABLE', variable: 'BYTES2MQTT_FOO' }],
    });
  });
});
