/** What carries the frames of link sessions: one stream connection, one serial line, or one UDP peer. */
import { encodeMessage, type LinkErrorCode } from '../../../protocol/index.ts';
import type { Transport } from '../../devices/device.ts';
import type { GatewayError } from '../../errors.ts';
import type { LineQuality } from '../line-quality.ts';
import type { LinkSession } from './link-session.ts';

export interface Carrier {
  readonly transport: Transport;
  /** Names connection or peer in logs and events. */
  readonly id: string;
  /** Of the peer, as the socket tells it; for a serial line or a Unix-domain socket what names it. Limits count by it. */
  readonly address: string;
  /** Whether the other one leads to the same peer. */
  same(other: Carrier): boolean;
  /** Sends one whole frame. False: no room, because the peer does not read; the carrier is then closing. */
  send(frame: Uint8Array): boolean;
  /** Whether it is not read at present, so that silence means nothing. */
  readonly paused: boolean;
  /** Whether it can be read more slowly. If not, what a rate does not allow is not taken, and the device is told. */
  readonly paces: boolean;
  /** The frame at hand is on a device's account, and nothing is to be read for so long; 0: go on. */
  pace(waitMs: number): void;
  /** An answer beyond those of the sessions is due: the connection does not close before `letGo`. */
  hold(): void;
  letGo(): void;
  /** An ACK has gone out: a connection whose peer has sent FIN looks whether it may close now. */
  acknowledged(): void;
  /** Backpressure: stop or go on reading. Datagrams cannot be paused; there it does nothing. */
  pause(paused: boolean): void;
  /** A session stands on it. A concentrator may carry several. */
  attach(session: LinkSession): void;
  /**
   * A session on it is over. A connection without any closes, after what was sent; a serial line and a datagram socket
   * stay open for the next HELLO.
   */
  detach(session: LinkSession, error?: GatewayError): void;
  /** There will be no session: a connection closes after what was sent. */
  release(): void;
  /** Somebody on it was not let in; `reason` is a stable word. */
  refused?(reason: string): void;
  /** How good the line is; undefined where nothing is known of it. */
  readonly quality?: LineQuality;
}

/** Sends a plain ERROR that belongs to no session of ours; `sid` is that of the frame it answers. */
export function sendError(carrier: Carrier, sid: number, code: LinkErrorCode, retryAfter: number, text: string): void {
  carrier.send(encodeMessage({ type: 'ERROR', code, retryAfter, text }, { sid, seq: 0, down: true }));
}
