/** Readings as people would read them: by alias, in shown units. */
import type { Profile, ProfileChannel, ProfileInstance } from '../../protocol/index.ts';

export type DecodedFrame = ReturnType<ProfileInstance['decode']>;

export type Shown = number | bigint | boolean | string;

/** One map a sample, in order. */
export function shownSamples(profile: Profile, decoded: DecodedFrame): Map<string, Shown>[] {
  if (!decoded.ok) return [];
  const byNumber = new Map<number, ProfileChannel>();
  for (const channel of [...profile.channels, ...decoded.newChannels]) byNumber.set(channel.number, channel);
  return decoded.samples.map((sample) => {
    const shown = new Map<string, Shown>();
    for (const { channel: number, value } of sample.values) {
      const channel = byNumber.get(number);
      if (channel === undefined) throw new Error(`channel ${number} is not declared`);
      shown.set(channel.alias, shownValue(value, channel.scale));
    }
    return shown;
  });
}

/** All samples of a frame in one map, the last value of each channel. */
export function shownValues(profile: Profile, decoded: DecodedFrame): Map<string, Shown> {
  return new Map(shownSamples(profile, decoded).flatMap((sample) => Array.from(sample)));
}

function shownValue(raw: number | bigint | boolean | string | Uint8Array, scale: number): Shown {
  if (raw instanceof Uint8Array) return Buffer.from(raw).toString('hex');
  if (typeof raw === 'bigint') return scale === 0 ? raw : Number(raw) * 10 ** scale;
  if (typeof raw !== 'number' || scale === 0) return raw;
  // Through decimal text, so that 15470 × 10^−2 is 154.7 and not its neighbour.
  return Number(`${raw}e${scale}`);
}
