/** The gateway itself: broker, journal, limits, and its log. */
import type { LogLine } from '../api-types.ts';
import { h } from './dom.ts';
import { bytesText, countsText, countText, durationText, timeText } from './format.ts';
import type { Page } from './page.ts';
import { Sparkline } from './sparkline.ts';
import { labelOf, type Store } from './store.ts';

const MAX_LINES = 200;
/** What an acknowledged reading survives. */
const DURABILITY: Readonly<Record<string, string>> = {
  power: 'safe from power cuts',
  process: 'safe from crashes',
  memory: 'in memory only',
};

export function gatewayPage(store: Store): Page {
  const facts = h('div', { class: 'tiles' });
  const trail = store.trail('', 'waiting');
  const waiting = new Sparkline('readings waiting', trail);
  const lines = h('ol', { class: 'log', 'aria-label': 'Log' });
  const refresh = (): void => {
    const { gateway } = store;
    if (gateway === undefined) return;
    const { journal } = gateway;
    waiting.add(store.now(), journal.depth);
    const limits = countsText(gateway.limits);
    facts.replaceChildren(
      tile(
        'Broker',
        gateway.connected ? 'connected' : 'away',
        `${gateway.broker}${gateway.mqtt_version === undefined ? '' : `, MQTT ${gateway.mqtt_version}`}, topics ${gateway.base}/#`,
        !gateway.connected,
      ),
      tile('Published', countText(gateway.published), `${countText(gateway.in_flight)} in flight`),
      tile(
        'Readings waiting',
        countText(journal.depth),
        journal.oldest_age_ms === undefined
          ? 'the broker has everything'
          : `the oldest for ${journal.oldest_age_ms < 1_000 ? 'less than a second' : durationText(journal.oldest_age_ms / 1_000)}`,
        journal.full || journal.trouble !== undefined,
        waiting.element,
      ),
      tile(
        'Journal',
        journal.trouble ?? (journal.full ? 'full' : (DURABILITY[journal.durability] ?? journal.durability)),
        `${bytesText(journal.bytes_on_disk)} on disk, ${countText(journal.held)} held`,
        journal.trouble !== undefined || journal.full,
      ),
      tile(
        'Dead letters',
        journal.dead_letters === undefined ? '–' : countText(journal.dead_letters),
        'readings that the broker has refused',
        (journal.dead_letters ?? 0) > 0,
      ),
      limits === ''
        ? tile('Limits', 'none reached', 'of connections, rates, sizes and times')
        : tile('Limits', limits, 'how often each was reached'),
      tile('Memory', bytesText(gateway.memory_bytes), `${countText(gateway.connections)} connections`),
      tile(
        'Version',
        gateway.version,
        `Node ${gateway.node.replace(/^v/, '')}, up ${durationText((store.now() - gateway.started_at) / 1_000)}`,
      ),
    );
  };
  const add = (line: LogLine): void => {
    lines.prepend(logLine(line, store));
    while (lines.childElementCount > MAX_LINES) lines.lastElementChild?.remove();
  };
  refresh();
  void store.log(undefined).then(
    (all) => all.forEach(add),
    () => undefined,
  );
  return {
    title: 'Gateway',
    element: h('section', {}, h('h1', { text: 'Gateway' }), facts, h('h2', { text: 'Log' }), lines),
    wish: { watch: ['gateway', 'log'] },
    listener: { gateway: refresh, structure: refresh, log: add },
  };
}

function tile(title: string, value: string, note: string, bad = false, extra?: HTMLElement): HTMLElement {
  return h(
    'article',
    { class: bad ? 'tile alarm' : 'tile' },
    h('h3', { text: title }),
    h('p', { class: 'figure', text: value }),
    h('p', { class: 'note', text: note }),
    extra,
  );
}

/** With a store, the device that it is about is named. */
export function logLine({ ts, level, message, device: alias }: LogLine, store?: Store): HTMLElement {
  const device = alias === undefined ? undefined : store?.devices.get(alias);
  return h(
    'li',
    { class: level },
    h('time', { class: 'mono', text: timeText(ts), title: new Date(ts).toLocaleString() }),
    h('span', { class: `badge ${level === 'error' ? 'bad' : level === 'warning' ? 'warn' : ''}`, text: level }),
    device !== undefined && h('a', { href: `#/device/${encodeURIComponent(device.alias)}`, text: labelOf(device) }),
    h('span', { text: message }),
  );
}
