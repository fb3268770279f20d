import { describe, expect, it } from 'vitest';
import { encodeMessage, encodeStreamFrame, explain } from '../../../protocol/index.ts';
import type { ExplainedFrame, Message, Value } from '../../../protocol/index.ts';

const readings = (...values: Value[]): Message => ({
  type: 'READINGS',
  samples: [{ timeKind: 'uptime', time: 5000, values }],
});
const temperature: Value = { channel: 1, type: 'i16', quality: 'good', value: 2345 };
const good = encodeMessage(readings(temperature), { sid: 5, seq: 1 });

const only = (bytes: Uint8Array, form?: 'frame' | 'cobs'): ExplainedFrame => {
  const { frames } = explain(bytes, form);
  expect(frames).toHaveLength(1);
  return frames[0]!;
};

describe('explain', () => {
  it('names header, sample, values and CRC', () => {
    expect(only(good).ranges.map(({ offset, length, name, value }) => [offset, length, name, value])).toEqual([
      [0, 1, 'vf', 'version 1, security 0, up, ack wanted'],
      [1, 1, 'type', '0x04 READINGS'],
      [2, 4, 'sid', '0x00000005'],
      [6, 4, 'seq', '1'],
      [10, 1, 'samples[0].head', 'uptime, 1 value'],
      [11, 4, 'samples[0].time', '5000 ms'],
      [15, 1, 'samples[0].values[0].channel', '1'],
      [16, 1, 'samples[0].values[0].tq', 'i16, good'],
      [17, 2, 'samples[0].values[0].value', '2345'],
      [19, 4, 'crc', '0x' + Buffer.from(good.subarray(19)).toString('hex')],
    ]);
  });

  it('tells where each range begins on the wire', () => {
    const wire = encodeStreamFrame(good);
    const frame = only(wire);
    expect(frame).toMatchObject({ wireOffset: 0, wireLength: wire.length, delimited: true });
    for (const { offset, length, wireOffset } of frame.ranges) {
      // A zero byte is where the next code byte is.
      if (good[offset] !== 0) expect(wire[wireOffset]).toBe(good[offset]);
      expect(length).toBeGreaterThan(0);
    }
  });

  it('takes a piece of a stream apart', () => {
    const wire = encodeStreamFrame(good);
    const damaged = wire.slice();
    damaged[17]! ^= 0x40;
    const piece = Buffer.concat([Uint8Array.of(0, 0), wire, damaged, wire.subarray(0, -1)]);
    const { form, ok, frames } = explain(piece);
    expect({ form, ok }).toEqual({ form: 'cobs', ok: false });
    expect(frames.map(({ wireOffset, ok, delimited }) => [wireOffset, ok, delimited])).toEqual([
      [2, true, true],
      [2 + wire.length, false, true],
      [2 + 2 * wire.length, true, false],
    ]);
  });

  it('tells a wrong CRC with both values', () => {
    const bytes = good.slice();
    bytes[18]! ^= 1;
    const { problem, ok } = only(bytes);
    expect(ok).toBe(false);
    expect(problem).toMatchObject({ code: 'bad-crc', offset: 19, wireOffset: 19 });
    const received = Buffer.from(good.subarray(19)).toString('hex');
    expect(problem?.text).toMatch(new RegExp(`^CRC computed 0x[0-9a-f]{8}, received 0x${received}$`));
  });

  it('tells a COBS code past the end with its place on the wire', () => {
    const wire = encodeStreamFrame(good);
    wire[0] = 0xf0;
    const { problem } = only(wire, 'cobs');
    expect(problem).toMatchObject({ code: 'bad-cobs', wireOffset: 0 });
    expect(problem?.text).toContain(
      `COBS code 0xf0 at offset 0 of the wire points ${0xf0 - (wire.length - 1)} past the end`,
    );
  });

  it('takes broken bytes for what they resemble', () => {
    const bare = good.slice();
    bare[18]! ^= 1;
    const wire = encodeStreamFrame(bare);
    expect(explain(bare).form).toBe('frame');
    expect(explain(wire).form).toBe('cobs');
    expect(explain(wire.subarray(0, -1)).form).toBe('cobs');
    expect(explain(new Uint8Array(0)).frames[0]?.problem?.code).toBe('too-short');
  });

  it('makes text from the wire printable', () => {
    const text = 'a\u001b[31m\u202e\n\\b';
    const log = encodeMessage({ type: 'LOG', level: 'info', text }, { sid: 1, seq: 1 });
    const range = only(log).ranges.find(({ name }) => name === 'text');
    expect(range?.value).toBe(String.raw`"a\x1b[31m\u{202e}\n\\b"`);
  });

  it('shows a schema channel by channel, and what is wrong with one', () => {
    const content = Uint8Array.from(Buffer.from('000000010501010007016100', 'hex'));
    const header = { sid: 1, seq: 1 };
    const schema = only(encodeMessage({ type: 'SCHEMA', crc: 1, part: 0, parts: 1, content }, header));
    expect(schema.ok).toBe(true);
    expect(schema.ranges.find(({ name }) => name === 'channels[0].class')?.value).toBe('1 temperature');
    content[3] = 2;
    const cut = only(encodeMessage({ type: 'SCHEMA', crc: 1, part: 0, parts: 1, content }, header));
    expect(cut.problem).toMatchObject({ code: 'short-read', offset: 28 });
    expect(cut.problem?.text).toBe('body ends 1 byte short in channels[1].number');
  });
});
