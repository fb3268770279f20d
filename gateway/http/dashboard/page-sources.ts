/** The ways in: what is open, what came, what was refused, and why. */
import { h, replace, table } from './dom.ts';
import { bytesText, countsText, countText } from './format.ts';
import type { Page } from './page.ts';
import type { Store } from './store.ts';

export function sourcesPage(store: Store): Page {
  const box = h('div');
  const refresh = (): void => {
    const rows = store.sources.map((source) => [
      h(
        'span',
        {},
        h('a', { class: 'mono', href: `#/frames?source=${encodeURIComponent(source.id)}`, text: source.id }),
        h('br'),
        h('small', { text: `${source.where} · ${source.speaks}` }),
      ),
      h('span', { class: source.state === 'open' ? 'badge good' : 'badge bad', text: source.error ?? source.state }),
      `${countText(source.channels)} open, ${countText(source.accepted)} in all`,
      `${bytesText(source.bytes_read)} in, ${bytesText(source.bytes_written)} out`,
      [
        source.refused > 0 && `${countText(source.refused)} connections refused`,
        source.failed > 0 && `${countText(source.failed)} failed`,
        (source.dropped ?? 0) > 0 && `${countText(source.dropped ?? 0)} datagrams dropped`,
        countsText(source.rejected),
        countsText(source.skipped_bytes) !== '' && `skipped bytes: ${countsText(source.skipped_bytes)}`,
      ]
        .filter((text) => typeof text === 'string' && text !== '')
        .join('; ') || 'nothing',
    ]);
    replace(box, table(['Source', 'State', 'Connections', 'Bytes', 'Not accepted'], rows, 'Sources'));
  };
  refresh();
  return {
    title: 'Sources',
    element: h('section', {}, h('h1', { text: 'Sources' }), box),
    wish: { watch: ['sources'] },
    listener: { sources: refresh, structure: refresh },
  };
}
