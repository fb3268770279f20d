/** Debian's chromium without a window, and what a page did that it should not have done. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { findProgram } from '../helpers/programs.ts';

/** Where screenshots are kept; of CI beside its other results. */
export const PICTURES = join(
  process.env['ARTIFACTS'] ?? join(import.meta.dirname, '../../test-artefacts'),
  'dashboard',
);

export const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  isMobile: true,
  hasTouch: true,
};

export async function startChromium(): Promise<Browser> {
  const executablePath = findProgram('chromium');
  if (executablePath === undefined) throw new Error('this machine has no chromium');
  // Without a sandbox of its own: tests may run as root in a container. Pages are ours alone.
  return await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/** A page that remembers errors, violations of its content security policy, and requests to other hosts. */
export interface WatchedPage extends Page {
  readonly faults: string[];
}

export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-GB', ...options });
  const plain = await context.newPage();
  const page = Object.assign(plain, { faults: [] as string[] });
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') page.faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => page.faults.push(`exception: ${error.message}`));
  const { host } = new URL(url);
  page.on('request', (request) => {
    const asked = new URL(request.url());
    if (asked.protocol !== 'data:' && asked.host !== host) page.faults.push(`request to ${request.url()}`);
  });
  await page.goto(url);
  return page;
}

/** Keeps a picture of the whole page. */
export async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: !name.startsWith('frames') });
}
