/** What the demo shows: a table that renews itself on a terminal, a line for each reading elsewhere. */
import { printable } from '../../protocol/index.ts';
import { type Paint, paintFor, printOut } from '../commands/terminal.ts';
import type { SeenDevice } from './subscriber.ts';

const REDRAW_MS = 250;
const NAME_WIDTH = 18;
const DEFAULT_COLUMNS = 80;

export class Screen {
  readonly #paint: Paint = paintFor(process.stdout);
  readonly #devices: () => Iterable<SeenDevice>;
  readonly #live = process.stdout.isTTY;
  readonly #onResize = (): void => this.#drawAnew();
  #heading = '';
  #timer: NodeJS.Timeout | undefined;
  #rows = 0;
  #stopped = false;

  constructor(devices: () => Iterable<SeenDevice>) {
    this.#devices = devices;
  }

  heading(lines: readonly string[]): void {
    const [first = '', ...rest] = lines;
    this.#heading = `${[this.#paint.bold(first), ...rest].join('\n')}\n\n`;
    process.stdout.write(this.#heading);
  }

  start(): void {
    if (!this.#live) return;
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
    process.stdout.on('resize', this.#onResize);
  }

  /** The last picture; a second call does nothing. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#timer);
    process.stdout.off('resize', this.#onResize);
    if (this.#live) this.#draw();
    printOut('');
  }

  /** One reading has come. Of a device whose name is still to come, a line would say little. */
  reading(device: SeenDevice): void {
    if (!this.#live && device.name !== '') printOut(this.#row(device));
  }

  /** The terminal may have broken the rows anew, so nobody knows how many lines they take. */
  #drawAnew(): void {
    process.stdout.write(`\x1b[H\x1b[2J${this.#heading}`);
    this.#rows = 0;
    this.#draw();
  }

  /** Over the rows of the last time. */
  #draw(): void {
    const devices = Array.from(this.#devices()).toSorted((a, b) => (place(a) < place(b) ? -1 : 1));
    const { columns, rows: lines } = process.stdout;
    // What has left the screen at its upper edge cannot be drawn over. A terminal of unknown size says 0.
    const rows = devices.slice(0, lines > 1 ? lines - 1 : devices.length).map((device) => this.#row(device));
    const width = columns > 0 ? columns : DEFAULT_COLUMNS;
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

/** Cuts a line to the width of the terminal, so that it stays one row, and says so by `…`; colours do not count. */
export function cut(line: string, width: number): string {
  // oxlint-disable-next-line no-control-regex
  const pieces = Array.from(line.matchAll(/(\x1b\[\d+m)|./gu), ([piece, colour]) => ({ piece, colour }));
  // The last column stays empty: some terminals begin a new row with it.
  const room = width - 1;
  const total = pieces.filter(({ colour }) => colour === undefined).length;
  if (total <= room) return line;
  let shown = 0;
  let out = '';
  for (const { piece, colour } of pieces) {
    if (colour !== undefined) out += piece;
    else if (++shown < room) out += piece;
    else if (shown === room) out += '…';
  }
  return out;
}
