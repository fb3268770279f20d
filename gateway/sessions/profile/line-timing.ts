/** How long silence has to last to mean something, by the kind of line. */
import type { ProfileAbout } from '../../../protocol/index.ts';
import type { SourceConfig } from '../../config/schema.ts';

export interface LineTiming {
  /** What one character takes, milliseconds; 0 where that is not known. */
  readonly characterMs: number;
  /** Silence that ends a frame. */
  readonly gapMs: number;
  /** Silence that is kept before a request. */
  readonly silenceMs: number;
}

/** USB adapters hand over what they have received every 16 ms: shorter pauses say nothing. */
const MIN_SERIAL_GAP_MS = 20;
const SERIAL_GAP_MS = 50;
const SERIAL_GAP_CHARACTERS = 20;
/** A network cuts and delays as it likes. */
const MIN_NETWORK_GAP_MS = 100;
const NETWORK_GAP_MS = 1_000;
/** Long enough to see that an answer was not the last. */
const NETWORK_SILENCE_MS = 5;
/** Modbus asks for 3.5 characters, but not less than 1.75 ms. */
const SILENCE_CHARACTERS = 3.5;
const MIN_SILENCE_MS = 4;

export function lineTiming(about: ProfileAbout, source: SourceConfig): LineTiming {
  if (source.kind !== 'serial') {
    const gapMs = about.gapMs ?? (about.gapChars === undefined ? NETWORK_GAP_MS : MIN_NETWORK_GAP_MS);
    return { characterMs: 0, gapMs: Math.max(MIN_NETWORK_GAP_MS, gapMs), silenceMs: NETWORK_SILENCE_MS };
  }
  const bits = 1 + source.dataBits + (source.parity === 'none' ? 0 : 1) + source.stopBits;
  const characterMs = (bits * 1_000) / source.baud;
  const stated = about.gapMs ?? (about.gapChars === undefined ? undefined : about.gapChars * characterMs);
  return {
    characterMs,
    gapMs:
      stated === undefined
        ? Math.max(SERIAL_GAP_MS, SERIAL_GAP_CHARACTERS * characterMs)
        : Math.max(MIN_SERIAL_GAP_MS, stated),
    silenceMs: Math.max(MIN_SILENCE_MS, SILENCE_CHARACTERS * characterMs),
  };
}
