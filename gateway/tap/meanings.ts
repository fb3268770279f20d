/** What tapped bytes mean, by the protocol that is spoken. */
import { explain, type ProfileInstance, type SkipReason } from '../../protocol/index.ts';
import type { Meaning } from './channel-tap.ts';
import type { TappedMeaning } from './frame-tap.ts';

/** Why bytes belong to no frame, for people. */
export const SKIP_SENTENCES: Readonly<Record<SkipReason, string>> = {
  noise: 'no frame begins here',
  empty: 'a frame without content',
  fill: 'keeps the line busy; harmless',
  'bad-length': 'a length that cannot be',
  'bad-escape': 'an escape that does not exist',
  'bad-trailer': 'the end of the frame is not where its length says',
  'too-long': 'longer than a frame can be',
  'unknown-type': 'no frame of a known type',
  'bad-checksum': 'the checksum is wrong',
  expired: 'the rest did not come in time',
  truncated: 'the connection ended in the middle of it',
};

/** A frame of the link protocol, without COBS. */
export const linkMeaning: Meaning = (bytes) => {
  const frame = explain(bytes, 'frame').frames[0];
  return {
    message: frame?.message?.type,
    parts: (frame?.ranges ?? []).map(({ offset, length, name, value, meaning }) => ({
      at: offset,
      length,
      name,
      value,
      meaning,
    })),
    problem: frame?.problem && { code: frame.problem.code, text: frame.problem.text },
  };
};

/** Bytes of which nothing is known but why they were skipped. */
export function skipMeaning(reason: SkipReason): TappedMeaning {
  const problem = reason === 'fill' ? undefined : { code: reason, text: SKIP_SENTENCES[reason] };
  return { message: undefined, parts: [], problem };
}

/** A frame of a device with a profile. */
export function profileMeaning(instance: ProfileInstance): Meaning {
  return (bytes) => {
    const { message, parts, problem } = instance.explain(bytes);
    return {
      message,
      parts: parts.map(({ from, to, name, value, note }) => ({
        at: from,
        length: to - from,
        name,
        value,
        meaning: note,
      })),
      problem: problem === undefined ? undefined : { code: 'bad-frame', text: problem },
    };
  };
}

/** Skipped bytes on the line of such a device; of a failed checksum both values are told. */
export function profileSkipMeaning(instance: ProfileInstance, reason: SkipReason): Meaning {
  return (bytes) => {
    const failed = reason === 'bad-checksum' ? instance.failedChecksum(bytes) : undefined;
    if (failed === undefined) return skipMeaning(reason);
    const text = `the checksum is ${failed.received}, computed is ${failed.computed}`;
    return { ...profileMeaning(instance)(bytes), problem: { code: reason, text } };
  };
}
