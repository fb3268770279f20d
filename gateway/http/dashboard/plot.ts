/** The last hours of one channel: the line of its values, and around it the least and greatest of each ten seconds. */
import uPlot from 'uplot';
import type { DeviceHistory } from '../api-types.ts';
import { h } from './dom.ts';
import type { LiveChannel } from './store.ts';

const HEIGHT = 160;
const BUCKET_MS = 10_000;
/** Redrawn at most this often. */
const DRAW_MS = 1_000;

/** Columns for uPlot: seconds, last, least, greatest. */
type Columns = [number[], number[], number[], number[]];

export class Plot {
  readonly element: HTMLElement;
  readonly #channel: LiveChannel;
  readonly #resize: ResizeObserver;
  readonly #scheme = matchMedia('(prefers-color-scheme: dark)');
  readonly #onScheme = (): void => this.#make();
  #data: Columns = [[], [], [], []];
  #spanMs = 0;
  #chart: uPlot | undefined;
  #timer: number | undefined;

  constructor(channel: LiveChannel) {
    this.#channel = channel;
    const { name, unit } = channel;
    this.element = h('figure', { class: 'plot', 'aria-label': `${name} over the last hours` });
    this.element.append(h('figcaption', { text: unit === '' ? name : `${name} (${unit})` }));
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
  }

  /** Colours are fixed in a chart: another scheme is another chart. */
  #make(): void {
    this.#chart?.destroy();
    const style = getComputedStyle(this.element);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const axis = { stroke: colour('--muted'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
    const { unit, type } = this.#channel;
    const stepped = type === 'bool' ? uPlot.paths.stepped?.({ align: 1 }) : undefined;
    this.#chart = new uPlot(
      {
        width: this.#width,
        height: HEIGHT,
        cursor: { points: { size: 6 } },
        legend: { show: true, live: true },
        scales: { x: { time: true } },
        axes: [axis, { ...axis, size: 56 }],
        series: [
          {},
          {
            label: unit === '' ? 'last' : `last ${unit}`,
            stroke: colour('--accent'),
            width: 2,
            points: { show: false },
            ...(stepped !== undefined && { paths: stepped }),
          },
          { label: 'least', stroke: 'transparent', points: { show: false } },
          { label: 'greatest', stroke: 'transparent', points: { show: false } },
        ],
        bands: [{ series: [3, 2], fill: colour('--band') }],
      },
      this.#data,
      this.element,
    );
  }
}
