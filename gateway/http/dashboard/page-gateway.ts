/** The gateway itself: broker, journal, limits, and its log. */
import type { LogLine } from '../api-types.ts';
import { h } from './dom.ts';
import { bytesText, clockText, countsText, countText, durationText } from './format.ts';
import type { Page } from './page.ts';
import { Sparkline } from './sparkline.ts';
import type { Store } from './store.ts';

const MAX_LINES = 200;

export function gatewayPage(store: Store): Page {
  const facts = h('div', { class: 'tiles' });
  const waiting = new Sparkline('readings waiting');
  const lines = h('ol', { class: 'log', 'aria-label': 'Log' });
  const refresh = (): void => {
    const { gateway } = store;
    if (gateway === undefined) return;
    const { journal } = gateway;
    waiting.add(journal.depth);
    const limits = countsText(gateway.limits);
    facts.replaceChildren(
      tile(
        'Broker',
        gateway.connected ? 'connected' : 'away',
        `${gateway.broker}, ${gateway.base}/…`,
        !gateway.connected,
      ),
      tile('Published', countText(gateway.published), `${countText(gateway.in_flight)} in flight`),
      tile(
        'Readings waiting',
        countText(journal.depth),
        journal.oldest_age_ms === undefined
          ? 'the broker has everything'
          : `the oldest for ${durationText(journal.oldest_age_ms / 1_000)}`,
        journal.full || journal.trouble !== undefined,
        waiting.element,
      ),
      tile(
        'Journal',
        journal.trouble ?? (journal.full ? 'full' : journal.durability),
        `${bytesText(journal.bytes_on_disk)} on disk, ${countText(journal.held)} held`,
        journal.trouble !== undefined || journal.full,
      ),
      tile(
        'Dead letters',
        journal.dead_letters === undefined ? '–' : countText(journal.dead_letters),
        'readings that the broker has refused',
        (journal.dead_letters ?? 0) > 0,
      ),
      tile('Limits', limits === '' ? 'none has bitten' : limits, 'how often each has bitten', limits !== ''),
      tile('Memory', bytesText(gateway.memory_bytes), `${countText(gateway.connections)} connections`),
      tile(
        'Version',
        gateway.version,
        `Node ${gateway.node.replace(/^v/, '')}, up ${durationText((store.now() - gateway.started_at) / 1_000)}`,
      ),
    );
  };
  const add = (line: LogLine): void => {
    lines.prepend(logLine(line));
    while (lines.childElementCount > MAX_LINES) lines.lastElementChild?.remove();
  };
  refresh();
  void store.log(undefined).then(
    (all) => all.forEach(add),
    () => undefined,
  );
  return {
    title: 'Gateway',
    element: h('section', {}, h('h1', { text: 'Gateway' }), facts, h('h2', { text: 'Warnings and errors' }), lines),
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

export function logLine({ ts, level, message }: LogLine): HTMLElement {
  return h(
    'li',
    { class: level },
    h('time', { class: 'mono', text: clockText(ts) }),
    h('span', { class: `badge ${level === 'error' ? 'bad' : level === 'warning' ? 'warn' : ''}`, text: level }),
    h('span', { text: message }),
  );
}
