/** Simulated trackers, whose codecs need no file, over real connections. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { PlayedDevice } from '../../../device-sim/profile/played-device.ts';
import { play, type PlayOptions, type PlaySummary, type ProfileLink } from '../../../device-sim/profile/run.ts';
import { Random } from '../../../device-sim/random.ts';
import { profileCodec, type Profile } from '../../../protocol/index.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const TRACKER = profileCodec('gt06') as Profile;

interface Said {
  readonly message: string;
  readonly why: string;
  readonly hex: string;
  readonly values: Record<string, unknown>;
}

/** A run that a test ends; what it said, and where it listens. */
function start(link: ProfileLink, more: Partial<PlayOptions> = {}, profile: Profile = TRACKER) {
  const said: Said[] = [];
  const log: string[] = [];
  const waiting = new Set<() => void>();
  const stop = new AbortController();
  const tell = (): void => {
    for (const check of waiting) check();
  };
  const done = play(
    {
      link,
      devices: (random) => [
        new PlayedDevice({
          label: 'one',
          profile,
          parameters: {},
          fixed: { speed: 50 },
          messages: undefined,
          datagrams: link.kind === 'udp',
          random,
        }),
      ],
      ratePerS: 50,
      baud: 9_600,
      forS: undefined,
      count: undefined,
      seed: 5,
      faults: {},
      maxWaitS: 0.2,
      json: true,
      ...more,
    },
    {
      out: (line) => {
        const parsed = JSON.parse(line) as Said;
        if (parsed.hex !== undefined) said.push(parsed);
        tell();
      },
      log: (line) => {
        log.push(line);
        tell();
      },
    },
    stop.signal,
  );
  cleanups.push(async () => {
    stop.abort();
    await done;
  });
  const until = (condition: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  return {
    said,
    log,
    until,
    end: async (): Promise<PlaySummary> => {
      stop.abort();
      return done;
    },
    port: async (): Promise<number> => {
      await until(() => log.some((line) => line.startsWith('listening')));
      return Number(/:(\d+)$/.exec(log.find((line) => line.startsWith('listening')) ?? '')?.[1]);
    },
  };
}

/** All that comes, and when the other side has ended. */
function collect(socket: Socket): { bytes: Buffer; readonly closed: Promise<unknown> } {
  const got = { bytes: Buffer.alloc(0), closed: once(socket, 'close') };
  socket.on('data', (chunk: Buffer) => {
    got.bytes = Buffer.concat([got.bytes, chunk]);
  });
  socket.on('error', () => undefined);
  cleanups.push(() => socket.destroy());
  return got;
}

describe('behind a bridge (--listen)', () => {
  test('a client hears the login first, then frames that the decoder takes, with the values told', async () => {
    const run = start({ kind: 'listen', host: '127.0.0.1', port: 0 });
    const got = collect(connect(await run.port(), '127.0.0.1'));
    await run.until(() => run.said.length >= 12);
    const summary = await run.end();
    await got.closed;
    const instance = TRACKER.open();
    const decoder = instance.createDecoder();
    decoder.push(got.bytes);
    const messages: string[] = [];
    for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
      expect(item.kind).toBe('frame');
      const decoded = instance.decode(item.bytes);
      messages.push(decoded.ok ? decoded.message : decoded.code);
    }
    expect(messages[0]).toBe('login');
    expect(messages).not.toContain('unknown-message');
    expect(messages.slice(0, 12)).toEqual(run.said.slice(0, 12).map(({ message }) => message));
    expect(run.said.filter(({ message }) => message === 'login').length).toBe(1);
    for (const { values } of run.said) if ('speed' in values) expect(values['speed']).toBe(50);
    expect(summary.devices).toMatchObject([{ device: 'one', profile: 'gt06', answered: 0 }]);
    expect(summary.devices[0]!.streamed).toBe(run.said.length);
  });

  test('nobody there: nothing is said; the next client is served', async () => {
    const run = start({ kind: 'listen', host: '127.0.0.1', port: 0 });
    const port = await run.port();
    const first = connect(port, '127.0.0.1');
    collect(first);
    await run.until(() => run.said.length >= 2);
    first.destroy();
    const second = collect(connect(port, '127.0.0.1'));
    await run.until(() => run.said.filter(({ message }) => message === 'login').length === 2);
    await run.end();
    await second.closed;
    expect(second.bytes.subarray(0, 2).toString('hex')).toBe('7878');
  });
});

test('as a client it comes back when the connection is lost', async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  const run = start({ kind: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  await run.until(() => run.said.filter(({ message }) => message === 'login').length >= 3);
  await run.end();
  expect(sockets.length).toBeGreaterThanOrEqual(3);
  expect(run.log.some((line) => line.includes('connection lost'))).toBe(true);
});

test('over UDP one datagram is one frame, of the message that is for datagrams', async () => {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  cleanups.push(() => socket.close());
  const datagrams: string[] = [];
  socket.on('message', (bytes) => datagrams.push(bytes.toString('hex')));
  const run = start({ kind: 'udp', host: '127.0.0.1', port: socket.address().port }, {}, profileCodec('teltonika'));
  await run.until(() => run.said.length >= 5);
  await run.end();
  expect(new Set(run.said.map(({ message }) => message))).toEqual(new Set(['datagram']));
  for (const datagram of datagrams) expect(run.said.map(({ hex }) => hex)).toContain(datagram);
});

test('--count ends a run, and equal seeds say the same', async () => {
  const runs = [0, 1].map(() => start({ kind: 'listen', host: '127.0.0.1', port: 0 }, { count: 6, ratePerS: 500 }));
  for (const run of runs) collect(connect(await run.port(), '127.0.0.1'));
  const [one, two] = await Promise.all(
    runs.map(async (run) => {
      await run.until(() => run.said.length >= 6);
      return run.said.map(({ message }) => message);
    }),
  );
  expect(one).toEqual(two);
  expect(one!.length).toBe(6);
});

test('faults strike: drop loses frames, noise and cut spoil some, and the decoder still finds the rest', async () => {
  const run = start(
    { kind: 'listen', host: '127.0.0.1', port: 0 },
    { ratePerS: 400, faults: { drop: 0.1, noise: 0.2, cut: 0.1, corrupt: 0.05 } },
  );
  const got = collect(connect(await run.port(), '127.0.0.1'));
  await run.until(() => run.said.length >= 200);
  const { faults } = await run.end();
  await got.closed;
  for (const name of ['drop', 'noise', 'cut', 'corrupt'] as const) expect(faults[name]).toBeGreaterThan(0);
  const decoder = TRACKER.open().createDecoder();
  decoder.push(got.bytes);
  decoder.end();
  const frames: string[] = [];
  let skipped = 0;
  for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
    if (item.kind === 'frame') frames.push(Buffer.from(item.bytes).toString('hex'));
    else skipped += item.wireLength;
  }
  const said = new Set(run.said.map(({ hex }) => hex));
  for (const frame of frames) expect(said).toContain(frame);
  expect(frames.length).toBeGreaterThan(100);
  expect(frames.length).toBeLessThan(run.said.length);
  expect(skipped).toBeGreaterThan(0);
});

test('parameters and messages that the profile does not have are refused', () => {
  const given = {
    label: 'x',
    profile: TRACKER,
    parameters: {},
    fixed: {},
    messages: undefined,
    datagrams: false,
    random: new Random(1),
  };
  expect(() => new PlayedDevice({ ...given, parameters: { address: 1 } })).toThrow(RangeError);
  expect(() => new PlayedDevice({ ...given, messages: ['nonsense'] })).toThrow(/it has login/);
});
