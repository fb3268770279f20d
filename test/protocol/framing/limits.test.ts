import { describe, expect, it } from 'vitest';
import {
  cobsDecoder,
  cobsEncoder,
  datagramDecoder,
  datagramEncoder,
  delimitedDecoder,
  delimitedEncoder,
  encodeCobsInto,
  fixedDecoder,
  fixedEncoder,
  gapDecoder,
  gapEncoder,
  hdlcDecoder,
  hdlcEncoder,
  lengthDecoder,
  lengthEncoder,
  slipDecoder,
  slipEncoder,
  typeLengthDecoder,
  typeLengthEncoder,
  untilCloseDecoder,
  untilCloseEncoder,
  xor8,
} from '../../../protocol/index.ts';
import type { FrameDecoder, LengthOptions } from '../../../protocol/index.ts';
import { InputQueue } from '../../../protocol/framing/input-queue.ts';
import { bytesOf, cut, framesOf, hexOf, normalized, run } from './support.ts';

const u16: LengthOptions = { sync: bytesOf('424d'), field: { at: 2, type: 'u16' }, plus: 4, maxBytes: 32 };

describe('length limits', () => {
  it('refuses a claim over the limit as soon as the length field is there', () => {
    expect(normalized(run(lengthDecoder(u16), [bytesOf('424d001d')]))).toEqual([{ skip: 'too-long', hex: '424d001d' }]);
  });

  it('takes a claim of exactly the limit', () => {
    const frame = bytesOf(`424d001c${'00'.repeat(28)}`);
    expect(framesOf(run(lengthDecoder(u16), [frame]))).toEqual([hexOf(frame)]);
  });

  it('keeps a u32 claim positive', () => {
    const options: LengthOptions = { field: { at: 0, type: 'u32' }, maxBytes: 32 };
    expect(normalized(run(lengthDecoder(options), [bytesOf('ffffffff')]))[0]).toMatchObject({ skip: 'too-long' });
  });

  it('waits for a claim, and finds the frames inside when it never comes true', () => {
    const decoder = lengthDecoder(u16);
    expect(run(decoder, [bytesOf('424d001c424d000177424d0002')])).toEqual([]);
    expect(decoder.buffered).toBe(13);
    decoder.expire();
    const items = [];
    for (let item = decoder.next(); item !== undefined; item = decoder.next()) items.push(item);
    expect(normalized(items)).toEqual([
      { skip: 'expired', hex: '424d001c' },
      { frame: '424d000177' },
      { skip: 'expired', hex: '424d0002' },
    ]);
    expect(framesOf(run(lengthDecoder(u16), [bytesOf('424d0001'), 'expire', bytesOf('55424d000166')]))).toEqual([
      '424d000166',
    ]);
  });

  it('verifies a frame once, also behind noise', () => {
    let calls = 0;
    const verify = (frame: Uint8Array): boolean => {
      calls++;
      return xor8(frame) === 0;
    };
    const decoder = fixedDecoder({ bytes: 3, sync: bytesOf('aa'), verify });
    expect(framesOf(run(decoder, cut(bytesOf('00ffaa01ab00aa02a8'), [4])))).toEqual(['aa01ab', 'aa02a8']);
    expect(calls).toBe(2);
    expect(framesOf(run(decoder, [bytesOf('00ffaa0102aa01ab')]))).toEqual(['aa01ab']);
    expect(calls).toBe(4);
  });

  it('bounds what one call verifies, and loses nothing by it', () => {
    let verified = 0;
    const decoder = fixedDecoder({
      bytes: 1_000,
      sync: bytesOf('aa'),
      verify: (frame) => {
        verified += frame.length;
        return false;
      },
    });
    decoder.push(new Uint8Array(65_536).fill(0xaa));
    let most = 0;
    let sum = 0;
    for (;;) {
      verified = 0;
      const item = decoder.next();
      most = Math.max(most, verified);
      if (item === undefined) break;
      expect(item).toMatchObject({ kind: 'skip', reason: 'bad-checksum' });
      sum += item.wireLength;
    }
    expect(most).toBeLessThan(20_000);
    expect(sum + decoder.buffered).toBe(65_536);
  });
});

describe('noise is few items', () => {
  const decoders: Record<string, () => FrameDecoder> = {
    cobs: () => cobsDecoder({ maxBytes: 100 }),
    slip: () => slipDecoder({ maxBytes: 100 }),
    hdlc: () => hdlcDecoder({ maxBytes: 100 }),
    delimited: () => delimitedDecoder({ delimiter: bytesOf('0d0a'), maxBytes: 100 }),
    length: () => lengthDecoder(u16),
    'type-length': () => typeLengthDecoder({ lengths: { 1: 3 }, maxBytes: 3 }),
    gap: () => gapDecoder({ maxBytes: 100 }),
    'until-close': () => untilCloseDecoder({ maxBytes: 100 }),
  };
  it.each(Object.keys(decoders))('%s gives one skip a chunk', (name) => {
    for (const byte of [0x55, 0x42]) {
      const decoder = decoders[name]!();
      for (let i = 0; i < 16; i++) {
        decoder.push(new Uint8Array(65_536).fill(byte));
        let items = 0;
        while (decoder.next() !== undefined) items++;
        expect(items).toBeLessThanOrEqual(1);
        expect(decoder.buffered).toBeLessThanOrEqual(1);
      }
    }
  });

  it('fill is one skip', () => {
    expect(run(cobsDecoder({ maxBytes: 10 }), [new Uint8Array(5_000)])).toHaveLength(1);
    expect(run(slipDecoder({ maxBytes: 10 }), [new Uint8Array(5_000).fill(0xc0), 'expire'])).toHaveLength(2);
    expect(
      run(delimitedDecoder({ delimiter: bytesOf('0a'), maxBytes: 9 }), [new Uint8Array(5_000).fill(10)]),
    ).toHaveLength(1);
  });
});

describe('memory', () => {
  it('a short rest does not keep a long chunk alive', () => {
    const queue = new InputQueue();
    queue.push(new Uint8Array(65_536));
    queue.skip('noise', 65_530);
    queue.settle();
    expect(queue.data.buffer.byteLength).toBe(6);
    queue.skip('noise', 6);
    queue.settle();
    expect(queue.data.buffer.byteLength).toBe(0);
  });

  it('joining byte by byte copies a linear amount', () => {
    const queue = new InputQueue();
    let buffers = 0;
    let last: unknown;
    for (let i = 0; i < 10_000; i++) {
      queue.push(Uint8Array.of(i));
      queue.settle();
      if (queue.data.buffer !== last) buffers++;
      last = queue.data.buffer;
    }
    expect(buffers).toBeLessThan(20);
    expect(Array.from(queue.view(9_998, 10_000))).toEqual([9_998 & 0xff, 9_999 & 0xff]);
  });

  it('datagrams that are taken are let go, also when the consumer is always one behind', () => {
    const decoder = datagramDecoder({ maxBytes: 10 });
    decoder.push(Uint8Array.of(0));
    for (let i = 1; i < 1_000; i++) {
      decoder.push(Uint8Array.of(i));
      expect(decoder.next()).toMatchObject({ kind: 'frame', bytes: Uint8Array.of(i - 1) });
      expect(decoder.buffered).toBe(1);
    }
    expect(decoder).toHaveProperty(
      'waiting.length',
      expect.toSatisfy((length: number) => length < 4),
    );
  });
});

describe('silence', () => {
  it('gap: cuts where it was, also when pulled later', () => {
    const decoder = gapDecoder({ maxBytes: 10 });
    decoder.push(bytesOf('0102'));
    decoder.push(bytesOf('03'));
    decoder.expire();
    decoder.push(bytesOf('04'));
    decoder.expire();
    decoder.expire();
    decoder.push(bytesOf('05'));
    expect(decoder.next()).toMatchObject({ bytes: bytesOf('010203') });
    expect(decoder.next()).toMatchObject({ bytes: bytesOf('04') });
    expect(decoder.next()).toBeUndefined();
    expect(decoder.buffered).toBe(1);
  });

  it('means nothing to until-close and datagram', () => {
    const all = run(untilCloseDecoder({ maxBytes: 10 }), [bytesOf('01'), 'expire', bytesOf('02'), 'end']);
    expect(framesOf(all)).toEqual(['0102']);
    expect(framesOf(run(datagramDecoder({ maxBytes: 10 }), [bytesOf('01'), 'expire', bytesOf('02')]))).toEqual([
      '01',
      '02',
    ]);
  });

  it('ends the discarding of an overlong frame', () => {
    const decoder = delimitedDecoder({ delimiter: bytesOf('0a'), maxBytes: 3 });
    expect(normalized(run(decoder, [bytesOf('4141414141'), 'expire', bytesOf('42420a')]))).toEqual([
      { skip: 'too-long', hex: '4141414141' },
      { frame: '4242' },
    ]);
  });
});

describe('programmers’ mistakes', () => {
  it('encoders refuse what their decoder would not take', () => {
    const over = new Uint8Array(11).fill(1);
    const none = new Uint8Array(0);
    const encoders = [cobsEncoder, slipEncoder, hdlcEncoder, gapEncoder, untilCloseEncoder, datagramEncoder];
    for (const encoder of encoders) {
      expect(() => encoder({ maxBytes: 10 })(over)).toThrow(RangeError);
      expect(() => encoder({ maxBytes: 10 })(none)).toThrow(RangeError);
    }
    const line = delimitedEncoder({ delimiter: bytesOf('0d0a'), maxBytes: 10 });
    for (const bad of [over, none, bytesOf('410d0a42'), bytesOf('0d0a')]) expect(() => line(bad)).toThrow(RangeError);
    expect(() => delimitedEncoder({ delimiter: bytesOf('0a'), maxBytes: 10, include: true })(bytesOf('41'))).toThrow(
      RangeError,
    );
    expect(() => lengthEncoder(u16)(bytesOf('424d00'))).toThrow(RangeError);
    expect(() => lengthEncoder(u16)(new Uint8Array(33))).toThrow(RangeError);
    expect(() => lengthEncoder({ field: { at: 0, type: 'u8' }, plus: 0, maxBytes: 900 })(new Uint8Array(256))).toThrow(
      RangeError,
    );
    expect(() => fixedEncoder({ bytes: 3, sync: bytesOf('aa') })(bytesOf('010203'))).toThrow(RangeError);
    expect(() => fixedEncoder({ bytes: 3 })(bytesOf('01'))).toThrow(RangeError);
    expect(() => typeLengthEncoder({ lengths: { 1: 2 }, maxBytes: 9 })(bytesOf('010203'))).toThrow(RangeError);
    expect(() => typeLengthEncoder({ lengths: { 1: 2 }, maxBytes: 9 })(none)).toThrow(RangeError);
    expect(() => encodeCobsInto(over, new Uint8Array(12), 1)).toThrow(RangeError);
  });

  it('a whole-frame encoder sets sync, length and trailer', () => {
    const encode = lengthEncoder({ ...u16, trailer: bytesOf('55') });
    expect(hexOf(encode(bytesOf('00000000aabb00')))).toBe('424d0003aabb55');
  });

  it('decoders refuse options that make no sense', () => {
    expect(() => cobsDecoder({ maxBytes: 0 })).toThrow(RangeError);
    expect(() => slipDecoder({ maxBytes: 1.5 })).toThrow(RangeError);
    expect(() => gapDecoder({ maxBytes: Number.NaN })).toThrow(RangeError);
    expect(() => datagramDecoder({ maxBytes: 0 })).toThrow(RangeError);
    expect(() => fixedDecoder({ bytes: 0 })).toThrow(RangeError);
    expect(() => fixedDecoder({ bytes: 1, sync: bytesOf('aabb') })).toThrow(RangeError);
    expect(() => typeLengthDecoder({ lengths: { 1: -2 }, maxBytes: 9 })).toThrow(RangeError);
    expect(() => delimitedDecoder({ delimiter: bytesOf(''), maxBytes: 9 })).toThrow(RangeError);
    expect(() => delimitedDecoder({ delimiter: bytesOf('5c'), escape: 0x5c, maxBytes: 9 })).toThrow(RangeError);
    expect(() => delimitedDecoder({ delimiter: bytesOf('5c5c'), escape: 0x5c, maxBytes: 9 })).toThrow(RangeError);
    for (const bad of [
      { sync: bytesOf('0102030405'), field: { at: 5, type: 'u8' } },
      { sync: bytesOf('0102'), field: { at: 1, type: 'u8' } },
      { field: { at: 0, type: 'ascii', digits: 0 } },
      { field: { at: 0, type: 'ascii', maxDigits: 3, terminator: 0x31 } },
      { field: { at: 0, type: 'u8' }, plus: 0.5 },
      { field: { at: 0, type: 'u8' }, maxBytes: 0 },
    ] as const) {
      expect(() => lengthDecoder({ maxBytes: 9, ...bad })).toThrow(RangeError);
    }
  });
});
