/** One device: every channel, its last hours, what can be set, its line, its log. */
import type { LogLine } from '../api-types.ts';
import { control } from './control.ts';
import { h, setText, table } from './dom.ts';
import { agoText, countText, valueText } from './format.ts';
import { logLine } from './page-gateway.ts';
import type { Page } from './page.ts';
import { Plot } from './plot.ts';
import type { LiveChannel, LiveDevice, Store } from './store.ts';

const RANGES = [
  ['15 min', 15 * 60_000],
  ['1 h', 60 * 60_000],
  ['2 h', 120 * 60_000],
] as const;
/** Plots beyond are made when they are asked for. */
const MAX_PLOTS = 12;
const MAX_LINES = 100;

export function devicePage(store: Store, alias: string): Page {
  const device = store.devices.get(alias);
  if (device === undefined) return unknownDevice(alias);

  const badge = h('span', { class: 'badge' });
  const facts = h('dl', { class: 'facts' });
  const rows = new Map<string, Row>();
  for (const channel of device.channels) rows.set(channel.alias, makeRow(store, device, channel));
  const plots = makePlots(store, device);
  const lines = h('ol', { class: 'log', 'aria-label': 'Log of the device' });
  const add = (line: LogLine): void => {
    if (line.device !== alias) return;
    lines.prepend(logLine(line));
    while (lines.childElementCount > MAX_LINES) lines.lastElementChild?.remove();
  };
  void store.log(alias).then(
    (all) => all.forEach(add),
    () => undefined,
  );

  const refresh = (): void => {
    badge.className = device.online ? 'badge good' : 'badge';
    setText(badge, device.online ? 'online' : 'offline');
    facts.replaceChildren(...factsOf(store, device));
    for (const row of rows.values()) row.age();
  };
  refresh();
  const timer = setInterval(refresh, 1_000);
  const readable = device.channels.some((channel) => channel.readable || channel.writable);
  return {
    title: alias,
    wish: { watch: ['values', 'devices', 'log'] },
    element: h(
      'section',
      {},
      h('p', { class: 'back' }, h('a', { href: '#/devices', text: 'All devices' })),
      h('header', { class: 'title' }, h('h1', { text: alias }), badge),
      h('p', {
        class: 'about',
        text: [device.name, device.model, device.firmware].filter((text) => text !== '').join(' · '),
      }),
      facts,
      h('p', {}, h('a', { href: `#/frames?device=${encodeURIComponent(alias)}`, text: 'Its frames, live' })),
      h('h2', { text: 'Channels' }),
      readable
        ? table(
            ['Channel', 'Value', 'Quality', 'Age', 'Set'],
            [...rows.values()].map(({ cells }) => cells),
            'Channels',
          )
        : h('p', { class: 'empty', text: 'It has no channels yet.' }),
      plots.element,
      h('h2', { text: 'Log' }),
      lines,
    ),
    listener: {
      values: (changed, channels) => {
        if (changed !== device) return;
        for (const channel of channels) {
          rows.get(channel.alias)?.value(channel);
          plots.value(channel);
        }
      },
      devices: refresh,
      log: add,
    },
    close: () => {
      clearInterval(timer);
      plots.close();
    },
  };
}

function unknownDevice(alias: string): Page {
  return {
    title: alias,
    element: h(
      'section',
      {},
      h('h1', { text: alias }),
      h('p', { class: 'empty', text: 'There is no device of this name.' }),
      h('p', {}, h('a', { href: '#/devices', text: 'All devices' })),
    ),
    listener: {},
    wish: { watch: ['devices'] },
  };
}

function factsOf(store: Store, device: LiveDevice): HTMLElement[] {
  const facts: [string, string][] = [
    ['Id', device.id],
    ['Last seen', agoText(device.last_seen, store.now())],
    ['Line', [device.transport, device.peer].filter(Boolean).join(', ') || '–'],
  ];
  if (device.sealed !== undefined) facts.push(['Secured', device.sealed ? 'sealed with its key' : 'no: plain']);
  for (const [name, value] of Object.entries(device.link)) {
    const unit = name.endsWith('_ms') ? ' ms' : '';
    facts.push([
      name.replace(/_ms$/, '').replaceAll('_', ' '),
      `${unit === '' ? countText(value) : value.toFixed(1)}${unit}`,
    ]);
  }
  return facts.flatMap(([name, value]) => [h('dt', { text: name }), h('dd', { text: value })]);
}

interface Row {
  readonly cells: readonly HTMLElement[];
  value(channel: LiveChannel): void;
  age(): void;
}

function makeRow(store: Store, device: LiveDevice, channel: LiveChannel): Row {
  const value = h('span', { class: 'value' });
  const quality = h('span');
  const age = h('span');
  const row: Row = {
    cells: [
      h('span', {}, h('strong', { text: channel.name }), h('br'), h('small', { class: 'mono', text: channel.alias })),
      value,
      quality,
      age,
      channel.writable ? control(store, device, channel) : h('span'),
    ],
    value: (now) => {
      setText(value, now.readable ? valueText(now, now.value) : '');
      const good = now.quality === undefined || now.quality === 'good';
      setText(quality, now.value === undefined ? '' : good ? 'good' : (now.quality ?? '').replaceAll('_', ' '));
      quality.className = good ? '' : 'badge bad';
    },
    age: () => setText(age, channel.ts === undefined ? '' : agoText(channel.ts, store.now())),
  };
  row.value(channel);
  row.age();
  return row;
}

interface Plots {
  readonly element: HTMLElement;
  value(channel: LiveChannel): void;
  close(): void;
}

function makePlots(store: Store, device: LiveDevice): Plots {
  const plotted = device.channels.filter((channel) => channel.plotted);
  const plots = new Map<string, Plot>();
  const box = h('div', { class: 'plots' });
  let span: number = RANGES[1][1];
  const fill = async (): Promise<void> => {
    const from = store.now() - span;
    const history = await store.history(device.alias, from);
    for (const [alias, plot] of plots) plot.fill(history[alias], span);
  };
  const add = (channels: readonly LiveChannel[]): void => {
    for (const channel of channels) {
      const plot = new Plot(channel);
      plots.set(channel.alias, plot);
      box.append(plot.element);
    }
    void fill().catch(() => undefined);
  };
  const buttons = RANGES.map(([text, ms]) => {
    const button = h('button', { type: 'button', text, 'aria-pressed': String(ms === span) });
    button.addEventListener('click', () => {
      span = ms;
      for (const other of buttons) other.setAttribute('aria-pressed', String(other === button));
      void fill().catch(() => undefined);
    });
    return button;
  });
  const rest = plotted.slice(MAX_PLOTS);
  const more = h('button', { type: 'button', text: `Plot ${rest.length} more` });
  more.addEventListener('click', () => {
    more.remove();
    add(rest);
  });
  // Not before the page stands: a plot takes its width from there.
  requestAnimationFrame(() => add(plotted.slice(0, MAX_PLOTS)));
  return {
    element: h(
      'div',
      {},
      plotted.length > 0 && h('div', { class: 'toolbar' }, h('h2', { text: 'Last hours' }), ...buttons),
      box,
      rest.length > 0 && more,
    ),
    value: (channel) => plots.get(channel.alias)?.add(channel),
    close: () => {
      for (const plot of plots.values()) plot.close();
    },
  };
}
