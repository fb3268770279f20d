/**
 * The skeleton of every bring-up service over UDP: one datagram in, at most one datagram out, nothing remembered.
 *
 * Two rules hold for all, since a datagram's sender can be forged:
 * - An answer is never more than 1.5 times its request (`time` with its four bytes excepted), so that nobody gains
 *   by having us answer a victim.
 * - No answer goes to port 0, which nobody can listen on, nor to a port whose service answers everything by itself:
 *   a single forged datagram would keep two such services busy with each other for ever (CERT advisory CA-1996-01).
 */
import { ERROR, READ } from '../../sources/source.ts';
import type { Datagram, DatagramChannel } from '../../sources/source.ts';
import type { SessionHost } from '../session.ts';
import type { ServiceSession } from './service-stream.ts';

/** echo 7, daytime 13, quote of the day 17, character generator 19, time 37. */
const ANSWERING_PORTS: ReadonlySet<number> = new Set([7, 13, 17, 19, 37]);

/** What a datagram costs of the budget besides its bytes: a flood of empty ones must not own the turn. */
const DATAGRAM_COST = 64;

/** The answer to a datagram, or undefined for none. Must not keep or change the request. */
export type DatagramService = (request: Datagram) => Uint8Array | undefined;

/** Runs one service on a datagram socket. */
export class ServiceDatagrams implements ServiceSession {
  bytesIn = 0;
  bytesOut = 0;
  datagramsIn = 0;
  datagramsOut = 0;
  /** Requests from a port that must not be answered. */
  refused = 0;
  /** Answers that the socket had no room for. */
  unsent = 0;
  readonly #answer: DatagramService;
  readonly #channel: DatagramChannel;
  readonly #host: SessionHost;
  #ended = false;

  constructor(answer: DatagramService, channel: DatagramChannel, host: SessionHost) {
    this.#answer = answer;
    this.#channel = channel;
    this.#host = host;
    host.setInterest(READ);
  }

  onReady(ready: number): void {
    if (this.#ended) return;
    if ((ready & ERROR) !== 0 && this.#channel.error !== undefined) {
      this.#ended = true;
      this.#channel.close();
      this.#host.finished(this.#channel.error);
      return;
    }
    for (let budget = this.#host.budgetBytes; budget > 0; ) {
      const request = this.#channel.receive();
      if (request === undefined) return;
      budget -= request.bytes.length + DATAGRAM_COST;
      this.#serve(request);
    }
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#channel.close();
    this.#host.finished();
  }

  #serve(request: Datagram): void {
    this.datagramsIn += 1;
    this.bytesIn += request.bytes.length;
    const answer = this.#answer(request);
    if (answer === undefined) return;
    if (request.peer.port === 0 || ANSWERING_PORTS.has(request.peer.port)) {
      this.refused += 1;
    } else if (this.#channel.send(answer, request.peer)) {
      this.datagramsOut += 1;
      this.bytesOut += answer.length;
    } else {
      this.unsent += 1;
    }
  }
}
