/** All devices: what they say now, and how they are. */
import { h, setText } from './dom.ts';
import { agoText, countText, shortText } from './format.ts';
import type { Page } from './page.ts';
import { Sparkline } from './sparkline.ts';
import { type LiveChannel, type LiveDevice, type Store, titleOf } from './store.ts';

/** Channels on a card; the rest is on the device's page. */
const CARD_CHANNELS = 4;
const SPARK_SPAN_MS = 15 * 60_000;
/** A trail that has not grown for so long is asked for anew. */
const STALE_MS = 30_000;
/** From so many on there is a field to search them. */
const MANY = 9;

interface Card {
  readonly element: HTMLElement;
  /** What is searched, in lower case. */
  readonly words: string;
  value(channel: LiveChannel): void;
  state(): void;
}

export function devicesPage(store: Store): Page {
  const cards = new Map<string, Card>();
  const devices = [...store.devices.values()].toSorted(
    (a, b) => Number(b.online) - Number(a.online) || titleOf(a).localeCompare(titleOf(b)) || (a.id < b.id ? -1 : 1),
  );
  for (const device of devices) cards.set(device.alias, makeCard(store, device));
  const summary = h('p', { class: 'summary' });
  const search = h('input', { type: 'search', placeholder: 'Search', 'aria-label': 'Search devices', value: wanted });
  const filter = (): void => {
    wanted = search.value;
    const words = search.value.toLowerCase().split(/\s+/);
    for (const card of cards.values()) card.element.hidden = !words.every((word) => card.words.includes(word));
  };
  search.addEventListener('input', filter);
  if (devices.length >= MANY) filter();
  const refresh = (): void => {
    let online = 0;
    for (const device of store.devices.values()) if (device.online) online++;
    const { size } = store.devices;
    setText(summary, online === size ? `All ${size} online` : `${online} of ${size} online`);
    for (const card of cards.values()) card.state();
  };
  if (devices.length > 0) refresh();
  return {
    title: 'Devices',
    element: h(
      'section',
      {},
      h(
        'div',
        { class: 'toolbar' },
        h('h1', { text: 'Devices' }),
        summary,
        devices.length >= MANY && h('span', { class: 'end' }, search),
      ),
      devices.length === 0
        ? noDevices()
        : h('div', { class: 'cards' }, ...[...cards.values()].map(({ element }) => element)),
    ),
    wish: { watch: ['values', 'devices'] },
    listener: {
      values: (device, channels) => {
        const card = cards.get(device.alias);
        for (const channel of channels) card?.value(channel);
      },
      devices: refresh,
    },
  };
}

/** What was searched: it stays while one looks at something else, and when a device joins. */
let wanted = '';

function noDevices(): HTMLElement {
  return h(
    'div',
    { class: 'empty' },
    h('p', { text: 'No device has been here yet.' }),
    h(
      'p',
      {},
      'Where devices can come in is told under ',
      h('a', { href: '#/sources', text: 'Sources' }),
      '; who is connected and says nothing that makes sense stands under ',
      h('a', { href: '#/silent', text: 'Not understood' }),
      '.',
    ),
  );
}

/** The channels that tell most: measurements before diagnostics. */
function mainChannels(device: LiveDevice): LiveChannel[] {
  const readable = device.channels.filter((channel) => channel.readable);
  return [
    ...readable.filter(({ diagnostic }) => !diagnostic),
    ...readable.filter(({ diagnostic }) => diagnostic),
  ].slice(0, CARD_CHANNELS);
}

function makeCard(store: Store, device: LiveDevice): Card {
  const values = new Map<string, (channel: LiveChannel) => void>();
  const sparks = new Map<string, Sparkline>();
  const rows = mainChannels(device).map((channel) => {
    const text = h('span', { class: 'value' });
    const spark =
      channel.type === 'string' || channel.type === 'bytes'
        ? undefined
        : new Sparkline(channel.name, store.trail(device.alias, channel.alias), channel.type === 'bool');
    if (spark !== undefined) sparks.set(channel.alias, spark);
    const show = (now: LiveChannel): void => {
      setText(text, shortText(now, now.value));
      text.classList.toggle('bad', now.quality !== undefined && now.quality !== 'good');
    };
    show(channel);
    values.set(channel.alias, (now) => {
      show(now);
      if (now.ts === undefined) return;
      if (typeof now.value === 'number') spark?.add(now.ts, now.value);
      else if (typeof now.value === 'boolean') spark?.add(now.ts, Number(now.value));
    });
    return h(
      'li',
      {},
      h('span', { class: 'name', text: channel.name, title: channel.name }),
      spark?.element ?? h('span'),
      text,
    );
  });
  void fillSparks(store, device, sparks);
  const more = device.channels.filter(({ readable }) => readable).length - rows.length;
  const title = titleOf(device);
  const about = [title === device.alias ? device.name : device.alias, device.model];
  const badge = h('span', { class: 'badge' });
  const seen = h('span');
  const line = h('span', { class: 'problem' });
  const element = h(
    'article',
    { class: 'card' },
    h('header', {}, h('h2', {}, h('a', { href: `#/device/${encodeURIComponent(device.alias)}`, text: title })), badge),
    h('p', { class: 'about', text: about.filter((text) => text !== '' && text !== title).join(' · ') }),
    rows.length === 0
      ? h('p', { class: 'note', text: 'It has not told its channels yet.' })
      : h('ul', { class: 'values' }, ...rows),
    h('footer', {}, seen, line, more > 0 && h('span', { text: `${more} more` })),
  );
  return {
    element,
    words: [title, ...about].join(' ').toLowerCase(),
    value: (channel) => values.get(channel.alias)?.(channel),
    state: () => {
      element.classList.toggle('offline', !device.online);
      badge.className = device.online ? 'badge good' : 'badge';
      setText(badge, device.online ? 'online' : 'offline');
      const { round_trip_ms: roundTrip } = device.link;
      const how = [
        agoText(device.last_seen, store.now()),
        device.transport,
        device.sealed === true && 'sealed',
        roundTrip !== undefined && `${roundTrip < 10 ? roundTrip.toFixed(1) : Math.round(roundTrip)} ms`,
      ];
      setText(seen, how.filter(Boolean).join(' · '));
      setText(line, faultsOf(device));
    },
  };
}

/** What is wrong with its line, in a few words. */
function faultsOf({ link }: LiveDevice): string {
  const told = [
    ['checksum_errors', 'bad checksums'],
    ['readings_lost', 'readings lost'],
  ] as const;
  return told
    .filter(([key]) => (link[key] ?? 0) > 0)
    .map(([key, text]) => `${countText(link[key] ?? 0)} ${text}`)
    .join(', ');
}

async function fillSparks(store: Store, device: LiveDevice, sparks: ReadonlyMap<string, Sparkline>): Promise<void> {
  const trails = [...sparks.keys()].map((channel) => store.trail(device.alias, channel));
  const now = store.now();
  if (trails.every(({ t }) => (t.at(-1) ?? 0) > now - STALE_MS)) return;
  try {
    const history = await store.history(device.alias, now - SPARK_SPAN_MS);
    for (const [channel, spark] of sparks) {
      const { t = [], last = [] } = history[channel] ?? {};
      const trail = store.trail(device.alias, channel);
      if ((trail.t.at(-1) ?? 0) <= now - STALE_MS) trail.clear();
      trail.before(t, last);
      spark.redraw();
    }
  } catch {
    // The values that come fill it as well.
  }
}
