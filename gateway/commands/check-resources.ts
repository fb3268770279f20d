/**
 * Are the ports free, the serial devices there, the peers reachable? Really tried: bound and closed, opened and closed.
 * What the gateway would retry by itself (broker, outgoing connections) is a warning, the rest is a problem.
 */
import { createSocket } from 'node:dgram';
import { close, constants, lstatSync, mkdtempSync, open, rmdirSync, statSync } from 'node:fs';
import { connect, createServer, isIPv6 } from 'node:net';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { isatty } from 'node:tty';
import { formatAddress } from '../config/address.ts';
import type { LoadedConfig } from '../config/load.ts';
import { showValue, toProblem } from '../config/problem.ts';
import type { Problem } from '../config/problem.ts';
import type { SourceConfig } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import { connectError, errnoOf, listenError, serialOpenError } from '../sources/io-errors.ts';
import { loadTlsCredentials, type TlsFiles, validityWarning } from '../sources/tls-credentials.ts';
import { listSerialPorts } from './serial-ports.ts';

const CONNECT_MS = 3000;

export interface ResourceReport {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

export async function checkResources(loaded: LoadedConfig): Promise<ResourceReport> {
  const { sources, mqtt } = loaded.config;
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const tell = (
    list: Problem[],
    path: readonly (string | number)[],
    error: GatewayError | undefined,
    found: string,
  ) => {
    if (error === undefined) return;
    const message = error.message.slice(error.where.length + 2);
    list.push(toProblem({ code: error.code, path, message }, loaded.originOf(path), showValue(found)));
  };

  const tryTls = (id: string, files: TlsFiles, path: readonly (string | number)[]): void => {
    const loaded = loadTlsCredentials(files);
    const error = (message: string) => new GatewayError('TLS_CERTIFICATE', id, message);
    if (loaded.ok) {
      const warning = validityWarning(loaded, Date.now());
      tell(warnings, [...path, 'cert'], warning === undefined ? undefined : error(warning), files.cert);
    } else {
      const key = loaded.file === 'clientCa' ? 'client_ca' : loaded.file;
      tell(problems, [...path, key], error(loaded.message), files[loaded.file] ?? '');
    }
  };
  for (const [index, source] of sources.entries()) {
    const found = 'path' in source ? source.path : formatAddress(source);
    tell(
      source.kind === 'connect' ? warnings : problems,
      ['sources', index, source.kind],
      await trySource(source),
      found,
    );
    if (source.kind === 'tcp' && source.tls !== undefined)
      tryTls(source.id, source.tls.files, ['sources', index, 'tls']);
  }
  if (mqtt.url !== undefined) {
    const url = new URL(mqtt.url);
    const port = url.port === '' ? (url.protocol === 'mqtts:' ? 8883 : 1883) : Number(url.port);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const error = await tryConnect('mqtt.url', host, port);
    const code = 'MQTT_UNREACHABLE';
    const detail = `${error?.message.slice('mqtt.url: '.length)} The gateway would start and go on trying`;
    tell(warnings, ['mqtt', 'url'], error && new GatewayError(code, 'mqtt.url', detail), mqtt.url);
  }
  if (loaded.config.journal.durability !== 'memory') {
    const { dir } = loaded.config.journal;
    tell(problems, ['journal', 'dir'], tryFolder('journal.dir', dir), dir);
  }
  return { problems, warnings };
}

/** Whether files can be made in the folder, or the folder itself where it is to be; nothing is left behind. */
function tryFolder(id: string, dir: string): GatewayError | undefined {
  let folder = dir;
  try {
    if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() === false) {
      return new GatewayError('IO_ERROR', id, `${dir} is there and is not a folder; name another, or move it`);
    }
    while (statSync(folder, { throwIfNoEntry: false }) === undefined) folder = dirname(folder);
    const probe = mkdtempSync(join(folder, '.bytes2mqtt-check-'));
    rmdirSync(probe);
    return undefined;
  } catch (cause) {
    const errno = errnoOf(cause);
    const code = errno === 'EACCES' || errno === 'EPERM' ? 'PERMISSION_DENIED' : 'IO_ERROR';
    const where = folder === dir ? dir : `${dir}: ${folder}`;
    const advice = 'choose another with journal.dir, or let the user of the gateway write there';
    return new GatewayError(code, id, `${where} cannot be written (${errno ?? 'unknown reason'}); ${advice}`, {
      cause,
    });
  }
}

function trySource(source: SourceConfig): Promise<GatewayError | undefined> {
  switch (source.kind) {
    case 'tcp':
      return tryListen(source.id, formatAddress(source), { host: source.host, port: source.port });
    case 'udp':
      return tryBind(source.id, source.host, source.port);
    case 'unix':
      return tryUnix(source.id, source.path);
    case 'serial':
      return trySerial(source.id, source.path);
    case 'connect':
      return tryConnect(source.id, source.host, source.port);
  }
}

function tryListen(
  id: string,
  address: string,
  options: { host: string; port: number } | { path: string },
): Promise<GatewayError | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(listenError(id, address, error)));
    server.listen(options, () => server.close(() => resolve(undefined)));
  });
}

function tryBind(id: string, host: string, port: number): Promise<GatewayError | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    socket.once('error', (error) => {
      socket.close();
      resolve(listenError(id, formatAddress({ host, port }), error));
    });
    socket.bind(port, host, () => socket.close(() => resolve(undefined)));
  });
}

/** What is left of a dead gateway is not in the way: its successor removes it. */
async function tryUnix(id: string, path: string): Promise<GatewayError | undefined> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return tryListen(id, path, { path });
  if (!stats.isSocket()) {
    return new GatewayError(
      'ADDRESS_IN_USE',
      id,
      `${path} exists and is not a socket; configure another path or move it`,
    );
  }
  const refused = await dial({ path });
  if (refused !== undefined && errnoOf(refused) === 'ECONNREFUSED') return undefined;
  return listenError(id, path, refused ?? Object.assign(new Error('taken'), { code: 'EADDRINUSE' }));
}

/** Opened without waiting for a carrier and without touching its settings. */
function trySerial(id: string, path: string): Promise<GatewayError | undefined> {
  const flags = constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK;
  return new Promise((resolve) => {
    open(path, flags, (cause, fd) => {
      if (cause !== null) {
        void explainSerial(id, path, cause).then(resolve);
        return;
      }
      const terminal = isatty(fd);
      close(fd, () => {
        const detail = `${path} is there and is not a serial device; see those that are with: bytes2mqtt ports`;
        resolve(terminal ? undefined : new GatewayError('DEVICE_MISSING', id, detail));
      });
    });
  });
}

async function explainSerial(id: string, path: string, cause: unknown): Promise<GatewayError> {
  const error = serialOpenError(id, path, cause);
  if (error.code !== 'DEVICE_MISSING') return error;
  const ports = await listSerialPorts();
  const there = ports.slice(0, 5).map((port) => port.stablePath ?? port.path);
  const detail =
    there.length === 0
      ? `${path} does not exist, and neither does any other serial device; plug it in`
      : `${path} does not exist; there ${there.length === 1 ? 'is' : 'are'} ${there.join(', ')}`;
  return new GatewayError(error.code, id, detail, { cause });
}

async function tryConnect(id: string, host: string, port: number): Promise<GatewayError | undefined> {
  const cause = await dial({ host, port });
  return cause === undefined ? undefined : connectError(id, formatAddress({ host, port }), cause);
}

/** The failure, or undefined when somebody answered. */
function dial(options: { host: string; port: number } | { path: string }): Promise<unknown> {
  return new Promise((resolve) => {
    const socket: Socket = connect(options);
    const timer = setTimeout(() => done(new Error(`no answer within ${CONNECT_MS / 1000} s`)), CONNECT_MS);
    function done(error?: Error): void {
      clearTimeout(timer);
      socket.destroy();
      resolve(error);
    }
    socket.once('error', done);
    socket.once('connect', () => done());
  });
}
