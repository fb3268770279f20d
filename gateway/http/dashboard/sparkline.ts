/** The last minutes of a number as a small line without axes, as wide as there is room. */
import type { Trail } from './trail.ts';

const WIDTH = 80;
const HEIGHT = 24;
const SCALE = 2;
const EDGE = 3;

/** Those that can be seen; the others are not drawn. */
const inView = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) sparklines.get(target)?.seen(isIntersecting);
});
const sparklines = new WeakMap<Element, Sparkline>();

/** One look at the style for all of them: it makes the browser lay out the page. */
let colour = '';
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => (colour = ''));

export class Sparkline {
  readonly element = document.createElement('canvas');
  readonly #trail: Trail;
  readonly #stepped: boolean;
  #seen = false;
  #due = false;

  constructor(label: string, trail: Trail, stepped = false) {
    this.#trail = trail;
    this.#stepped = stepped;
    const { element } = this;
    element.width = WIDTH * SCALE;
    element.height = HEIGHT * SCALE;
    element.className = 'sparkline';
    element.setAttribute('role', 'img');
    element.setAttribute('aria-label', `recent values of ${label}`);
    sparklines.set(element, this);
    inView.observe(element);
  }

  seen(seen: boolean): void {
    this.#seen = seen;
    if (seen) this.redraw();
  }

  add(ms: number, value: number): void {
    if (this.#trail.add(ms, value)) this.redraw();
  }

  redraw(): void {
    if (this.#due || !this.#seen) return;
    this.#due = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#due = false;
    const { element } = this;
    const context = element.getContext('2d');
    const { t, v } = this.#trail;
    if (context === null || !element.isConnected) return;
    const { width, height } = element;
    context.clearRect(0, 0, width, height);
    if (t.length < 2) return;
    const low = Math.min(...v);
    const high = Math.max(...v);
    const from = t[0] as number;
    const span = (t.at(-1) as number) - from;
    const x = (ms: number): number => EDGE + ((ms - from) / span) * (width - 2 * EDGE);
    const y = (value: number): number =>
      high === low ? height / 2 : EDGE + ((high - value) / (high - low)) * (height - 2 * EDGE);
    if (colour === '') colour = getComputedStyle(element).color;
    context.strokeStyle = colour;
    context.lineWidth = 1.25 * SCALE;
    context.lineJoin = 'round';
    context.beginPath();
    for (const [at, ms] of t.entries()) {
      const value = v[at] as number;
      if (at === 0) context.moveTo(x(ms), y(value));
      else {
        if (this.#stepped) context.lineTo(x(ms), y(v[at - 1] as number));
        context.lineTo(x(ms), y(value));
      }
    }
    context.stroke();
  }
}
