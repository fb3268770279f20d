import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Device } from '../../../gateway/devices/device.ts';
import { RegisteredDevice } from '../../../gateway/devices/registry.ts';
import { LiveFeed } from '../../../gateway/http/live-feed.ts';
import { FrameTap, type TappedFrame } from '../../../gateway/tap/frame-tap.ts';

type Message = { t: string; d?: unknown; n?: number };

/** A page: what has come, and a way to wait for it. */
class Page {
  readonly socket: WebSocket;
  readonly messages: Message[] = [];
  #waiting: { wanted: (message: Message) => boolean; found: (message: Message) => void }[] = [];

  constructor(port: number) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    this.socket.on('error', () => undefined);
    this.socket.on('message', (data) => {
      const message = JSON.parse((data as Buffer).toString()) as Message;
      this.messages.push(message);
      for (const entry of this.#waiting.filter(({ wanted }) => wanted(message))) {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        entry.found(message);
      }
    });
  }

  next(wanted: (message: Message) => boolean): Promise<Message> {
    const there = this.messages.find(wanted);
    if (there !== undefined) return Promise.resolve(there);
    return new Promise((found) => this.#waiting.push({ wanted, found }));
  }

  watch(...watch: string[]): void {
    this.socket.send(JSON.stringify({ watch }));
  }
}

let tap: FrameTap;
let feed: LiveFeed;
let server: Server;
let port: number;
let readings: ((device: Device) => void) | undefined;
const device = new RegisteredDevice('a1b2c3d4e5f60718', 'greenhouse');

beforeEach(async () => {
  tap = new FrameTap(() => Date.now());
  readings = undefined;
  feed = new LiveFeed({
    tap,
    values: () => ({ temperature: [21.5, 1] }),
    devices: () => [{ alias: 'greenhouse' }],
    sources: () => [],
    silent: () => [],
    gateway: () => ({ uptime_s: 1 }),
    onReadings: (listener) => (readings = listener),
    now: () => Date.now(),
  });
  server = createServer().on('upgrade', (request, socket, head) => feed.accept(request, socket, head));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterEach(() => {
  feed.close();
  server.close();
});

async function open(): Promise<Page> {
  const page = new Page(port);
  await page.next(({ t }) => t === 'hello');
  return page;
}

function frame(more: Partial<TappedFrame> = {}): TappedFrame {
  return {
    at: 1,
    source: 'tcp:1',
    peer: '127.0.0.1:5',
    device: 'greenhouse',
    direction: 'in',
    kind: 'frame',
    reason: undefined,
    bytes: Uint8Array.of(0x20, 0x01, 0xff),
    explain: () => ({
      message: 'HELLO',
      parts: [{ at: 0, length: 1, name: 'vf', value: '0x20', meaning: 'version 1' }],
      problem: undefined,
    }),
    ...more,
  };
}

describe('the live feed', () => {
  it('sends what has changed to the pages that want it', async () => {
    const page = await open();
    page.watch('values', 'devices');
    await page.next(({ t }) => t === 'devices');
    readings?.(device);
    expect(await page.next(({ t }) => t === 'values')).toEqual({
      t: 'values',
      d: { greenhouse: { temperature: [21.5, 1] } },
    });
    expect(page.messages.some(({ t }) => t === 'gateway')).toBe(false);
  });

  it('gathers nothing while no page is open', async () => {
    expect(readings).toBeUndefined();
    const page = await open();
    expect(readings).toBeDefined();
    page.socket.close();
    await once(page.socket, 'close');
    await expect.poll(() => readings).toBeUndefined();
  });

  it('watches frames only while a page does, and only those that it wants', async () => {
    const page = await open();
    expect(tap.active).toBe(false);
    page.socket.send(JSON.stringify({ watch: ['frames'], device: 'greenhouse' }));
    await expect.poll(() => tap.active).toBe(true);
    tap.pass(frame({ device: 'other', source: 'never' }));
    tap.pass(frame());
    const { d } = await page.next(({ t }) => t === 'frame');
    expect(d).toMatchObject({ source: 'tcp:1', hex: '2001ff', length: 3, message: 'HELLO' });
    expect((d as { parts: unknown }).parts).toEqual([[0, 1, 'vf', '0x20', 'version 1']]);
    page.watch('values');
    await expect.poll(() => tap.active).toBe(false);
  });

  it('shows so many frames a second and says how many it did not', async () => {
    const page = await open();
    page.watch('frames');
    await expect.poll(() => tap.active).toBe(true);
    for (let n = 0; n < 500; n++) tap.pass(frame({ bytes: new Uint8Array(2_000) }));
    const dropped = await page.next(({ t }) => t === 'dropped');
    const shown = page.messages.filter(({ t }) => t === 'frame');
    expect((dropped.n ?? 0) + shown.length).toBe(500);
    expect(shown[0]?.d).toMatchObject({ hex: '00'.repeat(512), length: 2_000 });
  });

  it('closes a page that says what is not understood, or too much', async () => {
    for (const text of ['{', '[]', '{"watch":1}', 'x'.repeat(5_000)]) {
      const page = await open();
      page.socket.send(text);
      const [code] = (await once(page.socket, 'close')) as [number];
      expect([1008, 1009]).toContain(code);
    }
    expect((await open()).socket.readyState).toBe(WebSocket.OPEN);
  });

  it('closes a page that does not read', async () => {
    const page = await open();
    page.watch('log');
    page.socket.pause();
    await expect
      .poll(() => {
        for (let n = 0; n < 200; n++) feed.log({ message: 'x'.repeat(10_000) });
        return feed.overrun;
      })
      .toBe(1);
    page.socket.resume();
    await expect.poll(() => feed.clients).toBe(0);
  });

  it('takes so many pages and no more', async () => {
    const pages = await Promise.all(Array.from({ length: 32 }, () => open()));
    const late = new Page(port);
    await once(late.socket, 'error');
    expect(feed.clients).toBe(32);
    for (const { socket } of pages) socket.terminate();
  });
});
