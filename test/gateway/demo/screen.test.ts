import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { cut, Screen } from '../../../gateway/demo/screen.ts';
import type { SeenDevice } from '../../../gateway/demo/subscriber.ts';

test('a cut line ends in …, and colours do not count', () => {
  expect(cut('0123456789', 11)).toBe('0123456789');
  expect(cut('0123456789', 10)).toBe('01234567…');
  expect(cut('\x1b[2m01234\x1b[22m56789', 10)).toBe('\x1b[2m01234\x1b[22m567…');
});

function device(transport: string, name: string): SeenDevice {
  return {
    alias: 'a1b2c3d4e5f60718',
    id: 'a1b2c3d4e5f60718',
    name,
    transport,
    units: new Map(),
    writable: undefined,
    received: 1,
    values: new Map([['temperature', '21.5']]),
    at: 1,
  };
}

const before = Object.getOwnPropertyDescriptors(process.stdout);
let written = '';
beforeEach(() => {
  written = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((piece) => {
    written += String(piece);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const name of ['isTTY', 'columns', 'rows'] as const) {
    const old = before[name];
    if (old === undefined) Reflect.deleteProperty(process.stdout, name);
    else Object.defineProperty(process.stdout, name, old);
  }
});

function terminal(size: { isTTY: boolean; columns?: number; rows?: number }): void {
  for (const [name, value] of Object.entries(size)) {
    Object.defineProperty(process.stdout, name, { value, configurable: true, writable: true });
  }
}

test('after a resize the table is drawn on an empty screen, once', () => {
  terminal({ isTTY: true, columns: 60, rows: 24 });
  const screen = new Screen(() => [device('tcp', 'Thermometer'), device('udp', 'Door contact')]);
  screen.heading(['the heading', 'more of it']);
  screen.start();
  process.stdout.emit('resize');
  written = '';
  terminal({ isTTY: true, columns: 30, rows: 24 });
  process.stdout.emit('resize');
  expect(written.startsWith('\x1b[H\x1b[2J')).toBe(true);
  expect(written).toContain('the heading');
  // No row above is drawn over: there is none.
  // oxlint-disable-next-line no-control-regex
  expect(written).not.toMatch(/\x1b\[\d+A/);
  expect(written.split('\n').filter((line) => line.includes('…')).length).toBe(2);
  written = '';
  screen.stop();
  expect(written).toContain('\x1b[2A');
  expect(process.stdout.listenerCount('resize')).toBe(0);
});

test('no more rows than the terminal has', () => {
  terminal({ isTTY: true, columns: 60, rows: 3 });
  const screen = new Screen(() => Array.from({ length: 9 }, (_, n) => device('tcp', `Device ${n}`)));
  screen.stop();
  expect(written.match(/Device/g)?.length).toBe(2);
});

test('in a pipe a reading is printed once its device has a name', () => {
  terminal({ isTTY: false });
  const screen = new Screen(() => []);
  screen.reading(device('', ''));
  expect(written).toBe('');
  screen.reading(device('tcp', 'Thermometer'));
  expect(written).toContain('Thermometer');
});
