/**
 * Strict UTF-8 by hand (RFC 3629): `protocol/` knows no TextDecoder, and needs the offset of the first bad byte.
 *
 * ```
 *   U+0000  – U+007F     0xxxxxxx
 *   U+0080  – U+07FF     110xxxxx 10xxxxxx
 *   U+0800  – U+FFFF     1110xxxx 10xxxxxx 10xxxxxx            without U+D800 – U+DFFF
 *   U+10000 – U+10FFFF   11110xxx 10xxxxxx 10xxxxxx 10xxxxxx
 * ```
 */

/** The index of the first byte in `from..to` that does not belong to a valid UTF-8 sequence, or -1 when all do. */
export function invalidUtf8At(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to) {
    const lead = bytes[at]!;
    if (lead < 0x80) {
      at++;
      continue;
    }
    // The range of the second byte is what keeps out overlongs (C0, C1, E0 80–9F, F0 80–8F), surrogates (ED A0–BF)
    // and everything beyond U+10FFFF (F4 90–BF, F5–FF): RFC 3629, section 4.
    let more: number;
    let low = 0x80;
    let high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead === 0xe0) low = 0xa0;
      else if (lead === 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead === 0xf0) low = 0x90;
      else if (lead === 0xf4) high = 0x8f;
    } else {
      return at;
    }
    if (at + more >= to) return at;
    const second = bytes[at + 1]!;
    if (second < low || second > high) return at;
    for (let i = 2; i <= more; i++) {
      if ((bytes[at + i]! & 0xc0) !== 0x80) return at;
    }
    at += more + 1;
  }
  return -1;
}

/** The text of `bytes[from..to)`, or undefined when that is not valid UTF-8 (`invalidUtf8At` tells where). */
export function decodeUtf8(bytes: Uint8Array, from = 0, to: number = bytes.length): string | undefined {
  if (invalidUtf8At(bytes, from, to) >= 0) return undefined;
  let text = '';
  let at = from;
  while (at < to) {
    const lead = bytes[at]!;
    if (lead < 0x80) {
      text += String.fromCharCode(lead);
      at += 1;
    } else if (lead < 0xe0) {
      text += String.fromCharCode(((lead & 0x1f) << 6) | (bytes[at + 1]! & 0x3f));
      at += 2;
    } else if (lead < 0xf0) {
      text += String.fromCharCode(((lead & 0x0f) << 12) | ((bytes[at + 1]! & 0x3f) << 6) | (bytes[at + 2]! & 0x3f));
      at += 3;
    } else {
      const high = ((lead & 0x07) << 18) | ((bytes[at + 1]! & 0x3f) << 12);
      text += String.fromCodePoint(high | ((bytes[at + 2]! & 0x3f) << 6) | (bytes[at + 3]! & 0x3f));
      at += 4;
    }
  }
  return text;
}

/** How many bytes `text` takes as UTF-8. RangeError when it holds half a surrogate pair, which UTF-8 cannot say. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) {
      length += 1;
    } else if (unit < 0xd800 || unit > 0xdfff) {
      length += 2;
    } else {
      const next = unit < 0xdc00 && i + 1 < text.length ? text.charCodeAt(i + 1) : 0;
      if (next < 0xdc00 || next > 0xdfff) throw new RangeError(`text has half a surrogate pair at index ${i}`);
      // Two code units become four bytes.
      length += 2;
      i++;
    }
  }
  return length;
}

/**
 * Writes `text` as UTF-8 into `target` from `at` on and returns the position behind it. The caller has made room
 * for `utf8Length(text)` bytes, which also has checked the surrogates.
 */
export function encodeUtf8Into(text: string, target: Uint8Array, at: number): number {
  let to = at;
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code < 0x80) {
      target[to++] = code;
    } else if (code < 0x800) {
      target[to++] = 0xc0 | (code >> 6);
      target[to++] = 0x80 | (code & 0x3f);
    } else if (code < 0xd800 || code > 0xdfff) {
      target[to++] = 0xe0 | (code >> 12);
      target[to++] = 0x80 | ((code >> 6) & 0x3f);
      target[to++] = 0x80 | (code & 0x3f);
    } else {
      code = 0x10000 + ((code & 0x3ff) << 10) + (text.charCodeAt(++i) & 0x3ff);
      target[to++] = 0xf0 | (code >> 18);
      target[to++] = 0x80 | ((code >> 12) & 0x3f);
      target[to++] = 0x80 | ((code >> 6) & 0x3f);
      target[to++] = 0x80 | (code & 0x3f);
    }
  }
  return to;
}

/** `text` as UTF-8. RangeError when it holds half a surrogate pair. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(utf8Length(text));
  encodeUtf8Into(text, bytes, 0);
  return bytes;
}
