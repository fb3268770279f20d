/** Frames as they pass, the newest on top. Nothing is shown that was not on the wire. */
import type { FrameView } from '../api-types.ts';
import { h, setText } from './dom.ts';
import { clockText, countText } from './format.ts';
import { hexView, partsTable } from './hex-view.ts';
import type { Page } from './page.ts';
import { labelOf, type Store } from './store.ts';

const MAX_ROWS = 300;
/** New rows move all the others: so they come in a few strokes a second. */
const DRAW_MS = 200;
const PREVIEW_BYTES = 24;

export function framesPage(store: Store, query: URLSearchParams): Page {
  const list = h('div', { class: 'frames', role: 'log', 'aria-live': 'off', 'aria-label': 'Frames' });
  const note = h('p', { class: 'summary', role: 'status' });
  let waiting: FrameView[] = [];
  let paused = false;
  let missed = 0;
  let due: number | undefined;

  const source = select(
    'Source',
    'all sources',
    store.sources.map(({ id }) => [id, id] as const),
    query.get('source'),
  );
  const devices = [...store.devices.values()].map((one) => [one.alias, labelOf(one)] as const);
  const device = select(
    'Device',
    'all devices',
    devices.toSorted(([, a], [, b]) => a.localeCompare(b)),
    query.get('device'),
  );
  const faults = h('input', { type: 'checkbox', id: 'faults' });
  const pause = h('button', { type: 'button', class: 'primary', 'aria-pressed': 'false', text: 'Pause' });
  const clear = h('button', { type: 'button', text: 'Clear' });

  const tell = (): void => {
    const parts = [paused ? 'paused' : 'live'];
    if (missed > 0) parts.push(`${countText(missed)} not shown: too many a second`);
    setText(note, parts.join(' · '));
  };
  const draw = (): void => {
    due = undefined;
    const rows = waiting
      .slice(-MAX_ROWS)
      .map((frame) => row(store, frame))
      .toReversed();
    waiting = [];
    list.prepend(...rows);
    while (list.childElementCount > MAX_ROWS) list.lastElementChild?.remove();
  };
  const setPaused = (now: boolean): void => {
    paused = now;
    // What has come until now is shown at once: from then on nothing moves.
    clearTimeout(due);
    draw();
    pause.setAttribute('aria-pressed', String(paused));
    setText(pause, paused ? 'Resume' : 'Pause');
    tell();
  };
  const filter = (): void => {
    const wanted = new URLSearchParams();
    if (source.field.value !== '') wanted.set('source', source.field.value);
    if (device.field.value !== '') wanted.set('device', device.field.value);
    location.hash = wanted.size === 0 ? '#/frames' : `#/frames?${wanted.toString()}`;
  };
  source.field.addEventListener('change', filter);
  device.field.addEventListener('change', filter);
  faults.addEventListener('change', () => list.classList.toggle('faults', faults.checked));
  pause.addEventListener('click', () => setPaused(!paused));
  clear.addEventListener('click', () => list.replaceChildren());
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== ' ' || event.target !== document.body) return;
    event.preventDefault();
    setPaused(!paused);
  };
  addEventListener('keydown', onKey);
  tell();

  const wish: { watch: ['frames']; source?: string; device?: string } = { watch: ['frames'] };
  if (query.get('source')) wish.source = query.get('source') ?? '';
  if (query.get('device')) wish.device = query.get('device') ?? '';
  return {
    title: 'Live frames',
    wish,
    element: h(
      'section',
      {},
      h('div', { class: 'toolbar' }, h('h1', { text: 'Live frames' }), note),
      h(
        'div',
        { class: 'toolbar filters' },
        source.element,
        device.element,
        h('label', { for: 'faults', class: 'check' }, faults, 'Faults only'),
        pause,
        clear,
      ),
      list,
    ),
    listener: {
      // Devices that come or go must not take away what is looked at.
      structure: () => undefined,
      frame: (frame) => {
        // Some still come that were wanted before.
        if (frame.source !== (wish.source ?? frame.source) || frame.device !== (wish.device ?? frame.device)) return;
        if (paused || (faults.checked && !isFault(frame))) return;
        waiting.push(frame);
        due ??= window.setTimeout(draw, DRAW_MS);
      },
      dropped: (frames) => {
        missed += frames;
        tell();
      },
    },
    close: () => {
      removeEventListener('keydown', onKey);
      clearTimeout(due);
    },
  };
}

function isFault({ kind, problem, reason }: FrameView): boolean {
  return problem !== undefined || (kind === 'skip' && reason !== 'fill') || (kind === 'frame' && reason !== undefined);
}

function select(
  name: string,
  all: string,
  choices: readonly (readonly [value: string, text: string])[],
  chosen: string | null,
): { element: HTMLElement; field: HTMLSelectElement } {
  const isKnown = chosen === null || choices.some(([value]) => value === chosen);
  const known = isKnown ? choices : [...choices, [chosen, chosen] as const];
  const field = h(
    'select',
    {},
    h('option', { value: '', text: all }),
    ...known.map(([value, text]) => h('option', { value, text, selected: value === chosen })),
  );
  return { element: h('label', {}, h('span', { class: 'sr', text: name }), field), field };
}

function row(store: Store, frame: FrameView): HTMLElement {
  const { ts, direction, kind, reason, message, source, device, peer, length, hex, problem } = frame;
  const fault = isFault(frame);
  const what = kind === 'skip' ? `skipped: ${reason ?? ''}` : (problem?.code ?? message ?? 'frame');
  const known = device === undefined ? undefined : store.devices.get(device);
  const who = known === undefined ? (device ?? peer) : labelOf(known);
  const summary = h(
    'summary',
    {},
    h('time', { class: 'mono', text: clockText(ts) }),
    h('span', {
      class: `arrow ${direction}`,
      title: direction === 'in' ? 'received' : 'sent',
      text: direction === 'in' ? '→' : '←',
    }),
    h('span', { class: 'what' }, h('span', { class: fault ? 'badge bad' : 'badge', text: what })),
    h('span', { class: 'who', text: who, title: who }),
    hexView(frame, PREVIEW_BYTES),
  );
  const details = h('details', { class: fault ? 'frame fault' : 'frame' }, summary);
  // Made when it is looked at: most never are.
  details.addEventListener(
    'toggle',
    () => {
      const copy = h('button', { type: 'button', text: 'Copy as hex' });
      copy.addEventListener('click', () => {
        void copyText(hex).then((done) => setText(copy, done ? 'Copied' : 'Could not copy'));
      });
      details.append(
        h(
          'div',
          { class: 'frame-body' },
          h('p', { text: `${source} · ${peer} · ${length} bytes ${direction === 'in' ? 'received' : 'sent'}` }),
          problem !== undefined && h('p', { class: 'problem', text: `${problem.code}: ${problem.text}` }),
          kind === 'frame' && reason !== undefined && h('p', { class: 'problem', text: `not accepted: ${reason}` }),
          frame.parts.length > 0 ? partsTable(frame) : hexView(frame, 512),
          copy,
        ),
      );
    },
    { once: true },
  );
  return details;
}

/** The clipboard is only there on https and localhost; elsewhere a selection does it. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = h('textarea', { class: 'sr' });
    field.value = text;
    document.body.append(field);
    field.select();
    // Deprecated, and the only way on a page without TLS.
    const done = document.execCommand('copy');
    field.remove();
    return done;
  }
}
