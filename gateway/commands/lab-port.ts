/** Listens on a live port for the lab: bytes with the time when they came, for a while. */
import { connect } from 'node:net';
import type { Readable } from 'node:stream';
import { MAX_CAPTURE_BYTES } from '../lab/capture.ts';
import { type LineSettings, openSerialLine } from '../sources/serial-line.ts';

export interface TimedChunk {
  readonly bytes: Uint8Array;
  readonly atMs: number;
}

export interface ListenOptions {
  readonly forS: number;
  /** Called now and then with how many bytes have come. */
  readonly onProgress: (bytes: number) => void;
  /** Aborted when the user has heard enough; what came until then counts. */
  readonly stop: AbortSignal;
  /** Sent when the port opens: something that makes a device talk. */
  readonly send: Uint8Array | undefined;
  /** Sent again so often; undefined: once. */
  readonly everyS: number | undefined;
}

const PROGRESS_MS = 1_000;

/** Opens a serial line and listens; rejects with what the system says when it cannot be opened. */
export async function listenSerial(
  path: string,
  { baud, parity }: Pick<LineSettings, 'baud' | 'parity'>,
  options: ListenOptions,
): Promise<TimedChunk[]> {
  const settings = { baud, dataBits: 8, parity, stopBits: 1, flowControl: 'none' } as const;
  const line = await openSerialLine('lab', path, settings, () => performance.now());
  return listen(
    line,
    options,
    (bytes) => line.write(bytes),
    () => line.destroy(),
  );
}

/** Connects to a TCP port and listens; rejects when nobody answers there. */
export async function listenTcp(host: string, port: number, options: ListenOptions): Promise<TimedChunk[]> {
  const socket = connect({ host, port, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
    options.stop.addEventListener('abort', () => resolve(), { once: true });
  });
  return listen(
    socket,
    options,
    (bytes) => socket.write(bytes),
    () => socket.destroy(),
  );
}

function listen(
  stream: Readable,
  { forS, onProgress, stop, send, everyS }: ListenOptions,
  write: (bytes: Uint8Array) => void,
  close: () => void,
): Promise<TimedChunk[]> {
  return new Promise((resolve) => {
    const chunks: TimedChunk[] = [];
    let size = 0;
    const timers: NodeJS.Timeout[] = [];
    const finish = (): void => {
      for (const timer of timers) clearTimeout(timer);
      close();
      resolve(chunks);
    };
    // A port that goes away ends the listening; what came before it is looked at.
    stream.on('error', finish);
    stream.on('end', finish);
    stream.on('close', finish);
    stream.on('data', (bytes: Buffer) => {
      chunks.push({ bytes: Uint8Array.from(bytes), atMs: performance.now() });
      size += bytes.length;
      if (size >= MAX_CAPTURE_BYTES) finish();
    });
    stop.addEventListener('abort', finish, { once: true });
    if (stop.aborted) return finish();
    timers.push(
      setTimeout(finish, forS * 1_000),
      setInterval(() => onProgress(size), PROGRESS_MS),
    );
    if (send !== undefined) {
      write(send);
      if (everyS !== undefined) timers.push(setInterval(() => write(send), everyS * 1_000));
    }
  });
}
