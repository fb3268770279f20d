/** Elements without markup: text is always text, so nothing from a device can become part of the page. */

type Child = Node | string | undefined | false;

interface Properties {
  readonly class?: string;
  readonly text?: string;
  /** Attributes; undefined and false leave one out, true sets it without a value. */
  readonly [attribute: string]: string | number | boolean | undefined | ((event: Event) => void);
}

/** `h('button', { class: 'small', type: 'button', onclick: save }, 'Save')` */
export function h<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(key.slice(2), value);
    else if (key === 'class') element.className = String(value);
    else if (key === 'text') element.textContent = String(value);
    else element.setAttribute(key, value === true ? '' : String(value));
  }
  append(element, children);
  return element;
}

export function append(parent: Element, children: readonly Child[]): void {
  for (const child of children) if (child !== undefined && child !== false) parent.append(child);
}

/** Sets text only where it has changed: an unchanged node costs the browser nothing. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Other children for `box`; a link that had the focus has it again. */
export function replace(box: Element, ...children: Element[]): void {
  const focused = box.contains(document.activeElement) ? document.activeElement?.getAttribute('href') : undefined;
  box.replaceChildren(...children);
  if (typeof focused !== 'string') return;
  box.querySelector<HTMLElement>(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

/** A table with a header row; on small screens its rows become blocks, labelled by the header. */
export function table(
  headers: readonly string[],
  rows: readonly (readonly Child[])[],
  name: string,
  kind = '',
): HTMLElement {
  const head = h('tr', {}, ...headers.map((text) => h('th', { scope: 'col', text })));
  const body = rows.map((cells) =>
    h('tr', {}, ...cells.map((cell, at) => h('td', { 'data-label': headers[at] ?? '' }, cell))),
  );
  return h(
    'div',
    { class: `table-box ${kind}` },
    h('table', { 'aria-label': name }, h('thead', {}, head), h('tbody', {}, ...body)),
  );
}
