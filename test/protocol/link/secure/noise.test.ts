import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  NOISE_PROTOCOL,
  readFirst,
  readSecond,
  writeFirst,
  writeSecond,
} from '../../../../protocol/link/secure/noise.ts';
import type { AeadKey } from '../../../../protocol/link/secure/primitives.ts';
import { KeyPair } from '../../../../protocol/link/secure/primitives.ts';

interface Vector {
  name: string;
  prologue: string;
  psk: string;
  initEphemeral: string;
  respEphemeral: string;
  handshakeHash: string;
  messages: { payload: string; ciphertext: string }[];
}

const { vectors } = JSON.parse(readFileSync(new URL('../../../vectors/noise.json', import.meta.url), 'utf8')) as {
  vectors: Vector[];
};
const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const hexOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');

function sealed(key: AeadKey, n: number, payload: Uint8Array): Uint8Array {
  const target = new Uint8Array(payload.length + 16);
  target.set(payload);
  key.seal(n, new Uint8Array(0), target, 0);
  return target;
}

describe('the published test vector', () => {
  it.each(vectors)('$name', (vector) => {
    expect(vector.name).toBe(NOISE_PROTOCOL);
    const [psk, prologue] = [bytesOf(vector.psk), bytesOf(vector.prologue)];
    const [device, gateway] = [new KeyPair(bytesOf(vector.initEphemeral)), new KeyPair(bytesOf(vector.respEphemeral))];
    const [one, two, ...transport] = vector.messages.map(({ payload, ciphertext }) => ({
      payload: bytesOf(payload),
      ciphertext,
    }));
    const first = writeFirst(psk, prologue, device, one!.payload);
    expect(hexOf(first.message)).toBe(one!.ciphertext);
    const firstRead = readFirst(psk, prologue, first.message);
    expect(firstRead?.payload).toEqual(Buffer.from(one!.payload));
    const second = writeSecond(firstRead!.state, firstRead!.theirs, gateway, two!.payload);
    expect(hexOf(second?.message)).toBe(two!.ciphertext);
    const secondRead = readSecond(first.state, device, second!.message);
    expect(hexOf(secondRead?.payload)).toBe(hexOf(two!.payload));
    for (const { keys } of [second!, secondRead!]) {
      expect(hexOf(keys.h)).toBe(vector.handshakeHash);
      transport.forEach(({ payload, ciphertext }, index) => {
        const key = index % 2 === 0 ? keys.initiator : keys.responder;
        const n = Math.floor(index / 2);
        expect(hexOf(sealed(key, n, payload))).toBe(ciphertext);
        expect(hexOf(key.open(n, new Uint8Array(0), bytesOf(ciphertext)))).toBe(hexOf(payload));
      });
    }
  });
});

describe('a handshake', () => {
  const [{ psk, prologue, messages, initEphemeral }] = vectors as [Vector];
  const first = bytesOf(messages[0]!.ciphertext);

  it('is not read with another psk, another prologue, or when it is short', () => {
    expect(readFirst(bytesOf(psk).fill(0, 31), bytesOf(prologue), first)).toBeUndefined();
    expect(readFirst(bytesOf(psk), bytesOf(`${prologue}00`), first)).toBeUndefined();
    for (let length = 0; length < first.length; length++) {
      expect(readFirst(bytesOf(psk), bytesOf(prologue), first.subarray(0, length))).toBeUndefined();
    }
    expect(() => readFirst(bytesOf(psk).subarray(1), bytesOf(prologue), first)).toThrow(RangeError);
  });

  it('is refused when the other public key gives no secret', () => {
    // The points of small order (RFC 7748, section 6.1, and the list of curve25519's author).
    const small = [
      '00'.repeat(32),
      `01${'00'.repeat(31)}`,
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
      `ec${'ff'.repeat(30)}7f`,
      `ed${'ff'.repeat(30)}7f`,
      `ee${'ff'.repeat(30)}7f`,
    ];
    const own = new KeyPair(bytesOf(initEphemeral));
    const { state } = readFirst(bytesOf(psk), bytesOf(prologue), first)!;
    for (const publicKey of small) {
      expect(own.agree(bytesOf(publicKey))).toBeUndefined();
      expect(writeSecond(state, bytesOf(publicKey), own, new Uint8Array(0))).toBeUndefined();
      expect(readSecond(state, own, bytesOf(publicKey + '00'.repeat(16)))).toBeUndefined();
    }
  });

  it('makes other keys each time', () => {
    expect(new KeyPair().publicKey).not.toEqual(new KeyPair().publicKey);
    expect(new KeyPair().publicKey).toHaveLength(32);
    expect(() => new KeyPair(new Uint8Array(31))).toThrow(RangeError);
  });
});
