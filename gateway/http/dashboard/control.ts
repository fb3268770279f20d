/** What sets a channel: a switch, a number, one of a few, a text, or a button. */
import type { SetAnswer } from '../api-types.ts';
import { h, setText } from './dom.ts';
import type { LiveChannel, LiveDevice, Store } from './store.ts';

const SHOWN_MS = 6_000;

export function control(store: Store, device: LiveDevice, channel: LiveChannel): HTMLElement {
  const note = h('span', { class: 'note', role: 'status' });
  let clear: number | undefined;
  const set = async (value: string | number | boolean): Promise<void> => {
    clearTimeout(clear);
    note.className = 'note';
    setText(note, 'sent …');
    let answer: SetAnswer;
    try {
      answer = await store.set(device.alias, channel.alias, value);
    } catch {
      answer = { status: 'failed', error: 'the gateway does not answer' };
    }
    const done = answer.status === 'done';
    note.className = done ? 'note good' : 'note bad';
    setText(note, done ? 'done' : (answer.error ?? answer.status));
    clear = window.setTimeout(() => setText(note, ''), SHOWN_MS);
  };
  return h('span', { class: 'control' }, ...fields(channel, set), note);
}

type Set = (value: string | number | boolean) => Promise<void>;

function fields(channel: LiveChannel, set: Set): HTMLElement[] {
  const kind = channel.control ?? (channel.type === 'bool' ? 'bool' : channel.type === 'string' ? 'text' : 'number');
  const label = `set ${channel.name}`;
  const act = (text: string, value: string | boolean, name = `${label}: ${text}`): HTMLElement => {
    const button = h('button', { type: 'button', text, 'aria-label': name });
    button.addEventListener('click', () => void set(value));
    return button;
  };
  switch (kind) {
    case 'bool':
      return [act('On', true), act('Off', false)];
    case 'button':
      return [act('Press', 'PRESS', channel.name)];
    case 'option': {
      const field = h(
        'select',
        { 'aria-label': label },
        h('option', { value: '', text: 'choose …' }),
        ...(channel.options ?? []).map((text) => h('option', { value: text, text, selected: text === channel.value })),
      );
      field.addEventListener('change', () => {
        if (field.value !== '') void set(field.value);
      });
      return [field];
    }
    case 'number':
    case 'text':
      return [typed(channel, kind, label, set)];
  }
}

function typed(channel: LiveChannel, kind: 'number' | 'text', label: string, set: Set): HTMLElement {
  const [min, max] = channel.range ?? [];
  const field =
    kind === 'number'
      ? h('input', {
          type: 'number',
          'aria-label': label,
          placeholder: min === undefined || max === undefined ? undefined : `${min} … ${max}`,
          min,
          max,
          step: channel.step ?? 'any',
          required: true,
        })
      : h('input', { type: 'text', 'aria-label': label, maxlength: 255 });
  const form = h('form', {}, field, h('button', { text: 'Set' }));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    // As it was typed: no digit is lost on the way.
    void set(field.value);
  });
  return form;
}
