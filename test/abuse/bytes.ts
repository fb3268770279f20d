/** Bytes that are wrong in one way each, over the encoders of the protocol. */
import {
  encodeFrame,
  encodeMessage,
  encodeStreamFrame,
  type FrameHeader,
  type MessageOf,
  messageByName,
  sealFrame,
} from '../../protocol/index.ts';
import { unique } from './world.ts';

/** A device id that nobody has had. */
export function strangerId(): bigint {
  return 0xbad1_0000_0000_0000n + BigInt(unique());
}

/** A right HELLO of a stranger, as a frame. */
export function helloFrame(given: Partial<MessageOf<'HELLO'>> = {}): Uint8Array {
  const hello: MessageOf<'HELLO'> = {
    type: 'HELLO',
    minVersion: 1,
    maxVersion: 1,
    device: strangerId(),
    boot: 7,
    uptime: 0,
    firstSeq: 1,
    capabilities: { commands: true, clock: false },
    maxFrame: 1_024,
    schemaCrc: 0,
    ...given,
  };
  return encodeMessage(hello, { sid: 0, seq: 0 });
}

export const onStream = encodeStreamFrame;

/** The frame with its bytes changed, under a right CRC. */
export function changed(frame: Uint8Array, change: (bytes: Uint8Array) => void): Uint8Array {
  const copy = Uint8Array.from(frame);
  change(copy);
  return sealFrame(copy);
}

/** The frame with one bit flipped; its CRC stays as it was. */
export function flipped(frame: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(frame);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
  return copy;
}

/** A frame whose body nobody has checked. */
export function raw(
  type: Parameters<typeof messageByName>[0],
  header: Omit<FrameHeader, 'type'>,
  body: readonly number[],
) {
  return encodeFrame({ type: messageByName(type).number, ...header }, Uint8Array.from(body));
}

/** Noise that is the same in every run. */
export function noise(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    // xorshift32
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

export function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}
