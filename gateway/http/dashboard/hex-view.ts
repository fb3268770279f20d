/** Bytes of a frame, each in the colour of the field that it belongs to. */
import type { FrameView } from '../api-types.ts';
import { h } from './dom.ts';

/** Colours in the style sheet: p0 to p7. */
const COLOURS = 8;

/** `20 01 ff` */
export function hexText(hex: string): string {
  return hex.replaceAll(/../g, '$& ').trimEnd();
}

/** The first `maxBytes` bytes; runs of one field are one element, with its name as title. */
export function hexView({ hex, parts, length }: FrameView, maxBytes: number): HTMLElement {
  const box = h('span', { class: 'hex' });
  const shown = Math.min(hex.length / 2, maxBytes);
  const text = (from: number, to: number): string => hexText(hex.slice(from * 2, to * 2));
  let at = 0;
  for (const [index, [from, size, name, value]] of parts.entries()) {
    const to = Math.min(from + size, shown);
    if (from < at || to <= from) continue;
    if (from > at) box.append(text(at, from), ' ');
    box.append(h('span', { class: `p${index % COLOURS}`, title: `${name}: ${value}`, text: text(from, to) }), ' ');
    at = to;
  }
  if (at < shown) box.append(text(at, shown));
  if (shown < length) box.append(` … ${length} bytes`);
  return box;
}

/** The fields of a frame with their bytes, values and meanings. */
export function partsTable({ hex, parts }: FrameView): HTMLElement {
  const rows = parts.map(([from, size, name, value, meaning], index) =>
    h(
      'tr',
      {},
      h('td', { class: 'mono', text: String(from) }),
      h('td', { class: 'mono' }, h('span', { class: `p${index % COLOURS}`, text: bytesOf(hex, from, size) })),
      h('td', { text: name }),
      h('td', { text: value }),
      h('td', { text: meaning.replaceAll('`', '') }),
    ),
  );
  const head = h(
    'tr',
    {},
    ...['at', 'bytes', 'field', 'value', 'meaning'].map((text) => h('th', { scope: 'col', text })),
  );
  return h(
    'div',
    { class: 'table-box' },
    h('table', { class: 'parts' }, h('thead', {}, head), h('tbody', {}, ...rows)),
  );
}

function bytesOf(hex: string, from: number, size: number): string {
  const text = hexText(hex.slice(from * 2, (from + Math.min(size, 16)) * 2));
  return size > 16 ? `${text} …` : text;
}
