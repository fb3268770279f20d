/** What the demo shows: a table that renews itself on a terminal, a line for each reading elsewhere. */
import { printable } from '../../protocol/index.ts';
import { type Paint, paintFor, printOut } from '../commands/terminal.ts';
import type { SeenDevice } from './subscriber.ts';

const REDRAW_MS = 250;
const NAME_WIDTH = 18;

export class Screen {
  readonly #paint: Paint = paintFor(process.stdout);
  readonly #devices: () => Iterable<SeenDevice>;
  readonly #live = process.stdout.isTTY;
  #timer: NodeJS.Timeout | undefined;
  #rows = 0;

  constructor(devices: () => Iterable<SeenDevice>) {
    this.#devices = devices;
  }

  heading(lines: readonly string[]): void {
    const [first = '', ...rest] = lines;
    printOut(this.#paint.bold(first));
    for (const line of rest) printOut(line);
    printOut('');
  }

  start(): void {
    if (this.#live) this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    if (this.#live) this.#draw();
    printOut('');
  }

  /** One reading has come. */
  reading(device: SeenDevice): void {
    if (!this.#live) printOut(this.#row(device));
  }

  /** Over the rows of the last time. */
  #draw(): void {
    const devices = Array.from(this.#devices()).toSorted((a, b) => (place(a) < place(b) ? -1 : 1));
    const rows = devices.map((device) => this.#row(device));
    const width = process.stdout.columns;
    const up = this.#rows > 0 ? `\x1b[${this.#rows}A` : '';
    process.stdout.write(`${up}${rows.map((row) => `\x1b[2K${cut(row, width)}\n`).join('')}`);
    this.#rows = rows.length;
  }

  #row(device: SeenDevice): string {
    const { dim, green, cyan } = this.#paint;
    const name = printable(device.name === '' ? device.alias : device.name, NAME_WIDTH);
    const time = device.at === 0 ? '--:--:--' : new Date(device.at).toTimeString().slice(0, 8);
    const values = Array.from(device.values, ([alias, value]) => {
      const unit = printable(device.units.get(alias) ?? '', 16);
      return `${dim(alias)} ${green(value)}${unit === '' ? '' : ` ${unit}`}`;
    });
    const count = String(device.received).padStart(5);
    return `${cyan(device.transport.padEnd(6))} ${name.padEnd(NAME_WIDTH)} ${dim(time)} ${count}  ${values.join('  ')}`;
  }
}

/** What the rows are sorted by: it does not change with the values. */
function place({ transport, name, alias }: SeenDevice): string {
  return `${transport} ${name} ${alias}`;
}

/** Cuts a line to the width of the terminal, so that it stays one row; colours do not count. */
function cut(line: string, width: number): string {
  let shown = 0;
  let out = '';
  // oxlint-disable-next-line no-control-regex
  for (const [piece, colour] of line.matchAll(/(\x1b\[\d+m)|./gu)) {
    if (colour === undefined && ++shown > width - 1) continue;
    out += piece;
  }
  return out;
}
