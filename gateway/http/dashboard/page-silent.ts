/** Who is connected and says nothing that is understood, and why. */
import type { SilentPeer } from '../api-types.ts';
import { h, replace } from './dom.ts';
import { agoText, bytesText, countText, durationText } from './format.ts';
import { hexText } from './hex-view.ts';
import type { Page } from './page.ts';
import type { Store } from './store.ts';

export function silentPage(store: Store): Page {
  const box = h('div');
  let drawn = '';
  const refresh = (): void => {
    const cards = store.silent.map((peer) => card(store, peer));
    const text = JSON.stringify(cards.map(({ textContent }) => textContent));
    // What is selected, or has the focus, stays while nothing is new.
    if (text === drawn) return;
    drawn = text;
    replace(
      box,
      cards.length === 0
        ? h('p', { class: 'empty', text: 'Everybody who is connected is understood.' })
        : h('div', { class: 'cards wide' }, ...cards),
    );
  };
  refresh();
  return {
    title: 'Not understood',
    element: h(
      'section',
      {},
      h('h1', { text: 'Not understood' }),
      h('p', {
        class: 'summary',
        text: 'Who is connected, or was in the last ten minutes, and has said nothing that makes sense.',
      }),
      box,
    ),
    wish: { watch: ['silent'] },
    listener: { silent: refresh, structure: refresh },
  };
}

function card(store: Store, silent: SilentPeer): HTMLElement {
  const { source, peer, since, gone, times, bytes_read, reason, hint, last } = silent;
  const when =
    gone === undefined
      ? `connected for ${durationText(Math.max(0, store.now() - since) / 1_000)}`
      : `gone ${agoText(gone, store.now())}${times > 1 ? `, was here ${countText(times)} times` : ''}`;
  return h(
    'article',
    { class: gone === undefined ? 'card' : 'card offline' },
    h('header', {}, h('h2', { class: 'mono', text: peer }), h('span', { class: 'badge bad', text: reason })),
    h('p', { text: hint }),
    last !== '' &&
      h(
        'div',
        { class: 'last' },
        h('small', { text: 'Its last bytes' }),
        h('p', { class: 'hex', text: hexText(last) }),
        h('p', { class: 'hex', text: asText(last) }),
      ),
    h(
      'footer',
      {},
      h('span', { text: `${source} · ${when} · ${bytesText(bytes_read)} received` }),
      h('a', { href: `#/frames?source=${encodeURIComponent(source)}`, text: 'Frames of this source' }),
    ),
  );
}

/** Text shows at once that something speaks another protocol: what cannot be printed is a dot. */
function asText(hex: string): string {
  const codes = Array.from(hex.matchAll(/../g), ([byte]) => Number.parseInt(byte, 16));
  return codes.map((code) => (code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : '·')).join('');
}
