/**
 * The skeleton of every bring-up service over UDP: one datagram in, at most one datagram out, nothing remembered.
 *
 * Since a datagram's sender can be forged, an answer is never more than 1.5 times its request and there are only so many
 * to an address (limits/datagram-answers.ts). And:
 * - No answer goes to port 0, which nobody can listen on, nor to a port whose service answers everything by itself:
 *   a single forged datagram would keep two such services busy with each other for ever (CERT advisory CA-1996-01).
 */
import type { DatagramAnswers } from '../../limits/datagram-answers.ts';
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
  /** Requests that must not be answered: their port, their size or their number. */
  refused = 0;
  /** Answers that the socket had no room for. */
  unsent = 0;
  readonly #answer: DatagramService;
  readonly #channel: DatagramChannel;
  readonly #host: SessionHost;
  readonly #answers: DatagramAnswers;
  #ended = false;

  constructor(answer: DatagramService, channel: DatagramChannel, host: SessionHost, answers: DatagramAnswers) {
    this.#answers = answers;
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
    const { peer, bytes } = request;
    if (peer.port === 0 || ANSWERING_PORTS.has(peer.port)) {
      this.refused += 1;
    } else if (!this.#answers.allows(peer.address, bytes.length, answer.length, this.#channel.id)) {
      this.refused += 1;
    } else if (this.#channel.send(answer, request.peer)) {
      this.datagramsOut += 1;
      this.bytesOut += answer.length;
    } else {
      this.unsent += 1;
    }
  }
}
