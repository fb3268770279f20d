/** The last hours of one channel: the line of its values, and around it the least and greatest of each ten seconds. */
import uPlot from 'uplot';
import type { DeviceHistory } from '../api-types.ts';
import { h, setText } from './dom.ts';
import { clockText, timeText, valueText } from './format.ts';
import type { LiveChannel } from './store.ts';

const HEIGHT = 150;
const BUCKET_MS = 10_000;
/** Redrawn at most this often. */
const DRAW_MS = 1_000;
const LEAST_SPAN_S = 60;

/** Columns for uPlot: seconds, last, least, greatest. */
type Columns = [number[], number[], number[], number[]];

export class Plot {
  readonly element: HTMLElement;
  readonly #channel: LiveChannel;
  /** What stands under the pointer, or the newest value. */
  readonly #told = h('span', { class: 'told' });
  readonly #resize: ResizeObserver;
  readonly #scheme = matchMedia('(prefers-color-scheme: dark)');
  readonly #onScheme = (): void => this.#make();
  #data: Columns = [[], [], [], []];
  #spanMs = 0;
  #chart: uPlot | undefined;
  #timer: number | undefined;

  constructor(channel: LiveChannel) {
    this.#channel = channel;
    const { name } = channel;
    this.element = h(
      'figure',
      { class: 'plot', 'aria-label': `${name} over the last hours` },
      h('figcaption', {}, h('span', { text: name }), this.#told),
    );
    this.#resize = new ResizeObserver(() => this.#chart?.setSize({ width: this.#width, height: HEIGHT }));
    this.#resize.observe(this.element);
    this.#scheme.addEventListener('change', this.#onScheme);
  }

  fill(history: DeviceHistory[string] | undefined, spanMs: number): void {
    this.#spanMs = spanMs;
    const { t = [], last = [], min = [], max = [] } = history ?? {};
    this.#data = [t.map((ms) => ms / 1_000), [...last], [...min], [...max]];
    this.#make();
  }

  /** A value that has just come. */
  add(channel: LiveChannel): void {
    const value = typeof channel.value === 'boolean' ? Number(channel.value) : channel.value;
    if (typeof value !== 'number' || channel.ts === undefined || this.#chart === undefined) return;
    const at = (Math.floor(channel.ts / BUCKET_MS) * BUCKET_MS) / 1_000;
    const [t, last, min, max] = this.#data;
    const newest = t.length - 1;
    if (newest >= 0 && at <= (t[newest] as number)) {
      last[newest] = value;
      min[newest] = Math.min(min[newest] as number, value);
      max[newest] = Math.max(max[newest] as number, value);
    } else {
      t.push(at);
      for (const column of [last, min, max]) column.push(value);
      while (t.length > 0 && (t[0] as number) < at - this.#spanMs / 1_000)
        for (const column of this.#data) column.shift();
    }
    this.#timer ??= window.setTimeout(() => this.#draw(), DRAW_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#resize.disconnect();
    this.#scheme.removeEventListener('change', this.#onScheme);
    this.#chart?.destroy();
  }

  get #width(): number {
    return Math.max(200, this.element.clientWidth - 16);
  }

  #draw(): void {
    this.#timer = undefined;
    this.#chart?.setData(this.#data);
    this.element.dataset['points'] = String(this.#data[0].length);
    this.#tell(this.#chart?.cursor.idx);
  }

  #tell(at: number | null | undefined): void {
    const [t, last, min, max] = this.#data;
    const index = at ?? t.length - 1;
    const value = last[index];
    if (value === undefined) return setText(this.#told, '');
    const text = (number: number): string => this.#text(number);
    const [low, high] = [min[index] as number, max[index] as number];
    const range = low === high ? '' : ` (${text(low)} … ${text(high)})`;
    const unit = this.#channel.unit === '' ? '' : ` ${this.#channel.unit}`;
    setText(
      this.#told,
      `${at === undefined || at === null ? '' : `${timeText((t[index] as number) * 1_000)}  `}${text(value)}${unit}${range}`,
    );
  }

  #text(value: number): string {
    if (this.#channel.type === 'bool') return value === 0 ? 'off' : 'on';
    return valueText({ unit: '', precision: this.#channel.precision }, value);
  }

  /** Colours are fixed in a chart: another scheme is another chart. */
  #make(): void {
    this.#chart?.destroy();
    const style = getComputedStyle(this.element);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const font = `12px ${style.fontFamily}`;
    const axis = {
      stroke: colour('--muted'),
      font,
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
    };
    const isBool = this.#channel.type === 'bool';
    const stepped = isBool ? uPlot.paths.stepped?.({ align: 1 }) : undefined;
    this.#chart = new uPlot(
      {
        width: this.#width,
        height: HEIGHT,
        cursor: { points: { size: 7 }, y: false, drag: { x: false, y: false } },
        legend: { show: false },
        padding: [10, 26, 0, 0],
        scales: {
          x: { time: true, range: (_, from, to) => spanOf(from, to) },
          ...(isBool && { y: { range: [-0.15, 1.15] } }),
        },
        axes: [
          {
            ...axis,
            size: 28,
            space: 70,
            values: (_, splits, __, ___, step) => splits.map((at) => axisTime(at, step)),
          },
          {
            ...axis,
            size: 58,
            ...(isBool ? { splits: [0, 1], values: () => ['off', 'on'] } : { values: axisNumbers }),
          },
        ],
        series: [
          {},
          {
            stroke: colour('--accent'),
            width: 2,
            points: { show: (chart) => chart.data[0].length < 3, size: 5 },
            ...(stepped !== undefined && { paths: stepped }),
          },
          { stroke: 'transparent', points: { show: false } },
          { stroke: 'transparent', points: { show: false } },
        ],
        bands: [{ series: [3, 2], fill: colour('--band') }],
        hooks: { setCursor: [(chart) => this.#tell(chart.cursor.idx)] },
      },
      this.#data,
      this.element,
    );
    this.element.dataset['points'] = String(this.#data[0].length);
    this.#tell(undefined);
  }
}

/** A single value, or none, gets a minute around it. */
function spanOf(from: number | null, to: number | null): [number, number] {
  const end = to ?? Date.now() / 1_000;
  return [Math.min(from ?? end, end - LEAST_SPAN_S), end];
}

function axisTime(seconds: number, stepSeconds: number): string {
  const text = clockText(seconds * 1_000);
  return stepSeconds < 60 ? text.slice(0, 8) : text.slice(0, 5);
}

/** As many digits as the step between them asks for. */
function axisNumbers(_: unknown, splits: number[], __: number, ___: number, step: number): string[] {
  const digits = Math.max(0, Math.min(9, Math.ceil(-Math.log10(step) - 1e-9)));
  return splits.map((value) => (Math.abs(value) >= 1e6 ? value.toExponential(2) : value.toFixed(digits)));
}
