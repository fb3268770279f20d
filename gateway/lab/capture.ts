/**
 * What the lab looks at: bytes in the order in which they came, in pieces where something is known about where frames
 * may begin.
 *
 * ```
 *   one line of hex, one datagram, or what came between two silences  =  one piece
 *   a dump without any of this                                        =  one piece, all of it
 * ```
 */

/** Beyond this the rest of a capture is left out: more tells no more, and the search must end. */
export const MAX_CAPTURE_BYTES = 1024 * 1024;
export const MAX_FRAMES = 2_000;

export interface Piece {
  readonly bytes: Uint8Array;
  /** When its first byte came, in milliseconds on any clock; undefined for bytes that were pasted. */
  readonly atMs: number | undefined;
}

/** What the borders between pieces are. */
export type Borders = 'lines' | 'silence' | 'datagrams' | 'none';

export interface Capture {
  readonly pieces: readonly Piece[];
  readonly borders: Borders;
  /** All bytes of it. */
  readonly size: number;
  /** There was more than is looked at. */
  readonly cut: boolean;
}

/** A capture of these pieces, without the empty ones and within the limits. */
export function captureOf(pieces: Iterable<Piece>, borders: Borders): Capture {
  const kept: Piece[] = [];
  let size = 0;
  let cut = false;
  for (const piece of pieces) {
    const room = MAX_CAPTURE_BYTES - size;
    if (piece.bytes.length > room) cut = true;
    if (room === 0) break;
    if (piece.bytes.length === 0) continue;
    const { buffer, byteOffset, length } = piece.bytes;
    const taken = Math.min(room, length);
    // A plain view: a Buffer's methods are not all those of a Uint8Array.
    kept.push({ ...piece, bytes: new Uint8Array(buffer, byteOffset, taken) });
    size += taken;
  }
  return { pieces: kept, borders: kept.length > 1 ? borders : 'none', size, cut };
}

/** The same bytes as one piece: nothing is taken for known about where frames begin. */
export function joined(capture: Capture): Capture {
  if (capture.pieces.length <= 1) return capture;
  const bytes = new Uint8Array(capture.size);
  let at = 0;
  for (const piece of capture.pieces) {
    bytes.set(piece.bytes, at);
    at += piece.bytes.length;
  }
  return { ...capture, pieces: [{ bytes, atMs: undefined }], borders: 'none' };
}

/** The beginning of a capture, so many bytes of it. */
export function beginning(capture: Capture, bytes: number): Capture {
  if (capture.size <= bytes) return capture;
  const pieces: Piece[] = [];
  let size = 0;
  for (const piece of capture.pieces) {
    if (size >= bytes) break;
    const taken = Math.min(bytes - size, piece.bytes.length);
    pieces.push({ ...piece, bytes: piece.bytes.subarray(0, taken) });
    size += taken;
  }
  return { ...capture, pieces, size };
}

/** Chunks as they came from a live port, put together where less than `gapMs` lay between them. */
export function piecesBySilence(chunks: readonly Required<Piece>[], gapMs: number): Piece[] {
  const pieces: Piece[] = [];
  let run: Required<Piece>[] = [];
  let last: number | undefined;
  const close = (): void => {
    const [first] = run;
    if (first === undefined) return;
    const bytes = new Uint8Array(run.reduce((sum, chunk) => sum + chunk.bytes.length, 0));
    let at = 0;
    for (const chunk of run) {
      bytes.set(chunk.bytes, at);
      at += chunk.bytes.length;
    }
    pieces.push({ bytes, atMs: first.atMs });
    run = [];
  };
  for (const chunk of chunks) {
    const { atMs } = chunk;
    if (last !== undefined && atMs !== undefined && atMs - last >= gapMs) close();
    run.push(chunk);
    last = atMs;
  }
  close();
  return pieces;
}

/** The usual time between two pieces in milliseconds (the median), where the times are known. */
export function rhythmMs(capture: Capture): number | undefined {
  const times = capture.pieces.flatMap(({ atMs }) => (atMs === undefined ? [] : [atMs]));
  if (times.length < 3) return undefined;
  const steps = times.slice(1).map((time, index) => time - (times[index] ?? time));
  return steps.toSorted((a, b) => a - b)[steps.length >> 1];
}
