/**
 * The dashboard: one page at a time, chosen by what stands behind the `#` of the address.
 *
 * ```
 *   #/devices   #/device/ALIAS   #/frames[?device=…&source=…]   #/sources   #/gateway   #/silent
 * ```
 */
import 'uplot/dist/uPlot.min.css';
import './style.css';
import { h, replace, setText } from './dom.ts';
import { countText } from './format.ts';
import { devicePage } from './page-device.ts';
import { devicesPage } from './page-devices.ts';
import { framesPage } from './page-frames.ts';
import { gatewayPage } from './page-gateway.ts';
import type { Page } from './page.ts';
import { silentPage } from './page-silent.ts';
import { sourcesPage } from './page-sources.ts';
import { Store } from './store.ts';

const PAGES = [
  ['devices', 'Devices', devicesPage],
  ['frames', 'Frames', framesPage],
  ['sources', 'Sources', sourcesPage],
  ['silent', 'Not understood', silentPage],
  ['gateway', 'Gateway', gatewayPage],
] as const;

const store = new Store();
const main = find('main');
const nav = find('nav');
const link = find('link');
const alarm = find('alarm');
let shown: Page | undefined;

function find(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`no #${id}`);
  return element;
}

function makePage(): Page {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [name, ...rest] = path.split('/');
  const [place, , make] = PAGES.find(([known]) => known === name) ?? PAGES[0];
  for (const entry of nav.children) {
    const current = entry.getAttribute('href') === `#/${place}`;
    if (current) entry.setAttribute('aria-current', 'page');
    else entry.removeAttribute('aria-current');
  }
  if (name === 'device') return devicePage(store, decodeURIComponent(rest.join('/')));
  return make(store, new URLSearchParams(query));
}

function show(): void {
  shown?.close?.();
  const page = makePage();
  shown = page;
  document.title = `${page.title} – bytes2mqtt`;
  replace(main, page.element);
  const rebuild = (): void => {
    if (shown === page && page.isOutdated?.() !== false) show();
  };
  store.listen({ structure: rebuild, ...page.listener }, page.wish);
}

const tally = h('span', { class: 'tally', hidden: true });
nav.append(...PAGES.map(([name, title]) => h('a', { href: `#/${name}`, text: title }, name === 'silent' && tally)));
store.onGateway = () => {
  const { gateway, silent } = store;
  tally.hidden = silent.length === 0;
  setText(tally, String(silent.length));
  alarm.hidden = gateway?.connected !== false;
  if (gateway?.connected === false) {
    setText(alarm, `The broker ${gateway.broker} is away: ${countText(gateway.journal.depth)} readings wait for it.`);
  }
};
store.onLink = (connected) => {
  link.classList.toggle('off', !connected);
  setText(link, connected ? 'live' : 'no connection to the gateway');
};
// Not by its address: what stands behind the # chooses the page.
find('skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener('hashchange', () => {
  show();
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
});

store.start().then(show, (error: unknown) => {
  main.replaceChildren(
    h('p', { class: 'empty', text: `The gateway does not answer: ${error instanceof Error ? error.message : ''}` }),
  );
});
