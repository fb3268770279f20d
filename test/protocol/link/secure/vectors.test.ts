import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  beginHandshake,
  decodeBody,
  decodeFrame,
  isSealed,
  KeyPair,
  readHandshake,
  sealedSid,
  SEALED_OVERHEAD,
} from '../../../../protocol/index.ts';
import type {
  AnsweredHandshake,
  Beginning,
  DeviceHandshake,
  LinkFrame,
  Message,
  OpenedFrame,
  OpenedHandshake,
  SecureChannel,
  SecureErrorCode,
} from '../../../../protocol/index.ts';
import { AeadKey } from '../../../../protocol/link/secure/primitives.ts';

interface HandshakeVector {
  name: string;
  key: string;
  deviceEphemeral: string;
  gatewayEphemeral: string;
  seq: number;
  body: string;
  up: string;
  sid: number;
  answerType: number;
  answerBody: string;
  down: string;
  upKey?: string;
  downKey?: string;
}

interface BadVector {
  name: string;
  hex: string;
  error: SecureErrorCode;
}

interface Vectors {
  handshakes: HandshakeVector[];
  badHandshakes: BadVector[];
  badAnswers: BadVector[];
  frames: { name: string; from: string; transmission: number; seq?: number; type: number; body: string; hex: string }[];
  badFrames: (BadVector & { to: string })[];
  replays: { hex: string; seq?: number; error?: SecureErrorCode; note: string }[];
}

const vectors = JSON.parse(
  readFileSync(new URL('../../../vectors/link-secure.json', import.meta.url), 'utf8'),
) as Vectors;
const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function messageIn(frame: LinkFrame): Message {
  const body = decodeBody(frame);
  if (!body.ok) throw new Error(`${body.code} at ${body.offset}`);
  return body.message;
}

interface Run {
  readonly handshake: DeviceHandshake;
  readonly opened: OpenedHandshake;
  readonly answered: AnsweredHandshake;
  readonly answer: { readonly frame: LinkFrame; readonly channel: SecureChannel | undefined };
}

/** One handshake of the vectors, both ends of it made by us. */
function run(vector: HandshakeVector): Run {
  const key = bytesOf(vector.key);
  const received = readHandshake(bytesOf(vector.up));
  const opened = received.ok ? received.open(key) : received;
  if (!opened.ok) throw new Error(opened.code);
  const beginning = messageIn(opened.frame) as Beginning;
  const handshake = beginHandshake(key, beginning, vector.seq, new KeyPair(bytesOf(vector.deviceEphemeral)));
  const answer = handshake.complete(bytesOf(vector.down));
  if (!answer.ok) throw new Error(answer.code);
  const reply = messageIn(answer.frame);
  const answered = opened.answer(reply, vector.sid, new KeyPair(bytesOf(vector.gatewayEphemeral)));
  if (!answered.ok) throw new Error(answered.code);
  return { handshake, opened, answered, answer };
}

/** The two ends of the session that the first handshake has made. */
function session(): { device: SecureChannel; gateway: SecureChannel } {
  const { answer, answered } = run(vectors.handshakes[0]!);
  return { device: answer.channel!, gateway: answered.channel! };
}

describe('handshakes', () => {
  it.each(vectors.handshakes)('$name', (vector) => {
    const { handshake, opened, answered, answer } = run(vector);
    expect(hexOf(opened.frame.body)).toBe(vector.body);
    expect(opened.frame).toMatchObject({ security: 1, sid: 0, seq: vector.seq, down: false });
    expect(hexOf(handshake.frame)).toBe(vector.up);
    expect(hexOf(answered.frame)).toBe(vector.down);
    expect(hexOf(answer.frame.body)).toBe(vector.answerBody);
    expect(answer.frame).toMatchObject({ security: 1, sid: vector.sid, seq: 0, down: true, type: vector.answerType });
    expect(sealedSid(answered.frame)).toBe(0);
    const { upKey, downKey } = vector;
    expect(answer.channel === undefined).toBe(upKey === undefined);
    expect(answered.channel === undefined).toBe(downKey === undefined);
    if (upKey === undefined || downKey === undefined || !answer.channel || !answered.channel) return;
    for (const [channel, key] of [
      [answer.channel, upKey],
      [answered.channel, downKey],
    ] as const) {
      const frame = channel.seal({ type: 7 }, Uint8Array.of(1, 2, 3, 4));
      const plain = new AeadKey(bytesOf(key)).open(1, frame.subarray(0, 10), frame.subarray(10));
      expect(hexOf(plain!)).toBe('01020304');
    }
    // A second channel with the same keys would use every nonce twice.
    expect(() => handshake.complete(bytesOf(vector.down))).toThrow(RangeError);
  });

  it('are answered with at most one and a half times their bytes', () => {
    for (const { up, down } of vectors.handshakes) expect(down.length).toBeLessThanOrEqual(up.length * 1.5);
  });
});

describe('bad handshakes', () => {
  const [good] = vectors.handshakes as [HandshakeVector];

  it.each(vectors.badHandshakes)('$name', ({ hex, error }) => {
    const received = readHandshake(bytesOf(hex));
    let result: { ok: boolean } = received;
    if (received.ok) {
      const opened = received.open(bytesOf(good.key));
      const welcome = messageIn(run(good).answer.frame);
      result = opened.ok && error === 'bad-public-key' ? opened.answer(welcome, 1) : opened;
    }
    expect(result).toEqual({ ok: false, code: error });
  });

  it.each(vectors.badAnswers)('answer: $name', ({ hex, error }) => {
    const received = readHandshake(bytesOf(good.up));
    const opened = received.ok ? received.open(bytesOf(good.key)) : received;
    if (!opened.ok) throw new Error(opened.code);
    const hello = messageIn(opened.frame) as Beginning;
    const handshake = beginHandshake(bytesOf(good.key), hello, 0, new KeyPair(bytesOf(good.deviceEphemeral)));
    expect(handshake.complete(bytesOf(hex))).toEqual({ ok: false, code: error });
    // Whatever came, the genuine answer is still understood.
    expect(handshake.complete(bytesOf(good.down))).toMatchObject({ ok: true, frame: { sid: good.sid } });
  });
});

function frameIn(result: OpenedFrame): LinkFrame {
  if (!result.ok) throw new Error(result.code);
  return result.frame;
}

describe('frames of a session', () => {
  let device: SecureChannel;
  let gateway: SecureChannel;
  beforeEach(() => ({ device, gateway } = session()));
  const to = (name: string): SecureChannel => (name === 'gateway' ? gateway : device);

  it('are sealed and opened as the vectors say, in order', () => {
    for (const { from, transmission, seq, type, body, hex } of vectors.frames) {
      const sender = from === 'device' ? device : gateway;
      const receiver = from === 'device' ? gateway : device;
      const frame = sender.seal(seq === undefined ? { type } : { type, seq }, bytesOf(body));
      expect(hexOf(frame)).toBe(hex);
      expect(isSealed(frame)).toBe(true);
      expect(sealedSid(frame)).toBe(vectors.handshakes[0]!.sid);
      expect(decodeFrame(frame)).toEqual({ ok: false, code: 'unsupported-security', offset: 0 });
      const result = frameIn(receiver.open(frame));
      expect(result).toMatchObject({ type, seq: seq ?? transmission, ackWanted: seq !== undefined, security: 1 });
      expect(hexOf(result.body)).toBe(body);
    }
  });

  it('are the same when sealed as messages', () => {
    for (const { from, seq, hex } of vectors.frames) {
      const [sender, receiver] = from === 'device' ? [device, gateway] : [gateway, device];
      expect(hexOf(sender.sealMessage(messageIn(frameIn(receiver.open(bytesOf(hex)))), seq))).toBe(hex);
    }
  });

  it('have no number where none may be, and one where one must be', () => {
    expect(() => device.sealMessage({ type: 'PING', token: 1 }, 1)).toThrow(RangeError);
    expect(() => device.sealMessage({ type: 'GAP', first: 1, lost: 1 })).toThrow(RangeError);
    const log = { type: 'LOG', level: 'info', text: '' } as const;
    expect(frameIn(gateway.open(device.sealMessage(log)))).toMatchObject({ ackWanted: false, seq: 1 });
    expect(frameIn(gateway.open(device.sealMessage(log, 9)))).toMatchObject({ ackWanted: true, seq: 9 });
  });

  it.each(vectors.badFrames)('bad: $name', ({ to: receiver, hex, error }) => {
    expect(to(receiver).open(bytesOf(hex))).toEqual({ ok: false, code: error });
  });

  it('are taken once each', () => {
    for (const { hex, seq, error, note } of vectors.replays) {
      const result = gateway.open(bytesOf(hex));
      if (error === undefined) expect(frameIn(result).seq, note).toBe(seq);
      else expect(result, note).toEqual({ ok: false, code: error });
    }
  });

  it('have the limit that their receiver sets', () => {
    const frame = device.seal({ type: 4, seq: 1 }, new Uint8Array(1000));
    expect(gateway.open(frame, 1024)).toEqual({ ok: false, code: 'too-long' });
    expect(gateway.open(frame, 1030)).toMatchObject({ ok: true });
    expect(() => device.seal({ type: 4 }, new Uint8Array(1201 - SEALED_OVERHEAD))).toThrow(RangeError);
    expect(device.seal({ type: 4 }, new Uint8Array(1200 - SEALED_OVERHEAD))).toHaveLength(1200);
  });

  it('keep what they were decoded to when their bytes are overwritten', () => {
    const frame = device.seal({ type: 7 }, Uint8Array.of(0xde, 0xca, 0xfb, 0xad));
    const result = frameIn(gateway.open(frame));
    frame.fill(0xaa);
    expect(messageIn(result)).toEqual({ type: 'PING', token: 0xdecafbad });
  });
});
