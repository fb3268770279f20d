/** All devices: what they say now, and how they are. */
import { h, setText } from './dom.ts';
import { agoText, valueText } from './format.ts';
import type { Page } from './page.ts';
import { Sparkline } from './sparkline.ts';
import type { LiveChannel, LiveDevice, Store } from './store.ts';

/** Channels on a card; the rest is on the device's page. */
const CARD_CHANNELS = 4;
const SPARK_SPAN_MS = 15 * 60_000;

interface Card {
  readonly element: HTMLElement;
  value(channel: LiveChannel): void;
  state(): void;
}

export function devicesPage(store: Store): Page {
  const cards = new Map<string, Card>();
  const devices = [...store.devices.values()].toSorted(
    (a, b) => Number(b.online) - Number(a.online) || a.alias.localeCompare(b.alias),
  );
  for (const device of devices) cards.set(device.alias, makeCard(store, device));
  const summary = h('p', { class: 'summary', 'aria-live': 'polite' });
  const element = h(
    'section',
    {},
    h('h1', { text: 'Devices' }),
    summary,
    devices.length === 0
      ? h('p', {
          class: 'empty',
          text: 'No device has been here yet. What is connected and not understood is on the page “Not understood”.',
        })
      : h('div', { class: 'cards' }, ...[...cards.values()].map((card) => card.element)),
  );
  const refresh = (): void => {
    let online = 0;
    for (const device of store.devices.values()) if (device.online) online++;
    setText(summary, `${online} of ${store.devices.size} online`);
    for (const card of cards.values()) card.state();
  };
  refresh();
  return {
    title: 'Devices',
    element,
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
    const text = h('span', { class: 'value', text: valueText(channel, channel.value) });
    const spark = channel.plotted ? new Sparkline(channel.name) : undefined;
    if (spark !== undefined) sparks.set(channel.alias, spark);
    const update = (now: LiveChannel): void => {
      setText(text, valueText(now, now.value));
      text.classList.toggle('bad', now.quality !== undefined && now.quality !== 'good');
      if (typeof now.value === 'number') spark?.add(now.value);
    };
    values.set(channel.alias, update);
    return h('li', {}, h('span', { class: 'name', text: channel.name }), spark?.element, text);
  });
  if (sparks.size > 0) void fillSparks(store, device.alias, sparks);
  const more = device.channels.length - rows.length;
  const badge = h('span', { class: 'badge' });
  const seen = h('span', { class: 'seen' });
  const element = h(
    'article',
    { class: 'card' },
    h(
      'header',
      {},
      h('h2', {}, h('a', { href: `#/device/${encodeURIComponent(device.alias)}`, text: device.alias })),
      badge,
    ),
    h('p', { class: 'about', text: [device.name, device.model].filter((text) => text !== '').join(' · ') }),
    h('ul', { class: 'values' }, ...rows),
    h('footer', {}, seen, more > 0 && h('span', { text: `${more} more` })),
  );
  return {
    element,
    value: (channel) => values.get(channel.alias)?.(channel),
    state: () => {
      element.classList.toggle('offline', !device.online);
      badge.className = device.online ? 'badge good' : 'badge';
      setText(badge, device.online ? 'online' : 'offline');
      const how = [device.transport, device.sealed === true && 'sealed'].filter(Boolean).join(', ');
      setText(seen, `${agoText(device.last_seen, store.now())}${how === '' ? '' : ` · ${how}`}`);
    },
  };
}

async function fillSparks(store: Store, alias: string, sparks: ReadonlyMap<string, Sparkline>): Promise<void> {
  try {
    const history = await store.history(alias, store.now() - SPARK_SPAN_MS);
    for (const [channel, spark] of sparks) spark.add(...(history[channel]?.last ?? []));
  } catch {
    // The values that come fill it as well.
  }
}
