/**
 * The data plane to the broker: what the publisher sees of it. The publisher keeps what it has sent until `onAck`, and
 * sends it again after `onReset`, so nothing in here needs to survive.
 */
import type { EncodedTopic } from './publish-packet.ts';

export type { EncodedTopic } from './publish-packet.ts';
export { encodeTopic } from './publish-packet.ts';

export type Qos = 0 | 1;

/** MQTT 5: accepted, though nobody is subscribed. Everything from 0x80 on is a refusal. */
export const REASON_REFUSED = 0x80;
export const REASON_PACKET_TOO_LARGE = 0x95;

export interface Outbox {
  /** How many messages of this QoS `send` takes now; 0 while there is no connection. */
  room(qos: Qos): number;
  /** How many messages of this QoS it takes when nothing is in flight; 0 while there is no connection. */
  capacity(qos: Qos): number;
  /**
   * Takes one message; call it only while there is room. `token` comes back in `onAck`: a number of the caller's that
   * need not be unique.
   */
  send(topic: EncodedTopic, payload: string, qos: Qos, token: number, retain: boolean): void;
  /** End of a turn: what was sent goes to the socket in one write. */
  flush(): void;
  /**
   * The broker has taken the message (QoS 1: PUBACK; QoS 0: the operating system has taken it), or refused it when
   * `reasonCode` ≥ 0x80 (MQTT 5 section 2.4). Never called from inside `send`.
   */
  onAck: ((token: number, reasonCode: number) => void) | undefined;
  /** The connection is lost: what became of everything sent and not acknowledged is unknown. */
  onReset: (() => void) | undefined;
  /** There is room again after `room` has returned 0. */
  onRoom: (() => void) | undefined;
}
