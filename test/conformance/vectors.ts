/** The recorded frames as they lie in the folder: one JSON file a device, see the README there. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface RecordedDevice {
  /** Name of the file without `.json`. */
  readonly file: string;
  readonly device: string;
  readonly vectors: readonly Vector[];
}

export type VectorKind =
  | 'request'
  | 'response'
  | 'unsolicited'
  | 'ack'
  | 'error'
  | 'exception'
  | 'login'
  | 'invalid'
  | 'stream';

export interface Vector {
  readonly id: string;
  readonly hex: string;
  readonly kind: VectorKind;
  /** As the source states them. */
  readonly fields: readonly StatedField[];
  /** How a recorded stream came out of `read`. */
  readonly chunks?: readonly number[];
  readonly expect?: Expectation;
}

export interface StatedField {
  readonly name: string;
  readonly value: unknown;
  readonly tol?: number;
}

export interface Expectation {
  readonly checksum?: string;
  readonly length?: string;
  readonly frames?: number | null;
  readonly skipped?: number;
  readonly computed?: { readonly frames: number; readonly skipped: number; readonly left: number };
}

/** All devices of the folder, in order of their files. */
export function readRecordedFrames(folder: string): RecordedDevice[] {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .toSorted();
  return files.map((name) => {
    const { device, vectors } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as RecordedDevice;
    return { file: name.slice(0, -'.json'.length), device, vectors };
  });
}

export function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
