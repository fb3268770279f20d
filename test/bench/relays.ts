/** What stands between devices and broker: the gateway, or one of the references that it is compared with. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child, LineChild } from './child.ts';
import type { Usage } from './gateway-process.ts';

export type RelayKind = 'gateway' | 'mqttjs' | 'node' | 'c';

export interface Relay {
  readonly ports: { readonly tcp: number; readonly udp?: number };
  /** CPU microseconds of the process, all threads, user and system. */
  cpuUs(): Promise<number>;
  end(): Promise<void>;
}

export interface Gateway extends Relay {
  /** Resident bytes after a collection; only for one that was started with `exposeGc`. */
  residentBytes(): Promise<number>;
}

const scratch = mkdtempSync(join(tmpdir(), 'bytes2mqtt-bench-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
let configs = 0;

export function startRelay(kind: RelayKind, brokerPort: number, qos: 0 | 1): Promise<Relay> {
  if (kind === 'gateway') return startGateway(brokerPort, qos);
  return kind === 'c' ? startC(brokerPort, qos) : startNode(kind, brokerPort, qos);
}

export async function startGateway(brokerPort: number, qos: 0 | 1, exposeGc = false): Promise<Gateway> {
  const file = join(scratch, `gateway-${configs++}.yaml`);
  writeFileSync(
    file,
    `mqtt: { url: "mqtt://127.0.0.1:${brokerPort}", qos: ${qos} }\n` +
      'http: { port: 0 }\nsources:\n  - tcp: 127.0.0.1:0\n  - udp: 127.0.0.1:0\n' +
      // As fast as it goes, all from one address: no rate is to bite.
      'limits: { connections: 50000, connections_per_address: 50000, connections_unauthenticated: 50000, ' +
      'devices: 50000, handshakes_per_s: 1000000, handshakes_per_address_per_s: 1000000, ' +
      'frames_per_s: 1000000000, bytes_per_s: 1000000000, answers_per_s: 1000000 }\n',
  );
  const { child, first } = await Child.start<{ ports: number[] }>(
    'gateway-process',
    [file],
    // For whoever looks for the time: NODE_OPTIONS would reach the other processes, too.
    exposeGc ? ['--expose-gc'] : (process.env['BENCH_GATEWAY_OPTIONS']?.split(' ') ?? []),
  );
  const [tcp = 0, udp = 0] = first.ports;
  return {
    ports: { tcp, udp },
    cpuUs: async () => (await child.ask<Usage>('usage')).cpuUs,
    residentBytes: async () => {
      await child.ask('collect');
      return (await child.ask<Usage>('usage')).rssBytes;
    },
    end: () => child.end(),
  };
}

async function startNode(kind: 'mqttjs' | 'node', brokerPort: number, qos: 0 | 1): Promise<Relay> {
  const { child, first } = await Child.start<{ ports: number[] }>('relay-process', [kind, `${brokerPort}`, `${qos}`]);
  return {
    ports: { tcp: first.ports[0] ?? 0 },
    cpuUs: async () => (await child.ask<Usage>('usage')).cpuUs,
    end: () => child.end(),
  };
}

async function startC(brokerPort: number, qos: 0 | 1): Promise<Relay> {
  const child = new LineChild(join(scratch, 'reference'), [`${brokerPort}`, `${qos}`]);
  return {
    ports: { tcp: Number(await child.line()) },
    cpuUs: async () => Number(await child.ask('u')),
    end: () => child.end(),
  };
}

/** Builds the reference in C; false when this machine has no C compiler. */
export function buildC(): boolean {
  const source = fileURLToPath(new URL('../../../test/bench/reference.c', import.meta.url));
  const { status, stderr } = spawnSync('cc', ['-O2', '-o', join(scratch, 'reference'), source], { encoding: 'utf8' });
  if (status === null) return false;
  if (status !== 0) throw new Error(`cc: ${stderr}`);
  return true;
}
