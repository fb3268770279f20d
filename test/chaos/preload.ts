/**
 * Loaded into the gateway before its own code (`node --import`), for tests only: lets its clocks and its disk lie when
 * the parent process says so.
 *
 * ```
 *   parent ─ Control (IPC) ─→ Date.now, new Date(), performance.now, fs.write, fs.fsync …
 *          ←─ Struck ───────
 * ```
 */
import fs from 'node:fs';
import fsPromises, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { performance as hooks } from 'node:perf_hooks';

/** What is wrong; what is left out stays as it was. */
export interface Control {
  /** Added to the wall clock, milliseconds. */
  readonly wallShiftMs?: number;
  /** Added to the monotonic clock. */
  readonly monotonicShiftMs?: number;
  /** What fsync and fdatasync fail with, e.g. `EIO`; '' for no longer. */
  readonly fsync?: string;
  /** How many of them fail; default: all. */
  readonly fsyncTimes?: number;
  /** What writes to files fail with, e.g. `ENOSPC`; '' for no longer. */
  readonly write?: string;
}

/** How many calls have failed because of it. */
export interface Struck {
  readonly fsync: number;
  readonly write: number;
}

const struck = { fsync: 0, write: 0 };
let wallShiftMs = 0;
let monotonicShiftMs = 0;
let fsyncCode = '';
let fsyncTimes = Number.POSITIVE_INFINITY;
let writeCode = '';

function obey(control: Control): void {
  wallShiftMs = control.wallShiftMs ?? wallShiftMs;
  monotonicShiftMs = control.monotonicShiftMs ?? monotonicShiftMs;
  if (control.fsync !== undefined) {
    fsyncCode = control.fsync;
    fsyncTimes = control.fsyncTimes ?? Number.POSITIVE_INFINITY;
  }
  writeCode = control.write ?? writeCode;
}

obey(JSON.parse(process.env['CHAOS_CONTROL'] ?? '{}') as Control);
process.on('message', (control: Control) => obey(control));
// The channel alone keeps nobody running.
process.channel?.unref();

// --- clocks --------------------------------------------------------------------------------------------------------

const TrueDate = Date;
globalThis.Date = new Proxy(TrueDate, {
  construct: (target, args: unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [TrueDate.now() + wallShiftMs] : args, newTarget) as Date,
  get: (target, name, receiver): unknown =>
    name === 'now' ? () => TrueDate.now() + wallShiftMs : Reflect.get(target, name, receiver),
});

const trueNow = hooks.now.bind(hooks);
hooks.now = () => trueNow() + monotonicShiftMs;

// --- disk ----------------------------------------------------------------------------------------------------------

type Anything = (...args: unknown[]) => unknown;

/** The error that this call meets now, if any. */
function fault(kind: 'fsync' | 'write'): NodeJS.ErrnoException | undefined {
  const code = kind === 'fsync' ? fsyncCode : writeCode;
  if (code === '' || (kind === 'fsync' && fsyncTimes <= 0)) return undefined;
  if (kind === 'fsync') fsyncTimes--;
  struck[kind]++;
  process.send?.(struck);
  return Object.assign(new Error(`${code}: injected, ${kind}`), { code, syscall: kind });
}

/** Standard output and error are no files here, and sockets do not come this way. */
function isFile(args: readonly unknown[]): boolean {
  return typeof args[0] !== 'number' || args[0] > 2;
}

function strikeCallback(name: keyof typeof fs, kind: 'fsync' | 'write'): void {
  const real = fs[name] as unknown as Anything;
  const struckOne = (...args: unknown[]): unknown => {
    const error = isFile(args) ? fault(kind) : undefined;
    if (error === undefined) return real(...args);
    const callback = args.at(-1) as (error: Error) => void;
    setImmediate(() => callback(error));
    return undefined;
  };
  Object.assign(fs, { [name]: struckOne });
}

function strikeSync(name: keyof typeof fs, kind: 'fsync' | 'write'): void {
  const real = fs[name] as unknown as Anything;
  const struckOne = (...args: unknown[]): unknown => {
    const error = isFile(args) ? fault(kind) : undefined;
    if (error !== undefined) throw error;
    return real(...args);
  };
  Object.assign(fs, { [name]: struckOne });
}

for (const name of ['fsync', 'fdatasync'] as const) strikeCallback(name, 'fsync');
for (const name of ['write', 'writev'] as const) strikeCallback(name, 'write');
for (const name of ['fsyncSync', 'fdatasyncSync'] as const) strikeSync(name, 'fsync');
for (const name of ['writeSync', 'writevSync', 'writeFileSync'] as const) strikeSync(name, 'write');
syncBuiltinESMExports();

const handle = await fsPromises.open(import.meta.filename, 'r');
const prototype = Object.getPrototypeOf(handle) as FileHandle & Record<string, Anything>;
await handle.close();
for (const [name, kind] of [
  ['sync', 'fsync'],
  ['datasync', 'fsync'],
  ['write', 'write'],
  ['writev', 'write'],
  ['writeFile', 'write'],
] as const) {
  const real = prototype[name] as Anything;
  Object.assign(prototype, {
    [name](this: FileHandle, ...args: unknown[]): Promise<unknown> {
      const error = fault(kind);
      return error === undefined ? (real.apply(this, args) as Promise<unknown>) : Promise.reject(error);
    },
  });
}
