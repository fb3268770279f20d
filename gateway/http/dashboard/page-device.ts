/** One device: every channel, its last hours, what can be set, its line, its log. */
import type { LogLine } from '../api-types.ts';
import { control } from './control.ts';
import { h, setText, table } from './dom.ts';
import { agoText, countText, valueText } from './format.ts';
import { logLine } from './page-gateway.ts';
import type { Page } from './page.ts';
import { Plot } from './plot.ts';
import { type LiveChannel, type LiveDevice, type Store, titleOf } from './store.ts';

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

  const title = titleOf(device);
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
    showFacts(facts, store, device);
    for (const row of rows.values()) row.age();
  };
  refresh();
  const timer = setInterval(refresh, 1_000);
  const { version } = device;
  const about = [title === alias ? device.name : alias, device.model, device.firmware];
  return {
    title,
    wish: { watch: ['values', 'devices', 'log'] },
    // Only when its own channels are others: else what is being typed would be lost when another device joins.
    isOutdated: () => store.devices.get(alias) !== device || device.version !== version,
    element: h(
      'section',
      {},
      h('p', { class: 'back' }, h('a', { href: '#/devices', text: '‹ Devices' })),
      h(
        'header',
        { class: 'title' },
        h('h1', { text: title }),
        badge,
        h('a', { class: 'end', href: `#/frames?device=${encodeURIComponent(alias)}`, text: 'Its frames, live' }),
      ),
      h('p', { class: 'about', text: about.filter((text) => text !== '' && text !== title).join(' · ') }),
      facts,
      ...channelTables(device.channels, rows),
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
    wish: { watch: [] },
  };
}

/** What it says, and what it only takes. */
function channelTables(channels: readonly LiveChannel[], rows: ReadonlyMap<string, Row>): HTMLElement[] {
  const cells = (readable: boolean): (readonly HTMLElement[])[] =>
    channels.filter((channel) => channel.readable === readable).map(({ alias }) => rows.get(alias)?.cells ?? []);
  const says = cells(true);
  const takes = cells(false);
  const settable = channels.some(({ readable, writable }) => readable && writable);
  if (says.length === 0 && takes.length === 0) {
    return [h('h2', { text: 'Channels' }), h('p', { class: 'empty', text: 'It has not told its channels yet.' })];
  }
  const tables: HTMLElement[] = [];
  if (says.length > 0) {
    const titles = ['Channel', 'Value', 'Age', ...(settable ? ['Set'] : [])];
    const shown = says.map((row) => row.slice(0, titles.length));
    tables.push(h('h2', { text: 'Channels' }), table(titles, shown, 'Channels', 'channels'));
  }
  if (takes.length > 0) {
    const shown = takes.map(([name, , , set]) => [name, set]);
    tables.push(h('h2', { text: 'Commands' }), table(['Command', 'Do'], shown, 'Commands', 'commands'));
  }
  return tables;
}

const FACTS: Readonly<Record<string, string>> = {
  round_trip_ms: 'Round trip',
  checksum_errors: 'Checksum errors',
  skipped_bytes: 'Skipped bytes',
  readings_lost: 'Readings lost',
  values_omitted: 'Values without room',
  bad_times: 'Times not believed',
};

/** Each fact keeps its element, so that text can be selected while the numbers change. */
function showFacts(list: HTMLElement, store: Store, device: LiveDevice): void {
  const facts: [string, string][] = [
    ['Last seen', agoText(device.last_seen, store.now())],
    ['Line', [device.transport, device.peer?.replace(/^\w+\//, '')].filter(Boolean).join(' · ') || '–'],
  ];
  if (device.sealed !== undefined) facts.push(['Secured', device.sealed ? 'sealed with its key' : 'no, plain']);
  for (const [name, value] of Object.entries(device.link)) {
    const words = FACTS[name] ?? name.replaceAll('_', ' ').replace(/^./, (first) => first.toUpperCase());
    facts.push([words, name.endsWith('_ms') ? `${value.toFixed(1)} ms` : countText(value)]);
  }
  facts.push(['Id', device.id]);
  const same = list.childElementCount === facts.length;
  if (!same) list.replaceChildren(...facts.map(() => h('div', {}, h('dt'), h('dd'))));
  for (const [at, [name, value]] of facts.entries()) {
    const [dt, dd] = list.children[at]?.children ?? [];
    if (dt !== undefined) setText(dt, name);
    if (dd !== undefined) setText(dd, value);
  }
}

interface Row {
  /** Name, value, age, control. */
  readonly cells: readonly HTMLElement[];
  value(channel: LiveChannel): void;
  age(): void;
}

function makeRow(store: Store, device: LiveDevice, channel: LiveChannel): Row {
  const value = h('span', { class: 'value' });
  const quality = h('span', { class: 'badge bad' });
  const age = h('span', { class: 'age' });
  const row: Row = {
    cells: [
      h(
        'span',
        { class: 'channel' },
        h('strong', { text: channel.name }),
        channel.alias !== channel.name && h('small', { class: 'mono', text: channel.alias }),
      ),
      h('span', { class: 'said' }, value, quality),
      age,
      channel.writable ? control(store, device, channel) : h('span'),
    ],
    value: (now) => {
      setText(value, valueText(now, now.value));
      const good = now.quality === undefined || now.quality === 'good' || now.value === null;
      quality.hidden = good;
      setText(quality, good ? '' : (now.quality ?? '').replaceAll('_', ' '));
      value.classList.toggle('bad', now.value === null);
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
  const plotted = device.channels.filter((channel) => channel.plotted && channel.readable);
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
  const bar = h(
    'div',
    { class: 'toolbar', hidden: plotted.length === 0 },
    h('h2', { text: 'Last hours' }),
    h('span', { class: 'end', role: 'group', 'aria-label': 'How far back' }, ...buttons),
  );
  return {
    element: h('div', {}, bar, box, rest.length > 0 && h('p', {}, more)),
    value: (channel) => {
      const plot = plots.get(channel.alias);
      if (plot !== undefined) plot.add(channel);
      // Its first value: it was not known before that there is something to plot.
      else if (channel.plotted && channel.readable && !plotted.includes(channel) && plots.size < MAX_PLOTS) {
        bar.hidden = false;
        plotted.push(channel);
        add([channel]);
      }
    },
    close: () => {
      for (const plot of plots.values()) plot.close();
    },
  };
}
