/** The last minutes of a number as a small line, drawn without axes. */

const WIDTH = 96;
const HEIGHT = 24;
const MAX_POINTS = 90;

export class Sparkline {
  readonly element = document.createElement('canvas');
  readonly #values: number[] = [];
  #due = false;

  constructor(label: string) {
    const { element } = this;
    element.width = WIDTH * 2;
    element.height = HEIGHT * 2;
    element.className = 'sparkline';
    element.setAttribute('role', 'img');
    element.setAttribute('aria-label', `recent values of ${label}`);
  }

  add(...values: number[]): void {
    this.#values.push(...values);
    this.#values.splice(0, this.#values.length - MAX_POINTS);
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#due = false;
    const { element } = this;
    const context = element.getContext('2d');
    const values = this.#values;
    if (context === null || !element.isConnected) return;
    context.clearRect(0, 0, element.width, element.height);
    if (values.length < 2) return;
    const low = Math.min(...values);
    const high = Math.max(...values);
    const span = high - low || 1;
    const step = (element.width - 4) / (MAX_POINTS - 1);
    const from = element.width - 2 - step * (values.length - 1);
    context.strokeStyle = getComputedStyle(element).color;
    context.lineWidth = 2.5;
    context.lineJoin = 'round';
    context.beginPath();
    for (const [at, value] of values.entries()) {
      const y = high === low ? element.height / 2 : 3 + (1 - (value - low) / span) * (element.height - 6);
      if (at === 0) context.moveTo(from, y);
      else context.lineTo(from + at * step, y);
    }
    context.stroke();
  }
}
