/** Who is connected and says nothing that is understood, and why. */
import { h } from './dom.ts';
import { agoText, bytesText } from './format.ts';
import { hexText } from './hex-view.ts';
import type { Page } from './page.ts';
import type { Store } from './store.ts';

export function silentPage(store: Store): Page {
  const box = h('div');
  const refresh = (): void => {
    const cards = store.silent.map(({ source, peer, since, bytes_read, reason, hint, last }) =>
      h(
        'article',
        { class: 'card' },
        h('header', {}, h('h2', { class: 'mono', text: peer }), h('span', { class: 'badge bad', text: reason })),
        h('p', { text: hint }),
        last !== '' && h('p', { class: 'hex', text: hexText(last) }),
        h(
          'footer',
          {},
          h('span', { text: `${source} · since ${agoText(since, store.now())} · ${bytesText(bytes_read)} received` }),
          h('a', { href: `#/frames?source=${encodeURIComponent(source)}`, text: 'its frames' }),
        ),
      ),
    );
    box.replaceChildren(
      cards.length === 0
        ? h('p', { class: 'empty', text: 'Everybody who is connected is understood.' })
        : h('div', { class: 'cards wide' }, ...cards),
    );
  };
  refresh();
  return {
    title: 'Not understood',
    element: h('section', {}, h('h1', { text: 'Not understood' }), box),
    wish: { watch: ['silent'] },
    listener: { silent: refresh, structure: refresh },
  };
}
