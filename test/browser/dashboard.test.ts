/** The dashboard in a real browser, with the built gateway and simulated devices behind it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Browser, Locator, Page } from 'playwright-core';
import { SerialPort } from 'serialport';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { SilentPeer, WholeState } from '../../gateway/http/api-types.ts';
import { encodeSchemaParts, schemaCrc } from '../../protocol/index.ts';
import { LinkDevice, sample } from '../helpers/link-device.ts';
import { lacks } from '../helpers/programs.ts';
import { ptyProgram } from '../helpers/pty.ts';
import { openPage, PHONE, picture, startChromium, type WatchedPage } from './browser.ts';
import { fullHome, Home } from './home.ts';

const PAGES = ['devices', 'frames', 'sources', 'silent', 'gateway'] as const;
const TOKEN = 'a-token-of-tests-4711';
/** A name as long as the protocol allows, and no friend of markup. */
const EVIL = '<img src=x onerror=alert(1)> in the greenhouse by the pear trees'.slice(0, 64);

describe.skipIf(lacks('chromium') || (ptyProgram() === undefined && lacks('socat')))('the dashboard', () => {
  let browser: Browser;
  let home: Awaited<ReturnType<typeof fullHome>>;
  let port: number;
  let plug: string;
  let pages: WatchedPage[] = [];

  beforeAll(async () => {
    [browser, home] = await Promise.all([
      startChromium(),
      // Nobody who says nothing is sent away while it is looked at.
      fullHome({ limits: { handshake_s: 600 } }),
    ]);
    port = await home.gateway.port('tcp');
    plug = await until(async () => {
      const { devices } = await home.api<WholeState>('/api/state');
      const all = devices.filter(({ channels }) => channels.some(({ value }) => value !== undefined));
      return all.length >= 9 ? devices.find(({ model }) => model === 'SIM-AC1')?.alias : undefined;
    });
  });
  afterAll(async () => {
    await browser?.close();
    await home?.close();
  });
  /** Wherever one looks: no error, nothing that the policy forbids, nobody else asked. */
  afterEach(async () => {
    const faults = pages.flatMap((page) => page.faults);
    for (const page of pages) await page.context().close();
    pages = [];
    expect(faults).toEqual([]);
  });

  async function open(hash = '', options: Parameters<typeof openPage>[2] = {}): Promise<WatchedPage> {
    const page = await openPage(browser, `${home.url}/${hash}`, options);
    pages.push(page);
    await page.locator('#main h1').waitFor();
    return page;
  }

  async function raw(): Promise<Socket> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    onTestFinished(() => void socket.destroy());
    return socket;
  }

  it('shows every device, and its values as they change', async () => {
    const page = await open();
    expect(await page.locator('.card').count()).toBe(9);
    expect(await page.locator('.card .badge.good').count()).toBe(9);
    expect(await page.locator('#link').textContent()).toBe('live');
    // Nine devices are some to choose from.
    await page.getByLabel('Search devices').fill('thermo');
    expect(await page.locator('.card:visible').count()).toBe(1);
    const value = page.locator('.card:visible .value').first();
    expect(await value.textContent()).toMatch(/^-?\d+(\.\d+)? °C$/);
    await changes(value);
    await changes(value);
  });

  it('shows a device: its channels, plots that grow, and its log', async () => {
    const page = await open('#/device/air_livingroom');
    const row = page.locator('.channels tr', { hasText: 'pm2_5' }).last();
    await changes(row.locator('.value'));
    expect(await page.locator('figure.plot').count()).toBe(12);
    await page.getByRole('button', { name: /^Plot \d+ more$/ }).click();
    await expect.poll(() => page.locator('figure.plot canvas').count()).toBe(17);
    const points = (): Promise<number> =>
      page
        .locator('figure.plot')
        .first()
        .evaluate((plot) => Number(plot.dataset['points']));
    await expect.poll(points).toBeGreaterThan(0);
    const before = await points();
    await expect.poll(points, { timeout: 30_000 }).toBeGreaterThan(before);
    await page.getByRole('button', { name: '2 h' }).click();
    await expect.poll(points).toBeGreaterThan(before);
    expect(await page.locator('.log').textContent()).toContain('online from air');
  });

  it('sends commands, and says what became of them', async () => {
    const page = await open(`#/device/${plug}`);
    const level = page.locator('.channels tr', { hasText: 'level' });
    await level.getByRole('spinbutton').fill('73');
    await level.getByRole('button', { name: 'Set' }).press('Enter');
    await level.locator('.note.good', { hasText: 'done' }).waitFor();
    await level.locator('.value', { hasText: '73 %' }).waitFor();
    const power = page.locator('.channels tr', { hasText: 'switch' });
    for (const [button, value] of [
      ['On', 'on'],
      ['Off', 'off'],
    ] as const) {
      await power.getByRole('button', { name: `set switch: ${button}` }).press('Space');
      await power.locator('.note.good').waitFor();
      await power.locator('.value', { hasText: new RegExp(`^${value}$`) }).waitFor();
    }
    // No u8, and no level.
    await level.getByRole('spinbutton').fill('-3');
    await level.getByRole('button', { name: 'Set' }).click();
    const note = level.locator('.note.bad');
    await note.waitFor();
    expect(await note.textContent()).toMatch(/\w{4}/);
    await level.locator('.value', { hasText: '73 %' }).waitFor();
    await picture(page, 'device-plug-light');
  });

  it('shows a bad frame with its reason, and every field in its colour', async () => {
    const page = await open('#/frames?source=tcp');
    const device = await LinkDevice.tcp(port, 77n);
    onTestFinished(() => device.close());
    await device.hello();
    const frame = device.plainFrame({ type: 'READINGS', samples: [sample(21.5)] }, { seq: 1 });
    frame[frame.length - 5]! ^= 1;
    await page.getByLabel('Faults only').check();
    const row = page.locator('.frame.fault', { hasText: 'bad-crc' });
    await repeat(() => device.sendFrame(frame), row);
    await page.getByRole('button', { name: 'Pause' }).click();
    await row.first().locator('summary').press('Enter');
    const body = row.first().locator('.frame-body');
    expect(await body.locator('.problem').first().textContent()).toMatch(/^bad-crc: .*CRC/);
    expect(await body.textContent()).toContain(`${frame.length} bytes received`);
    const colours = await body
      .locator('.parts td:nth-child(2) span')
      .evaluateAll((spans) => spans.map((span) => getComputedStyle(span).backgroundColor));
    expect(colours.length).toBeGreaterThan(6);
    expect(new Set(colours).size).toBeGreaterThan(5);
    expect(colours).not.toContain('rgba(0, 0, 0, 0)');
    await picture(page, 'frame-bad-light');
  });

  it('shows skipped bytes with their reason, and of a failed checksum both values', async () => {
    const page = await open('#/frames?source=hall');
    const port = await openLine(home.wrongLine.b);
    const skipped = page.locator('.frame.fault', { hasText: 'skipped: bad-length' });
    await repeat(() => port.write(Buffer.from([0xff, 0x7e, 0x81, 0, 0x42, 0x4d, 0xfe, 0])), skipped);
    await page.getByRole('button', { name: 'Pause' }).click();
    await skipped.first().locator('summary').click();
    expect(await skipped.first().locator('.problem').textContent()).toBe('bad-length: a length that cannot be');
    expect(await page.locator('.frame .who').first().textContent()).toContain('pty');
  });

  it('can be paused, filtered, cleared and copied', async () => {
    const page = await open('#/frames', { permissions: ['clipboard-read', 'clipboard-write'] });
    const rows = page.locator('.frame');
    await rows.nth(10).waitFor();
    await page.getByLabel('Device').selectOption('air_livingroom');
    await page.waitForURL(/device=air_livingroom/);
    await rows.nth(2).waitFor();
    const names = await rows.locator('.who').allTextContents();
    expect(new Set(names)).toEqual(new Set(['air_livingroom']));
    await page.getByRole('button', { name: 'Pause' }).click();
    await rows.first().locator('summary').click();
    await page.getByRole('button', { name: 'Copy as hex' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied).toMatch(/^424d00[0-9a-f]{20,}$/);
    // Paused: what comes in the meantime is not shown, not even later.
    const count = await rows.count();
    const { sources } = await home.api<WholeState>('/api/state');
    const bytes = sources.find(({ id }) => id === 'air')?.bytes_read ?? 0;
    await until(async () => {
      const now = (await home.api<WholeState>('/api/state')).sources.find(({ id }) => id === 'air')?.bytes_read ?? 0;
      return now > bytes + 64 ? true : undefined;
    });
    expect(await rows.count()).toBe(count);
    await page.keyboard.press('Escape');
    await page.locator('h1').click();
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    await page.keyboard.press('Space');
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    await rows.nth(count).waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Clear' }).click();
    expect(await rows.count()).toBe(0);
    expect(await page.locator('.frames').evaluate((list) => getComputedStyle(list, '::before').content)).toContain(
      'Frames appear here',
    );
  });

  it('tells who is connected and not understood, why, and who has gone', async () => {
    const page = await open('#/silent');
    const quiet = await raw();
    const silent = page.locator('.card', { hasText: `127.0.0.1:${quiet.localPort}` });
    await silent.waitFor();
    expect(await silent.textContent()).toContain('not a byte has come');
    const line = await openLine(home.wrongLine.b);
    const garbage = page.locator('.card', { hasText: 'hall' });
    await repeat(() => line.write(Buffer.from([0xff, 0x7e, 0x81, 0, 0x42, 0x4d, 0xfe, 0])), garbage.getByText('baud'));
    expect(await garbage.textContent()).toMatch(/bad-length.*right baud rate.*42 4d fe 00/);
    const talker = await raw();
    talker.write('hello gateway, is anybody there?\r\n');
    const words = page.locator('.card', { hasText: `127.0.0.1:${talker.localPort}` });
    await words.waitFor();
    expect(await words.textContent()).toMatch(/What comes is text.*hello gateway/);
    expect(Number(await page.locator('.tally').textContent())).toBeGreaterThanOrEqual(3);
    await picture(page, 'silent-light');
    talker.destroy();
    await words.getByText('gone').waitFor();
    const { silent: told } = await home.api<{ silent: SilentPeer[] }>('/api/state');
    expect(told.find(({ gone }) => gone !== undefined)).toMatchObject({ source: 'tcp', reason: 'text' });
  });

  it('shows a name as it is, whatever stands in it, and at any length', async () => {
    const parts = encodeSchemaParts(
      {
        name: EVIL,
        model: 'X'.repeat(32),
        firmware: '"><script>alert(1)</script>',
        channels: [
          {
            number: 1,
            type: 'f64',
            class: 'temperature',
            scale: 0,
            name: '<b>hot</b>'.repeat(3),
            unit: '<i>',
            writable: false,
            totalIncreasing: false,
            diagnostic: false,
          },
        ],
      },
      512,
    );
    const device = await LinkDevice.tcp(port, 0xdead_beef_0000_0001n);
    onTestFinished(() => device.close());
    await device.hello({ schemaCrc: schemaCrc(parts) });
    for (const [part, content] of parts.entries()) {
      device.send({ type: 'SCHEMA', crc: schemaCrc(parts), part, parts: parts.length, content });
    }
    device.readings(1, sample(1e-7));
    await device.acknowledged(1);
    const page = await open('', { viewport: { width: 390, height: 844 } });
    const card = page.locator('.card', { hasText: 'pear tree' });
    await card.waitFor();
    expect(await card.locator('h2').textContent()).toBe(EVIL);
    expect(await page.locator('#main img, #main b, #main script').count()).toBe(0);
    expect(await tooWide(page)).toBe(0);
    await card.locator('a').click();
    await page.locator('.channels').waitFor();
    expect(await page.locator('.channels strong').textContent()).toBe('<b>hot</b>'.repeat(3));
    expect(await tooWide(page)).toBe(0);
  });

  it('goes by keyboard: to the content, along the pages, into a device', async () => {
    const page = await open();
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('To the content');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main');
    expect(new URL(page.url()).hash).toBe('');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    const name = await focused(page);
    await page.keyboard.press('Enter');
    await page.locator('.back').waitFor();
    expect(await page.locator('h1').textContent()).toBe(name);
    for (const [at, hash] of PAGES.entries()) {
      await page.locator('nav a').nth(at).press('Enter');
      await page.waitForURL(`**/#/${hash}`);
      expect(await page.locator('nav a[aria-current="page"]').count()).toBe(1);
      await page.locator('#main:focus').waitFor();
      // Where the focus is can be seen.
      await page.keyboard.press('Tab');
      const unseen = await page.evaluate(() => {
        const element = document.activeElement as Element;
        const shown = [element, element.closest('.card')].some(
          (one) => one !== null && getComputedStyle(one).outlineStyle === 'solid',
        );
        return shown || element === document.body ? undefined : element.outerHTML.slice(0, 200);
      });
      expect(unseen).toBeUndefined();
    }
  });

  it.each([
    ['light', {}],
    ['dark', { colorScheme: 'dark' }],
    ['phone', PHONE],
    ['phone-dark', { ...PHONE, colorScheme: 'dark' }],
  ] as const)('is good to look at: %s', async (kind, options) => {
    const page = await open('', options);
    const looks = [...PAGES.map((name) => [name, name] as const), ['device', 'device/heat_pump'] as const];
    for (const [name, hash] of looks) {
      await page.goto(`${home.url}/#/${hash}`);
      await page.locator('.card, .frame, .tile, .table-box, .empty').first().waitFor();
      if (name === 'frames') await page.locator('.frame').nth(8).waitFor();
      if (name === 'device') await page.locator('figure canvas').first().waitFor();
      expect(await tooWide(page), `${name} is wider than the screen`).toBe(0);
      await picture(page, `${name}-${kind}`);
    }
    const back = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const lightness = Math.max(...(back.match(/\d+/g) ?? []).map(Number));
    if (kind.endsWith('dark')) expect(lightness).toBeLessThan(60);
    else expect(lightness).toBeGreaterThan(200);
    expect(await faintTexts(page)).toEqual([]);
  });

  it('asks for the token, once', async () => {
    const locked = await Home.open([{ tcp: '127.0.0.1:0', name: 'tcp' }], { http: { port: 0, token: TOKEN } });
    onTestFinished(() => locked.close());
    const page = await openPage(browser, locked.url);
    pages.push(page);
    const field = page.getByLabel('Token');
    await picture(page, 'login-light');
    await field.fill('not the right one');
    await field.press('Enter');
    await page.getByText('That is not the token.').waitFor();
    // A browser tells of a page that is answered with 401: here that is what was wanted.
    page.faults.splice(0).forEach((fault) => expect(fault).toContain('401'));
    await page.getByLabel('Token').fill(TOKEN);
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByText('No device has been here yet.').waitFor();
    await page.locator('#link', { hasText: 'live' }).waitFor();
    await picture(page, 'empty-light');
    await page.reload();
    await page.getByText('No device has been here yet.').waitFor();
    // When the gateway goes, the page says so; it tries again by itself.
    await locked.gateway.stop();
    await page.locator('#link.off', { hasText: 'no connection' }).waitFor();
    page.faults.splice(0).forEach((fault) => expect(fault).toMatch(/ERR_CONNECTION_REFUSED|WebSocket/));
  });
});

async function openLine(path: string): Promise<SerialPort> {
  const port = new SerialPort({ path, baudRate: 9_600 });
  await once(port, 'open');
  onTestFinished(() => port.close());
  return port;
}

/** Does it again until this is there: who watches frames sees only those that come later. */
async function repeat(act: () => unknown, wanted: Locator): Promise<void> {
  const timer = setInterval(act, 300);
  try {
    await wanted.first().waitFor();
  } finally {
    clearInterval(timer);
  }
}

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function changes(value: Locator): Promise<void> {
  const before = await value.textContent();
  await expect.poll(() => value.textContent(), { timeout: 20_000 }).not.toBe(before);
}

async function focused(page: Page): Promise<string | null> {
  return await page.evaluate(() => document.activeElement?.textContent ?? null);
}

/** Pixels that stick out on the right. */
async function tooWide(page: Page): Promise<number> {
  return await page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth));
}

/** Texts with less contrast than WCAG AA asks for: 4.5, of large ones 3. */
async function faintTexts(page: Page): Promise<string[]> {
  return await page.evaluate(() => {
    // It runs in the page, so everything that it needs is in here.
    // oxlint-disable-next-line unicorn/consistent-function-scoping
    const numbers = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (colour: string): number => {
      const [r = 0, g = 0, b = 0] = numbers(colour).map((value) => {
        const part = value / 255;
        return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const backOf = (element: Element | null): string => {
      for (let at = element; at !== null; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if (numbers(colour)[3] !== 0) return colour;
      }
      return 'rgb(255, 255, 255)';
    };
    const faint: string[] = [];
    for (const element of document.querySelectorAll('body *')) {
      const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim() !== '');
      if (!text || element.closest('.sr, .skip-link, noscript, option') !== null) continue;
      const { color, fontSize } = getComputedStyle(element);
      const [a, b] = [luminance(color), luminance(backOf(element))].toSorted((x, y) => y - x) as [number, number];
      const contrast = (a + 0.05) / (b + 0.05);
      const wanted = Number.parseFloat(fontSize) >= 24 ? 3 : 4.5;
      if (contrast < wanted)
        faint.push(`${element.className} "${element.textContent?.slice(0, 30)}" ${contrast.toFixed(2)}`);
    }
    return faint;
  });
}
