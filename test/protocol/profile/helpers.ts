/** What the tests of profiles share. */
import { formatProfileProblem, loadProfile } from '../../../protocol/index.ts';
import type { FrameDecoder, Item, Profile, ProfileInstance } from '../../../protocol/index.ts';

/** The profile of a text that must be right. */
export function profileOf(text: string, registers?: unknown): Profile {
  const loaded = loadProfile({
    name: 'test',
    text,
    file: 'test.yaml',
    ...(registers === undefined ? {} : { registers }),
  });
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProfileProblem).join('\n'));
  return loaded.profile;
}

/** `line:column path` and the message of every problem of a text that must be wrong. */
export function problemsOf(text: string): { at: string; message: string }[] {
  const loaded = loadProfile({ name: 'test', text, file: 'test.yaml' });
  if (loaded.ok) throw new Error('the profile is right');
  return loaded.problems.map(({ line, column, path, message }) => ({ at: `${line}:${column} ${path}`, message }));
}

export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Everything that a decoder gives now. */
export function drain(decoder: FrameDecoder): Item[] {
  const items: Item[] = [];
  for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
    items.push({ ...item, bytes: item.bytes.slice() });
  }
  return items;
}

/** The items of bytes pushed in one piece. */
export function itemsOf(instance: ProfileInstance, bytes: Uint8Array): Item[] {
  const decoder = instance.createDecoder();
  decoder.push(bytes);
  return drain(decoder);
}

/** The frames of bytes pushed in one piece. */
export function framesOf(instance: ProfileInstance, bytes: Uint8Array): Uint8Array[] {
  return itemsOf(instance, bytes).flatMap((item) => (item.kind === 'frame' ? [item.bytes] : []));
}

/** What a frame says, by alias, in shown units; an `!` behind an alias: out of range. Throws when it says nothing. */
export function valuesOf(instance: ProfileInstance, frame: Uint8Array): Record<string, unknown> {
  const decoded = instance.decode(frame);
  if (!decoded.ok) throw new Error(`${decoded.code} at ${decoded.at}: ${decoded.detail}`);
  return shown(instance, decoded);
}

export function shown(
  instance: ProfileInstance,
  decoded: Extract<ReturnType<ProfileInstance['decode']>, { ok: true }>,
): Record<string, unknown> {
  const channels = new Map([...instance.profile.channels, ...decoded.newChannels].map((one) => [one.number, one]));
  const values: Record<string, unknown> = {};
  for (const { channel, value, quality } of decoded.samples.flatMap((sample) => sample.values)) {
    const { alias, scale } = channels.get(channel)!;
    const plain = typeof value === 'number' && scale !== 0 ? Number((value * 10 ** scale).toFixed(-scale)) : value;
    values[quality === 'good' ? alias : `${alias}!`] = plain;
  }
  return values;
}
