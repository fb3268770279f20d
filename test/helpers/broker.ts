/** A real mosquitto for a test: its own port, configuration and folder, nothing kept. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './programs.ts';

export interface MosquittoOptions {
  /** More lines for mosquitto.conf; `{folder}` becomes the folder of `files`. */
  readonly config?: readonly string[];
  /** Files beside the configuration, by name. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
  /** Default: a free one. */
  readonly port?: number;
  /** Default true. */
  readonly allowAnonymous?: boolean;
}

export interface Mosquitto {
  readonly port: number;
  /** `mqtt://127.0.0.1:<port>` */
  readonly url: string;
  /** Folder of `files`, and of what it keeps with `persistence true` and `persistence_location {folder}/`. */
  readonly folder: string;
  /** Everything it has written to its log. */
  log(): string;
  /** Ends the program, `SIGKILL` for an abrupt death. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port. */
  restart(): Promise<void>;
  /** Ends the program and removes its folder. */
  close(): Promise<void>;
}

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts mosquitto and resolves when it accepts connections. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const program = findProgram('mosquitto');
  if (program === undefined) throw new Error('mosquitto is not installed');
  const folder = mkdtempSync(join(tmpdir(), 'bytes2mqtt-mosquitto-'));
  for (const [name, content] of Object.entries(options.files ?? {})) writeFileSync(join(folder, name), content);
  const port = options.port ?? (await freePort());
  const lines = [
    `listener ${port} 127.0.0.1`,
    `allow_anonymous ${options.allowAnonymous ?? true}`,
    'user root',
    ...(options.config?.some((line) => line.startsWith('persistence ')) === true ? [] : ['persistence false']),
    ...(options.config ?? []).map((line) => line.replaceAll('{folder}', folder)),
  ];
  const file = join(folder, 'mosquitto.conf');
  writeFileSync(file, `${lines.join('\n')}\n`);

  let log = '';
  let child: ChildProcess;

  async function start(): Promise<void> {
    child = spawn(program!, ['-c', file, '-v'], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr!.on('data', (chunk: Buffer) => {
      log += chunk.toString();
    });
    await listening(port, child, () => log);
  }

  async function kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  await start();
  return {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    folder,
    log: () => log,
    kill,
    restart: start,
    close: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function listening(port: number, child: ChildProcess, log: () => string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`mosquitto has ended: ${log()}`);
    const socket = connect(port, '127.0.0.1');
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
}
