/** The functions of expressions, as data; the language reference lists them from here. */

export interface FunctionDeclaration {
  /** How it is written, for messages and docs. */
  readonly usage: string;
  readonly note: string;
  readonly takes: readonly ('number' | 'text')[];
  /** The fewest arguments, when not all of `takes`. */
  readonly least?: number;
  /** More of the last one may follow. */
  readonly more?: boolean;
  readonly gives: 'number' | 'bool' | 'text';
  readonly ofNumbers?: (args: readonly number[]) => number;
  readonly ofText?: (text: string) => number;
  readonly toText?: (args: readonly number[]) => string | undefined;
}

const N = 'number';

export const FUNCTIONS: Readonly<Record<string, FunctionDeclaration>> = {
  abs: plain('abs(x)', 'without sign', 1, ([x]) => Math.abs(x!)),
  min: { ...plain('min(a, b, …)', 'the least', 2, (args) => least(args)), more: true },
  max: { ...plain('max(a, b, …)', 'the greatest', 2, (args) => -least(args.map((x) => -x))), more: true },
  round: {
    ...plain('round(x, decimals)', 'rounded; `decimals` may be left out', 2, ([x, n = 0]) =>
      Number(x!.toFixed(within(n, 0, 15))),
    ),
    least: 1,
  },
  trunc: plain('trunc(x)', 'without decimals', 1, ([x]) => Math.trunc(x!)),
  floor: plain('floor(x)', 'the next whole number below', 1, ([x]) => Math.floor(x!)),
  ceil: plain('ceil(x)', 'the next whole number above', 1, ([x]) => Math.ceil(x!)),
  pow: plain('pow(x, y)', 'x to the power of y', 2, ([x, y]) => x! ** y!),
  sqrt: plain('sqrt(x)', 'square root', 1, ([x]) => Math.sqrt(x!)),
  bit: {
    ...plain('bit(x, n)', 'whether bit n of x is set, 0 being the lowest', 2, ([x, n]) => Math.floor(x! / 2 ** n!) % 2),
    gives: 'bool',
  },
  signed: plain('signed(x, bits)', 'x as a two’s complement number of so many bits', 2, ([x, bits]) =>
    x! >= 2 ** (bits! - 1) ? x! - 2 ** bits! : x!,
  ),
  bcd: plain('bcd(x)', 'the digits of 0x1234 as the number 1234', 1, ([x]) => fromBcd(x!)),
  dm: plain('dm(x)', 'degrees of ddmm.mmmm (NMEA)', 1, ([x]) => {
    const degrees = Math.trunc(x! / 100);
    return degrees + (x! - degrees * 100) / 60;
  }),
  unix: {
    ...plain(
      'unix(year, month, day, hour, minute, second)',
      'Unix seconds of a time in UTC',
      6,
      ([y, mo, d, h = 0, mi = 0, s = 0]) =>
        isDate(y!, mo!, d!) ? Date.UTC(y!, mo! - 1, d, h, mi, s) / 1_000 : Number.NaN,
    ),
    least: 3,
  },
  date: {
    usage: 'date(year, month, day)',
    note: 'text such as 2024-02-29',
    takes: [N, N, N],
    gives: 'text',
    toText: ([y, m, d]) => (isDate(y!, m!, d!) ? `${pad(y!, 4)}-${pad(m!, 2)}-${pad(d!, 2)}` : undefined),
  },
  datetime: {
    usage: 'datetime(year, month, day, hour, minute, second)',
    note: 'text such as 2024-02-29T23:59:00Z',
    takes: [N, N, N, N, N, N],
    gives: 'text',
    toText: ([y, m, d, h, mi, s]) =>
      isDate(y!, m!, d!)
        ? `${pad(y!, 4)}-${pad(m!, 2)}-${pad(d!, 2)}T${pad(h!, 2)}:${pad(mi!, 2)}:${pad(s!, 2)}Z`
        : undefined,
  },
  hex: {
    usage: 'hex(x, digits)',
    note: 'text such as 0a1b; `digits` may be left out',
    takes: [N, N],
    least: 1,
    gives: 'text',
    toText: ([x, digits = 2]) =>
      Math.abs(Math.trunc(x!))
        .toString(16)
        .padStart(within(digits, 1, 16), '0'),
  },
  length: {
    usage: 'length(text)',
    note: 'how many characters a text has',
    takes: ['text'],
    gives: 'number',
    ofText: (text) => text.length,
  },
  value: {
    usage: 'value(text)',
    note: 'the number that a text says',
    takes: ['text'],
    gives: 'number',
    ofText: (text) => (/^\s*[+-]?\d+(?:\.\d+)?\s*$/.test(text.slice(0, 40)) ? Number(text) : Number.NaN),
  },
};

function plain(
  usage: string,
  note: string,
  count: number,
  ofNumbers: (args: readonly number[]) => number,
): FunctionDeclaration {
  return { usage, note, takes: Array.from({ length: count }, () => N), gives: 'number', ofNumbers };
}

function least(args: readonly number[]): number {
  return args.reduce((a, b) => Math.min(a, b));
}

function within(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, Math.trunc(value)));
}

const TWO_DIGITS: readonly string[] = Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0'));

function pad(value: number, digits: 2 | 4): string {
  const whole = Math.trunc(value);
  return digits === 2 && whole >= 0 && whole < 100 ? TWO_DIGITS[whole]! : String(whole).padStart(digits, '0');
}

/** Whether there is such a day: a device that has lost its clock sends zeros. */
function isDate(year: number, month: number, day: number): boolean {
  if (!(year >= 1 && year <= 9_999 && month >= 1 && month <= 12 && day >= 1)) return false;
  if (month === 2) return day <= (year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28);
  return day <= (month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31);
}

function fromBcd(value: number): number {
  let result = 0;
  let factor = 1;
  for (let rest = Math.trunc(value); rest > 0; rest = Math.floor(rest / 16)) {
    const digit = rest % 16;
    if (digit > 9) return Number.NaN;
    result += digit * factor;
    factor *= 10;
  }
  return result;
}
