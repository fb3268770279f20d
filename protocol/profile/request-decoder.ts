/**
 * Requests as the device sees them, for the simulator: bytes that one of the profile's templates makes.
 *
 * ```
 *   … noise … | dd a5 03 00 ff fd 77 | …       the template says which bytes, and how many
 * ```
 */
import type { FrameDecoder } from '../framing/frame-decoder.ts';
import { NEED_MORE, NOT_HERE, ResyncDecoder } from '../framing/resync-decoder.ts';
import type { Framing } from './framing.ts';
import type { ParameterValues } from './parameters.ts';
import type { Template } from './template.ts';

const NOTHING = new Uint8Array(0);
/** No request is longer. */
const MAX_REQUEST = 256;

/** A decoder of what is sent to the device: frames that a template recognises, before byte stuffing. */
export function requestDecoder(
  framing: Framing,
  templates: readonly Template[],
  parameters: ParameterValues,
): FrameDecoder {
  if (framing.escape !== undefined) return framing.escape.createDecoder(MAX_REQUEST);
  const shapes = templates.map((template) => template.shape(parameters));
  const probe = (data: Uint8Array, at: number, end: number): number => {
    let wait = false;
    for (const shape of shapes) {
      const seen = Math.min(shape.length, end - at);
      let fits = true;
      for (let i = 0; i < seen && fits; i++) fits = shape[i]! < 0 || shape[i] === data[at + i];
      if (!fits) continue;
      if (seen === shape.length) return shape.length;
      wait = true;
    }
    return wait ? NEED_MORE : NOT_HERE;
  };
  return new ResyncDecoder({
    sync: NOTHING,
    probe,
    trailer: NOTHING,
    verify: (frame) => templates.some((template) => template.recognise(frame, parameters) !== undefined),
    contentFrom: (_, at) => at,
    contentTo: (at, total) => at + total,
  });
}
