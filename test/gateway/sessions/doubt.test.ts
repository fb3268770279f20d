import { describe, expect, it } from 'vitest';
import { Doubts } from '../../../gateway/sessions/doubt.ts';
import { Departed } from '../../../gateway/recorder/departed.ts';
import { encodeMessage, type SkipReason } from '../../../protocol/index.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const skip = (reason: SkipReason, ...values: number[]) =>
  ({ kind: 'skip', reason, bytes: bytes(...values), wireLength: values.length }) as const;
const frame = (content: Uint8Array) => ({ kind: 'frame', bytes: content, wireLength: content.length }) as const;

describe('why somebody is not understood', () => {
  it('is that nothing has come', () => {
    expect(new Doubts().doubt(0)).toMatchObject({ reason: 'nothing-received', hint: expect.stringContaining('TX') });
  });

  it('is that no frame has ended', () => {
    const doubts = new Doubts();
    doubts.seen(bytes(0x11, 0x80));
    expect(doubts.doubt(2)).toMatchObject({ reason: 'no-frame', last: bytes(0x11, 0x80) });
  });

  it('is what came last, and of that the end as it was on the wire', () => {
    const doubts = new Doubts();
    for (let n = 0; n < 50; n++) doubts.seen(bytes(n, 0x80, 0xff));
    doubts.take(skip('noise', 1, 2));
    doubts.take(skip('bad-length', 3, 4));
    doubts.take(skip('fill', 0));
    const doubt = doubts.doubt(150);
    expect(doubt).toMatchObject({ reason: 'bad-length', hint: expect.stringContaining('baud') });
    expect(doubt!.last).toHaveLength(64);
    expect(doubt!.last.subarray(-3)).toEqual(bytes(49, 0x80, 0xff));
  });

  it('is that it is text, where bytes are wanted', () => {
    const text = Buffer.from('$GPGGA,092750.000\r\n');
    const doubts = new Doubts();
    doubts.seen(text);
    doubts.take(skip('bad-length', ...text));
    expect(doubts.doubt(19)).toMatchObject({ reason: 'text' });
    const ofText = new Doubts(undefined, 'x', false);
    ofText.seen(text);
    ofText.take(skip('bad-checksum', ...text));
    expect(ofText.doubt(19)).toMatchObject({ reason: 'bad-checksum' });
  });

  it('is what is wrong with its frame, or that no session stands', () => {
    const doubts = new Doubts();
    const ping = encodeMessage({ type: 'PING', token: 1 }, { sid: 5, seq: 1 });
    doubts.take(frame(ping));
    expect(doubts.doubt(9)).toMatchObject({ reason: 'no-session' });
    ping[ping.length - 1]! ^= 1;
    doubts.take(frame(ping));
    expect(doubts.doubt(18)).toMatchObject({ reason: 'bad-crc' });
    doubts.refused('unknown-device');
    expect(doubts.doubt(18)).toMatchObject({ reason: 'unknown-device' });
  });

  it('is nothing once it was understood, until something comes that is no frame', () => {
    const doubts = new Doubts();
    doubts.seen(bytes(1, 2, 3));
    doubts.understood();
    expect(doubts.doubt(3)).toBeUndefined();
    doubts.take(skip('fill', 0));
    expect(doubts.doubt(4)).toBeUndefined();
    doubts.take(skip('noise', 9));
    expect(doubts.doubt(5)).toMatchObject({ reason: 'noise' });
  });
});

describe('who has gone', () => {
  const doubt = { reason: 'noise', hint: 'x', last: bytes() };
  const peer = (source: string, gone: number) => ({
    source,
    peer: `${source}:${gone}`,
    since: gone - 5,
    gone,
    bytesRead: 1,
    doubt,
  });

  it('is counted by source and host, the last one first, for ten minutes', () => {
    const departed = new Departed();
    departed.add('10.0.0.1', peer('tcp', 1_000));
    departed.add('10.0.0.2', peer('tcp', 2_000));
    departed.add('10.0.0.1', peer('tcp', 3_000));
    departed.add('10.0.0.1', peer('tls', 4_000));
    expect(departed.since(5_000).map(({ peer: name, times }) => [name, times])).toEqual([
      ['tls:4000', 1],
      ['tcp:3000', 2],
      ['tcp:2000', 1],
    ]);
    expect(departed.since(602_500)).toHaveLength(2);
    // Long after, it is counted from the beginning.
    departed.add('10.0.0.1', peer('tcp', 700_000));
    expect(departed.since(700_000)).toMatchObject([{ times: 1 }]);
  });

  it('are so many at most', () => {
    const departed = new Departed();
    for (let n = 0; n < 500; n++) departed.add(`10.0.0.${n}`, peer('tcp', n));
    expect(departed.since(500)).toHaveLength(50);
    expect(departed.since(500)[0]).toMatchObject({ gone: 499 });
  });
});
