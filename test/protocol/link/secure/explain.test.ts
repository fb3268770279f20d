import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { encodeStreamFrame, explain } from '../../../../protocol/index.ts';

const vectors = JSON.parse(readFileSync(new URL('../../../vectors/link-secure.json', import.meta.url), 'utf8')) as {
  handshakes: { name: string; key: string; up: string; down: string }[];
  frames: { hex: string }[];
  badHandshakes: { name: string; hex: string; error: string }[];
};
const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const [hello, report] = vectors.handshakes as [(typeof vectors.handshakes)[0], (typeof vectors.handshakes)[0]];
const key = bytesOf(hello.key);
const bad = (name: string): Uint8Array => bytesOf(vectors.badHandshakes.find((vector) => vector.name === name)!.hex);

const names = (hex: string): string[] =>
  explain(bytesOf(hex))
    .frames[0]!.ranges.slice(4)
    .map(({ name }) => name);

describe('explaining sealed frames', () => {
  it('shows the outside of a handshake', () => {
    const [frame] = explain(bytesOf(hello.up)).frames;
    expect(frame).toMatchObject({ ok: true, sealed: 'closed', name: 'HELLO' });
    expect(frame).not.toHaveProperty('message');
    expect(frame!.ranges.map(({ offset, length, name }) => [offset, length, name])).toEqual([
      [0, 1, 'vf'],
      [1, 1, 'type'],
      [2, 4, 'sid'],
      [6, 4, 'seq'],
      [10, 8, 'device'],
      [18, 32, 'publicKey'],
      [50, 30, 'ciphertext'],
      [80, 16, 'tag'],
    ]);
  });

  it('shows its answer and the frames of a session', () => {
    expect(names(hello.down)).toEqual(['publicKey', 'ciphertext', 'tag']);
    for (const { hex } of vectors.frames) {
      expect(names(hex)).toEqual(['ciphertext', 'tag']);
      expect(explain(bytesOf(hex), 'auto', key).frames[0]).toMatchObject({ ok: true, sealed: 'closed' });
    }
  });

  it.each([hello, report])('opens $name with the key', ({ up }) => {
    const [frame] = explain(bytesOf(up), 'auto', key).frames;
    expect(frame).toMatchObject({ ok: true, sealed: 'opened', message: { device: 0xa1b2c3d4e5f60718n, boot: 7 } });
    const boot = frame!.ranges.find(({ name }) => name === 'boot')!;
    expect(boot.value).toBe('7');
    // The bytes shown are those that the range names.
    expect([...frame!.bytes.subarray(boot.offset, boot.offset + 4)]).toEqual([0, 0, 0, 7]);
    expect(frame!.ranges.at(-1)).toMatchObject({ name: 'tag', length: 16 });
  });

  it('tells of a key that does not fit, and of what is wrong inside', () => {
    const wrong = explain(bytesOf(hello.up), 'auto', new Uint8Array(32)).frames[0];
    expect(wrong).toMatchObject({ ok: false, sealed: 'closed', problem: { code: 'bad-tag', offset: 80 } });
    const other = explain(bad('another device inside'), 'auto', key).frames[0];
    expect(other).toMatchObject({ ok: false, problem: { code: 'bad-content' } });
    expect(explain(bad('version 2'), 'frame').frames[0]).toMatchObject({ problem: { code: 'bad-version' } });
    expect(explain(bad('65 bytes'), 'frame').frames[0]).toMatchObject({ problem: { code: 'too-short', offset: 65 } });
  });

  it('finds out whether they are bare or a stream', () => {
    const all = [hello.up, hello.down, ...vectors.frames.map(({ hex }) => hex)].map(bytesOf);
    for (const bytes of all) expect(explain(bytes)).toMatchObject({ form: 'frame', ok: true });
    const stream = explain(Buffer.concat(all.map(encodeStreamFrame)), 'auto', key);
    expect(stream).toMatchObject({ form: 'cobs', ok: true });
    expect(stream.frames.map(({ sealed }) => sealed)).toEqual(['opened', ...all.slice(1).map(() => 'closed')]);
  });
});
