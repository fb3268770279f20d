/**
 * The PUBLISH packet, written into a batch (MQTT 3.1.1 section 3.3, MQTT 5 section 3.3). The one packet that goes out
 * for every reading, so it does not take the long way through MQTT.js.
 *
 * ```
 *   0x30 | qos<<1 | retain        fixed header
 *   remaining length              variable byte integer, 1–4 bytes
 *   topic length u16, topic       UTF-8, encoded once per topic
 *   packet id u16                 QoS 1 only
 *   0x00                          MQTT 5 only: no properties
 *   payload                       UTF-8
 * ```
 */

/** A topic name with its length in front, as it stands in the packet. */
export interface EncodedTopic {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** @throws RangeError when the topic has more than 65,535 bytes */
export function encodeTopic(name: string): EncodedTopic {
  const text = Buffer.from(name, 'utf8');
  if (text.length > 65_535) throw new RangeError('topic longer than 65,535 bytes');
  const bytes = Buffer.alloc(2 + text.length);
  bytes.writeUInt16BE(text.length, 0);
  text.copy(bytes, 2);
  return { name, bytes };
}

/** Header, remaining length, packet id and property length at their largest. */
const MAX_OVERHEAD = 1 + 4 + 2 + 1;

/** Bytes that a packet can take at most; a JavaScript character takes at most three in UTF-8. */
export function maxPacketBytes(topic: EncodedTopic, payload: string): number {
  return MAX_OVERHEAD + topic.bytes.length + 3 * payload.length;
}

/**
 * Writes a PUBLISH at `at` and returns the position behind it. There must be room for `maxPacketBytes`.
 * @param packetId 1–65,535 for QoS 1, 0 for QoS 0
 */
export function writePublish(
  target: Buffer,
  at: number,
  topic: EncodedTopic,
  payload: string,
  packetId: number,
  retain: boolean,
  mqtt5: boolean,
): number {
  // Nearly every payload is ASCII: as many bytes as characters. When that was wrong, write once more.
  const end = writeWithLength(target, at, topic, payload, payload.length, packetId, retain, mqtt5);
  if (end.written === payload.length) return end.at;
  return writeWithLength(target, at, topic, payload, end.written, packetId, retain, mqtt5).at;
}

/** Reused for every packet: this is the hottest function of the way out. */
const RESULT = { at: 0, written: 0 };

function writeWithLength(
  target: Buffer,
  start: number,
  topic: EncodedTopic,
  payload: string,
  payloadBytes: number,
  packetId: number,
  retain: boolean,
  mqtt5: boolean,
): typeof RESULT {
  const { bytes } = topic;
  let at = start;
  target[at++] = 0x30 | (packetId === 0 ? 0 : 0x02) | (retain ? 0x01 : 0);
  let remaining = bytes.length + (packetId === 0 ? 0 : 2) + (mqtt5 ? 1 : 0) + payloadBytes;
  while (remaining > 0x7f) {
    target[at++] = (remaining & 0x7f) | 0x80;
    remaining >>>= 7;
  }
  target[at++] = remaining;
  // A loop is faster than `set` for the length of a topic.
  for (let index = 0; index < bytes.length; index++) target[at++] = bytes[index]!;
  if (packetId !== 0) {
    target[at++] = packetId >>> 8;
    target[at++] = packetId & 0xff;
  }
  if (mqtt5) target[at++] = 0;
  RESULT.written = target.write(payload, at);
  RESULT.at = at + RESULT.written;
  return RESULT;
}
