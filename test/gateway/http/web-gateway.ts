/** A gateway in this process with its page on a free port, and what a browser or Prometheus would ask it. */
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { type RunningGateway, startGateway } from '../../../gateway/gateway.ts';
import type { FrameView, Push } from '../../../gateway/http/api-types.ts';
import { createLog } from '../../../gateway/log.ts';
import { encodeSchemaParts, type Schema, schemaCrc } from '../../../protocol/index.ts';
import { loadText } from '../../helpers/config-folder.ts';
import { LinkDevice } from '../../helpers/link-device.ts';

const PLAIN = { scale: 0, totalIncreasing: false, diagnostic: false } as const;

export const FAN: Schema = {
  name: 'Fan',
  model: 'F1',
  firmware: '2.1',
  channels: [
    { ...PLAIN, number: 1, type: 'f64', class: 'temperature', name: 'air', unit: '°C', writable: false },
    { ...PLAIN, number: 2, type: 'bool', class: 'switch', name: 'fan', unit: '', writable: true },
    { ...PLAIN, number: 3, type: 'u64', class: 'none', name: 'pulses', unit: '', writable: false },
    { ...PLAIN, number: 4, type: 'string', class: 'none', name: 'mood', unit: '', writable: false },
  ],
};

export class WebGateway {
  readonly gateway: RunningGateway;
  readonly url: string;

  private constructor(gateway: RunningGateway) {
    this.gateway = gateway;
    this.url = `http://${gateway.dashboard}`;
  }

  /** `sources`: items of the list, one a line. It ends with the test. */
  static async open(...sources: string[]): Promise<WebGateway> {
    const list = sources.map((source) => `  - ${source}\n`).join('');
    const loaded = loadText(`http: { port: 0 }\ndiscovery: { enabled: false }\nsources:\n${list}`);
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    const gateway = await startGateway(loaded.config, createLog({ level: 'silent', pretty: false }));
    onTestFinished(() => gateway.close());
    return new WebGateway(gateway);
  }

  /** Port of a source, in the order of the configuration. */
  port(index = 0): number {
    return Number(/:(\d+)$/.exec(this.gateway.sources[index]!.where)?.[1]);
  }

  async get(path: string): Promise<{ status: number; text: string }> {
    const response = await fetch(`${this.url}${path}`);
    return { status: response.status, text: await response.text() };
  }

  async json<T>(path: string): Promise<T> {
    return JSON.parse((await this.get(path)).text) as T;
  }

  async post(path: string, body: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${this.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  /** A device that has said what it is. */
  async device(how: 'tcp' | 'udp', port = this.port(), schema = FAN): Promise<LinkDevice> {
    const device = await LinkDevice[how](port);
    onTestFinished(() => device.close());
    const parts = encodeSchemaParts(schema, 512);
    await device.hello({ schemaCrc: schemaCrc(parts) });
    for (const [part, content] of parts.entries()) {
      device.send({ type: 'SCHEMA', crc: schemaCrc(parts), part, parts: parts.length, content });
    }
    await device.next('ACK');
    return device;
  }

  /** The live feed of one page. */
  async watch(...watch: string[]): Promise<Feed> {
    const feed = new Feed(`ws://${this.gateway.dashboard}/ws`);
    onTestFinished(() => feed.socket.terminate());
    await once(feed.socket, 'open');
    feed.socket.send(JSON.stringify({ watch: [...watch, 'gateway'] }));
    // What comes each second has come: it is watched.
    await feed.next((push) => push.t === 'gateway');
    return feed;
  }
}

export class Feed {
  readonly socket: WebSocket;
  readonly pushes: Push[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(url: string) {
    this.socket = new WebSocket(url);
    this.socket.on('message', (data) => {
      this.pushes.push(JSON.parse((data as Buffer).toString()) as Push);
      for (const wake of this.#waiting) wake();
      this.#waiting.clear();
    });
  }

  async next(wanted: (push: Push) => boolean): Promise<Push> {
    for (;;) {
      const found = this.pushes.find(wanted);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
      });
    }
  }

  async frame(wanted: (frame: FrameView) => boolean): Promise<FrameView> {
    const push = await this.next((one) => one.t === 'frame' && wanted(one.d));
    if (push.t !== 'frame') throw new Error('no frame');
    return push.d;
  }
}

/** Until it is there: for what gives no event of its own. */
export async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
