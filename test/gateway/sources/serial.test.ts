import { execFileSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { select } from '../../../gateway/select.ts';
import { openSerialLine, SerialLine } from '../../../gateway/sources/serial-line.ts';
import { type SerialOptions, SerialSource } from '../../../gateway/sources/serial.ts';
import { ERROR, READ, type StreamChannel } from '../../../gateway/sources/source.ts';
import { OUTPUT_LIMIT } from '../../../gateway/sources/stream-channel.ts';
import { lacks, pythonRuns } from '../../helpers/programs.ts';
import { openPtyPair, type PtyPair } from '../../helpers/pty.ts';
import { acceptStream, fakeContext, readBytes, untilState } from './context.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function cable(options: Parameters<typeof openPtyPair>[0] = {}): Promise<PtyPair> {
  const pair = await openPtyPair(options);
  cleanups.push(() => pair.close());
  return pair;
}

async function open(
  path: string,
  options: Partial<SerialOptions> = {},
  context = fakeContext(),
): Promise<SerialSource> {
  const source = new SerialSource({ path, baud: 115_200, ...options }, context);
  cleanups.push(() => source.close());
  await source.open();
  return source;
}

async function accept(source: SerialSource): Promise<StreamChannel> {
  const channel = await acceptStream(source);
  cleanups.push(() => channel.abort());
  return channel;
}

/** Both ends of a cable as channels. */
async function ends(pair: PtyPair, context = fakeContext()): Promise<[StreamChannel, StreamChannel]> {
  return [await accept(await open(pair.a, {}, context)), await accept(await open(pair.b))];
}

async function writeAll(channel: StreamChannel, bytes: Uint8Array): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) {
    await select([], [channel], [], undefined);
    rest = rest.subarray(channel.write(rest));
  }
}

/** Share of one core that this process uses over a time. */
async function cpuShare(ms: number): Promise<number> {
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, ms));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / ms;
}

const programs: ('socat' | 'python3')[] = ['socat', 'python3'];
for (const program of programs) {
  describe.skipIf(lacks(program) || (program === 'python3' && !pythonRuns()))(`a cable by ${program}`, () => {
    test('bytes both ways, all values, many at once', async () => {
      const [a, b] = await ends(await cable({ program }));
      const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      await writeAll(a, every);
      expect((await readBytes(b, 256)).equals(every)).toBe(true);
      const big = Buffer.alloc(300_000);
      for (let i = 0; i < big.length; i++) big[i] = (i * 31) >> 3;
      const [, got] = await Promise.all([writeAll(b, big), readBytes(a, big.length)]);
      expect(got.equals(big)).toBe(true);
      expect(a.bytesRead).toBe(big.length);
    });

    test('the other end dies while data flows: DEVICE_LOST, no spinning, and open again when it is back', async () => {
      const context = fakeContext();
      const pair = await cable({ program });
      const source = await open(pair.a, {}, context);
      const channel = await accept(source);
      const peer = await accept(await open(pair.b));
      const sending = new AbortController();
      const pump = (async () => {
        while (!sending.signal.aborted && peer.error === undefined) {
          await select([], [peer], [], 20);
          peer.write(Buffer.alloc(1_000, 'x'));
        }
      })();
      await readBytes(channel, 20_000);
      await pair.kill();
      while (channel.error === undefined) {
        await select([channel], [], [], undefined);
        channel.read(4_096);
      }
      sending.abort();
      await pump;
      expect(channel.error.code).toBe('DEVICE_LOST');
      expect(channel.error.where).toBe(source.id);
      // The path once is enough.
      expect(channel.id).toBe(source.id);
      expect(channel.ready & ERROR).toBe(ERROR);
      await untilState(source, ({ state }) => state === 'failed');
      expect(source.error?.code).toBe('DEVICE_LOST');
      // serialport's own loop would take most of a core here.
      expect(await cpuShare(300)).toBeLessThan(0.5);
      expect(channel.write(Buffer.from('late'))).toBe(0);
      channel.close();

      context.advance(2_000);
      await untilState(source, ({ error }) => error?.code === 'DEVICE_MISSING');
      const back = await cable({ program, at: dirname(pair.a) });
      context.advance(2_000);
      const channel2 = await accept(source);
      expect(source.state).toBe('open');
      const peer2 = await accept(await open(back.b));
      await writeAll(peer2, Buffer.from('hello again'));
      expect((await readBytes(channel2, 11)).toString()).toBe('hello again');
    });
  });
}

describe.skipIf(lacks('socat'))('a line', () => {
  test('that is idle when its other end dies tells it too', async () => {
    const pair = await cable();
    const channel = await accept(await open(pair.a));
    await pair.kill();
    await select([], [], [channel], undefined);
    expect(channel.error?.code).toBe('DEVICE_LOST');
  });

  test('that nobody reads, and whose writes had to wait, costs nothing', async () => {
    const [a, b] = await ends(await cable());
    // More than a reads ahead, so some is left in the terminal, but no more than fits, or socat itself would wait for a.
    await writeAll(b, Buffer.alloc(22_000, 'x'));
    while (b.room < OUTPUT_LIMIT || (a.ready & READ) === 0) await select([], [], [a, b], 5);
    // Then more the other way than fits at once.
    const big = Buffer.alloc(300_000, 'y');
    await Promise.all([writeAll(a, big), readBytes(b, big.length)]);
    expect(await cpuShare(300)).toBeLessThan(0.5);
    // It goes on where it stopped, with nothing lost.
    expect((await readBytes(a, 22_000)).length).toBe(22_000);
  });

  test('closes after its output has left, and is opened again by its source', async () => {
    const context = fakeContext();
    const pair = await cable();
    const source = await open(pair.a, {}, context);
    const channel = await accept(source);
    const peer = await accept(await open(pair.b));
    channel.write(Buffer.from('farewell'));
    channel.close();
    expect((await readBytes(peer, 8)).toString()).toBe('farewell');
    // A serial line has no end of its own: what the peer still sends is dropped until the time is over.
    context.advance(5_000);
    await untilState(source, ({ state }) => state === 'opening');
    context.advance(2_000);
    await untilState(source, ({ state }) => state === 'open');
    const again = await accept(source);
    peer.write(Buffer.from('x'));
    expect((await readBytes(again, 1)).toString()).toBe('x');
  });

  test('that is silent for too long is closed and opened again; one that speaks is not', async () => {
    const context = fakeContext();
    const pair = await cable();
    const source = await open(pair.a, { silenceMs: 1_000 }, context);
    const channel = await accept(source);
    const peer = await accept(await open(pair.b));
    for (let i = 0; i < 4; i++) {
      context.advance(600);
      await writeAll(peer, Buffer.from('.'));
      await readBytes(channel, 1);
    }
    expect(source.state).toBe('open');
    context.advance(999);
    expect(channel.error).toBeUndefined();
    context.advance(1);
    await untilState(source, ({ state }) => state === 'failed');
    expect(channel.error?.code).toBe('LINE_SILENT');
    expect(source.error?.code).toBe('LINE_SILENT');
    context.advance(2_000);
    await untilState(source, ({ state }) => state === 'open');
  });

  test('that nobody reads is not called silent', async () => {
    const context = fakeContext();
    const pair = await cable();
    const source = await open(pair.a, { silenceMs: 1_000 }, context);
    await accept(source);
    const peer = await accept(await open(pair.b));
    const chunk = Buffer.alloc(OUTPUT_LIMIT, 'x');
    while ((await select([], [peer], [], 100))[1].length > 0) peer.write(chunk);
    context.advance(10_000);
    expect(source.state).toBe('open');
  });

  test('taken by another program', async () => {
    const pair = await cable();
    const context = fakeContext();
    const first = await accept(await open(pair.a));
    const second = await open(pair.a, {}, context);
    expect(second.state).toBe('failed');
    expect(second.error?.code).toBe('DEVICE_BUSY');
    first.abort();
    // The lock goes with the descriptor, which is closed in the background.
    while (second.state === 'failed') {
      context.advance(2_000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(second.state).toBe('open');
  });

  test('closing the source before the line is open leaves nothing behind', async () => {
    const pair = await cable();
    const source = new SerialSource({ path: pair.a, baud: 9_600 }, fakeContext());
    const opened = source.open();
    await source.close();
    await opened;
    expect(source.state).toBe('closed');
    expect(source.accept()).toBeUndefined();
    const retry = fakeContext();
    const next = await open(pair.a, {}, retry);
    while (next.state === 'failed') {
      retry.advance(2_000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(next.state).toBe('open');
  });

  test('whose read gives 0 bytes was hung up', async () => {
    // /dev/null reads as a hung-up terminal does where the poller has no error to tell.
    const poller = Object.assign(new EventEmitter(), {
      poll: (events: number) => void (events !== 0 && setImmediate(() => poller.emit('readable', null))),
      stop: () => {},
    });
    const fd = openSync('/dev/null', 'r+');
    const port = {
      fd,
      poller,
      isOpen: true,
      read: async () => ({ bytesRead: 0 }),
      write: async () => {},
      flush: async () => {},
      close: async () => closeSync(fd),
    };
    const line = new SerialLine('serial:x', port, () => 0);
    const failed = once(line, 'error');
    line.on('readable', () => {});
    expect((await failed)[0]).toMatchObject({ code: 'DEVICE_LOST' });
  });

  test('one error and one close, however it ends', async () => {
    const pair = await cable();
    const line = await openSerialLine(
      'serial:x',
      pair.a,
      { baud: 9_600, dataBits: 8, parity: 'none', stopBits: 1, flowControl: 'none' },
      () => 0,
    );
    const events: string[] = [];
    line.on('error', () => events.push('error'));
    line.on('close', () => events.push('close'));
    line.on('readable', () => {});
    line.write('x');
    const closed = new Promise((resolve) => line.once('close', resolve));
    await pair.kill();
    line.write('y');
    await closed;
    line.write('z');
    line.destroy();
    await cpuShare(20);
    expect(events).toEqual(['error', 'close']);
  });

  test('is set up as it was asked for', async () => {
    const pair = await cable();
    await accept(await open(pair.a, { baud: 19_200, stopBits: 2, flowControl: 'rtscts' }));
    // A pseudo-terminal has 8 data bits and no parity whatever is asked for.
    const shown = execFileSync('stty', ['-a', '-F', pair.a]).toString();
    for (const word of ['speed 19200', 'cs8', ' cstopb', ' crtscts', '-ixon', '-icanon', '-echo ']) {
      expect(shown).toContain(word);
    }
  });
});

describe('a device', () => {
  test('that is missing is told, looked for again, and found by a link', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'by-id-'));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'usb-Some_Sensor-if00');
    const context = fakeContext();
    const source = await open(path, {}, context);
    expect(source.state).toBe('failed');
    expect(source.error?.code).toBe('DEVICE_MISSING');
    expect(source.error?.message).toContain('bytes2mqtt ports');
    let changes = 0;
    source.onState = () => changes++;
    context.advance(10_000);
    expect(changes).toBe(0);
    writeFileSync(path, 'a file');
    context.advance(2_000);
    expect(source.error?.code).toBe('DEVICE_MISSING');
    expect(source.error?.message).toContain('not a serial device');
    rmSync(path);
    if (lacks('socat')) return;
    const pair = await cable();
    symlinkSync(pair.a, path);
    context.advance(2_000);
    await untilState(source, ({ state }) => state === 'open');
  });
});
