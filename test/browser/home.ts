/** A home to look at: the built gateway with its dashboard, and simulated devices. All of it ends with the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { GatewayProgram } from '../helpers/gateway-program.ts';
import { openPtyPair, type PtyPair } from '../helpers/pty.ts';

const DEVICE_SIM = join(import.meta.dirname, '../../dist/device-sim/main.js');

type Json = Readonly<Record<string, unknown>>;

export class Home {
  readonly gateway: GatewayProgram;
  /** `http://127.0.0.1:<port>`, without a slash at its end. */
  readonly url: string;
  readonly #fleets: ChildProcess[] = [];
  readonly #cables: PtyPair[];

  private constructor(gateway: GatewayProgram, url: string, cables: PtyPair[]) {
    this.gateway = gateway;
    this.url = url;
    this.#cables = cables;
  }

  /** `sources` as in the configuration, each with a `name`; the broker is an embedded one unless `more` names another. */
  static async open(sources: readonly Json[], more: Json = {}, cables: PtyPair[] = []): Promise<Home> {
    const gateway = new GatewayProgram(sources, {
      mqtt: {},
      http: { port: 0 },
      discovery: { enabled: false },
      ...more,
    });
    const line = await gateway.line(({ msg }) => msg?.startsWith('dashboard on ') === true);
    return new Home(gateway, `http://${String(line['where'])}`, cables);
  }

  /** Starts `device-sim run ARGS`; it goes on until the home is closed. */
  devices(...args: string[]): void {
    this.#fleets.push(spawn(process.execPath, [DEVICE_SIM, 'run', ...args], { stdio: 'ignore' }));
  }

  async api<T>(path: string, init?: RequestInit): Promise<T> {
    return (await (await fetch(`${this.url}${path}`, init)).json()) as T;
  }

  async close(): Promise<void> {
    for (const fleet of this.#fleets) {
      if (fleet.exitCode !== null || fleet.signalCode !== null) continue;
      fleet.kill('SIGKILL');
      await once(fleet, 'exit');
    }
    await this.gateway.stop();
    for (const cable of this.#cables) await cable.close();
  }
}

/**
 * What a home may have: six models over TCP and UDP, a plug that takes commands, an air sensor and a clamp meter with
 * profiles of their own, and a serial line where the wrong thing is connected.
 */
export async function fullHome(more: Json = {}): Promise<Home & { readonly wrongLine: PtyPair }> {
  const [air, meter, wrong] = [await openPtyPair(), await openPtyPair(), await openPtyPair()];
  const home = await Home.open(
    [
      { tcp: '127.0.0.1:0', name: 'tcp' },
      { udp: '127.0.0.1:0', name: 'udp' },
      { serial: air.a, name: 'air', profile: 'pms5003', device: 'air_livingroom' },
      { serial: meter.a, name: 'meter', profile: 'pzem004t', device: 'heat_pump' },
      { serial: wrong.a, name: 'hall', baud: 9600 },
    ],
    more,
    [air, meter, wrong],
  );
  home.devices(
    '--tcp',
    `127.0.0.1:${await home.gateway.port('tcp')}`,
    '--udp',
    `127.0.0.1:${await home.gateway.port('udp')}`,
    '--devices',
    '7',
    '--seed',
    '2883',
    '--rate',
    '4',
  );
  // One kind of message: of the others, each has other channels.
  home.devices('--profile', 'pms5003', '--message', 'data_st', '--serial', air.b);
  home.devices('--profile', 'pzem004t', '--serial', meter.b);
  return Object.assign(home, { wrongLine: wrong });
}
